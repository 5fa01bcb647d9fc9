//! A new phone goes on with what another one of the account ordered, once the shop hands it on.

use kirana_core::{
    certificate::{Certificate, Holder, HubRole, Standing, UnverifiedCertificate},
    envelope::Parcel,
    id::AccountId,
    key::KeyPair,
    order::chain::Chain,
    revocation::RevocationList,
    roster::{HubEntry, Roster},
    statement::SignedStatement,
};
use kirana_customer::app::{Household, status::Whereabouts};
use minicbor::bytes::ByteVec;

use crate::neighbour::{NOW, Neighbour, household, placed_at, rng, two_kilos_of_rice};

fn hub() -> KeyPair {
    KeyPair::from_seed([90; 64])
}

/// A device that a hub of the roster certified for an account, and that knows a shop.
fn device(seed: u8, account: u8, shop: &Neighbour) -> Household {
    let (home, root) = (household(seed), KeyPair::from_seed([91; 64]));
    let (key, sealing) = (hub().signing.public(), hub().sealing.public());
    let entry = HubEntry { key, sealing, role: HubRole::Central, url: None, p2p: vec![] };
    let roster = Roster { number: 1, issued: NOW, hubs: vec![entry] }.sign(&root.signing);
    home.trust_roster(root.signing.public(), roster.bytes()).expect("by the root");
    let holder = Holder {
        key: home.keys().signing.public(),
        sealing: home.keys().sealing.public(),
        standing: Standing::Device { account: AccountId::new(NOW, [account; 10]), hosted: false },
    };
    let certificate = Certificate::issue(&hub().signing, &holder, NOW, &mut rng(seed.into()));
    home.certify(vec![certificate.bytes().to_vec().into()]).expect("ours");
    shop.introduce_to(&home);
    home
}

fn bytes(statement: &SignedStatement) -> ByteVec {
    statement.bytes().to_vec().into()
}

/// What the shop hands on of an order: its first entry, its own, and the first device's certificates.
fn handed_on(shop: &Neighbour, chain: &Chain, own: &SignedStatement, of: &Household) -> Parcel {
    let mut certificates = shop.certificates();
    certificates.extend(of.certificates());
    let first = chain.entries()[0].signed();
    Parcel { statements: vec![bytes(first), bytes(own)], certificates, ..Parcel::default() }
}

#[test]
fn a_lost_phones_order_is_known_on_the_next_one_although_the_lost_one_was_shut_out() {
    let shop = Neighbour::new();
    let (lost, next) = (device(1, 1, &shop), device(2, 1, &shop));
    let (order, _, mut chain) = placed_at(&shop, &lost);
    let accepted = shop.accept(&mut chain);
    let leaf = UnverifiedCertificate::parse(&lost.certificates()[0]).expect("it parses");
    let revoked = [leaf.claimed().serial].into();
    let list = RevocationList::next(0, NOW, revoked).expect("short").sign(&hub().signing);
    next.admit_lists(&[list.bytes().to_vec().into()]).expect("stored");
    let parcel = handed_on(&shop, &chain, &accepted, &lost);
    let received = next.take_in(parcel.clone(), NOW).expect("stored");
    assert_eq!(received.changed, [order]);
    let status = next.order_status(order, NOW).expect("known");
    assert_eq!((status.whereabouts, status.stage), (Whereabouts::Decided, "accepted"));
    assert_eq!(next.take_in(parcel, NOW).expect("again").changed, []);
    // It is asked about from now on, read again after a restart, and can be called off.
    let again = Household::open(next.database().restart(), next.keys().clone()).expect("opens");
    assert!(again.heads_mail(shop.id, NOW, &mut rng(4)).expect("sealed").is_some());
    assert_eq!(again.verify().faults, Vec::<String>::new());
    again.cancel(order, NOW, &mut rng(5)).expect("asked for");
}

#[test]
fn phones_that_let_each_other_in_know_each_others_orders_without_any_hub() {
    let shop = Neighbour::new();
    let (first, second, third) = (device(1, 1, &shop), household(2), household(3));
    for new in [&second, &third] {
        let answer = first.let_in(&new.ask_to_be_let_in(), NOW, &mut rng(3)).expect("let in");
        new.be_let_in(&answer).expect("taken");
        shop.introduce_to(new);
    }
    for (seed, by, to) in [(11, &first, &second), (12, &second, &third), (13, &third, &first)] {
        let placed = by.place(two_kilos_of_rice(shop.id), NOW, &mut rng(seed)).expect("placed");
        let mail = by.mail_for(placed.entry, &mut rng(2)).expect("sealed").expect("it waits");
        let mut chain = shop.open(&mail, by);
        let accepted = shop.accept(&mut chain);
        let received = to.take_in(handed_on(&shop, &chain, &accepted, by), NOW).expect("stored");
        assert_eq!(received.changed, [placed.id]);
    }
}

#[test]
fn p6_an_order_is_taken_over_only_from_its_shop_and_of_the_own_account() {
    let shop = Neighbour::new();
    let (lost, next) = (device(1, 1, &shop), device(2, 1, &shop));
    let (_, _, mut chain) = placed_at(&shop, &lost);
    let accepted = shop.accept(&mut chain);
    let whole = handed_on(&shop, &chain, &accepted, &lost);
    let refused = |what: &str, by: &Household, parcel: &Parcel| {
        // What is not believed may be said to be so, or passed over.
        let _ = by.take_in(parcel.clone(), NOW);
        assert_eq!(by.order_ids().expect("read"), [], "{what}");
    };
    refused("of another account", &device(3, 2, &shop), &whole);
    let mut unsigned = whole.clone();
    unsigned.statements.truncate(1);
    refused("without the shop's word", &next, &unsigned);
    let without = Parcel { certificates: shop.certificates(), ..whole.clone() };
    refused("by a key that nobody certified", &next, &without);
    // The device says itself that it is the account's, by a certificate of its own making.
    let standing = Standing::Device { account: AccountId::new(NOW, [1; 10]), hosted: false };
    let (key, sealing) = (lost.keys().signing.public(), lost.keys().sealing.public());
    let holder = Holder { key, sealing, standing };
    let own = Certificate::issue(&lost.keys().signing, &holder, NOW, &mut rng(8));
    let mut forged = without.clone();
    forged.certificates.push(own.bytes().to_vec().into());
    refused("by its own word", &next, &forged);
    let mut impostor = Neighbour::new();
    impostor.node = KeyPair::from_seed([77; 64]);
    let mut begun = Chain::begin(
        chain.entries()[0].signed().clone(),
        kirana_core::order::chain::Author::customer(lost.party()),
    )
    .expect("it begins");
    let by_impostor = impostor.accept(&mut begun);
    refused("with a stranger's word", &next, &handed_on(&shop, &chain, &by_impostor, &lost));
    next.take_in(whole, NOW).expect("stored");
    assert_eq!(next.order_ids().expect("read").len(), 1, "and with all of it, it is");
}
