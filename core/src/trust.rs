//! Decides, without asking anybody, whether a certificate counts here.
//!
//! **Invariant:** a [`Certified`] comes only out of [`Trust::check`]. A hub alone can neither swap
//! the key of a shop that is pinned here nor pass a new device of a pinned account off as known.

use std::{collections::BTreeMap, ops::Deref};

use crate::{
    certificate::{Certificate, HubRole, SignedCertificate, Standing, UnverifiedCertificate},
    hash::Hash,
    id::{AccountId, ShopId},
    key::{KeyId, PublicKey, SealingPublic},
    known_time::KnownNow,
    revocation::{BadList, SignedList},
    roster::{BadRoster, SignedRoster},
    sign1::Forged,
    statement::Party,
    time::UnixMs,
};

mod choice;
mod distrust;
mod ownership;

pub use choice::{Honour, NoHonour, Pins};
pub use distrust::Distrust;
pub use ownership::{CONSENT_LIFETIME_MS, Unfollowed, follow};

/// The longest chain: a device countersigned by a device, or staff under a shop under a hub.
pub const CHAIN_MAX: usize = 4;

/// Whom this program believes: all of it is stored, none of it is asked for over the network.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    root: Option<PublicKey>,
    roster: Option<SignedRoster>,
    shops: BTreeMap<ShopId, PublicKey>,
    former: Vec<PublicKey>,
    devices: Pins,
    lists: BTreeMap<KeyId, SignedList>,
    honours: Honour,
    here: Option<ShopId>,
    revision: u64,
}

impl Trust {
    /// Believes only guests' own word, until something is added.
    pub fn new() -> Self {
        Self::default()
    }

    /// Believes rosters of this root from now on; a roster of another root is dropped.
    pub fn set_root(&mut self, root: PublicKey) {
        if self.root != Some(root) {
            self.root = Some(root);
            self.roster = None;
            self.revision += 1;
        }
    }

    /// Sets for how long expired certificates of pinned shops and devices go on counting.
    pub fn honour_expired_of_pinned(&mut self, honours: Honour) {
        self.honours = honours;
        self.revision += 1;
    }

    /// Says which shop this is: guests whose certificate was made for it count, others' do not.
    pub fn stand_in(&mut self, shop: ShopId) {
        self.here = Some(shop);
        self.revision += 1;
    }

    /// Takes in a roster, and says whether it was news.
    ///
    /// # Errors
    /// [`BadRoster`] when it is not by the root; without a root every roster is forged.
    pub fn admit_roster(&mut self, bytes: &[u8]) -> Result<bool, BadRoster> {
        let Some(root) = self.root else {
            return Err(BadRoster::Forged(Forged { signer: KeyId::of(&[0; 32]) }));
        };
        let signed = SignedRoster::verify(bytes, &root)?;
        let last = self.roster.as_ref().map(|roster| roster.roster().number);
        if last.is_some_and(|last| signed.roster().number <= last) {
            return Ok(false);
        }
        self.roster = Some(signed);
        self.revision += 1;
        Ok(true)
    }

    /// Takes in a revocation list of a hub, or of the owner of a pinned shop; says whether it was news.
    ///
    /// # Errors
    /// [`BadList`] when it is damaged, forged, or by nobody whose lists matter here.
    pub fn admit_list(&mut self, bytes: &[u8]) -> Result<bool, BadList> {
        let issuer = SignedList::claimed_issuer(bytes)?;
        let key = self.issuer_of_lists(issuer).ok_or(BadList::Stranger { issuer })?;
        let signed = SignedList::verify(bytes, &key)?;
        let last = self.lists.get(&issuer).map(|list| list.list().number);
        if last.is_some_and(|last| signed.list().number <= last) {
            return Ok(false);
        }
        self.lists.insert(issuer, signed);
        self.revision += 1;
        Ok(true)
    }

    /// Remembers a shop's owner for good.
    ///
    /// # Errors
    /// [`Distrust::OwnerChanged`] when another owner is pinned: a person has to decide.
    pub fn pin_shop(&mut self, shop: ShopId, owner: PublicKey) -> Result<(), Distrust> {
        match self.shops.get(&shop) {
            Some(pinned) if *pinned != owner => Err(Distrust::OwnerChanged { shop }),
            Some(_) => Ok(()),
            None => {
                self.shops.insert(shop, owner);
                self.revision += 1;
                Ok(())
            }
        }
    }

    /// Remembers a new owner because a person said so.
    pub fn replace_shop_owner(&mut self, shop: ShopId, owner: PublicKey) {
        self.shops.insert(shop, owner);
        self.revision += 1;
    }

    /// Takes in the lists of somebody who owned a shop before, to pass the last one on.
    pub fn knew_owner(&mut self, owner: PublicKey) {
        self.former.push(owner);
        self.revision += 1;
    }

    /// Remembers that this device is this account's.
    pub fn pin_device(&mut self, account: AccountId, device: PublicKey) {
        self.devices.add(account, device);
        self.revision += 1;
    }

    /// The same without what was withdrawn: for what was signed before, and is vouched for otherwise.
    #[must_use]
    pub fn before_revocations(&self) -> Self {
        Self { lists: BTreeMap::new(), ..self.clone() }
    }

    /// The root, if there is one.
    pub fn root(&self) -> Option<PublicKey> {
        self.root
    }

    /// The roster, if there is one.
    pub fn roster(&self) -> Option<&SignedRoster> {
        self.roster.as_ref()
    }

    /// The revocation lists, to be passed on with every contact.
    pub fn lists(&self) -> impl Iterator<Item = &SignedList> {
        self.lists.values()
    }

    /// The pinned owner of a shop.
    pub fn owner_of(&self, shop: ShopId) -> Option<PublicKey> {
        self.shops.get(&shop).copied()
    }

    /// The newest time in a roster or list, for [`crate::known_time::KnownTime::saw_signed`].
    pub fn newest_signed(&self) -> UnixMs {
        let roster = self.roster.as_ref().map(|roster| roster.roster().issued);
        let lists = self.lists.values().map(|list| list.list().issued);
        roster.into_iter().chain(lists).max().unwrap_or_default()
    }

    /// Grows with every change: an answer of [`Trust::check`] may be kept while this stays the
    /// same and the certificate has not expired.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Checks a chain of certificates, leaf first.
    ///
    /// A start in the future is no reason to refuse: an issuer's signature says that this moment
    /// has come, so the own clock is behind (see [`Certified::signed_at`]).
    ///
    /// # Errors
    /// [`Distrust`] says which link fails and why.
    pub fn check<B: Deref<Target: AsRef<[u8]>>>(
        &self,
        chain: &[B],
        now: impl Into<KnownNow>,
    ) -> Result<Certified, Distrust> {
        self.check_knowing(&self.devices, chain, now)
    }

    /// [`Trust::check`] with other pinned devices than those that were told to this: of thousands
    /// of customers only one is at the door.
    ///
    /// # Errors
    /// As there.
    pub fn check_knowing<B: Deref<Target: AsRef<[u8]>>>(
        &self,
        pins: &Pins,
        chain: &[B],
        now: impl Into<KnownNow>,
    ) -> Result<Certified, Distrust> {
        if chain.len() > CHAIN_MAX {
            return Err(Distrust::TooLong { links: chain.len() });
        }
        let links = chain
            .iter()
            .map(|bytes| UnverifiedCertificate::parse((**bytes).as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let path = self.walk(&links, pins)?;
        for link in &path.links {
            self.check_not_revoked(link.certificate())?;
        }
        let expired = self.check_not_expired(&path, pins, now.into())?;
        Ok(Certified::of(path, expired, pins))
    }

    /// Meets a shop for the first time: its chain must hold together under the owner's key that it
    /// brings. Whether a hub vouches for it stands in [`Certified::vouched`].
    ///
    /// # Errors
    /// [`Distrust`] when the chain is broken, or another owner of this shop is pinned who consented
    /// to no other.
    pub fn introduce<B: Deref<Target: AsRef<[u8]>>>(
        &self,
        chain: &[B],
        now: impl Into<KnownNow>,
    ) -> Result<Introduction, Distrust> {
        let links = chain.iter().map(|bytes| UnverifiedCertificate::parse((**bytes).as_ref()));
        for link in links {
            let link = link?;
            let Standing::Shop { shop } = link.claimed().standing else { continue };
            let mut meeting = self.clone();
            if meeting.owner_of(shop).is_none() {
                meeting.pin_shop(shop, link.claimed().key)?;
            }
            let node = meeting.check(chain, now)?;
            return match (node.shop(), node.owner()) {
                (Some(named), Some(owner)) if named == shop => {
                    Ok(Introduction { shop, owner, node })
                }
                _ => Err(Distrust::NotAShop),
            };
        }
        Err(Distrust::NotAShop)
    }

    /// Verifies the leaf, and what stands above it as far as that is needed.
    fn walk(&self, links: &[UnverifiedCertificate], pins: &Pins) -> Result<Path, Distrust> {
        let (leaf, above) = links.split_first().ok_or(Distrust::Empty)?;
        let claimed = leaf.claimed();
        match claimed.standing {
            Standing::Guest => Path::of(leaf, &claimed.key, Vouched::Nobody),
            Standing::GuestOf { shop } if self.here == Some(shop) => {
                Path::of(leaf, &claimed.key, Vouched::Nobody)
            }
            Standing::GuestOf { shop } => Err(Distrust::GuestElsewhere { shop }),
            Standing::Device { account, .. } => self.walk_device(leaf, account, above, pins),
            Standing::Shop { shop } => self.walk_shop(leaf, shop),
            Standing::Node { shop, .. } | Standing::Staff { shop, .. } => {
                self.walk_under_owner(leaf, shop, above)
            }
            Standing::Hub { role } => self.walk_hub(leaf, role),
        }
    }

    fn walk_device(
        &self,
        leaf: &UnverifiedCertificate,
        account: AccountId,
        above: &[UnverifiedCertificate],
        pins: &Pins,
    ) -> Result<Path, Distrust> {
        let issuer = leaf.claimed().issuer;
        if let Some(hub) = self.central_hub(issuer) {
            return Path::of(leaf, &hub, Vouched::Hub(issuer));
        }
        match pins.get(issuer) {
            Some((owner, key)) if owner == account && issuer != leaf.claimed().key.id() => {
                let mut path = Path::of(leaf, &key, Vouched::Countersigned(issuer))?;
                // A countersigner that was withdrawn or has ended countersigns nothing, so it has
                // to show itself what it was certified by.
                let shown = above.first().filter(|link| link.claimed().key.id() == issuer);
                shown.ok_or(Distrust::NoCountersigner { issuer })?;
                path.links.extend(self.walk(above, pins)?.links);
                Ok(path)
            }
            _ => Err(Distrust::UnknownIssuer { issuer }),
        }
    }

    fn walk_hub(&self, leaf: &UnverifiedCertificate, role: HubRole) -> Result<Path, Distrust> {
        let issuer = leaf.claimed().issuer;
        if let Some(root) = self.root.filter(|root| root.id() == issuer) {
            return Path::of(leaf, &root, Vouched::Root);
        }
        match (role, self.central_hub(issuer)) {
            (HubRole::Community, Some(hub)) => Path::of(leaf, &hub, Vouched::Hub(issuer)),
            _ => Err(Distrust::UnknownIssuer { issuer }),
        }
    }

    fn central_hub(&self, key: KeyId) -> Option<PublicKey> {
        let hub = self.roster.as_ref()?.roster().hub(key)?;
        (hub.role == HubRole::Central).then_some(hub.key)
    }

    fn issuer_of_lists(&self, issuer: KeyId) -> Option<PublicKey> {
        let owners = self.shops.values().chain(&self.former);
        let owner = owners.into_iter().find(|owner| owner.id() == issuer).copied();
        let root = self.root.filter(|root| root.id() == issuer);
        self.central_hub(issuer).or(owner).or(root)
    }

    fn check_not_revoked(&self, certificate: &Certificate) -> Result<(), Distrust> {
        let list = self.lists.get(&certificate.issuer);
        match list {
            Some(list) if list.list().revoked.contains(&certificate.serial) => {
                Err(Distrust::Revoked { serial: certificate.serial })
            }
            _ => Ok(()),
        }
    }

    /// Whether a link has expired and is honoured nevertheless.
    fn check_not_expired(&self, path: &Path, pins: &Pins, now: KnownNow) -> Result<bool, Distrust> {
        // A guest vouches for itself, so the end that it chose says nothing.
        if path.vouched == Vouched::Nobody {
            return Ok(false);
        }
        let past = path.links.iter().map(|link| link.certificate().expires);
        let Some(expired) = past.filter(|expires| now.is_past(*expires)).min() else {
            return Ok(false);
        };
        match self.is_pinned(path.leaf(), pins) && self.honours_of(path.leaf()).holds(expired, now)
        {
            true => Ok(true),
            false => Err(Distrust::Expired { expired, now: now.at }),
        }
    }

    /// Boxes of a pinned shop go on whatever it chose: their orders have to come to an end.
    fn honours_of(&self, certificate: &Certificate) -> Honour {
        match certificate.standing {
            Standing::Node { .. } if self.honours != Honour::Never => Honour::Always,
            _ => self.honours,
        }
    }

    fn is_pinned(&self, certificate: &Certificate, pins: &Pins) -> bool {
        match certificate.standing {
            Standing::Device { account, .. } => {
                pins.get(certificate.key.id()).is_some_and(|(owner, _)| owner == account)
            }
            Standing::Shop { shop }
            | Standing::Node { shop, .. }
            | Standing::Staff { shop, .. } => self.shops.contains_key(&shop),
            Standing::Guest | Standing::GuestOf { .. } | Standing::Hub { .. } => false,
        }
    }
}

/// Whether other devices of the account are pinned, and this one is neither pinned nor
/// countersigned by one that is.
fn is_new_device(certificate: &Certificate, vouched: Vouched, pins: &Pins) -> bool {
    let Standing::Device { account, .. } = certificate.standing else { return false };
    matches!(vouched, Vouched::Hub(_))
        && pins.get(certificate.key.id()).is_none()
        && pins.knows(account)
}

/// The verified links that a leaf hangs on, leaf first; never empty.
struct Path {
    links: Vec<SignedCertificate>,
    vouched: Vouched,
    /// Whose shop it is, for its boxes and its staff.
    owner: Option<PublicKey>,
}

impl Path {
    fn of(
        leaf: &UnverifiedCertificate,
        issuer: &PublicKey,
        vouched: Vouched,
    ) -> Result<Self, Distrust> {
        Ok(Self { links: vec![leaf.clone().verify(issuer)?], vouched, owner: None })
    }

    fn leaf(&self) -> &Certificate {
        self.links[0].certificate()
    }
}

/// On whose word a certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// The root's.
    Root,
    /// A hub's that stands on the roster.
    Hub(KeyId),
    /// Nobody's but our own: the shop is pinned here, no hub vouches for it.
    Pinned,
    /// That of another device of the account, which is pinned here.
    Countersigned(KeyId),
    /// Only the holder's own: a guest.
    Nobody,
}

/// A holder whose certificates were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    certificate: Certificate,
    hash: Hash,
    vouched: Vouched,
    expired: bool,
    new_device: bool,
    signed_at: UnixMs,
    ends: Option<UnixMs>,
    owner: Option<PublicKey>,
}

impl Certified {
    fn of(path: Path, expired: bool, pins: &Pins) -> Self {
        let ends = match path.vouched {
            Vouched::Nobody => None,
            _ => path.links.iter().map(|l| l.certificate().expires).min(),
        };
        let signed_at = match path.vouched {
            Vouched::Nobody => UnixMs::default(),
            _ => path.links.iter().map(|l| l.certificate().not_before).max().unwrap_or_default(),
        };
        Self {
            certificate: path.leaf().clone(),
            hash: path.links[0].hash(),
            vouched: path.vouched,
            expired,
            new_device: is_new_device(path.leaf(), path.vouched, pins),
            signed_at,
            ends,
            owner: path.owner,
        }
    }

    /// What the certificate says.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The digest of the leaf.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// What the holder signs with.
    pub fn key(&self) -> &PublicKey {
        &self.certificate.key
    }

    /// What messages to the holder are sealed to.
    pub fn sealing(&self) -> &SealingPublic {
        &self.certificate.sealing
    }

    /// As what the holder appears.
    pub fn standing(&self) -> &Standing {
        &self.certificate.standing
    }

    /// For whom the holder speaks in orders: see [`Certificate::party`].
    pub fn party(&self) -> Option<Party> {
        self.certificate.party()
    }

    /// The shop whose box this is.
    pub fn shop(&self) -> Option<ShopId> {
        match self.certificate.standing {
            Standing::Node { shop, .. } => Some(shop),
            _ => None,
        }
    }

    /// The generation of the shop's box.
    pub fn generation(&self) -> Option<u64> {
        match self.certificate.standing {
            Standing::Node { generation, .. } => Some(generation),
            _ => None,
        }
    }

    /// Under which owner's key a shop's box or staff counts. Where that is another one than was
    /// pinned, the pinned owner has consented, and the pin is to follow.
    pub fn owner(&self) -> Option<PublicKey> {
        self.owner
    }

    /// On whose word it counts.
    pub fn vouched(&self) -> Vouched {
        self.vouched
    }

    /// Whether it has expired and counts only because the holder is pinned.
    pub fn expired(&self) -> bool {
        self.expired
    }

    /// Whether [`Trust::check`] would say the same of the same bytes at another moment, as long as
    /// its [`Trust::revision`] stays the same.
    pub fn still_holds(&self, now: KnownNow) -> bool {
        !self.expired && self.ends.is_none_or(|ends| !now.is_past(ends))
    }

    /// Whether a hub alone says that this device belongs to an account of which other devices are
    /// pinned: a person has to be asked before it counts as theirs.
    pub fn is_new_device(&self) -> bool {
        self.new_device
    }

    /// The newest time that somebody other than the holder put under a signature here, for
    /// [`crate::known_time::KnownTime::saw_signed`].
    pub fn signed_at(&self) -> UnixMs {
        self.signed_at
    }
}

/// A shop met for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Which shop.
    pub shop: ShopId,
    /// The owner's key, to be pinned.
    pub owner: PublicKey,
    /// Its box.
    pub node: Certified,
}

#[cfg(test)]
mod tests;
