//! A shop gets another owner, and its households follow.

use kirana_core::key::KeyPair;

use crate::neighbour::{NOW, Neighbour, household, placed_at};

#[test]
fn p6_a_pin_follows_the_mail_of_a_box_whose_owner_was_given_the_shop_and_no_other() {
    let (mut shop, home) = (Neighbour::new(), household(1));
    shop.introduce_to(&home);
    let (order, _, mut chain) = placed_at(&shop, &home);
    shop.next_owner(KeyPair::from_seed([76; 64]), 77);
    let next = shop.owner.signing.public();
    let accepted = shop.accept(&mut chain);
    let to = home.keys().sealing.public();
    let received = home.receive(&shop.post(&[&accepted], &to, 3), NOW).expect("read");
    assert_eq!((received.doubted, received.changed), (vec![], vec![order]));
    let known = || home.known_shop(shop.id).expect("read").expect("known");
    assert_eq!((known().owner, known().generation), (next, 2));
    assert_eq!(home.trust().owner_of(shop.id), Some(next), "at once");

    let mut stolen = Neighbour::new();
    stolen.generation = 5;
    stolen.seized_by(KeyPair::from_seed([75; 64]), 78);
    let received = home.receive(&stolen.post(&[&accepted], &to, 4), NOW).expect("read");
    assert!(!received.doubted.is_empty() || received.changed.is_empty());
    assert_eq!((known().owner, known().generation), (next, 2));
    // The owner before could give it to somebody else as well; who followed does not hear of it.
    let mut twice = Neighbour::new();
    twice.generation = 5;
    twice.next_owner(KeyPair::from_seed([79; 64]), 80);
    home.receive(&twice.post(&[&accepted], &to, 5), NOW).expect("read");
    assert_eq!((known().owner, known().generation), (next, 2));
}
