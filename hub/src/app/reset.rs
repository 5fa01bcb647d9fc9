//! Ways back to an account whose password is lost, with mail and without.
//!
//! **Invariants:** asking tells nobody whether an account exists, by the answer or by its time; a
//! code counts once, and is not used up by a password that is refused; no code stands in for a
//! second factor.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};

use super::{
    Error, Hub,
    account::login,
    authorize::digest,
    factor::recovery_code,
    letter::{Content, is_hindi},
    password::Password,
    policy::{Action, Actor},
};
use crate::{
    clock::{Rng, draw},
    store::{
        account::Stored,
        letter::Letter,
        reset::{Codes, Kind},
    },
};

/// How long a link, a handed code and the code of an address count, in milliseconds.
pub const CODE_MS: u64 = 60 * 60_000;
/// Codes that are printed at registration.
pub const PRINTED_CODES: usize = 8;

/// What somebody shows who lost the password.
pub enum Shown<'a> {
    /// The token of a link.
    Link(&'a str),
    /// A printed or handed code, with the login.
    Code {
        /// The login, as typed.
        login: &'a str,
        /// The code, as typed.
        code: &'a str,
    },
}

/// A code to hand over in person.
pub struct Handed {
    /// The code; shown once.
    pub code: String,
    /// Until when it counts.
    pub expires_at: UnixMs,
}

impl Hub {
    /// Somebody asks for a link. Whether there is such an account is looked up later.
    ///
    /// # Errors
    /// [`Error::Throttled`], or that too many ask.
    pub async fn ask_reset(&self, typed: &str, from: IpAddr, now: UnixMs) -> Result<(), Error> {
        self.central_only()?;
        self.throttle().attempt(from, now)?;
        let digest = self.secrets().digest("login", &login(typed).unwrap_or_default());
        self.store().ask_reset(digest, now).await?;
        self.call_post();
        Ok(())
    }

    /// Answers those who asked: with a letter, where the account has an address and did not have
    /// too many of them.
    ///
    /// # Errors
    /// When the database fails; what is left is answered later.
    pub async fn answer_resets(&self, now: UnixMs, rng: Rng<'_>) -> Result<(), Error> {
        while let Some((seq, login_digest)) = self.store().reset_request().await? {
            let answer = match self.store().account_by_digest(login_digest).await? {
                Some(account) => self.link_for(&account, now, rng).unwrap_or_else(|error| {
                    // One damaged account must not keep others waiting.
                    tracing::error!(account.id = %account.id, %error, "no link could be sent");
                    None
                }),
                None => None,
            };
            self.store().answer_reset(seq, answer).await?;
        }
        Ok(())
    }

    fn link_for(
        &self,
        account: &Stored,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Option<(Codes, Letter)>, Error> {
        let personal = self.person(account)?.open(&account.personal)?;
        let token = URL_SAFE_NO_PAD.encode(draw::<32>(rng));
        let issuer = &self.settings().issuer;
        let language = if is_hindi(&account.language) { "&language=hi" } else { "" };
        let link = format!("{issuer}/password-reset?token={token}{language}");
        let content = Content::Reset { link: &link };
        let letter = self.letter(account, personal.address(), content, now, rng)?;
        let Some(letter) = letter else { return Ok(None) };
        // Beyond this the newest link of those that were sent still counts.
        if self.throttle().letter(account.login_digest, now).is_err() {
            return Ok(None);
        }
        Ok(Some((codes(account.id, Kind::Link, vec![digest("reset", &token)], Some(now)), letter)))
    }

    /// Sets another password for whoever shows a link or a code, and signs out everywhere.
    ///
    /// # Errors
    /// [`Error::CodeUnknown`]; [`Error::Weak`], which leaves the code as it is.
    pub async fn reset_password(
        &self,
        shown: Shown<'_>,
        password: &str,
        from: IpAddr,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.central_only()?;
        let Some((account, code)) = self.meant(shown, now).await? else {
            self.throttle().attempt(from, now)?;
            return Err(Error::CodeUnknown);
        };
        self.throttle().guess_with(code, now)?;
        let personal = self.person(&account)?.open(&account.personal)?;
        let (password, beside) = (Password::new(password), self.beside(account.id).await?);
        let hashed = self.hasher().hash_new(password, personal.words(), beside, draw(rng));
        let hash = hashed.await?.map_err(|weak| weak.told_in(&account.language))?;
        let letter = self.letter(&account, personal.address(), Content::PasswordSet, now, rng)?;
        match self.store().reset_password(account.id, code, hash, letter, now).await? {
            true => {
                self.call_post();
                Ok(())
            }
            false => Err(Error::CodeUnknown),
        }
    }

    /// Whether a link still counts; looking changes nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_link_alive(&self, token: &str, now: UnixMs) -> Result<bool, Error> {
        self.central_only()?;
        Ok(self.meant(Shown::Link(token), now).await?.is_some())
    }

    /// The account that is meant, with the digest of the code, if the code counts.
    async fn meant(
        &self,
        shown: Shown<'_>,
        now: UnixMs,
    ) -> Result<Option<(Stored, [u8; 32])>, Error> {
        let code = match shown {
            Shown::Link(token) => digest("reset", token),
            Shown::Code { login: typed, code } => {
                let name = self.secrets().digest("login", &login(typed).unwrap_or_default());
                let Some(account) = self.store().account_by_digest(name).await? else {
                    return Ok(None);
                };
                code_digest(account.id, code)
            }
        };
        let Some(account) = self.store().account_of_code(code, now).await? else { return Ok(None) };
        Ok(self.store().account(account).await?.map(|account| (account, code)))
    }

    /// Gives the own account other codes to print, for whoever knows the password.
    ///
    /// # Errors
    /// [`Error::BadCredentials`].
    pub async fn print_codes(
        &self,
        actor: &Actor,
        password: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<String>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.check_password_here(actor, &account, password, now).await?;
        let printed = fresh_codes(rng);
        self.store().replace_codes(printed_codes(account.id, &printed), None, None).await?;
        Ok(printed)
    }

    /// Makes a code that an administrator hands over in person.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; [`Error::Conflict`] for the own
    /// account, whose password is changed by whoever knows it, and for another administrator's.
    pub async fn hand_code(
        &self,
        actor: &Actor,
        id: AccountId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Handed, Error> {
        // Whoever may say what an account is stands above it: administrators alone, who are highest.
        self.authorise(actor, Action::SetRoles(id), &id.to_string(), now).await?;
        if id == actor.account {
            let why = "for your own account, change the password at PUT /v1/me/password";
            return Err(Error::Conflict { why });
        }
        let account = self.store().account(id).await?.ok_or(Error::NotFound { what: "account" })?;
        self.keep_out(actor, Action::SetRoles(id), &account, now).await?;
        let code = recovery_code(draw(rng));
        let handed = codes(id, Kind::Handed, vec![code_digest(id, &code)], Some(now));
        let personal = self.person(&account)?.open(&account.personal)?;
        let letter = self.letter(&account, personal.address(), Content::CodeMade, now, rng)?;
        let act = actor.act(Action::SetRoles(id), &id.to_string(), "recovery code made", now);
        self.store().replace_codes(handed, letter, Some(act)).await?;
        self.call_post();
        Ok(Handed { code, expires_at: now.plus_ms(CODE_MS) })
    }
}

/// Codes as they are stored; those with a beginning end after [`CODE_MS`].
pub(super) fn codes(
    account: AccountId,
    kind: Kind,
    digests: Vec<[u8; 32]>,
    from: Option<UnixMs>,
) -> Codes {
    Codes { account, kind, digests, expires_at: from.map(|from| from.plus_ms(CODE_MS)) }
}

/// Codes to print.
pub(super) fn fresh_codes(rng: Rng<'_>) -> Vec<String> {
    (0..PRINTED_CODES).map(|_| recovery_code(draw(rng))).collect()
}

pub(super) fn printed_codes(account: AccountId, printed: &[String]) -> Codes {
    let digests = printed.iter().map(|code| code_digest(account, code)).collect();
    codes(account, Kind::Printed, digests, None)
}

/// What is kept of a code; small letters, blanks and dashes make no difference.
fn code_digest(account: AccountId, code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_uppercase();
    let parts = [b"kirana password code", &account.as_bytes()[..], plain.as_bytes()];
    *Hash::of_parts(&parts).as_bytes()
}
