//! What the credit book promises in its corners: no limit is passed by an answer, no device reads that a
//! hub alone added, money is asked for once, and what goes back finds its place.

use std::collections::BTreeMap;

use kirana_core::{
    id::VariantId,
    khata::ENTRIES_RESERVED,
    order::{
        axes::{Fulfilment, Stage},
        facts::{BackLine, DeclineReason, Means, Packing, ReturnReason},
        placed::{Placed, Substitution},
        wish::{Approve, Countersign, Head, Heads, RefusalCode, Wish},
    },
    time::DAY_MS,
};
use kirana_migrations::{Abort, StoreError, Tx};
use kirana_shop::app::{
    Once, Outcome,
    handing::Handing,
    import::Locale,
    khata::{NotWritten, OnCredit, Writing},
    orders::{Deed, NotDone},
    packing::Swap,
};

use crate::{
    changes::refusal,
    devices::further,
    khata::{Case, charge, copy, money, open_by, pay, place, says, write},
    neighbour::{Customer, NOW, rng},
};

fn allows(case: &Case, substitution: Substitution) -> Placed {
    let mut placed = case.wants(3);
    placed.lines[0].substitution = substitution;
    placed
}

/// The customer takes what was proposed.
fn takes(case: &Case, n: u8) -> Outcome {
    let asked = case.street.shop.order(case.which(n)).expect("it is there");
    let question = asked.entries.iter().rfind(|entry| entry.kind == "question");
    let question = question.expect("a question").hash;
    let wish = Wish::Approve(Approve { question, taken: vec![0], head: None, anchors: vec![] });
    let (order, shop) = (asked.order.id, case.street.shop.id());
    // Each time it is asked it is another request.
    let id = [case.view().row.limit as u8; 16];
    let signed = wish.sign(order, shop, NOW, id, &case.asha.keys.signing);
    let mail = case.asha.mail(&case.street, &case.asha.parcel(&[&signed]));
    case.street.deliver(&mail).expect("it is heard").outcomes.remove(0)
}

fn ask(case: &Case, n: u8, variant: VariantId) {
    case.act(n, Deed::Pack(Packing::default())).expect("it is packed");
    let swaps = vec![Swap { line: 0, variant, amount: 3 }];
    case.act(n, Deed::Ask { group: 0, swaps, minutes: 30 }).expect("somebody asks");
}

#[test]
fn a_dearer_substitute_that_the_customer_takes_needs_room_and_gets_it_when_there_is_some() {
    let case = Case::new(10_000);
    let ghee = case.street.stock(11, 5_000, 10);
    place(&case.street, &case.asha, 1, allows(&case, Substitution::Ask));
    ask(&case, 1, ghee);
    let Outcome::Answered { bytes } = takes(&case, 1) else { panic!("it has no room") };
    assert_eq!(refusal(&bytes), RefusalCode::KhataLimit);
    let order = case.street.shop.order(case.which(1)).expect("it is there").order;
    assert!(matches!(order.groups[0].stage, Fulfilment::AwaitingAnswer { .. }), "it stands on");
    assert_eq!(case.stands(), (0, 9_000));
    case.is_sound();
    case.write(Writing::Limit(money(15_001))).expect("the owner gives room");
    assert!(matches!(takes(&case, 1), Outcome::Order { .. }));
    assert_eq!(case.stands(), (0, 15_000));
    for deed in [Deed::Packed(0, vec![]), Deed::Ready(0)] {
        case.act(1, deed).expect("it goes on");
    }
    case.act(1, Deed::Collected(0, Handing::default())).expect("it is fetched");
    assert_eq!(case.stands(), (15_000, 0));
    assert!(!case.view().is_over());
    case.is_sound();
}

#[test]
fn what_was_allowed_beforehand_has_its_room_from_the_decision_on_with_what_the_scales_may_show() {
    let case = Case::new(9_900);
    let mut placed = allows(&case, Substitution::Similar);
    placed.lines[0].tolerance_bp = 1_000;
    place(&case.street, &case.asha, 1, placed.clone());
    let stage = case.street.shop.order(case.which(1)).expect("it is there").order.stage;
    assert_eq!(stage, Stage::Declined { at: NOW, reason: DeclineReason::KhataLimit });
    case.write(Writing::Limit(money(9_901))).expect("the owner gives room");
    place(&case.street, &case.asha, 2, placed);
    assert_eq!(case.stands(), (0, 9_901), "a tenth more of something that costs as much");
    case.is_sound();
}

#[test]
fn what_a_shortage_took_keeps_its_room_while_something_else_may_still_come() {
    let case = Case::new(9_000);
    let other = case.street.stock(11, 3_000, 10);
    let mut placed = allows(&case, Substitution::Similar);
    placed.partial_ok = true;
    placed.lines.push(case.asha.wants(&[(other, 1, 0)]).lines.remove(0));
    placed.lines[1].seen.minor = 3_000;
    placed.lines[0].quantity =
        kirana_core::quantity::Quantity::new(2, kirana_core::quantity::Unit::Piece)
            .expect("a quantity");
    place(&case.street, &case.asha, 1, placed);
    case.act(1, Deed::Pack(Packing::default())).expect("it is packed");
    case.act(1, Deed::Miss { line: 0, found: 0 }).expect("it is not on the shelf");
    assert_eq!(case.stands(), (0, 9_000), "the room is kept");
    let taken = case.write(charge(1, false));
    assert!(taken.is_err(), "and nobody else's: {taken:?}");
    let swaps = vec![Swap { line: 0, variant: other, amount: 2 }];
    case.act(1, Deed::Substitute(swaps)).expect("the customer allowed it");
    assert_eq!(case.stands(), (0, 9_000));
    case.is_sound();
}

#[test]
fn p6_a_device_that_only_the_hub_added_neither_reads_nor_signs_the_books_of_its_account() {
    let case = Case::new(10_000);
    case.order(1, 1);
    let book = copy(&case.street, &case.asha);
    let added = further(&case.street, &case.asha, 51, &case.street.hub);
    let waits = || {
        let mails = case.street.shop.mail_for(added.keys.id(), 0, 100, NOW, &mut rng(3));
        mails.expect("it is read").len()
    };
    let (order, seq, hash) = (case.khata.as_order(), book.last().seq(), book.head());
    for head in [Head { order, seq, hash }, Head { order: case.which(1).id, seq: 0, hash }] {
        let heads = Wish::Heads(Heads { heads: vec![head], anchors: vec![], generation: 1 });
        let told = says(&case.street, &added, case.khata, &heads);
        let [Outcome::Answered { bytes }] = &told.outcomes[..] else { panic!("{told:?}") };
        let read = kirana_core::statement::UnverifiedStatement::parse(bytes).expect("it parses");
        let said = kirana_core::order::wish::Said::of(read.claimed());
        let Ok(kirana_core::order::wish::Said::Answer(
            kirana_core::order::wish::Answer::HeadsReply(reply),
        )) = said
        else {
            panic!("no reply")
        };
        assert!(reply.heads.is_empty() && reply.wanted.is_empty() && reply.same.is_empty());
    }
    assert_eq!(waits(), 0, "it hears of nothing");
    let sign = Wish::Countersign(Countersign { head: book.head(), balance: money(0) });
    let refused = says(&case.street, &added, case.khata, &sign);
    let [Outcome::Answered { bytes }] = &refused.outcomes[..] else { panic!("{refused:?}") };
    assert_eq!(refusal(bytes), RefusalCode::NotCertified);
    assert_eq!(case.view().row.signed, None);
    // Once a person has accepted an order of it, it is the household's.
    let mut placed = added.wants(&[(case.milk, 1, 3_000)]);
    placed.customer = case.asha.party;
    place(&case.street, &added, 2, placed);
    case.act(2, Deed::Accept).expect("a person accepts");
    assert!(waits() > 0, "the book is on its way");
    let granted = says(&case.street, &added, case.khata, &sign);
    assert!(matches!(granted.outcomes[..], [Outcome::Khata { .. }]), "{granted:?}");
}

#[test]
fn a_reminder_that_is_sent_again_after_a_payment_is_the_same_reminder() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    let shop = &case.street.shop;
    let once = Once::new(case.asha.keys.id(), "monday").expect("a key");
    let remind = |words: &str| {
        let asked = (case.khata, words, "en".parse().expect("English"));
        shop.remind_khata(Some(once.clone()), asked, None, NOW, &mut rng(9))
    };
    let (_, first) = remind("").expect("it is sent");
    assert!(first.contains("₹7.00"), "{first}");
    case.write(pay(300)).expect("a part is paid");
    let (view, again) = remind("").expect("the same again");
    assert_eq!((again, view.row.balance), (first, 400));
    let reminded = shop.khata(case.khata).expect("it holds").entries;
    assert_eq!(reminded.iter().filter(|entry| entry.shown.kind == "reminded").count(), 1);
    let other = remind("pay up");
    assert!(matches!(other, Err(NotWritten::KeyReused)), "{other:?}");
}

#[test]
fn payments_towards_a_book_are_compared_with_the_bank() {
    let case = Case::new(10_000);
    case.write(charge(900, false)).expect("it fits");
    let upi = |minor| Writing::Pay(money(minor), Means::Upi, String::new());
    case.write(upi(500)).expect("it is paid");
    let (shop, later) = (&case.street.shop, NOW.plus_ms(2 * DAY_MS));
    let check = || shop.reconciliation(later).expect("it is read");
    let unseen = check().unseen;
    assert_eq!((unseen[0].khata, unseen[0].minor, unseen.len()), (Some(case.khata), 500, 1));
    let lines = "Date,Narration,Ref No,Deposit\n01/10/2026,ASHA,1,5.00\n01/10/2026,ASHA,2,4.00\n";
    let map = BTreeMap::new();
    let read = shop.take_statement(lines.as_bytes(), &map, Locale::INDIAN, NOW, &mut rng(5));
    assert_eq!(read.expect("it is read").open, 2, "nothing tells whose money it is");
    let mut open: Vec<i64> = check().open_lines.iter().map(|line| line.n).collect();
    open.sort_unstable();
    let by = case.asha.keys.id();
    let assign = |n| shop.assign_line_to_khata(n, case.khata, by, NOW, &mut rng(6));
    for n in &open {
        assign(*n).expect("a person says so");
        assert!(assign(*n).is_err(), "once");
    }
    assert_eq!(case.stands(), (0, 0), "the first was written down before, the second is now");
    let left = check();
    assert_eq!((left.unseen.len(), left.open_lines.len()), (0, 0));
    assert_eq!(shop.bank_lines(false, None, 10).expect("read")[0].khata, Some(case.khata));
    case.is_sound();
}

#[test]
fn what_goes_back_after_the_book_was_closed_stands_in_a_fresh_one_and_is_paid_out() {
    let case = Case::new(10_000);
    case.order(1, 3);
    case.hand_over(1);
    case.write(pay(9_000)).expect("it is paid");
    case.write(Writing::Close).expect("nothing is owed");
    let back = vec![BackLine { line: 0, amount: 1, sellable: true }];
    let view = case.act(1, Deed::TakeBack(back, ReturnReason::Faulty)).expect("it is taken back");
    assert_eq!(view.totals.due, money(0), "nothing is open between the two");
    let shop = &case.street.shop;
    let id = shop.find_khata(&case.asha.party.to_string().replace("account ", ""));
    let id = id.expect("a fresh one");
    assert_ne!(id, case.khata);
    let fresh = shop.khata(id).expect("it holds").view;
    assert_eq!((fresh.row.balance, fresh.row.limit), (-3_000, 0));
    assert_eq!(fresh.person.map(|person| person.name), Some("Asha Canary".to_owned()));
    write(shop, id, Writing::PayOut(money(3_000), Means::Cash, String::new())).expect("in cash");
    write(shop, id, Writing::Close).expect("nothing is owed");
    case.is_sound();
}

#[test]
fn a_countersignature_is_the_newest_until_something_else_is_written() {
    let case = Case::new(10_000);
    case.order(1, 1);
    case.write(charge(700, false)).expect("it fits");
    let book = copy(&case.street, &case.asha);
    let sign = Wish::Countersign(Countersign { head: book.head(), balance: money(700) });
    says(&case.street, &case.asha, case.khata, &sign);
    assert!(case.view().signed_newest);
    case.write(pay(100)).expect("it is paid");
    assert!(!case.view().signed_newest);
}

#[test]
fn a_book_that_somebody_holds_is_not_linked_to_anybody_else() {
    let case = Case::new(10_000);
    let other = Customer::new(&case.street, 21);
    for party in [other.party, case.asha.party] {
        let refused = case.write(Writing::Claim(party));
        assert!(matches!(refused, Err(NotWritten::HasOne(_))), "{refused:?}");
    }
    assert_eq!(case.view().row.holder, Some(case.asha.party));
}

#[test]
fn an_order_stands_in_one_book() {
    let case = Case::new(10_000);
    place(&case.street, &case.asha, 1, case.asha.wants(&[(case.milk, 2, 3_000)]));
    case.hand_over(1);
    let put = |khata, minor| {
        let amount = Some(money(minor));
        case.act(1, Deed::OnKhata(OnCredit { khata, amount, beyond: false }))
    };
    put(None, 2_000).expect("a part of it");
    let other = open_by(&case.street, None, 10_000, 18).expect("it is opened").row.id;
    let refused = put(Some(other), 4_000);
    assert!(matches!(refused, Err(NotDone::Khata(NotWritten::OtherKhata))), "{refused:?}");
    put(None, 4_000).expect("the rest in the same");
    assert_eq!(case.stands(), (6_000, 0));
    case.is_sound();
}

#[test]
fn marks_of_a_customer_never_fill_a_book_so_that_it_cannot_be_paid() {
    let case = Case::new(10_000);
    case.order(1, 1);
    case.write(charge(700, false)).expect("it fits");
    // Near its end: what is noted says so, and the next entries are written upon that.
    let full = kirana_core::khata::ENTRIES_MAX as u32 - ENTRIES_RESERVED as u32 - 1;
    let end = case.street.shop.khata(case.khata).expect("it holds").view.row.clone();
    let tip = kirana_core::khata::chain::Tip {
        id: case.khata,
        shop: case.street.shop.id(),
        holder: end.holder,
        generation: 1,
        seq: full,
        head: end.head,
        after: kirana_core::khata::act::After { balance: money(700), limit: money(10_000) },
        closed: false,
        signer: case.street.shop.keys().node.id(),
    };
    let key = &case.street.shop.keys().node.signing;
    let act = |act| tip.next(1, NOW, &act, key);
    use kirana_core::khata::act::{Act, Charged, Countersigned, Moved, Reminded};
    let (request, head, balance) = (end.head, end.head, money(700));
    let full = Err(kirana_core::khata::book::Misstep::Full);
    assert_eq!(act(Act::Countersigned(Countersigned { request, head, balance })), full);
    assert_eq!(act(Act::Reminded(Reminded { words: None })), full);
    assert_eq!(act(Act::Charged(Charged::by_hand(money(1)))), full);
    let paid = Moved { amount: money(700), means: Means::Cash, words: None };
    act(Act::Paid(paid)).expect("what ends a debt finds room");
    // And the same mark over and over is one entry.
    let sign = Wish::Countersign(Countersign { head: end.head, balance: money(700) });
    for n in 0..5 {
        let (order, shop) = (case.khata.as_order(), case.street.shop.id());
        let signed = sign.sign(order, shop, NOW, [n; 16], &case.asha.keys.signing);
        let mail = case.asha.mail(&case.street, &case.asha.parcel(&[&signed]));
        case.street.deliver(&mail).expect("it is heard");
    }
    assert_eq!(case.street.shop.khata(case.khata).expect("it holds").entries.len(), 3);
}

#[test]
fn p8_a_book_that_is_damaged_waits_on_when_the_owner_would_go_on() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    let spoil = |tx: &Tx<'_>| -> Result<(), Abort<()>> {
        tx.execute("UPDATE khata SET waits_for_heads = 1, balance_minor = 1", [])
            .map_err(StoreError::from)?;
        Ok(())
    };
    case.street.shop.database().writer.write(spoil).expect("it is written");
    let refused = case.write(Writing::GoOn);
    assert!(matches!(refused, Err(NotWritten::Damaged(_))), "{refused:?}");
    let row = case.street.shop.khatas().expect("read").remove(0).row;
    assert!(row.waits_for_heads, "nothing was cleared");
}
