//! Follows a shop from one owner to the next.
//!
//! A consent is a certificate of the shop for the next owner's key, signed by the one before.
//!
//! **Invariant:** a consent counts only where its signer's key does: because it is pinned here, or,
//! for whoever never met the shop, because a hub vouched for it. So no hub can give a shop away.

use std::iter::once;

use super::{Distrust, Path, Trust, Vouched};
use crate::{
    cbor::Malformed,
    certificate::{
        Certificate, Holder, Serial, SignedCertificate, Standing, UnverifiedCertificate,
    },
    id::ShopId,
    key::{KeyId, PublicKey, SealingPublic, SigningKey},
    revocation::{BadList, SignedList},
    sign1::Forged,
    time::{DAY_MS, UnixMs},
};

/// How long a consent counts: whoever was away so long asks in person. It is a fact, not a standing
/// that has to be renewed.
pub const CONSENT_LIFETIME_MS: u64 = 3_660 * DAY_MS;

impl Certificate {
    /// The consent of a shop's owner that another key owns the shop from now on.
    pub fn of_next_owner(
        owner: &SigningKey,
        shop: ShopId,
        (key, sealing): (PublicKey, SealingPublic),
        now: UnixMs,
        serial: Serial,
    ) -> SignedCertificate {
        let holder = Holder { key, sealing, standing: Standing::Shop { shop } };
        Self::issue_until(owner, &holder, now, now.plus_ms(CONSENT_LIFETIME_MS), serial)
    }
}

/// Follows a shop from an owner's key by consents, the oldest first, each with a list of who signed
/// it: as late as the consent or later, so that one which was taken back does not count.
///
/// # Errors
/// [`Unfollowed`] says what is wrong with which of them.
pub fn follow(
    shop: ShopId,
    from: PublicKey,
    steps: &[(Vec<u8>, Vec<u8>)],
) -> Result<PublicKey, Unfollowed> {
    let mut owner = from;
    for (consent, list) in steps {
        let consent = UnverifiedCertificate::parse(consent)?.verify(&owner)?;
        let list = SignedList::verify(list, &owner)?;
        let certificate = consent.certificate();
        if certificate.standing != (Standing::Shop { shop }) {
            return Err(Unfollowed::OtherShop);
        }
        if list.list().issued < certificate.not_before {
            return Err(Unfollowed::ListTooOld);
        }
        if list.list().revoked.contains(&certificate.serial) {
            return Err(Unfollowed::TakenBack);
        }
        owner = certificate.key;
    }
    Ok(owner)
}

/// Why a shop did not go from one owner to another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfollowed {
    /// A consent cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A consent is not by the owner before.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// The list cannot be read, or is not by the owner before.
    #[error(transparent)]
    List(#[from] BadList),
    /// It is no consent about this shop.
    #[error("the consent is about something else than this shop")]
    OtherShop,
    /// The list says nothing about the consent.
    #[error("the list of what the owner before withdrew is older than the consent")]
    ListTooOld,
    /// The owner before took it back.
    #[error("the owner before took the consent back")]
    TakenBack,
}

/// Whose word stands at the beginning.
#[derive(Clone, Copy)]
enum Ground {
    /// The owner who is pinned here.
    Pin(PublicKey),
    /// A hub's.
    Hub,
}

/// A key that owns a shop, and why.
struct Ownership {
    key: PublicKey,
    /// From the newest consent down to the ground; none where the key itself is pinned.
    links: Vec<SignedCertificate>,
    vouched: Vouched,
}

impl Trust {
    pub(super) fn walk_shop(
        &self,
        leaf: &UnverifiedCertificate,
        shop: ShopId,
    ) -> Result<Path, Distrust> {
        let claimed = leaf.claimed();
        let pinned = self.shops.get(&shop);
        if let Some(pinned) = pinned.filter(|pinned| **pinned != claimed.key) {
            return match pinned.id() == claimed.issuer {
                true => Path::of(leaf, pinned, Vouched::Pinned),
                false => Err(Distrust::OwnerChanged { shop }),
            };
        }
        match self.central_hub(claimed.issuer) {
            Some(hub) => Path::of(leaf, &hub, Vouched::Hub(claimed.issuer)),
            None if pinned.is_some() => Path::of(leaf, &claimed.key, Vouched::Pinned),
            None => Err(Distrust::UnknownIssuer { issuer: claimed.issuer }),
        }
    }

    pub(super) fn walk_under_owner(
        &self,
        leaf: &UnverifiedCertificate,
        shop: ShopId,
        above: &[UnverifiedCertificate],
    ) -> Result<Path, Distrust> {
        let issuer = leaf.claimed().issuer;
        let standing = Standing::Shop { shop };
        let said: Vec<_> = above.iter().filter(|l| l.claimed().standing == standing).collect();
        let by_hub = self.ownership(issuer, &said, Ground::Hub);
        let Some(pinned) = self.shops.get(&shop) else {
            return Path::under(leaf, by_hub?);
        };
        let owner = self.ownership(issuer, &said, Ground::Pin(*pinned));
        let mut owner = owner.map_err(|_| Distrust::OwnerChanged { shop })?;
        // The pin is enough; a hub's word for the owner is taken note of, not needed.
        let by_hub = by_hub.ok().filter(|by_hub| {
            by_hub.links.iter().all(|link| self.check_not_revoked(link.certificate()).is_ok())
        });
        owner.vouched = by_hub.map_or(Vouched::Pinned, |by_hub| by_hub.vouched);
        Path::under(leaf, owner)
    }

    /// Why a key owns the shop, by what is said of it.
    fn ownership(
        &self,
        key: KeyId,
        said: &[&UnverifiedCertificate],
        ground: Ground,
    ) -> Result<Ownership, Distrust> {
        if let Ground::Pin(pinned) = ground
            && pinned.id() == key
        {
            return Ok(Ownership { key: pinned, links: Vec::new(), vouched: Vouched::Pinned });
        }
        let mut why = Distrust::UnknownIssuer { issuer: key };
        for (at, link) in said.iter().enumerate().filter(|(_, l)| l.claimed().key.id() == key) {
            // At most as deep as a chain is long: each step leaves one link out.
            let mut others = said.to_vec();
            others.remove(at);
            match self.ownership_by(link, &others, ground) {
                Ok(ownership) => return Ok(ownership),
                Err(distrust) => why = distrust,
            }
        }
        Err(why)
    }

    fn ownership_by(
        &self,
        link: &UnverifiedCertificate,
        others: &[&UnverifiedCertificate],
        ground: Ground,
    ) -> Result<Ownership, Distrust> {
        let (issuer, key) = (link.claimed().issuer, link.claimed().key);
        if let (Ground::Hub, Some(hub)) = (ground, self.central_hub(issuer)) {
            let links = vec![link.clone().verify(&hub)?];
            return Ok(Ownership { key, links, vouched: Vouched::Hub(issuer) });
        }
        let before = self.ownership(issuer, others, ground)?;
        let consent = link.clone().verify(&before.key)?;
        let links = once(consent).chain(before.links).collect();
        Ok(Ownership { key, links, vouched: before.vouched })
    }
}

impl Path {
    fn under(leaf: &UnverifiedCertificate, owner: Ownership) -> Result<Self, Distrust> {
        let mut path = Self::of(leaf, &owner.key, owner.vouched)?;
        path.links.extend(owner.links);
        path.owner = Some(owner.key);
        Ok(path)
    }
}
