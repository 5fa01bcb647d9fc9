//! What goods brought in, and what those very goods had cost, movement by movement.
//!
//! **Invariant:** a margin is made of what is known: of goods whose cost nobody entered it says
//! nothing, and it says of how many.

use super::{Change, Movement};
use crate::money::{Price, tax_within};

/// Goods that left the shop; money is in minor units of the shop's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Out {
    /// Whether they were thrown away, and not sold.
    pub wasted: bool,
    /// How much, in base units.
    pub amount: u64,
    /// What they brought in, tax left out.
    pub net: i64,
    /// Of how much of them the cost is known, in base units.
    pub costed: u64,
    /// What those brought in, tax left out.
    pub net_costed: i64,
    /// What those had cost, tax left out.
    pub cost: i64,
}

impl Out {
    /// What a movement says; `cost` is what a batch cost. `None` for what is no sale with a price and
    /// no loss of goods from a batch.
    pub fn of(movement: &Movement, cost: impl Fn(u64) -> Option<Price>) -> Option<Self> {
        let mut out = match (movement.change, movement.earned) {
            (Change::Sale { amount, .. }, Some(earned)) => {
                let tax = tax_within(earned.sum, earned.tax_bp).ok()?;
                let net = earned.sum.checked_sub(tax).ok()?.minor;
                Self { amount, net, ..Self::default() }
            }
            (Change::Wastage { amount }, _) if !movement.parts().is_empty() => {
                Self { wasted: true, amount, ..Self::default() }
            }
            _ => return None,
        };
        for part in movement.parts() {
            let spent = cost(part.batch).and_then(|cost| cost.of(part.amount).ok());
            if let Some(spent) = spent {
                out.costed += part.amount;
                out.cost = out.cost.saturating_add(spent.minor);
            }
        }
        out.net_costed = share(out.net, out.costed, out.amount);
        Some(out)
    }
}

/// What `part` of `whole` brought in, rounded half up.
fn share(net: i64, part: u64, whole: u64) -> i64 {
    let (net, part, whole) = (i128::from(net), i128::from(part), i128::from(whole.max(1)));
    i64::try_from((2 * net * part + whole) / (2 * whole)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        money::{Currency, Money},
        stock::{
            batch::{Earned, Part},
            tests::movement,
        },
    };

    fn cost(batch: u64) -> Option<Price> {
        let price = |minor| Some(Price { minor, per: 10, currency: Currency::INR });
        [None, price(500), price(800)]
            .get(usize::try_from(batch).expect("small"))
            .copied()
            .flatten()
    }

    fn sold(amount: u64, sum: i64, parts: &[(u64, u64)]) -> Movement {
        let mut sale = movement(Change::Sale { amount, reserved: 0 });
        let parts = parts.iter().map(|(batch, amount)| Part { batch: *batch, amount: *amount });
        sale.parts = Some(parts.collect());
        sale.earned = Some(Earned { sum: Money::new(sum, Currency::INR), tax_bp: 500 });
        sale
    }

    #[test]
    fn a_margin_is_the_price_without_tax_less_what_those_batches_cost() {
        let out = Out::of(&sold(10, 2_100, &[(1, 4), (2, 6)]), cost).expect("a sale");
        assert_eq!((out.net, out.costed, out.cost), (2_000, 10, 200 + 480));
        assert_eq!(out.net_costed, 2_000);
    }

    #[test]
    fn of_goods_without_a_cost_nothing_is_claimed() {
        let out = Out::of(&sold(10, 2_100, &[(0, 2), (1, 5)]), cost).expect("a sale");
        assert_eq!((out.amount, out.costed, out.net_costed, out.cost), (10, 5, 1_000, 250));
        let loose = Out::of(&sold(10, 2_100, &[]), cost).expect("a sale");
        assert_eq!((loose.costed, loose.net_costed, loose.cost, loose.net), (0, 0, 0, 2_000));
    }

    #[test]
    fn what_is_thrown_away_costs_and_brings_nothing_and_the_rest_says_nothing() {
        let mut lost = movement(Change::Wastage { amount: 5 });
        assert_eq!(Out::of(&lost, cost), None, "nobody knows what it was");
        lost.parts = Some(vec![Part { batch: 2, amount: 5 }]);
        let out = Out::of(&lost, cost).expect("a loss");
        assert_eq!((out.wasted, out.net, out.costed, out.cost), (true, 0, 5, 400));
        for change in [Change::Receipt { amount: 5 }, Change::Sale { amount: 5, reserved: 5 }] {
            assert_eq!(Out::of(&movement(change), cost), None);
        }
    }
}
