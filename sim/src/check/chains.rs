//! P8: every chain and ledger verifies, in the programs' own eyes and in an outsider's.

use super::{Broken, Evidence};
use crate::claim::Claim;

/// Checks that nothing is damaged where nobody damaged anything.
pub fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for shop in evidence.shops {
        broken.extend(shop.faults.iter().map(|fault| ("P8", format!("{}: {fault}", shop.node))));
        for held in &shop.orders {
            if let Err(e) = Claim::read(&held.chain) {
                broken.push(("P8", format!("{}: order {}: {e}", shop.node, held.order)));
            }
        }
    }
    for device in evidence.devices {
        broken
            .extend(device.faults.iter().map(|fault| ("P8", format!("{}: {fault}", device.node))));
        for (_, held) in &device.orders {
            if let Err(e) = Claim::read(&held.chain) {
                broken.push(("P8", format!("{}: order {}: {e}", device.node, held.order)));
            }
        }
    }
}
