//! Stamps mail for relays: the sender's certified key over recipient, content hash and deadline.
//!
//! A relay that reads nothing else can hold a quota for each sender, at the second hop too.
//!
//! **Invariant:** a [`Stamped`] comes only out of [`check`]; a stamp carries no other mail.

use minicbor::{Decode, Encode};

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    key::SigningKey,
    known_time::KnownNow,
    mail::{Address, Mail, SEALED_BYTES_MAX},
    sign1::{self, Forged, Purpose, Unverified},
    time::{DAY_MS, UnixMs},
    trust::{Certified, Distrust, Trust},
};

/// The longest stamp, in bytes.
pub const STAMP_BYTES_MAX: usize = 512;
/// How far ahead of the known time a deadline may lie, in milliseconds: four months, so that an
/// order outlives three months without the internet.
pub const KEPT_MS_MAX: u64 = 124 * DAY_MS;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Content {
    #[n(0)]
    to: Address,
    #[n(1)]
    sealed: Hash,
    #[n(2)]
    until: UnixMs,
}

/// Signs the outer stamp of what is to be sent.
pub fn stamp(key: &SigningKey, to: &Address, until: UnixMs, sealed: &[u8]) -> Vec<u8> {
    let content = Content { to: *to, sealed: Hash::of(sealed), until };
    sign1::sign(key, Purpose::Stamp, cbor::to_vec(&content))
}

/// Puts a stamp on a sealed parcel.
pub fn post(
    key: &SigningKey,
    certificates: Vec<minicbor::bytes::ByteVec>,
    to: Address,
    until: UnixMs,
    sealed: Vec<u8>,
) -> Mail {
    let stamp = stamp(key, &to, until, &sealed);
    Mail { to, until, sealed, stamp, certificates }
}

/// Checks that mail is stamped by whom its certificates name, and that it may still be kept.
///
/// # Errors
/// [`Unstamped`] says what is wrong.
pub fn check(mail: &Mail, trust: &Trust, now: impl Into<KnownNow>) -> Result<Stamped, Unstamped> {
    let now = now.into();
    if mail.sealed.len() > SEALED_BYTES_MAX {
        let (len, max) = (mail.sealed.len(), SEALED_BYTES_MAX);
        return Err(Malformed::TooLong { what: "sealed mail", len, max }.into());
    }
    let read = Unverified::parse(WHAT, &mail.stamp, STAMP_BYTES_MAX)?;
    let sender = trust.check(&mail.certificates, now)?;
    let signed = read.verify(sender.key(), Purpose::Stamp)?;
    let content: Content = cbor::from_slice(WHAT, signed.payload(), STAMP_BYTES_MAX)?;
    let (to, until) = (mail.to, mail.until);
    if content != (Content { to, sealed: Hash::of(&mail.sealed), until }) {
        return Err(Unstamped::ForOther);
    }
    if now.is_past(until) {
        return Err(Unstamped::TooLate { until });
    }
    if until > now.at.plus_ms(KEPT_MS_MAX) && !now.expiry_suspended {
        return Err(Unstamped::TooLong { until });
    }
    Ok(Stamped { id: content.sealed, sender })
}

/// Mail whose stamp was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    id: Hash,
    sender: Certified,
}

impl Stamped {
    /// The name of the mail: see [`Mail::id`].
    pub fn id(&self) -> Hash {
        self.id
    }

    /// Who stamped it.
    pub fn sender(&self) -> &Certified {
        &self.sender
    }
}

/// Why mail is not carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unstamped {
    /// The stamp cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its sender's certificates do not count here.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// It is not by the sender that the certificates name.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It was made for another recipient, content or deadline.
    #[error("the stamp belongs to other mail")]
    ForOther,
    /// The mail's own deadline has passed.
    #[error("the mail was to be kept until {until} only")]
    TooLate {
        /// The deadline.
        until: UnixMs,
    },
    /// It asks to be kept for longer than anybody keeps mail.
    #[error("the mail asks to be kept until {until}; at most four months are possible")]
    TooLong {
        /// The deadline.
        until: UnixMs,
    },
}

const WHAT: &str = "a stamp";

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::{certificate::Certificate, id::ShopId, key::KeyPair};

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    fn posted() -> Mail {
        let guest = KeyPair::from_seed([2; 64]);
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let certificate =
            Certificate::of_guest(&guest.signing, guest.sealing.public(), NOW, &mut rng);
        let to = Address::Shop(ShopId::new(NOW, [4; 10]));
        let certificates = vec![certificate.bytes().to_vec().into()];
        post(&guest.signing, certificates, to, NOW.plus_ms(DAY_MS), vec![5; 64])
    }

    fn checked(mail: &Mail) -> Result<Stamped, Unstamped> {
        check(mail, &Trust::new(), NOW)
    }

    #[test]
    fn a_stamp_names_the_mail_and_its_sender() {
        let stamped = checked(&posted()).expect("genuine");
        assert_eq!(stamped.id(), posted().id());
        assert_eq!(stamped.sender().key().id(), KeyPair::from_seed([2; 64]).id());
    }

    #[test]
    fn p6_a_stamp_carries_no_other_recipient_content_or_deadline() {
        let other_to = Mail { to: Address::Shop(ShopId::new(NOW, [9; 10])), ..posted() };
        let other_content = Mail { sealed: vec![6; 64], ..posted() };
        let other_deadline = Mail { until: NOW.plus_ms(2 * DAY_MS), ..posted() };
        for mail in [other_to, other_content, other_deadline] {
            assert_eq!(checked(&mail), Err(Unstamped::ForOther));
        }
    }

    #[test]
    fn p6_a_stamp_by_another_key_than_the_certificates_is_forged() {
        let mut mail = posted();
        let thief = SigningKey::from_seed([8; 32]);
        mail.stamp = stamp(&thief, &mail.to, mail.until, &mail.sealed);
        assert!(matches!(checked(&mail), Err(Unstamped::Forged(_))));
    }

    #[test]
    fn p6_every_flipped_byte_of_stamp_and_certificate_is_refused() {
        let genuine = posted();
        for at in 0..genuine.stamp.len() {
            let mut mail = genuine.clone();
            mail.stamp[at] ^= 1 << (at % 8);
            assert!(checked(&mail).is_err(), "byte {at} of the stamp made no difference");
        }
        for at in 0..genuine.certificates[0].len() {
            let mut mail = genuine.clone();
            mail.certificates[0][at] ^= 1 << (at % 8);
            assert!(checked(&mail).is_err(), "byte {at} of the certificate made no difference");
        }
    }

    #[test]
    fn mail_past_its_deadline_or_kept_too_long_is_not_carried() {
        let late = check(&posted(), &Trust::new(), NOW.plus_ms(DAY_MS));
        assert!(matches!(late, Err(Unstamped::TooLate { .. })));
        let early = check(&posted(), &Trust::new(), NOW.minus_ms(KEPT_MS_MAX));
        assert!(matches!(early, Err(Unstamped::TooLong { .. })));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_for_a_stamp_are_refused_without_a_panic(bytes: Vec<u8>) {
            let mail = Mail { stamp: bytes, ..posted() };
            proptest::prop_assert!(checked(&mail).is_err());
        }
    }
}
