//! An order's entries in their order, each holding the hash of the one before.
//!
//! **Invariant:** a [`Chain`] holds only entries whose signatures were checked, by authors who may
//! write them, addressed to this order's two sides; its [`Order`] is what they say.

use serde::Serialize;

use super::{
    ENTRIES_MAX, Order,
    entry::{Body, BodyError},
    step::{self, Misstep},
};
use crate::{
    certificate::Standing,
    hash::Hash,
    id::ShopId,
    key::{KeyId, SigningKey},
    statement::{Party, Position, SignedStatement, Statement},
    time::UnixMs,
    trust::Certified,
};

/// Who wrote a statement, as its certificate says.
///
/// Whoever verifies a statement finds this out: see [`crate::trust`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "author", rename_all = "snake_case")]
pub enum Author {
    /// A device of this customer.
    Customer {
        /// The account, or the guest's key.
        party: Party,
    },
    /// A shop's node.
    Node {
        /// Which shop.
        shop: ShopId,
        /// Which generation its certificate is for.
        generation: u64,
    },
}

impl Author {
    /// A device of this customer.
    pub const fn customer(party: Party) -> Self {
        Self::Customer { party }
    }

    /// What a checked certificate allows its holder to write; `None` for staff, shops' owners and
    /// hubs, who write no entries.
    pub fn of(certified: &Certified) -> Option<Self> {
        match (&certified.certificate().standing, certified.party()) {
            (Standing::Node { shop, generation }, _) => Some(Self::node(*shop, *generation)),
            (Standing::Device { .. } | Standing::Guest | Standing::GuestOf { .. }, Some(party)) => {
                Some(Self::customer(party))
            }
            _ => None,
        }
    }

    /// A shop's node of this generation.
    pub const fn node(shop: ShopId, generation: u64) -> Self {
        Self::Node { shop, generation }
    }
}

/// A statement with its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authored {
    /// What was said.
    pub entry: SignedStatement,
    /// By whom.
    pub author: Author,
}

/// One entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    signed: SignedStatement,
    author: Author,
    body: Body,
    generation: u64,
    seq: u32,
    acted_on: bool,
}

impl Entry {
    /// The signed statement, byte for byte.
    pub fn signed(&self) -> &SignedStatement {
        &self.signed
    }

    /// The key that signed.
    pub fn signer(&self) -> KeyId {
        self.signed.signer()
    }

    /// Who wrote it.
    pub fn author(&self) -> Author {
        self.author
    }

    /// What it says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The shop's generation when it was written; 0 in the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its place, from 0.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The hash of the signed bytes.
    pub fn hash(&self) -> Hash {
        self.signed.hash()
    }

    /// When it was written, by its author's clock.
    pub fn at(&self) -> UnixMs {
        self.signed.statement().at
    }

    /// Whether the order followed it; `false` for kinds of a later version and what builds on them.
    pub fn is_acted_on(&self) -> bool {
        self.acted_on
    }

    /// The entry as it is shown.
    pub fn shown(&self) -> EntryShown {
        let prev = match self.signed.statement().position {
            Position::Entry { prev, .. } => prev,
            Position::Request { .. } => None,
        };
        EntryShown {
            hash: self.hash(),
            prev,
            generation: self.generation,
            seq: self.seq,
            kind: self.body.label(),
            at: self.at(),
            acted_on: self.acted_on,
        }
    }
}

/// An entry as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryShown {
    /// The hash of the signed bytes.
    pub hash: Hash,
    /// The hash of the entry before.
    pub prev: Option<Hash>,
    /// The shop's generation; 0 in the customer's entry.
    pub generation: u64,
    /// Its place, from 0.
    pub seq: u32,
    /// The word for its kind; `unknown` for one of a later version.
    pub kind: &'static str,
    /// When it was written.
    pub at: UnixMs,
    /// Whether the order followed it.
    pub acted_on: bool,
}

/// The entries of one order, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Never empty: the first is the customer's.
    entries: Vec<Entry>,
    order: Order,
}

/// What pushing an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is the new head.
    Added,
    /// It was there before; nothing changed.
    Already,
}

impl Chain {
    /// Starts a chain with the customer's first entry.
    ///
    /// # Errors
    /// [`ChainFault`] unless it is a `Placed` at the start of a chain, addressed to a shop, and
    /// its author is the customer that it names.
    pub fn begin(placed: SignedStatement, author: Author) -> Result<Self, ChainFault> {
        let statement = placed.statement();
        if statement.position != (Position::Entry { generation: 0, seq: 0, prev: None }) {
            return Err(ChainFault::NotAFirstEntry);
        }
        let Party::Shop(shop) = statement.to else {
            return Err(ChainFault::WrongRecipient { to: statement.to });
        };
        let Body::Placed(body) = Body::decode(statement.kind, &statement.body)? else {
            return Err(ChainFault::NotAFirstEntry);
        };
        if author != Author::customer(body.customer) {
            return Err(ChainFault::WrongAuthor);
        }
        let (id, at, answer_by) = (statement.order, statement.at, statement.answer_by);
        let order = step::begin(id, shop, at, answer_by, body.clone());
        let body = Body::Placed(body);
        let first = Entry { signed: placed, author, body, generation: 0, seq: 0, acted_on: true };
        Ok(Self { entries: vec![first], order })
    }

    /// Adds the shop's next entry. The same entry again changes nothing.
    ///
    /// # Errors
    /// [`ChainFault`]: [`ChainFault::Gap`] when entries before it are missing,
    /// [`ChainFault::Forks`] when another entry stands in its place (compare the two chains, see
    /// [`super::merge`]), or what else is wrong with it. Nothing changed then.
    pub fn push(&mut self, entry: SignedStatement, author: Author) -> Result<Pushed, ChainFault> {
        if self.contains(entry.hash()) {
            return Ok(Pushed::Already);
        }
        let (entry, order) = self.check(entry, author)?;
        self.entries.push(entry);
        self.order = order;
        Ok(Pushed::Added)
    }

    fn check(&self, signed: SignedStatement, author: Author) -> Result<(Entry, Order), ChainFault> {
        let statement = signed.statement();
        let Position::Entry { generation, seq, prev } = statement.position else {
            return Err(ChainFault::NotAnEntry);
        };
        if statement.order != self.order.id {
            return Err(ChainFault::WrongOrder);
        }
        if statement.to != self.order.customer {
            return Err(ChainFault::WrongRecipient { to: statement.to });
        }
        if author != Author::node(self.order.shop, generation) {
            return Err(ChainFault::WrongAuthor);
        }
        let next_seq = self.entries.len() as u32;
        if seq > next_seq {
            return Err(ChainFault::Gap { have: next_seq, got: seq });
        }
        if seq < next_seq || prev != Some(self.head()) {
            return Err(ChainFault::Forks { seq });
        }
        if self.entries.len() >= ENTRIES_MAX {
            return Err(ChainFault::TooManyEntries);
        }
        let last = self.last();
        if generation < last.generation {
            return Err(ChainFault::GenerationFell { from: last.generation, to: generation });
        }
        // One generation is one box with one key: a second key is a second writer.
        if seq > 1 && generation == last.generation && signed.signer() != last.signed.signer() {
            return Err(ChainFault::TwoWriters { generation });
        }
        let body = Body::decode(statement.kind, &statement.body)?;
        let (order, acted_on) = match step::step(&self.order, statement.at, &body) {
            Ok(order) => (order, !matches!(body, Body::Reserved(_) | Body::Unknown { .. })),
            // What a later version wrote may have led to this: it is kept, like that.
            Err(_) if self.order.newer => (self.order.clone(), false),
            Err(misstep) => return Err(misstep.into()),
        };
        Ok((Entry { signed, author, body, generation, seq, acted_on }, order))
    }

    /// Signs the shop's next entry, without adding it.
    ///
    /// # Errors
    /// [`ChainFault`] when it would not fit, or is of a kind that nobody writes yet.
    pub fn next(
        &self,
        generation: u64,
        at: UnixMs,
        body: &Body,
        key: &SigningKey,
    ) -> Result<SignedStatement, ChainFault> {
        if let Body::Reserved(_) | Body::Unknown { .. } = body {
            return Err(ChainFault::NotWrittenYet { kind: body.label() });
        }
        let position =
            Position::Entry { generation, seq: self.entries.len() as u32, prev: Some(self.head()) };
        let statement = Statement {
            kind: body.kind(),
            to: self.order.customer,
            order: self.order.id,
            position,
            at,
            answer_by: None,
            body: body.encode(),
        };
        let signed = statement.sign(key);
        self.check(signed.clone(), Author::node(self.order.shop, generation))?;
        Ok(signed)
    }

    /// Signs the shop's next entry and adds it.
    ///
    /// # Errors
    /// As for [`Chain::next`]; nothing changed then.
    pub fn append(
        &mut self,
        generation: u64,
        at: UnixMs,
        body: &Body,
        key: &SigningKey,
    ) -> Result<SignedStatement, ChainFault> {
        let signed = self.next(generation, at, body, key)?;
        let author = Author::node(self.order.shop, generation);
        let _ = self.push(signed.clone(), author)?;
        Ok(signed)
    }

    /// Where the order stands.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The hash of the last entry.
    pub fn head(&self) -> Hash {
        self.last().hash()
    }

    /// The entries, the customer's first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries there are; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a chain is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last entry.
    pub fn last(&self) -> &Entry {
        self.entries.last().expect("a chain begins with the customer's entry")
    }

    /// The customer's first entry.
    pub fn first(&self) -> &Entry {
        self.entries.first().expect("a chain begins with the customer's entry")
    }

    /// The highest generation among the entries; 0 before the shop wrote one.
    pub fn generation(&self) -> u64 {
        self.last().generation
    }

    /// Whether an entry with this hash is in the chain.
    pub fn contains(&self, hash: Hash) -> bool {
        self.entries.iter().any(|entry| entry.hash() == hash)
    }

    /// The shop's first entry: the proof that the order reached it, which alone ends the sending.
    pub fn intake(&self) -> Option<&Entry> {
        self.entries.get(1)
    }
}

/// An entry that cannot stand where it was put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Its body is damaged or beyond limits.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It does not follow from where the order stands.
    #[error(transparent)]
    Misstep(#[from] Misstep),
    /// It is a request or an answer, not an entry.
    #[error("this is not an entry of an order")]
    NotAnEntry,
    /// A chain starts with the customer's order.
    #[error("an order starts with the customer's own entry")]
    NotAFirstEntry,
    /// It belongs to another order.
    #[error("this entry belongs to another order")]
    WrongOrder,
    /// It is addressed to somebody else.
    #[error("this is addressed to {to}")]
    WrongRecipient {
        /// To whom.
        to: Party,
    },
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
    #[error("an order has at most {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// A kind that is reserved for a later version.
    #[error("\"{kind}\" comes in a later version")]
    NotWrittenYet {
        /// The word for the kind.
        kind: &'static str,
    },
}
