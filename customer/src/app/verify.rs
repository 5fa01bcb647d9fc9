//! Walks everything that this device stores and says what does not hold, one sentence for each
//! fault.
//!
//! **Invariant (P8):** the truth is the signed bytes; whatever stands beside them is compared with
//! what they say. Nothing is changed here.

use kirana_core::{
    at_rest::DiskKey,
    hash::Hash,
    order::chain::Chain,
    statement::{Party, UnverifiedStatement},
};
use kirana_migrations::{Head, StoreError, catalogue::chunks};
use rusqlite::Connection;

use super::{Household, chain, khata, person};
use crate::store::{
    khata as stored_khata,
    orders::{self, StoredOrder},
    outbox::{self, Waiting},
    shops, signers,
};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Orders whose chains were walked.
    pub orders: u64,
    /// Entries in them that hold.
    pub entries: u64,
    /// Khatas whose chains were walked.
    pub khatas: u64,
    /// Pieces of saved catalogues.
    pub chunks: u64,
    /// One sentence for each fault.
    pub faults: Vec<String>,
}

impl Household {
    /// Checks everything; a fault is reported, not an error, and so is what cannot be read at all.
    pub fn verify(&self) -> Found {
        let mut found = Found::default();
        let pages = self.db.page_faults();
        let behind = self.db.behind(holds).map(|heads| heads.iter().map(is_behind).collect());
        for faults in [pages, behind] {
            found.add(faults);
        }
        let own = self.own();
        let read = self.db.reader.read(|reader| {
            let ends = [
                check_orders(reader, (&own, &self.disk), &mut found),
                check_khatas(reader, &mut found),
                check_outbox(reader, &own, &mut found),
                check_catalogues(reader, &mut found),
            ];
            ends.into_iter().for_each(|end| found.add(end.map(|()| Vec::new())));
            Ok(())
        });
        found.add(read.map(|()| Vec::new()));
        if let Err(e) = self.document() {
            found.faults.push(format!("the carts and addresses: {e}"));
        }
        found
    }
}

impl Found {
    fn add(&mut self, faults: Result<Vec<String>, StoreError>) {
        match faults {
            Ok(faults) => self.faults.extend(faults),
            Err(e) => self.faults.push(format!("not everything can be read: {e}")),
        }
    }
}

/// Whether the database holds an entry that the list of heads names.
fn holds(reader: &Connection, head: &Head) -> Result<bool, StoreError> {
    if let Some(id) = head.chain.strip_prefix("khata:").and_then(|id| id.parse().ok()) {
        return stored_khata::has_entry(reader, id, &head.hash);
    }
    let order = head.chain.strip_prefix("order:").and_then(|id| id.parse().ok());
    match order {
        Some(order) => orders::has_entry(reader, order, &head.hash),
        None => Err(StoreError::damaged("heads.log", &head.chain)),
    }
}

fn is_behind(head: &Head) -> String {
    let order = head.chain.replacen(':', " ", 1);
    format!("{order}: it had {} entries, and the last of them is gone", head.n)
}

fn check_orders(
    reader: &Connection,
    (own, disk): (&chain::Own, &DiskKey),
    found: &mut Found,
) -> Result<(), StoreError> {
    for row in orders::all(reader)? {
        found.orders += 1;
        let held = chain::look(reader, row.id, own)?;
        let faults = held.faults.iter().map(|fault| format!("order {}: {fault}", row.id));
        found.faults.extend(faults);
        let Some(sound) = held.sound else { continue };
        found.entries += sound.len() as u64;
        if held.stored == sound.len() {
            check_row(reader, &row, &sound, found)?;
        }
        check_personal(reader, (own, disk), &sound, found);
    }
    for (order, hash, bytes) in orders::beside_chains(reader)? {
        if Hash::of(&bytes) != hash {
            let what = "something that the shop signed is not what was signed";
            found.faults.push(format!("order {order}: {what}"));
        }
    }
    Ok(())
}

fn check_khatas(reader: &Connection, found: &mut Found) -> Result<(), StoreError> {
    for row in stored_khata::all(reader)? {
        found.khatas += 1;
        let held = khata::look(reader, &row)?;
        if !held.is_whole {
            let what = "not all of its entries are what the shop signed";
            found.faults.push(format!("khata {}: {what}", row.id));
        }
    }
    Ok(())
}

fn check_row(
    reader: &Connection,
    row: &StoredOrder,
    chain: &Chain,
    found: &mut Found,
) -> Result<(), StoreError> {
    let order = chain.order();
    let is_refused = chain.len() == 1 && !orders::refusals(reader, row.id)?.is_empty();
    let is_open_right = row.open == order.is_open() || !row.open && is_refused;
    if (row.shop, row.placed_at) != (order.shop, order.placed_at) || !is_open_right {
        found.faults.push(format!("order {}: its row says other than its entries", row.id));
    }
    Ok(())
}

/// The personal part stands apart from the chain, which names it by its salted hash. Of an order
/// that another device of the account placed it stays with that one.
fn check_personal(
    reader: &Connection,
    (own, disk): (&chain::Own, &DiskKey),
    chain: &Chain,
    found: &mut Found,
) {
    let order = chain.order();
    let stored = person::part(reader, disk, order.id);
    let is_elsewhere = chain.first().signed().signer() != own.keys.id();
    if is_elsewhere && matches!(stored, Ok(None)) {
        return;
    }
    if !stored.is_ok_and(|part| part.map(|part| part.hash()) == order.placed.personal) {
        let what = "the name and address are not those it was placed with";
        found.faults.push(format!("order {}: {what}", order.id));
    }
}

fn check_outbox(
    reader: &Connection,
    own: &chain::Own,
    found: &mut Found,
) -> Result<(), StoreError> {
    let damaged = outbox::all(reader)?.into_iter().filter(|waiting| !is_ours(waiting, own));
    found.faults.extend(damaged.map(|waiting| {
        format!("order {}: what waits to be sent about it is damaged", waiting.order)
    }));
    Ok(())
}

fn is_ours(waiting: &Waiting, own: &chain::Own) -> bool {
    let Ok(read) = UnverifiedStatement::parse(&waiting.bytes) else { return false };
    let Ok(signed) = read.verify(&own.keys.signing.public()) else { return false };
    let statement = signed.statement();
    (signed.hash(), statement.order, statement.to)
        == (waiting.hash, waiting.order, Party::Shop(waiting.shop))
}

fn check_catalogues(reader: &Connection, found: &mut Found) -> Result<(), StoreError> {
    let key_of = |key| Ok(signers::get(reader, key)?.map(|node| node.key));
    for shop in shops::all(reader)? {
        let checked = chunks::check(reader, shop.id, key_of)?;
        found.chunks += checked.chunks;
        found.faults.extend(checked.faults);
    }
    Ok(())
}
