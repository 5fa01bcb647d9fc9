//! P1: what was shown as placed is at the shop exactly once, decided, and the same on both sides;
//! P6: nothing is there in the name of somebody who never asked for it.

use kirana_core::{hash::Hash, order::entry::Kind};

use super::{Broken, Evidence, Pair};
use crate::{claim::Claim, view::ShopView};

/// Checks every order that a household was told of, and every order that a shop holds.
pub fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    told_orders_exist(evidence, broken);
    for shop in evidence.shops {
        for pair in evidence.pairs(shop) {
            if let Err(found) = both_sides_agree(evidence, shop, &pair) {
                broken.push(found);
            }
        }
    }
}

fn told_orders_exist(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for (order, told) in &evidence.journal.told {
        let device = evidence.devices.iter().find(|view| view.node == told.device);
        let is_held = device.is_some_and(|view| {
            view.orders.iter().any(|(shop, held)| *shop == told.shop && held.order == *order)
        });
        if !is_held {
            let what = format!("{}: order {order} was shown as placed and is gone", told.device);
            broken.push(("P1", what));
        }
    }
}

fn both_sides_agree(
    evidence: &Evidence<'_>,
    shop: &ShopView,
    pair: &Pair<'_>,
) -> Result<(), Broken> {
    let order = pair.order;
    let at = shop.node;
    if evidence.journal.stolen.contains(&pair.customer) {
        // Whoever has a stolen device is shut out: nothing is promised to a thief.
        return Ok(());
    }
    let told = evidence.journal.told.get(&order).filter(|told| told.customer == pair.customer);
    let Some(told) = told else {
        // Nobody was told of it: it may exist nowhere but on a device that died while placing.
        return match pair.at_shop.first() {
            Some(_) if pair.at_device.is_none() => {
                Err(("P6", format!("{at}: order {order} of {} was never placed", pair.customer)))
            }
            _ => Ok(()),
        };
    };
    let device = told.device;
    let held = match pair.at_shop.as_slice() {
        [held] => held,
        [] if is_refused(evidence, pair) => return Ok(()),
        // Nobody carried it there before its household gave it up.
        [] if !told.patient => return Ok(()),
        // The shop was restored, and this household has had no reason to speak to it since.
        [] if is_over(pair) && !evidence.journal.has_met_newest(device, shop.shop) => {
            return Ok(());
        }
        [] => return Err(("P1", format!("{at}: order {order} of {device} never arrived"))),
        _ => return Err(("P1", format!("{at}: order {order} is there {}x", pair.at_shop.len()))),
    };
    let Some(own) = pair.at_device else { return Ok(()) };
    if own.chain != held.chain {
        let lengths = (own.chain.len(), held.chain.len());
        let kinds = (kinds(&own.chain), kinds(&held.chain));
        return Err((
            "P1",
            format!("order {order}: {device} and {at} differ {lengths:?}: {kinds:?}"),
        ));
    }
    let over = evidence.journal.over.get(&order);
    if over.is_some_and(|over| !own.chain.iter().any(|entry| Hash::of(entry) == *over)) {
        return Err(("P1", format!("order {order} of {device} was over and was decided again")));
    }
    let unclear = |e| ("P8", format!("order {order} at {device} is unclear: {e}"));
    let claim = Claim::read(&own.chain).map_err(unclear)?;
    if !claim.is_decided() {
        let kinds = &claim.kinds;
        return Err(("P1", format!("order {order} of {device} at {at} is not decided: {kinds:?}")));
    }
    let customers_wish = claim.has(Kind::Withdrawn);
    if customers_wish && !evidence.journal.asked_back.contains(&order) {
        return Err(("P6", format!("order {order} of {device} was withdrawn by somebody else")));
    }
    Ok(())
}

/// Whether the shop signed that it would not look at the order: it came too late, for instance.
fn is_refused(evidence: &Evidence<'_>, pair: &Pair<'_>) -> bool {
    let first = pair.at_device.and_then(|held| held.chain.first()).map(|first| Hash::of(first));
    first.is_some_and(|first| evidence.devices.iter().any(|view| view.refused.contains(&first)))
}

/// Whether the household's own copy says that nothing more is to come.
fn is_over(pair: &Pair<'_>) -> bool {
    let claim = pair.at_device.and_then(|held| Claim::read(&held.chain).ok());
    claim.is_some_and(|claim| claim.is_over())
}

fn kinds(chain: &[Vec<u8>]) -> String {
    match Claim::read(chain) {
        Ok(claim) => format!("{:?}", claim.kinds),
        Err(e) => e.to_string(),
    }
}
