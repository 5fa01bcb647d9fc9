//! Accounts: registering, the own profile, the password, and what administrators do with others'.

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Error, Hub,
    password::Password,
    policy::{Action, Actor},
    role::{self, Role, Roles},
};
use crate::{
    clock::{Rng, draw},
    store::{account::Stored, audit::Act, idempotency::Once},
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

/// What names a person; sealed before it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// What the person signs in with.
    pub login: String,
    /// Where mail reaches the person.
    pub email: Option<String>,
    /// What to call the person.
    pub name: Option<String>,
}

/// An account as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id.
    pub id: AccountId,
    /// What names the person.
    pub personal: Personal,
    /// BCP 47.
    pub language: String,
    /// What the account is.
    pub roles: Roles,
    /// Whether the hub keeps its device key: so until it enrols a device of its own.
    pub hosted: bool,
    /// When the person registered.
    pub created_at: UnixMs,
}

/// Changes to a profile; `None` leaves a field, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Where mail reaches the person.
    pub email: Option<Option<String>>,
    /// What to call the person.
    pub name: Option<Option<String>>,
    /// BCP 47.
    pub language: Option<String>,
}

/// The longest login, email or name, in bytes.
const TEXT_BYTES_MAX: usize = 254;
/// The shortest login, in characters.
const LOGIN_CHARS_MIN: usize = 3;
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
    ) -> Result<AccountId, Error> {
        self.create(new, [Role::Customer].into(), once, None, now, rng).await
    }

    /// Makes an administrator, on the machine itself.
    ///
    /// # Errors
    /// As [`Hub::register`].
    pub async fn add_admin(
        &self,
        new: NewAccount,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<AccountId, Error> {
        let roles = [Role::Customer, Role::Admin].into();
        self.create(new, roles, None, Some("admin.add"), now, rng).await
    }

    async fn create(
        &self,
        new: NewAccount,
        roles: Roles,
        once: Option<Once>,
        action: Option<&'static str>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<AccountId, Error> {
        self.central_only()?;
        let personal = Personal {
            login: login(&new.login)?,
            email: new.email.map(|e| text("email", &e)).transpose()?,
            name: new.name.map(|n| text("name", &n)).transpose()?,
        };
        let language = new.language.map_or(Ok(LANGUAGE_DEFAULT.to_owned()), |l| language(&l))?;
        let password = Password::new(&new.password);
        password.check(&personal.words())?;
        let id = AccountId::new(now, draw(rng));
        let password_hash = self.hasher().hash(password, draw(rng)).await?;
        let act = action.map(|action| Act {
            at: now,
            actor: COMMAND_LINE.to_owned(),
            action,
            subject: id.to_string(),
            outcome: "done",
        });
        let account = Stored {
            id,
            login_digest: self.secrets().digest("login", &personal.login),
            personal: self.seal_personal(id, &personal, draw(rng)),
            language,
            password_hash,
            roles: role::roles_to_text(&roles),
            created_at: now,
        };
        Ok(self.store().create_account(account, once, act).await?)
    }

    /// The own profile.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`] when the account was erased meanwhile.
    pub async fn me(&self, actor: &Actor, now: UnixMs) -> Result<Profile, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.profile(stored).await
    }

    /// Changes the own profile.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub async fn change_me(
        &self,
        actor: &Actor,
        change: Change,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        let mut personal = self.open_personal(&stored)?;
        if let Some(email) = change.email {
            personal.email = email.map(|e| text("email", &e)).transpose()?;
        }
        if let Some(name) = change.name {
            personal.name = name.map(|n| text("name", &n)).transpose()?;
        }
        let language = change.language.map_or(Ok(stored.language), |l| language(&l))?;
        let sealed = self.seal_personal(stored.id, &personal, draw(rng));
        self.store().change_account(stored.id, sealed, language, now).await?;
        self.me(actor, now).await
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
        let personal = self.open_personal(&stored)?;
        self.guess_here(&personal.login, actor, now)?;
        let hash = Some(stored.password_hash);
        if !self.hasher().verify(Password::new(current), hash).await? {
            return Err(Error::BadCredentials);
        }
        let password = Password::new(new);
        password.check(&personal.words())?;
        let hash = self.hasher().hash(password, draw(rng)).await?;
        Ok(self.store().set_password(actor.account, hash, Some(actor.session), now).await?)
    }

    /// Erases the own account.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn erase_me(&self, actor: &Actor, now: UnixMs) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let act = actor.act(Action::OwnAccount, &actor.account.to_string(), "erased", now);
        self.store().erase_account(actor.account, act).await?;
        self.publish_revocations(now).await
    }

    /// Accounts of all, for administrators.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody else.
    pub async fn accounts(
        &self,
        actor: &Actor,
        after: Option<AccountId>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Profile>, Error> {
        self.authorise(actor, Action::SeeAccounts, "", now).await?;
        let mut profiles = Vec::new();
        for stored in self.store().accounts(after, limit).await? {
            profiles.push(self.profile(stored).await?);
        }
        Ok(profiles)
    }

    /// One account, for administrators.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody else.
    pub async fn account(
        &self,
        actor: &Actor,
        id: AccountId,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::SeeAccounts, &id.to_string(), now).await?;
        let stored = self.store().account(id).await?;
        self.profile(stored.ok_or(Error::NotFound { what: "account" })?).await
    }

    /// Gives an account other roles.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn set_roles(
        &self,
        actor: &Actor,
        id: AccountId,
        roles: &Roles,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::ChangeAccounts, &id.to_string(), now).await?;
        self.store().account(id).await?.ok_or(Error::NotFound { what: "account" })?;
        let act = actor.act(Action::ChangeAccounts, &id.to_string(), "roles set", now);
        self.store().set_roles(id, role::roles_to_text(roles), act).await?;
        self.account(actor, id, now).await
    }

    pub(super) async fn profile(&self, stored: Stored) -> Result<Profile, Error> {
        let personal = self.open_personal(&stored)?;
        Ok(Profile {
            id: stored.id,
            personal,
            roles: role::roles_from_text(&stored.roles),
            hosted: !self.store().has_device(stored.id).await?,
            language: stored.language,
            created_at: stored.created_at,
        })
    }

    fn seal_personal(&self, id: AccountId, personal: &Personal, nonce: [u8; 12]) -> Vec<u8> {
        let plain = serde_json::to_vec(personal).expect("three texts always make JSON");
        self.secrets().seal(id.as_bytes(), &plain, nonce)
    }

    /// What the person signs in with.
    pub(super) fn login_of(&self, stored: &Stored) -> Result<String, Error> {
        Ok(self.open_personal(stored)?.login)
    }

    fn open_personal(&self, stored: &Stored) -> Result<Personal, Error> {
        let plain = self.secrets().open(stored.id.as_bytes(), &stored.personal);
        let read = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        let damaged = || kirana_migrations::StoreError::damaged("the account", stored.id);
        read.ok_or_else(|| damaged().into())
    }
}

impl Personal {
    fn words(&self) -> Vec<&str> {
        let words = [Some(&self.login), self.email.as_ref(), self.name.as_ref()];
        words.into_iter().flatten().map(String::as_str).collect()
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
