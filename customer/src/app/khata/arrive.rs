//! Takes the entries of books in: what follows the end of one by that end alone, the rest by a merge of
//! all that came.
//!
//! **Invariant:** one set of entries gives one book, in whatever order and however often they come;
//! what nobody on this device holds is not kept.

use std::collections::BTreeMap;

use kirana_core::{
    envelope::Parcel,
    hash::Hash,
    id::{KhataId, OrderId},
    khata::{
        act::Line,
        chain::{Khata, Tip},
        merge,
    },
    money::Money,
    order::{
        chain::{Author, Authored},
        wish::Head,
    },
    statement::{Party, Position, UnverifiedStatement},
    time::UnixMs,
};
use kirana_migrations::{StoreError, Tx};
use rusqlite::Connection;

use crate::{
    app::{Household, receive::Received},
    store::{
        khata::{self, Place, StoredKhata},
        messages, outbox, shops, signers,
    },
};

/// A book as it lies on the disk.
pub(in crate::app) struct HeldKhata {
    /// The entries that hold.
    pub(in crate::app) khata: Option<Khata>,
    /// Whether all that counted still does.
    pub(in crate::app) is_whole: bool,
    pub(super) is_contradicted: bool,
}

/// Entries of books that came, by book.
#[derive(Default)]
pub(in crate::app) struct Books {
    entries: BTreeMap<KhataId, Vec<Authored>>,
    words: Vec<(Hash, KhataId, Vec<u8>)>,
    /// As whom this device holds books.
    parties: Vec<Party>,
}

impl Books {
    /// Takes in an entry that a box of a shop signed.
    pub(in crate::app) fn push(&mut self, authored: Authored) {
        let id = KhataId::from_order(authored.entry.statement().order);
        self.entries.entry(id).or_default().push(authored);
    }

    /// Takes in the words that came along, and as whom this device holds books.
    pub(in crate::app) fn complete(&mut self, household: &Household, parcel: &Parcel) {
        self.parties = vec![household.party(), Party::Guest(household.keys.id())];
        for (id, entries) in &self.entries {
            for Authored { entry, .. } in entries {
                let line = Line::decode(entry.statement().kind, &entry.statement().body).ok();
                let Some(hash) = line.and_then(|line| line.act.words()) else { continue };
                let part = parcel.personal_part(hash);
                self.words.extend(part.map(|part| (hash, *id, household.seal_message(part))));
            }
        }
    }

    /// Stores what came, and takes out of the outbox what it answers.
    pub(in crate::app) fn store(
        &self,
        tx: &Tx<'_>,
        now: UnixMs,
        received: &mut Received,
    ) -> Result<(), StoreError> {
        for (id, brought) in &self.entries {
            self.store_book(tx, *id, brought, now, received)?;
        }
        for (hash, id, sealed) in &self.words {
            if khata::get(tx, *id)?.is_some() {
                messages::put(tx, *hash, id.as_order(), sealed)?;
            }
        }
        Ok(())
    }

    fn store_book(
        &self,
        tx: &Tx<'_>,
        id: KhataId,
        brought: &[Authored],
        now: UnixMs,
        received: &mut Received,
    ) -> Result<(), StoreError> {
        let known = khata::get(tx, id)?;
        if let Some(row) = &known
            && self.follow(tx, row, brought, (now, received))?
        {
            return Ok(());
        }
        let mut shops_of = brought.iter().filter_map(|authored| match authored.author {
            Author::Node { shop, .. } => Some(shop),
            Author::Customer { .. } => None,
        });
        let shop = known.as_ref().map(|row| row.shop).or_else(|| shops_of.next());
        let Some(shop) = shop.filter(|shop| matches!(shops::get(tx, *shop), Ok(Some(_)))) else {
            return Ok(());
        };
        let stored = stored(tx, id)?;
        let of_shop = |authored: &Authored| matches!(authored.author, Author::Node { shop: of, .. } if of == shop);
        let bag = stored.into_iter().chain(brought.iter().cloned()).filter(of_shop);
        let merged = merge::merge(bag);
        let is_ours = |khata: &Khata| {
            khata.book().holder.is_some_and(|holder| self.parties.contains(&holder))
        };
        // Somebody else's book is nobody's business here. One that nobody holds yet may be one whose
        // entry for this device came before the ones in between.
        let names_us = |authored: &Authored| self.parties.contains(&authored.entry.statement().to);
        if !merged.khata.as_ref().is_some_and(is_ours) && !merged.waiting.iter().any(names_us) {
            return Ok(());
        }
        for (place, entries) in [(Place::Lost, &merged.lost), (Place::Early, &merged.waiting)] {
            for Authored { entry, .. } in entries {
                khata::put_entry(tx, id, (entry.hash(), seq_of(entry), place), entry.bytes())?;
            }
        }
        let Some(book) = merged.khata else { return Ok(()) };
        for entry in book.entries() {
            let named = (entry.hash(), entry.seq(), Place::Counts);
            khata::put_entry(tx, id, named, entry.signed().bytes())?;
            if let Some(request) = entry.line().act.answers()
                && outbox::settle(tx, request)?
            {
                received.settled.push(request);
            }
        }
        if known.as_ref().is_none_or(|row| row.head != book.head()) {
            received.khatas.push(id);
        }
        let (seq, head, heard_at) = (book.last().seq(), book.head(), now);
        khata::put(tx, &StoredKhata { id, shop, seq, head, heard_at, shop_seq: None })
    }
}

impl Books {
    /// Takes in what follows the end of a book one by one, by that end alone: of a long book not all is
    /// checked with each mail. Whether nothing else was brought.
    fn follow(
        &self,
        tx: &Tx<'_>,
        row: &StoredKhata,
        brought: &[Authored],
        (now, received): (UnixMs, &mut Received),
    ) -> Result<bool, StoreError> {
        if khata::count_early(tx, row.id)? > 0 {
            return Ok(false);
        }
        let Some(mut tip) = tip_of(tx, row)? else { return Ok(false) };
        let mut news = BTreeMap::new();
        for authored in brought {
            match khata::entry(tx, row.id, authored.entry.hash())? {
                Some((0, bytes)) if bytes[..] == *authored.entry.bytes() => {}
                Some(_) => return Ok(false),
                None => {
                    let before = news.insert(seq_of(&authored.entry), authored);
                    if before.is_some_and(|b| b.entry.hash() != authored.entry.hash()) {
                        return Ok(false);
                    }
                }
            }
        }
        let mut steps = Vec::new();
        for authored in news.into_values() {
            let mut fault = None;
            let next = tip.follow(&authored.entry, authored.author, |head| {
                balance_at(tx, row, &steps, head).unwrap_or_else(|why| {
                    fault = Some(why);
                    None
                })
            });
            match (fault, next) {
                (Some(why), _) => return Err(why),
                (None, Ok((next, line))) => {
                    steps.push((authored, next, line));
                    tip = next;
                }
                (None, Err(_)) => return Ok(false),
            }
        }
        if !tip.holder.is_some_and(|holder| self.parties.contains(&holder)) {
            return Ok(false);
        }
        for (Authored { entry, .. }, end, line) in &steps {
            khata::put_entry(tx, row.id, (end.head, end.seq, Place::Counts), entry.bytes())?;
            if let Some(request) = line.act.answers()
                && outbox::settle(tx, request)?
            {
                received.settled.push(request);
            }
        }
        if !steps.is_empty() {
            received.khatas.push(row.id);
        }
        let end = StoredKhata { seq: tip.seq, head: tip.head, heard_at: now, ..row.clone() };
        khata::put(tx, &end)?;
        Ok(true)
    }
}

/// The end of a book, its last entry checked again; nothing where that does not hold.
fn tip_of(reader: &Connection, row: &StoredKhata) -> Result<Option<Tip>, StoreError> {
    let Some((0, bytes)) = khata::entry(reader, row.id, row.head)? else { return Ok(None) };
    let tip = authored(reader, row.head, &bytes)?;
    let tip =
        tip.filter(|last| matches!(last.author, Author::Node { shop, .. } if shop == row.shop));
    let tip = tip.and_then(|last| Tip::of(row.shop, &last.entry).ok());
    Ok(tip.filter(|tip| tip.seq == row.seq && tip.id == row.id))
}

/// The balance after an entry of a book, among those that are stored or those that follow.
fn balance_at(
    reader: &Connection,
    row: &StoredKhata,
    steps: &[(&Authored, Tip, Line)],
    head: Hash,
) -> Result<Option<Money>, StoreError> {
    if let Some((_, end, _)) = steps.iter().find(|(_, end, _)| end.head == head) {
        return Ok(Some(end.after.balance));
    }
    let Some((0, bytes)) = khata::entry(reader, row.id, head)? else { return Ok(None) };
    let entry = authored(reader, head, &bytes)?;
    let tip = entry.and_then(|entry| Tip::of(row.shop, &entry.entry).ok());
    Ok(tip.map(|tip| tip.after.balance))
}

/// The end of a book that is stored whole: each entry is what its name says and holds the name of the
/// one before, so the signature of the last speaks for all of them.
pub(super) fn end_of(reader: &Connection, row: &StoredKhata) -> Result<Option<Tip>, StoreError> {
    let mut last = None;
    for (n, (seq, name, bytes)) in khata::counting(reader, row.id)?.into_iter().enumerate() {
        let read = UnverifiedStatement::parse(&bytes).ok();
        let position = read.map(|read| read.claimed().position);
        let follows = matches!(position, Some(Position::Entry { seq: s, prev, .. })
            if s == seq && s as usize == n && prev == last);
        if !follows || Hash::of(&bytes) != name {
            return Ok(None);
        }
        last = Some(name);
    }
    if last == Some(row.head) { tip_of(reader, row) } else { Ok(None) }
}

/// The shop said how far its copies go, and what it wants of others; gives those whose end is another
/// than it said before.
pub(in crate::app) fn heard(
    tx: &Tx<'_>,
    (heads, wanted): (&[Head], &[OrderId]),
    now: UnixMs,
) -> Result<Vec<OrderId>, StoreError> {
    let mut moved = Vec::new();
    for head in heads {
        if khata::heard(tx, KhataId::from_order(head.order), Some(head.seq), now)? {
            moved.push(head.order);
        }
    }
    // A shop that wants a book and names no end of it has nothing of it.
    let unknown = wanted.iter().filter(|id| heads.iter().all(|head| head.order != **id));
    for order in unknown {
        if khata::heard(tx, KhataId::from_order(*order), None, now)? {
            moved.push(*order);
        }
    }
    Ok(moved)
}

/// A book as it lies on the disk, every signature checked again.
pub(in crate::app) fn look(
    reader: &Connection,
    row: &StoredKhata,
) -> Result<HeldKhata, StoreError> {
    let merged = merge::merge(stored(reader, row.id)?);
    let reaches = merged.khata.as_ref().is_some_and(|khata| khata.contains(row.head));
    let counts = khata::count(reader, row.id)?;
    let len = merged.khata.as_ref().map_or(0, |khata| khata.len() as u64);
    Ok(HeldKhata {
        is_whole: reaches && len == counts && merged.waiting.is_empty(),
        is_contradicted: merged.stopped.is_some(),
        khata: merged.khata,
    })
}

fn stored(reader: &Connection, id: KhataId) -> Result<Vec<Authored>, StoreError> {
    let mut stored = Vec::new();
    for (name, bytes) in khata::entries(reader, id)? {
        stored.extend(authored(reader, name, &bytes)?);
    }
    Ok(stored)
}

/// An entry as it is stored, its name and its signature checked again.
fn authored(reader: &Connection, name: Hash, bytes: &[u8]) -> Result<Option<Authored>, StoreError> {
    let read = UnverifiedStatement::parse(bytes).ok().filter(|_| Hash::of(bytes) == name);
    let Some(read) = read else { return Ok(None) };
    let Some(node) = signers::get(reader, read.signer())? else { return Ok(None) };
    let author = Author::node(node.shop, node.generation);
    Ok(read.verify(&node.key).ok().map(|entry| Authored { entry, author }))
}

fn seq_of(entry: &kirana_core::statement::SignedStatement) -> u32 {
    match entry.statement().position {
        kirana_core::statement::Position::Entry { seq, .. } => seq,
        kirana_core::statement::Position::Request { .. } => u32::MAX,
    }
}
