//! Which devices of a household a shop takes for theirs, with the hub gone: by what it knows itself.

use kirana_core::{
    certificate::{Certificate, DEVICE_LIFETIME_MS, Holder, Serial, Standing},
    id::{AccountId, VariantId},
    key::{KeyPair, SigningKey},
    revocation::RevocationList,
    statement::Party,
    time::{DAY_MS, UnixMs},
    trust::{Distrust, Honour},
};
use kirana_shop::app::{
    Undeliverable,
    orders::{Deed, OrderView, Which},
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng};

fn account(customer: &Customer) -> AccountId {
    match customer.party {
        Party::Account(account) => account,
        _ => panic!("no account"),
    }
}

/// Another device of the same household, with a certificate by this key.
pub fn further(street: &Neighbourhood, of: &Customer, n: u8, by: &SigningKey) -> Customer {
    let mut device = Customer::new(street, n);
    device.party = of.party;
    device.certificate = certificate(by, &device.keys, account(of), NOW);
    device
}

fn certificate(by: &SigningKey, keys: &KeyPair, account: AccountId, at: UnixMs) -> Vec<u8> {
    let holder = Holder {
        key: keys.signing.public(),
        sealing: keys.sealing.public(),
        standing: Standing::Device { account, hosted: false },
    };
    Certificate::issue(by, &holder, at, &mut rng(11)).bytes().to_vec()
}

/// Orders one piece; what the shop did with it.
fn order(
    street: &Neighbourhood,
    device: &Customer,
    above: &[&Customer],
    n: u8,
    what: VariantId,
    at: UnixMs,
) -> Result<OrderView, Undeliverable> {
    let mut placed = device.wants(&[(what, 1, 9_000)]);
    placed.customer = device.party;
    let placed = device.sign(n, placed);
    let mut parcel = device.parcel(&[&placed]);
    parcel.certificates.extend(above.iter().map(|other| other.certificate.clone().into()));
    street.shop.take_in(&parcel, at, &mut rng(3))?;
    let which = Which { id: placed.statement().order, customer: None };
    Ok(street.shop.order(which).expect("it is here"))
}

fn stage(ordered: Result<OrderView, Undeliverable>) -> &'static str {
    ordered.expect("it is taken in").order.stage.label()
}

#[test]
fn p6_a_device_that_only_a_hub_adds_waits_for_a_person_who_knows_the_household() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9_000, 50);
    let first = Customer::new(&street, 50);
    assert_eq!(stage(order(&street, &first, &[], 1, rice, NOW)), "accepted");
    let added = further(&street, &first, 51, &street.hub);
    let asked = order(&street, &added, &[], 2, rice, NOW).expect("it is taken in");
    assert_eq!(asked.order.stage.label(), "received", "nothing is decided by itself");
    assert_eq!(street.balance(rice), (50, 1));
    assert_eq!(stage(order(&street, &added, &[], 3, rice, NOW)), "received", "nor the next");
    assert_eq!(stage(order(&street, &first, &[], 4, rice, NOW)), "accepted", "the known one is");
    let which = Which { id: asked.order.id, customer: None };
    street.shop.act(which, Deed::Accept, NOW, &mut rng(4)).expect("a person accepts");
    assert_eq!(stage(order(&street, &added, &[], 5, rice, NOW)), "accepted", "it is known now");
}

#[test]
fn p3_a_device_that_a_known_one_countersigned_counts_at_once() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9_000, 50);
    let first = Customer::new(&street, 50);
    let second = further(&street, &first, 51, &first.keys.signing);
    let early = order(&street, &second, &[&first], 1, rice, NOW).unwrap_err();
    assert!(matches!(early, Undeliverable::Distrust(Distrust::UnknownIssuer { .. })), "{early}");
    assert_eq!(stage(order(&street, &first, &[], 2, rice, NOW)), "accepted");
    assert_eq!(stage(order(&street, &second, &[&first], 3, rice, NOW)), "accepted");
    // The shop has met the countersigner itself, so that its certificate need not come along.
    assert_eq!(stage(order(&street, &second, &[], 4, rice, NOW)), "accepted");
    let third = further(&street, &first, 52, &second.keys.signing);
    assert_eq!(stage(order(&street, &third, &[&second, &first], 5, rice, NOW)), "accepted");
    // Mail that is stamped by such a device is taken as well.
    let placed = second.sign(6, second.wants(&[(rice, 1, 9_000)]));
    let mut parcel = second.parcel(&[&placed]);
    parcel.certificates.push(first.certificate.clone().into());
    let mut mail = second.mail(&street, &parcel);
    let chain = vec![second.certificate.clone().into(), first.certificate.clone().into()];
    mail = kirana_core::stamp::post(&second.keys.signing, chain, mail.to, mail.until, mail.sealed);
    assert!(street.deliver(&mail).is_ok());
}

#[test]
fn p6_a_countersigner_that_was_withdrawn_or_of_another_household_lets_nobody_in() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9_000, 50);
    let (first, neighbour) = (Customer::new(&street, 50), Customer::new(&street, 60));
    assert_eq!(stage(order(&street, &first, &[], 1, rice, NOW)), "accepted");
    assert_eq!(stage(order(&street, &neighbour, &[], 2, rice, NOW)), "accepted");
    let foreign = further(&street, &first, 51, &neighbour.keys.signing);
    let refused = order(&street, &foreign, &[&neighbour], 3, rice, NOW).unwrap_err();
    assert!(matches!(refused, Undeliverable::Distrust(_)), "{refused}");
    let second = further(&street, &first, 52, &first.keys.signing);
    let leaf = kirana_core::certificate::UnverifiedCertificate::parse(&first.certificate).unwrap();
    let revoked: std::collections::BTreeSet<Serial> = [leaf.claimed().serial].into();
    let list = RevocationList::next(0, NOW, revoked).unwrap().sign(&street.hub);
    let mut parcel = neighbour.parcel(&[]);
    parcel.lists.push(list.bytes().to_vec().into());
    let placed = neighbour.sign(4, neighbour.wants(&[(rice, 1, 9_000)]));
    parcel.statements.push(placed.bytes().to_vec().into());
    street.shop.take_in(&parcel, NOW, &mut rng(3)).expect("the list is taken in");
    for above in [&[][..], &[&first]] {
        let refused = order(&street, &second, above, 5, rice, NOW).unwrap_err();
        let withdrawn = matches!(refused, Undeliverable::Distrust(Distrust::Revoked { .. }));
        assert!(withdrawn, "{refused}");
    }
}

#[test]
fn p3_expired_certificates_of_the_known_count_as_long_as_the_shop_chose() {
    let ended = NOW.plus_ms(DEVICE_LIFETIME_MS + 10 * DAY_MS);
    for (chosen, counts) in [
        (Honour::Always, true),
        (Honour::Days(30), true),
        (Honour::Days(5), false),
        (Honour::Never, false),
    ] {
        let street = Neighbourhood::new();
        let rice = street.stock(1, 9_000, 50);
        street.shop.honour_expired(chosen).expect("it is stored");
        assert_eq!(street.shop.honours_expired().expect("it is read"), chosen);
        let (mut known, mut stranger) = (Customer::new(&street, 50), Customer::new(&street, 60));
        assert_eq!(stage(order(&street, &known, &[], 1, rice, NOW)), "accepted");
        // The shop's clock goes on in small steps, so that it is believed.
        let mut at = NOW;
        while at < ended {
            at = at.plus_ms(6 * DAY_MS).min(ended);
            street
                .shop
                .enter(
                    kirana_shop::app::counter::Entry {
                        variant: rice,
                        location: None,
                        what: kirana_shop::app::counter::What::Receipt(1),
                        note: String::new(),
                    },
                    known.keys.id(),
                    at,
                    &mut rng(2),
                )
                .expect("it is entered");
        }
        (known.now, stranger.now) = (ended, ended);
        let later = order(&street, &known, &[], 2, rice, ended);
        assert_eq!(later.is_ok(), counts, "{chosen}: {later:?}");
        let refused = order(&street, &stranger, &[], 3, rice, ended).unwrap_err();
        let expired = matches!(refused, Undeliverable::Distrust(Distrust::Expired { .. }));
        assert!(expired, "{chosen}: {refused}");
    }
}

#[test]
fn p6_a_guests_certificate_for_this_shop_is_honoured_here_and_nowhere_else() {
    let (here, mut there) = (Neighbourhood::new(), Neighbourhood::new());
    there.shop = another_shop();
    let (rice, dal) = (here.stock(1, 9_000, 50), there.stock(1, 9_000, 50));
    for (street, what, counts) in [(&here, rice, true), (&there, dal, false)] {
        let mut guest = Customer::guest(street, 30);
        let certificate = Certificate::of_guest_at(
            here.shop.id(),
            &guest.keys.signing,
            guest.keys.sealing.public(),
            NOW,
            &mut rng(5),
        );
        guest.certificate = certificate.bytes().to_vec();
        let ordered = order(street, &guest, &[], 1, what, NOW);
        assert_eq!(ordered.is_ok(), counts, "{ordered:?}");
    }
}

fn another_shop() -> kirana_shop::app::Shop {
    use kirana_migrations::{Database, Location, Schema};
    let database = Database::open(Schema::Shop, Location::Memory).expect("it opens");
    let founding = kirana_shop::app::Founding {
        name: "Other".into(),
        currency: crate::neighbour::rupees(),
        place: None,
        hub: None,
    };
    let keys = kirana_shop::app::Keys::draw(&mut rng(99));
    kirana_shop::app::Shop::found(database, keys, founding, NOW, &mut rng(98)).expect("founded")
}

#[test]
fn p3_a_phone_that_a_households_other_phone_let_in_orders_at_once_with_the_hub_gone() {
    use kirana_customer::app::Household;
    use kirana_migrations::{Database, Location, Schema};
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9_000, 50);
    let household = |device: &Customer| {
        let database = Database::open(Schema::Customer, Location::Memory).expect("it opens");
        Household::create(database, device.keys.clone(), NOW, &mut rng(7)).expect("it is made")
    };
    let first = Customer::new(&street, 50);
    assert_eq!(stage(order(&street, &first, &[], 1, rice, NOW)), "accepted");
    let (old, mut second) = (household(&first), Customer::new(&street, 51));
    old.certify(vec![first.certificate.clone().into()]).expect("ours");
    let new = household(&second);
    let answer = old.let_in(&new.ask_to_be_let_in(), NOW, &mut rng(8)).expect("let in");
    new.be_let_in(&answer).expect("taken");
    (second.party, second.certificate) = (new.party(), new.certificates()[0].to_vec());
    assert_eq!(stage(order(&street, &second, &[&first], 2, rice, NOW)), "accepted");
}
