//! Who keeps a shop: the account that applied, others beside it, and what comes when it ends.
//!
//! **Invariant:** whoever owns a shop in a neighbour's eyes is said by the owner's key and its
//! certificate; an account here only keeps the profile, so nothing of this swaps a key.

use kirana_core::{
    id::{AccountId, ShopId},
    policy::{self, Principal, Resource},
    time::UnixMs,
};

use crate::{
    app::{
        Error, Hub,
        account::login,
        policy::{Action, Actor},
        role::{Role, Scope},
    },
    store::shop::{Owner, Shop},
};

/// The most people who keep one shop beside the one who applied.
pub const OWNERS_MAX: usize = 16;

const NO_SHOP: Error = Error::NotFound { what: "shop" };

impl Hub {
    /// A shop that this person may change: an own one, or any for whoever mends shops here.
    pub(super) async fn own_shop(
        &self,
        actor: &Actor,
        id: ShopId,
        now: UnixMs,
    ) -> Result<Shop, Error> {
        self.central_only()?;
        let shop = self.store().shop(id).await?.ok_or(NO_SHOP)?;
        let owners = self.store().owners(id).await?;
        if owners.iter().any(|owner| owner.account == actor.account) {
            let mut principal = Principal::account(actor.account, actor.roles.iter().copied());
            principal.roles.insert(Role::Owner);
            principal.shops.insert(id);
            let edit = policy::Action::EditShop;
            return match self.policies().is_allowed(&principal, edit, &Resource::Shop(id)) {
                true if actor.scopes.contains(&Scope::Shops) => Ok(shop),
                true => Err(Error::ScopeMissing { scope: Scope::Shops.name() }),
                false => Err(Error::Forbidden { action: Action::OwnShop.name() }),
            };
        }
        match self.permits(actor, Action::MendShop(id)) {
            true => self.authorise(actor, Action::MendShop(id), &id.to_string(), now).await?,
            // Somebody else's: not there, as far as this person is concerned.
            false => return Err(NO_SHOP),
        }
        Ok(shop)
    }

    /// A shop for which this person answers first.
    async fn first_owned(&self, actor: &Actor, id: ShopId, now: UnixMs) -> Result<Shop, Error> {
        let shop = self.own_shop(actor, id, now).await?;
        match shop.account == actor.account || self.permits(actor, Action::MendShop(id)) {
            true => Ok(shop),
            false => Err(Error::Forbidden { action: Action::OwnShop.name() }),
        }
    }

    /// Who keeps a shop, the one who answers for it first.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a shop that is not one's own.
    pub async fn shop_owners(
        &self,
        actor: &Actor,
        id: ShopId,
        now: UnixMs,
    ) -> Result<Vec<Owner>, Error> {
        self.own_shop(actor, id, now).await?;
        Ok(self.store().owners(id).await?)
    }

    /// Lets somebody with an account here keep the shop too.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's shop, or when nobody has that login.
    pub async fn add_shop_owner(
        &self,
        actor: &Actor,
        id: ShopId,
        typed: &str,
        now: UnixMs,
    ) -> Result<Owner, Error> {
        let shop = self.first_owned(actor, id, now).await?;
        // Whoever found a phone would go on keeping the shop after the phone was shut out.
        actor.proved_once()?;
        let account = self.somebody(actor, typed, now).await?;
        if self.store().owners(id).await?.len() > OWNERS_MAX {
            return Err(Error::Conflict { why: "sixteen people keep this shop: remove one first" });
        }
        let act = actor.act(Action::OwnShop, &id.to_string(), "owner added", now);
        self.store().add_owner(shop.id, account, act).await?;
        Ok(Owner { account, first: account == shop.account, since: now })
    }

    /// Takes a shop away from somebody who keeps it beside the one who answers for it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_shop_owner(
        &self,
        actor: &Actor,
        id: ShopId,
        account: AccountId,
        now: UnixMs,
    ) -> Result<(), Error> {
        self.first_owned(actor, id, now).await?;
        actor.proved_once()?;
        let act = actor.act(Action::OwnShop, &id.to_string(), "owner removed", now);
        match self.store().remove_owner(id, account, act).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "owner" }),
        }
    }

    /// Has somebody else answer for the shop; needs the password, since it cannot be taken back.
    ///
    /// # Errors
    /// [`Error::BadCredentials`]; [`Error::NotFound`] when the other does not keep the shop yet.
    pub async fn hand_shop_over(
        &self,
        actor: &Actor,
        id: ShopId,
        to: AccountId,
        password: &str,
        now: UnixMs,
    ) -> Result<Shop, Error> {
        self.first_owned(actor, id, now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.check_password_here(actor, &stored, password, now).await?;
        let act = actor.act(Action::OwnShop, &id.to_string(), "handed over", now);
        Ok(self.store().hand_over(id, to, act).await?)
    }

    /// Closes a shop down: it is found no more. What was ordered is brought to its end, and its
    /// certificate runs out by itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's shop.
    pub async fn close_shop(&self, actor: &Actor, id: ShopId, now: UnixMs) -> Result<Shop, Error> {
        self.first_owned(actor, id, now).await?;
        actor.proved_once()?;
        let act = actor.act(Action::OwnShop, &id.to_string(), "closed down", now);
        Ok(self.store().close_shop(id, act).await?)
    }

    async fn somebody(&self, actor: &Actor, typed: &str, now: UnixMs) -> Result<AccountId, Error> {
        // Whoever tries logins one after another waits like whoever tries passwords.
        self.guess_here("login", actor, now)?;
        let digest = self.secrets().digest("login", &login(typed).unwrap_or_default());
        let found = self.store().account_by_digest(digest).await?;
        Ok(found.ok_or(Error::NotFound { what: "account with this login" })?.id)
    }
}
