//! P2 while somebody packs: what comes in the place of a line is kept for it, and nothing twice.

use kirana_core::{
    id::{OrderId, VariantId},
    order::{
        Order,
        axes::{Fulfilment, LineState, Stage},
        facts::{LineRefusal, Packing},
        placed::Substitution,
        wish::{Approve, RefusalCode, Wish},
    },
};
use kirana_shop::app::{
    Outcome,
    counter::What,
    handing::Handing,
    orders::{Deed, NotDone, OrderView, Which},
    packing::Swap,
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng};

/// A shop with two milks, and an order for three packs of the first that is being packed.
struct Bench {
    shop: Neighbourhood,
    customer: Customer,
    milk: VariantId,
    other: VariantId,
}

impl Bench {
    fn new(substitution: Substitution, partial_ok: bool) -> Self {
        let shop = Neighbourhood::new();
        let (milk, other) = (shop.stock(10, 3_000, 5), shop.stock(11, 2_900, 4));
        let customer = Customer::new(&shop, 20);
        let bench = Self { shop, customer, milk, other };
        bench.place(1, substitution, partial_ok);
        bench.act(1, Deed::Pack(Packing::default())).expect("it is packed");
        bench
    }

    fn place(&self, n: u8, substitution: Substitution, partial_ok: bool) {
        let mut placed = self.customer.wants(&[(self.milk, 3, 3_000)]);
        placed.lines[0].substitution = substitution;
        placed.partial_ok = partial_ok;
        let signed = self.customer.sign(n, placed);
        let mail = self.customer.mail(&self.shop, &self.customer.parcel(&[&signed]));
        self.shop.deliver(&mail).expect("it is taken in");
    }

    fn which(n: u8) -> Which {
        Which { id: OrderId::new(NOW, [n; 10]), customer: None }
    }

    fn act(&self, n: u8, deed: Deed) -> Result<OrderView, NotDone> {
        self.shop.shop.act(Self::which(n), deed, NOW, &mut rng(4))
    }

    fn order(&self, n: u8) -> Order {
        self.shop.shop.order(Self::which(n)).expect("it is there").order
    }

    fn swap(&self, amount: u64) -> Vec<Swap> {
        vec![Swap { line: 0, variant: self.other, amount }]
    }

    fn ask(&self, amount: u64) -> Result<OrderView, NotDone> {
        self.act(1, Deed::Ask { group: 0, swaps: self.swap(amount), minutes: 30 })
    }

    /// The customer's word about the question that stands.
    fn answers(&self, taken: Vec<u16>) -> Outcome {
        let asked = self.shop.shop.order(Self::which(1)).expect("it is there");
        let asked = asked.entries.iter().rfind(|entry| entry.kind == "question");
        let question = asked.expect("a question").hash;
        let wish = Wish::Approve(Approve { question, taken, head: None, anchors: Vec::new() });
        let signed = self.customer.wish(1, &wish);
        let mail = self.customer.mail(&self.shop, &self.customer.parcel(&[&signed]));
        self.shop.deliver(&mail).expect("it is taken in").outcomes.remove(0)
    }
}

#[test]
fn p2_what_replaces_a_line_is_kept_for_it_and_the_line_itself_is_free_again() {
    let bench = Bench::new(Substitution::Similar, false);
    assert_eq!(bench.shop.balance(bench.milk), (5, 3));
    bench.act(1, Deed::Substitute(bench.swap(3))).expect("the customer allowed it");
    assert_eq!(bench.shop.balance(bench.milk), (5, 0));
    assert_eq!(bench.shop.balance(bench.other), (4, 3));
    for deed in
        [Deed::Packed(0, Vec::new()), Deed::Ready(0), Deed::Collected(0, Handing::default())]
    {
        bench.act(1, deed).expect("it goes on");
    }
    assert_eq!(bench.shop.balance(bench.other), (1, 0), "the other milk was sold");
    assert_eq!(bench.shop.shop.verify().expect("it is read").faults, Vec::<String>::new());
}

#[test]
fn p2_a_packer_cannot_promise_what_is_not_there_or_not_allowed() {
    let bench = Bench::new(Substitution::Similar, false);
    let too_much = bench.act(1, Deed::Substitute(bench.swap(5)));
    assert!(matches!(too_much, Err(NotDone::NotEnough(_))), "{too_much:?}");
    bench.shop.enter(bench.milk, What::Receipt(3));
    bench.place(2, Substitution::LeaveOut, false);
    bench.act(2, Deed::Pack(Packing::default())).expect("it is packed");
    let not_allowed = bench.act(2, Deed::Substitute(bench.swap(3)));
    assert!(matches!(not_allowed, Err(NotDone::Chain(_))), "{not_allowed:?}");
    assert_eq!(bench.shop.balance(bench.other), (4, 0), "nothing was changed");
    assert_eq!(bench.shop.balance(bench.milk), (8, 6), "nothing was changed");
}

#[test]
fn p2_what_is_proposed_is_kept_until_the_customer_answers() {
    let bench = Bench::new(Substitution::Ask, false);
    bench.ask(2).expect("somebody asks");
    assert_eq!((bench.shop.balance(bench.milk), bench.shop.balance(bench.other)), ((5, 0), (4, 2)));
    assert!(matches!(bench.answers(vec![0]), Outcome::Order { .. }));
    let order = bench.order(1);
    assert_eq!(order.lines[0].variant(), bench.other);
    assert_eq!(order.lines[0].state, LineState::Reserved { amount: 2 });
    assert!(matches!(order.groups[0].stage, Fulfilment::Packing { .. }));
    // The same answer again, or another one, changes nothing more.
    assert!(matches!(bench.answers(vec![0]), Outcome::Order { .. }), "it is answered already");
    assert_eq!(bench.shop.balance(bench.other), (4, 2));
}

#[test]
fn what_a_customer_does_not_want_is_free_again_and_an_order_of_nothing_is_called_off() {
    let bench = Bench::new(Substitution::Ask, false);
    bench.ask(2).expect("somebody asks");
    bench.answers(Vec::new());
    let order = bench.order(1);
    let why = LineRefusal::NoSubstitute;
    assert_eq!(order.lines[0].state, LineState::Cancelled { why });
    assert!(matches!(order.stage, Stage::Cancelled { .. }), "{:?}", order.stage);
    assert_eq!(bench.shop.balance(bench.other), (4, 0));
    assert_eq!(bench.shop.shop.verify().expect("it is read").faults, Vec::<String>::new());
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let bench = Bench::new(Substitution::Ask, false);
    let wish = |question| {
        Wish::Approve(Approve { question, taken: vec![0], head: None, anchors: Vec::new() })
    };
    let signed = bench.customer.wish(1, &wish(kirana_core::hash::Hash::of(b"no question")));
    let mail = bench.customer.mail(&bench.shop, &bench.customer.parcel(&[&signed]));
    let outcome = bench.shop.deliver(&mail).expect("it is taken in").outcomes.remove(0);
    let Outcome::Answered { bytes } = outcome else { panic!("{outcome:?}") };
    let refusal = crate::changes::refusal(&bytes);
    assert_eq!(refusal, RefusalCode::TooLate);
}

#[test]
fn a_question_that_nobody_answers_in_time_ends_with_what_was_allowed_beforehand() {
    for (substitution, comes) in [(Substitution::Similar, true), (Substitution::Ask, false)] {
        let bench = Bench::new(substitution, false);
        bench.ask(2).expect("somebody asks");
        let lapse = |minutes: u64| {
            let now = NOW.plus_ms(minutes * 60_000);
            bench.shop.shop.lapse_questions(now, &mut rng(5)).expect("it is stored")
        };
        assert_eq!(lapse(29), 0, "the customer still has time");
        assert_eq!(lapse(31), 1);
        assert_eq!(lapse(32), 0, "once is enough");
        let order = bench.order(1);
        assert_eq!(order.lines[0].substitute.is_some(), comes, "{substitution:?}");
        let kept = if comes { 2 } else { 0 };
        assert_eq!(bench.shop.balance(bench.other), (4, kept));
    }
}

#[test]
fn p2_what_is_not_on_the_shelf_leaves_the_stock_and_is_promised_to_nobody() {
    let bench = Bench::new(Substitution::LeaveOut, true);
    let missed = bench.act(1, Deed::Miss { line: 0, found: 2 }).expect("it is written down");
    assert_eq!(missed.order.lines[0].state, LineState::Reserved { amount: 2 });
    // Two more were free by the ledger: who packs would have taken one of them.
    assert_eq!(bench.shop.balance(bench.milk), (2, 2));
    let again = bench.act(1, Deed::Miss { line: 0, found: 2 });
    assert!(matches!(again, Err(NotDone::Chain(_))), "nothing is missing any more");

    let bench = Bench::new(Substitution::LeaveOut, false);
    let missed = bench.act(1, Deed::Miss { line: 0, found: 2 }).expect("it is written down");
    assert!(matches!(missed.order.stage, Stage::Cancelled { .. }), "whole or not at all");
    assert_eq!(bench.shop.balance(bench.milk), (2, 0), "what was found is free");
    assert_eq!(bench.shop.shop.verify().expect("it is read").faults, Vec::<String>::new());
}

#[test]
fn p2_what_others_have_reserved_stays_theirs_when_a_packer_finds_too_little() {
    let bench = Bench::new(Substitution::LeaveOut, true);
    bench.shop.enter(bench.milk, What::Receipt(1));
    bench.place(2, Substitution::LeaveOut, true);
    assert_eq!(bench.shop.balance(bench.milk), (6, 6));
    bench.act(1, Deed::Miss { line: 0, found: 0 }).expect("it is written down");
    assert_eq!(bench.shop.balance(bench.milk), (3, 3));
    assert_eq!(bench.order(2).lines[0].state, LineState::Reserved { amount: 3 });
}
