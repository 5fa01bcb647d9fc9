//! Certifies devices of accounts and community hubs, and revokes devices.

use kirana_core::{
    certificate::{Certificate, Holder, HubRole, Standing},
    enrolment::Enrolment,
    id::AccountId,
    key::{KeyId, PublicKey, SealingPublic},
    time::UnixMs,
};

use super::{
    Error, Hub,
    policy::{Action, Actor},
};
use crate::{
    clock::Rng,
    store::{audit::Act, certificate::Device, device::Belongs, idempotency::Once},
};

/// Keys to be certified, with the proof that the asker holds them.
pub struct Keys {
    /// The key that will sign.
    pub key: PublicKey,
    /// The key that messages will be sealed to.
    pub sealing: SealingPublic,
    /// See [`Enrolment::prove`].
    pub proof: Vec<u8>,
}

/// The most devices of one account.
pub const DEVICES_MAX: usize = 50;

const UNPROVED: Error = Error::Unproved {
    why: "the proof is no signature by the key itself over the account and both keys",
};

impl Hub {
    /// Certifies a device of the own account for six months.
    ///
    /// # Errors
    /// [`Error::Unproved`] when the proof does not fit; [`Error::SignInTooOld`] when this is another
    /// device than the session's own, and the password was not shown lately.
    pub async fn certify_device(
        &self,
        actor: &Actor,
        keys: Keys,
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<u8>, Error> {
        self.authorise(actor, Action::OwnDevices, "", now).await?;
        let Keys { key, sealing, proof } = keys;
        let asked = Enrolment { account: Some(actor.account), shop: None, key, sealing };
        if !asked.is_proved_by(&proof) {
            return Err(UNPROVED);
        }
        let there = self.store().devices(actor.account, now).await?;
        let is_there = there.iter().any(|device| device.key == key.id());
        // A thief with a device renews that device, and gets no other one in before the owner shuts
        // it out.
        let is_renewed = actor.device == Some(key.id()) || is_there && actor.device.is_none();
        if !is_renewed {
            actor.proved_lately(now)?;
        }
        if there.len() >= DEVICES_MAX && !is_there {
            return Err(Error::Conflict { why: "you have fifty devices; remove one first" });
        }
        let standing = Standing::Device { account: actor.account, hosted: false };
        let holder = Holder { key, sealing, standing };
        let from = self.known_now(now).await?.at;
        let signed = Certificate::issue(self.signing(), &holder, from, rng);
        let stands_alone = actor.proved_lately(now).is_ok();
        let belongs = Belongs { account: actor.account, session: actor.session, stands_alone };
        Ok(self.store().keep_device(signed, belongs, once).await?)
    }

    /// The own devices.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn devices(&self, actor: &Actor, now: UnixMs) -> Result<Vec<Device>, Error> {
        self.authorise(actor, Action::OwnDevices, "", now).await?;
        Ok(self.store().devices(actor.account, now).await?)
    }

    /// Shuts out one of the own devices: the next revocation list names it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none of this key, or it is somebody else's.
    pub async fn revoke_device(&self, actor: &Actor, key: KeyId, now: UnixMs) -> Result<(), Error> {
        self.authorise(actor, Action::OwnDevices, &key.to_string(), now).await?;
        let act = actor.act(Action::OwnDevices, &key.to_string(), "revoked", now);
        if !self.store().revoke_device(actor.account, key, act).await? {
            return Err(Error::NotFound { what: "device" });
        }
        self.publish_revocations(now).await
    }

    /// The devices of an account, for whoever may see the person.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn devices_of(
        &self,
        actor: &Actor,
        account: AccountId,
        now: UnixMs,
    ) -> Result<Vec<Device>, Error> {
        self.authorise(actor, Action::SeePerson(account), &account.to_string(), now).await?;
        Ok(self.store().devices(account, now).await?)
    }

    /// Shuts out a device of somebody else, for administrators.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody else; [`Error::NotFound`] when the account has none of this
    /// key.
    pub async fn revoke_device_of(
        &self,
        actor: &Actor,
        account: AccountId,
        key: KeyId,
        now: UnixMs,
    ) -> Result<(), Error> {
        let (action, subject) = (Action::RevokeDevice(account), key.to_string());
        self.authorise(actor, action, &subject, now).await?;
        let act = actor.act(action, &subject, "revoked", now);
        if !self.store().revoke_device(account, key, act).await? {
            return Err(Error::NotFound { what: "device" });
        }
        self.publish_revocations(now).await
    }

    /// Certifies a community hub for thirteen months: an administrator asks, or anybody where
    /// applicants are approved unasked.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`] or [`Error::Forbidden`]; [`Error::Unproved`] when the proof does not
    /// fit.
    pub async fn certify_hub(
        &self,
        actor: Option<&Actor>,
        keys: Keys,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<u8>, Error> {
        self.central_only()?;
        let subject = keys.key.id().to_string();
        match actor {
            Some(actor) => self.authorise(actor, Action::ApproveHub, &subject, now).await?,
            None if self.settings().auto_approve => {
                // Whom an administrator shut out does not come back unasked.
                if self.store().is_hub_revoked(keys.key.id()).await? {
                    return Err(Error::Forbidden { action: Action::ApproveHub.name() });
                }
            }
            None => return Err(Error::NotSignedIn),
        }
        let Keys { key, sealing, proof } = keys;
        if !(Enrolment { account: None, shop: None, key, sealing }).is_proved_by(&proof) {
            return Err(UNPROVED);
        }
        let standing = Standing::Hub { role: HubRole::Community };
        let holder = Holder { key, sealing, standing };
        let from = self.known_now(now).await?.at;
        let signed = Certificate::issue(self.signing(), &holder, from, rng);
        let act = Act {
            at: now,
            actor: actor.map_or("auto-approve".to_owned(), |actor| actor.account.to_string()),
            action: Action::ApproveHub.name(),
            subject,
            outcome: "done",
        };
        Ok(self.store().keep_hub(signed, act).await?)
    }

    /// Shuts a community hub out: the next revocation list names it, and it is certified again only
    /// when somebody says so.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] when this hub certified none of this key.
    pub async fn revoke_hub(&self, actor: &Actor, key: KeyId, now: UnixMs) -> Result<(), Error> {
        let (action, subject) = (Action::RevokeHub, key.to_string());
        self.authorise(actor, action, &subject, now).await?;
        let act = actor.act(action, &subject, "revoked", now);
        if !self.store().revoke_hub(key, act).await? {
            return Err(Error::NotFound { what: "community hub certified here" });
        }
        self.publish_revocations(now).await
    }
}
