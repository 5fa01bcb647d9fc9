//! Where mail goes from a hub, and where it never goes.

use kirana_core::record::HubContact;

use super::*;
use crate::fixture::{NOW, keys, shop};

fn hub(n: u8) -> KeyId {
    keys(n).id()
}

fn to() -> Address {
    Address::Shop(shop(1))
}

fn record(hubs: &[u8]) -> ShopRecord {
    let contact = |n: &u8| HubContact { key: keys(*n).signing.public(), addresses: vec![] };
    ShopRecord {
        shop: shop(1),
        number: 1,
        until: NOW,
        name: "Corner".to_owned(),
        place: None,
        addresses: vec![],
        hubs: hubs.iter().map(contact).collect(),
        languages: vec![],
        hours: None,
        closing_since: None,
    }
}

fn waiting(way: Way) -> Input {
    Input::Waiting { ways: [(to(), way)].into(), guides: vec![hub(8), hub(9)] }
}

fn failed(hub: KeyId, code: Code) -> Input {
    let why = Failure::Refused(Refused::new(code, "no"));
    Input::Failed { to: to(), hub, why }
}

#[test]
fn mail_goes_to_the_hubs_that_the_record_names_and_to_no_other() {
    assert_eq!(Way::to_shop(hub(1), None), Way::Unknown);
    assert_eq!(Way::to_shop(hub(1), Some(&record(&[2, 1]))), Way::Here);
    assert_eq!(Way::to_shop(hub(1), Some(&record(&[]))), Way::Here);
    assert_eq!(Way::to_shop(hub(1), Some(&record(&[2, 3]))), Way::To(vec![hub(2), hub(3)]));
}

#[test]
fn what_another_hub_handed_over_is_handed_on_to_nobody() {
    assert!(may_go_on(0));
    assert!((1..=u8::MAX).all(|hops| !may_go_on(hops)));
    let named = record(&[1]);
    assert_eq!(check(hub(1), &to(), 1, Some(&named)), Ok(()));
    for hops in [0, 2, 3, u8::MAX] {
        let refused = check(hub(1), &to(), hops, Some(&named)).expect_err("too far");
        assert_eq!(refused.code, Code::Malformed, "{hops} hops");
    }
}

#[test]
fn a_hub_takes_over_the_mail_of_shops_that_name_it_alone() {
    for record in [None, Some(record(&[2])), Some(record(&[]))] {
        let refused = check(hub(1), &to(), 1, record.as_ref()).expect_err("not its shop");
        assert_eq!(refused.code, Code::NotHere, "{record:?}");
    }
    assert_eq!(check(hub(1), &Address::Device(hub(7)), 1, None), Ok(()));
}

#[test]
fn the_next_hub_is_tried_where_the_first_is_out_of_reach_and_the_first_again_later() {
    let mut forwarder = Forwarder::new();
    let way = Way::To(vec![hub(2), hub(3)]);
    let pass = |hub| vec![Effect::Pass { to: to(), hub }];
    assert_eq!(forwarder.handle(NOW, waiting(way.clone())), pass(hub(2)));
    assert_eq!(forwarder.handle(NOW, waiting(way.clone())), [], "one at a time");
    let unreached = |hub| Input::Failed { to: to(), hub, why: Failure::Unreached };
    assert_eq!(forwarder.handle(NOW, unreached(hub(2))), pass(hub(3)));
    assert_eq!(forwarder.handle(NOW, unreached(hub(3))), []);
    assert_eq!(forwarder.handle(NOW.plus_ms(RETRY_MS - 1), waiting(way.clone())), []);
    assert_eq!(forwarder.handle(NOW.plus_ms(RETRY_MS), waiting(way)), pass(hub(2)));
}

#[test]
fn a_hub_that_comes_into_reach_is_tried_at_once() {
    let mut forwarder = Forwarder::new();
    let way = Way::To(vec![hub(2)]);
    forwarder.handle(NOW, waiting(way));
    forwarder.handle(NOW, Input::Failed { to: to(), hub: hub(2), why: Failure::Unreached });
    let up = forwarder.handle(NOW, Input::Up { hub: hub(2) });
    assert_eq!(up, [Effect::Pass { to: to(), hub: hub(2) }]);
}

#[test]
fn what_was_passed_on_is_not_passed_on_again_until_more_waits() {
    let mut forwarder = Forwarder::new();
    forwarder.handle(NOW, waiting(Way::To(vec![hub(2)])));
    assert_eq!(forwarder.handle(NOW, Input::Passed { to: to(), hub: hub(2) }), []);
    let more = forwarder.handle(NOW, waiting(Way::To(vec![hub(2)])));
    assert_eq!(more, [Effect::Pass { to: to(), hub: hub(2) }]);
}

#[test]
fn an_unknown_shop_is_looked_for_at_one_guide_after_the_other() {
    let mut forwarder = Forwarder::new();
    let look = |hub| vec![Effect::Look { shop: shop(1), hub }];
    let told = |hub| Input::Told { shop: shop(1), hub };
    assert_eq!(forwarder.handle(NOW, waiting(Way::Unknown)), look(hub(8)));
    assert_eq!(forwarder.handle(NOW, told(hub(8))), []);
    assert_eq!(forwarder.handle(NOW, waiting(Way::Unknown)), look(hub(9)));
    forwarder.handle(NOW, told(hub(9)));
    assert_eq!(forwarder.handle(NOW, waiting(Way::Unknown)), []);
    let later = NOW.plus_ms(LOOK_AGAIN_MS);
    assert_eq!(forwarder.handle(later, waiting(Way::Unknown)), look(hub(8)));
    // Whoever told the way may be the way.
    let told = forwarder.handle(later, told(hub(8)));
    assert_eq!(told, []);
    let way = waiting(Way::To(vec![hub(8)]));
    assert_eq!(forwarder.handle(later, way), [Effect::Pass { to: to(), hub: hub(8) }]);
    let device = [(Address::Device(hub(7)), Way::Unknown)].into();
    let lost = Input::Waiting { ways: device, guides: vec![hub(8)] };
    assert_eq!(Forwarder::new().handle(NOW, lost), [], "there is no record of a household");
}

#[test]
fn a_hub_that_no_longer_keeps_the_mail_is_asked_where_the_shop_went() {
    let mut forwarder = Forwarder::new();
    forwarder.handle(NOW, waiting(Way::To(vec![hub(2)])));
    let asked = forwarder.handle(NOW, failed(hub(2), Code::NotHere));
    assert_eq!(asked, [Effect::Look { shop: shop(1), hub: hub(2) }]);
    forwarder.handle(NOW, Input::Told { shop: shop(1), hub: hub(2) });
    let moved = forwarder.handle(NOW, waiting(Way::To(vec![hub(3)])));
    assert_eq!(moved, [Effect::Pass { to: to(), hub: hub(3) }]);
}

#[test]
fn no_more_recipients_than_allowed_are_served_at_a_time() {
    let many = |n: usize| {
        let to = |n: usize| Address::Shop(ShopId::new(NOW, [n as u8; 10]));
        (0..n).map(|n| (to(n), Way::To(vec![hub(2)]))).collect()
    };
    let waiting = Input::Waiting { ways: many(UNDER_WAY_MAX + 1), guides: vec![] };
    assert_eq!(Forwarder::new().handle(NOW, waiting).len(), UNDER_WAY_MAX);
}

#[test]
fn an_answer_about_one_piece_is_told_from_one_about_the_hub() {
    let (id, other) = (Hash::of(b"a"), Hash::of(b"b"));
    let refused = |code| Verdict::of(id, Some(Response::refused(code, "no")));
    assert_eq!(Verdict::of(id, Some(Response::Stored { id })), Verdict::Stored);
    let lie = Verdict::of(id, Some(Response::Stored { id: other }));
    assert_eq!(lie, Verdict::Stop(Failure::Unreached));
    assert_eq!(Verdict::of(id, None), Verdict::Stop(Failure::Unreached));
    assert_eq!(refused(Code::HelloFirst), Verdict::Greet);
    assert_eq!(refused(Code::Expired), Verdict::Hopeless);
    assert!(matches!(refused(Code::Quota), Verdict::NoRoom(_)));
    assert!(matches!(refused(Code::Unavailable), Verdict::Stop(Failure::Refused(_))));
}
