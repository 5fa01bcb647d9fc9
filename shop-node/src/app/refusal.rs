//! Why something that came is not taken in at all: it leaves nothing behind.
//!
//! A request by a known customer that cannot be granted is no such case: it gets a signed refusal.

use kirana_core::{
    cbor::Malformed,
    envelope::Unopenable,
    key::KeyId,
    mail::Address,
    order::{chain::ChainFault, wish::SaidError},
    sign1::Forged,
    stamp::Unstamped,
    statement::Party,
    trust::Distrust,
};
use kirana_migrations::{Abort, StoreError, WriteError};

use super::{
    access::Closed,
    cards::{BadEvent, NotByCard},
    catalogue::NotEdited,
    closing::NotClosed,
    counter::NotEntered,
    feeds::NotFed,
    khata::NotWritten,
    lookup::NotLookedUp,
    orders::NotDone,
    staff::NotStaffed,
    terms::NotSet,
};

/// Something that came and was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum Undeliverable {
    /// The mail is for somebody else.
    #[error("the mail is for somebody else, not for this shop")]
    NotForUs {
        /// For whom.
        to: Address,
    },
    /// A statement inside is for somebody else: it was taken from other mail.
    #[error("a statement inside is for {to}, not for this shop")]
    StatementForOther {
        /// For whom.
        to: Party,
    },
    /// The stamp does not hold: forged, of other mail, or past its time.
    #[error(transparent)]
    Unstamped(#[from] Unstamped),
    /// The seal cannot be opened.
    #[error(transparent)]
    Unopenable(#[from] Unopenable),
    /// Something inside is damaged or beyond limits.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A statement's body is damaged, beyond limits, or in the wrong place.
    #[error(transparent)]
    Said(#[from] SaidError),
    /// A signature is not by the key that it names.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// A certificate does not count here.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// No certificate for the signer came along or is known.
    #[error("no certificate of the signer {signer} came along")]
    NoCertificate {
        /// The key that signed.
        signer: KeyId,
    },
    /// Whoever signed may not say that.
    #[error("whoever signed this may not say it")]
    WrongAuthor,
    /// The customer's entry does not begin an order.
    #[error(transparent)]
    Chain(ChainFault),
    /// There is nothing inside for a shop.
    #[error("there is nothing inside that a shop could act on")]
    Empty,
    /// Too much at once.
    #[error("{count} statements at once are too many (at most {max})")]
    TooMany {
        /// How many came.
        count: usize,
        /// How many are taken.
        max: usize,
    },
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request: take a fresh one")]
    KeyReused,
    /// This box met a newer one, or a twin, and changes nothing any more.
    #[error("this box no longer speaks for the shop: {why}")]
    ReadOnly {
        /// What happened.
        why: String,
    },
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(NotStored),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How storing failed, for callers of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// No room: nothing was changed.
    #[error("the disk of the shop is full; nothing was changed")]
    Full,
    /// Too many wait: nothing was changed.
    #[error("too many requests are waiting; try again")]
    Crowded,
    /// Nobody knows: ask again.
    #[error("whether it was stored is unknown; ask again with the same id")]
    Unknown,
    /// The disk failed.
    #[error("the disk of the shop failed; nothing is stored until it is started again")]
    Stopped,
}

/// Lets `?` turn what a writer answers into the refusal of a use-case. Rust takes no blanket
/// `impl<E> From<WriteError<E>> for E`, so the refusals are listed.
macro_rules! refuses_what_is_not_stored {
    ($($refusal:ty),+ $(,)?) => {$(
        impl From<WriteError<Self>> for $refusal {
            fn from(error: WriteError<Self>) -> Self {
                match NotStored::of(error) {
                    Ok(not_stored) => Self::NotStored(not_stored),
                    Err(Abort::Refused(refusal)) => refusal,
                    Err(Abort::Store(error)) => Self::Store(error),
                }
            }
        }
    )+};
}

refuses_what_is_not_stored!(
    BadEvent,
    Closed,
    NotByCard,
    NotClosed,
    NotDone,
    NotEdited,
    NotEntered,
    NotWritten,
    NotFed,
    NotLookedUp,
    NotSet,
    NotStaffed,
    Undeliverable,
);

impl NotStored {
    /// Sorts what a writer answers: the disk's state, or what the job itself said.
    pub(crate) fn of<E>(error: WriteError<E>) -> Result<Self, Abort<E>> {
        match error {
            WriteError::Full => Ok(Self::Full),
            WriteError::Crowded => Ok(Self::Crowded),
            WriteError::Unknown => Ok(Self::Unknown),
            WriteError::Stopped => Ok(Self::Stopped),
            WriteError::Refused(refusal) => Err(Abort::Refused(refusal)),
            WriteError::Store(error) => Err(Abort::Store(error)),
        }
    }
}
