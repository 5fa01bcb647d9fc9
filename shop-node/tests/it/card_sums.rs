//! Whatever comes in whatever order: till, entries and provider agree about money by card.

use kirana_core::{
    order::facts::{Means, Packing, WeighedLine},
    time::DAY_MS,
};
use kirana_shop::{
    app::{
        cards::{Answered, Intent, Job, Status},
        handing::Handing,
        orders::Deed,
    },
    store::cards::{State, What},
};
use proptest::prelude::*;

use crate::{
    cards::{Case, money, said, taken},
    neighbour::{NOW, rng},
};

fn hand_over_if_packed(case: &Case, n: u8) {
    let weighed = vec![WeighedLine { line: 0, amount: 1_000 }];
    for deed in [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, weighed),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
    ] {
        let _ = case.act(n, deed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the provider says in whatever order: the till holds what the entries say, the order never
    /// keeps more than the provider took, and `verify` finds nothing.
    #[test]
    fn till_entries_and_provider_agree_whatever_comes(
        steps in proptest::collection::vec((0_u8..10, 1_i64..2_300), 1..30),
    ) {
        let case = Case::new();
        case.asked(1, "pi_1");
        let mut took = 0;
        let mut back = 0;
        let mut now = NOW;
        let mut jobs: Vec<Job> = Vec::new();
        for (step, minor) in steps {
            now = now.plus_ms(60_000);
            match step {
                0 => hand_over_if_packed(&case, 1),
                1 => case.advance(now),
                2 => jobs.extend(case.job(now)),
                3 | 4 => {
                    let Some(job) = jobs.pop() else { continue };
                    let came = match job.call.what {
                        What::Create | What::Cancel => Answered::Intent(said("pi_1", if took > 0 { Status::Taken } else { Status::CalledOff })),
                        What::Capture => { took = if took > 0 { took } else { job.call.minor }; taken("pi_1", took) }
                        What::Refund => { back += job.call.minor; Answered::Refunded { minor: job.call.minor } }
                    };
                    // The answer comes twice.
                    case.answer(&job, came.clone(), now);
                    case.answer(&job, came, now);
                }
                5 => {
                    let status = if took > 0 { Status::Taken } else { Status::Held };
                    let says = Intent { taken_minor: Some(took), ..said("pi_1", status) };
                    let shop = &case.street.shop;
                    for (n, _) in shop.cards_to_look_at(now.plus_ms(DAY_MS)).expect("read") {
                        shop.saw_card(n, Some(says.clone()), now, &mut rng(8)).expect("stored");
                    }
                }
                // What was paid otherwise goes back by hand: that is none of the provider's.
                6 if case.state(1) == Some(State::Captured) => {
                    let _ = case.act(1, Deed::Refund(money(minor), Means::Card));
                }
                6 => {}
                7 => { let _ = case.act(1, Deed::Pay(money(minor), Means::Cash)); }
                8 => { let _ = case.act(1, Deed::LetCardGo); }
                _ => case.street.shop.wake_card_calls(now).expect("stored"),
            }
        }
        let rows = case.by_card();
        let came: i64 = rows.iter().filter(|minor| **minor > 0).sum();
        prop_assert!(came == 0 || came == took, "{came} of {took}");
        prop_assert_eq!(-rows.iter().filter(|minor| **minor < 0).sum::<i64>(), back);
        prop_assert!(rows.iter().filter(|minor| **minor > 0).count() <= 1, "taken once");
        case.is_sound();
    }
}
