//! Says what went wrong: a sentence for people, problem details (RFC 9457) for programs.

use kirana_picture::qr;
use serde::Serialize;

use crate::{app::HouseholdError, home::HomeError, net::NetError};

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The words of the command cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The household's folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The household could not do it.
    #[error(transparent)]
    Household(#[from] HouseholdError),
    /// Nobody was reached, or they refused.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A picture shows no text of ours.
    #[error(transparent)]
    Picture(#[from] qr::Unread),
    /// A text is too long for pictures.
    #[error(transparent)]
    TooLong(#[from] qr::TooLong),
    /// Something is not for sale, or not in this amount.
    #[error("{0}")]
    NotForSale(String),
    /// Nobody in reach gave a picture that is not kept here.
    #[error("the picture {image} is not kept here{}", told(notes))]
    NoPicture {
        /// Its digest.
        image: kirana_core::hash::Hash,
        /// Who did not give it, and why.
        notes: Vec<String>,
    },
    /// There is nothing to do it with.
    #[error("{0}")]
    Nothing(&'static str),
}

impl Failure {
    /// The last part of the problem's type: stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Home(HomeError::NotMade) | Self::Household(HouseholdError::NotMade) => {
                "not-set-up"
            }
            Self::Home(HomeError::AlreadyMade { .. }) => "already-set-up",
            Self::Home(HomeError::PassphraseNeeded | HomeError::Shut(_)) => "passphrase",
            Self::Home(_) => "folder",
            Self::Household(error) => household(error),
            Self::Net(error) => error.code(),
            Self::File { .. } => "file",
            Self::Picture(_) => "picture",
            Self::TooLong(_) => "too-long-for-a-picture",
            Self::NotForSale(_) => "not-for-sale",
            Self::NoPicture { .. } => "no-picture",
            Self::Nothing(_) => "nothing-to-do",
        }
    }

    /// 2 for what was asked or set up wrongly, 1 for what failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Home(HomeError::NotMade | HomeError::PassphraseNeeded) => 2,
            _ => 1,
        }
    }

    /// As problem details.
    pub fn problem(&self) -> Problem {
        let code = self.code();
        Problem {
            kind: format!("urn:kirana:problem:{code}"),
            title: code.replace('-', " "),
            detail: self.to_string(),
        }
    }
}

/// Who did not give it, and why, a line each.
fn told(notes: &[String]) -> String {
    notes.iter().map(|note| format!("\n  {note}")).collect()
}

fn household(error: &HouseholdError) -> &'static str {
    match error {
        HouseholdError::NoAccount => "no-account",
        HouseholdError::NotTheirs => "not-theirs",
        HouseholdError::UnknownShop => "unknown-shop",
        HouseholdError::UnknownOrder => "unknown-order",
        HouseholdError::NobodyAsks => "nobody-asks",
        HouseholdError::UnknownKhata => "unknown-khata",
        HouseholdError::NothingToSign => "nothing-to-sign",
        HouseholdError::MessageTooLong => "message-too-long",
        HouseholdError::NotOnTheseTerms { .. } => "not-on-these-terms",
        HouseholdError::TooLate => "too-late",
        HouseholdError::Invalid(_) => "invalid-order",
        HouseholdError::Malformed(_) => "malformed",
        HouseholdError::Unopenable(_) => "cannot-be-opened",
        HouseholdError::ForSomebodyElse => "for-somebody-else",
        HouseholdError::Distrust(_) => "not-trusted",
        HouseholdError::Storage(_) => "not-stored",
        _ => "household",
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
}
