//! The rules of a mailbox: who may leave mail, how much, and who may fetch it.

use super::*;
use crate::fixture::{NOW, guest, keys, mail, node, shop, trust};
use kirana_core::time::DAY_MS;

fn now() -> KnownNow {
    NOW.into()
}

fn code<T>(result: Result<T, Refused>) -> Option<Code> {
    result.err().map(|refused| refused.code)
}

fn to_shop() -> Address {
    Address::Shop(shop(0))
}

#[test]
fn mail_by_a_certified_sender_is_taken_and_named_by_what_is_sealed() {
    let piece = mail(&keys(1), to_shop(), b"sealed", NOW.plus_ms(DAY_MS));
    let accepted = accept(&piece, &trust(), now(), &Limits::default()).expect("in order");
    assert_eq!(accepted.id, piece.id());
    assert_eq!(accepted.sender, keys(1).id());
    assert_eq!(accepted.bytes, limit::mail_bytes(&piece) as u64);
}

#[test]
fn p6_mail_with_another_senders_stamp_or_a_changed_part_is_refused() {
    let limits = Limits::default();
    let good = mail(&keys(1), to_shop(), b"sealed", NOW.plus_ms(DAY_MS));
    let changed = [
        Mail { to: Address::Shop(shop(1)), ..good.clone() },
        Mail { until: NOW.plus_ms(2 * DAY_MS), ..good.clone() },
        Mail { sealed: b"other".to_vec(), ..good.clone() },
        Mail { certificates: guest(&keys(2)), ..good.clone() },
        Mail { stamp: vec![], ..good.clone() },
    ];
    for piece in changed {
        let refused = accept(&piece, &trust(), now(), &limits);
        assert_eq!(code(refused), Some(Code::Malformed), "{piece:?}");
    }
    let nameless = Mail { certificates: vec![], ..good };
    assert_eq!(code(accept(&nameless, &trust(), now(), &limits)), Some(Code::NotCertified));
}

#[test]
fn mail_past_its_deadline_or_kept_too_long_is_refused() {
    let limits = Limits { keep_ms: 3 * DAY_MS, ..Limits::default() };
    let until = |until| accept(&mail(&keys(1), to_shop(), b"x", until), &trust(), now(), &limits);
    assert_eq!(code(until(NOW)), Some(Code::Expired));
    assert_eq!(code(until(NOW.plus_ms(3 * DAY_MS))), None);
    assert_eq!(code(until(NOW.plus_ms(3 * DAY_MS + 1))), Some(Code::TooLate));
}

#[test]
fn a_quota_is_full_at_the_piece_or_byte_that_reaches_it() {
    let piece = mail(&keys(1), to_shop(), b"sealed", NOW.plus_ms(DAY_MS));
    let limits = Limits {
        sender_pieces: 3,
        sender_bytes: 10_000,
        recipient_pieces: 5,
        recipient_bytes: 20_000,
        ..Limits::default()
    };
    let accepted = accept(&piece, &trust(), now(), &limits).expect("in order");
    let held = |pieces, bytes| Usage { pieces, bytes };
    let room = 10_000 - accepted.bytes;
    for (sender, recipient, fits) in [
        (held(2, 0), held(4, 0), true),
        (held(3, 0), held(0, 0), false),
        (held(0, 0), held(5, 0), false),
        (held(0, room), held(0, 0), true),
        (held(0, room + 1), held(0, 0), false),
        (held(0, 0), held(0, 20_000), false),
    ] {
        let result = accepted.fits(&limits, sender, recipient);
        assert_eq!(result.is_ok(), fits, "{sender:?} {recipient:?}");
        if let Err(refused) = result {
            assert_eq!((refused.code, refused.retry_after_ms), (Code::Quota, Some(QUOTA_WAIT_MS)));
        }
    }
}

#[test]
fn p6_a_device_lists_its_own_mail_and_nobody_elses() {
    let (mut readers, trust) = (Readers::new(), trust());
    let me = keys(1).signing.public();
    let mine = Address::Device(me.id());
    assert_eq!(readers.may_list(&me, &mine, &trust, now()), Ok(()), "without a greeting");
    let other = Address::Device(keys(2).id());
    assert_eq!(code(readers.may_list(&me, &other, &trust, now())), Some(Code::NotYours));
    assert_eq!(code(readers.may_list(&me, &to_shop(), &trust, now())), Some(Code::HelloFirst));
    readers.hello(&me, &guest(&keys(1)), &trust, now()).expect("a guest");
    assert_eq!(code(readers.may_list(&me, &to_shop(), &trust, now())), Some(Code::NotYours));
    assert_eq!(readers.addresses(&me, &trust, now()), [mine]);
}

#[test]
fn p6_a_shops_mail_is_for_its_certified_box_on_its_own_connection() {
    let (mut readers, trust) = (Readers::new(), trust());
    let (key, chain) = (keys(20).signing.public(), node(0, &keys(20), 1));
    let thief = keys(21).signing.public();
    assert_eq!(code(readers.hello(&thief, &chain, &trust, now())), Some(Code::NotCertified));
    readers.hello(&key, &chain, &trust, now()).expect("the box itself");
    assert_eq!(readers.may_list(&key, &to_shop(), &trust, now()), Ok(()));
    let other = Address::Shop(shop(1));
    assert_eq!(code(readers.may_list(&key, &other, &trust, now())), Some(Code::NotYours));
    let both = [Address::Device(key.id()), to_shop()];
    assert_eq!(readers.addresses(&key, &trust, now()), both);
}

#[test]
fn the_old_box_of_a_restored_shop_gets_no_more_mail() {
    let (mut readers, trust) = (Readers::new(), trust());
    let (old, new) = (keys(20).signing.public(), keys(22).signing.public());
    readers.hello(&old, &node(0, &keys(20), 1), &trust, now()).expect("certified");
    readers.hello(&new, &node(0, &keys(22), 2), &trust, now()).expect("certified");
    assert_eq!(code(readers.may_list(&old, &to_shop(), &trust, now())), Some(Code::ReadOnly));
    assert_eq!(readers.may_list(&new, &to_shop(), &trust, now()), Ok(()));
    assert_eq!(readers.addresses(&old, &trust, now()).len(), 1);
}

#[test]
fn p6_a_box_that_is_trusted_no_longer_is_refused_at_once() {
    let (mut readers, mut trust) = (Readers::new(), trust());
    let key = keys(20).signing.public();
    readers.hello(&key, &node(0, &keys(20), 1), &trust, now()).expect("certified");
    trust.replace_shop_owner(shop(0), keys(99).signing.public());
    let refused = readers.may_list(&key, &to_shop(), &trust, now());
    assert_eq!(code(refused), Some(Code::NotCertified));
}

#[test]
fn only_so_many_callers_are_remembered() {
    let (mut readers, trust) = (Readers::new(), trust());
    let chain = guest(&keys(1));
    readers.hello(&keys(1).signing.public(), &chain, &trust, now()).expect("a guest");
    let reader = readers.known[&keys(1).id()].clone();
    for n in 0..READERS_MAX + 5 {
        readers.known.insert(KeyId::of(Hash::of(&n.to_be_bytes()).as_bytes()), reader.clone());
    }
    readers.known.retain(|_, _| true);
    while readers.known.len() > READERS_MAX {
        readers.known.pop_first();
    }
    readers.hello(&keys(3).signing.public(), &guest(&keys(3)), &trust, now()).expect("a guest");
    assert!(readers.known.len() <= READERS_MAX);
    assert!(readers.known.contains_key(&keys(3).id()));
}
