//! Looks at the end of a run which situations were met, by the chains that are left.

use kirana_core::order::entry::{Body, Kind};

use kirana_migrations::{Abort, Database, Location, Schema};

use super::World;
use crate::{
    claim::{Claim, Entry},
    sometimes::Situation,
    view::{HeldOrder, read},
};

impl World {
    pub(super) fn look_at_situations(&mut self) {
        let devices = self.devices.values();
        let mut forks = devices.filter(|m| read::has_lost_branch(&m.database, "entry")).count();
        let shops = self.shops.values();
        forks += shops.filter(|m| read::has_lost_branch(&m.database, "order_entry")).count();
        (0..forks).for_each(|_| self.met(Situation::ForkResolved));
        let devices = self.devices.values();
        let orders = devices.filter_map(|machine| read::device_orders(&machine.database).ok());
        let orders: Vec<HeldOrder> = orders.flatten().map(|(_, held)| held).collect();
        for held in orders {
            let Ok(claim) = Claim::read(&held.chain) else { continue };
            for (kind, situation) in [
                (Kind::Accepted, Situation::Accepted),
                (Kind::Declined, Situation::Declined),
                (Kind::Withdrawn, Situation::Withdrawn),
                (Kind::Cancelled, Situation::Cancelled),
                (Kind::Collected, Situation::Completed),
                (Kind::Expired, Situation::Expired),
                (Kind::Adopted, Situation::RestoreAdopted),
            ] {
                if claim.has(kind) {
                    self.met(situation);
                }
            }
            if held.chain.iter().any(|bytes| declines_scarce(bytes)) {
                self.met(Situation::ScarceDeclined);
            }
        }
    }
}

fn declines_scarce(bytes: &[u8]) -> bool {
    use kirana_core::order::facts::LineRefusal;
    let refused = match Entry::read(bytes).map(|entry| entry.body) {
        Ok(Body::Declined(declined)) => declined.lines,
        Ok(Body::Accepted(accepted)) => accepted.refused,
        _ => Vec::new(),
    };
    refused.iter().any(|line| line.why == LineRefusal::NotEnough)
}

impl World {
    /// P8: in a copy of a shop's database one byte is turned over, and `verify` must say so.
    pub(super) fn flip_a_byte(&mut self) {
        let Some((node, machine)) = self.shops.iter().next() else { return };
        let (node, keys) = match (node, self.town.shops.first()) {
            (node, Some(seat)) => (*node, seat.keys.clone()),
            _ => return,
        };
        let copy = machine.database.image().ok();
        let copy = copy.and_then(|image| Database::open(Schema::Shop, Location::Image(image)).ok());
        let Some(copy) = copy else { return };
        let at = usize::try_from(self.people.below(60)).unwrap_or_default();
        let flipped = copy.writer.write(move |tx| {
            let sql = "SELECT bytes FROM stock_movement WHERE n = 1";
            let mut bytes: Vec<u8> = tx.query_row(sql, [], |row| row.get(0))?;
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
            tx.execute("UPDATE stock_movement SET bytes = ?1 WHERE n = 1", [bytes])?;
            Ok::<_, Abort<()>>(())
        });
        if flipped.is_err() {
            return;
        }
        let shop = kirana_shop::app::Shop::open_unchecked(copy, keys);
        let found = shop.map_or(true, |shop| shop.verify().map_or(true, |f| !f.faults.is_empty()));
        match found {
            true => self.met(Situation::FlippedByteFound),
            false => self.broke("P8", format!("{node}: a flipped byte was not found by verify")),
        }
    }
}
