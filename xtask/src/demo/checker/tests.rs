//! The checker finds what is planted in the evidence, and nothing in clean evidence.

use super::*;

fn shelf() -> Shelf {
    Shelf { shop: "corner".into(), variant: "rice".into() }
}

fn accepted(id: &str, units: u64) -> OrderSeen {
    OrderSeen {
        id: id.into(),
        household: "Asha".into(),
        shop: "corner".into(),
        path: Some(Path::Hub),
        taken_in: true,
        turned_away: false,
        verdicts: vec![Verdict::Accepted],
        completed: false,
        promised: BTreeMap::from([("rice".into(), units)]),
        handed_over: BTreeMap::new(),
    }
}

/// One order of 2 and a walk-in's 3, of the 10 that there were.
fn clean() -> Evidence {
    let mut evidence = Evidence {
        shown_placed: BTreeSet::from(["a".to_owned()]),
        journals: vec![accepted("a", 2)],
        listed: BTreeMap::from([("corner".to_owned(), vec!["a".to_owned()])]),
        published: BTreeMap::from([(shelf(), Published { on_hand: 7, reserved: 2 })]),
        ..Evidence::default()
    };
    evidence.bring_in(shelf(), 10);
    evidence.walk_out(shelf(), 3);
    evidence
}

#[test]
fn clean_evidence_holds_no_fault() {
    let findings = clean().examine();
    assert!(findings.are_clean(), "{:?}", findings.faults);
    assert_eq!(findings.orders, Orders { placed: 1, accepted: 1, ..Orders::default() });
    assert_eq!(findings.paths["hub"], ["a"]);
}

#[test]
fn goods_that_were_handed_over_are_neither_kept_nor_on_the_shelf() {
    let mut evidence = clean();
    evidence.journals[0].completed = true;
    evidence.journals[0].handed_over = evidence.journals[0].promised.clone();
    evidence.published.insert(shelf(), Published { on_hand: 5, reserved: 0 });
    assert!(evidence.examine().are_clean());
    assert_eq!(evidence.examine().orders.completed, 1);
}

#[test]
fn p1_an_order_that_was_shown_and_is_in_no_journal_is_lost() {
    let mut evidence = clean();
    evidence.shown_placed.insert("b".into());
    assert_eq!(evidence.examine().orders.lost, 1);
}

#[test]
fn p1_an_order_that_never_reached_its_shop_is_lost() {
    let mut evidence = clean();
    evidence.journals[0].taken_in = false;
    evidence.listed.clear();
    assert_eq!(evidence.examine().orders.lost, 1);
}

#[test]
fn an_order_that_the_shop_refused_under_its_signature_is_declined_and_not_lost() {
    let mut evidence = clean();
    let (verdicts, promised) = (Vec::new(), BTreeMap::new());
    let refused =
        OrderSeen { taken_in: false, turned_away: true, verdicts, promised, ..accepted("b", 1) };
    evidence.journals.push(refused);
    assert!(evidence.examine().are_clean());
    assert_eq!(evidence.examine().orders.declined, 1);
}

#[test]
fn p1_an_order_that_the_shop_signed_for_and_forgot_is_lost() {
    let mut evidence = clean();
    evidence.listed.insert("corner".into(), Vec::new());
    assert_eq!(evidence.examine().orders.lost, 1);
}

#[test]
fn p1_two_verdicts_or_two_listings_are_a_doubled_order() {
    let mut evidence = clean();
    evidence.journals[0].verdicts.push(Verdict::Accepted);
    assert_eq!(evidence.examine().orders.doubled, 1);
    let mut evidence = clean();
    evidence.listed.insert("corner".into(), vec!["a".into(), "a".into()]);
    assert_eq!(evidence.examine().orders.doubled, 1);
}

#[test]
fn p1_goods_kept_back_twice_for_one_order_are_a_doubled_order() {
    let mut evidence = clean();
    evidence.published.insert(shelf(), Published { on_hand: 7, reserved: 4 });
    assert_eq!(evidence.examine().orders.doubled, 1);
}

#[test]
fn p2_promises_beyond_the_opening_stock_are_oversold() {
    let mut evidence = clean();
    evidence.journals.push(accepted("b", 6));
    evidence.listed.insert("corner".into(), vec!["a".into(), "b".into()]);
    assert_eq!(evidence.examine().oversold, 1);
    assert!(!evidence.examine().are_clean());
}
