//! P2: no ledger is ever below zero, what it keeps is what households were promised, and what was
//! promised lies on the shelf.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    id::{OrderId, VariantId},
    statement::Party,
};

use super::{Broken, Evidence};
use crate::{claim::Claim, view::ShopView};

/// Checks each shop's ledger, row by row and against what outsiders know.
pub fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for shop in evidence.shops {
        let balances = walk(shop, broken);
        let promised = evidence.promised(shop.shop);
        let counted: BTreeSet<VariantId> = balances.keys().copied().collect();
        for (variant, (on_hand, reserved)) in balances {
            let owed = promised.get(&variant).copied().unwrap_or_default();
            if i128::from(reserved) != i128::from(owed) {
                let what = format!(
                    "{}: the ledger keeps {reserved} of {variant}, households hold {owed}",
                    shop.node
                );
                broken.push(("P1", what));
            }
            let shelf = evidence.journal.shelf.get(&(shop.shop, variant)).copied();
            let shelf = shelf.unwrap_or_default();
            if owed > shelf {
                let what = format!("{}: {owed} of {variant} promised, {shelf} there", shop.node);
                broken.push(("P2", what));
            }
            if i128::from(on_hand) != i128::from(shelf) {
                let what =
                    format!("{}: the ledger says {on_hand} of {variant}, {shelf} there", shop.node);
                broken.push(("P2", what));
            }
        }
        one_effect_each(evidence, shop, &counted, broken);
    }
}

/// The balances at the end; on the way, neither side may fall below zero nor more be kept than is
/// there.
fn walk(shop: &ShopView, broken: &mut Vec<Broken>) -> BTreeMap<VariantId, (i64, i64)> {
    let mut balances: BTreeMap<VariantId, (i64, i64)> = BTreeMap::new();
    for (n, movement) in shop.movements.iter().enumerate() {
        let (on_hand, reserved) = balances.entry(movement.variant).or_default();
        *on_hand += movement.on_hand;
        *reserved += movement.reserved;
        let is_over = movement.promises && *reserved > *on_hand;
        if *on_hand < 0 || *reserved < 0 || is_over {
            let what = format!(
                "{}: after movement {n} there are {on_hand} of {} and {reserved} are kept",
                shop.node, movement.variant
            );
            broken.push(("P2", what));
        }
    }
    for (variant, (on_hand, reserved)) in &balances {
        if reserved > on_hand {
            let what = format!("{}: {on_hand} of {variant}, {reserved} kept", shop.node);
            broken.push(("P2", what));
        }
    }
    balances
}

/// What the ledger keeps for one order is what that order's household was promised, no more. Goods
/// that nobody counts stand in no ledger: everything counted begins with a receipt.
fn one_effect_each(
    evidence: &Evidence<'_>,
    shop: &ShopView,
    counted: &BTreeSet<VariantId>,
    broken: &mut Vec<Broken>,
) {
    let mut kept: BTreeMap<(Party, OrderId, VariantId), i64> = BTreeMap::new();
    for movement in &shop.movements {
        if let Some((customer, order)) = movement.order {
            *kept.entry((customer, order, movement.variant)).or_default() += movement.reserved;
        }
    }
    for held in evidence.shops.iter().filter(|s| s.shop == shop.shop).flat_map(|s| &s.orders) {
        // What was released meanwhile is told when the customer was heard.
        if held.is_unheard {
            continue;
        }
        let Ok(claim) = Claim::read(&held.chain) else { continue };
        let reserved = claim.reserved();
        for line in claim.placed.lines.iter().filter(|line| counted.contains(&line.variant)) {
            let wanted = reserved.get(&line.variant).copied().unwrap_or_default();
            let found = kept.get(&(held.customer, held.order, line.variant)).copied();
            let found = found.unwrap_or_default();
            if i128::from(found) != i128::from(wanted) {
                let what = format!(
                    "{}: order {} is promised {wanted} of {} and {found} are kept for it",
                    shop.node, held.order, line.variant
                );
                broken.push(("P1", what));
            }
        }
    }
}
