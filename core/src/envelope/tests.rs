//! Parcels, told as stories: sealed, opened, altered and refused.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    certificate::{Certificate, Holder, Standing},
    id::{AccountId, OrderId, ShopId},
    key::{KeyPair, SigningKey},
    statement::{Party, Position, Statement},
    time::UnixMs,
};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([9; 32])
}

fn secret(seed: u8) -> SealingSecret {
    SealingSecret::from_seed([seed; 32])
}

fn parcel(len: usize) -> Parcel {
    Parcel { statements: vec![vec![7; len].into()], ..Parcel::default() }
}

/// An order's first entry as it is sent: eight lines of about 31 bytes, its author's certificate,
/// and a name, address, phone number and note.
fn eight_line_order() -> Parcel {
    let now = UnixMs::new(1_790_000_000_000);
    let device = KeyPair::from_seed([2; 64]);
    let holder = Holder {
        key: device.signing.public(),
        sealing: device.sealing.public(),
        standing: Standing::Device { account: AccountId::new(now, [3; 10]), hosted: false },
    };
    let certificate = Certificate::issue(&SigningKey::from_seed([1; 32]), &holder, now, &mut rng());
    let personal = PersonalPart::new(
        b"Lakshmi Narayanan, 14 Second Cross Street, Indira Nagar, +91 98400 12345, ring twice"
            .to_vec(),
        &mut rng(),
    );
    let mut body = vec![0x55; 8 * 31];
    body.extend_from_slice(personal.hash().as_bytes());
    let statement = Statement {
        kind: 1,
        to: Party::Shop(ShopId::new(now, [4; 10])),
        order: OrderId::new(now, [5; 10]),
        position: Position::Entry { generation: 0, seq: 0, prev: None },
        at: now,
        answer_by: Some(now),
        body,
    };
    Parcel {
        statements: vec![statement.sign(&device.signing).bytes().to_vec().into()],
        certificates: vec![certificate.bytes().to_vec().into()],
        personal: vec![personal],
        ..Parcel::default()
    }
}

#[test]
fn what_was_sealed_opens_for_its_recipient() {
    let sealed = seal(&parcel(300), &secret(1).public(), &mut rng()).expect("sealed");
    assert_eq!(open(&sealed, &[secret(2), secret(1)]), Ok(parcel(300)));
    assert_eq!(recipient(&sealed), Ok(secret(1).public().id()));
}

#[test]
fn p4_an_eight_line_order_with_all_its_parts_fits_the_smallest_bucket() {
    let parcel = eight_line_order();
    let content = cbor::to_vec(&parcel).len();
    let sealed = seal(&parcel, &secret(1).public(), &mut rng()).expect("sealed");
    assert_eq!(sealed.len(), 1024, "{content} bytes of content");
    assert!(content + LENGTH_BYTES + overhead(1024) <= 1024, "{content} bytes of content");
}

#[test]
fn p4_every_length_is_one_of_the_buckets() {
    for bucket in BUCKETS {
        let fits = bucket - overhead(bucket) - LENGTH_BYTES;
        let empty = cbor::to_vec(&parcel(0)).len();
        // The byte strings' own length headers grow by up to four bytes.
        for content in [fits - empty - 5, fits - empty - 4] {
            let sealed = seal(&parcel(content), &secret(1).public(), &mut rng()).expect("sealed");
            assert!(BUCKETS.contains(&sealed.len()), "{} bytes", sealed.len());
            assert_eq!(open(&sealed, &[secret(1)]), Ok(parcel(content)));
        }
    }
}

#[test]
fn p4_content_of_exactly_one_bucket_fills_it_and_one_byte_more_takes_the_next() {
    for pair in BUCKETS.windows(2) {
        let fits = pair[0] - overhead(pair[0]) - LENGTH_BYTES;
        assert_eq!(bucket_for(fits), Some(pair[0]));
        assert_eq!(bucket_for(fits + 1), Some(pair[1]));
    }
    let most = SEALED_BYTES_MAX - overhead(SEALED_BYTES_MAX) - LENGTH_BYTES;
    assert_eq!(bucket_for(most + 1), None);
}

#[test]
fn a_parcel_past_the_largest_bucket_is_not_sealed() {
    let sealed = seal(&parcel(SEALED_BYTES_MAX), &secret(1).public(), &mut rng());
    assert!(matches!(sealed, Err(Unsealable::TooLong { .. })));
}

#[test]
fn p6_somebody_elses_key_opens_nothing() {
    let sealed = seal(&parcel(10), &secret(1).public(), &mut rng()).expect("sealed");
    let key = secret(1).public().id();
    assert_eq!(open(&sealed, &[secret(2)]), Err(Unopenable::NotForUs { key }));
}

#[test]
fn nothing_is_sealed_to_a_key_of_low_order() {
    let sealed = seal(&parcel(10), &SealingPublic::from_bytes([0; 32]), &mut rng());
    assert!(matches!(sealed, Err(Unsealable::UnusableKey { .. })));
}

#[test]
fn p6_every_flipped_byte_of_a_sealed_parcel_is_refused() {
    let sealed = seal(&parcel(10), &secret(1).public(), &mut rng()).expect("sealed");
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(open(&flipped, &[secret(1)]).is_err(), "byte {at} made no difference");
    }
}

#[test]
fn the_same_seed_seals_to_the_same_bytes() {
    let sealed = || seal(&parcel(10), &secret(1).public(), &mut rng()).expect("sealed");
    assert_eq!(sealed(), sealed());
}

#[test]
fn a_personal_part_is_found_by_its_hash_and_no_other() {
    let part = PersonalPart::new(b"14 Second Cross Street".to_vec(), &mut rng());
    let parcel = Parcel { personal: vec![part.clone()], ..Parcel::default() };
    assert_eq!(parcel.personal_part(part.hash()), Some(&part));
    let same_text = PersonalPart { salt: [0; 16], bytes: part.bytes.clone() };
    assert_eq!(parcel.personal_part(same_text.hash()), None);
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        proptest::prop_assert!(open(&bytes, &[secret(1)]).is_err());
    }

    #[test]
    fn arbitrary_bytes_of_a_buckets_length_are_refused_without_a_panic(
        head in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
    ) {
        let mut bytes = head;
        bytes.resize(1024, 0);
        proptest::prop_assert!(open(&bytes, &[secret(1)]).is_err());
    }
}
