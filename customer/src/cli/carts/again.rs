//! Fills a cart from what was ordered before.

use std::collections::BTreeMap;

use kirana_core::{
    household::Item,
    id::{CartId, OrderId},
    quantity::Quantity,
};

use super::{
    super::{Desk, Failure, now},
    shown,
};
use crate::app::{
    Household, HouseholdError,
    priced::{Hurdle, hurdle},
};

/// How many of the newest orders say what is usual, and in how many of them something has to be.
const LOOKED_AT: usize = 10;
const USUAL_FROM: usize = 2;

/// What one order was for.
pub(super) fn of_order(
    household: &Household,
    id: OrderId,
) -> Result<Vec<(Item, Quantity)>, Failure> {
    let chain = household.order_chain(id)?;
    let order = chain.order();
    let shop = order.shop;
    let lines = order.lines.iter().map(|line| {
        let (product, variant) = (line.wanted.product, line.wanted.variant);
        (Item { shop, product, variant }, line.wanted.quantity)
    });
    Ok(lines.collect())
}

/// What several of the newest orders were for, as much as the newest of them.
pub(super) fn usual(household: &Household) -> Result<Vec<(Item, Quantity)>, Failure> {
    let mut ids = household.order_ids()?;
    // Ids begin with the time at which they were drawn.
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut found: BTreeMap<Item, (usize, Quantity)> = BTreeMap::new();
    for id in ids.into_iter().take(LOOKED_AT) {
        let lines = match of_order(household, id) {
            Ok(lines) => lines,
            // One that is damaged says nothing until its shop has sent it again.
            Err(Failure::Household(HouseholdError::DamagedOrder)) => continue,
            Err(error) => return Err(error),
        };
        let lines: BTreeMap<Item, Quantity> = lines.into_iter().collect();
        for (item, quantity) in lines {
            found.entry(item).or_insert((0, quantity)).0 += 1;
        }
    }
    let usual = found.into_iter().filter(|(_, (times, _))| *times >= USUAL_FROM);
    Ok(usual.map(|(item, (_, quantity))| (item, quantity)).collect())
}

/// Puts what is sold of it into a cart, and shows the cart; what is not is said.
pub(super) fn put(
    desk: &Desk,
    household: &Household,
    cart: CartId,
    lines: Vec<(Item, Quantity)>,
) -> Result<(), Failure> {
    if lines.is_empty() {
        return Err(Failure::Nothing("nothing was ordered often enough to be usual"));
    }
    let (mut sold, mut left_out) = (Vec::new(), Vec::new());
    for (item, quantity) in lines {
        let found = household.on_the_shelf(item.shop, item.variant)?;
        let against = match &found {
            Some((shelved, _)) => hurdle(shelved, item.variant, quantity, now()),
            None => Some(Hurdle::Gone),
        };
        match against {
            None | Some(Hurdle::OutOfStock) => sold.push((item, quantity)),
            Some(hurdle) => {
                let name = super::name(household, item.shop, item.variant)?;
                left_out.push(format!("{name}: {}", hurdle.says()));
            }
        }
    }
    super::put(household, cart, sold)?;
    shown::show(desk, household, cart, left_out)
}
