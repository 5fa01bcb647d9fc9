//! Certificates, told as stories: issued, read, altered and refused.

use coset::{AsCborValue, CborSerializable};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::key::KeyPair;

fn issued() -> (SigningKey, SignedCertificate) {
    let hub = SigningKey::from_seed([1; 32]);
    let device = KeyPair::from_seed([2; 64]);
    let holder = Holder {
        key: device.signing.public(),
        sealing: device.sealing.public(),
        standing: Standing::Device {
            account: AccountId::new(UnixMs::new(1), [3; 10]),
            hosted: false,
        },
    };
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let now = UnixMs::new(1_790_000_000_123);
    let signed = Certificate::issue(&hub, &holder, now, &mut rng);
    (hub, signed)
}

#[test]
fn a_certificate_comes_back_as_it_was_issued() {
    let (hub, signed) = issued();
    let read = UnverifiedCertificate::parse(signed.bytes()).expect("well formed");
    let read = read.verify(&hub.public()).expect("genuine");
    assert_eq!(read, signed);
    let certificate = read.certificate();
    assert_eq!(certificate.expires.since(certificate.not_before), DEVICE_LIFETIME_MS);
}

#[test]
fn a_device_certificate_takes_at_most_256_bytes() {
    let (_, signed) = issued();
    assert!(signed.bytes().len() <= 256, "{} bytes", signed.bytes().len());
}

#[test]
fn another_cwt_reader_finds_the_registered_claims() {
    let (_, signed) = issued();
    let payload = signed.certificate().claims();
    let value = coset::cbor::value::Value::from_slice(&payload).expect("CBOR");
    let claims = coset::cwt::ClaimsSet::from_cbor_value(value).expect("a claims set");
    let end = signed.certificate().expires.seconds();
    assert_eq!(claims.expiration_time, Some(coset::cwt::Timestamp::WholeSeconds(end)));
    assert_eq!(claims.cwt_id.as_deref(), Some(&signed.certificate().serial.as_bytes()[..]));
    assert_eq!(claims.rest.len(), 3);
}

#[test]
fn p6_every_flipped_bit_of_a_certificate_is_refused() {
    let (hub, signed) = issued();
    for bit in 0..signed.bytes().len() * 8 {
        let mut flipped = signed.bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let accepted = UnverifiedCertificate::parse(&flipped)
            .is_ok_and(|read| read.verify(&hub.public()).is_ok());
        assert!(!accepted, "bit {bit} made no difference");
    }
}

#[test]
fn p6_a_device_cannot_rewrite_its_certificate_into_an_owners() {
    let (hub, signed) = issued();
    let mut certificate = signed.certificate().clone();
    certificate.standing = Standing::Shop { shop: ShopId::new(UnixMs::new(1), [9; 10]) };
    let forged =
        sign1::sign(&SigningKey::from_seed([2; 32]), Purpose::Certificate, certificate.claims());
    let read = UnverifiedCertificate::parse(&forged).expect("well formed");
    assert!(read.verify(&hub.public()).is_err());
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(UnverifiedCertificate::parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_signed_claims_never_panic(claims: Vec<u8>) {
        let key = SigningKey::from_seed([5; 32]);
        let signed = sign1::sign(&key, Purpose::Certificate, claims);
        proptest::prop_assert!(UnverifiedCertificate::parse(&signed).is_err());
    }
}
