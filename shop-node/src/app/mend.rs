//! Mends an order of which a stored byte was changed, from the copy that its customer has.
//!
//! **Invariant (P8):** only entries that their authors signed count, the end that was noted must be
//! reached again, and what stood in the place of a mended entry is kept. Nothing is decided anew, so
//! what was reserved stays reserved, once (P2).

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId},
    order::{
        chain::{Author, Authored, Chain},
        entry::Body,
        merge,
        wish::{Answer, HeadsReply, Said},
    },
    statement::Party,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{Desk, Visit},
    orders::NotDone,
    reading::{By, Reading},
};
use crate::store::{
    damage,
    orders::{self, OrderRow},
    outgoing,
};

impl Desk<'_, '_> {
    /// The order's chain; `None` when it is damaged, which is noted so that its customer is asked.
    pub(crate) fn whole(&mut self, row: &OrderRow) -> Result<Option<Chain>, StoreError> {
        match orders::chain(self.tx, row) {
            Ok(chain) => Ok(Some(chain)),
            Err(StoreError::Damaged { .. }) => {
                self.note_damage(row)?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that an order is damaged, and asks the device that placed it for its copy.
    pub(crate) fn note_damage(&mut self, row: &OrderRow) -> Result<(), StoreError> {
        let at = self.now.at;
        if !damage::mark(self.tx, row.n, at)? {
            return Ok(());
        }
        let (heads, same, wanted) = (Vec::new(), Vec::new(), vec![row.id]);
        let reply = HeadsReply { answers: row.placed, heads, wanted, same };
        let id = self.draws.bytes();
        let key = &self.shop.keys.node.signing;
        let signed = Answer::HeadsReply(reply).sign(row.id, row.customer, at, id, key);
        // Nobody asked, so the question goes by a name of its own; it may be needed again one day.
        let name = [b"kirana mend", &row.placed.as_bytes()[..], &at.get().to_be_bytes()];
        let (device, name) = (row.device.id(), Hash::of_parts(&name));
        if outgoing::answer_to(self.tx, name)?.is_some() {
            // Asked in this very moment, for damage that was mended since.
            return Ok(());
        }
        outgoing::put_answer(self.tx, device, name, signed.bytes(), at)
    }

    /// Mends those damaged orders of which the parcel brings what is missing here.
    pub(crate) fn mend(&mut self, reading: &Reading) -> Result<(), StoreError> {
        for ((customer, id), brought) in brought(reading, self.shop.identity.shop) {
            let Some(row) = orders::find(self.tx, &customer, id)? else { continue };
            if self.whole(&row)?.is_some() {
                continue;
            }
            let stored = damage::entries(self.tx, &row, self.shop.identity.shop)?;
            let own = stored.iter().filter_map(|stored| stored.entry.clone());
            if let Some(chain) = rebuilt(&row, own.chain(brought).collect()) {
                self.put_back(&row, &stored, &chain)?;
            }
        }
        Ok(())
    }

    /// Puts good entries in the place of damaged ones.
    fn put_back(
        &mut self,
        row: &OrderRow,
        stored: &[damage::Stored],
        chain: &Chain,
    ) -> Result<(), StoreError> {
        let at = self.now.at;
        for damaged in stored.iter().filter(|stored| stored.entry.is_none()) {
            damage::put_aside(self.tx, row.n, damaged.seq, &damaged.bytes, at)?;
        }
        for entry in chain.entries() {
            if damage::holds(self.tx, row.n, entry.seq(), entry.hash())? {
                continue;
            }
            damage::put_aside(self.tx, row.n, entry.seq(), &[], at)?;
            orders::put_entry(self.tx, row.n, entry)?;
        }
        orders::note_end(self.tx, row.n, chain)?;
        self.mended.push(row.id);
        if damage::clear(self.tx, row.n)? {
            self.reserve_again(&orders::by_number(self.tx, row.n)?, &mut chain.clone())?;
        }
        Ok(())
    }
}

/// The entries of each order that a parcel brings, customers' first entries among them.
fn brought(reading: &Reading, shop: ShopId) -> BTreeMap<(Party, OrderId), Vec<Authored>> {
    let mut brought: BTreeMap<_, Vec<Authored>> = BTreeMap::new();
    for read in &reading.statements {
        let statement = read.signed.statement();
        let (of, author) = match (&read.by, &read.said) {
            (By::Customer(device), Said::Entry(Body::Placed(_))) => {
                (device.party, Author::customer(device.party))
            }
            (By::Node { generation }, Said::Entry(_)) => {
                (statement.to, Author::node(shop, *generation))
            }
            _ => continue,
        };
        let authored = Authored { entry: read.signed.clone(), author };
        brought.entry((of, statement.order)).or_default().push(authored);
    }
    brought
}

/// The chain up to the end that was noted, if these entries reach it.
fn rebuilt(row: &OrderRow, mut bag: Vec<Authored>) -> Option<Chain> {
    let first = bag.iter().position(|authored| authored.entry.hash() == row.placed)?;
    let first = bag.swap_remove(first);
    let whole = merge::from_bag(first.clone(), bag).ok()?.chain;
    let mut chain = Chain::begin(first.entry, first.author).ok()?;
    for entry in &whole.entries()[1..] {
        if chain.head() == row.head {
            break;
        }
        let _ = chain.push(entry.signed().clone(), entry.author()).ok()?;
    }
    (chain.head() == row.head).then_some(chain)
}

/// What a look at some orders found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Where the next look goes on; `None` when all were looked at.
    pub next: Option<i64>,
    /// Orders that were found damaged.
    pub damaged: usize,
}

impl Shop {
    /// Looks whether the next orders after a number are still what was signed. The customers of
    /// those that are not are asked for their copies when they are met.
    ///
    /// # Errors
    /// [`NotDone`] when the database cannot be read or written.
    pub fn look_for_damage(
        &self,
        after: i64,
        limit: u32,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Looked, NotDone> {
        let (next, damaged) = self.reader().read(|c| {
            let numbers = orders::numbers_after(c, after, limit)?;
            let mut damaged = Vec::new();
            for n in &numbers {
                // A row that cannot be read names nobody to ask: `verify` tells of it.
                let Ok(row) = orders::by_number(c, *n) else { continue };
                match orders::chain(c, &row) {
                    Err(StoreError::Damaged { .. }) => damaged.push(row),
                    Err(error) => return Err(error),
                    Ok(_) => {}
                }
            }
            let is_full = numbers.len() == limit as usize;
            Ok((numbers.last().copied().filter(|_| is_full), damaged))
        })?;
        let looked = Looked { next, damaged: damaged.len() };
        if damaged.is_empty() {
            return Ok(looked);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let noted = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.read_only()?.is_none() {
                damaged.iter().try_for_each(|row| desk.whole(row).map(|_| ()))?;
            }
            Ok::<_, Abort<NotDone>>(())
        });
        noted?;
        Ok(looked)
    }
}
