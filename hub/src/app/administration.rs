//! What administrators do with the accounts of others.
//!
//! **Invariants:** who only keeps the hub running sees no name, address or login; one
//! administrator who can sign in always stays, and none gets into the account of another.

use kirana_core::{
    id::AccountId,
    time::{DAY_MS, UnixMs},
};

use super::{
    Error, Hub,
    account::{Beginning, COMMAND_LINE, Change, NewAccount, Profile, login},
    export::Erasure,
    factor::Begun,
    policy::{Action, Actor},
    role::{self, Role, Roles},
};
use crate::{
    clock::Rng,
    store::{account::Stored, audit::ROLES_SET, idempotency::Once},
};

/// Which accounts are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// With these letters in the login, name, email address or phone number.
    pub q: Option<String>,
    /// With this role.
    pub role: Option<Role>,
    /// Suspended, or not.
    pub suspended: Option<bool>,
}

/// A part of a list of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The accounts.
    pub profiles: Vec<Profile>,
    /// After which account to look on; none when all were looked at.
    pub next: Option<AccountId>,
}

/// An administrator who was made on the machine itself.
pub struct NewAdmin {
    /// The account.
    pub id: AccountId,
    /// The second factor, which counts already.
    pub factor: Begun,
    /// Codes for the day on which the authenticator is lost.
    pub recovery_codes: Vec<String>,
}

/// How many accounts one request opens at most: a search reads sealed columns one by one.
const LOOKED_AT_MAX: usize = 5_000;
/// How many are read at once.
const BATCH: u32 = 250;

impl Hub {
    /// Makes an administrator with a second factor, on the machine itself.
    ///
    /// # Errors
    /// As [`Hub::register`].
    pub async fn add_admin(
        &self,
        new: NewAccount,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<NewAdmin, Error> {
        let roles = [Role::Customer, Role::Admin].into();
        let by = Some((COMMAND_LINE.to_owned(), "admin.add"));
        let id = self
            .create(new, Beginning { roles, once: None, by, printed: vec![] }, now, rng)
            .await?
            .id;
        let account = self.store().account(id).await?.ok_or(Error::NotFound { what: "account" })?;
        let (factor, recovery_codes) = self.given_factor(&account, now, rng).await?;
        Ok(NewAdmin { id, factor, recovery_codes })
    }

    /// Makes an account for somebody, with any roles.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; else as [`Hub::register`].
    pub async fn create_account_for(
        &self,
        actor: &Actor,
        new: NewAccount,
        roles: Roles,
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<AccountId, Error> {
        self.authorise(actor, Action::CreateAccount, "", now).await?;
        let by = Some((actor.account.to_string(), Action::CreateAccount.name()));
        let beginning = Beginning { roles, once, by, printed: vec![] };
        Ok(self.create(new, beginning, now, rng).await?.id)
    }

    /// Accounts in the order in which they were made. A search looks at so many and says where to
    /// go on, so that a part may hold few or none.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whoever may not see accounts, or may not see the people that `q`
    /// looks for.
    pub async fn accounts(
        &self,
        actor: &Actor,
        wanted: &Wanted,
        mut after: Option<AccountId>,
        limit: usize,
        now: UnixMs,
    ) -> Result<Found, Error> {
        self.authorise(actor, Action::SeeAccounts, "", now).await?;
        if wanted.q.is_some() {
            self.authorise(actor, Action::SearchAccounts, "", now).await?;
        }
        let mut found = Found { profiles: Vec::new(), next: None };
        for _ in 0..LOOKED_AT_MAX / BATCH as usize {
            let batch = self.store().accounts(after, BATCH).await?;
            let is_last = batch.len() < BATCH as usize;
            for stored in batch {
                after = Some(stored.id);
                found.profiles.extend(self.looked_at(actor, stored, wanted).await?);
                if found.profiles.len() == limit {
                    return Ok(Found { next: after, ..found });
                }
            }
            if is_last {
                return Ok(found);
            }
        }
        Ok(Found { next: after, ..found })
    }

    async fn looked_at(
        &self,
        actor: &Actor,
        stored: Stored,
        wanted: &Wanted,
    ) -> Result<Option<Profile>, Error> {
        let roles = role::roles_from_text(&stored.roles);
        let fits = wanted.role.is_none_or(|role| roles.contains(&role))
            && wanted.suspended.is_none_or(|yes| stored.suspended_at.is_some() == yes);
        if !fits {
            return Ok(None);
        }
        let profile = self.shown(actor, stored).await?;
        let Some(q) = &wanted.q else { return Ok(Some(profile)) };
        let q = kirana_core::text::fold(q);
        let has = |text: &str| kirana_core::text::fold(text).contains(&*q);
        let is_meant =
            profile.personal.as_ref().is_some_and(|p| p.words().iter().any(|word| has(word)));
        Ok(is_meant.then_some(profile))
    }

    /// One account.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whoever may not see accounts.
    pub async fn account(
        &self,
        actor: &Actor,
        id: AccountId,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::SeeAccounts, &id.to_string(), now).await?;
        self.shown(actor, self.known(id).await?).await
    }

    /// The account of a login, for whoever may see people.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or [`Error::NotFound`].
    pub async fn find_account(
        &self,
        actor: &Actor,
        typed: &str,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        self.authorise(actor, Action::SearchAccounts, "", now).await?;
        let digest = self.secrets().digest("login", &login(typed).unwrap_or_default());
        let stored = self.store().account_by_digest(digest).await?;
        let stored = stored.ok_or(Error::NotFound { what: "account" })?;
        self.shown(actor, stored).await
    }

    /// Changes the profile of somebody.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; [`Error::Conflict`] for the address of
    /// another administrator.
    pub async fn change_account(
        &self,
        actor: &Actor,
        id: AccountId,
        change: Change,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Profile, Error> {
        let action = Action::ChangeAccount(id);
        self.authorise(actor, action, &id.to_string(), now).await?;
        let known = self.known(id).await?;
        if change.email.is_some() {
            self.keep_out(actor, action, &known, now).await?;
        }
        let act = actor.act(action, &id.to_string(), "profile changed", now);
        self.change(known, change, Some(act), now, rng).await?;
        self.shown(actor, self.known(id).await?).await
    }

    /// Refuses what would lead an administrator into the account of another one: a code to hand
    /// over, or another address for the letter with the link. Nobody stands above an administrator,
    /// so the way back is the person's own: a printed code or a letter (NIST SP 800-63B, 4.2; OWASP
    /// ASVS 5, 6.4.6). It stays so for a day after other roles were given, or taking the role away
    /// first would be the way around.
    pub(super) async fn keep_out(
        &self,
        actor: &Actor,
        action: Action,
        target: &Stored,
        now: UnixMs,
    ) -> Result<(), Error> {
        let is_own = target.id == actor.account;
        let is_admin = role::roles_from_text(&target.roles).contains(&Role::Admin);
        let since = now.minus_ms(DAY_MS);
        if is_own || !(is_admin || self.store().had_roles_set(target.id, since).await?) {
            return Ok(());
        }
        self.store().note(actor.act(action, &target.id.to_string(), "refused", now)).await?;
        let why = "this account is an administrator's, or its roles were set less than a day ago: \
                   the way back is the person's own printed code or a letter; failing both, whoever \
                   keeps the hub's machine makes another administrator with `kirana-hub admin add`";
        Err(Error::Conflict { why })
    }

    /// Closes an account for the time being, which signs it out everywhere; or opens it again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; [`Error::Conflict`] for the last one.
    pub async fn suspend(
        &self,
        actor: &Actor,
        id: AccountId,
        suspended: bool,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        let action = Action::CloseAccount(id);
        self.authorise(actor, action, &id.to_string(), now).await?;
        let outcome = if suspended { "suspended" } else { "resumed" };
        let act = actor.act(action, &id.to_string(), outcome, now);
        self.store().suspend(id, suspended, act).await?;
        self.shown(actor, self.known(id).await?).await
    }

    /// Gives an account other roles.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; [`Error::Conflict`] when the last
    /// one would be none any more.
    pub async fn set_roles(
        &self,
        actor: &Actor,
        id: AccountId,
        roles: &Roles,
        now: UnixMs,
    ) -> Result<Profile, Error> {
        let action = Action::SetRoles(id);
        self.authorise(actor, action, &id.to_string(), now).await?;
        let act = actor.act(action, &id.to_string(), ROLES_SET, now);
        self.store().set_roles(id, role::roles_to_text(roles), act).await?;
        self.shown(actor, self.known(id).await?).await
    }

    /// Erases the account of somebody.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators; [`Error::Conflict`] for the last one.
    pub async fn erase_account(
        &self,
        actor: &Actor,
        id: AccountId,
        now: UnixMs,
    ) -> Result<Erasure, Error> {
        let action = Action::CloseAccount(id);
        self.authorise(actor, action, &id.to_string(), now).await?;
        let act = actor.act(action, &id.to_string(), "erased", now);
        self.erase(id, act, now).await
    }

    async fn known(&self, id: AccountId) -> Result<Stored, Error> {
        self.store().account(id).await?.ok_or(Error::NotFound { what: "account" })
    }

    /// An account as this person may see it.
    async fn shown(&self, actor: &Actor, stored: Stored) -> Result<Profile, Error> {
        let sees = self.permits(actor, Action::SeePerson(stored.id));
        let profile = self.profile(stored).await?;
        Ok(Profile { personal: profile.personal.filter(|_| sees), ..profile })
    }
}
