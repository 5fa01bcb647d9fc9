//! `init` and `login`.

use kirana_core::time::UnixMs;
use minicbor::bytes::ByteVec;
use serde::Serialize;

use super::{Desk, Failure, now, passphrase, wait};
use crate::{app::Household, clock, net::sign_in};

#[derive(Serialize)]
struct Made {
    device: String,
    home: String,
    behind_passphrase: bool,
}

pub(super) fn init(desk: &Desk, name: &str, hub: Option<&str>) -> Result<(), Failure> {
    if desk.home.is_made() {
        // Keys without a household are what a crash between the two steps leaves behind.
        if desk.household().is_ok() {
            let path = desk.home.folder().join(crate::home::KEYS);
            return Err(crate::home::HomeError::AlreadyMade { path }.into());
        }
    }
    let database = desk.home.database()?;
    let passphrase = passphrase();
    let mut rng = clock::rng();
    let keys = if desk.home.is_made() {
        desk.home.keys(passphrase.as_deref())?
    } else {
        desk.home.make_keys(passphrase.as_deref(), &mut rng)?
    };
    let household = Household::create(database, keys, now(), &mut rng)?;
    if !name.is_empty() {
        let (name, at) = (name.to_owned(), now());
        household.edit_document(&mut rng, move |document| document.set_name(&name, at))?;
    }
    if let Some(url) = hub {
        join(&household, url)?;
    }
    let made = Made {
        device: household.keys().id().to_string(),
        home: desk.home.folder().display().to_string(),
        behind_passphrase: passphrase.is_some(),
    };
    desk.say(&made, || {
        let theft = if made.behind_passphrase {
            ""
        } else {
            "\nIts keys lie open in that folder: whoever takes this computer has them. \
             Set KIRANA_PASSPHRASE before `init` to lock them."
        };
        format!("This household is set up in {}.{theft}", made.home)
    });
    Ok(())
}

/// Learns who may vouch for whom.
fn join(household: &Household, url: &str) -> Result<(), Failure> {
    let found = wait(sign_in::neighbourhood(url))??;
    Ok(household.trust_roster(found.root, &found.roster)?)
}

#[derive(Serialize)]
struct LoggedIn {
    account: String,
    device: String,
}

pub(super) fn login(desk: &Desk, url: &str, login: &str) -> Result<(), Failure> {
    let household = desk.household()?;
    let password = match std::env::var("KIRANA_PASSWORD") {
        Ok(password) if !password.is_empty() => password,
        _ => rpassword::prompt_password("Password: ")
            .map_err(|source| Failure::File { path: "the terminal".to_owned(), source })?,
    };
    join(&household, url)?;
    let otp = std::env::var("KIRANA_OTP").ok();
    let typed = (password.as_str(), otp.as_deref());
    let before = household.session()?;
    let own = (household.keys(), now());
    let signed_in = wait(sign_in::sign_in(url, login, typed, own, before.as_ref()))??;
    household.keep_session(&signed_in.session)?;
    let chain = signed_in.certificates.into_iter().map(ByteVec::from).collect();
    household.certify(chain)?;
    let said = LoggedIn {
        account: signed_in.account.to_string(),
        device: household.keys().id().to_string(),
    };
    desk.say(&said, || format!("Signed in as {login}; orders from this device are yours now."));
    Ok(())
}

#[derive(Serialize)]
struct Clock {
    at: UnixMs,
    in_doubt: bool,
}

pub(super) fn clock(desk: &Desk, confirm: bool) -> Result<(), Failure> {
    let household = desk.household()?;
    if confirm {
        household.known_now(now());
        household.confirm_clock()?;
    }
    let known = household.known_now(now());
    let told = Clock { at: known.at, in_doubt: known.expiry_suspended };
    desk.say(&told, || match told.in_doubt {
        true => format!(
            "It is at least {}. This computer's clock jumped; nothing runs out until you say that \
             it is right: `kirana clock --confirm`.",
            told.at
        ),
        false => format!("It is {}.", told.at),
    });
    Ok(())
}
