//! Decides who may do what. Every use-case asks here on its first line.
//!
//! **Invariant:** the policies of [`kirana_core::policy`] decide; the token's scopes can only narrow
//! what they allow.

use kirana_core::{
    id::{AccountId, ShopId},
    policy::{self, Principal},
    time::UnixMs,
};

use super::{
    Error, Hub,
    role::{Roles, Scope, Scopes},
};
use crate::store::{
    audit::{Act, Line},
    session::SessionId,
};

/// Who asks, proved by an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub account: AccountId,
    /// The session that the token belongs to.
    pub session: SessionId,
    /// What the token may be used for.
    pub scopes: Scopes,
    /// What the account is, as of now.
    pub roles: Roles,
    /// Whether a second factor was shown in this session.
    pub factor: bool,
    /// When the person signed in.
    pub signed_in: UnixMs,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// See, change or erase the own account and its sessions.
    OwnAccount,
    /// Learn who the person is.
    OwnIdentity,
    /// Certify, see or revoke the own devices.
    OwnDevices,
    /// Apply for a shop, keep the profile of the own shop.
    OwnShop,
    /// See which accounts there are.
    SeeAccounts,
    /// Look for people among all accounts.
    SearchAccounts,
    /// See who the person of an account is.
    SeePerson(AccountId),
    /// Make an account for somebody.
    CreateAccount,
    /// Change the profile of an account.
    ChangeAccount(AccountId),
    /// Suspend or erase an account.
    CloseAccount(AccountId),
    /// Give an account roles.
    SetRoles(AccountId),
    /// See which shops applied.
    ReviewShops,
    /// Approve a shop, turn it down, or ask its owner.
    ApproveShop(ShopId),
    /// Mend the profile of a shop that is not one's own.
    MendShop(ShopId),
    /// Certify community hubs.
    ApproveHub,
    /// Read the audit log.
    SeeAudit,
}

impl Action {
    /// The dotted name in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnAccount => "account.own",
            Self::OwnIdentity => "account.identity",
            Self::OwnDevices => "device.own",
            Self::OwnShop => "shop.own",
            Self::SeeAccounts => "account.see",
            Self::SearchAccounts => "account.search",
            Self::SeePerson(_) => "account.see_person",
            Self::CreateAccount => "account.create",
            Self::ChangeAccount(_) => "account.change",
            Self::CloseAccount(_) => "account.close",
            Self::SetRoles(_) => "account.set_roles",
            Self::ReviewShops => "shop.review",
            Self::ApproveShop(_) => "shop.approve",
            Self::MendShop(_) => "shop.mend",
            Self::ApproveHub => "hub.approve",
            Self::SeeAudit => "audit.see",
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::OwnAccount => Scope::Account,
            Self::OwnIdentity => Scope::OpenId,
            Self::OwnDevices => Scope::Devices,
            Self::OwnShop => Scope::Shops,
            Self::SeeAccounts
            | Self::SearchAccounts
            | Self::SeePerson(_)
            | Self::CreateAccount
            | Self::ChangeAccount(_)
            | Self::CloseAccount(_)
            | Self::SetRoles(_)
            | Self::ReviewShops
            | Self::ApproveShop(_)
            | Self::MendShop(_)
            | Self::ApproveHub
            | Self::SeeAudit => Scope::Admin,
        }
    }

    /// What the policies call it, and upon which thing.
    fn in_policies(self, actor: &Actor) -> (policy::Action, policy::Resource) {
        let own = policy::Resource::Account(actor.account);
        match self {
            Self::OwnAccount => (policy::Action::EditAccount, own),
            Self::OwnIdentity => (policy::Action::ViewAccount, own),
            Self::OwnDevices => (policy::Action::EnrolDevice, own),
            Self::OwnShop => (policy::Action::ApplyForShop, policy::Resource::Hub),
            Self::SeeAccounts => (policy::Action::ListAccounts, policy::Resource::Hub),
            Self::SearchAccounts => (policy::Action::SearchAccounts, policy::Resource::Hub),
            Self::SeePerson(id) => (policy::Action::ViewAccount, policy::Resource::Account(id)),
            Self::CreateAccount => (policy::Action::CreateAccount, policy::Resource::Hub),
            Self::ChangeAccount(id) => (policy::Action::EditAccount, policy::Resource::Account(id)),
            Self::CloseAccount(id) => (policy::Action::CloseAccount, policy::Resource::Account(id)),
            Self::SetRoles(id) => (policy::Action::SetRoles, policy::Resource::Account(id)),
            Self::ReviewShops => (policy::Action::ReviewShops, policy::Resource::Hub),
            Self::ApproveShop(id) => (policy::Action::ApproveShop, policy::Resource::Shop(id)),
            Self::ApproveHub => (policy::Action::CertifyHub, policy::Resource::Hub),
            Self::MendShop(id) => (policy::Action::EditShop, policy::Resource::Shop(id)),
            Self::SeeAudit => (policy::Action::ReadAudit, policy::Resource::Hub),
        }
    }
}

impl Hub {
    /// Whether `actor` may do this; a refusal of an administrative act is written down.
    ///
    /// # Errors
    /// [`Error::ScopeMissing`] or [`Error::Forbidden`].
    pub async fn authorise(
        &self,
        actor: &Actor,
        action: Action,
        subject: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        let scope = action.scope();
        let refusal = if !self.permits(actor, action) {
            Error::Forbidden { action: action.name() }
        } else if scope == Scope::Admin && !actor.factor {
            Error::FactorRequired
        } else if !actor.scopes.contains(&scope) {
            Error::ScopeMissing { scope: scope.name() }
        } else {
            return Ok(());
        };
        if scope == Scope::Admin {
            let act = actor.act(action, subject, "refused", now);
            self.store().note(act).await?;
        }
        Err(refusal)
    }

    /// Whether the policies permit it, whatever the token is for.
    pub(super) fn permits(&self, actor: &Actor, action: Action) -> bool {
        let (asked, resource) = action.in_policies(actor);
        let principal = Principal::account(actor.account, actor.roles.iter().copied());
        self.policies().is_allowed(&principal, asked, &resource)
    }
}

impl Hub {
    /// The audit log after a place, oldest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn audit(
        &self,
        actor: &Actor,
        after: u64,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Line>, Error> {
        self.authorise(actor, Action::SeeAudit, "", now).await?;
        Ok(self.store().audit(after, limit).await?)
    }
}

impl Actor {
    /// A line for the audit log.
    pub fn act(&self, action: Action, subject: &str, outcome: &'static str, at: UnixMs) -> Act {
        let actor = self.account.to_string();
        Act { at, actor, action: action.name(), subject: subject.to_owned(), outcome }
    }
}
