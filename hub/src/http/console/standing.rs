//! Suspends an account, opens it again, or erases it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use kirana_core::id::AccountId;

use super::{
    Answer,
    accounts::name_of,
    guard::{Operator, Posted, Turned},
    page::{Confirmation, Shell, page},
    see_other,
};
use crate::{
    app::{Error, account::Profile, export::Erasure},
    clock,
    http::{Door, extract::id},
};

#[derive(Template)]
#[template(path = "console/erased.html")]
struct ErasedPage {
    shell: Shell,
    account: AccountId,
    erasure: Erasure,
}

/// What can become of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Suspend,
    Resume,
    Erase,
}

impl Step {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Suspend, "suspend"), (Self::Resume, "resume"), (Self::Erase, "erase")];

    fn read(text: &str) -> Result<Self, Error> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text).map(|(step, _)| *step);
        found.ok_or(Error::NotFound { what: "page" })
    }

    /// The question, what a yes comes to, and the word for it.
    fn question(self, account: &Profile) -> (String, &'static str, &'static str) {
        let name = name_of(account);
        match self {
            Self::Suspend => (
                format!("Suspend {name}?"),
                "The person is signed out everywhere and cannot sign in until the account is opened \
                 again. Certificates of devices go on; shut a stolen device out by itself.",
                "Suspend",
            ),
            Self::Resume => (
                format!("Open the account of {name} again?"),
                "The person can sign in again.",
                "Open it again",
            ),
            Self::Erase => (
                format!("Erase {name} for ever?"),
                "The key of all that names this person is destroyed, the devices are shut out, and \
                 nobody can bring that back. Orders stay with the shops, as the law asks them.",
                "Erase for ever",
            ),
        }
    }
}

/// Asks whether it is meant.
pub async fn ask(
    State(door): State<Door>,
    Path((account, step)): Path<(String, String)>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let (account, step) = (id::<AccountId>("account", &account)?, (Step::read(&step)?, step));
    let profile = door.hub.account(&actor, account, clock::now()).await?;
    let (title, comes_to, button) = step.0.question(&profile);
    let question = Confirmation {
        shell,
        title,
        lines: vec![comes_to.to_owned()],
        action: format!("/console/accounts/{account}/{}", step.1),
        fields: Vec::new(),
        button,
        is_grave: step.0 != Step::Resume,
        back: format!("/console/accounts/{account}"),
    };
    Ok(page(&question)?)
}

/// Does it.
pub async fn change(
    State(door): State<Door>,
    Path((account, step)): Path<(String, String)>,
    Posted { actor, shell, .. }: Posted,
) -> Answer {
    let (account, now) = (id::<AccountId>("account", &account)?, clock::now());
    let done = match Step::read(&step)? {
        Step::Suspend => {
            door.hub.suspend(&actor, account, true, now).await?;
            "suspended"
        }
        Step::Resume => {
            door.hub.suspend(&actor, account, false, now).await?;
            "resumed"
        }
        Step::Erase => {
            let erasure = door.hub.erase_account(&actor, account, now).await?;
            return page(&ErasedPage { shell, account, erasure });
        }
    };
    Ok(see_other(&format!("/console/accounts/{account}?done={done}")))
}
