//! A book's entries in their order, each holding the hash of the one before.
//!
//! **Invariant:** a [`Khata`] holds only entries whose signatures were checked, by boxes of its shop;
//! its [`Book`] is what they say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ENTRIES_MAX, ENTRIES_RESERVED,
    act::{Act, After, Line, Opened},
    book::{Book, Misstep},
};
use crate::{
    cbor::Malformed,
    hash::Hash,
    id::{KhataId, ShopId},
    key::{KeyId, SigningKey},
    money::Money,
    order::chain::{Author, Pushed},
    statement::{Party, Position, SignedStatement, Statement},
    time::UnixMs,
};

/// The end of a book: all that is needed to write its next entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Which book.
    pub id: KhataId,
    /// Whose shop it is in.
    pub shop: ShopId,
    /// Who holds the other copy.
    pub holder: Option<Party>,
    /// The generation of the last entry.
    pub generation: u64,
    /// Its place, from 0.
    pub seq: u32,
    /// Its hash.
    pub head: Hash,
    /// How the book stands after it.
    pub after: After,
    /// Whether it closed the book.
    pub closed: bool,
    /// The key that signed it.
    pub signer: KeyId,
}

impl Tip {
    /// Signs the first entry of a book; without a holder it is addressed to the shop itself.
    ///
    /// # Errors
    /// [`Misstep`] when the limit or the opening balance cannot be.
    pub fn begin(
        id: KhataId,
        shop: ShopId,
        holder: Option<Party>,
        generation: u64,
        at: UnixMs,
        opened: Opened,
        key: &SigningKey,
    ) -> Result<SignedStatement, Misstep> {
        let after = After { balance: opened.opening, limit: opened.limit };
        let line = Line { after, act: Act::Opened(opened) };
        Book::begin(id, shop, holder, at, &line)?;
        let position = Position::Entry { generation, seq: 0, prev: None };
        Ok(statement(id, shop, holder, position, at, &line).sign(key))
    }

    /// Reads the end of a book out of its last entry.
    ///
    /// # Errors
    /// [`KhataFault`] when it is none.
    pub fn of(shop: ShopId, last: &SignedStatement) -> Result<Self, KhataFault> {
        let said = last.statement();
        let Position::Entry { generation, seq, .. } = said.position else {
            return Err(KhataFault::NotAnEntry);
        };
        let line = Line::decode(said.kind, &said.body)?;
        Ok(Self {
            id: KhataId::from_order(said.order),
            shop,
            holder: holder_of(shop, said.to)?,
            generation,
            seq,
            head: last.hash(),
            after: line.after,
            closed: matches!(line.act, Act::Closed(_)),
            signer: last.signer(),
        })
    }

    /// Signs the next entry.
    ///
    /// # Errors
    /// [`Misstep`] when it does not fit.
    pub fn next(
        &self,
        generation: u64,
        at: UnixMs,
        act: &Act,
        key: &SigningKey,
    ) -> Result<SignedStatement, Misstep> {
        self.next_for(self.holder, generation, at, act, key)
    }

    /// Signs the entry that gives the book to somebody else's device.
    ///
    /// # Errors
    /// [`Misstep`] when the book is closed.
    pub fn claim(
        &self,
        holder: Party,
        generation: u64,
        at: UnixMs,
        key: &SigningKey,
    ) -> Result<SignedStatement, Misstep> {
        let act = Act::Claimed(super::act::Claimed {});
        self.next_for(Some(holder), generation, at, &act, key)
    }

    /// The end of the book after its next entry, by what this end alone tells; what a customer's mark
    /// names is asked of `balance_at`. So a long book is not walked for each page of it that comes.
    ///
    /// # Errors
    /// [`KhataFault`] when it does not follow.
    pub fn follow(
        &self,
        signed: &SignedStatement,
        author: Author,
        balance_at: impl FnOnce(Hash) -> Option<Money>,
    ) -> Result<(Self, Line), KhataFault> {
        let (line, generation, holder) = self.check(signed, author)?;
        check_mark(&line.act, balance_at)?;
        let after = self.after.follow((self.holder, holder), self.closed, &line)?;
        let closed = matches!(line.act, Act::Closed(_));
        let (seq, head, signer) = (self.seq + 1, signed.hash(), signed.signer());
        Ok((Self { holder, generation, seq, head, after, closed, signer, ..*self }, line))
    }

    /// Whether an entry is next after this end, by a box that may write it.
    fn check(
        &self,
        signed: &SignedStatement,
        author: Author,
    ) -> Result<(Line, u64, Option<Party>), KhataFault> {
        let said = signed.statement();
        let Position::Entry { generation, seq, prev } = said.position else {
            return Err(KhataFault::NotAnEntry);
        };
        if KhataId::from_order(said.order) != self.id {
            return Err(KhataFault::OtherKhata);
        }
        if author != Author::node(self.shop, generation) {
            return Err(KhataFault::WrongAuthor);
        }
        let next = self.seq.saturating_add(1);
        if seq > next {
            return Err(KhataFault::Gap { have: next, got: seq });
        }
        if seq < next || prev != Some(self.head) {
            return Err(KhataFault::Forks { seq });
        }
        if next as usize >= ENTRIES_MAX {
            return Err(KhataFault::TooManyEntries);
        }
        if generation < self.generation {
            let (from, to) = (self.generation, generation);
            return Err(KhataFault::GenerationFell { from, to });
        }
        if generation == self.generation && signed.signer() != self.signer {
            return Err(KhataFault::TwoWriters { generation });
        }
        let line = Line::decode(said.kind, &said.body)?;
        Ok((line, generation, holder_of(self.shop, said.to)?))
    }

    fn next_for(
        &self,
        holder: Option<Party>,
        generation: u64,
        at: UnixMs,
        act: &Act,
        key: &SigningKey,
    ) -> Result<SignedStatement, Misstep> {
        if self.closed {
            return Err(Misstep::IsClosed);
        }
        // What ends a debt finds room also where marks and charges have filled the book.
        let most = match act {
            Act::Paid(_) | Act::Credited(_) | Act::WrittenOff(_) | Act::Closed(_) => ENTRIES_MAX,
            _ => ENTRIES_MAX - ENTRIES_RESERVED,
        };
        if self.seq as usize + 1 >= most {
            return Err(Misstep::Full);
        }
        let line = Line { after: self.after.then(act)?, act: act.clone() };
        let (seq, prev) = (self.seq.saturating_add(1), Some(self.head));
        let position = Position::Entry { generation, seq, prev };
        Ok(statement(self.id, self.shop, holder, position, at, &line).sign(key))
    }
}

fn statement(
    id: KhataId,
    shop: ShopId,
    holder: Option<Party>,
    position: Position,
    at: UnixMs,
    line: &Line,
) -> Statement {
    Statement {
        kind: line.act.kind(),
        to: holder.unwrap_or(Party::Shop(shop)),
        order: id.as_order(),
        position,
        at,
        answer_by: None,
        body: line.encode(),
    }
}

fn check_mark(act: &Act, balance_at: impl FnOnce(Hash) -> Option<Money>) -> Result<(), KhataFault> {
    let (head, balance) = match act {
        Act::Countersigned(signed) => (signed.head, Some(signed.balance)),
        Act::Disputed(disputed) => (disputed.head, None),
        _ => return Ok(()),
    };
    let was = balance_at(head).ok_or(Misstep::OtherBalance)?;
    match balance {
        Some(balance) if balance != was => Err(Misstep::OtherBalance.into()),
        _ => Ok(()),
    }
}

fn holder_of(shop: ShopId, to: Party) -> Result<Option<Party>, KhataFault> {
    match to {
        Party::Shop(other) if other == shop => Ok(None),
        Party::Shop(_) => Err(KhataFault::OtherShop),
        party => Ok(Some(party)),
    }
}

/// One entry of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    signed: SignedStatement,
    line: Line,
    generation: u64,
    seq: u32,
}

impl Entry {
    /// The signed statement, byte for byte.
    pub fn signed(&self) -> &SignedStatement {
        &self.signed
    }

    /// The hash of the signed bytes.
    pub fn hash(&self) -> Hash {
        self.signed.hash()
    }

    /// What it says, and how the book stands after it.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The shop's generation when it was written.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its place, from 0.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// When it was written, by the shop's clock.
    pub fn at(&self) -> UnixMs {
        self.signed.statement().at
    }

    /// The entry as it is shown.
    pub fn shown(&self) -> EntryShown {
        EntryShown {
            hash: self.hash(),
            generation: self.generation,
            seq: self.seq,
            kind: self.line.act.label(),
            at: self.at(),
            balance: self.line.after.balance,
            act: self.line.act.clone(),
        }
    }
}

/// An entry as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryShown {
    /// The hash of the signed bytes.
    pub hash: Hash,
    /// The shop's generation.
    pub generation: u64,
    /// Its place, from 0.
    pub seq: u32,
    /// The word for its kind.
    pub kind: &'static str,
    /// When it was written.
    pub at: UnixMs,
    /// The balance after it.
    pub balance: Money,
    /// What it says.
    #[serde(skip)]
    pub act: Act,
}

/// The entries of one book, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Khata {
    /// Never empty.
    entries: Vec<Entry>,
    places: BTreeMap<Hash, u32>,
    book: Book,
}

impl Khata {
    /// Starts a book with its first entry.
    ///
    /// # Errors
    /// [`KhataFault`] unless it is an opening by a box of the shop.
    pub fn begin(first: SignedStatement, author: Author) -> Result<Self, KhataFault> {
        let said = first.statement();
        let Position::Entry { generation, seq: 0, prev: None } = said.position else {
            return Err(KhataFault::NotAFirstEntry);
        };
        let Author::Node { shop, generation: of } = author else {
            return Err(KhataFault::WrongAuthor);
        };
        if of != generation {
            return Err(KhataFault::WrongAuthor);
        }
        let line = Line::decode(said.kind, &said.body)?;
        let (id, holder) = (KhataId::from_order(said.order), holder_of(shop, said.to)?);
        let book = Book::begin(id, shop, holder, said.at, &line)?;
        let places = BTreeMap::from([(first.hash(), 0)]);
        let entry = Entry { signed: first, line, generation, seq: 0 };
        Ok(Self { entries: vec![entry], places, book })
    }

    /// Adds the next entry. The same entry again changes nothing.
    ///
    /// # Errors
    /// [`KhataFault`]; nothing changed then.
    pub fn push(&mut self, signed: SignedStatement, author: Author) -> Result<Pushed, KhataFault> {
        if self.contains(signed.hash()) {
            return Ok(Pushed::Already);
        }
        let (line, generation, holder) = self.check(&signed, author)?;
        self.book.step(signed.statement().at, holder, &line)?;
        let seq = self.entries.len() as u32;
        self.places.insert(signed.hash(), seq);
        self.entries.push(Entry { signed, line, generation, seq });
        Ok(Pushed::Added)
    }

    /// Whether an entry could be added.
    ///
    /// # Errors
    /// [`KhataFault`] when it could not.
    pub fn could_push(&self, signed: &SignedStatement, author: Author) -> Result<(), KhataFault> {
        let (line, _, holder) = self.check(signed, author)?;
        self.book.check(holder, &line)?;
        Ok(())
    }

    fn check(
        &self,
        signed: &SignedStatement,
        author: Author,
    ) -> Result<(Line, u64, Option<Party>), KhataFault> {
        let (line, generation, holder) = self.tip().check(signed, author)?;
        self.check_signed_balance(&line.act)?;
        Ok((line, generation, holder))
    }

    /// What a customer countersigned is an entry of this book, with that balance after it.
    fn check_signed_balance(&self, act: &Act) -> Result<(), KhataFault> {
        check_mark(act, |head| self.balance_at(head))
    }

    /// Signs the next entry and adds it.
    ///
    /// # Errors
    /// [`KhataFault`] when it does not fit; nothing changed then.
    pub fn append(
        &mut self,
        generation: u64,
        at: UnixMs,
        act: &Act,
        key: &SigningKey,
    ) -> Result<SignedStatement, KhataFault> {
        self.check_signed_balance(act)?;
        let signed = self.tip().next(generation, at, act, key)?;
        let _ = self.push(signed.clone(), Author::node(self.book.shop, generation))?;
        Ok(signed)
    }

    /// Where the book stands.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Its entries, the opening first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a book is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The hash of the last entry.
    pub fn head(&self) -> Hash {
        self.last().hash()
    }

    /// The last entry.
    pub fn last(&self) -> &Entry {
        self.entries.last().expect("a book is never empty")
    }

    /// Its end.
    pub fn tip(&self) -> Tip {
        Tip {
            id: self.book.id,
            shop: self.book.shop,
            holder: self.book.holder,
            generation: self.last().generation,
            seq: self.last().seq,
            head: self.head(),
            after: self.book.after(),
            closed: self.book.closed_at.is_some(),
            signer: self.last().signed.signer(),
        }
    }

    /// Whether an entry is among them.
    pub fn contains(&self, hash: Hash) -> bool {
        self.places.contains_key(&hash)
    }

    /// The balance after an entry; nothing where it is not among them.
    pub fn balance_at(&self, hash: Hash) -> Option<Money> {
        let entry = self.entries.get(*self.places.get(&hash)? as usize)?;
        Some(entry.line.after.balance)
    }

    /// The entry that stands in a book for one of an order's, if one does.
    pub fn for_order_entry(&self, hash: Hash) -> Option<&Entry> {
        let is_for = |entry: &&Entry| {
            entry.line.act.of().and_then(super::act::Of::order_entry) == Some(hash)
        };
        self.entries.iter().find(is_for)
    }
}

/// An entry that cannot stand where it was put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KhataFault {
    /// Its body is damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It does not follow from where the book stands.
    #[error(transparent)]
    Misstep(#[from] Misstep),
    /// It is no entry.
    #[error("this is not an entry of a khata")]
    NotAnEntry,
    /// A book starts with its opening.
    #[error("a khata starts with its opening")]
    NotAFirstEntry,
    /// It belongs to another book.
    #[error("this entry belongs to another khata")]
    OtherKhata,
    /// It is addressed to another shop.
    #[error("this khata is another shop's")]
    OtherShop,
    /// Its author may not write it.
    #[error("whoever signed this may not write it")]
    WrongAuthor,
    /// Entries before it are missing.
    #[error("entry {got} came, but only {have} are here")]
    Gap {
        /// How many are here.
        have: u32,
        /// The place of the one that came.
        got: u32,
    },
    /// Another entry stands in its place.
    #[error("there is another entry {seq}")]
    Forks {
        /// The place in question, or the one after it.
        seq: u32,
    },
    /// The generation went back.
    #[error("a box of generation {to} wrote after one of generation {from}")]
    GenerationFell {
        /// The generation before.
        from: u64,
        /// The generation of the entry.
        to: u64,
    },
    /// Two keys write in one generation.
    #[error("two boxes write in generation {generation} of this shop")]
    TwoWriters {
        /// The generation.
        generation: u64,
    },
    /// More than [`ENTRIES_MAX`].
    #[error("a khata has at most {ENTRIES_MAX} entries: close it and open another")]
    TooManyEntries,
}
