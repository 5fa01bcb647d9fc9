//! Devices of one account let each other in, without a hub.

use kirana_core::{
    certificate::{Certificate, Holder, Standing, UnverifiedCertificate},
    enrolment::{Enrolment, Request},
    id::{AccountId, ShopId},
    key::KeyPair,
};
use kirana_customer::app::{Household, HouseholdError};

use crate::{
    neighbour::{NOW, household, rng},
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
