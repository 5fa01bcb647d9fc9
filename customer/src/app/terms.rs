//! On which terms shops hand goods over, as far as this device knows, and what an order comes to.
//!
//! **Invariant:** the sum that is shown before an order is signed is the most that it may come to:
//! goods at the prices seen, and the fee that the order agrees to.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::product::Product,
    geohash::Place,
    id::{OrderId, ShopId, VariantId},
    money::{Money, tax_within},
    order::{
        Order, decide,
        facts::{DeclineReason, Fee},
        placed::{Alteration, WantedLine},
        totals::Totals,
    },
    spoken::ShortNumber,
    terms::{Published, SignedTerms, Way},
    time::UnixMs,
};
use kirana_migrations::{
    Abort,
    catalogue::{self, terms},
};
use serde::Serialize;

use super::{Household, HouseholdError, place::NewOrder, write};
use crate::store::shops;

/// What an order comes to before it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The goods, at the prices seen.
    pub goods: Money,
    /// What bringing them costs; nothing where it is free, or the shop never said.
    pub fee: Option<Fee>,
    /// Both together: the most that is agreed to.
    pub sum: Money,
    /// The tax inside, per rate in basis points, as far as the saved catalogue tells it.
    pub taxes: BTreeMap<u32, Money>,
    /// When the shop set its terms; nothing where it never did.
    pub terms_of: Option<UnixMs>,
}

impl Household {
    /// Saves the terms of a shop; says whether they were news.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownShop`] for a shop that was not chosen, or when nothing could be
    /// stored.
    pub fn save_terms(&self, shop: ShopId, signed: &SignedTerms) -> Result<bool, HouseholdError> {
        let signed = signed.clone();
        write(&self.db, move |tx| {
            let known = shops::get(tx, shop)?;
            let known = known.ok_or(Abort::Refused(HouseholdError::UnknownShop))?;
            let said = signed.said();
            let is_current = said.shop == shop && said.generation >= known.generation;
            Ok(is_current && terms::keep(tx, &signed)?)
        })
    }

    /// What a shop said last about handing goods over.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn terms(&self, shop: ShopId) -> Result<Option<Published>, HouseholdError> {
        self.db.reader.read(|reader| {
            let known = shops::get(reader, shop)?.map_or(0, |known| known.generation);
            // A box that came back from a backup says its own, or nothing.
            Ok(terms::get(reader, shop)?.filter(|said| said.generation >= known))
        })
    }

    /// The fee that a change has to agree to, where it has become higher than what was signed; by
    /// what this device knows.
    ///
    /// # Errors
    /// [`HouseholdError::NotOnTheseTerms`] where the shop would not take the order like that.
    pub fn fee_when_changed(
        &self,
        order: &Order,
        wanted: &Alteration,
        now: UnixMs,
    ) -> Result<Option<Money>, HouseholdError> {
        let Some(published) = self.terms(order.shop)? else { return Ok(None) };
        let placed = wanted.apply(&order.placed)?;
        let mut out = order.cancelled();
        out.extend(wanted.amounts.iter().filter(|new| new.amount == 0).map(|new| new.line));
        if out.len() >= placed.lines.len() {
            return Ok(None);
        }
        let charged = |line: u16| order.lines.get(usize::from(line)).and_then(|line| line.charge);
        let goods = decide::goods(&placed, &out, |line, wanted| {
            Some(charged(line).map_or(wanted.seen, |charge| charge.price))
        });
        let refused = |reason| HouseholdError::NotOnTheseTerms { reason, said_at: published.at };
        let (way, slot) = Way::of(placed.handover);
        if wanted.handover.is_some() {
            published.terms.takes((way, slot), 0, now).map_err(refused)?;
        }
        let fee = published.terms.fee(way, goods, None).map_err(refused)?;
        let signed = placed.fee.map_or(0, |fee| fee.minor);
        Ok(fee.map(|fee| fee.amount).filter(|fee| fee.minor > signed))
    }

    /// The link by which what is due for an order is paid by UPI; nothing where nothing is, or the
    /// shop takes none.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when stored data cannot be read.
    pub fn upi_link(&self, order: OrderId) -> Result<Option<String>, HouseholdError> {
        let chain = self.order_chain(order)?;
        let order = chain.order();
        let payee = self.terms(order.shop)?.and_then(|said| said.terms.upi);
        // Before the decision nobody knows what it comes to.
        let due = Totals::of(order).ok().filter(|_| !order.stage.is_undecided());
        let number = ShortNumber::of(order.shop, order.id).to_string();
        Ok(payee.zip(due).and_then(|(payee, t)| payee.link_for(order.id, &number, t.due)))
    }

    /// What an order would come to, by what this device knows.
    ///
    /// # Errors
    /// [`HouseholdError::NotOnTheseTerms`] where the shop would not take it, or as when it is placed.
    pub fn quote(&self, order: &NewOrder, now: UnixMs) -> Result<Quote, HouseholdError> {
        let published = self.terms(order.shop)?;
        let rates = self.db.reader.read(|reader| {
            let mut rates = BTreeMap::new();
            for WantedLine { variant, .. } in &order.lines {
                if let Some(found) = catalogue::by_variant(reader, order.shop, *variant)? {
                    rates.insert(*variant, rate_of(&found.product, *variant));
                }
            }
            Ok::<_, HouseholdError>(rates)
        })?;
        quote(order, published.as_ref(), &rates, now)
    }
}

/// The tax inside the price of a variant, in basis points.
pub fn rate_of(product: &Product, variant: VariantId) -> u32 {
    let own = product.variants.get(&variant).and_then(|of| of.tax_bp);
    own.unwrap_or(product.tax_bp)
}

/// What an order would come to on these terms; `rates` are the taxes of its goods, in basis points.
///
/// # Errors
/// [`HouseholdError::NotOnTheseTerms`] where the shop would not take it.
pub fn quote(
    order: &NewOrder,
    published: Option<&Published>,
    rates: &BTreeMap<VariantId, u32>,
    now: UnixMs,
) -> Result<Quote, HouseholdError> {
    let draft = order.draft();
    let goods = decide::goods(&draft, &Default::default(), |_, line| Some(line.seen));
    let Some(published) = published else {
        let (fee, taxes) = (None, taxes(order, None, rates));
        return Ok(Quote { goods, fee, sum: goods, taxes, terms_of: None });
    };
    let refused = |reason| HouseholdError::NotOnTheseTerms { reason, said_at: published.at };
    let (way, slot) = Way::of(order.handover);
    let there: Option<Place> = order.personal.as_ref().and_then(|person| person.place);
    let distance_m = published.place.zip(there).map(|(shop, there)| shop.distance_m(there));
    // Whether others were quicker, the shop alone knows.
    published.terms.takes((way, slot), 0, now).map_err(refused)?;
    let fee = published.terms.fee(way, goods, distance_m).map_err(refused)?;
    let sum = fee.map_or(Ok(goods), |fee| goods.checked_add(fee.amount));
    // Only sums beyond all limits do not fit, and placing says so by name.
    let sum = sum.map_err(|_| refused(DeclineReason::FeeChanged))?;
    let taxes = taxes(order, fee, rates);
    Ok(Quote { goods, fee, sum, taxes, terms_of: Some(published.at) })
}

/// The tax inside an order's goods and fee.
fn taxes(
    order: &NewOrder,
    fee: Option<Fee>,
    rates: &BTreeMap<VariantId, u32>,
) -> BTreeMap<u32, Money> {
    let mut gross: BTreeMap<u32, Money> = BTreeMap::new();
    let mut add = |rate: u32, sum: Money| {
        let there = gross.entry(rate).or_insert(Money::zero(order.currency));
        *there = there.checked_add(sum).unwrap_or(*there);
    };
    for line in &order.lines {
        let rate = rates.get(&line.variant);
        if let (Some(rate), Ok(sum)) = (rate, line.seen.of(line.quantity.amount())) {
            add(*rate, sum);
        }
    }
    if let Some(fee) = fee {
        add(fee.tax_bp, fee.amount);
    }
    let taxed = gross.into_iter().filter(|(rate, _)| *rate > 0);
    taxed.filter_map(|(rate, sum)| Some((rate, tax_within(sum, rate).ok()?))).collect()
}
