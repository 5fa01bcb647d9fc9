//! Each planted bug breaks a promise where somebody sees it. The checkers do not know the names:
//! they run as they run on clean seeds, which `seeds.rs` holds to be without violation.

use kirana_core::planted::Bug;
use kirana_sim::{
    many::{self, Plan},
    report::Report,
};

/// From which seed on to look: some bugs need a rare moment, and the first seeds lack it.
macro_rules! caught {
    ($($test:ident: $bug:ident from $seed:literal,)*) => {
        $(#[test] fn $test() { is_caught(Bug::$bug, $seed); })*

        #[test]
        fn every_planted_bug_has_its_test() {
            let tested = [$(Bug::$bug,)*];
            let missing = Bug::ALL.iter().filter(|(_, bug)| !tested.contains(bug));
            assert_eq!(missing.map(|(name, _)| *name).collect::<Vec<_>>(), Vec::<&str>::new());
        }
    };
}

caught! {
    p1_an_order_taken_twice_is_seen: NoDedupe from 4,
    p7_mail_acknowledged_before_it_is_stored_is_seen: AcknowledgeBeforeStore from 6,
    p2_a_reservation_without_a_look_at_the_shelf_is_seen: ReserveWithoutCheck from 1,
    p1_a_forgotten_outbox_is_seen: ForgetTheOutbox from 6,
    p6_a_forged_author_is_seen: AcceptForgedAuthor from 1,
    p1_a_restore_into_the_old_generation_is_seen: RestoreWithoutNewGeneration from 1,
    p1_a_relay_that_is_trusted_is_seen: TrustTheRelay from 9,
    p1_a_second_answer_to_a_retry_is_seen: DecideAgainOnRetry from 1,
    p2_a_shortage_that_is_ignored_is_seen: IgnoreShortage from 4,
    p1_an_order_shown_before_the_commit_is_seen: PlaceBeforeCommit from 12,
    p5_a_dropped_price_is_seen: DropClashingPrice from 1,
    p1_p2_a_decision_in_two_parts_is_seen: SplitTheDecision from 1,
    p2_sold_reservations_are_seen: SellReserved from 1,
    p1_an_order_decided_again_after_a_restore_is_seen: DecideUnheard from 1,
}

/// So many seeds are looked at before a bug counts as not caught.
const SEEDS_MAX: u64 = 12;

fn is_caught(bug: Bug, from: u64) {
    let plan = Plan { from, seeds: SEEDS_MAX, bug: Some(bug), stop_at_first: true, tells: false };
    let report = Report::of(&many::run(plan, &|_| {}));
    assert!(!report.violations.is_empty(), "{bug:?} was not caught in {SEEDS_MAX} seeds");
}
