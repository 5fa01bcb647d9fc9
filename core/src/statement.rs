//! What a party says under its signature: an order's entry, a request, or a refusal.
//!
//! **Invariant:** the signed part binds the recipient, the order, the kind, the deadline, and the
//! place in the chain (entries) or a random id (requests), so nothing can be replayed elsewhere.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::{AccountId, OrderId, ShopId},
    key::{KeyId, PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest signed statement, in bytes: an order of [`crate::order::LINES_MAX`] lines fits.
pub const STATEMENT_BYTES_MAX: usize = 32 * 1024;

/// Somebody that a statement can be addressed to.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(flat)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Party {
    /// A shop, whatever box it runs on today.
    #[n(0)]
    Shop(#[n(0)] ShopId),
    /// An account: one household.
    #[n(1)]
    Account(#[n(0)] AccountId),
    /// A guest, known by the key of the device only.
    #[n(2)]
    Guest(#[n(0)] KeyId),
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shop(id) => write!(f, "shop {id}"),
            Self::Account(id) => write!(f, "account {id}"),
            Self::Guest(id) => write!(f, "guest {id}"),
        }
    }
}

/// Where a statement stands: in an order's chain, or on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Position {
    /// An entry of an order's chain.
    #[n(0)]
    Entry {
        /// The shop's generation when it was written; 0 in a customer's first entry.
        #[n(0)]
        generation: u64,
        /// 0 for the first entry, then one more each.
        #[n(1)]
        seq: u32,
        /// The hash of the entry before; `None` only in the first.
        #[n(2)]
        prev: Option<Hash>,
    },
    /// A request or a refusal, by a random id that makes it unique.
    #[n(1)]
    Request {
        /// 128 random bits.
        #[cbor(n(0), with = "minicbor::bytes")]
        id: [u8; 16],
    },
}

/// The content of a statement; `kind` says how `body` is read.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Statement {
    /// The number of the kind: see [`crate::order::entry`].
    #[n(0)]
    pub kind: u16,
    /// Whom it is for.
    #[n(1)]
    pub to: Party,
    /// Which order it is about.
    #[n(2)]
    pub order: OrderId,
    /// Where it stands.
    #[n(3)]
    pub position: Position,
    /// When it was written, by its author's clock.
    #[n(4)]
    pub at: UnixMs,
    /// Until when an answer is wanted.
    #[n(5)]
    pub answer_by: Option<UnixMs>,
    /// CBOR by kind.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

impl Statement {
    /// Signs the statement; the result is stored and sent as it is.
    pub fn sign(&self, key: &SigningKey) -> SignedStatement {
        let bytes = sign1::sign(key, Purpose::Statement, cbor::to_vec(self));
        SignedStatement { statement: self.clone(), signer: key.id(), hash: Hash::of(&bytes), bytes }
    }
}

/// A statement whose signature was checked, with the bytes it came as.
///
/// Made only by signing or by verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    signer: KeyId,
    hash: Hash,
    bytes: Vec<u8>,
}

impl SignedStatement {
    /// What was said.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The key that signed.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The digest of the signed bytes: the statement's name, and the link in a chain.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Which bytes were signed by which key, so that a long list need not check each signature again.
///
/// Bytes are named by their digest, which is worked out of what was just read: one that changed
/// since is checked like any other, and does not hold.
#[derive(Debug, Default)]
pub struct Seen(BTreeSet<(Hash, [u8; 32])>);

impl Seen {
    /// [`UnverifiedStatement::verify`], or what it said of the same bytes and key before.
    ///
    /// # Errors
    /// As there.
    pub fn verify(
        &mut self,
        statement: UnverifiedStatement,
        key: &PublicKey,
    ) -> Result<SignedStatement, Forged> {
        let name = (statement.hash(), *key.as_bytes());
        if self.0.contains(&name) {
            let (signer, hash) = (statement.signer(), statement.hash());
            let bytes = statement.sign1.into_bytes();
            return Ok(SignedStatement { statement: statement.statement, signer, hash, bytes });
        }
        let signed = statement.verify(key)?;
        if self.0.len() >= SEEN_MAX {
            self.0.clear();
        }
        self.0.insert(name);
        Ok(signed)
    }
}

/// Signatures that are remembered, 64 bytes each; beyond that all are forgotten.
const SEEN_MAX: usize = 65_536;

/// A statement as it came: well formed, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedStatement {
    sign1: Unverified,
    statement: Statement,
}

impl UnverifiedStatement {
    /// Reads a signed statement.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let sign1 = Unverified::parse("a signed statement", bytes, STATEMENT_BYTES_MAX)?;
        let statement = cbor::from_slice("a statement", sign1.payload(), STATEMENT_BYTES_MAX)?;
        Ok(Self { sign1, statement })
    }

    /// The key that it says signed it: look up its certificate by this.
    pub fn signer(&self) -> KeyId {
        self.sign1.signer()
    }

    /// The digest of the bytes.
    pub fn hash(&self) -> Hash {
        self.sign1.hash()
    }

    /// What it says, not to be acted on yet.
    pub fn claimed(&self) -> &Statement {
        &self.statement
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Forged`] when it is not by `key`.
    pub fn verify(self, key: &PublicKey) -> Result<SignedStatement, Forged> {
        let authentic = self.sign1.verify(key, Purpose::Statement)?;
        Ok(SignedStatement {
            statement: self.statement,
            signer: authentic.signer(),
            hash: authentic.hash(),
            bytes: authentic.bytes().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(key: &SigningKey) -> Vec<u8> {
        let to = Party::Guest(key.id());
        let order = OrderId::new(UnixMs::new(1_790_000_000_000), [1; 10]);
        let position = Position::Request { id: [2; 16] };
        let at = UnixMs::new(1_790_000_000_000);
        let body = vec![1, 2, 3];
        let said = Statement { kind: 100, to, order, position, at, answer_by: None, body };
        said.sign(key).bytes().to_vec()
    }

    #[test]
    fn p8_what_was_seen_before_is_the_same_and_what_changed_since_is_refused() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let bytes = signed(&key);
        let parsed = || UnverifiedStatement::parse(&bytes).expect("it is whole");
        let mut seen = Seen::default();
        let first = seen.verify(parsed(), &key.public()).expect("it is genuine");
        assert_eq!(seen.verify(parsed(), &key.public()), Ok(first));
        assert!(seen.verify(parsed(), &other.public()).is_err(), "by another key");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let held = UnverifiedStatement::parse(&changed)
                .is_ok_and(|read| seen.verify(read, &key.public()).is_ok());
            assert!(!held, "byte {at}");
        }
    }
}
