//! The shop's decision about an order: what each line gets, at which price.
//!
//! Pure, so that the shop calls it inside the transaction that reserves and replies.
//!
//! **Invariant:** a decision grants no more than is available, no line above the price that the
//! customer signed, and answers each line exactly once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    TAX_BP_MAX,
    entry::Body,
    facts::{
        Accepted, DeclineReason, Declined, Fee, GrantedLine, LineRefusal, Received, RefusedLine,
    },
    placed::{Placed, WantedLine, check_price},
};
use crate::{
    catalogue::pricing::{self, Deal},
    hash::Hash,
    id::VariantId,
    money::{Money, Price},
    planted::{Bug, is_planted},
    quantity::Unit,
    terms::{Terms, Way},
    time::UnixMs,
};

/// What the shop offers of one variant at the moment of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The shop's price now, tax included.
    pub price: Price,
    /// The deals that hold now; the best of them counts.
    pub deals: Vec<Deal>,
    /// The tax inside it, in basis points.
    pub tax_bp: u32,
    /// What it is counted in.
    pub unit: Unit,
    /// How much is on hand, not reserved and above the safety stock, in base units.
    pub available: u64,
    /// Whether the ledger counts it; otherwise only a person accepts.
    pub counted: bool,
    /// From which age on it is sold, in years.
    pub age_min: Option<u8>,
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// The program: it grants only what is counted.
    Program,
    /// A person, who looked on the shelf for what is not counted.
    Person,
}

/// What becomes of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is taken: reserve `lines`, then write [`Decision::into_body`].
    Accept {
        /// What is granted, in the order of the lines.
        lines: Vec<GrantedLine>,
        /// What is not.
        refused: Vec<RefusedLine>,
    },
    /// It is not taken.
    Decline(Declined),
    /// A person has to look.
    Wait,
}

impl Decision {
    /// The entry to write, with the head of the stock ledger after the reservation and what is
    /// charged for bringing it.
    pub fn into_body(self, ledger: Hash, fee: Option<Fee>) -> Body {
        match self {
            Self::Accept { lines, refused } => {
                Body::Accepted(Accepted { lines, refused, ledger, fee })
            }
            Self::Decline(declined) => Body::Declined(declined),
            Self::Wait => Body::Received(Received { ledger: Some(ledger) }),
        }
    }
}

/// Decides about an order against what the shop offers now; a variant without offer is not sold.
///
/// Where the price now is at most the one the customer saw, or the customer's cap, the price now is
/// charged; otherwise the line is refused. Where there is too little, the line is granted in part
/// if the customer allowed that, else refused.
///
/// `out` are the lines that the customer took out again before the decision. Whether the shop is paid
/// by cards or UPI, and whether a khata has room, is its own word, apart from this.
pub fn decide(
    placed: &Placed,
    out: &BTreeSet<u16>,
    offers: &BTreeMap<VariantId, Offer>,
    judge: Judge,
) -> Decision {
    if !placed.payment.is_known() {
        let reason = DeclineReason::NoSuchPayment;
        return Decision::Decline(Declined { reason, lines: Vec::new() });
    }
    let mut left: BTreeMap<VariantId, u64> = BTreeMap::new();
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    let mut sum = Money::zero(placed.currency);
    let mut uncounted = false;
    for (index, wanted) in placed.lines.iter().enumerate() {
        let line = index as u16;
        if out.contains(&line) {
            continue;
        }
        let offer = offers.get(&wanted.variant);
        let left = left.entry(wanted.variant).or_insert_with(|| available(offer));
        match decide_line(placed, wanted, offer, *left, sum) {
            Ok((granted, price, tax_bp, new_sum)) => {
                uncounted |= offer.is_some_and(|offer| !offer.counted);
                *left = left.saturating_sub(granted);
                sum = new_sum;
                lines.push(GrantedLine { line, granted, price, tax_bp });
            }
            Err(why) => refused.push(RefusedLine { line, why }),
        }
    }
    if lines.is_empty() {
        let reason = DeclineReason::NothingLeft;
        return Decision::Decline(Declined { reason, lines: refused });
    }
    if uncounted && judge == Judge::Program {
        return Decision::Wait;
    }
    Decision::Accept { lines, refused }
}

/// What goods come to, tax included, as much as was asked for of them: a shop that has too little of
/// something does not make an order too small by it. A line that `price` gives nothing for, or that
/// is `out`, does not count.
pub fn goods(
    placed: &Placed,
    out: &BTreeSet<u16>,
    price: impl Fn(u16, &WantedLine) -> Option<Price>,
) -> Money {
    let mut goods = Money::zero(placed.currency);
    for (line, wanted) in placed.lines.iter().enumerate() {
        let line = line as u16;
        let price = price(line, wanted).filter(|_| !out.contains(&line));
        let sum = price.and_then(|price| price.of(wanted.quantity.amount()).ok());
        goods = sum.and_then(|sum| goods.checked_add(sum).ok()).unwrap_or(goods);
    }
    goods
}

/// What the shop sells a line for now; nothing where it does not, to this customer.
pub fn price_for(placed: &Placed, wanted: &WantedLine, offer: &Offer) -> Option<Price> {
    let price = pricing::best(offer.price, offer.deals.iter().copied(), wanted.quantity.amount());
    let is_sold = offer.unit == wanted.quantity.unit() && is_old_enough(placed, offer);
    Some(price).filter(|price| is_sold && wanted.allows(*price))
}

/// Whether an order of so many [`goods`] may be handed over as it is wanted, and what is charged for
/// that. `distance_m` is how far it has to be brought, `taken` how many others have the same span of
/// time.
///
/// # Errors
/// [`DeclineReason`] says why not.
pub fn hand_over(
    placed: &Placed,
    goods: Money,
    terms: &Terms,
    (distance_m, taken): (Option<u32>, u32),
    now: UnixMs,
) -> Result<Option<Fee>, DeclineReason> {
    let (way, slot) = Way::of(placed.handover);
    terms.takes((way, slot), taken, now)?;
    let fee = terms.fee(way, goods, distance_m)?;
    let most = placed.fee.map_or(0, |most| most.minor);
    match fee {
        Some(fee) if fee.amount.currency != placed.currency || fee.amount.minor > most => {
            Err(DeclineReason::FeeChanged)
        }
        fee => Ok(fee),
    }
}

fn is_old_enough(placed: &Placed, offer: &Offer) -> bool {
    offer.age_min.is_none_or(|min| placed.of_age.is_some_and(|age| age >= min))
}

/// How much may be granted of an offer; of what is not counted, a person says whether it is there.
fn available(offer: Option<&Offer>) -> u64 {
    match offer {
        Some(_) if is_planted(Bug::ReserveWithoutCheck) => u64::MAX,
        Some(offer) if offer.counted => offer.available,
        Some(_) => u64::MAX,
        None => 0,
    }
}

type Granted = (u64, Price, u32, Money);

fn decide_line(
    placed: &Placed,
    wanted: &WantedLine,
    offer: Option<&Offer>,
    left: u64,
    sum: Money,
) -> Result<Granted, LineRefusal> {
    let offer = offer.ok_or(LineRefusal::NotSold)?;
    if check_price(offer.price, placed.currency).is_err() || offer.tax_bp > TAX_BP_MAX {
        return Err(LineRefusal::NotSold);
    }
    if offer.unit != wanted.quantity.unit() {
        return Err(LineRefusal::WrongUnit);
    }
    if !is_old_enough(placed, offer) {
        return Err(LineRefusal::AgeLimit);
    }
    let amount = wanted.quantity.amount();
    let price_of = |amount| pricing::best(offer.price, offer.deals.iter().copied(), amount);
    if !wanted.allows(price_of(amount)) {
        return Err(LineRefusal::PriceChanged);
    }
    let granted = match left {
        left if left >= amount => amount,
        0 => return Err(LineRefusal::NotEnough),
        left if placed.partial_ok => left,
        _ => return Err(LineRefusal::NotEnough),
    };
    // Of a deal for three, two may cost more apiece than the customer agreed to.
    let price = price_of(granted);
    if !wanted.allows(price) {
        return Err(LineRefusal::NotEnough);
    }
    let line_sum = price.of(granted).map_err(|_| LineRefusal::TooLarge)?;
    let sum = sum.checked_add(line_sum).map_err(|_| LineRefusal::TooLarge)?;
    Ok((granted, price, offer.tax_bp, sum))
}
