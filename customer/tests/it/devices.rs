//! Devices of one account let each other in, without a hub.

use kirana_core::{
    certificate::{Certificate, Holder, Standing, UnverifiedCertificate},
    enrolment::{Enrolment, Request},
    id::{AccountId, ShopId},
    key::KeyPair,
};
use kirana_customer::app::{
    Household, HouseholdError,
    session::{RENEWED_AFTER_MS, RESTS_MS, Session},
    snapshot::TakenOver,
};

use crate::{
    neighbour::{NOW, Neighbour, household, rng},
    program::{json, kirana},
};

/// A device that a hub certified for an account.
fn signed_in(seed: u8, account: u8) -> Household {
    let (home, hub) = (household(seed), KeyPair::from_seed([90; 64]));
    let holder = Holder {
        key: home.keys().signing.public(),
        sealing: home.keys().sealing.public(),
        standing: Standing::Device { account: AccountId::new(NOW, [account; 10]), hosted: false },
    };
    let certificate = Certificate::issue(&hub.signing, &holder, NOW, &mut rng(9));
    home.certify(vec![certificate.bytes().to_vec().into()]).expect("it is ours");
    home
}

#[test]
fn a_new_device_is_let_in_by_one_that_is_there_and_orders_for_the_account() {
    let (first, second) = (signed_in(1, 1), household(2));
    let request = second.ask_to_be_let_in();
    let answer = first.let_in(&request, NOW, &mut rng(3)).expect("let in");
    second.be_let_in(&answer).expect("taken");
    assert_eq!(second.party(), first.party());
    let chain = second.certificates();
    let leaf = UnverifiedCertificate::parse(&chain[0]).expect("it parses");
    assert!(leaf.verify(&first.keys().signing.public()).is_ok());
    assert_eq!(chain[1..], first.certificates());
    second.be_let_in(&answer).expect("the same again changes nothing");
    // It may let in one more.
    let third = household(3);
    let answer = second.let_in(&third.ask_to_be_let_in(), NOW, &mut rng(4)).expect("let in");
    third.be_let_in(&answer).expect("taken");
    assert_eq!(third.party(), first.party());
}

#[test]
fn p6_nobody_is_let_in_by_a_guest_for_another_account_or_by_an_answer_for_somebody_else() {
    let (first, second, third) = (signed_in(1, 1), household(2), household(3));
    let request = second.ask_to_be_let_in();
    let by_guest = third.let_in(&request, NOW, &mut rng(3));
    assert!(matches!(by_guest, Err(HouseholdError::NoAccount)));
    let itself = first.let_in(&first.ask_to_be_let_in(), NOW, &mut rng(3));
    assert!(matches!(itself, Err(HouseholdError::NotTheirs)));
    let (key, sealing) = (second.keys().signing.public(), second.keys().sealing.public());
    for (account, shop) in
        [(Some(AccountId::new(NOW, [2; 10])), None), (None, Some(ShopId::new(NOW, [7; 10])))]
    {
        let asked = Enrolment { account, shop, key, sealing };
        let asked = Request::new(asked, &second.keys().signing);
        let refused = first.let_in(&asked, NOW, &mut rng(3));
        assert!(matches!(refused, Err(HouseholdError::NotTheirs)));
    }
    let answer = first.let_in(&request, NOW, &mut rng(3)).expect("let in");
    assert!(matches!(third.be_let_in(&answer), Err(HouseholdError::OtherKey)));
    for at in 20..60 {
        let mut other = answer.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("letters");
        assert!(second.be_let_in(&other).is_err(), "letter {at}");
    }
    for text in ["", "kirana-device:", "kirana-device:AAAA", "kirana-enrol:AAAA"] {
        assert!(second.be_let_in(text).is_err(), "{text}");
    }
}

#[test]
fn the_command_line_compares_digits_before_it_lets_anybody_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    for home in [&old, &new] {
        assert!(kirana(home, &["init", "--json"]).status.success());
    }
    let shown = json(&kirana(&new, &["device", "show", "--json"]).stdout);
    let (request, compare) =
        (shown["request"].as_str().unwrap(), shown["compare"].as_str().unwrap());
    let wrong = kirana(&old, &["device", "add", request, "--compare", "12345 67890", "--json"]);
    assert_eq!(wrong.status.code(), Some(2));
    let guest = kirana(&old, &["device", "add", request, "--compare", compare, "--json"]);
    assert_eq!(guest.status.code(), Some(1), "a guest has no account");
    assert_eq!(json(&guest.stderr)["type"], "urn:kirana:problem:no-account");
    let nonsense = kirana(&new, &["device", "import", "kirana-device:x", "--json"]);
    assert_eq!(nonsense.status.code(), Some(1));
    assert_eq!(json(&nonsense.stderr)["type"], "urn:kirana:problem:not-theirs");
}

/// A household with an address, a cart and a shop.
fn furnished(seed: u8, shop: &Neighbour) -> Household {
    let home = signed_in(seed, 1);
    shop.introduce_to(&home);
    home.edit_document(&mut rng(5), |document| document.set_name("Meena's", NOW)).expect("stored");
    home
}

#[test]
fn a_device_that_is_let_in_gets_what_the_household_has_and_goes_on_without_the_first() {
    let shop = Neighbour::new();
    let (first, second) = (furnished(1, &shop), household(2));
    let request = second.ask_to_be_let_in();
    let answer = first.let_in(&request, NOW, &mut rng(3)).expect("let in");
    let sealed = first.snapshot_for(&request, &mut rng(6)).expect("sealed");
    assert!(!sealed.windows(5).any(|bytes| bytes == b"Meena"), "nobody on the way reads it");
    // The only phone is gone from here on.
    drop(first);
    assert!(second.take_snapshot(&sealed, NOW, &mut rng(7)).is_err(), "not let in yet");
    second.be_let_in(&answer).expect("taken");
    let taken = second.take_snapshot(&sealed, NOW, &mut rng(7)).expect("taken over");
    assert_eq!(taken, TakenOver { shops: 1, left: 0 });
    assert_eq!(second.document().expect("read").name(), "Meena's");
    let known = second.known_shop(shop.id).expect("read").expect("known");
    assert_eq!(known.owner, shop.owner.signing.public(), "pinned as it was");
    assert_eq!(second.take_snapshot(&sealed, NOW, &mut rng(8)).expect("again"), taken);
    let (order, ..) = crate::neighbour::placed_at(&shop, &second);
    assert_eq!(second.order_ids().expect("read"), [order], "it orders from the saved shop");
}

#[test]
fn p6_a_snapshot_of_another_hand_account_or_device_is_not_taken() {
    let shop = Neighbour::new();
    let (first, second) = (furnished(1, &shop), household(2));
    let request = second.ask_to_be_let_in();
    second.be_let_in(&first.let_in(&request, NOW, &mut rng(3)).expect("let in")).expect("taken");
    let refused = |sealed: &[u8]| {
        let taken = second.take_snapshot(sealed, NOW, &mut rng(7));
        assert!(taken.is_err(), "{taken:?}");
        assert_eq!(second.known_shops().expect("read"), []);
        assert_ne!(second.document().expect("read").name(), "Meena's");
    };
    // Another device of the same account, which did not let this one in; another account's.
    refused(&furnished(4, &shop).snapshot_for(&request, &mut rng(6)).expect("sealed"));
    refused(&signed_in(5, 2).snapshot_for(&request, &mut rng(6)).expect("sealed"));
    let other = household(6).ask_to_be_let_in();
    refused(&first.snapshot_for(&other, &mut rng(6)).expect("sealed"));
    let mut sealed = first.snapshot_for(&request, &mut rng(6)).expect("sealed");
    for at in [0, 40, 80, sealed.len() / 2, sealed.len() - 1] {
        sealed[at] ^= 1;
        refused(&sealed);
        sealed[at] ^= 1;
    }
    refused(b"");
    let guest = household(7).snapshot_for(&request, &mut rng(6));
    assert!(matches!(guest, Err(HouseholdError::NoAccount)));
}

#[test]
fn a_sign_in_is_kept_encrypted_and_used_before_it_or_the_certificate_ends() {
    let home = signed_in(1, 1);
    assert_eq!(home.session().expect("read"), None);
    let by_key = |later: u64| home.renewal_due(NOW.plus_ms(later)).expect("read").is_some();
    assert_eq!([by_key(RENEWED_AFTER_MS - 1), by_key(RENEWED_AFTER_MS)], [false, true]);
    let guest = household(7).renewal_due(NOW.plus_ms(RENEWED_AFTER_MS)).expect("read");
    assert!(guest.is_none(), "nobody vouches for a guest, so nothing is renewed");
    let session = Session {
        url: "http://127.0.0.1:1".to_owned(),
        login: "meena".to_owned(),
        refresh_token: "a token that opens the account".to_owned(),
        client_id: "kirana".to_owned(),
        device_token: None,
        used_at: NOW,
    };
    home.keep_session(&session).expect("stored");
    let image = home.database().image().expect("an image");
    assert!(!image.windows(7).any(|bytes| bytes == b"a token"), "a thief of the file has nothing");
    let again = Household::open(home.database().restart(), home.keys().clone()).expect("opens");
    assert_eq!(again.session().expect("read").as_ref(), Some(&session));
    let due = |later: u64| again.renewal_due(NOW.plus_ms(later)).expect("read").is_some();
    assert_eq!([due(0), due(RESTS_MS - 1), due(RESTS_MS)], [false, false, true]);
    let fresh = Session { used_at: NOW.plus_ms(RENEWED_AFTER_MS - 10), ..session };
    again.keep_session(&fresh).expect("stored");
    assert_eq!([due(RENEWED_AFTER_MS - 5_000), due(RENEWED_AFTER_MS)], [false, true]);
}
