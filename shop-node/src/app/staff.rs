//! The owner's key certifies the shop's own staff and tills, and shuts them out again.
//!
//! **Invariants (P6):** no hub is asked; who was shut out is out with the commit that says so, by
//! every certificate that they ever got; the last device of an owner is not shut out unasked.

use std::collections::BTreeSet;

use kirana_core::{
    certificate::{Certificate, Holder, LABEL_BYTES_MAX, Serial, Standing, UnverifiedCertificate},
    key::{KeyId, PublicKey, SealingPublic},
    known_time::KnownNow,
    policy::Principal,
    revocation::{BadList, RevocationList},
    time::UnixMs,
    trust::{Distrust, Trust},
};
use kirana_migrations::{Abort, StoreError, Tx, rusqlite::Connection};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{
    Inner, Shop,
    desk::{Desk, Visit},
    refusal::NotStored,
    roles::Post,
};
use crate::store::{
    known,
    settings::{self, Setting},
    staff::{self, Certified},
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
    /// It is the last device by which an owner gets in.
    #[error(
        "this is the last device of an owner: certify another one first, or say that it is meant"
    )]
    LastOwner,
    /// The label is too long.
    #[error("a label has at most {LABEL_BYTES_MAX} bytes")]
    Label,
    /// The key is the shop's own.
    #[error("this key is the shop's own: let the new device draw one of its own")]
    OwnKey,
    /// There is no such role.
    #[error("the shop has no role «{0}»: make it first")]
    NoRole(String),
    /// No role of the shop's own may hold this.
    #[error("«{0}» cannot be given away: it stays with the owner")]
    KeptByOwners(String),
    /// There are too many.
    #[error("the shop has as many of them as it can have: remove one first")]
    TooMany,
    /// The name is taken, empty or too long.
    #[error("a person has a name of up to 80 letters that nobody else here has")]
    Name,
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

pub(crate) fn may_staff(tx: &Tx<'_>) -> Result<(), Abort<NotStaffed>> {
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
    /// As what they work.
    pub post: Post,
    /// What they are called.
    pub label: String,
}

/// A device that works here, as the shop knows it now.
#[derive(Debug, Clone)]
pub(crate) struct Station {
    /// As what.
    pub(crate) post: Post,
    /// For the policies.
    pub(crate) principal: Principal,
}

/// A device on the owner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The device.
    pub device: KeyId,
    /// What it is called.
    pub label: String,
    /// The word of its role.
    pub role: String,
    /// Since when the newest certificate counts.
    pub since: UnixMs,
    /// When that ends.
    pub expires: UnixMs,
    /// Whether it was shut out.
    pub revoked: bool,
    /// The certificates, leaf first.
    pub certificates: Vec<Vec<u8>>,
}

impl Shop {
    /// Certifies a member of staff; gives the certificates, leaf first. What the key was certified
    /// as before, if it was something else, no longer counts.
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
        let Member { key, sealing, post, label } = member;
        if label.len() > LABEL_BYTES_MAX {
            return Err(NotStaffed::Label);
        }
        if key == self.identity().owner || key == self.keys().node.signing.public() {
            return Err(NotStaffed::OwnKey);
        }
        let standing =
            Standing::Staff { shop: self.id(), role: post.certified(), account: None, label };
        let leaf = Certificate::issue(owner, &Holder { key, sealing, standing }, now, rng);
        let above = self.chain()?.into_iter().skip(1);
        let chain: Vec<_> = std::iter::once(leaf.bytes().to_vec()).chain(above).collect();
        let own_role = match &post {
            Post::Own(name) => Some(name.as_str().to_owned()),
            _ => None,
        };
        let (device, certificate) = (key.id(), leaf.bytes().to_vec());
        let row = Certified { device, certificate, own_role };
        let serial = leaf.certificate().serial;
        let (inner, visit, kept) = (self.inner.clone(), Visit::new(now, rng), chain.clone());
        let stored = self.writer().write(move |tx| -> Result<(), Abort<NotStaffed>> {
            may_staff(tx)?;
            if !post.exists(tx)? {
                return Err(Abort::Refused(NotStaffed::NoRole(post.label().to_owned())));
            }
            let before = held(tx, &inner, device)?;
            let other = before.iter().filter(|h| h.post.as_ref() != Some(&post)).map(|h| h.serial);
            withdraw(tx, &inner, &visit, other.collect())?;
            keep_apart(tx, &before)?;
            staff::put(tx, serial, &row, now)?;
            Ok(known::put_chain(tx, device, &kept, now)?)
        });
        stored?;
        Ok(chain)
    }

    /// Certifies a device that works here once more, as what it was.
    ///
    /// # Errors
    /// [`NotStaffed::Unknown`] also for one that was shut out.
    pub fn renew_staff(
        &self,
        device: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<Vec<u8>>, NotStaffed> {
        let (trust, unknown) = (self.trust()?, || NotStaffed::Unknown(device));
        let held = self.reader().read(|c| held(c, &self.inner, device))?;
        let newest = held.into_iter().next().ok_or_else(unknown)?;
        if is_revoked(&trust, &newest.certificate) {
            return Err(unknown());
        }
        let (post, label) = (newest.post.ok_or_else(unknown)?, newest.label);
        let certificate = newest.certificate;
        let member = Member { key: certificate.key, sealing: certificate.sealing, post, label };
        self.add_staff(member, now, rng)
    }

    /// Everybody's device that was ever certified here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn staff(&self) -> Result<Vec<Listed>, StoreError> {
        let trust = self.trust()?;
        self.reader().read(|c| {
            let above = above(c)?;
            let mut devices: Vec<KeyId> = staff::all(c)?.iter().map(|row| row.device).collect();
            devices.extend(staff::kept_among_others(c, self.id())?);
            devices.dedup();
            let mut listed = Vec::new();
            for device in devices {
                let Some(newest) = held(c, &self.inner, device)?.into_iter().next() else {
                    continue;
                };
                let role = newest.post.as_ref().map_or("none", Post::label).to_owned();
                listed.push(Listed {
                    device,
                    label: newest.label,
                    role,
                    since: newest.certificate.not_before,
                    expires: newest.certificate.expires,
                    revoked: is_revoked(&trust, &newest.certificate),
                    certificates: [vec![newest.bytes], above.clone()].concat(),
                });
            }
            Ok(listed)
        })
    }

    /// Shuts a member of staff out, by all certificates that the key ever got. The last device of an
    /// owner only when `even_the_last`.
    ///
    /// # Errors
    /// [`NotStaffed`] when nobody here has the key, or without the owner's key.
    pub fn revoke_staff(
        &self,
        key: KeyId,
        even_the_last: bool,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotStaffed> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            let held = held(tx, &inner, key)?;
            if held.is_empty() {
                return Err(Abort::Refused(NotStaffed::Unknown(key)));
            }
            if !even_the_last && is_last_owner(tx, &inner, key, visit.now)? {
                return Err(Abort::Refused(NotStaffed::LastOwner));
            }
            withdraw(tx, &inner, &visit, held.iter().map(|held| held.serial).collect())
        });
        Ok(stored?)
    }
}

impl Shop {
    /// Keeps a certificate of staff that was shown and holds: an owner may have issued it elsewhere.
    pub(crate) fn remember_staff(
        &self,
        holder: &kirana_core::trust::Certified,
        chain: &[Vec<u8>],
    ) -> Result<(), NotStored> {
        let (serial, since) = (holder.certificate().serial, holder.certificate().not_before);
        let device = holder.key().id();
        let shown = chain.first().cloned().unwrap_or_default();
        let is_kept = self.reader().read(|c| {
            let kept = staff::of_device(c, device)?;
            Ok::<_, StoreError>(kept.iter().any(|row| row.certificate == shown))
        });
        if is_kept.is_ok_and(|kept| kept) {
            return Ok(());
        }
        let row = Certified { device, certificate: shown, own_role: None };
        let inner = self.inner.clone();
        let stored = self.writer().write(move |tx| -> Result<(), Abort<()>> {
            keep_apart(tx, &held(tx, &inner, device)?)?;
            staff::put(tx, serial, &row, since)?;
            Ok(super::trust_changed(tx)?)
        });
        stored.map_err(|error| NotStored::of(error).unwrap_or(NotStored::Unknown))
    }
}

impl Inner {
    /// What the holder of a certificate of staff may do, for the policies; nothing for others.
    pub(crate) fn principal_of(
        &self,
        c: &Connection,
        holder: &kirana_core::trust::Certified,
    ) -> Result<Option<Principal>, StoreError> {
        let Standing::Staff { role, .. } = holder.standing() else { return Ok(None) };
        let own_role = staff::own_role(c, holder.certificate().serial)?;
        let post = Post::of(*role, own_role.as_deref());
        post.map(|post| post.principal(c, self.identity.shop)).transpose()
    }

    /// What a device is here now.
    ///
    /// # Errors
    /// [`Abort::Refused`] says why none of its certificates counts; nothing inside when it never had one.
    pub(crate) fn station(
        &self,
        c: &Connection,
        trust: &Trust,
        device: KeyId,
        now: KnownNow,
    ) -> Result<Station, Abort<Option<Distrust>>> {
        let (above, mut why) = (above(c)?, None);
        for held in held(c, self, device)? {
            let chain = [vec![held.bytes], above.clone()].concat();
            match trust.check(&chain, now) {
                Ok(_) => {
                    let post = held.post.ok_or(Abort::Refused(None))?;
                    let mut principal = post.principal(c, self.identity.shop)?;
                    principal.device = Some(device);
                    return Ok(Station { post, principal });
                }
                Err(distrust) => why = why.or(Some(distrust)),
            }
        }
        Err(Abort::Refused(why))
    }
}

/// One certificate of a device that works here, read.
struct Held {
    serial: Serial,
    label: String,
    post: Option<Post>,
    certificate: Certificate,
    bytes: Vec<u8>,
}

/// The certificates of a device that works here, the newest first.
fn held(c: &Connection, shop: &Inner, device: KeyId) -> Result<Vec<Held>, StoreError> {
    let mut rows = staff::of_device(c, device)?;
    if rows.is_empty()
        && let Some(certificate) = known::chain(c, device)?.and_then(|c| c.into_iter().next())
    {
        rows.push(Certified { device, certificate, own_role: None });
    }
    let read = |row: Certified| {
        let read = UnverifiedCertificate::parse(&row.certificate).ok()?;
        let certificate = read.claimed().clone();
        let Standing::Staff { shop: named, role, label, .. } = &certificate.standing else {
            return None;
        };
        (*named == shop.identity.shop).then(|| Held {
            serial: certificate.serial,
            label: label.clone(),
            post: Post::of(*role, row.own_role.as_deref()),
            bytes: row.certificate,
            certificate: certificate.clone(),
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Keeps what an earlier version had beside customers' certificates, before another takes its place:
/// it has to be withdrawn too when the device is shut out.
fn keep_apart(tx: &Tx<'_>, before: &[Held]) -> Result<(), StoreError> {
    for held in before {
        let (device, certificate) = (held.certificate.key.id(), held.bytes.clone());
        let row = Certified { device, certificate, own_role: None };
        staff::put(tx, held.serial, &row, held.certificate.not_before)?;
    }
    Ok(())
}

/// The shop's own certificates above those of its staff.
fn above(c: &Connection) -> Result<Vec<Vec<u8>>, StoreError> {
    let above: Vec<ByteVec> = settings::get(c, Setting::Chain)?.unwrap_or_default();
    Ok(above.into_iter().map(Vec::from).collect())
}

/// Whether the owner who issued it withdrew it; one before the present owner withdrew all.
fn is_revoked(trust: &Trust, certificate: &Certificate) -> bool {
    let mut lists = trust.lists().filter(|list| list.issuer() == certificate.issuer);
    lists.any(|list| list.list().revoked.contains(&certificate.serial))
}

/// Whether this is an owner's device that counts, and no other one does.
fn is_last_owner(
    c: &Connection,
    shop: &Inner,
    device: KeyId,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let (trust, known) = (shop.trust_in(c)?.1, super::known_time(c)?.read(now));
    let is_owner = |device| match shop.station(c, &trust, device, known) {
        Ok(station) => Ok(station.post == Post::Owner),
        Err(Abort::Refused(_)) => Ok(false),
        Err(Abort::Store(error)) => Err(error),
    };
    if !is_owner(device)? {
        return Ok(false);
    }
    let mut others: BTreeSet<KeyId> = staff::all(c)?.iter().map(|row| row.device).collect();
    others.remove(&device);
    for other in others {
        if is_owner(other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts certificates on the owner's list of those that were withdrawn.
pub(super) fn withdraw(
    tx: &Tx<'_>,
    shop: &Inner,
    visit: &Visit,
    serials: BTreeSet<Serial>,
) -> Result<(), Abort<NotStaffed>> {
    if serials.is_empty() {
        return Ok(());
    }
    let owner = shop.keys.owner.as_ref().ok_or(Abort::Refused(NotStaffed::NoOwner))?;
    let desk = Desk::open(shop, tx, visit)?;
    let trust = super::founding::trust_from(tx, &shop.identity)?;
    let (number, mut revoked) = trust
        .lists()
        .find(|list| list.issuer() == owner.id())
        .map_or((0, BTreeSet::new()), |l| (l.list().number, l.list().revoked.clone()));
    revoked.extend(serials);
    let list =
        RevocationList::next(number, desk.now.at, revoked).map_err(|e| Abort::Refused(e.into()))?;
    desk.keep_list(&list.sign(owner))?;
    Ok(desk.trust_changed()?)
}
