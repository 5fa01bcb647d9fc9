//! Decides who may do what. Every use-case asks here on its first line.
//!
//! **Invariant:** the policies of [`kirana_core::policy`] decide; the token's scopes can only narrow
//! what they allow.

use kirana_core::{
    id::{AccountId, ShopId},
    key::KeyId,
    policy::{self, Policies, Principal},
    time::UnixMs,
};

use super::{
    Error, Hub,
    account::FRESH_MS,
    role::{Roles, Scope, Scopes},
    seen::AsOf,
};
use crate::store::{
    audit::{self, Act, Line},
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
    /// The device that the session belongs to, once that is known.
    pub device: Option<KeyId>,
    /// When the person showed the password; none where a device's key opened the session.
    pub proved_at: Option<UnixMs>,
    /// The state of the database that all this was found out from.
    pub as_of: AsOf,
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
    /// Shut out a device of an account.
    RevokeDevice(AccountId),
    /// See which shops applied.
    ReviewShops,
    /// Approve a shop, turn it down, or ask its owner.
    ApproveShop(ShopId),
    /// Mend the profile of a shop that is not one's own.
    MendShop(ShopId),
    /// Certify community hubs.
    ApproveHub,
    /// Shut a community hub out.
    RevokeHub,
    /// Read the audit log.
    SeeAudit,
    /// Sign in at the console.
    OpenConsole,
    /// See how long the queues are.
    SeeQueues,
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
            Self::RevokeDevice(_) => "device.revoke",
            Self::ReviewShops => "shop.review",
            Self::ApproveShop(_) => "shop.approve",
            Self::MendShop(_) => "shop.mend",
            Self::ApproveHub => "hub.approve",
            Self::RevokeHub => "hub.revoke",
            Self::SeeAudit => "audit.see",
            Self::OpenConsole => "console.open",
            Self::SeeQueues => "queue.see",
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
            | Self::RevokeDevice(_)
            | Self::ReviewShops
            | Self::ApproveShop(_)
            | Self::MendShop(_)
            | Self::ApproveHub
            | Self::RevokeHub
            | Self::SeeAudit
            | Self::OpenConsole
            | Self::SeeQueues => Scope::Admin,
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
            Self::RevokeDevice(id) => (policy::Action::RevokeDevice, policy::Resource::Account(id)),
            Self::ReviewShops => (policy::Action::ReviewShops, policy::Resource::Hub),
            Self::ApproveShop(id) => (policy::Action::ApproveShop, policy::Resource::Shop(id)),
            // Whoever lets a hub in may shut it out.
            Self::ApproveHub | Self::RevokeHub => {
                (policy::Action::CertifyHub, policy::Resource::Hub)
            }
            Self::MendShop(id) => (policy::Action::EditShop, policy::Resource::Shop(id)),
            Self::SeeAudit => (policy::Action::ReadAudit, policy::Resource::Hub),
            // The console is for whoever keeps the hub running.
            Self::OpenConsole | Self::SeeQueues => {
                (policy::Action::ViewQueues, policy::Resource::Hub)
            }
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
        let Some(refusal) = refusal(self.policies(), actor, action) else { return Ok(()) };
        if action.scope() == Scope::Admin {
            let act = actor.act(action, subject, "refused", now);
            self.store().note(act).await?;
        }
        Err(refusal)
    }

    /// Whether the policies permit it, whatever the token is for.
    pub(super) fn permits(&self, actor: &Actor, action: Action) -> bool {
        permits(self.policies(), actor, action)
    }
}

fn permits(policies: &Policies, actor: &Actor, action: Action) -> bool {
    let (asked, resource) = action.in_policies(actor);
    let principal = Principal::account(actor.account, actor.roles.iter().copied());
    policies.is_allowed(&principal, asked, &resource)
}

/// Why it may not be done.
fn refusal(policies: &Policies, actor: &Actor, action: Action) -> Option<Error> {
    let scope = action.scope();
    if !permits(policies, actor, action) {
        Some(Error::Forbidden { action: action.name() })
    } else if scope == Scope::Admin && !actor.factor {
        Some(Error::FactorRequired)
    } else if !actor.scopes.contains(&scope) {
        Some(Error::ScopeMissing { scope: scope.name() })
    } else {
        None
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

    /// The newest lines of the audit log before a place, newest first, and the place of the first
    /// among them that does not follow from the one before it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn audit_back(
        &self,
        actor: &Actor,
        before: Option<u64>,
        limit: u32,
        now: UnixMs,
    ) -> Result<(Vec<Line>, Option<u64>), Error> {
        self.authorise(actor, Action::SeeAudit, "", now).await?;
        let end = self.store().audit_end().await?;
        let before = before.unwrap_or(end.saturating_add(1)).min(end.saturating_add(1));
        // One line more, so that the link of the oldest is looked at too.
        let first = before.saturating_sub(u64::from(limit) + 1);
        let after = first.saturating_sub(1);
        let count = u32::try_from(before.saturating_sub(after + 1)).unwrap_or(u32::MAX);
        let mut lines = self.store().audit(after, count).await?;
        let broken = chain_break(&lines, after);
        if lines.len() > limit as usize {
            lines.remove(0);
        }
        lines.reverse();
        Ok((lines, broken))
    }

    /// Walks the whole audit log: how many lines it has, and the place of the first that does not
    /// follow from the one before it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn check_audit(
        &self,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<(u64, Option<u64>), Error> {
        self.authorise(actor, Action::SeeAudit, "", now).await?;
        let (mut count, mut after) = (0, 0);
        loop {
            let lines = self.store().audit(after, WALK_LINES).await?;
            let broken = chain_break(&lines, after);
            let Some(last) = lines.last() else { return Ok((count, None)) };
            if broken.is_some() {
                return Ok((count, broken));
            }
            count += lines.len() as u64;
            if lines.len() < WALK_LINES as usize {
                return Ok((count, None));
            }
            // The last line is read once more, as the one before the next.
            (count, after) = (count - 1, last.seq - 1);
        }
    }
}

/// How many lines are read at once when all are walked.
const WALK_LINES: u32 = 1000;

/// The first line after a place that does not follow: the very first has none before it, and none
/// may be missing between two.
fn chain_break(lines: &[Line], after: u64) -> Option<u64> {
    let is_first_whole = |line: &Line| line.seq != 1 || line.prev.as_bytes() == &[0; 32];
    let missing = lines.iter().zip(after + 1..).find(|(line, seq)| line.seq != *seq);
    let forged_start = lines.first().filter(|line| !is_first_whole(line)).map(|line| line.seq);
    let unlinked = audit::first_break(lines);
    [missing.map(|(line, _)| line.seq), forged_start, unlinked].into_iter().flatten().min()
}

impl Actor {
    /// A line for the audit log.
    pub fn act(&self, action: Action, subject: &str, outcome: &'static str, at: UnixMs) -> Act {
        let actor = self.account.to_string();
        Act { at, actor, action: action.name(), subject: subject.to_owned(), outcome }
    }

    /// That the password was shown in this session and within the last quarter of an hour.
    ///
    /// # Errors
    /// [`Error::SignInTooOld`], always for a session that a device's key opened.
    pub(super) fn proved_lately(&self, now: UnixMs) -> Result<(), Error> {
        match self.proved_at {
            Some(at) if now.since(at) <= FRESH_MS => Ok(()),
            _ => Err(Error::SignInTooOld),
        }
    }

    /// That the password was shown in this session at all. Whoever has only the device must neither
    /// take the account over nor end it.
    ///
    /// # Errors
    /// [`Error::SignInTooOld`] for a session that a device's key opened.
    pub(super) fn proved_once(&self) -> Result<(), Error> {
        self.proved_at.map(drop).ok_or(Error::SignInTooOld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::role::{Role, scopes_of};
    use kirana_core::time::UnixMs;

    fn id(n: u8) -> AccountId {
        AccountId::new(UnixMs::new(1), [n; 10])
    }

    fn somebody(role: Role) -> Actor {
        let roles: Roles = [Role::Customer, role].into();
        Actor {
            account: id(1),
            session: [1; 16],
            scopes: scopes_of(&roles, true),
            roles,
            factor: true,
            device: None,
            proved_at: Some(UnixMs::new(1)),
            as_of: AsOf::default(),
        }
    }

    /// The one after it, upon somebody else's things; a new action finds its place here or the
    /// tests do not compile.
    fn after(action: Action) -> Option<Action> {
        let shop = ShopId::new(UnixMs::new(1), [2; 10]);
        Some(match action {
            Action::OwnAccount => Action::OwnIdentity,
            Action::OwnIdentity => Action::OwnDevices,
            Action::OwnDevices => Action::OwnShop,
            Action::OwnShop => Action::SeeAccounts,
            Action::SeeAccounts => Action::SearchAccounts,
            Action::SearchAccounts => Action::SeePerson(id(2)),
            Action::SeePerson(_) => Action::CreateAccount,
            Action::CreateAccount => Action::ChangeAccount(id(2)),
            Action::ChangeAccount(_) => Action::CloseAccount(id(2)),
            Action::CloseAccount(_) => Action::SetRoles(id(2)),
            Action::SetRoles(_) => Action::RevokeDevice(id(2)),
            Action::RevokeDevice(_) => Action::ReviewShops,
            Action::ReviewShops => Action::ApproveShop(shop),
            Action::ApproveShop(_) => Action::MendShop(shop),
            Action::MendShop(_) => Action::ApproveHub,
            Action::ApproveHub => Action::RevokeHub,
            Action::RevokeHub => Action::SeeAudit,
            Action::SeeAudit => Action::OpenConsole,
            Action::OpenConsole => Action::SeeQueues,
            Action::SeeQueues => return None,
        })
    }

    #[test]
    fn p6_each_action_of_the_hub_is_permitted_to_somebody_and_refused_to_somebody() {
        let policies = Policies::load().expect("they parse");
        let everybody = [Role::Customer, Role::HubOperator, Role::Admin].map(somebody);
        for action in std::iter::successors(Some(Action::OwnAccount), |action| after(*action)) {
            let may = |actor: &Actor| refusal(&policies, actor, action).is_none();
            assert!(everybody.iter().any(may), "nobody may {}", action.name());
            let is_own = action.scope() != Scope::Admin;
            assert_eq!(may(&everybody[0]), is_own, "customers and {}", action.name());
            // What everybody may do with their own is refused to a token that is for other things.
            for actor in &everybody {
                let narrow = Actor { scopes: Scopes::new(), ..actor.clone() };
                assert!(!may(&narrow), "any token may {}", action.name());
                let without = Actor { factor: false, ..actor.clone() };
                assert_eq!(may(&without), is_own, "without a factor, {}", action.name());
            }
        }
    }
}
