//! What goods brought in, and what those very goods had cost, movement by movement.
//!
//! **Invariant:** a margin is made of what is known: of goods whose cost nobody entered it says
//! nothing, and it says of how many.

use super::{Change, Movement};
use crate::money::{Price, tax_within};

/// Which way goods went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// To a customer.
    #[default]
    Sold,
    /// Into the bin.
    Wasted,
    /// Back from a customer.
    Returned,
}

/// Goods that left the shop, or came back; money is in minor units of the shop's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Out {
    /// Which way.
    pub way: Way,
    /// How much, in base units.
    pub amount: u64,
    /// What they brought in, tax left out; of a return, what was given back for them.
    pub net: i64,
    /// Of how much of them the cost is known, in base units.
    pub costed: u64,
    /// What those brought in, tax left out.
    pub net_costed: i64,
    /// What those had cost, tax left out.
    pub cost: i64,
}

impl Out {
    /// What a movement says; `cost` is what a batch cost, `sale` what an earlier sale said. `None` for
    /// what is no sale with a price, no loss of goods from a batch, and no return of a sale.
    pub fn of(
        movement: &Movement,
        cost: impl Fn(u64) -> Option<Price>,
        sale: impl Fn(u64) -> Option<Self>,
    ) -> Option<Self> {
        let sale = movement.of_sale.and_then(sale).filter(|sale| sale.way == Way::Sold);
        let net = match movement.earned {
            Some(earned) => {
                let tax = tax_within(earned.sum, earned.tax_bp).ok()?;
                Some(earned.sum.checked_sub(tax).ok()?.minor)
            }
            None => None,
        };
        let (way, amount, net) = match (movement.change, net, sale) {
            (Change::Sale { amount, .. }, Some(net), _) => (Way::Sold, amount, net),
            (Change::Return { amount }, net, Some(_)) => {
                (Way::Returned, amount, net.unwrap_or_default())
            }
            (Change::Wastage { amount }, _, Some(_)) => (Way::Wasted, amount, 0),
            (Change::Wastage { amount }, ..) if !movement.parts().is_empty() => {
                (Way::Wasted, amount, 0)
            }
            _ => return None,
        };
        let (costed, cost) = match sale {
            // Nobody can tell which of the sold ones these are: they cost what those did on average.
            Some(sale) => {
                let part = |whole: u64| {
                    let part = i64::try_from(whole).map(|whole| share(whole, amount, sale.amount));
                    part.ok().and_then(|part| u64::try_from(part).ok()).unwrap_or_default()
                };
                (part(sale.costed).min(amount), share(sale.cost, amount, sale.amount))
            }
            None => spent(movement, cost),
        };
        let net_costed = share(net, costed, amount);
        Some(Self { way, amount, net, costed, net_costed, cost })
    }

    /// This with another of the same way.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            way: self.way,
            amount: self.amount.saturating_add(other.amount),
            net: self.net.saturating_add(other.net),
            costed: self.costed.saturating_add(other.costed),
            net_costed: self.net_costed.saturating_add(other.net_costed),
            cost: self.cost.saturating_add(other.cost),
        }
    }

    /// What was sold and stayed sold: this less what came back of it.
    #[must_use]
    pub fn less(self, returned: &Self) -> Self {
        Self {
            way: self.way,
            amount: self.amount.saturating_sub(returned.amount),
            net: self.net.saturating_sub(returned.net),
            costed: self.costed.saturating_sub(returned.costed),
            net_costed: self.net_costed.saturating_sub(returned.net_costed),
            cost: self.cost.saturating_sub(returned.cost),
        }
    }
}

/// Of how much of a movement the cost is known, and what that was.
fn spent(movement: &Movement, cost: impl Fn(u64) -> Option<Price>) -> (u64, i64) {
    let mut known = (0, 0_i64);
    for part in movement.parts() {
        let spent = cost(part.batch).and_then(|cost| cost.of(part.amount).ok());
        if let Some(spent) = spent {
            known = (known.0 + part.amount, known.1.saturating_add(spent.minor));
        }
    }
    known
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
        let out = Out::of(&sold(10, 2_100, &[(1, 4), (2, 6)]), cost, |_| None).expect("a sale");
        assert_eq!((out.net, out.costed, out.cost), (2_000, 10, 200 + 480));
        assert_eq!(out.net_costed, 2_000);
    }

    #[test]
    fn of_goods_without_a_cost_nothing_is_claimed() {
        let out = Out::of(&sold(10, 2_100, &[(0, 2), (1, 5)]), cost, |_| None).expect("a sale");
        assert_eq!((out.amount, out.costed, out.net_costed, out.cost), (10, 5, 1_000, 250));
        let loose = Out::of(&sold(10, 2_100, &[]), cost, |_| None).expect("a sale");
        assert_eq!((loose.costed, loose.net_costed, loose.cost, loose.net), (0, 0, 0, 2_000));
    }

    #[test]
    fn what_is_thrown_away_costs_and_brings_nothing_and_the_rest_says_nothing() {
        let mut lost = movement(Change::Wastage { amount: 5 });
        assert_eq!(Out::of(&lost, cost, |_| None), None, "nobody knows what it was");
        lost.parts = Some(vec![Part { batch: 2, amount: 5 }]);
        let out = Out::of(&lost, cost, |_| None).expect("a loss");
        assert_eq!((out.way, out.net, out.costed, out.cost), (Way::Wasted, 0, 5, 400));
        for change in [Change::Receipt { amount: 5 }, Change::Sale { amount: 5, reserved: 5 }] {
            assert_eq!(Out::of(&movement(change), cost, |_| None), None);
        }
    }

    #[test]
    fn what_comes_back_takes_its_share_of_the_price_and_of_the_cost_away() {
        let sale = Out::of(&sold(10, 2_100, &[(1, 4), (2, 6)]), cost, |_| None).expect("a sale");
        let mut back = movement(Change::Return { amount: 5 });
        back.seq = 9;
        back.of_sale = Some(4);
        back.earned = Some(Earned { sum: Money::new(1_050, Currency::INR), tax_bp: 500 });
        let of = |seq| (seq == 4).then_some(sale);
        let out = Out::of(&back, cost, of).expect("a return");
        assert_eq!((out.way, out.amount, out.net), (Way::Returned, 5, 1_000));
        assert_eq!((out.costed, out.cost), (5, 340));
        let kept = sale.less(&out);
        assert_eq!((kept.amount, kept.net, kept.net_costed, kept.cost), (5, 1_000, 1_000, 340));
        // Thrown away after that, it is lost at what it had cost.
        let mut lost = movement(Change::Wastage { amount: 5 });
        lost.of_sale = Some(4);
        let lost = Out::of(&lost, cost, of).expect("a loss");
        assert_eq!((lost.way, lost.net, lost.cost), (Way::Wasted, 0, 340));
        // A return of nobody knows which sale says nothing of money.
        assert_eq!(Out::of(&back, cost, |_| None), None);
    }
}
