//! Every way in which the hub says no, worded for the person who asked.

use kirana_core::trust::Unfollowed;
use kirana_customer::app::HouseholdError;
use kirana_migrations::{StoreError, WriteError};
use kirana_picture::Unfit;

use super::{
    password::{Busy, Hint},
    throttle::Throttled,
};
use crate::store::{
    Never,
    account::{NotChanged, NotCreated},
    client::Exists,
    idempotency::Mismatch,
    reset::Crowded,
};

/// A refusal of a use-case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or one that does not count here.
    #[error("sign in first: the access token is missing, over, or not for this hub")]
    NotSignedIn,
    /// The login is unknown or the password is wrong; which one is not said.
    #[error("the login or the password is wrong")]
    BadCredentials,
    /// The password was right, and the account has a second factor.
    #[error("this account has a second factor: its code is needed too")]
    FactorNeeded,
    /// The code does not count, or was used.
    #[error("the code of the second factor is wrong, over, or was used before")]
    FactorWrong,
    /// The password was right, and an administrator closed the account.
    #[error("this account is suspended; ask whoever runs the hub")]
    Suspended,
    /// What is asked needs a second factor, and the session was opened without.
    #[error(
        "administrators need a second factor: begin one at POST /v1/me/factors, then sign in with \
         its code"
    )]
    FactorRequired,
    /// What is asked needs a sign-in of a moment ago.
    #[error("the sign-in is too old for this: send your password along, or sign in again")]
    SignInTooOld,
    /// The token was not given for this.
    #[error("this token may not be used for that; sign in with the scope {scope:?}")]
    ScopeMissing {
        /// The scope that is needed.
        scope: &'static str,
    },
    /// The roles of the account do not allow it.
    #[error("your account may not do that ({action})")]
    Forbidden {
        /// What was asked.
        action: &'static str,
    },
    /// It is not there, or it is somebody else's.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The account cannot be made.
    #[error(transparent)]
    NotCreated(#[from] NotCreated),
    /// The id of a client is taken.
    #[error(transparent)]
    ClientExists(#[from] Exists),
    /// The Idempotency-Key belongs to another request.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The password is too easy.
    #[error(transparent)]
    Weak(#[from] Hint),
    /// A link or a code does not count.
    #[error("the link or code is wrong, over, or was used before; ask for a new one")]
    CodeUnknown,
    /// A field does not hold what it should.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it should hold.
        why: &'static str,
    },
    /// No picture can be made of a file.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Whoever asks did not show that the keys are theirs.
    #[error("{why}")]
    Unproved {
        /// What was to be shown.
        why: &'static str,
    },
    /// A shop did not come to whoever says so.
    #[error(transparent)]
    Unfollowed(#[from] Unfollowed),
    /// No account is opened to whoever shows these certificates.
    #[error("{why}")]
    KeyRefused {
        /// What is wrong.
        why: String,
    },
    /// What is asked contradicts what is.
    #[error("{why}")]
    Conflict {
        /// In which way.
        why: &'static str,
    },
    /// What is asked cannot be done as things stand.
    #[error("{why}")]
    Declined {
        /// The last part of the problem's type.
        kind: &'static str,
        /// In which way.
        why: String,
    },
    /// Too many attempts.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Too many ask at once.
    #[error(transparent)]
    Crowded(#[from] Crowded),
    /// Too much work at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A community hub keeps mail and the directory, and nothing else.
    #[error("this is a community hub: it carries mail and knows shops; accounts are at the hub")]
    NotServedHere,
    /// Nothing was changed; it may work later.
    #[error("{0}")]
    Unavailable(String),
    /// The database failed or holds what nobody wrote.
    #[error("the hub's database failed: {0}")]
    Broken(#[from] StoreError),
}

impl<E: Into<Error> + std::fmt::Display> From<WriteError<E>> for Error {
    fn from(error: WriteError<E>) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Store(error) => Self::Broken(error),
            WriteError::Full | WriteError::Crowded | WriteError::Unknown | WriteError::Stopped => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<NotChanged> for Error {
    fn from(refusal: NotChanged) -> Self {
        match refusal {
            NotChanged::Unknown => Self::NotFound { what: "account" },
            NotChanged::LastAdmin => Self::Conflict {
                why: "this is the only administrator who can sign in; make another one first",
            },
        }
    }
}

impl From<Never> for Error {
    fn from(never: Never) -> Self {
        match never {}
    }
}

impl From<HouseholdError> for Error {
    fn from(error: HouseholdError) -> Self {
        use kirana_core::household::HouseholdError as Refusal;
        match error {
            HouseholdError::UnknownOrder => Self::NotFound { what: "order" },
            HouseholdError::Document(Refusal::NoSuchCart) => Self::NotFound { what: "cart" },
            HouseholdError::Document(Refusal::NotThere) => {
                Self::NotFound { what: "line or address" }
            }
            HouseholdError::Document(Refusal::Text) => {
                let why = "some text, and no more than 500 bytes of it";
                Self::Invalid { field: "text", why }
            }
            HouseholdError::Store(error) => error.into(),
            HouseholdError::Storage(_) => Self::Unavailable(error.to_string()),
            HouseholdError::Invalid(_) => declined("no-such-order", &error),
            HouseholdError::NotOnTheseTerms { .. } => declined("not-on-these-terms", &error),
            HouseholdError::NobodyAsks => declined("nobody-asks", &error),
            HouseholdError::UnknownKhata => declined("unknown-khata", &error),
            HouseholdError::NothingToSign => declined("nothing-to-sign", &error),
            HouseholdError::Document(_) => declined("conflict", &error),
            other => declined("cannot-be-done", &other),
        }
    }
}

fn declined(kind: &'static str, error: &HouseholdError) -> Error {
    Error::Declined { kind, why: error.to_string() }
}
