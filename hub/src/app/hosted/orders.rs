//! Orders of hosted accounts: placed by the hub's device for them, followed by the shop's own word.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    household::{Household as Document, HouseholdError as Refusal},
    id::{AddressId, CartId, OrderId, ShopId},
    known_time::KnownNow,
    money::Currency,
    order::{
        facts::Grievance,
        personal::Personal,
        placed::{Alteration, Method, Slot, Substitution, WantedLine},
        wish::ComplaintStep,
    },
    record::SignedRecord,
    terms::{UnverifiedTerms, Way},
    time::UnixMs,
};
use kirana_customer::app::{
    Household, HouseholdError,
    asking::Complaining,
    place::NewOrder,
    priced::{Hurdle, hurdle},
    shop::Introduced,
    status::OrderStatus,
    terms::{Quote, quote, rate_of},
};

use super::{carts::Wanted, on_disk};
use crate::{
    app::{Error, Hub, policy::Actor},
    clock::{Rng, draw},
    store::idempotency::Once,
};

/// Why a checkout ended; another one, or a change of the cart, may have come between.
fn not_placed(error: HouseholdError) -> Error {
    match error {
        HouseholdError::Document(Refusal::NotThere) => {
            let why =
                "the cart has changed meanwhile: look at it and at the orders, then order again";
            Error::Declined { kind: "cart-changed", why: why.to_owned() }
        }
        error => error.into(),
    }
}

/// The most orders that one checkout makes: one a shop.
pub const SHOPS_MAX: usize = 20;

/// What a thin client orders.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// Of what.
    pub basket: Basket,
    /// Come and collect it, rather than have it brought.
    pub pickup: bool,
    /// Which of the addresses; the usual one if left out.
    pub address: Option<AddressId>,
    /// For whom; the account's name if left out.
    pub name: Option<String>,
    /// What else the shop should know.
    pub note: String,
    /// How it is paid.
    pub payment: Method,
    /// Whether a part of a line is better than nothing.
    pub partial_ok: bool,
    /// What to do with a line of which there is none left.
    pub substitution: Substitution,
    /// Until when an answer is of use.
    pub answer_by: UnixMs,
    /// In which span of time.
    pub slot: Option<Slot>,
    /// How old the customer says to be, at least.
    pub of_age: Option<u8>,
}

/// From where the lines of a checkout come.
#[derive(Debug, Clone)]
pub enum Basket {
    /// What is in a cart.
    Cart(CartId),
    /// These things.
    Lines(Vec<Wanted>),
    /// What was ordered before.
    Again(OrderId),
}

/// What is asked about an order.
#[derive(Debug, Clone)]
pub enum Asking {
    /// Take it back, or call it off.
    Withdraw,
    /// Something else is wanted.
    Change {
        /// How much of lines that are there; nothing takes one out.
        amounts: Vec<(u16, u64)>,
        /// What is wanted too.
        added: Vec<Wanted>,
        /// Come and collect it after all.
        pickup: bool,
        /// In another span of time.
        slot: Option<Slot>,
    },
    /// For these lines the proposal may come.
    Approve(Vec<u16>),
    /// A complaint, or a word about one.
    Complain {
        /// What is done.
        step: ComplaintStep,
        /// About what.
        about: Grievance,
        /// About which lines.
        lines: Vec<u16>,
        /// The words.
        says: String,
        /// A photo, as a file of any kind that is taken.
        photo: Option<Vec<u8>>,
    },
}

impl Hub {
    /// Places one order a shop, once for each key; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`Error::Declined`] where something cannot be ordered as it is; nothing was placed then.
    pub async fn check_out(
        &self,
        actor: &Actor,
        once: Option<Once>,
        checkout: Checkout,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<OrderStatus>, Error> {
        let home = self.home_of(actor, now, rng).await?;
        let document = on_disk(|| home.document())?;
        if let Some(ids) = self.placed_before(&home, once.as_ref()).await? {
            return self.seen(&home, &ids, now);
        }
        let drafts = self.drafts(actor, (&home, &document), &checkout, now).await?;
        let drawn = drafts.keys().map(|shop| (*shop, OrderId::new(now, draw(rng))));
        let drawn: BTreeMap<ShopId, OrderId> = drawn.collect();
        for (order, _) in drafts.values() {
            // All of them can be, or none is placed.
            on_disk(|| home.could_place(order, now))?;
        }
        let ids = self.ids_once(once, drawn, now).await?;
        self.store().hosted_waits(actor.account, true).await?;
        let cart = match checkout.basket {
            Basket::Cart(cart) => Some(cart),
            Basket::Lines(_) | Basket::Again(_) => None,
        };
        for (shop, (order, _)) in drafts {
            let Some(id) = ids.get(&shop).copied() else { continue };
            on_disk(|| home.place_as(id, (order, cart), now, rng)).map_err(not_placed)?;
        }
        // A round that saw nothing open may have noted that since.
        self.store().hosted_waits(actor.account, true).await?;
        // The orders are placed, whatever becomes of the first try to send them.
        if let Err(error) = self.post(actor.account, &home, now, rng).await {
            tracing::warn!(%error, "orders of a hosted device are sent in the next round");
        }
        let ids: Vec<OrderId> = ids.into_values().collect();
        self.seen(&home, &ids, now)
    }

    /// What a checkout comes to, shop by shop; nothing is placed.
    ///
    /// # Errors
    /// As for [`Hub::check_out`].
    pub async fn quote(
        &self,
        actor: &Actor,
        checkout: Checkout,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<(ShopId, Quote)>, Error> {
        let home = self.home_of(actor, now, rng).await?;
        let document = on_disk(|| home.document())?;
        let drafts = self.drafts(actor, (&home, &document), &checkout, now).await?;
        Ok(drafts.into_iter().map(|(shop, (_, quote))| (shop, quote)).collect())
    }

    /// The orders of a checkout with what each comes to.
    async fn drafts(
        &self,
        actor: &Actor,
        (home, document): (&Household, &Document),
        checkout: &Checkout,
        now: UnixMs,
    ) -> Result<BTreeMap<ShopId, (NewOrder, Quote)>, Error> {
        let mut by_shop: BTreeMap<ShopId, Vec<WantedLine>> = BTreeMap::new();
        for one in self.basket(home, document, &checkout.basket)? {
            let line = self.line(one, checkout.substitution, now)?;
            by_shop.entry(one.shop).or_default().push(line);
        }
        if by_shop.is_empty() || by_shop.len() > SHOPS_MAX {
            let why =
                format!("an order is for 1 to {SHOPS_MAX} shops with at least one thing each");
            return Err(Error::Declined { kind: "nothing-to-order", why });
        }
        let personal = self.personal(actor, document, checkout, now).await?;
        let mut drafts = BTreeMap::new();
        for (shop, lines) in by_shop {
            self.introduce(home, shop, now).await?;
            let mut order = new_order(shop, lines, personal.clone(), checkout)?;
            let quote = self.quoted(home, &order, now)?;
            order.fee = quote.fee.map(|fee| fee.amount);
            drafts.insert(shop, (order, quote));
        }
        Ok(drafts)
    }

    fn quoted(&self, home: &Household, order: &NewOrder, now: UnixMs) -> Result<Quote, Error> {
        let published = on_disk(|| home.terms(order.shop))?;
        let mut rates = BTreeMap::new();
        for WantedLine { variant, .. } in &order.lines {
            if let Some((shelved, _)) = self.on_the_shelf(order.shop, *variant)? {
                rates.insert(*variant, rate_of(&shelved.product, *variant));
            }
        }
        Ok(quote(order, published.as_ref(), &rates, now)?)
    }

    /// The own orders, newest first; the shops' answers are taken in first.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account is not hosted.
    pub async fn own_orders(
        &self,
        actor: &Actor,
        (after, limit): (Option<OrderId>, usize),
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<OrderStatus>, Error> {
        let home = self.home_of(actor, now, rng).await?;
        self.fetch(actor.account, &home, now, rng).await?;
        let ids = on_disk(|| home.order_ids())?;
        let from = after.and_then(|after| ids.iter().position(|id| *id == after));
        let ids: Vec<_> = ids.into_iter().skip(from.map_or(0, |at| at + 1)).take(limit).collect();
        self.seen(&home, &ids, now)
    }

    /// One of the own orders, as the shop last said.
    ///
    /// # Errors
    /// [`Error::NotFound`]; also for one of somebody else.
    pub async fn own_order(
        &self,
        actor: &Actor,
        id: OrderId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<OrderStatus, Error> {
        let home = self.home_of(actor, now, rng).await?;
        self.fetch(actor.account, &home, now, rng).await?;
        Ok(on_disk(|| home.order_status(id, now))?)
    }

    /// Asks a shop something about one of the own orders, and shows it as it stands.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Declined`] where it cannot be meant.
    pub async fn ask_about_order(
        &self,
        actor: &Actor,
        id: OrderId,
        (asking, once): (Asking, Option<Once>),
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<OrderStatus, Error> {
        let home = self.home_of(actor, now, rng).await?;
        self.fetch(actor.account, &home, now, rng).await?;
        let chain = on_disk(|| home.order_chain(id))?;
        self.store().hosted_waits(actor.account, true).await?;
        // The request is part of the key: another one under the same key is another wish.
        let once = once.map(|once| Hash::of_parts(&[once.key.as_bytes(), once.request.as_bytes()]));
        match asking {
            Asking::Withdraw if chain.order().stage.is_undecided() => {
                on_disk(|| home.withdraw(id, now, rng))?
            }
            Asking::Withdraw => on_disk(|| home.cancel(id, now, rng))?,
            Asking::Change { amounts, added, pickup, slot } => {
                self.introduce(&home, chain.order().shop, now).await?;
                let mut wanted = Alteration::default();
                let new = |(line, amount)| kirana_core::order::placed::NewAmount { line, amount };
                wanted.amounts = amounts.into_iter().map(new).collect();
                for one in added {
                    if one.shop != chain.order().shop {
                        return Err(Error::NotFound { what: "product at that shop" });
                    }
                    wanted.added.push(self.line(one, Substitution::LeaveOut, now)?);
                }
                let (way, had) = Way::of(chain.order().placed.handover);
                let way = if pickup { Way::Pickup } else { way };
                let slot = slot.or(had.filter(|_| !pickup));
                let handover = way.at(slot);
                wanted.handover = (handover != chain.order().placed.handover).then_some(handover);
                wanted.fee = on_disk(|| home.fee_when_changed(chain.order(), &wanted, now))?;
                on_disk(|| home.change(id, (wanted, once), now, rng))?
            }
            Asking::Approve(lines) => on_disk(|| home.approve(id, lines, now, rng))?,
            Asking::Complain { step, about, lines, says, photo } => {
                let photo = match photo {
                    Some(file) => match self.0.studio.for_mail(file).await {
                        Ok(made) => Some(made.jpeg),
                        Err(Error::Unfit(why)) => {
                            return Err(Error::Declined { kind: "picture", why: why.to_string() });
                        }
                        Err(error) => return Err(error),
                    },
                    None => None,
                };
                let complaining = Complaining { step, about, lines, says, photo };
                on_disk(|| home.complain(id, (complaining, once), now, rng))?
            }
        };
        // A round that saw nothing open may have noted that since.
        self.store().hosted_waits(actor.account, true).await?;
        // The wish is stored, whatever becomes of the first try to send it.
        if let Err(error) = self.post(actor.account, &home, now, rng).await {
            tracing::warn!(%error, "a wish of a hosted device is sent in the next round");
        }
        Ok(on_disk(|| home.order_status(id, now))?)
    }

    fn seen(
        &self,
        home: &Household,
        ids: &[OrderId],
        now: UnixMs,
    ) -> Result<Vec<OrderStatus>, Error> {
        Ok(on_disk(|| ids.iter().map(|id| home.order_status(*id, now)).collect::<Result<_, _>>())?)
    }

    /// The orders of the same request, if all of them were placed.
    async fn placed_before(
        &self,
        home: &Household,
        once: Option<&Once>,
    ) -> Result<Option<Vec<OrderId>>, Error> {
        let Some(once) = once else { return Ok(None) };
        let Some(noted) = self.store().noted(once).await?? else { return Ok(None) };
        let ids: Vec<OrderId> = pairs(&noted).into_values().collect();
        let all = on_disk(|| home.order_ids())?;
        Ok(ids.iter().all(|id| all.contains(id)).then_some(ids))
    }

    /// The ids under which a request's orders are placed, also when it comes again.
    async fn ids_once(
        &self,
        once: Option<Once>,
        drawn: BTreeMap<ShopId, OrderId>,
        now: UnixMs,
    ) -> Result<BTreeMap<ShopId, OrderId>, Error> {
        let Some(once) = once else { return Ok(drawn) };
        let pair = |(shop, id): (&ShopId, &OrderId)| [*shop.as_bytes(), *id.as_bytes()].concat();
        let subject: Vec<u8> = drawn.iter().flat_map(pair).collect();
        Ok(pairs(&self.store().note_once(once, subject, now).await?))
    }

    fn basket(
        &self,
        home: &Household,
        document: &Document,
        basket: &Basket,
    ) -> Result<Vec<Wanted>, Error> {
        match basket {
            Basket::Lines(lines) => Ok(lines.clone()),
            Basket::Cart(id) => {
                if !document.carts().iter().any(|cart| cart.id == *id) {
                    return Err(Error::NotFound { what: "cart" });
                }
                let lines = document.lines(*id).into_iter();
                let wanted = lines.map(|line| Wanted {
                    shop: line.item.shop,
                    variant: line.item.variant,
                    quantity: line.quantity,
                });
                Ok(wanted.collect())
            }
            Basket::Again(id) => {
                let chain = on_disk(|| home.order_chain(*id))?;
                let shop = chain.order().shop;
                let lines = chain.order().placed.lines.iter();
                let wanted = lines.map(|line| Wanted {
                    shop,
                    variant: line.variant,
                    quantity: line.quantity,
                });
                Ok(wanted.collect())
            }
        }
    }

    /// A line at the price that the shelf shows now.
    fn line(
        &self,
        wanted: Wanted,
        substitution: Substitution,
        now: UnixMs,
    ) -> Result<WantedLine, Error> {
        let Wanted { shop, variant, quantity } = wanted;
        let gone = |hurdle: Hurdle| Error::Declined {
            kind: hurdle.kind(),
            why: format!("{variant}: {}", hurdle.says()),
        };
        let (shelved, n) = self.on_the_shelf(shop, variant)?.ok_or_else(|| gone(Hurdle::Gone))?;
        // What seems to be sold out may be there again: the shop decides.
        if let Some(hurdle) = hurdle(&shelved, variant, quantity, now)
            && hurdle != Hurdle::OutOfStock
        {
            return Err(gone(hurdle));
        }
        let of = shelved.product.variants.get(&variant);
        let price = of.and_then(|of| of.price_of(quantity.amount(), now));
        let price = price.ok_or_else(|| gone(Hurdle::Gone))?;
        let line = WantedLine::new(shelved.product.id, variant, quantity, price);
        Ok(WantedLine { seen_version: n, substitution, ..line })
    }

    /// Who the order is for and where it goes.
    async fn personal(
        &self,
        actor: &Actor,
        document: &Document,
        checkout: &Checkout,
        now: UnixMs,
    ) -> Result<Personal, Error> {
        let id = checkout.address.or_else(|| document.usual_address());
        let address = id.and_then(|id| document.addresses().remove(&id));
        if address.is_none() && (checkout.address.is_some() || !checkout.pickup) {
            return Err(match checkout.address {
                Some(_) => Error::NotFound { what: "address" },
                None => Error::Declined {
                    kind: "no-address",
                    why: "there is no address to bring it to: add one, or collect it".to_owned(),
                },
            });
        }
        let place = address.as_ref().and_then(|at| at.position).filter(|_| !checkout.pickup);
        let (text, phone) = address.map(|at| (at.written(), at.phone)).unwrap_or_default();
        let name = match &checkout.name {
            Some(name) => name.clone(),
            None => {
                let profile = self.me(actor, now).await?;
                profile.personal.as_ref().and_then(|p| p.name.clone()).unwrap_or_default()
            }
        };
        let address = if checkout.pickup { String::new() } else { text };
        Ok(Personal { name, address, phone, note: checkout.note.clone(), place })
    }

    /// Tells a household how to reach a shop, by the shop's own signed record.
    async fn introduce(&self, home: &Household, shop: ShopId, now: UnixMs) -> Result<(), Error> {
        let known_now: KnownNow = self.known_now(now).await?;
        let record = self.store().record(shop, known_now).await?;
        let Some(record) = record else {
            // A shop that rests for a while is still the one that was met.
            return match on_disk(|| home.known_shop(shop))? {
                Some(_) => Ok(()),
                None => Err(Error::NotFound { what: "shop" }),
            };
        };
        let trust = self.trust(now).await?;
        let read = SignedRecord::verify(&record, &trust, known_now).map_err(|bad| {
            Error::Declined { kind: "shop-in-doubt", why: format!("the shop's record: {bad}") }
        })?;
        let introduced = Introduced {
            name: read.record().name.clone(),
            certificates: read.certificates().to_vec(),
            addresses: Vec::new(),
            hubs: Vec::new(),
        };
        on_disk(|| home.choose_shop(introduced, now))?;
        // The newest terms that were gathered; those of another box are none.
        let signed = self.shelves()?.terms(shop)?;
        let signed = signed.and_then(|bytes| UnverifiedTerms::parse(&bytes).ok());
        if let Some(Ok(terms)) = signed.map(|terms| terms.verify(read.node().key())) {
            on_disk(|| home.save_terms(shop, &terms))?;
        }
        Ok(())
    }
}

fn new_order(
    shop: ShopId,
    lines: Vec<WantedLine>,
    personal: Personal,
    checkout: &Checkout,
) -> Result<NewOrder, Error> {
    let first = lines.first().ok_or(Error::NotFound { what: "line" })?;
    let currency: Currency = first.seen.currency;
    let way = if checkout.pickup { Way::Pickup } else { Way::Delivery };
    let handover = way.at(checkout.slot);
    let personal = (personal != Personal::default()).then_some(personal);
    let (payment, partial_ok) = (checkout.payment, checkout.partial_ok);
    let answer_by = checkout.answer_by;
    Ok(NewOrder {
        shop,
        currency,
        lines,
        handover,
        payment,
        partial_ok,
        personal,
        answer_by,
        fee: None,
        of_age: checkout.of_age,
    })
}

/// Shops and orders as they are noted under a key: sixteen bytes each.
fn pairs(noted: &[u8]) -> BTreeMap<ShopId, OrderId> {
    let pair = |pair: &[u8]| {
        let (shop, id) = pair.split_at_checked(16)?;
        Some((ShopId::from_slice(shop)?, OrderId::from_slice(id)?))
    };
    noted.chunks(32).filter_map(pair).collect()
}
