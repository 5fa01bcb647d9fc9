//! Remembers which certificates held, so that each order need not check them again.
//!
//! **Invariant (P6):** an answer stands only for the very same bytes, at the very same revision of
//! the shop's trust, and until the first of the certificates ends: whoever is shut out changes the
//! revision, and with it every answer is asked for anew.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use kirana_core::{
    hash::Hash,
    known_time::KnownNow,
    trust::{Certified, Trust, Vouched},
};
use kirana_migrations::rusqlite::Connection;

use super::{Undeliverable, devices};

/// Answers that are remembered; beyond that all are forgotten.
const REMEMBERED_MAX: usize = 4096;

/// Certificates that held.
#[derive(Default)]
pub(crate) struct Checked(Mutex<BTreeMap<Hash, (u64, Certified)>>);

/// A state of the shop's trust to check certificates against.
pub(crate) struct Against<'a> {
    /// The trust.
    pub(crate) trust: &'a Trust,
    /// What held before at this revision; nothing where the trust is not the stored one.
    pub(crate) before: Option<(&'a Checked, u64)>,
}

impl Against<'_> {
    /// [`devices::check`], or what it said before.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn check(
        &self,
        c: &Connection,
        chain: &[Vec<u8>],
        now: KnownNow,
    ) -> Result<Certified, Undeliverable> {
        let Some((checked, revision)) = self.before else {
            return devices::check(c, self.trust, chain, now);
        };
        let name = Hash::of_parts(&chain.iter().map(Vec::as_slice).collect::<Vec<_>>());
        if let Some(certified) = checked.find(name, revision, now) {
            return Ok(certified);
        }
        let certified = devices::check(c, self.trust, chain, now)?;
        // Whom a known device countersigned is asked for anew: which are known is no part of the
        // revision.
        if !matches!(certified.vouched(), Vouched::Countersigned(_)) {
            checked.remember(name, revision, &certified);
        }
        Ok(certified)
    }
}

impl Checked {
    fn find(&self, name: Hash, revision: u64, now: KnownNow) -> Option<Certified> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, certified) = held.get(&name)?;
        (*at == revision && certified.still_holds(now)).then(|| certified.clone())
    }

    fn remember(&self, name: Hash, revision: u64, certified: &Certified) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= REMEMBERED_MAX {
            held.clear();
        }
        held.insert(name, (revision, certified.clone()));
    }
}

#[cfg(test)]
mod tests {
    use kirana_core::{
        certificate::{Certificate, DEVICE_LIFETIME_MS, Holder, HubRole, Standing},
        id::AccountId,
        key::KeyPair,
        revocation::RevocationList,
        roster::{HubEntry, Roster},
        time::UnixMs,
    };
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use kirana_core::trust::Distrust;
    use kirana_migrations::{Database, Location, Schema};

    use super::*;

    /// A database in which no device is known.
    fn nothing() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.db");
        drop(Database::open(Schema::Shop, Location::File(file.clone())).unwrap());
        (folder, Connection::open(file).unwrap())
    }

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    struct Hub {
        hub: KeyPair,
        trust: Trust,
        device: Vec<Vec<u8>>,
    }

    /// A device that a hub on the roster certified.
    fn hub() -> Hub {
        let (root, hub) = (KeyPair::from_seed([1; 64]), KeyPair::from_seed([2; 64]));
        let device = KeyPair::from_seed([3; 64]);
        let entry = HubEntry {
            key: hub.signing.public(),
            sealing: hub.sealing.public(),
            role: HubRole::Central,
            url: None,
            p2p: vec![],
        };
        let mut trust = Trust::new();
        trust.set_root(root.signing.public());
        let roster = Roster { number: 1, issued: NOW, hubs: vec![entry] }.sign(&root.signing);
        trust.admit_roster(roster.bytes()).unwrap();
        let standing = Standing::Device { account: AccountId::new(NOW, [1; 10]), hosted: false };
        let (key, sealing) = (device.signing.public(), device.sealing.public());
        let mut rng = ChaCha20Rng::from_seed([4; 32]);
        let holder = Holder { key, sealing, standing };
        let certificate = Certificate::issue(&hub.signing, &holder, NOW, &mut rng);
        Hub { hub, trust, device: vec![certificate.bytes().to_vec()] }
    }

    #[test]
    fn an_answer_is_remembered_and_is_the_same() {
        let (hub, checked) = (hub(), Checked::default());
        let against = Against { trust: &hub.trust, before: Some((&checked, 1)) };
        let first = against.check(&nothing().1, &hub.device, NOW.into()).unwrap();
        // A trust that believes nobody shows that it was not asked again.
        let nobody = Against { trust: &Trust::new(), before: Some((&checked, 1)) };
        assert_eq!(nobody.check(&nothing().1, &hub.device, NOW.into()).unwrap(), first);
        let elsewhere = Against { trust: &Trust::new(), before: None };
        assert!(elsewhere.check(&nothing().1, &hub.device, NOW.into()).is_err());
    }

    #[test]
    fn p6_a_device_that_is_shut_out_is_refused_though_it_held_before() {
        let (mut hub, checked) = (hub(), Checked::default());
        let against = Against { trust: &hub.trust, before: Some((&checked, 1)) };
        let serial =
            against.check(&nothing().1, &hub.device, NOW.into()).unwrap().certificate().serial;
        let list = RevocationList::next(0, NOW, [serial].into()).unwrap();
        hub.trust.admit_list(list.sign(&hub.hub.signing).bytes()).unwrap();
        let after = Against { trust: &hub.trust, before: Some((&checked, 2)) };
        let refused = after.check(&nothing().1, &hub.device, NOW.into());
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Undeliverable::Distrust(Distrust::Revoked { .. })));
    }

    #[test]
    fn p6_a_certificate_that_has_ended_since_is_refused() {
        let (hub, checked) = (hub(), Checked::default());
        let against = Against { trust: &hub.trust, before: Some((&checked, 1)) };
        against.check(&nothing().1, &hub.device, NOW.into()).unwrap();
        let later = NOW.plus_ms(DEVICE_LIFETIME_MS);
        let refused = against.check(&nothing().1, &hub.device, later.into());
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, Undeliverable::Distrust(Distrust::Expired { .. })),
            "{refused:?}"
        );
    }
}
