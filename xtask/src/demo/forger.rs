//! An enemy with a key of its own, who read somebody's order and makes envelopes out of it.
//!
//! It knows more than a relay ever does: the signed entry itself, as a dishonest shop would.

use anyhow::Context;
use kirana_core::cbor;
use kirana_core::certificate::{Certificate, Standing, UnverifiedCertificate};
use kirana_core::envelope::{self, Parcel};
use kirana_core::id::{OrderId, ShopId};
use kirana_core::key::{KeyPair, SealingPublic};
use kirana_core::mail::Address;
use kirana_core::stamp;
use kirana_core::statement::{Statement, UnverifiedStatement};
use kirana_core::time::{DAY_MS, UnixMs};
use minicbor::bytes::ByteVec;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::papers::Letter;
use crate::clock;

/// The enemy.
pub struct Forger {
    keys: KeyPair,
    certificate: Vec<u8>,
    rng: ChaCha20Rng,
    now: UnixMs,
}

impl Forger {
    /// A fresh enemy, whom nobody vouches for.
    pub fn appear() -> Self {
        let now = clock::now();
        let mut rng = ChaCha20Rng::seed_from_u64(now.get());
        let mut seed = [0; 64];
        rand_core::Rng::fill_bytes(&mut rng, &mut seed);
        let keys = KeyPair::from_seed(seed);
        let certificate =
            Certificate::of_guest(&keys.signing, keys.sealing.public(), now, &mut rng)
                .bytes()
                .to_vec();
        Self { keys, certificate, rng, now }
    }

    /// An order in the victim's name under the enemy's signature.
    pub fn in_anothers_name(&mut self, letter: &Letter, shop: &Target) -> anyhow::Result<Vec<u8>> {
        let entry = UnverifiedStatement::parse(&letter.entry)?;
        let order = OrderId::new(self.now, [7; 10]);
        let forged = Statement { order, ..entry.claimed().clone() };
        let signed = forged.sign(&self.keys.signing);
        self.envelope(signed.bytes().to_vec(), letter, shop)
    }

    /// The victim's own entry with one byte changed under its signature.
    pub fn altered(&mut self, letter: &Letter, shop: &Target) -> anyhow::Result<Vec<u8>> {
        let mut entry = letter.entry.clone();
        let last = entry.last_mut().context("an entry is not empty")?;
        *last ^= 1;
        self.envelope(entry, letter, shop)
    }

    /// The victim's own entry, unchanged, sealed to another shop than it was written for.
    pub fn replayed(&mut self, letter: &Letter, other: &Target) -> anyhow::Result<Vec<u8>> {
        self.envelope(letter.entry.clone(), letter, other)
    }

    fn envelope(
        &mut self,
        statement: Vec<u8>,
        letter: &Letter,
        shop: &Target,
    ) -> anyhow::Result<Vec<u8>> {
        let own = ByteVec::from(self.certificate.clone());
        let mut certificates = letter.certificates.clone();
        certificates.push(own.clone());
        let parcel =
            Parcel { statements: vec![statement.into()], certificates, ..Parcel::default() };
        let sealed = envelope::seal(&parcel, &shop.sealing, &mut self.rng)?;
        let until = self.now.plus_ms(DAY_MS);
        let to = Address::Shop(shop.id);
        let mail = stamp::post(&self.keys.signing, vec![own], to, until, sealed);
        Ok(cbor::to_vec(&mail))
    }
}

/// A shop as an enemy sees it: its id and the key that mail is sealed to.
pub struct Target {
    id: ShopId,
    sealing: SealingPublic,
}

impl Target {
    /// Finds the box of a shop among public certificates.
    ///
    /// # Errors
    /// When none of them is a box's.
    pub fn among(certificates: &[ByteVec]) -> anyhow::Result<Self> {
        for bytes in certificates {
            let certificate = UnverifiedCertificate::parse(bytes)?;
            let certificate = certificate.claimed();
            if let Standing::Node { shop, .. } = certificate.standing {
                return Ok(Self { id: shop, sealing: certificate.sealing });
            }
        }
        anyhow::bail!("no certificate of a shop's box among {}", certificates.len())
    }
}
