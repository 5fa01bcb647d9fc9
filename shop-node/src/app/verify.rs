//! Walks everything that is stored and says what does not hold, one sentence for each fault.
//!
//! **Invariant (P8):** the truth is the signed entries and the chained movements; whatever stands
//! beside them is compared with what they add up to.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    order::{chain::Chain, entry::Body},
    stock::{Head, walk::Walk},
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{
    Identity, Shop, batches, books::Books, cards, catalogue::epochs, founding::holds, invoices,
    khata, till,
};
use crate::store::{
    bank, damage, hand_ins, images,
    orders::{self, OrderRow},
    shelf, stock,
};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Orders whose chains were walked.
    pub orders: u64,
    /// Entries in them.
    pub entries: u64,
    /// Movements in the stock ledger.
    pub movements: u64,
    /// Entries in khatas.
    pub khata_entries: u64,
    /// One sentence for each fault.
    pub faults: Vec<String>,
    /// One sentence for each entry that was damaged once and is whole again.
    pub mended: Vec<String>,
}

impl Shop {
    /// Checks everything; a fault is reported, not an error.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub fn verify(&self) -> Result<Found, StoreError> {
        let behind = self.database().behind(holds)?;
        let mut found = Found::default();
        found.faults.extend(behind.iter().map(|head| {
            format!("{} is behind: entry {} was stored and is gone", head.chain, head.n)
        }));
        found.faults.extend(self.database().page_faults()?);
        self.reader().read(|c| {
            let ledger = check_ledger(c, self.identity(), &mut found)?;
            check_orders(c, &ledger, self.generation(), &mut found)?;
            let (books, entries) = khata::faults(c, self.id())?;
            found.faults.extend(books);
            found.khata_entries = entries;
            found.faults.extend(money_astray(c)?);
            found.faults.extend(epochs::faults(c, &self.inner)?);
            tell_mended(c, &mut found)?;
            check_images(c, &mut found)?;
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }
}

/// What is said of money by a bank's statement, or by who handed it in, and not by the till.
fn money_astray(c: &Connection) -> Result<Vec<String>, StoreError> {
    let lines = bank::astray(c)?.into_iter();
    let lines = lines.map(|n| format!("bank line {n} is no payment of its sum in the till"));
    let hand_ins = hand_ins::astray(c)?.into_iter().map(|(n, noted, taken)| {
        format!("hand-in {n}: {noted} are noted as taken, the till says {taken}")
    });
    Ok(lines.chain(hand_ins).collect())
}

/// The ledger as it was walked: which digests it has, where.
struct Ledger {
    numbers: BTreeMap<Hash, u64>,
}

fn check_ledger(
    c: &Connection,
    identity: &Identity,
    found: &mut Found,
) -> Result<Ledger, StoreError> {
    let mut walk = Walk::start(identity.shop);
    let mut numbers = BTreeMap::from([(Head::start(identity.shop).hash, 0)]);
    let (mut after, mut books) = (0, Books::default());
    'walk: loop {
        let page = stock::movements(c, after, PAGE)?;
        if page.is_empty() {
            break;
        }
        for (n, bytes) in page {
            let movement = match walk.push(&bytes) {
                Ok(movement) => movement,
                Err(fault) => {
                    found.faults.push(fault.to_string());
                    break 'walk;
                }
            };
            books.take(c, &walk, &movement)?;
            let head = walk.head();
            if !stock::has(c, n, head.hash.as_bytes())? {
                found.faults.push(format!("stock movement {n}: its noted digest is another"));
            }
            numbers.insert(head.hash, n);
            (after, found.movements) = (n, found.movements + 1);
        }
    }
    found.faults.extend(stock::missing_anchors(c)?.iter().map(|anchor| {
        format!("the stock ledger has lost its end: a customer was told of movement {anchor}")
    }));
    let stored = stock::balances(c, None, u32::MAX)?;
    found.faults.extend(walk.check(&stored).iter().map(ToString::to_string));
    found.faults.extend(batches::faults(c, &walk)?);
    found.faults.extend(books.faults(c)?);
    found.faults.extend(shelf::faults(c)?);
    let mut reserved = BTreeMap::new();
    for held in stock::all_reserved(c)? {
        *reserved.entry((held.variant, held.location)).or_insert(0) += held.amount;
    }
    for (slot, balance) in &stored {
        let for_orders = reserved.get(&(slot.variant, slot.location)).copied().unwrap_or(0);
        if balance.reserved != for_orders {
            found.faults.push(format!(
                "stock of {} at {}: {} are reserved, but orders hold {for_orders}",
                slot.variant, slot.location, balance.reserved
            ));
        }
        if balance.reserved > balance.on_hand {
            found.faults.push(format!(
                "stock of {} at {}: {} are promised, but only {} are there",
                slot.variant, slot.location, balance.reserved, balance.on_hand
            ));
        }
    }
    Ok(Ledger { numbers })
}

fn check_orders(
    c: &Connection,
    ledger: &Ledger,
    generation: u64,
    found: &mut Found,
) -> Result<(), StoreError> {
    found.faults.extend(invoices::gaps(c)?);
    for n in orders::all_numbers(c)? {
        found.orders += 1;
        let row = match orders::by_number(c, n) {
            Ok(row) => row,
            Err(fault) => {
                found.faults.push(fault.to_string());
                continue;
            }
        };
        match orders::chain(c, &row) {
            Ok(chain) => {
                found.entries += chain.len() as u64;
                check_row(&row, &chain, found);
                let (noted, said) = orders::slots_of(c, n, &chain)?;
                if noted != said {
                    let why = "its noted span of time is another than its entries say";
                    found.faults.push(format!("order {}: {why}", row.id));
                }
                check_digests(c, &row, &chain, found)?;
                check_reservations(c, &row, &chain, found)?;
                check_anchors(&chain, ledger, generation, found);
                let mut till = till::disagreements(c, n, &chain)?;
                till.extend(khata::of_order(c, &row, &chain)?);
                till.extend(cards::faults(c, &row, &chain)?);
                found.faults.extend(till.iter().map(|why| format!("order {}: {why}", row.id)));
            }
            Err(fault) => found.faults.push(fault.to_string()),
        }
    }
    Ok(())
}

fn check_row(row: &OrderRow, chain: &Chain, found: &mut Found) {
    let order = chain.order();
    let told = (row.stage.as_str(), row.is_open, row.generation, row.seq, row.placed_at);
    let true_ones = (
        order.stage.label(),
        order.is_open(),
        chain.generation(),
        chain.last().seq(),
        order.placed_at,
    );
    if told != true_ones || row.id != order.id || row.customer != order.customer {
        found.faults.push(format!("order {}: its row says other than its entries", row.id));
    }
}

/// The digests beside the entries say which entry `heads.log` means.
fn check_digests(
    c: &Connection,
    row: &OrderRow,
    chain: &Chain,
    found: &mut Found,
) -> Result<(), StoreError> {
    for entry in chain.entries() {
        if !damage::holds(c, row.n, entry.seq(), entry.hash())? {
            let (id, seq) = (row.id, entry.seq());
            found.faults.push(format!("order {id}: the noted digest of entry {seq} is another"));
        }
    }
    Ok(())
}

/// What was mended is no fault any more, but whoever looks after the disk shall know of it.
fn tell_mended(c: &Connection, found: &mut Found) -> Result<(), StoreError> {
    for mended in damage::mended(c)? {
        let id = orders::by_number(c, mended.order_n)
            .map_or_else(|_| format!("number {}", mended.order_n), |row| row.id.to_string());
        let was = match mended.bytes.len() {
            0 => "was gone".to_owned(),
            bytes => format!("was damaged (its {bytes} bytes are kept)"),
        };
        let (seq, at) = (mended.seq, mended.at);
        found.mended.push(format!("order {id}: entry {seq} {was}; mended by its customer {at}"));
    }
    Ok(())
}

/// What products look like: each picture is what its digest says, and some product names it.
fn check_images(c: &Connection, found: &mut Found) -> Result<(), StoreError> {
    for (hash, is_named) in images::all(c)? {
        match images::get(c, hash) {
            Ok(Some(_)) if is_named => {}
            Ok(Some(_)) => found.faults.push(format!("picture {hash}: no product names it")),
            Ok(None) => {
                found.faults.push(format!("picture {hash}: a product names it, it is gone"))
            }
            Err(fault) => found.faults.push(fault.to_string()),
        }
    }
    Ok(())
}

fn check_reservations(
    c: &Connection,
    row: &OrderRow,
    chain: &Chain,
    found: &mut Found,
) -> Result<(), StoreError> {
    let promised: BTreeMap<u16, u64> = match chain.order().is_open() {
        true => chain.order().reserved().collect(),
        false => BTreeMap::new(),
    };
    for held in stock::reserved_for(c, row.n)? {
        let most = promised.get(&held.line).copied().unwrap_or(0);
        if held.amount > most {
            found.faults.push(format!(
                "order {}: {} are kept for line {}, but it is promised {most}",
                row.id, held.amount, held.line
            ));
        }
    }
    Ok(())
}

/// An entry of this box names the ledger's end at its time, so a lost end of the ledger shows.
fn check_anchors(chain: &Chain, ledger: &Ledger, generation: u64, found: &mut Found) {
    for entry in chain.entries().iter().filter(|entry| entry.generation() == generation) {
        let told = match entry.body() {
            Body::Accepted(accepted) => Some(accepted.ledger),
            Body::Received(received) => received.ledger,
            Body::Shortage(shortage) => Some(shortage.ledger),
            Body::Adopted(adopted) => Some(adopted.ledger),
            Body::Changed(changed) => Some(changed.ledger),
            _ => None,
        };
        if told.is_some_and(|hash| !ledger.numbers.contains_key(&hash)) {
            let (id, seq) = (chain.order().id, entry.seq());
            found.faults.push(format!("order {id}: entry {seq} names a stock ledger that is gone"));
        }
    }
}

const PAGE: u32 = 1000;
