//! What the shop's people work through: the queue, the shelves, the stops, and the cash.

use kirana_core::{
    catalogue::product::Language,
    id::{OrderId, VariantId},
    money::Money,
    order::{
        facts::{FailReason, Means, Packing, Proof},
        handing::HandoverCode,
        personal::Personal,
        placed::{Placed, Slot},
    },
    terms::{Terms, Way, Window},
};
use kirana_migrations::{Abort, StoreError, Tx};
use kirana_shop::app::{
    access::By,
    handing::Handing,
    orders::{Deed, Which},
};

use serde_json::{Value, json};

use crate::{
    desk::{Desk, said, text},
    neighbour::{Customer, NOW, Neighbourhood, rng, rupees},
};

struct Counter {
    street: Neighbourhood,
    milk: VariantId,
    bread: VariantId,
}

impl Counter {
    fn new() -> Self {
        let street = Neighbourhood::new();
        let (milk, bread) = (street.stock(10, 3_000, 100), street.stock(11, 4_000, 100));
        let window = |from_min| Window {
            way: Way::Delivery,
            days: "Mo-Su".parse().expect("days"),
            from_min,
            until_min: from_min + 60,
            capacity: 9,
            last_call_min: 0,
        };
        let delivery = Some(kirana_core::terms::Delivery::default());
        let windows = vec![window(600), window(1_080)];
        let terms = Terms { windows, delivery, ..Terms::default() };
        street.shop.set_terms(terms, NOW).expect("they are sound");
        Self { street, milk, bread }
    }

    fn slot(&self, at: usize) -> Slot {
        self.street.shop.slots(Way::Delivery, NOW, 3).expect("they are read")[at].offered.slot
    }

    fn order(&self, n: u8, lines: &[(VariantId, u64, i64)], slot: Option<Slot>) -> Customer {
        let who = Customer::new(&self.street, n);
        let meena = Personal {
            name: format!("Meena {n}"),
            address: "14 Second Cross".into(),
            phone: "98450 00000".into(),
            ..Personal::default()
        };
        let part = meena.part(&mut rng(n));
        let (handover, personal) = (Way::Delivery.at(slot), Some(part.hash()));
        let placed = Placed { handover, personal, ..who.wants(lines) };
        let signed = who.sign(n, placed);
        let mut parcel = who.parcel(&[&signed]);
        parcel.personal.push(part);
        self.street.deliver(&who.mail(&self.street, &parcel)).expect("it is taken in");
        who
    }

    fn act(&self, n: u8, deed: Deed, by: Option<By>) {
        let shop = &self.street.shop;
        shop.act_once(None, which(n), deed, by, NOW, &mut rng(4)).expect("it is done");
    }

    fn dispatch(&self, n: u8) {
        for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Dispatch(0)] {
            self.act(n, deed, None);
        }
    }

    fn is_sound(&self) {
        let faults = self.street.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

fn which(n: u8) -> Which {
    Which { id: OrderId::new(NOW, [n; 10]), customer: None }
}

#[test]
fn the_queue_begins_with_the_soonest_time_and_ends_with_those_that_have_none() {
    let counter = Counter::new();
    let (soon, later) = (counter.slot(0), counter.slot(1));
    counter.order(1, &[(counter.milk, 1, 3_000)], None);
    counter.order(2, &[(counter.milk, 1, 3_000)], Some(later));
    counter.order(3, &[(counter.milk, 1, 3_000)], Some(soon));
    let queue = |way| counter.street.shop.queue(way).expect("it is read");
    let ids = |way| queue(way).iter().map(|queued| queued.id).collect::<Vec<_>>();
    assert_eq!(ids(None), [3, 2, 1].map(|n| which(n).id));
    assert!(
        queue(None)[0]
            .when
            .as_deref()
            .is_some_and(|when| when.ends_with("10:00-11:00") || when.ends_with("18:00-19:00"))
    );
    assert_eq!(ids(Some(Way::Pickup)), []);
    counter.dispatch(3);
    counter.act(3, Deed::Delivered(0, Handing::default()), None);
    assert_eq!(ids(None), [2, 1].map(|n| which(n).id), "what is handed over is in no queue");
}

#[test]
fn picking_adds_up_what_several_orders_need_and_leaves_out_what_is_packed() {
    let counter = Counter::new();
    counter.order(1, &[(counter.milk, 2, 3_000), (counter.bread, 1, 4_000)], None);
    counter.order(2, &[(counter.milk, 3, 3_000)], Some(counter.slot(0)));
    let picks = |only: &[u8], until| {
        let only: Vec<_> = only.iter().map(|n| which(*n).id).collect();
        let picks = counter.street.shop.picking(&only, until, Language::ENGLISH);
        let picks = picks.expect("it is read").into_iter();
        let mut picks: Vec<_> = picks.map(|p| (p.variant_id, p.amount, p.orders.len())).collect();
        picks.sort();
        picks
    };
    assert_eq!(picks(&[], None), [(counter.milk, 5, 2), (counter.bread, 1, 1)]);
    assert_eq!(picks(&[2], None), [(counter.milk, 3, 1)]);
    let before = Some(counter.slot(0).from);
    assert_eq!(picks(&[], before), [(counter.milk, 2, 1), (counter.bread, 1, 1)]);
    counter.act(1, Deed::Pack(Packing::default()), None);
    assert_eq!(picks(&[1], None).len(), 2, "somebody is at it");
    counter.act(1, Deed::Packed(0, vec![]), None);
    assert_eq!(picks(&[], None), [(counter.milk, 3, 1)]);
}

#[test]
fn p6_a_courier_sees_what_is_out_with_all_that_is_needed_and_nothing_else() {
    let counter = Counter::new();
    let who = counter.order(1, &[(counter.milk, 2, 3_000)], Some(counter.slot(0)));
    counter.order(2, &[(counter.milk, 1, 3_000)], None);
    assert!(counter.street.shop.stops().expect("they are read").is_empty());
    counter.dispatch(1);
    let stops = counter.street.shop.stops().expect("they are read");
    let [stop] = &stops[..] else { panic!("{stops:?}") };
    assert_eq!((stop.name.as_str(), stop.phone.as_str()), ("Meena 1", "98450 00000"));
    assert_eq!((stop.due.minor, stop.attempt), (6_000, 1));
    let signed = counter.street.shop.entries(which(1)).expect("they are read");
    let first = kirana_core::statement::UnverifiedStatement::parse(&signed[0]).expect("one");
    let first = first.verify(&who.keys.signing.public()).expect("hers");
    let author = kirana_core::order::chain::Author::customer(who.party);
    let own = kirana_core::order::chain::Chain::begin(first, author).expect("an order");
    let code = HandoverCode::of(&own).to_string();
    assert_eq!(HandoverCode::hint_for(&code), Some(stop.code_hint));
    let shown = serde_json::to_string(stop).expect("JSON");
    assert!(!shown.contains(&code.replace(' ', "")), "the code itself is not shown");

    counter.act(1, Deed::DeliveryFailed(0, FailReason::NobodyThere), None);
    let failed = counter.street.shop.stops().expect("they are read");
    assert_eq!(failed[0].failed, Some(FailReason::NobodyThere));
    counter.act(1, Deed::Dispatch(0), None);
    let again = counter.street.shop.stops().expect("they are read");
    assert_eq!((again[0].attempt, again[0].failed), (2, None));
    let left = Handing { proof: Some(Proof::Neighbour), ..Handing::default() };
    counter.act(1, Deed::Delivered(0, left), None);
    assert!(counter.street.shop.stops().expect("they are read").is_empty());
    counter.is_sound();
}

#[test]
fn cash_that_a_courier_took_is_handed_in_once_and_the_difference_is_kept() {
    let counter = Counter::new();
    let shop = &counter.street.shop;
    let (ravi, asha) = (Customer::new(&counter.street, 50), Customer::new(&counter.street, 51));
    let by = |who: &Customer| Some(By { who: who.keys.id(), till: None });
    for (n, who, means) in
        [(1, &ravi, Means::Cash), (2, &ravi, Means::Upi), (3, &asha, Means::Cash)]
    {
        counter.order(n, &[(counter.milk, 2, 3_000)], None);
        counter.dispatch(n);
        counter.act(n, Deed::Delivered(0, Handing::default()), by(who));
        counter.act(n, Deed::Pay(Money::new(6_000, rupees()), means), by(who));
    }
    let outside = || {
        let all = shop.cash_outside().expect("it is read").into_iter();
        all.map(|one| (one.courier, one.minor)).collect::<Vec<_>>()
    };
    let mut expected = vec![(ravi.keys.id(), 6_000), (asha.keys.id(), 6_000)];
    expected.sort();
    let mut there = outside();
    there.sort();
    assert_eq!(there, expected, "what came by UPI is in nobody's pocket");
    let owner = shop.keys().node.id();
    let hand_in = |key: &str, minor| {
        let once = kirana_shop::app::Once::new(owner, key).expect("a key");
        let what = (ravi.keys.id(), Money::new(minor, rupees()), "a coin is missing".to_owned());
        shop.hand_in(Some(once), what, owner, NOW, &mut rng(7)).map(|money| money.minor)
    };
    assert_eq!(hand_in("first", 5_990).expect("it is counted"), 6_000);
    assert_eq!(hand_in("first", 5_990).expect("it is the same"), 6_000);
    assert_eq!(outside(), [(asha.keys.id(), 6_000)]);
    let kept = shop.hand_ins().expect("they are read");
    assert_eq!((kept.len(), kept[0].expected_minor, kept[0].counted_minor), (1, 6_000, 5_990));
    // Nothing more was taken since.
    assert_eq!(hand_in("second", 0).expect("it is counted"), 0);
    counter.is_sound();
}

/// An order by phone that is on its way, over HTTP.
fn sent_out(desk: &Desk, variant: VariantId, name: &str) -> String {
    let lines = json!([{ "variant_id": variant, "amount": 1 }]);
    let person = json!({ "name": name, "address": "14 Second Cross", "phone": "98450 00000" });
    let called = json!({ "person": person, "lines": lines });
    let (status, order) = desk.as_owner("POST", "/v1/calls", &called);
    assert_eq!((status, &order["by_phone"]), (201, &json!(true)), "{order}");
    let path = format!("/v1/orders/{}", text(&order, "id"));
    for deed in ["packing", "packed", "dispatch"] {
        let (status, done) = desk.as_owner("POST", &format!("{path}/{deed}"), &json!({}));
        assert_eq!(status, 200, "{deed}: {done}");
    }
    path
}

#[test]
fn p6_a_courier_lists_what_is_brought_and_guesses_at_a_code_five_times() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let (street, rice) = crate::program::shelf(folder.path(), 10);
    drop(street);
    let desk = Desk::at(folder);
    let courier = desk.working(8, "courier");
    let called =
        json!({ "person": { "name": "Ravi" }, "lines": [{ "variant_id": rice, "amount": 1 }] });
    assert_eq!(desk.as_owner("POST", "/v1/calls", &called).0, 201, "it stays in the shop");
    let path = sent_out(&desk, rice, "Asha");
    let listed = |token: &str| {
        let (status, page) = desk.ask(token, "GET", "/v1/orders", &Value::Null);
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((listed(&courier), listed(&desk.owner)), (1, 2));
    let deliver = format!("{path}/delivery");
    let (_, stops) = desk.ask(&courier, "GET", "/v1/deliveries", &Value::Null);
    assert_eq!(stops["items"][0]["code_locked"], false, "{stops}");
    for code in ["000000", "111111", "222222", "333333", "444444"] {
        let (status, problem) = desk.ask(&courier, "POST", &deliver, &json!({ "code": code }));
        assert_eq!((status, text(&problem, "type")), (409, "urn:kirana:wrong-code"), "{code}");
    }
    for seen in [json!({ "code": "555555" }), json!({ "proof": "known" })] {
        let (status, problem) = desk.ask(&courier, "POST", &deliver, &seen);
        assert_eq!((status, text(&problem, "type")), (409, "urn:kirana:code-locked"), "{problem}");
    }
    assert_eq!(desk.as_owner("GET", &path, &Value::Null).1["wrong_codes"], 5);
    let (_, stops) = desk.ask(&courier, "GET", "/v1/deliveries", &Value::Null);
    assert_eq!(stops["items"][0]["code_locked"], true, "{stops}");
    let (status, done) = desk.as_owner("POST", &deliver, &json!({ "proof": "known" }));
    assert_eq!(status, 200, "{done}");
    assert_eq!(listed(&courier), 1, "whoever brought it sees it for a day");
    let pay = json!({ "amount": done["totals"]["due"], "means": "cash" });
    let (status, done) = desk.as_owner("POST", &format!("{path}/payments"), &pay);
    assert_eq!((status, &done["stage"]["stage"]), (200, &json!("completed")), "{done}");
    assert_eq!(listed(&courier), 1, "also once it is paid");
}

#[test]
fn an_order_with_more_certificates_than_anybody_has_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let desk = Desk::at(folder);
    let order = |count| json!({ "placed": "AAAA", "certificates": vec!["AAAA"; count] });
    let (status, problem) = desk.as_owner("POST", "/v1/orders", &order(9));
    assert_eq!((status, text(&problem, "type")), (422, "urn:kirana:too-many-certificates"));
    let (status, problem) = desk.as_owner("POST", "/v1/orders", &order(8));
    assert_eq!((status, text(&problem, "type")), (400, "urn:kirana:malformed"), "{problem}");
}

#[test]
fn a_courier_who_may_no_longer_see_an_order_still_hears_that_it_was_done() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let (street, rice) = crate::program::shelf(folder.path(), 10);
    drop(street);
    let desk = Desk::at(folder);
    let (courier, other) = (desk.working(8, "courier"), desk.working(7, "courier"));
    let path = sent_out(&desk, rice, "Asha");
    let failed = format!("{path}/delivery-failure");
    let report = |token: &str, reason: &str| {
        let key = "idempotency-key: stop 1\r\n";
        desk.ask_with(token, key, "POST", &failed, &json!({ "reason": reason })).0
    };
    assert_eq!(report(&courier, "nobody_there"), 200);
    assert_eq!(desk.as_owner("POST", &format!("{path}/return-to-shop"), &json!({})).0, 200);
    assert_eq!(desk.ask(&courier, "GET", &path, &Value::Null).0, 404, "it is out no longer");
    assert_eq!(report(&courier, "nobody_there"), 200, "the answer was lost");
    assert_eq!(report(&courier, "not_taken"), 404, "another word under the same key");
    assert_eq!(report(&other, "nobody_there"), 404, "nor anybody else's");
}

#[test]
fn p8_what_is_noted_of_slots_and_cash_is_compared_with_what_entries_say() {
    let counter = Counter::new();
    let shop = &counter.street.shop;
    let ravi = Customer::new(&counter.street, 50);
    let by = Some(By { who: ravi.keys.id(), till: None });
    counter.order(1, &[(counter.milk, 2, 3_000)], None);
    counter.dispatch(1);
    counter.act(1, Deed::Delivered(0, Handing::default()), by);
    counter.act(1, Deed::Pay(Money::new(6_000, rupees()), Means::Cash), by);
    let what = (ravi.keys.id(), Money::new(6_000, rupees()), String::new());
    shop.hand_in(None, what, shop.keys().node.id(), NOW, &mut rng(7)).expect("it is counted");
    counter.order(2, &[(counter.milk, 1, 3_000)], Some(counter.slot(0)));
    counter.is_sound();
    for (spoil, mend) in [
        (
            "UPDATE hand_in SET expected_minor = expected_minor - 1",
            "UPDATE hand_in SET expected_minor = expected_minor + 1",
        ),
        (
            "UPDATE customer_order SET slot_from_ms = slot_from_ms + 1",
            "UPDATE customer_order SET slot_from_ms = slot_from_ms - 1",
        ),
        (
            "INSERT INTO bank_line (reference, day, minor, text, read_ms, taking)
             SELECT 'x', 1, minor + 1, '', 0, n FROM takings",
            "DELETE FROM bank_line",
        ),
    ] {
        let run = |sql: &'static str| {
            let run = move |tx: &Tx<'_>| -> Result<(), Abort<()>> {
                tx.execute(sql, []).map_err(StoreError::from)?;
                Ok(())
            };
            shop.database().writer.write(run).expect("it is written");
        };
        run(spoil);
        assert_eq!(shop.verify().expect("it is read").faults.len(), 1, "{spoil}");
        run(mend);
        counter.is_sound();
    }
}

#[test]
fn the_command_line_puts_something_else_in_a_lines_place_and_takes_goods_back() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let goods = folder.path().join("goods.csv");
    std::fs::write(&goods, "name,price,stock\nMilk,30.00,10\nOats,20.00,10\n").expect("a file");
    let (code, taken) = said(folder.path(), &["import", goods.to_str().expect("a path")]);
    assert_eq!(code, 0, "{taken}");
    let desk = Desk::at(folder);
    let (_, shelf) = desk.as_owner("GET", "/v1/products?sort=name", &Value::Null);
    let variant = |n: usize| text(&shelf["items"][n]["variants"][0], "id").to_owned();
    let (rice, other) = (variant(0), variant(1));
    let lines = json!([{ "variant_id": rice, "amount": 2 }]);
    let called = json!({ "person": { "name": "Ravi" }, "lines": lines, "substitution": "similar" });
    let (_, order) = desk.as_owner("POST", "/v1/calls", &called);
    let (data, id) = (desk.folder.path(), text(&order, "id").to_owned());
    let run = |words: &[&str]| said(data, &[&["orders"], words].concat());
    let swap = format!("0:{other}=2");
    assert_eq!(run(&["mark", &id, "packing"]).0, 0);
    let (code, swapped) = run(&["substitute", &id, &swap]);
    assert_eq!(code, 0, "{swapped}");
    assert_eq!(swapped["order"]["lines"][0]["substitute"]["variant"], json!(other), "{swapped}");
    for (words, expected) in [
        (vec!["substitute", &id, "nonsense"], 2),
        (vec!["short", &id, "9"], 1),
        (vec!["take-back", &id, "0=1"], 1),
        (vec!["answer", &id, "--message", "sorry"], 1),
        (vec!["refund", &id, "1.00"], 1),
        (vec!["invoices", &id], 0),
        (vec!["short", &id, "0", "--found", "1"], 0),
    ] {
        let (code, shown) = run(&words);
        assert_eq!(code, expected, "{words:?}: {shown}");
    }
}
