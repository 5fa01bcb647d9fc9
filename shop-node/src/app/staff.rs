//! The owner's device certifies the shop's own staff and tills, and shuts them out again.
//!
//! **Invariant (P6):** no hub is asked; who was shut out is out with the commit that says so.

use std::collections::BTreeSet;

use kirana_core::{
    certificate::{Certificate, Holder, StaffRole, Standing, UnverifiedCertificate},
    key::{KeyId, PublicKey, SealingPublic},
    revocation::{BadList, RevocationList},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx, WriteError};
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{Desk, Visit},
    refusal::NotStored,
};
use crate::store::{
    known,
    settings::{self, Setting},
};

/// Why staff could not be certified or shut out; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotStaffed {
    /// The owner's key is not here.
    #[error("the owner's key is not on this box")]
    NoOwner,
    /// Nobody with this key was certified here.
    #[error("no member of staff has the key {0}")]
    Unknown(KeyId),
    /// This box changes nothing any more: the newer one says who works here.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// The list is full.
    #[error(transparent)]
    List(#[from] BadList),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WriteError<Self>> for NotStaffed {
    fn from(error: WriteError<Self>) -> Self {
        match NotStored::of(error) {
            Ok(not_stored) => not_stored.into(),
            Err(Abort::Refused(refusal)) => refusal,
            Err(Abort::Store(error)) => error.into(),
        }
    }
}

fn may_staff(tx: &Tx<'_>) -> Result<(), Abort<NotStaffed>> {
    match settings::get(tx, Setting::ReadOnly)? {
        Some(why) => Err(Abort::Refused(NotStaffed::ReadOnly(why))),
        None => Ok(()),
    }
}

/// Somebody who works in the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their device.
    pub key: PublicKey,
    /// What is sealed to them, is sealed to this key.
    pub sealing: SealingPublic,
    /// What they may do.
    pub role: StaffRole,
    /// What they are called.
    pub label: String,
}

impl Shop {
    /// Certifies a member of staff; gives the certificates, leaf first.
    ///
    /// # Errors
    /// [`NotStaffed`] without the owner's key, or when nothing can be stored.
    pub fn add_staff(
        &self,
        member: Member,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<Vec<u8>>, NotStaffed> {
        let owner = self.keys().owner.as_ref().ok_or(NotStaffed::NoOwner)?;
        let Member { key, sealing, role, label } = member;
        let standing = Standing::Staff { shop: self.id(), role, account: None, label };
        let leaf = Certificate::issue(owner, &Holder { key, sealing, standing }, now, rng);
        let above = self.chain()?.into_iter().skip(1);
        let chain: Vec<_> = std::iter::once(leaf.bytes().to_vec()).chain(above).collect();
        let kept = chain.clone();
        let stored = self.writer().write(move |tx| -> Result<(), Abort<NotStaffed>> {
            may_staff(tx)?;
            Ok(known::put_chain(tx, key.id(), &kept, now)?)
        });
        stored?;
        Ok(chain)
    }

    /// Shuts a member of staff out.
    ///
    /// # Errors
    /// [`NotStaffed`] when nobody here has the key, or without the owner's key.
    pub fn revoke_staff(
        &self,
        key: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotStaffed> {
        let owner = self.keys().owner.clone().ok_or(NotStaffed::NoOwner)?;
        let unknown = || NotStaffed::Unknown(key);
        let chain = self.reader().read(|c| known::chain(c, key))?.unwrap_or_default();
        let leaf = UnverifiedCertificate::parse(chain.first().ok_or_else(unknown)?);
        let leaf = leaf.map_err(|_| unknown())?;
        let ours =
            matches!(leaf.claimed().standing, Standing::Staff { shop, .. } if shop == self.id());
        if !ours {
            return Err(unknown());
        }
        let serial = leaf.claimed().serial;
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            let desk = Desk::open(&inner, tx, &visit)?;
            let trust = super::founding::trust_from(tx, &inner.identity)?;
            let (number, mut revoked) = trust
                .lists()
                .find(|list| list.issuer() == owner.id())
                .map_or((0, BTreeSet::new()), |l| (l.list().number, l.list().revoked.clone()));
            revoked.insert(serial);
            let list = RevocationList::next(number, desk.now.at, revoked)
                .map_err(|e| Abort::Refused(e.into()))?;
            desk.keep_list(&list.sign(&owner))?;
            Ok::<_, Abort<NotStaffed>>(desk.trust_changed()?)
        });
        Ok(stored?)
    }
}
