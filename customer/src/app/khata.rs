//! Khata on this device: each shop's credit book as its box signed it, read with no network, and what this
//! household says about it.
//!
//! **Invariant:** a book counts only as far as every signature and every sum in it holds, and a
//! countersignature names the entry and the balance that the person was shown.

use kirana_core::{
    envelope::PersonalPart,
    hash::Hash,
    id::{KhataId, OrderId, ShopId},
    khata::{
        act::Act,
        chain::{EntryShown, Khata},
    },
    money::Money,
    order::wish::{Countersign, Dispute, Head, RefusalCode, Wish},
    statement::UnverifiedStatement,
    time::UnixMs,
};
use kirana_migrations::StoreError;
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;
use rusqlite::Connection;
use serde::Serialize;

use super::{Household, HouseholdError, asking::REQUEST_KEPT_MS, write};
use crate::store::{
    khata::{self, StoredKhata},
    messages, orders,
    outbox::{self, Waiting},
    shops,
};

mod arrive;

use arrive::end_of;
pub(super) use arrive::{Books, heard, look};

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
        let state = book.book();
        // The shop wrote the signature itself down after what was signed.
        let before = book.entries().iter().rev().nth(1).map(|entry| entry.hash());
        let countersigned = state.countersigned.map(|mark| Countersigned {
            at: mark.at,
            balance: mark.balance,
            is_newest: before == Some(mark.head),
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
            let order = row.id.as_order();
            if end_of(reader, &row)?.is_some() {
                heads.push(Head { order, seq: row.seq, hash: row.head });
                continue;
            }
            if let Some(book) = look(reader, &row)?.khata {
                heads.push(Head { order, seq: book.last().seq(), hash: book.head() });
            }
        }
        Ok(heads)
    }

    /// A page of what goes back to a shop that lacks entries of a book: those after the end of its own
    /// copy, from the beginning where it has none. When that has arrived, the shop's end is another,
    /// and the next page follows. Nothing where the name is no book's.
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
            // It has the end and lacks something else, by the word of an older program.
            Some(_) => all.len().saturating_sub(GIVEN_BACK_MAX),
            None => 0,
        };
        let entries = all.iter().skip(begin).take(GIVEN_BACK_MAX);
        let entries = entries.map(|entry| ByteVec::from(entry.signed().bytes().to_vec()));
        Ok(Some((row.shop, entries.collect())))
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
