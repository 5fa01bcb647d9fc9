//! What a variant costs at a moment and in a quantity: price lists that are planned, and deals.
//!
//! A household that has the catalogue knows tomorrow's price today, and a shop decides about an order
//! by the same arithmetic, so that both come to the same sum without speaking.
//!
//! **Invariant:** a deal never makes anything dearer, and the price that comes out is exact: what a
//! deal leaves to be paid for a quantity is written as the price of that very quantity.
//!
//! ```
//! use kirana_core::{
//!     catalogue::{pricing::{Deal, Terms}, product::Variant},
//!     money::{Currency, Price},
//!     time::UnixMs,
//! };
//! let price = |minor| Price { minor, per: 1, currency: Currency::INR };
//! let now = UnixMs::new(1_000);
//! let three_for_two = Terms { what: Deal::XForY { take: 3, pay: 2 }, until: None };
//! let soap = Variant {
//!     price: Some(price(4_000)),
//!     deals: [(now, three_for_two)].into(),
//!     ..Variant::default()
//! };
//! let four = soap.price_of(4, now).expect("it has a price");
//! assert_eq!(four.of(4)?.minor, 12_000);
//! # Ok::<(), kirana_core::money::MoneyError>(())
//! ```

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::product::Variant;
use crate::{money::Price, quantity::Unit, time::UnixMs};

/// The most planned prices and the most deals of one variant.
pub const PLANNED_MAX: usize = 16;
/// The most pieces in a deal of pieces.
pub const TAKE_MAX: u64 = 1_000;
/// All of a price, in basis points.
const WHOLE_BP: i64 = 10_000;

/// Something that holds from the moment it is filed under until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Terms<T> {
    /// What holds.
    #[n(0)]
    pub what: T,
    /// Until when; none is until something else is said.
    #[n(1)]
    #[serde(default)]
    pub until: Option<UnixMs>,
}

/// A way to pay less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(flat)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deal {
    /// So many basis points off the price.
    #[n(0)]
    Percent {
        /// 1 to 9,999.
        #[n(0)]
        bp: u32,
    },
    /// So many pieces for the price of fewer.
    #[n(1)]
    XForY {
        /// How many are taken.
        #[n(0)]
        take: u64,
        /// How many of them are paid.
        #[n(1)]
        pay: u64,
    },
}

impl Deal {
    /// Whether it is one for goods of this unit.
    pub fn fits(self, unit: Unit) -> bool {
        match self {
            Self::Percent { bp } => (1..WHOLE_BP).contains(&i64::from(bp)),
            Self::XForY { take, pay } => {
                unit == Unit::Piece && (1..take).contains(&pay) && take <= TAKE_MAX
            }
        }
    }

    /// What `amount` costs with it; `None` where the sum does not fit.
    fn apply(self, price: Price, amount: u64) -> Option<Price> {
        match self {
            Self::Percent { bp } => {
                let less = i128::from(price.minor) * i128::from(WHOLE_BP - i64::from(bp));
                let rounded = (less + i128::from(WHOLE_BP / 2)) / i128::from(WHOLE_BP);
                Some(Price { minor: i64::try_from(rounded).ok()?, ..price })
            }
            Self::XForY { take, pay } if amount >= take => {
                let free = amount / take * (take - pay);
                let sum = price.of(amount - free).ok()?;
                Some(Price { minor: sum.minor, per: amount, currency: price.currency })
            }
            Self::XForY { .. } => Some(price),
        }
    }
}

/// What is planned for a variant beside its usual price, to be kept where it is sold from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Schedule {
    /// Prices, by when they begin.
    #[n(0)]
    pub planned: BTreeMap<UnixMs, Terms<Price>>,
    /// Deals, by when they begin.
    #[n(1)]
    pub deals: BTreeMap<UnixMs, Terms<Deal>>,
    /// The legal maximum.
    #[n(2)]
    pub cap: Option<Price>,
}

impl Schedule {
    /// What is planned for a variant.
    pub fn of(variant: &Variant) -> Self {
        let Variant { planned, deals, .. } = variant;
        Self { planned: planned.clone(), deals: deals.clone(), cap: variant.cap() }
    }

    /// Whether nothing is planned.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The price of one at a moment, where `usual` holds else.
    pub fn price_at(&self, usual: Price, now: UnixMs) -> Price {
        capped(holding(&self.planned, now).last().map_or(usual, |terms| terms.what), self.cap)
    }

    /// The deals that hold at a moment for goods of this unit.
    pub fn deals_at(&self, unit: Unit, now: UnixMs) -> Vec<Deal> {
        holding(&self.deals, now).map(|terms| terms.what).filter(|deal| deal.fits(unit)).collect()
    }
}

/// The price at which `amount` base units are sold: the best that a deal makes of it.
pub fn best(price: Price, deals: impl IntoIterator<Item = Deal>, amount: u64) -> Price {
    let offered = deals.into_iter().filter_map(|deal| deal.apply(price, amount));
    offered.fold(price, |best, other| if other.is_below(best) { other } else { best })
}

impl Variant {
    /// The price of one at a moment: the newest planned price that holds then, else the usual one;
    /// never more than the law allows, also where two people set price and maximum apart.
    pub fn price_at(&self, now: UnixMs) -> Option<Price> {
        let usual = self.price?;
        let price = holding(&self.planned, now).last().map_or(usual, |terms| terms.what);
        Some(capped(price, self.cap()))
    }

    /// The price at which `amount` base units are sold at a moment, the best deal in it.
    pub fn price_of(&self, amount: u64, now: UnixMs) -> Option<Price> {
        let price = self.price_at(now)?;
        Some(best(price, self.deals_at(now).map(|terms| terms.what), amount))
    }

    /// The planned price that holds, if any does, and until when.
    pub fn planned_at(&self, now: UnixMs) -> Option<&Terms<Price>> {
        holding(&self.planned, now).last()
    }

    /// The deals that hold, and until when.
    pub fn deals_at(&self, now: UnixMs) -> impl Iterator<Item = &Terms<Deal>> {
        holding(&self.deals, now).filter(|terms| terms.what.fits(self.unit))
    }

    /// When after `now` a planned price or a deal begins or ends next.
    pub fn next_change(&self, now: UnixMs) -> Option<UnixMs> {
        let planned = self.planned.iter().map(|(from, terms)| (*from, terms.until));
        let deals = self.deals.iter().map(|(from, terms)| (*from, terms.until));
        let moments = planned.chain(deals).flat_map(|(from, until)| [Some(from), until]);
        moments.flatten().filter(|at| *at > now).min()
    }
}

fn capped(price: Price, cap: Option<Price>) -> Price {
    cap.filter(|cap| cap.is_below(price)).unwrap_or(price)
}

/// What holds at a moment, by when it began.
fn holding<T>(filed: &BTreeMap<UnixMs, Terms<T>>, now: UnixMs) -> impl Iterator<Item = &Terms<T>> {
    let begun = filed.range(..=now).map(|(_, terms)| terms);
    begun.filter(move |terms| terms.until.is_none_or(|until| until > now))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Currency;

    fn price(minor: i64) -> Price {
        Price { minor, per: 1, currency: Currency::INR }
    }

    fn at(ms: u64) -> UnixMs {
        UnixMs::new(ms)
    }

    fn until<T>(what: T, until: u64) -> Terms<T> {
        Terms { what, until: Some(at(until)) }
    }

    #[test]
    fn the_newest_planned_price_holds_from_its_moment_until_its_end() {
        let planned = [(at(10), until(price(900), 40)), (at(20), until(price(800), 30))];
        let milk =
            Variant { price: Some(price(1000)), planned: planned.into(), ..Variant::default() };
        let told = |ms| milk.price_at(at(ms)).map(|price| price.minor);
        let all = [9, 10, 19, 20, 29, 30, 39, 40].map(told);
        assert_eq!(all, [1000, 900, 900, 800, 800, 900, 900, 1000].map(Some));
        let changes: Vec<_> =
            std::iter::successors(Some(at(0)), |now| milk.next_change(*now)).collect();
        assert_eq!(changes, [0, 10, 20, 30, 40].map(at));
    }

    #[test]
    fn what_has_no_price_gets_none_by_a_plan_or_a_deal() {
        let planned = [(at(1), until(price(900), 40))];
        let off = Variant { planned: planned.into(), ..Variant::default() };
        assert_eq!((off.price_at(at(5)), off.price_of(1, at(5))), (None, None));
    }

    #[test]
    fn nothing_is_sold_above_the_legal_maximum_whoever_set_it() {
        let planned = [(at(10), until(price(2_000), 40))];
        let (max_price, planned) = (Some(900), planned.into());
        let milk = Variant { price: Some(price(1000)), max_price, planned, ..Variant::default() };
        let told = |ms| milk.price_at(at(ms));
        assert_eq!([told(5), told(20)], [Some(price(900)), Some(price(900))]);
        let schedule = Schedule::of(&milk);
        assert_eq!(schedule.price_at(price(1000), at(20)), price(900));
    }

    #[test]
    fn three_for_two_counts_whole_threes_and_the_better_deal_wins() {
        let deals = [
            (at(1), until(Deal::XForY { take: 3, pay: 2 }, 100)),
            (at(2), until(Deal::Percent { bp: 1_000 }, 100)),
        ];
        let soap = Variant { price: Some(price(1_005)), deals: deals.into(), ..Variant::default() };
        let sum = |amount| {
            let price = soap.price_of(amount, at(50)).expect("a price");
            price.of(amount).expect("it fits").minor
        };
        // Ten percent off 10.05 is 9.045, rounded half up to 9.05.
        assert_eq!([1, 2, 3, 4, 5, 6].map(sum), [905, 1_810, 2_010, 3_015, 4_020, 4_020]);
        assert_eq!(soap.price_of(3, at(100)), Some(price(1_005)), "over");
    }

    proptest! {
        #[test]
        fn p2_no_deal_makes_anything_dearer_and_its_sum_is_exact(
            minor in 0_i64..1_000_000, amount in 1_u64..500,
            take in 2_u64..12, less in 1_u64..11, bp in 1_u32..10_000,
        ) {
            let pay = take.saturating_sub(less).max(1);
            for deal in [Deal::XForY { take, pay }, Deal::Percent { bp }] {
                let deals = [(at(0), Terms { what: deal, until: None })];
                let of = Variant {
                    price: Some(price(minor)), deals: deals.into(), ..Variant::default()
                };
                let with = of.price_of(amount, at(1)).expect("a price").of(amount);
                let without = price(minor).of(amount).expect("it fits");
                prop_assert!(with.expect("it fits").minor <= without.minor);
                if let Deal::XForY { .. } = deal {
                    let paid = amount - amount / take * (take - pay);
                    prop_assert_eq!(with.expect("it fits").minor, minor * paid as i64);
                }
            }
        }
    }
}
