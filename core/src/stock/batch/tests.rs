//! What a grocer expects of batches: the oldest first, nothing past its date over the counter.

use proptest::prelude::*;

use super::*;
use crate::stock::{Head, Movement, tests as stock};

const TODAY: Day = Day::new(100);

fn open(batch: u64, day: u32, amount: u64) -> Open {
    Open { batch, best_before: (day > 0).then_some(Day::new(day)), amount }
}

fn part(batch: u64, amount: u64) -> Part {
    Part { batch, amount }
}

fn parts(pick: Pick, amount: u64, on_hand: u64, open: &[Open]) -> Result<Vec<Part>, StockError> {
    pick.parts(amount, on_hand, open)
}

#[test]
fn what_expires_first_goes_first_then_what_is_loose_then_what_has_no_date() {
    let shelf = [open(1, 120, 5), open(2, 0, 5), open(3, 110, 5), open(4, 110, 5)];
    let first = |amount| parts(Pick::FirstExpired { today: TODAY }, amount, 23, &shelf);
    assert_eq!(first(3), Ok(vec![part(3, 3)]));
    assert_eq!(first(7), Ok(vec![part(3, 5), part(4, 2)]));
    assert_eq!(first(18), Ok(vec![part(1, 5), part(3, 5), part(4, 5)]), "3 of it are loose");
    assert_eq!(first(20), Ok(vec![part(1, 5), part(2, 2), part(3, 5), part(4, 5)]));
    assert_eq!(first(24), Err(StockError::NotEnough { wanted: 24, free: 23 }));
}

#[test]
fn the_last_day_is_a_day_on_which_it_is_sold() {
    let counter = Pick::Unexpired { today: TODAY, kept: 0 };
    assert_eq!(parts(counter, 2, 5, &[open(1, 100, 5)]), Ok(vec![part(1, 2)]));
    let error = StockError::PastBestBefore { wanted: 2, fresh: 0 };
    assert_eq!(parts(counter, 2, 5, &[open(1, 99, 5)]), Err(error));
}

#[test]
fn the_counter_sells_nothing_past_its_date_nor_what_orders_need_of_the_rest() {
    let shelf = [open(1, 90, 3), open(2, 110, 5)];
    let counter = |kept, amount| parts(Pick::Unexpired { today: TODAY, kept }, amount, 8, &shelf);
    assert_eq!(counter(0, 5), Ok(vec![part(2, 5)]));
    assert_eq!(counter(4, 1), Ok(vec![part(2, 1)]));
    let error = StockError::PastBestBefore { wanted: 2, fresh: 1 };
    assert_eq!(counter(4, 2), Err(error));
}

#[test]
fn what_a_customer_has_already_is_entered_whatever_its_date_and_the_bin_gets_the_oldest() {
    let shelf = [open(1, 90, 3), open(2, 110, 5)];
    let handed_over = Pick::FirstExpired { today: TODAY };
    assert_eq!(parts(handed_over, 6, 8, &shelf), Ok(vec![part(1, 1), part(2, 5)]));
    assert_eq!(parts(Pick::Oldest, 4, 8, &shelf), Ok(vec![part(1, 3), part(2, 1)]));
}

#[test]
fn a_batch_in_the_hand_is_the_one_that_goes_whatever_its_date() {
    let shelf = [open(1, 90, 3), open(2, 110, 5)];
    assert_eq!(parts(Pick::Named(1), 2, 8, &shelf), Ok(vec![part(1, 2)]));
    let error = StockError::NotInBatch { batch: 1, wanted: 4, there: 3 };
    assert_eq!(parts(Pick::Named(1), 4, 8, &shelf), Err(error));
    assert!(parts(Pick::Named(9), 1, 8, &shelf).is_err());
}

fn movement(change: Change, change_it: impl FnOnce(&mut Movement)) -> Movement {
    let mut movement = stock::movement(change);
    change_it(&mut movement);
    movement
}

fn with(change: Change, parts: &[Part]) -> Movement {
    movement(change, |movement| movement.parts = Some(parts.to_vec()))
}

#[test]
fn a_movement_that_takes_what_is_not_in_the_batch_cannot_have_happened() {
    let there = Batches::new([(1, 3), (2, 5)].into());
    let after = |on_hand| Balance { on_hand, reserved: 0 };
    let sale = |parts: &[Part]| with(Change::Sale { amount: 4, reserved: 0 }, parts);
    let sold = there.apply(&sale(&[part(1, 3), part(2, 1)]), after(6)).expect("it can be");
    assert_eq!(sold, Batches::new([(2, 4)].into()), "what is used up is gone");
    let refused = |movement: &Movement, on_hand| there.apply(movement, after(on_hand)).err();
    let not_there = StockError::NotInBatch { batch: 1, wanted: 4, there: 3 };
    assert_eq!(refused(&sale(&[part(1, 4)]), 6), Some(not_there));
    assert_eq!(refused(&sale(&[part(1, 0)]), 6), Some(StockError::Nothing));
    assert_eq!(refused(&sale(&[part(1, 3), part(2, 2)]), 6), Some(StockError::OddBatch));
    assert_eq!(refused(&sale(&[]), 4), Some(StockError::OddBatch), "less is loose than was sold");
    let reserved = with(Change::Reservation { amount: 4 }, &[part(1, 3)]);
    assert_eq!(refused(&reserved, 10), Some(StockError::OddBatch));
    let found = with(Change::Stocktake { before: 8, counted: 9 }, &[part(1, 1)]);
    assert_eq!(refused(&found, 9), Some(StockError::OddBatch));
    let lot = |movement: &mut Movement| movement.lot = Some(Lot::default());
    assert_eq!(
        refused(&movement(Change::Return { amount: 1 }, lot), 9),
        Some(StockError::OddBatch)
    );
}

#[test]
fn one_batch_past_the_limit_is_refused() {
    let full: BTreeMap<u64, u64> = (10..).map(|n| (n, 1)).take(BATCHES_MAX).collect();
    let full = Batches::new(full);
    let after = Balance { on_hand: 1000, reserved: 0 };
    let lot = |movement: &mut Movement| movement.lot = Some(Lot::default());
    let more = movement(Change::Receipt { amount: 1 }, lot);
    assert_eq!(full.apply(&more, after), Err(StockError::TooManyBatches));
    assert_eq!(full.arrive(&[part(9, 1)], after), Err(StockError::TooManyBatches));
    assert!(full.arrive(&[part(10, 1)], after).is_ok(), "more of one that is there");
}

#[test]
fn a_movement_out_of_as_many_batches_as_there_may_be_is_not_too_long() {
    let parts = (0..BATCHES_MAX as u64).map(|n| part(u64::MAX - n, u64::MAX)).collect();
    let note = "x".repeat(crate::stock::NOTE_BYTES_MAX);
    let draft = crate::stock::Draft {
        parts,
        note,
        ..stock::draft(Change::Sale { amount: u64::MAX, reserved: u64::MAX })
    };
    let head = Head { generation: u64::MAX, seq: u64::MAX - 1, ..Head::start(stock::shop()) };
    let written = head.write(u64::MAX, crate::time::UnixMs::MAX, draft).expect("it is written");
    assert_eq!(Movement::parse(&written.bytes), Ok(written.movement));
}

#[test]
fn a_code_and_a_cost_that_cannot_be_are_refused() {
    let code = |code: String| Lot { code: Some(code), ..Lot::default() }.check();
    assert_eq!(code("x".repeat(CODE_BYTES_MAX)), Ok(()));
    assert_eq!(code("x".repeat(CODE_BYTES_MAX + 1)), Err(StockError::Code));
    assert_eq!([code(" ".into()), code("a\0".into())], [Err(StockError::Code); 2]);
    let cost = |minor, per| {
        let currency = crate::money::Currency::INR;
        Lot { cost: Some(Price { minor, per, currency }), ..Lot::default() }.check()
    };
    assert_eq!([cost(0, 1), cost(5, 1000)], [Ok(()); 2]);
    assert_eq!([cost(-1, 1), cost(1, 0)], [Err(StockError::Cost); 2]);
}

fn shelves() -> impl Strategy<Value = (Vec<Open>, u64)> {
    let batches = proptest::collection::vec((0_u32..200, 1_u64..50), 0..12);
    (batches, 0_u64..50).prop_map(|(batches, loose)| {
        let batches = batches.into_iter().enumerate();
        let open: Vec<Open> = batches.map(|(n, (day, a))| open(n as u64 + 1, day, a)).collect();
        let on_hand = loose + open.iter().map(|open| open.amount).sum::<u64>();
        (open, on_hand)
    })
}

proptest! {
    #[test]
    fn p2_what_is_picked_was_there_and_adds_up(
        (shelf, on_hand) in shelves(),
        wanted in 1_u64..800,
        kept in 0_u64..50,
    ) {
        let batched: u64 = shelf.iter().map(|open| open.amount).sum();
        let today = TODAY;
        for pick in [Pick::FirstExpired { today }, Pick::Unexpired { today, kept }, Pick::Oldest] {
            let Ok(parts) = parts(pick, wanted, on_hand, &shelf) else {
                let fresh = on_hand.saturating_sub(past(&shelf, today) + kept);
                let is_counter = matches!(pick, Pick::Unexpired { .. });
                prop_assert!(wanted > on_hand || is_counter && wanted > fresh);
                continue;
            };
            let picked: u64 = parts.iter().map(|part| part.amount).sum();
            prop_assert!(picked <= wanted && wanted - picked <= on_hand - batched);
            // What the ledger makes of it: no batch falls below zero, and the rest is loose.
            let there = Batches::new(shelf.iter().map(|open| (open.batch, open.amount)).collect());
            let sale = with(Change::Sale { amount: wanted, reserved: 0 }, &parts);
            let after = Balance { on_hand: on_hand - wanted, reserved: 0 };
            let left = there.apply(&sale, after);
            prop_assert!(left.is_ok(), "{left:?}");
        }
    }

    #[test]
    fn nothing_is_left_that_should_have_gone_before_what_went(
        (shelf, on_hand) in shelves(),
        wanted in 1_u64..300,
    ) {
        let today = TODAY;
        for pick in [Pick::FirstExpired { today }, Pick::Unexpired { today, kept: 0 }, Pick::Oldest] {
            let Ok(parts) = parts(pick, wanted, on_hand, &shelf) else { continue };
            let took = |open: &Open| {
                parts.iter().find(|part| part.batch == open.batch).map_or(0, |part| part.amount)
            };
            let last_out = shelf.iter().filter(|open| took(open) > 0).map(|o| pick.place(o)).max();
            let first_left =
                shelf.iter().filter(|open| took(open) < open.amount).map(|o| pick.place(o)).min();
            if let (Some(out), Some(left)) = (last_out, first_left) {
                prop_assert!(out <= left, "{parts:?} of {shelf:?}");
            }
            if matches!(pick, Pick::Unexpired { .. }) {
                prop_assert!(shelf.iter().all(|open| took(open) == 0 || !open.is_past(today)));
            }
        }
    }
}
