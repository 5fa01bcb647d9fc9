//! A shop gets another owner, with no hub anywhere.

use std::path::{Path, PathBuf};

use kirana_core::{
    enrolment::Enrolment,
    id::{OrderId, ShopId},
    key::KeyPair,
    order::axes::Stage,
    trust::{Distrust, Trust},
};
use kirana_customer::app::{Household, HouseholdError, shop::Introduced};
use kirana_migrations::{Database, Location, Schema};
use kirana_shop::app::{
    Keys, Shop,
    orders::Which,
    roles::Post,
    staff::{Member, NotStaffed},
    succession::NotHandedOver,
};
use serde_json::Value;

use crate::{
    desk::{Desk, said, text},
    neighbour::{Customer, NOW, Neighbourhood, rng},
};

/// What a key asks of a shop's owner.
fn asked(next: &KeyPair, shop: ShopId) -> Enrolment {
    let (key, sealing) = (next.signing.public(), next.sealing.public());
    Enrolment { account: None, shop: Some(shop), key, sealing }
}

fn keys_of(shop: &Shop, next: &KeyPair) -> Keys {
    let mut keys = shop.keys().renewed(&mut rng(80));
    keys.owner = Some(next.signing.clone());
    keys
}

/// The shop after it was given to the holder of these keys.
fn given(street: &Neighbourhood, next: &KeyPair) -> Neighbourhood {
    let consent = street.shop.consent_to(&asked(next, street.shop.id()), NOW, &mut rng(81));
    let keys = keys_of(&street.shop, next);
    let taken = street.shop.take_over(&consent.expect("it is signed"), &keys, NOW, &mut rng(82));
    taken.expect("it is taken over");
    let shop = Shop::open(street.shop.database().clone(), keys).expect("it opens");
    Neighbourhood { shop, hub: street.hub.clone() }
}

fn meena() -> Household {
    let database = Database::open(Schema::Customer, Location::Memory).expect("it opens");
    Household::create(database, KeyPair::from_seed([60; 64]), NOW, &mut rng(60))
        .expect("it is made")
}

/// Meena is shown the shop's certificates.
fn shown(meena: &Household, shop: &Shop) -> Result<(), HouseholdError> {
    shown_chain(meena, shop.chain().expect("its certificates"))
}

fn shown_chain(meena: &Household, chain: Vec<Vec<u8>>) -> Result<(), HouseholdError> {
    let certificates = chain.into_iter().map(Into::into);
    let (name, certificates) = ("Corner".to_owned(), certificates.collect());
    let told = Introduced { name, certificates, addresses: Vec::new(), hubs: Vec::new() };
    meena.choose_shop(told, NOW).map(|_| ())
}

#[test]
fn p3_customers_follow_a_shop_from_owner_to_owner_and_their_orders_stay() {
    let first = Neighbourhood::new();
    let rice = first.stock(1, 9000, 10);
    let (meena, asha) = (meena(), Customer::new(&first, 20));
    let old_chain = first.shop.chain().expect("its certificates");
    shown_chain(&meena, old_chain.clone()).expect("chosen");
    let before = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    first.deliver(&asha.mail(&first, &asha.parcel(&[&before]))).expect("decided");

    let second = given(&first, &KeyPair::from_seed([70; 64]));
    assert_eq!((second.shop.id(), second.shop.generation()), (first.shop.id(), 2));
    shown(&meena, &second.shop).expect("the first owner consented");
    assert!(shown_chain(&meena, old_chain).is_err(), "nobody goes back");
    let which = |order: OrderId| Which { id: order, customer: Some(asha.party) };
    let view = second.shop.order(which(before.statement().order)).expect("it is there");
    assert!(matches!(view.order.stage, Stage::Accepted { .. }));
    let mut wanted = asha.wants(&[(rice, 2, 9000)]);
    wanted.generation = 2;
    let after = asha.sign(2, wanted);
    second.deliver(&asha.mail(&second, &asha.parcel(&[&after]))).expect("decided");
    assert_eq!(second.balance(rice), (10, 5));
    assert_eq!(second.shop.verify().expect("it is read").faults, Vec::<String>::new());

    let third = given(&second, &KeyPair::from_seed([71; 64]));
    let late = crate::succession::meena();
    shown(&late, &third.shop).expect("a stranger believes what is shown");
    shown(&meena, &third.shop).expect("one step");
    let chain = third.shop.chain().expect("its certificates");
    let mut away = Trust::new();
    away.pin_shop(first.shop.id(), first.shop.identity().owner).expect("first");
    let met = away.introduce(&chain.iter().collect::<Vec<_>>(), NOW).expect("two steps");
    assert_eq!(met.owner, KeyPair::from_seed([71; 64]).signing.public());
}

#[test]
fn p6_nothing_that_the_old_owner_certified_counts_at_the_shop_any_more() {
    let first = Neighbourhood::new();
    let till = KeyPair::from_seed([72; 64]);
    let (key, sealing) = (till.signing.public(), till.sealing.public());
    let member = Member { key, sealing, post: Post::Staff, label: "till".to_owned() };
    let before = first.shop.add_staff(member.clone(), NOW, &mut rng(83)).expect("certified");
    let trust = first.shop.trust().expect("read");
    assert!(trust.check(&before.iter().collect::<Vec<_>>(), NOW).is_ok());

    let second = given(&first, &KeyPair::from_seed([70; 64]));
    let trust = second.shop.trust().expect("read");
    let checked = trust.check(&before.iter().collect::<Vec<_>>(), NOW);
    assert!(matches!(checked, Err(Distrust::OwnerChanged { .. })), "{checked:?}");
    let last = trust.lists().find(|list| list.issuer() == first.shop.identity().owner.id());
    assert!(!last.expect("the last list is passed on").list().revoked.is_empty());
    let listed = second.shop.staff().expect("read");
    assert!(listed.iter().all(|listed| listed.revoked), "{listed:?}");
    let renewed = second.shop.renew_staff(key.id(), NOW, &mut rng(84));
    assert!(matches!(renewed, Err(NotStaffed::Unknown(_))), "nobody slips in by a renewal");
    let after = second.shop.add_staff(member, NOW, &mut rng(85)).expect("certified anew");
    assert!(trust.check(&after.iter().collect::<Vec<_>>(), NOW).is_ok());
    // The old box, in whoever's hands: it notices that another one speaks for the shop.
    let old = Shop::open(second.shop.database().clone(), first.shop.keys().clone());
    assert!(old.is_err());
}

#[test]
fn p6_a_shop_is_taken_over_with_a_consent_that_counts_and_by_its_key_alone() {
    let street = Neighbourhood::new();
    let (shop, next) = (&street.shop, KeyPair::from_seed([70; 64]));
    let consent = shop.consent_to(&asked(&next, shop.id()), NOW, &mut rng(81)).expect("signed");
    let thief = KeyPair::from_seed([73; 64]);
    let stolen = shop.take_over(&consent, &keys_of(shop, &thief), NOW, &mut rng(82));
    assert!(matches!(stolen, Err(NotHandedOver::OtherKey)), "{stolen:?}");
    let own_word = kirana_core::certificate::Certificate::of_next_owner(
        &thief.signing,
        shop.id(),
        (thief.signing.public(), thief.sealing.public()),
        NOW,
        kirana_core::certificate::Serial::random(&mut rng(86)),
    );
    let forged = shop.take_over(own_word.bytes(), &keys_of(shop, &thief), NOW, &mut rng(82));
    assert!(matches!(forged, Err(NotHandedOver::Distrust(_))), "{forged:?}");
    let elsewhere = asked(&next, ShopId::new(NOW, [9; 10]));
    let other = shop.consent_to(&elsewhere, NOW, &mut rng(81));
    assert!(matches!(other, Err(NotHandedOver::OtherShop)), "{other:?}");
    shop.withdraw_consent(&consent, NOW, &mut rng(87)).expect("taken back");
    let late = shop.take_over(&consent, &keys_of(shop, &next), NOW, &mut rng(82));
    assert!(matches!(late, Err(NotHandedOver::Distrust(Distrust::Revoked { .. }))), "{late:?}");
    assert_eq!(Shop::open(shop.database().clone(), shop.keys().clone()).unwrap().generation(), 1);
}

/// The new owner's request, and the digits beside it.
fn request(data: &Path, key: &Path, shop: ShopId) -> (String, String) {
    let key = key.to_str().expect("text");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    program.args(["owner", "request", "--json", "--shop", &shop.to_string(), "--key", key]);
    let made = program.current_dir(data).output().expect("it runs");
    let shown: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    (text(&shown, "request").to_owned(), text(&shown, "compare").to_owned())
}

#[test]
fn p6_an_owner_hands_the_shop_over_at_its_box_and_the_new_one_takes_over_even_after_a_power_cut() {
    let desk = Desk::open();
    let path = |name: &str| -> PathBuf { desk.folder.path().join(name) };
    let (key, consent) = (path("ravi.key"), path("consent"));
    let (request, compare) = request(desk.folder.path(), &key, desk.shop);
    let certificates = desk.certified(5, "staff");
    assert_eq!(desk.sign_in(5, &certificates).0, 201);
    let (key, consent) = (key.to_str().expect("text"), consent.to_str().expect("text"));
    let hand_over = |digits: &str| {
        let words = ["owner", "hand-over", &request, consent, "--compare", digits];
        said(desk.folder.path(), &words)
    };
    assert_eq!(hand_over("12345 67890").0, 2, "other digits");
    assert_eq!(hand_over(&compare).0, 0);
    let take_over = ["owner", "take-over", consent, "--key", key];
    let (code, open) = said(desk.folder.path(), &take_over);
    assert_eq!((code, text(&open, "type")), (1, "urn:kirana:served-already"));
    let (_, printed) = said(desk.folder.path(), &["recovery", "print"]);

    let Desk { folder, mut served, .. } = desk;
    served.signal("-TERM");
    assert_eq!(served.child.wait().expect("it ends").code(), Some(0));
    drop(served);
    let old_keys = std::fs::read(folder.path().join("box.key")).expect("read");
    let (code, taken) = said(folder.path(), &take_over);
    assert_eq!((code, &taken["generation"]), (0, &Value::from(2)), "{taken}");
    assert_ne!(taken["recovery_code"], printed["recovery_code"], "the old owner knows the old one");

    // As if the power had gone between the database and the keys.
    let new_keys = folder.path().join("box.key");
    std::fs::copy(&new_keys, folder.path().join("next.key")).expect("copied");
    std::fs::write(&new_keys, old_keys).expect("written");
    assert_eq!(said(folder.path(), &["verify"]).0, 1, "this is an old box");
    for again in 0..2 {
        let (code, ended) = said(folder.path(), &take_over);
        assert_eq!((code, &ended), (0, &taken), "once more changes nothing: {again}");
    }
    assert!(!folder.path().join("next.key").exists());
    let desk = Desk::at(folder);
    assert_ne!(desk.sign_in(5, &certificates).0, 201, "the till waits for a new certificate");
    assert_eq!(desk.sign_in(5, &desk.certified(5, "staff")).0, 201);
    assert_eq!(said(desk.folder.path(), &["verify"]).0, 0);
}
