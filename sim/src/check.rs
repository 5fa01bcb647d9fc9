//! Checks the promises from outside, after the world was healed and had time to settle.
//!
//! **Invariant:** no checker knows which bug is planted, or that there are such bugs at all.

use std::collections::BTreeMap;

use kirana_core::{
    id::{OrderId, ShopId, VariantId},
    statement::Party,
};

use crate::{
    claim::Claim,
    journal::Journal,
    view::{DeviceView, HeldOrder, ShopView},
};

mod chains;
mod goods;
mod orders;

/// A promise that did not hold, and what shows it.
pub type Broken = (&'static str, String);

/// All that can be seen of a run at its end.
pub struct Evidence<'a> {
    /// What was noted on the way.
    pub journal: &'a Journal,
    /// Every household's devices.
    pub devices: &'a [DeviceView],
    /// Every shop.
    pub shops: &'a [ShopView],
}

/// An order as both sides hold it.
struct Pair<'a> {
    order: OrderId,
    customer: Party,
    at_device: Option<&'a HeldOrder>,
    at_shop: Vec<&'a HeldOrder>,
}

impl Evidence<'_> {
    /// Every promise that did not hold.
    pub fn broken(&self) -> Vec<Broken> {
        let mut broken = Vec::new();
        orders::check(self, &mut broken);
        goods::check(self, &mut broken);
        chains::check(self, &mut broken);
        broken
    }

    /// The orders of a shop, from both sides.
    fn pairs(&self, shop: &ShopView) -> Vec<Pair<'_>> {
        let mut pairs: BTreeMap<(Party, OrderId), Pair<'_>> = BTreeMap::new();
        fn pair<'p, 'a>(
            pairs: &'p mut BTreeMap<(Party, OrderId), Pair<'a>>,
            held: &HeldOrder,
        ) -> &'p mut Pair<'a> {
            let (order, customer) = (held.order, held.customer);
            let empty = Pair { order, customer, at_device: None, at_shop: Vec::new() };
            pairs.entry((customer, order)).or_insert(empty)
        }
        for device in self.devices {
            for (_, held) in device.orders.iter().filter(|(id, _)| *id == shop.shop) {
                pair(&mut pairs, held).at_device = Some(held);
            }
        }
        let shop = self.shops.iter().find(|view| view.shop == shop.shop);
        for held in shop.into_iter().flat_map(|view| &view.orders) {
            pair(&mut pairs, held).at_shop.push(held);
        }
        pairs.into_values().collect()
    }

    /// What households hold as promised and as taken home, per variant, by their own chains.
    fn promised(&self, shop: ShopId) -> BTreeMap<VariantId, u64> {
        let mut promised = BTreeMap::new();
        let is_stolen = |held: &HeldOrder| self.journal.stolen.contains(&held.customer);
        let devices = self.devices.iter().flat_map(|device| &device.orders);
        let own = devices.filter(|(id, held)| *id == shop && !is_stolen(held));
        // A thief is told nothing more: there the shop's own word is all that there is, and where
        // the shop was restored since, what its ledger keeps.
        let shops = self.shops.iter().filter(|view| view.shop == shop);
        let stolen = shops.clone().flat_map(|view| &view.orders).filter(|held| is_stolen(held));
        let (unheard, stolen): (Vec<_>, Vec<_>) = stolen.partition(|held| held.is_unheard);
        for movement in shops.flat_map(|view| &view.movements) {
            if unheard.iter().any(|held| movement.order == Some((held.customer, held.order))) {
                let kept: &mut u64 = promised.entry(movement.variant).or_default();
                *kept = kept.saturating_add_signed(movement.reserved);
            }
        }
        for held in own.map(|(_, held)| held).chain(stolen) {
            let Ok(claim) = Claim::read(&held.chain) else { continue };
            for (variant, amount) in claim.reserved() {
                *promised.entry(variant).or_default() += amount;
            }
        }
        promised
    }
}
