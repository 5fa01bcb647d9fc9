//! Works out what an order's chain promises to its household, entry by entry.
//!
//! Written apart from the shipped code that derives orders, so that a checker does not trust what
//! it checks; it knows the kinds by number and reads only what changes the goods.

use std::collections::BTreeMap;

use kirana_core::{
    cbor::Malformed,
    hash::Hash,
    id::VariantId,
    key::KeyId,
    order::{
        entry::{Body, BodyError, Kind},
        placed::Placed,
    },
    statement::{Position, Statement, UnverifiedStatement},
};

/// What a chain says, in the units of its lines.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What was ordered.
    pub placed: Placed,
    /// The kinds of its entries, in order.
    pub kinds: Vec<u16>,
    /// The hash of its last entry.
    pub head: Hash,
    granted: Vec<u64>,
    handed_over: bool,
    closed: bool,
}

impl Claim {
    /// Reads a chain, which must link.
    ///
    /// # Errors
    /// [`Unclear`] when it does not start with an order, does not link, or cannot be read.
    pub fn read(chain: &[Vec<u8>]) -> Result<Self, Unclear> {
        let mut claim: Option<Self> = None;
        for bytes in chain {
            let entry = Entry::read(bytes)?;
            claim = Some(match claim {
                None => Self::begin(&entry)?,
                Some(claim) => claim.follow(&entry)?,
            });
        }
        claim.ok_or(Unclear::Empty)
    }

    /// What the shop keeps for the household, per variant.
    pub fn reserved(&self) -> BTreeMap<VariantId, u64> {
        if self.handed_over || self.closed { BTreeMap::new() } else { self.per_variant() }
    }

    /// What the household has taken home, per variant.
    pub fn taken_home(&self) -> BTreeMap<VariantId, u64> {
        if self.handed_over { self.per_variant() } else { BTreeMap::new() }
    }

    /// Whether the shop has said yes or no, or nobody waits for it any more.
    pub fn is_decided(&self) -> bool {
        const DECISIONS: [Kind; 4] =
            [Kind::Accepted, Kind::Declined, Kind::Withdrawn, Kind::Expired];
        DECISIONS.iter().any(|kind| self.has(*kind))
    }

    /// Whether nothing more is to come: handed over, or taken back, or refused.
    pub fn is_over(&self) -> bool {
        self.handed_over || self.closed
    }

    /// Whether an entry of this kind is among them.
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind.number())
    }

    fn per_variant(&self) -> BTreeMap<VariantId, u64> {
        let mut sums = BTreeMap::new();
        for (line, granted) in self.placed.lines.iter().zip(&self.granted) {
            if *granted > 0 {
                *sums.entry(line.variant).or_default() += granted;
            }
        }
        sums
    }

    fn begin(entry: &Entry) -> Result<Self, Unclear> {
        match (&entry.body, entry.seq, entry.prev) {
            (Body::Placed(placed), 0, None) => Ok(Self {
                granted: vec![0; placed.lines.len()],
                placed: placed.clone(),
                kinds: vec![Kind::Placed.number()],
                head: entry.hash,
                handed_over: false,
                closed: false,
            }),
            _ => Err(Unclear::NoOrder),
        }
    }

    fn follow(mut self, entry: &Entry) -> Result<Self, Unclear> {
        if entry.prev != Some(self.head) || usize::try_from(entry.seq) != Ok(self.kinds.len()) {
            return Err(Unclear::Unlinked { seq: entry.seq });
        }
        self.kinds.push(entry.body.kind());
        self.head = entry.hash;
        let mut set = |line: u16, granted: u64| {
            if let Some(slot) = self.granted.get_mut(usize::from(line)) {
                *slot = granted;
            }
        };
        match &entry.body {
            Body::Accepted(accepted) => accepted.lines.iter().for_each(|l| set(l.line, l.granted)),
            Body::Changed(changed) => {
                changed.lines.iter().for_each(|l| set(l.line, l.granted));
                changed.refused.iter().for_each(|l| set(l.line, 0));
            }
            Body::Shortage(shortage) => shortage.lines.iter().for_each(|l| set(l.line, l.granted)),
            Body::Collected(_) | Body::Delivered(_) => self.handed_over = true,
            Body::Cancelled(_) | Body::Declined(_) | Body::Withdrawn(_) | Body::Expired(_) => {
                self.closed = true;
            }
            _ => {}
        }
        Ok(self)
    }
}

/// One entry as an outsider reads it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key that it says signed it.
    pub signer: KeyId,
    /// The whole statement.
    pub statement: Statement,
    /// Its place.
    pub seq: u32,
    /// The generation that wrote it.
    pub generation: u64,
    /// The entry before.
    pub prev: Option<Hash>,
    /// Its name.
    pub hash: Hash,
    /// What it says.
    pub body: Body,
}

impl Entry {
    /// Reads one entry; its signature is not looked at.
    ///
    /// # Errors
    /// [`Unclear`] when it is no entry.
    pub fn read(bytes: &[u8]) -> Result<Self, Unclear> {
        let read = UnverifiedStatement::parse(bytes)?;
        let statement = read.claimed().clone();
        let Position::Entry { generation, seq, prev } = statement.position else {
            return Err(Unclear::NoEntry);
        };
        let body = Body::decode(statement.kind, &statement.body)?;
        Ok(Self {
            signer: read.signer(),
            hash: read.hash(),
            statement,
            seq,
            generation,
            prev,
            body,
        })
    }
}

/// A chain that an outsider cannot read.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// There is nothing.
    #[error("the chain is empty")]
    Empty,
    /// It does not begin with an order.
    #[error("the chain does not begin with an order")]
    NoOrder,
    /// A request or refusal.
    #[error("a statement in the chain is no entry")]
    NoEntry,
    /// An entry does not follow the one before.
    #[error("entry {seq} does not follow the one before")]
    Unlinked {
        /// Its place.
        seq: u32,
    },
    /// Damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Damaged inside.
    #[error(transparent)]
    Body(#[from] BodyError),
}
