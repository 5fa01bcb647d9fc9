//! The shop gets another owner: the one before consents to a key, and who holds it takes over.
//!
//! **Invariants (P6):** nobody takes over whom the owner's key, or the printed code that opens it,
//! did not name; from then on nothing counts that the old key certified, and no key of the old box
//! signs for the shop. No hub is asked. What was promised to customers stays promised.

use kirana_core::{
    certificate::{Certificate, Holder, Serial, Standing, UnverifiedCertificate},
    enrolment::Enrolment,
    key::PublicKey,
    revocation::RevocationList,
    time::UnixMs,
    trust::{CHAIN_MAX, Distrust},
};
use kirana_migrations::{Abort, StoreError, Tx};
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;

use super::{
    Identity, Keys, Shop, founding,
    refusal::NotStored,
    staff::{NotStaffed, may_staff, withdraw},
};
use crate::{
    app::desk::Visit,
    store::{
        known::{self, Generation},
        settings::{self, Setting},
        staff,
    },
};

/// How many owners back the shop can show its way: chains are short.
pub const STEPS_MAX: usize = CHAIN_MAX - 2;

/// One step from an owner to the next.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Step {
    /// Who gave the shop away.
    #[n(0)]
    pub from: PublicKey,
    /// The certificate of the next owner's key, by the one before.
    #[n(1)]
    pub consent: ByteVec,
    /// The last list of what the one before withdrew.
    #[n(2)]
    pub list: ByteVec,
}

/// Why the shop keeps its owner; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotHandedOver {
    /// It concerns another shop.
    #[error("this is about another shop")]
    OtherShop,
    /// The key is the owner's already, or the box's.
    #[error("this key is the shop's already: the new owner draws one of their own")]
    OwnKey,
    /// It names another key.
    #[error("the owner consented to another key than this one")]
    OtherKey,
    /// It does not count.
    #[error("the consent does not count here: {0}")]
    Distrust(#[from] Distrust),
    /// What the old owner certified cannot be withdrawn, or nothing is written here any more.
    #[error(transparent)]
    Staff(#[from] NotStaffed),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotStored> for NotHandedOver {
    fn from(error: NotStored) -> Self {
        Self::Staff(error.into())
    }
}

impl Shop {
    /// The owner's consent that the shop is the asking key's, to be taken to the box by whoever
    /// holds that key. Nothing changes before that.
    ///
    /// # Errors
    /// [`NotHandedOver`] without the owner's key, or for a key that cannot be the next owner's.
    pub fn consent_to(
        &self,
        asked: &Enrolment,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, NotHandedOver> {
        let owner = self.keys().owner.as_ref().ok_or(NotStaffed::NoOwner)?;
        if asked.shop != Some(self.id()) {
            return Err(NotHandedOver::OtherShop);
        }
        if asked.key == owner.public() || asked.key == self.keys().node.signing.public() {
            return Err(NotHandedOver::OwnKey);
        }
        if let Some(why) = self.read_only()? {
            return Err(NotStaffed::ReadOnly(why).into());
        }
        let (now, serial) = (self.known_now(now)?.at, Serial::random(rng));
        let to = (asked.key, asked.sealing);
        Ok(Certificate::of_next_owner(owner, self.id(), to, now, serial).bytes().to_vec())
    }

    /// Takes a consent back, as long as nobody took over by it.
    ///
    /// # Errors
    /// [`NotHandedOver`] when it is none of this shop's owner.
    pub fn withdraw_consent(
        &self,
        consent: &[u8],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotHandedOver> {
        let serial = self.consented(consent, now)?.serial;
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            withdraw(tx, &inner, &visit, [serial].into())
        });
        Ok(stored.map_err(NotStaffed::from)?)
    }

    /// Makes the shop another owner's: `next` holds that owner's key and fresh ones of the box. This
    /// `Shop` is an older box of it then; the newer is opened with `next`.
    ///
    /// # Errors
    /// [`NotHandedOver`]; nothing was changed then.
    pub fn take_over(
        &self,
        consent: &[u8],
        next: &Keys,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotHandedOver> {
        let named = self.consented(consent, now)?;
        let owner = next.owner.as_ref().ok_or(NotStaffed::NoOwner)?.public();
        if named.key != owner {
            return Err(NotHandedOver::OtherKey);
        }
        let identity = Identity { owner, ..self.identity().clone() };
        let generations = self.certified_anew(&identity, next, now, rng)?;
        let step = Step {
            from: self.identity().owner,
            consent: consent.to_vec().into(),
            list: self.last_list(now)?.into(),
        };
        let above: Vec<ByteVec> = self.chain()?.into_iter().skip(1).map(ByteVec::from).collect();
        let stored = self.writer().write(move |tx| -> Result<(), Abort<NotStaffed>> {
            may_staff(tx)?;
            for generation in &generations {
                known::certify_generation(tx, generation)?;
            }
            settings::put(tx, Setting::Identity, &identity)?;
            settings::put(tx, Setting::Chain, &chain_after(&step, &above))?;
            add_step(tx, step.clone())?;
            Ok(super::trust_changed(tx)?)
        });
        Ok(stored.map_err(NotStaffed::from)?)
    }

    /// How the shop came to its owner, the newest step first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn steps(&self) -> Result<Vec<Step>, StoreError> {
        self.reader().read(|c| Ok(settings::get(c, Setting::Steps)?.unwrap_or_default()))
    }

    /// What a consent of this shop's owner says.
    fn consented(&self, consent: &[u8], now: UnixMs) -> Result<Certificate, NotHandedOver> {
        let now = self.known_now(now)?;
        let checked = self.trust()?.check(&[&consent], now)?;
        match checked.standing() {
            Standing::Shop { shop } if *shop == self.id() => {}
            _ => return Err(NotHandedOver::OtherShop),
        }
        match *checked.key() == self.identity().owner {
            true => Err(NotHandedOver::OwnKey),
            false => Ok(checked.certificate().clone()),
        }
    }

    /// All boxes that ever spoke for the shop, and the next one, by the new owner's key: orders are
    /// read by them for years.
    fn certified_anew(
        &self,
        identity: &Identity,
        next: &Keys,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<Generation>, NotHandedOver> {
        let owner = next.owner.as_ref().ok_or(NotStaffed::NoOwner)?;
        let mut all = self.reader().read(known::generations)?;
        for old in &mut all {
            let read = UnverifiedCertificate::parse(&old.certificate)
                .map_err(|e| StoreError::damaged("the certificate of generation", e))?;
            let standing = Standing::Node { shop: identity.shop, generation: old.n };
            let holder = Holder { key: old.node, sealing: read.claimed().sealing, standing };
            old.certificate = Certificate::issue(owner, &holder, now, rng).bytes().to_vec();
        }
        let number = self.generation() + 1;
        let fresh = founding::certify_box(identity, next, number, now, rng);
        all.push(fresh.ok_or(NotStaffed::NoOwner)?);
        Ok(all)
    }

    /// The list on which the owner before withdraws everybody's certificate who works here.
    fn last_list(&self, now: UnixMs) -> Result<Vec<u8>, NotHandedOver> {
        let owner = self.keys().owner.as_ref().ok_or(NotStaffed::NoOwner)?;
        let (trust, now) = (self.trust()?, self.known_now(now)?.at);
        let before = trust.lists().find(|list| list.issuer() == owner.id());
        let mut revoked = before.map(|l| l.list().revoked.clone()).unwrap_or_default();
        let all = self.reader().read(staff::all)?;
        let read = all.iter().filter_map(|c| UnverifiedCertificate::parse(&c.certificate).ok());
        revoked.extend(read.map(|read| read.claimed().serial));
        let number = before.map_or(0, |list| list.list().number);
        let list = RevocationList::next(number, now, revoked).map_err(NotStaffed::from)?;
        Ok(list.sign(owner).bytes().to_vec())
    }
}

/// The certificates above the box's own, once a step was taken: strangers go on by what a hub said
/// of the owner before, until it says it of this one.
fn chain_after(step: &Step, above: &[ByteVec]) -> Vec<ByteVec> {
    let is_own_word = |bytes: &&ByteVec| {
        UnverifiedCertificate::parse(bytes)
            .is_ok_and(|read| read.claimed().issuer == read.claimed().key.id())
    };
    let before = above.iter().filter(|bytes| !is_own_word(bytes)).cloned();
    std::iter::once(step.consent.clone()).chain(before).take(CHAIN_MAX - 1).collect()
}

fn add_step(tx: &Tx<'_>, step: Step) -> Result<(), StoreError> {
    let list = kirana_core::revocation::SignedList::verify(&step.list, &step.from)
        .map_err(|e| StoreError::damaged("the last list of the owner before", e))?;
    let (number, issued) = (list.list().number, list.list().issued);
    known::put_list(tx, list.issuer(), number, list.bytes(), issued)?;
    let mut steps: Vec<Step> = settings::get(tx, Setting::Steps)?.unwrap_or_default();
    steps.insert(0, step);
    settings::put(tx, Setting::Steps, &steps)
}
