//! What is read back is what was written, and what is beyond limits is not read at all.

use kirana_core::{
    cbor,
    hash::Hash,
    key::KeyId,
    money::{Currency, MoneyError},
    order::{
        ANCHORS_MAX, HEADS_MAX, LINES_MAX, PRICE_MINOR_MAX,
        entry::{Body, BodyError, Kind, Voice},
        facts::{DeclineReason, LineRefusal},
        placed::{
            AGE_MAX, Alteration, Handover, Invalid, NewAmount, Placed, SUBSTITUTES_MAX,
            SUBSTITUTES_OF_ALL_MAX, Slot, WantedLine,
        },
        wish::{
            Answer, Approve, Cancel, Change, Complain, ComplaintStep, Head, Heads, Refusal,
            RefusalCode, Said, SaidError, Wish, Withdraw,
        },
    },
    quantity::Unit,
    statement::{Party, Position, STATEMENT_BYTES_MAX, Statement, UnverifiedStatement},
};

use super::*;

#[test]
fn every_kind_is_read_back_as_it_was_written() {
    for body in bodies() {
        let bytes = body.encode();
        assert_eq!(Body::decode(body.kind(), &bytes), Ok(body.clone()));
        assert_eq!(Kind::from_number(body.kind()).map(Kind::label), Some(body.label()));
        assert!(Body::decode(body.kind(), &[&bytes[..], &[0]].concat()).is_err());
    }
    let written = bodies().iter().map(Body::kind).collect::<std::collections::BTreeSet<_>>();
    let live = Kind::ALL.iter().filter(|k| k.voice() == Voice::Entry && !k.is_reserved());
    assert_eq!(written, live.map(|kind| kind.number()).collect());
}

#[test]
fn kinds_of_a_later_version_are_kept_and_not_read() {
    for kind in Kind::ALL.iter().filter(|k| k.voice() == Voice::Entry && k.is_reserved()) {
        assert_eq!(Body::decode(kind.number(), b"anything"), Ok(Body::Reserved(*kind)));
    }
    let bytes = b"of the future".to_vec();
    let unknown = Body::Unknown { number: 999, bytes: bytes.clone() };
    assert_eq!(Body::decode(999, &bytes), Ok(unknown.clone()));
    assert_eq!(unknown.encode(), bytes);
    assert_eq!(unknown.label(), "unknown");
}

#[test]
fn a_field_of_a_later_version_does_not_disturb() {
    let mut bytes = Body::Expired(kirana_core::order::facts::Expired {}).encode();
    assert_eq!(bytes, [0xa0]);
    bytes = vec![0xa1, 0x18, 99, 0x01];
    assert!(Body::decode(Kind::Expired.number(), &bytes).is_ok());
}

#[test]
fn a_reason_of_a_later_version_is_kept_by_its_number() {
    let reason = DeclineReason::from_number(7_777);
    assert_eq!(reason, DeclineReason::Other(7_777));
    let bytes = cbor::to_vec(&reason);
    assert_eq!(cbor::from_slice::<DeclineReason>("a reason", &bytes, 16), Ok(reason));
    assert_eq!(serde_json::to_value(reason).expect("memory"), "other_7777");
    for why in LineRefusal::ALL {
        assert_eq!(LineRefusal::from_number(why.number()), *why);
        assert_eq!(LineRefusal::from_label(why.label()), Some(*why));
    }
}

fn of_lines(count: usize) -> Placed {
    let mut full = wanted(1, 100_000_000, Unit::Gram, price(999_999_999, 1_000_000));
    full.seen_version = u64::from(u32::MAX);
    full.tolerance_bp = 10_000;
    full.cap = Some(price(999_999_999, 999_999));
    full.substitutes = vec![variant(9); SUBSTITUTES_OF_ALL_MAX / LINES_MAX];
    let personal = Some(Hash::of(b"a person, salted"));
    let anchors = vec![ledger(); ANCHORS_MAX];
    Placed { lines: vec![full; count], personal, anchors, ..placed() }
}

#[test]
fn the_longest_order_fits_a_statement_and_one_line_more_is_refused() {
    let signed = sign(of_lines(LINES_MAX));
    assert!(signed.bytes().len() <= STATEMENT_BYTES_MAX, "{} bytes", signed.bytes().len());
    let read = UnverifiedStatement::parse(signed.bytes()).expect("well formed");
    assert_eq!(read.verify(&customer_key().public()), Ok(signed));
    let past = of_lines(LINES_MAX + 1);
    assert_eq!(past.check(), Err(Invalid::TooManyLines(LINES_MAX + 1)));
    let bytes = Body::Placed(past).encode();
    assert!(matches!(Body::decode(1, &bytes), Err(BodyError::Invalid(Invalid::TooManyLines(_)))));
}

fn with_line(change: impl FnOnce(&mut WantedLine)) -> Placed {
    let mut placed = placed();
    change(&mut placed.lines[0]);
    placed
}

#[test]
fn orders_that_cannot_be_are_neither_signed_nor_read() {
    let other = Currency::INR.as_str().replace("INR", "NPR").parse().expect("a currency");
    let slot = Some(Slot { from: at(5), until: at(5) });
    let money = |why| Invalid::Money { line: 0, why };
    let cases = [
        (Placed { lines: vec![], ..placed() }, Invalid::NoLines),
        (Placed { customer: Party::Shop(shop()), ..placed() }, Invalid::CustomerIsAShop),
        (Placed { handover: Handover::Pickup { slot }, ..placed() }, Invalid::EmptySlot),
        (
            Placed { anchors: vec![ledger(); ANCHORS_MAX + 1], ..placed() },
            Invalid::TooManyAnchors(ANCHORS_MAX + 1),
        ),
        (with_line(|line| line.tolerance_bp = 10_001), Invalid::Tolerance { line: 0 }),
        (
            with_line(|line| line.substitutes = vec![variant(9); SUBSTITUTES_MAX + 1]),
            Invalid::TooManySubstitutes { line: 0 },
        ),
        (Placed { fee: Some(rupees(-1)), ..placed() }, Invalid::Fee(MoneyError::Negative)),
        (Placed { of_age: Some(AGE_MAX + 1), ..placed() }, Invalid::TooOld),
        (with_line(|line| line.seen.minor = -1), money(MoneyError::Negative)),
        (with_line(|line| line.seen.per = 0), money(MoneyError::PerNothing)),
        (with_line(|line| line.seen.minor = PRICE_MINOR_MAX + 1), money(MoneyError::TooLarge)),
        (with_line(|line| line.cap = Some(price(-1, 1))), money(MoneyError::Negative)),
        (
            with_line(|line| line.seen.currency = other),
            money(MoneyError::CurrenciesDiffer(Currency::INR, other)),
        ),
    ];
    for (placed, why) in cases {
        let bytes = Body::Placed(placed.clone()).encode();
        assert_eq!(Body::decode(1, &bytes), Err(BodyError::Invalid(why)));
        let signed = placed.sign(order_id(), shop(), at(0), at(60), &customer_key());
        assert_eq!(signed, Err(why));
    }
}

#[test]
fn a_sum_that_does_not_fit_is_refused_before_it_is_signed() {
    let line = wanted(1, 100_000_000, Unit::Piece, price(PRICE_MINOR_MAX, 1));
    let placed = Placed { lines: vec![line], ..placed() };
    let why = MoneyError::TooLarge;
    assert_eq!(placed.check(), Err(Invalid::Money { line: 0, why }));
}

#[test]
fn requests_and_answers_are_read_back_as_they_were_signed() {
    let head = Some(ledger());
    let heads = vec![Head { order: order_id(), seq: 3, hash: ledger() }];
    let wishes = [
        Wish::Withdraw(Withdraw { head, anchors: vec![ledger()] }),
        Wish::Cancel(Cancel { reason: CancelReason::NotWanted, head, anchors: vec![] }),
        Wish::Heads(Heads { heads, anchors: vec![], generation: 1 }),
        Wish::Change(Change {
            alteration: Alteration {
                amounts: vec![NewAmount { line: 0, amount: 0 }],
                added: vec![wanted(3, 1, Unit::Piece, price(100, 1))],
                handover: Some(Handover::Pickup { slot: None }),
                fee: Some(rupees(100)),
            },
            head,
            anchors: vec![],
        }),
        Wish::Approve(Approve { question: ledger(), taken: vec![0, 2], head, anchors: vec![] }),
        Wish::Complain(Complain {
            step: ComplaintStep::Open,
            about: Grievance::Late,
            lines: vec![1],
            message: head,
            head,
            anchors: vec![],
            photo: Some(ledger()),
        }),
    ];
    for wish in wishes {
        let signed = wish.sign(order_id(), shop(), at(1), [9; 16], &customer_key());
        assert_eq!(Said::of(signed.statement()), Ok(Said::Wish(wish)));
    }
    let refusal = Refusal { answers: ledger(), code: RefusalCode::TooLate, line: None };
    let answer = Answer::Refusal(refusal);
    let signed = answer.sign(order_id(), customer(), at(1), [9; 16], &node_key(1));
    assert_eq!(Said::of(signed.statement()), Ok(Said::Answer(answer)));
    assert!(RefusalCode::TooLate.to_string().contains("too late"));
}

#[test]
fn heads_past_the_limit_and_misplaced_kinds_are_refused() {
    let head = Head { order: order_id(), seq: 1, hash: ledger() };
    let of =
        |count| Wish::Heads(Heads { heads: vec![head; count], anchors: vec![], generation: 1 });
    let sign = |wish: Wish| wish.sign(order_id(), shop(), at(1), [9; 16], &customer_key());
    assert!(Said::of(sign(of(HEADS_MAX)).statement()).is_ok());
    let count = HEADS_MAX + 1;
    let past = Said::of(sign(of(count)).statement());
    assert_eq!(past, Err(SaidError::TooMany { count, max: HEADS_MAX }));
    let anchors = vec![ledger(); ANCHORS_MAX + 1];
    let past = sign(Wish::Withdraw(Withdraw { head: None, anchors }));
    assert!(matches!(Said::of(past.statement()), Err(SaidError::TooMany { .. })));

    let entry = super::sign(placed()).statement().clone();
    let outside = Statement { position: Position::Request { id: [1; 16] }, ..entry.clone() };
    assert_eq!(Said::of(&outside), Err(SaidError::Misplaced));
    let inside = Statement { kind: Kind::Withdraw.number(), ..entry.clone() };
    assert_eq!(Said::of(&inside), Err(SaidError::Misplaced));
    let unknown = Statement { kind: 999, ..outside };
    assert_eq!(Said::of(&unknown), Ok(Said::Unknown { number: 999 }));
}

#[test]
fn codes_and_entries_are_shown_with_their_words() {
    let json = serde_json::to_value(paid(100)).expect("memory");
    let amount = serde_json::json!({"minor": 100, "currency": "INR"});
    assert_eq!(
        json,
        serde_json::json!({"kind": "paid", "body": {"amount": amount, "means": "cash"}})
    );
    for body in bodies() {
        let json = serde_json::to_value(&body).expect("memory");
        assert_eq!(json["kind"], body.label());
    }
    let guest = Party::Guest(KeyId::of(&[1; 32]));
    assert_eq!(serde_json::to_value(guest).expect("memory")["kind"], "guest");
}
