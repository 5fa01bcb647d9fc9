//! The own account: registering, the profile, the login, the password, and leaving.
//!
//! **Invariant:** what names the person is sealed under the person's own key before it is stored.

use std::sync::Arc;

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};

use super::{
    Error, Hub,
    export::Erasure,
    letter::Content,
    password::{Beside, Password},
    person::Personal,
    policy::{Action, Actor},
    reset::{fresh_codes, printed_codes},
    role::{self, Role, Roles},
};
use crate::{
    clock::{Rng, draw},
    store::{
        account::{Changed, Stored},
        audit::Act,
        idempotency::Once,
    },
};

/// What somebody types to register.
pub struct NewAccount {
    /// An email address, a phone number or a chosen name.
    pub login: String,
    /// The password, as typed.
    pub password: String,
    /// Where mail reaches the person.
    pub email: Option<String>,
    /// What to call the person.
    pub name: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
}

/// An account as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id.
    pub id: AccountId,
    /// What names the person; hidden from those who keep the hub running.
    pub personal: Option<Personal>,
    /// BCP 47.
    pub language: String,
    /// What the account is.
    pub roles: Roles,
    /// Whether the hub keeps its device key: so until it enrols a device of its own.
    pub hosted: bool,
    /// When the person registered.
    pub created_at: UnixMs,
    /// Since when the account is closed for the time being.
    pub suspended_at: Option<UnixMs>,
}

/// Changes to a profile; `None` leaves a field, `Some(None)` empties it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Where mail reaches the person.
    pub email: Option<Option<String>>,
    /// What to call the person.
    pub name: Option<Option<String>>,
    /// Where the person is called.
    pub phone: Option<Option<String>>,
    /// BCP 47.
    pub language: Option<String>,
    /// What the person's programs remember of what they like.
    pub preferences: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What an account begins with, and who says so.
pub(super) struct Beginning {
    /// What it is.
    pub roles: Roles,
    /// The repeated request that it may be.
    pub once: Option<Once>,
    /// Who made it, where it was not the person.
    pub by: Option<(String, &'static str)>,
    /// Codes that set another password, to be printed.
    pub printed: Vec<String>,
}

/// An account that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: AccountId,
    /// Codes that set another password; none where the same request made the account before, since
    /// they are shown once.
    pub recovery_codes: Vec<String>,
}

/// The longest login, email or name, in bytes.
const TEXT_BYTES_MAX: usize = 254;
/// The shortest login, in characters.
const LOGIN_CHARS_MIN: usize = 3;
/// The longest preferences, in bytes of JSON.
const PREFERENCES_BYTES_MAX: usize = 4096;
/// How old a sign-in may be for what would lock its owner out, without the password once more.
pub(super) const FRESH_MS: u64 = 15 * 60_000;
/// Spoken unless the person says otherwise.
const LANGUAGE_DEFAULT: &str = "en";
/// Who acts on the machine itself.
pub(super) const COMMAND_LINE: &str = "command line";

impl Hub {
    /// Registers an account that can sign in at once.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the input, or that the login is taken.
    pub async fn register(
        &self,
        new: NewAccount,
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Registered, Error> {
        let (roles, printed) = ([Role::Customer].into(), fresh_codes(rng));
        let beginning = Beginning { roles, once, by: None, printed };
        self.create(new, beginning, now, rng).await
    }

    pub(super) async fn create(
        &self,
        new: NewAccount,
        Beginning { roles, once, by, printed }: Beginning,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Registered, Error> {
        self.central_only()?;
        let personal = Personal {
            login: login(&new.login)?,
            email: new.email.map(|e| text("email", &e)).transpose()?,
            name: new.name.map(|n| text("name", &n)).transpose()?,
            ..Personal::default()
        };
        let language = new.language.map_or(Ok(LANGUAGE_DEFAULT.to_owned()), |l| language(&l))?;
        let (password, words) = (Password::new(&new.password), personal.words());
        let id = AccountId::new(now, draw(rng));
        let hashed = self.hasher().hash_new(password, words, Beside::Alone, draw(rng));
        let password_hash = hashed.await?.map_err(|weak| weak.told_in(&language))?;
        let act = by.map(|(actor, action)| Act {
            at: now,
            actor,
            action,
            subject: id.to_string(),
            outcome: "done",
        });
        let person_key = self.new_person_key(id, rng);
        let account = Stored {
            id,
            login_digest: self.secrets().digest("login", &personal.login),
            personal: self.person_of(id, Some(&person_key))?.seal(&personal, draw(rng)),
            person_key: Some(person_key),
            language,
            password_hash,
            roles: role::roles_to_text(&roles),
            created_at: now,
            suspended_at: None,
        };
        let codes = printed_codes(id, &printed);
        let made = self.store().create_account(account, codes, once, act).await?;
        Ok(Registered { id: made, recovery_codes: if made == id { printed } else { Vec::new() } })
    }

    /// The own profile.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`] when the account was erased meanwhile.
    pub async fn me(&self, actor: &Actor, now: UnixMs) -> Result<Arc<Profile>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        if let Some(profile) = self.seen_profile(actor.account, actor.as_of) {
            return Ok(profile);
        }
        let profile = Arc::new(self.profile_now(actor.account).await?);
        self.remember_profile(profile.clone(), actor.as_of);
        Ok(profile)
    }

    async fn profile_now(&self, id: AccountId) -> Result<Profile, Error> {
        self.profile(self.store().account(id).await?.ok_or(Error::NotSignedIn)?).await
    }

    /// Changes the own profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field; [`Error::SignInTooOld`] where a device's key opened the
    /// session, and the address or the phone is to change.
    pub async fn change_me(
        &self,
        actor: &Actor,
        change: Change,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        if change.email.is_some() || change.phone.is_some() {
            // Where letters go, there a forgotten password is set anew.
            actor.proved_once()?;
        }
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.change(stored, change, None, now, rng).await?;
        self.profile_now(actor.account).await
    }

    pub(super) async fn change(
        &self,
        stored: Stored,
        change: Change,
        act: Option<Act>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let person = self.person(&stored)?;
        let mut personal = person.open(&stored.personal)?;
        let before = personal.address().map(str::to_owned);
        if let Some(email) = change.email {
            let email = email.map(|e| text("email", &e)).transpose()?;
            personal.email_verified &= email == personal.email;
            personal.email = email;
        }
        // The old address is told, since it may be a thief who changed it.
        let before = before.filter(|old| personal.address() != Some(old));
        let content = Content::EmailChanged;
        let letter = self.letter(&stored, before.as_deref(), content, now, rng)?;
        if let Some(name) = change.name {
            personal.name = name.map(|n| text("name", &n)).transpose()?;
        }
        if let Some(phone) = change.phone {
            personal.phone = phone.map(|p| phone_number(&p)).transpose()?;
        }
        if let Some(preferences) = change.preferences {
            personal.preferences = preferred(preferences)?;
        }
        let language = change.language.map_or(Ok(stored.language), |l| language(&l))?;
        let sealed = person.seal(&personal, draw(rng));
        let changed = Changed { personal: sealed, language, letter, act };
        self.store().change_account(stored.id, changed, now).await?;
        self.call_post();
        Ok(())
    }

    /// Gives the own account another login, for whoever knows the password.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] when the password is wrong; that the login is taken.
    pub async fn change_login(
        &self,
        actor: &Actor,
        typed: &str,
        password: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.check_password_here(actor, &stored, password, now).await?;
        let person = self.person(&stored)?;
        let mut personal = person.open(&stored.personal)?;
        personal.login = login(typed)?;
        let digest = self.secrets().digest("login", &personal.login);
        let sealed = person.seal(&personal, draw(rng));
        self.store().set_login(stored.id, digest, sealed, now).await?;
        self.profile_now(actor.account).await
    }

    /// Sets another password and ends all other sessions.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] when the current password is wrong.
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: &str,
        new: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.check_password_here(actor, &stored, current, now).await?;
        let personal = self.person(&stored)?.open(&stored.personal)?;
        let (password, beside) = (Password::new(new), self.beside(actor.account).await?);
        let hashed = self.hasher().hash_new(password, personal.words(), beside, draw(rng));
        let hash = hashed.await?.map_err(|weak| weak.told_in(&stored.language))?;
        Ok(self.store().set_password(actor.account, hash, Some(actor.session), now).await?)
    }

    /// Checks a password that is asked for inside a session.
    pub(super) async fn check_password_here(
        &self,
        actor: &Actor,
        stored: &Stored,
        typed: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        self.guess_here("password", actor, now)?;
        let hash = Some(stored.password_hash.clone());
        match self.hasher().verify(Password::new(typed), hash).await? {
            true => Ok(()),
            false => Err(Error::BadCredentials),
        }
    }

    /// Erases the own account.
    ///
    /// # Errors
    /// [`Error::Conflict`] for the last administrator; [`Error::SignInTooOld`] where a device's key
    /// opened the session.
    pub async fn erase_me(&self, actor: &Actor, now: UnixMs) -> Result<Erasure, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        actor.proved_once()?;
        let act = actor.act(Action::OwnAccount, &actor.account.to_string(), "erased", now);
        self.erase(actor.account, act, now).await
    }

    pub(super) async fn profile(&self, stored: Stored) -> Result<Profile, Error> {
        let personal = self.person(&stored)?.open(&stored.personal)?;
        Ok(Profile {
            id: stored.id,
            personal: Some(personal),
            roles: role::roles_from_text(&stored.roles),
            hosted: !self.store().has_device(stored.id).await?,
            language: stored.language,
            created_at: stored.created_at,
            suspended_at: stored.suspended_at,
        })
    }
}

/// What a registration asks for, without its password: to tell a repeated request from another.
pub fn fingerprint(new: &NewAccount) -> Hash {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    Hash::of_parts(&[
        new.login.as_bytes(),
        part(&new.email).as_bytes(),
        part(&new.name).as_bytes(),
        part(&new.language).as_bytes(),
    ])
}

/// A login in its one form: without spaces around it, in lower case, a phone number without its
/// separators.
///
/// # Errors
/// [`Error::Invalid`] when it is too short, too long or holds control characters.
pub fn login(typed: &str) -> Result<String, Error> {
    use unicode_normalization::UnicodeNormalization;
    let lower: String = typed.trim().nfkc().collect::<String>().to_lowercase();
    let phone = lower.starts_with('+') && lower.chars().all(|c| "+0123456789 -()".contains(c));
    let login = if phone { lower.replace([' ', '-', '(', ')'], "") } else { lower };
    let why = "3 to 254 characters: an email address, a phone number or a name";
    if login.chars().count() < LOGIN_CHARS_MIN {
        return Err(Error::Invalid { field: "login", why });
    }
    text("login", &login).map_err(|_| Error::Invalid { field: "login", why })
}

fn text(field: &'static str, typed: &str) -> Result<String, Error> {
    let trimmed = typed.trim();
    if trimmed.is_empty() || trimmed.len() > TEXT_BYTES_MAX || trimmed.chars().any(char::is_control)
    {
        let why = "1 to 254 bytes of text without control characters";
        return Err(Error::Invalid { field, why });
    }
    Ok(trimmed.to_owned())
}

/// A number with its country, in the one form in which it is dialled (E.164).
fn phone_number(typed: &str) -> Result<String, Error> {
    let number = typed.trim().replace([' ', '-', '(', ')'], "");
    let digits = number.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let why = "a number with its country, such as +91 98765 43210";
    fits.then_some(number).ok_or(Error::Invalid { field: "phone", why })
}

fn preferred(
    given: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
    let fits = serde_json::to_vec(&given).is_ok_and(|json| json.len() <= PREFERENCES_BYTES_MAX);
    let why = "an object of at most 4096 bytes";
    fits.then_some(given).ok_or(Error::Invalid { field: "preferences", why })
}

fn language(typed: &str) -> Result<String, Error> {
    let fits = (2..=35).contains(&typed.len())
        && typed.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let why = "a language tag such as en or hi-IN";
    fits.then(|| typed.to_owned()).ok_or(Error::Invalid { field: "language", why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_login_however_it_is_typed() {
        assert_eq!(login(" Asha@Example.org ").ok().as_deref(), Some("asha@example.org"));
        assert_eq!(login("+91 98765-43210").ok().as_deref(), Some("+919876543210"));
        assert!(login("ab").is_err());
        assert!(login(&"a".repeat(255)).is_err());
        assert!(login("as\u{0}ha").is_err());
    }
}
