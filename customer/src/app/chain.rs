//! Reads an order's chain back from this device's database, every signature checked again.
//!
//! **Invariant (P8):** what was altered on the disk is never taken for what was signed. The entries
//! before it go on counting, and the shop's copy brings the rest back.

use kirana_core::{
    hash::Hash,
    id::OrderId,
    key::{KeyPair, PublicKey},
    order::{
        chain::{Author, Authored, Chain, ChainFault},
        entry::Body,
        wish::Head,
    },
    statement::{Position, UnverifiedStatement},
};
use kirana_migrations::StoreError;
use rusqlite::Connection;

use super::HouseholdError;
use crate::store::{
    orders::{self, StoredEntry},
    siblings, signers,
};

/// An order's chain as it lies on the disk.
#[derive(Debug, Clone)]
pub struct Held {
    id: OrderId,
    /// The entries that hold, from the first on; `None` when not even the first does.
    pub sound: Option<Chain>,
    /// How many entries are stored, whether they hold or not.
    pub stored: usize,
    /// What is wrong with them, in their order.
    pub faults: Vec<EntryFault>,
    /// The noted name of the first entry.
    first: Option<Hash>,
    /// The digest of what lies where the first entry should.
    remains: Hash,
}

impl Held {
    /// Whether all that was stored still holds.
    pub fn is_whole(&self) -> bool {
        self.sound.as_ref().is_some_and(|chain| chain.len() >= self.stored)
    }

    /// The whole chain.
    ///
    /// # Errors
    /// [`HouseholdError::DamagedOrder`].
    pub fn whole(self) -> Result<Chain, HouseholdError> {
        let is_whole = self.is_whole();
        self.sound.filter(|_| is_whole).ok_or(HouseholdError::DamagedOrder)
    }

    /// How far the order has come here, for the shop: never further than what still holds. Where
    /// nothing does, it names what lies there, which no shop has, so that the shop answers with all.
    pub fn head(&self) -> Head {
        match &self.sound {
            Some(chain) => Head::of(chain),
            None => Head { order: self.id, seq: 0, hash: self.remains },
        }
    }

    /// Begins the chain anew with this device's own first entry, as a shop sent it back: only with
    /// the very bytes whose digest was noted when the order was placed.
    pub fn begun_anew(&self, first: &Authored) -> Option<Chain> {
        if self.first.is_some_and(|noted| noted != first.entry.hash()) {
            return None;
        }
        let chain = Chain::begin(first.entry.clone(), first.author).ok()?;
        (chain.order().id == self.id).then_some(chain)
    }

    fn push(&mut self, Authored { entry, author }: Authored) -> Result<(), ChainFault> {
        match &mut self.sound {
            Some(chain) => chain.push(entry, author).map(|_| ()),
            None if entry.statement().order != self.id => Err(ChainFault::WrongOrder),
            None => {
                self.sound = Some(Chain::begin(entry, author)?);
                Ok(())
            }
        }
    }
}

/// What is wrong with a stored entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// None is there.
    #[error("it has no entries any more")]
    Empty,
    /// The bytes are others than those that were stored.
    #[error("entry {seq} is not what was signed")]
    Altered {
        /// Its noted place.
        seq: u32,
    },
    /// Nobody who is known here signed it.
    #[error("entry {seq} is signed by a key that no certificate here names")]
    UnknownSigner {
        /// Its noted place.
        seq: u32,
    },
    /// What was noted beside the bytes was altered.
    #[error("the row of entry {seq} says other than the entry")]
    OtherRow {
        /// Its noted place.
        seq: u32,
    },
    /// It does not follow the one before it.
    #[error("entry {seq} does not stand where it should: {fault}")]
    Unfit {
        /// Its own place.
        seq: u32,
        /// Why not.
        fault: ChainFault,
    },
}

/// The whole chain of an order.
///
/// # Errors
/// [`HouseholdError::UnknownOrder`], or [`HouseholdError::DamagedOrder`] when a stored entry is no
/// longer what was signed.
pub fn load(reader: &Connection, id: OrderId, own: &Own) -> Result<Chain, HouseholdError> {
    if orders::get(reader, id)?.is_none() {
        return Err(HouseholdError::UnknownOrder);
    }
    look(reader, id, own)?.whole()
}

/// What is stored of an order's chain, and what of it still holds.
///
/// # Errors
/// When the database cannot be read; damage of the order itself is part of the answer.
pub fn look(reader: &Connection, id: OrderId, own: &Own) -> Result<Held, StoreError> {
    let rows = orders::entries(reader, id)?;
    let begins = rows.first();
    let mut held = Held {
        id,
        sound: None,
        stored: rows.len(),
        faults: Vec::new(),
        first: begins.filter(|row| row.seq == 0).map(|row| row.hash),
        remains: Hash::of(begins.map_or(&[][..], |row| &row.bytes)),
    };
    if rows.is_empty() {
        held.faults.push(EntryFault::Empty);
    }
    let mut entries = Vec::new();
    for row in &rows {
        match read(reader, row, own)? {
            Ok(entry) if says_the_same(row, &entry) => entries.push(entry),
            Ok(entry) => {
                held.faults.push(EntryFault::OtherRow { seq: row.seq });
                entries.push(entry);
            }
            Err(fault) => {
                held.faults.push(fault);
                entries.extend(waiting_copy(reader, row, own)?);
            }
        }
    }
    entries.sort_by_key(seq_of);
    for entry in entries {
        let seq = seq_of(&entry);
        // One damaged entry cuts off all that follow it, which is no further fault.
        if let Err(fault) = held.push(entry)
            && held.faults.is_empty()
        {
            held.faults.push(EntryFault::Unfit { seq, fault });
        }
    }
    Ok(held)
}

fn read(
    reader: &Connection,
    row: &StoredEntry,
    own: &Own,
) -> Result<Result<Authored, EntryFault>, StoreError> {
    Ok(match author(reader, &row.bytes, own)? {
        Some(entry) => Ok(entry),
        None if Hash::of(&row.bytes) == row.hash => Err(EntryFault::UnknownSigner { seq: row.seq }),
        None => Err(EntryFault::Altered { seq: row.seq }),
    })
}

fn says_the_same(row: &StoredEntry, Authored { entry, .. }: &Authored) -> bool {
    let statement = entry.statement();
    let Position::Entry { generation, seq, .. } = statement.position else { return false };
    (row.hash, row.kind, row.generation, row.seq) == (entry.hash(), statement.kind, generation, seq)
}

/// The copy of an entry that waits to be sent: until the shop has it, this is all there is.
fn waiting_copy(
    reader: &Connection,
    row: &StoredEntry,
    own: &Own,
) -> Result<Option<Authored>, StoreError> {
    match &row.waiting {
        Some(copy) if Hash::of(copy) == row.hash => author(reader, copy, own),
        _ => Ok(None),
    }
}

fn seq_of(authored: &Authored) -> u32 {
    match authored.entry.statement().position {
        Position::Entry { seq, .. } => seq,
        Position::Request { .. } => u32::MAX,
    }
}

/// Finds out who wrote stored bytes; `None` when nobody known did, or they were altered.
pub fn author(
    reader: &Connection,
    bytes: &[u8],
    own: &Own,
) -> Result<Option<Authored>, StoreError> {
    let Ok(read) = UnverifiedStatement::parse(bytes) else { return Ok(None) };
    if read.signer() == own.keys.id() {
        return Ok(own.first_entry(read));
    }
    if let Some(sibling) = siblings::get(reader, read.signer())? {
        return Ok(first_entry(read, &sibling));
    }
    let Some(node) = signers::get(reader, read.signer())? else { return Ok(None) };
    let author = Author::node(node.shop, node.generation);
    Ok(read.verify(&node.key).ok().map(|entry| Authored { entry, author }))
}

/// This device, as the author of first entries.
#[derive(Clone)]
pub struct Own {
    /// Its keys.
    pub keys: KeyPair,
}

impl Own {
    /// A first entry of this device, for whomever it ordered then: as a guest, or for an account.
    pub fn first_entry(&self, read: UnverifiedStatement) -> Option<Authored> {
        first_entry(read, &self.keys.signing.public())
    }
}

/// A first entry by the device with this key, for whomever it says.
pub(super) fn first_entry(read: UnverifiedStatement, key: &PublicKey) -> Option<Authored> {
    let entry = read.verify(key).ok()?;
    let statement = entry.statement();
    let Ok(Body::Placed(placed)) = Body::decode(statement.kind, &statement.body) else {
        return None;
    };
    Some(Authored { author: Author::customer(placed.customer), entry })
}
