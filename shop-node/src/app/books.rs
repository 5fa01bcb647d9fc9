//! Compares what stands beside the ledger about money and purchases with what the ledger says.

use std::collections::BTreeMap;

use kirana_core::{
    id::{PurchaseId, VariantId},
    stock::{Change, Movement, margin::Out, walk::Walk},
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::purchases;
use crate::store::margin;

/// What the movements so far say.
#[derive(Debug, Default)]
pub(crate) struct Books {
    outs: u64,
    came: BTreeMap<(PurchaseId, VariantId), u64>,
    faults: Vec<String>,
}

impl Books {
    /// Takes the movement that the walk took last.
    pub(crate) fn take(
        &mut self,
        c: &Connection,
        walk: &Walk,
        movement: &Movement,
    ) -> Result<(), StoreError> {
        let cost = |batch| walk.lots().get(&batch).and_then(|(_, lot)| lot.cost);
        // The sale was walked before, and compared.
        let sale = movement.of_sale.map(|sale| margin::get(c, sale)).transpose()?.flatten();
        let out = Out::of(movement, cost, |_| sale);
        self.outs += u64::from(out.is_some());
        if out.is_some() && margin::get(c, movement.seq)? != out {
            let n = movement.seq;
            self.faults.push(format!("stock movement {n}: its margin is noted otherwise"));
        }
        let purchase = movement.lot.as_ref().and_then(|lot| lot.purchase);
        if let (Change::Receipt { amount }, Some(purchase)) = (movement.change, purchase) {
            *self.came.entry((purchase, movement.variant)).or_default() += amount;
        }
        Ok(())
    }

    /// One sentence for each fault.
    pub(crate) fn faults(mut self, c: &Connection) -> Result<Vec<String>, StoreError> {
        let noted = margin::count(c)?;
        if noted != self.outs {
            let outs = self.outs;
            self.faults.push(format!("margins are noted of {noted} movements, and not of {outs}"));
        }
        self.faults.extend(purchases::faults(c, &self.came)?);
        Ok(self.faults)
    }
}
