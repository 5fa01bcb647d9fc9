//! Khata on this device: each shop's credit book as its box signed it, read with no network, and what this
//! household says about it.
//!
//! **Invariant:** a book counts only as far as every signature and every sum in it holds, and a
//! countersignature names the entry and the balance that the person was shown.

use std::collections::BTreeMap;

use kirana_core::{
    envelope::{Parcel, PersonalPart},
    hash::Hash,
    id::{KhataId, OrderId, ShopId},
    khata::{
        act::{Act, Line},
        chain::{EntryShown, Khata},
        merge,
    },
    money::Money,
    order::{
        chain::{Author, Authored},
        wish::{Countersign, Dispute, Head, RefusalCode, Wish},
    },
    statement::{Party, UnverifiedStatement},
    time::UnixMs,
};
use kirana_migrations::{StoreError, Tx};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;
use rusqlite::Connection;
use serde::Serialize;

use super::{Household, HouseholdError, asking::REQUEST_KEPT_MS, receive::Received, write};
use crate::store::{
    khata::{self, Place, StoredKhata},
    messages, orders,
    outbox::{self, Waiting},
    shops, signers,
};

/// The longest words about a book, in bytes.
pub const WORDS_BYTES_MAX: usize = 500;
/// Entries that go back to a shop that lacks them, in one piece of mail.
const GIVEN_BACK_MAX: usize = 60;

/// A shop's book as a person reads it.
#[derive(Debug, Clone, Serialize)]
pub struct KhataStatus {
    /// Its name.
    pub id: KhataId,
    /// In which shop.
    pub shop: ShopId,
    /// What the shop calls itself.
    pub shop_name: String,
    /// What is owed; below zero, what the shop owes.
    pub balance: Money,
    /// What may be owed at most.
    pub limit: Money,
    /// Whether the shop still writes into it.
    pub open: bool,
    /// What was countersigned last, if anything: when the shop wrote it down, and the balance.
    pub countersigned: Option<Countersigned>,
    /// Since when the shop knows that this household disagrees.
    pub disputed_at: Option<UnixMs>,
    /// What waits to reach the shop: `countersign` or `dispute`.
    pub waiting: Option<&'static str>,
    /// Why the shop refused what was said last, if it did.
    pub refused: Option<String>,
    /// When the shop was heard about the book last.
    pub heard_at: UnixMs,
    /// Whether something stored of it does not hold, or entries are missing: the shop sends them again.
    pub incomplete: bool,
    /// Whether two boxes of one generation wrote: nothing more is believed from there on.
    pub contradicted: bool,
    /// Its entries, the opening first.
    pub entries: Vec<EntryStatus>,
}

/// What this household countersigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Countersigned {
    /// When the shop wrote it down.
    pub at: UnixMs,
    /// The balance that was signed.
    pub balance: Option<Money>,
    /// Whether nothing but that was written since.
    pub is_newest: bool,
}

/// An entry as a person reads it.
#[derive(Debug, Clone, Serialize)]
pub struct EntryStatus {
    /// What it is.
    #[serde(flatten)]
    pub shown: EntryShown,
    /// The sum that it moves, if it moves one.
    pub amount: Option<Money>,
    /// The order that it is for.
    pub order: Option<OrderId>,
    /// The words.
    pub words: Option<String>,
}

/// A book as it lies on the disk.
pub(super) struct HeldKhata {
    /// The entries that hold.
    pub(super) khata: Option<Khata>,
    /// Whether all that counted still does.
    pub(super) is_whole: bool,
    is_contradicted: bool,
}

impl Household {
    /// Each shop's book, with its entries.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn khatas(&self) -> Result<Vec<KhataStatus>, HouseholdError> {
        self.db.reader.read(|reader| {
            let mut all = Vec::new();
            for row in khata::all(reader)? {
                all.extend(self.khata_status(reader, &row)?);
            }
            Ok(all)
        })
    }

    fn khata_status(
        &self,
        reader: &Connection,
        row: &StoredKhata,
    ) -> Result<Option<KhataStatus>, HouseholdError> {
        let held = look(reader, row)?;
        let Some(book) = &held.khata else { return Ok(None) };
        let mut entries = Vec::new();
        for entry in book.entries() {
            let act = &entry.line().act;
            let words = match act {
                Act::Opened(_) => None,
                act => act.words().map(|hash| self.message(reader, hash)).transpose()?.flatten(),
            };
            entries.push(EntryStatus {
                shown: entry.shown(),
                amount: amount(act),
                order: order_of(act),
                words: words.map(|part| String::from_utf8_lossy(&part.bytes).into_owned()),
            });
        }
        let (state, last) = (book.book(), book.last());
        let newest = last.line().act.answers().is_some();
        let countersigned = state.countersigned.map(|mark| Countersigned {
            at: mark.at,
            balance: mark.balance,
            is_newest: newest && matches!(last.line().act, Act::Countersigned(_)),
        });
        let name = shops::get(reader, row.shop)?.map(|shop| shop.name).unwrap_or_default();
        Ok(Some(KhataStatus {
            id: row.id,
            shop: row.shop,
            shop_name: name,
            balance: state.balance,
            limit: state.limit,
            open: state.closed_at.is_none(),
            countersigned,
            disputed_at: state.disputed.map(|mark| mark.at),
            waiting: waiting(reader, row.id)?,
            refused: refused(reader, row.id)?,
            heard_at: row.heard_at,
            incomplete: !held.is_whole,
            contradicted: held.is_contradicted,
            entries,
        }))
    }

    /// Signs that a book is right up to its end, as far as it has come here.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownKhata`], [`HouseholdError::NothingToSign`] where that was signed already
    /// or waits, or when it could not be stored.
    pub fn countersign(
        &self,
        id: KhataId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        let (row, book) = self.whole_khata(id)?;
        let is_signed = matches!(book.last().line().act, Act::Countersigned(_));
        let waits = self.db.reader.read(|reader| waiting(reader, id))?;
        if is_signed || waits.is_some() {
            return Err(HouseholdError::NothingToSign);
        }
        let wish =
            Wish::Countersign(Countersign { head: book.head(), balance: book.book().balance });
        self.say_about(&row, (&wish, None), now, rng)
    }

    /// Says that a book is not right: its newest entry, or the one at this place.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownKhata`], [`HouseholdError::MessageTooLong`], or when it could not be
    /// stored.
    pub fn dispute(
        &self,
        id: KhataId,
        (seq, words): (Option<u32>, &str),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        let (row, book) = self.whole_khata(id)?;
        let words = words.trim();
        if words.len() > WORDS_BYTES_MAX {
            return Err(HouseholdError::MessageTooLong);
        }
        let entry = match seq {
            Some(seq) => book.entries().get(seq as usize).ok_or(HouseholdError::UnknownKhata)?,
            None => book.last(),
        };
        let part = (!words.is_empty()).then(|| PersonalPart::new(words.into(), rng));
        let message = part.as_ref().map(PersonalPart::hash);
        let wish = Wish::Dispute(Dispute { head: entry.hash(), message });
        self.say_about(&row, (&wish, part), now, rng)
    }

    fn whole_khata(&self, id: KhataId) -> Result<(StoredKhata, Khata), HouseholdError> {
        self.db.reader.read(|reader| {
            let row = khata::get(reader, id)?.ok_or(HouseholdError::UnknownKhata)?;
            let held = look(reader, &row)?;
            let whole = held.khata.filter(|_| held.is_whole && !held.is_contradicted);
            Ok((row, whole.ok_or(HouseholdError::UnknownKhata)?))
        })
    }

    fn say_about(
        &self,
        row: &StoredKhata,
        (wish, words): (&Wish, Option<PersonalPart>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let (order, shop) = (row.id.as_order(), row.shop);
        let request = wish.sign(order, shop, now, id, &self.keys.signing);
        let (hash, bytes) = (request.hash(), request.bytes().to_vec());
        let until = now.plus_ms(REQUEST_KEPT_MS);
        let waiting = Waiting { hash, shop, order, bytes, until, queued_at: now };
        let words = words.map(|part| (part.hash(), self.seal_message(&part)));
        write(&self.db, move |tx| {
            if let Some((named, sealed)) = &words {
                messages::put(tx, *named, order, sealed)?;
            }
            Ok(outbox::put(tx, &waiting)?)
        })?;
        Ok(hash)
    }

    /// How far the books of a shop have come here, for the shop.
    pub(super) fn khata_heads(
        &self,
        reader: &Connection,
        shop: ShopId,
    ) -> Result<Vec<Head>, StoreError> {
        let mut heads = Vec::new();
        for row in khata::all(reader)?.into_iter().filter(|row| row.shop == shop) {
            let held = look(reader, &row)?;
            if let Some(book) = held.khata {
                let (order, seq, hash) = (row.id.as_order(), book.last().seq(), book.head());
                heads.push(Head { order, seq, hash });
            }
        }
        Ok(heads)
    }

    /// What goes back to a shop that lacks entries of a book: those after the end of its own copy, or the
    /// last ones. Nothing where the name is no book's.
    pub(super) fn khata_to_give_back(
        &self,
        reader: &Connection,
        order: OrderId,
    ) -> Result<Option<(ShopId, Vec<ByteVec>)>, StoreError> {
        let Some(row) = khata::get(reader, KhataId::from_order(order))? else { return Ok(None) };
        let Some(book) = look(reader, &row)?.khata else { return Ok(None) };
        let all = book.entries();
        let begin = match row.shop_seq.map(|seq| seq as usize + 1) {
            Some(after) if after < all.len() => after,
            _ => all.len().saturating_sub(GIVEN_BACK_MAX),
        };
        let entries = all.iter().skip(begin).take(GIVEN_BACK_MAX);
        let entries = entries.map(|entry| ByteVec::from(entry.signed().bytes().to_vec()));
        Ok(Some((row.shop, entries.collect())))
    }
}

/// Entries of books that came, by book.
#[derive(Default)]
pub(super) struct Books {
    entries: BTreeMap<KhataId, Vec<Authored>>,
    words: Vec<(Hash, KhataId, Vec<u8>)>,
    /// As whom this device holds books.
    parties: Vec<Party>,
}

impl Books {
    /// Takes in an entry that a box of a shop signed.
    pub(super) fn push(&mut self, authored: Authored) {
        let id = KhataId::from_order(authored.entry.statement().order);
        self.entries.entry(id).or_default().push(authored);
    }

    /// Takes in the words that came along, and as whom this device holds books.
    pub(super) fn complete(&mut self, household: &Household, parcel: &Parcel) {
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
    pub(super) fn store(
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
        // Somebody else's book is nobody's business here.
        if merged.khata.as_ref().is_some_and(|khata| !is_ours(khata) && merged.waiting.is_empty()) {
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

/// The shop said how far its copies go.
pub(super) fn heard(tx: &Tx<'_>, heads: &[Head], now: UnixMs) -> Result<(), StoreError> {
    for head in heads {
        khata::heard(tx, KhataId::from_order(head.order), head.seq, now)?;
    }
    Ok(())
}

/// A book as it lies on the disk, every signature checked again.
pub(super) fn look(reader: &Connection, row: &StoredKhata) -> Result<HeldKhata, StoreError> {
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
        if Hash::of(&bytes) != name {
            continue;
        }
        let Ok(read) = UnverifiedStatement::parse(&bytes) else { continue };
        let Some(node) = signers::get(reader, read.signer())? else { continue };
        let author = Author::node(node.shop, node.generation);
        stored.extend(read.verify(&node.key).ok().map(|entry| Authored { entry, author }));
    }
    Ok(stored)
}

fn seq_of(entry: &kirana_core::statement::SignedStatement) -> u32 {
    match entry.statement().position {
        kirana_core::statement::Position::Entry { seq, .. } => seq,
        kirana_core::statement::Position::Request { .. } => u32::MAX,
    }
}

fn waiting(reader: &Connection, id: KhataId) -> Result<Option<&'static str>, StoreError> {
    let mut newest = None;
    for hash in outbox::of_order(reader, id.as_order())? {
        let Some(waiting) = outbox::get(reader, hash)? else { continue };
        let read = UnverifiedStatement::parse(&waiting.bytes).ok();
        let kind =
            read.and_then(|read| kirana_core::order::entry::Kind::from_number(read.claimed().kind));
        newest = kind.map(kirana_core::order::entry::Kind::label).or(newest);
    }
    Ok(newest)
}

fn refused(reader: &Connection, id: KhataId) -> Result<Option<String>, StoreError> {
    let codes = orders::refusals(reader, id.as_order())?;
    Ok(codes.last().map(|code| RefusalCode::from_number(*code).to_string()))
}

fn amount(act: &Act) -> Option<Money> {
    match act {
        Act::Opened(opened) => Some(opened.opening),
        Act::Charged(charged) => Some(charged.amount),
        Act::Paid(moved) | Act::PaidOut(moved) => Some(moved.amount),
        Act::Credited(credited) => Some(credited.amount),
        Act::WrittenOff(given_up) => Some(given_up.amount),
        _ => None,
    }
}

fn order_of(act: &Act) -> Option<OrderId> {
    match act.of() {
        Some(kirana_core::khata::act::Of::Order { order, .. }) => Some(order),
        _ => None,
    }
}
