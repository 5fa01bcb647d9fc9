//! Says who holds a key: certificates of devices, guests, shops, their boxes, staff and hubs.
//!
//! A certificate is a CWT (RFC 8392): `exp`, `nbf`, `cti`, the confirmed key in `cnf` (RFC 8747) and
//! two private claims; the issuer is the key that its COSE_Sign1 names. It fits a QR code.
//!
//! **Invariant:** a [`SignedCertificate`] says only that this issuer signed it; whether the issuer
//! may, and whether it still counts, is for [`crate::trust`] to say.

use minicbor::{Decode, Decoder, Encode, Encoder};
use rand_core::CryptoRng;

use crate::{
    cbor::Malformed,
    hash::Hash,
    id::{AccountId, ShopId},
    key::{KeyId, PublicKey, SealingPublic, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    statement::Party,
    time::{DAY_MS, UnixMs},
};

/// The longest certificate, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 1024;
/// The longest name on a till or a staff member's certificate, in bytes.
pub const LABEL_BYTES_MAX: usize = 120;
/// How long a device's or a guest's certificate lasts: six months.
pub const DEVICE_LIFETIME_MS: u64 = 183 * DAY_MS;
/// How long the certificate of a shop, its box, its staff or a hub lasts: thirteen months.
pub const SHOP_LIFETIME_MS: u64 = 396 * DAY_MS;

/// The number of one certificate (`cti`), by which it is revoked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Serial(#[cbor(with = "minicbor::bytes")] [u8; 16]);

impl Serial {
    /// A fresh one.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes sixteen bytes that were a serial before; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The sixteen bytes, as they are stored.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// What somebody does in a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum StaffRole {
    /// Carries orders to doors.
    #[n(0)]
    Courier,
    /// Sells, packs, edits the catalogue.
    #[n(1)]
    Staff,
    /// Does what the owner does, by the owner's leave.
    #[n(2)]
    Owner,
    /// What one of the shop's own roles permits; which one is kept at the shop alone.
    #[n(3)]
    Own,
}

/// What a hub may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum HubRole {
    /// Certifies accounts' devices, shops and community hubs, and keeps mail.
    #[n(0)]
    Central,
    /// Keeps mail only.
    #[n(1)]
    Community,
}

/// As what a certificate's holder appears.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Standing {
    /// A device of an account; issued by a hub, or by another device of the account.
    #[n(0)]
    Device {
        /// Whose it is.
        #[n(0)]
        account: AccountId,
        /// Whether a hub keeps the key, for people without a device of their own.
        #[n(1)]
        hosted: bool,
    },
    /// A device that nobody vouches for; signed by itself.
    #[n(1)]
    Guest,
    /// A shop: the certified key is its owner's. Issued by a hub, or signed by itself.
    #[n(2)]
    Shop {
        /// Which shop.
        #[n(0)]
        shop: ShopId,
    },
    /// The box that speaks for a shop; issued by the owner's key.
    #[n(3)]
    Node {
        /// Which shop.
        #[n(0)]
        shop: ShopId,
        /// One more after every restore: of two, the higher speaks.
        #[n(1)]
        generation: u64,
    },
    /// A till or a device of somebody who works in a shop; issued by the owner's key.
    #[n(4)]
    Staff {
        /// Which shop.
        #[n(0)]
        shop: ShopId,
        /// What the holder does there.
        #[n(1)]
        role: StaffRole,
        /// The holder's account, where there is one.
        #[n(2)]
        account: Option<AccountId>,
        /// A name for the owner's list, such as "till 2".
        #[n(3)]
        label: String,
    },
    /// A hub; issued by the root, or by a central hub for a community hub.
    #[n(5)]
    Hub {
        /// What it may do.
        #[n(0)]
        role: HubRole,
    },
    /// A device that nobody vouches for, at one shop only; signed by itself.
    #[n(6)]
    GuestOf {
        /// The shop that it was made for.
        #[n(0)]
        shop: ShopId,
    },
}

impl Standing {
    /// How long a certificate of this kind lasts, in milliseconds.
    pub const fn lifetime_ms(&self) -> u64 {
        match self {
            Self::Device { .. } | Self::Guest | Self::GuestOf { .. } => DEVICE_LIFETIME_MS,
            Self::Shop { .. } | Self::Node { .. } | Self::Staff { .. } | Self::Hub { .. } => {
                SHOP_LIFETIME_MS
            }
        }
    }
}

/// Whom a certificate is for, before it is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key that the holder signs with.
    pub key: PublicKey,
    /// The key that messages to the holder are sealed to.
    pub sealing: SealingPublic,
    /// As what the holder appears.
    pub standing: Standing,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its number, by which it is revoked (`cti`).
    pub serial: Serial,
    /// The key that signed it.
    pub issuer: KeyId,
    /// When it was issued (`nbf`), whole seconds.
    pub not_before: UnixMs,
    /// When it ends (`exp`), whole seconds.
    pub expires: UnixMs,
    /// The key that the holder signs with (`cnf`).
    pub key: PublicKey,
    /// The key that messages to the holder are sealed to.
    pub sealing: SealingPublic,
    /// As what the holder appears.
    pub standing: Standing,
}

impl Certificate {
    /// Issues a certificate that lasts as long as its kind does.
    pub fn issue(
        issuer: &SigningKey,
        holder: &Holder,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> SignedCertificate {
        let expires = now.plus_ms(holder.standing.lifetime_ms());
        Self::issue_until(issuer, holder, now, expires, Serial::random(rng))
    }

    /// Issues a certificate with a chosen end and number.
    pub fn issue_until(
        issuer: &SigningKey,
        holder: &Holder,
        now: UnixMs,
        expires: UnixMs,
        serial: Serial,
    ) -> SignedCertificate {
        let certificate = Self {
            serial,
            issuer: issuer.id(),
            not_before: whole_seconds(now),
            expires: whole_seconds(expires),
            key: holder.key,
            sealing: holder.sealing,
            standing: holder.standing.clone(),
        };
        let bytes = sign1::sign(issuer, Purpose::Certificate, certificate.claims());
        SignedCertificate { hash: Hash::of(&bytes), certificate, bytes }
    }

    /// A guest's certificate, signed by the guest's own key.
    pub fn of_guest(
        key: &SigningKey,
        sealing: SealingPublic,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> SignedCertificate {
        let holder = Holder { key: key.public(), sealing, standing: Standing::Guest };
        Self::issue(key, &holder, now, rng)
    }

    /// A guest's certificate that counts at one shop only, signed by the guest's own key.
    pub fn of_guest_at(
        shop: ShopId,
        key: &SigningKey,
        sealing: SealingPublic,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> SignedCertificate {
        let holder = Holder { key: key.public(), sealing, standing: Standing::GuestOf { shop } };
        Self::issue(key, &holder, now, rng)
    }

    /// For whom the holder speaks in orders; `None` for staff, owners' keys and hubs.
    pub fn party(&self) -> Option<Party> {
        match self.standing {
            Standing::Device { account, .. } => Some(Party::Account(account)),
            Standing::Guest | Standing::GuestOf { .. } => Some(Party::Guest(self.key.id())),
            Standing::Node { shop, .. } => Some(Party::Shop(shop)),
            Standing::Shop { .. } | Standing::Staff { .. } | Standing::Hub { .. } => None,
        }
    }

    /// The claims set (RFC 8392) in its one encoding: keys ascend by their encoded bytes.
    fn claims(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(256));
        self.write(&mut e).expect("encoding into memory cannot fail");
        e.into_writer()
    }

    fn write(
        &self,
        e: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        e.map(6)?;
        e.i64(CLAIM_EXP)?.i64(self.expires.seconds())?;
        e.i64(CLAIM_NBF)?.i64(self.not_before.seconds())?;
        e.i64(CLAIM_CTI)?.bytes(self.serial.as_bytes())?;
        e.i64(CLAIM_CNF)?.map(1)?.i64(1)?.map(3)?;
        e.i64(COSE_KEY_KTY)?.i64(KTY_OKP)?;
        e.i64(COSE_KEY_CRV)?.i64(CRV_ED25519)?;
        e.i64(COSE_KEY_X)?.bytes(self.key.as_bytes())?;
        e.i64(CLAIM_STANDING)?.encode(&self.standing)?;
        e.i64(CLAIM_SEALING)?.encode(self.sealing)?;
        Ok(())
    }

    fn read(issuer: KeyId, claims: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut d = Decoder::new(claims);
        let wrong = minicbor::decode::Error::message;
        if d.map()? != Some(6) {
            return Err(wrong("a certificate has six claims"));
        }
        expect(&mut d, CLAIM_EXP)?;
        let expires = seconds(d.i64()?).ok_or_else(|| wrong("the end is no time"))?;
        expect(&mut d, CLAIM_NBF)?;
        let not_before = seconds(d.i64()?).ok_or_else(|| wrong("the start is no time"))?;
        expect(&mut d, CLAIM_CTI)?;
        let serial = d.decode()?;
        expect(&mut d, CLAIM_CNF)?;
        if d.map()? != Some(1) || d.i64()? != 1 || d.map()? != Some(3) {
            return Err(wrong("cnf holds one COSE_Key"));
        }
        for (label, value) in [(COSE_KEY_KTY, KTY_OKP), (COSE_KEY_CRV, CRV_ED25519)] {
            expect(&mut d, label)?;
            expect(&mut d, value)?;
        }
        expect(&mut d, COSE_KEY_X)?;
        let key = d.decode()?;
        expect(&mut d, CLAIM_STANDING)?;
        let standing = d.decode()?;
        expect(&mut d, CLAIM_SEALING)?;
        let sealing = d.decode()?;
        Ok(Self { serial, issuer, not_before, expires, key, sealing, standing })
    }
}

fn expect(d: &mut Decoder<'_>, label: i64) -> Result<(), minicbor::decode::Error> {
    if d.i64()? == label {
        return Ok(());
    }
    Err(minicbor::decode::Error::message("a claim is missing or another stands in its place"))
}

fn whole_seconds(at: UnixMs) -> UnixMs {
    UnixMs::new(at.get() / 1000 * 1000)
}

fn seconds(value: i64) -> Option<UnixMs> {
    let ms = u64::try_from(value).ok()?.checked_mul(1000)?;
    (ms <= UnixMs::MAX.get()).then(|| UnixMs::new(ms))
}

/// A certificate with its issuer's signature, made by issuing or by verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    certificate: Certificate,
    bytes: Vec<u8>,
    hash: Hash,
}

impl SignedCertificate {
    /// What it says.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the bytes, for caches.
    pub fn hash(&self) -> Hash {
        self.hash
    }
}

/// A certificate as it came: well formed, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedCertificate {
    sign1: Unverified,
    certificate: Certificate,
}

impl UnverifiedCertificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long, damaged, or not in its one encoding.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let sign1 = Unverified::parse(WHAT, bytes, CERTIFICATE_BYTES_MAX)?;
        let wrong = |why: &str| Malformed::Unreadable { what: WHAT, why: why.to_owned() };
        let certificate = Certificate::read(sign1.signer(), sign1.payload())
            .map_err(|e| wrong(&e.to_string()))?;
        if certificate.claims() != sign1.payload() {
            return Err(wrong("its claims are not in their one encoding"));
        }
        match &certificate.standing {
            Standing::Staff { label, .. } if label.len() > LABEL_BYTES_MAX => {
                Err(wrong("its label is too long"))
            }
            _ => Ok(Self { sign1, certificate }),
        }
    }

    /// What it says, not to be acted on yet.
    pub fn claimed(&self) -> &Certificate {
        &self.certificate
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Forged`] when it is not by `issuer`.
    pub fn verify(self, issuer: &PublicKey) -> Result<SignedCertificate, Forged> {
        let authentic = self.sign1.verify(issuer, Purpose::Certificate)?;
        Ok(SignedCertificate {
            certificate: self.certificate,
            hash: authentic.hash(),
            bytes: authentic.bytes().to_vec(),
        })
    }
}

const WHAT: &str = "a certificate";
const CLAIM_EXP: i64 = 4;
const CLAIM_NBF: i64 = 5;
const CLAIM_CTI: i64 = 7;
const CLAIM_CNF: i64 = 8;
/// Private use: the standing. -65537 encodes before -65538, so it comes first.
const CLAIM_STANDING: i64 = -65_537;
/// Private use: the X25519 key.
const CLAIM_SEALING: i64 = -65_538;
const COSE_KEY_KTY: i64 = 1;
const COSE_KEY_CRV: i64 = -1;
const COSE_KEY_X: i64 = -2;
const KTY_OKP: i64 = 1;
const CRV_ED25519: i64 = 6;

#[cfg(test)]
mod tests;
