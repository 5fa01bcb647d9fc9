//! What customers change in orders that were placed, and what they bring back.

use kirana_core::{
    id::{OrderId, VariantId},
    money::Money,
    order::{
        Order,
        axes::{LineState, Stage},
        facts::{BackLine, CancelReason, Means, Packing, ReturnReason, Side},
        placed::{Alteration, NewAmount, WantedLine},
        totals::Totals,
        wish::{Answer, Change, RefusalCode, Said, Wish},
    },
    statement::UnverifiedStatement,
};
use kirana_shop::app::{
    Outcome,
    handing::Handing,
    orders::{Deed, NotDone, Which},
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

/// The reason in a signed refusal.
pub fn refusal(bytes: &[u8]) -> RefusalCode {
    let read = UnverifiedStatement::parse(bytes).expect("well formed");
    match Said::of(read.claimed()).expect("readable") {
        Said::Answer(Answer::Refusal(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

struct Counter {
    shop: Neighbourhood,
    customer: Customer,
    milk: VariantId,
    bread: VariantId,
}

impl Counter {
    /// Three of five milks are ordered; there are two breads.
    fn new() -> Self {
        let shop = Neighbourhood::new();
        let (milk, bread) = (shop.stock(10, 3_000, 5), shop.stock(11, 4_000, 2));
        let customer = Customer::new(&shop, 20);
        let counter = Self { shop, customer, milk, bread };
        let signed = counter.customer.sign(1, counter.customer.wants(&[(milk, 3, 3_000)]));
        let mail = counter.customer.mail(&counter.shop, &counter.customer.parcel(&[&signed]));
        counter.shop.deliver(&mail).expect("it is taken in");
        counter
    }

    fn bread(&self, amount: u64, seen: i64) -> WantedLine {
        self.customer.wants(&[(self.bread, amount, seen)]).lines.remove(0)
    }

    fn asks(&self, alteration: Alteration) -> Result<Order, RefusalCode> {
        let wish = Wish::Change(Change { alteration, head: None, anchors: Vec::new() });
        let signed = self.customer.wish(1, &wish);
        let mail = self.customer.mail(&self.shop, &self.customer.parcel(&[&signed]));
        let delivered = self.shop.deliver(&mail).expect("it is taken in");
        match delivered.outcomes.into_iter().next().expect("an outcome") {
            Outcome::Answered { bytes } => Err(refusal(&bytes)),
            _ => Ok(self.order()),
        }
    }

    fn which(&self) -> Which {
        Which { id: OrderId::new(NOW, [1; 10]), customer: None }
    }

    fn act(&self, deed: Deed) -> Result<Order, NotDone> {
        Ok(self.shop.shop.act(self.which(), deed, NOW, &mut rng(4))?.order)
    }

    fn order(&self) -> Order {
        self.shop.shop.order(self.which()).expect("it is there").order
    }

    fn is_sound(&self) {
        let faults = self.shop.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

fn amounts(amounts: &[(u16, u64)]) -> Alteration {
    let amounts = amounts.iter().map(|(line, amount)| NewAmount { line: *line, amount: *amount });
    Alteration { amounts: amounts.collect(), ..Alteration::default() }
}

#[test]
fn p2_a_change_reserves_what_more_is_wanted_and_frees_what_is_not() {
    let counter = Counter::new();
    let added = vec![counter.bread(2, 4_000)];
    let order = counter.asks(Alteration { added, ..amounts(&[(0, 5)]) }).expect("it is granted");
    assert_eq!(order.lines[0].state, LineState::Reserved { amount: 5 });
    assert_eq!(counter.shop.balance(counter.milk), (5, 5));
    assert_eq!(counter.shop.balance(counter.bread), (2, 2));
    let order = counter.asks(amounts(&[(0, 1), (1, 0)])).expect("it is granted");
    assert!(matches!(order.lines[1].state, LineState::Cancelled { .. }));
    assert_eq!(counter.shop.balance(counter.milk), (5, 1));
    assert_eq!(counter.shop.balance(counter.bread), (2, 0));
    counter.is_sound();
}

#[test]
fn p2_a_change_that_cannot_be_granted_whole_changes_nothing() {
    let counter = Counter::new();
    let too_much = vec![counter.bread(3, 4_000)];
    let too_dear = vec![counter.bread(1, 3_999)];
    for added in [too_much, too_dear] {
        let refused = counter.asks(Alteration { added, ..amounts(&[(0, 4)]) });
        assert_eq!(refused.expect_err("refused"), RefusalCode::CannotGrant);
        assert_eq!(counter.shop.balance(counter.milk), (5, 3));
        assert_eq!(counter.shop.balance(counter.bread), (2, 0));
    }
    let refused = counter.asks(amounts(&[(0, 6)])).expect_err("there are five");
    assert_eq!(refused, RefusalCode::CannotGrant);
    let refused = counter.asks(amounts(&[(7, 1)])).expect_err("there is no such line");
    assert_eq!(refused, RefusalCode::NotNow);
    assert_eq!(counter.order().lines[0].state, LineState::Reserved { amount: 3 });
    counter.is_sound();
}

#[test]
fn what_is_packed_is_changed_no_more_and_an_order_of_nothing_is_called_off() {
    let counter = Counter::new();
    let order = counter.asks(amounts(&[(0, 0)])).expect("it is granted");
    let Stage::Cancelled { by, reason, borne_by, .. } = order.stage else { panic!("{order:?}") };
    let theirs = (Side::Customer, CancelReason::NotWanted, Side::Customer);
    assert_eq!((by, reason, borne_by), theirs, "it is the customer's word");
    assert_eq!(counter.shop.balance(counter.milk), (5, 0));

    let counter = Counter::new();
    counter.act(Deed::Pack(Packing::default())).expect("somebody packs");
    counter.act(Deed::Packed(0, Vec::new())).expect("it is packed");
    let late = counter.asks(amounts(&[(0, 1)])).expect_err("it is packed");
    assert_eq!(late, RefusalCode::TooLate);
}

#[test]
fn a_line_that_the_decision_refused_is_refused_and_not_an_error() {
    let counter = Counter::new();
    // Two breads are there; the third is refused at the decision.
    let signed = counter
        .customer
        .sign(2, counter.customer.wants(&[(counter.milk, 1, 3_000), (counter.bread, 3, 4_000)]));
    let mail = counter.customer.mail(&counter.shop, &counter.customer.parcel(&[&signed]));
    counter.shop.deliver(&mail).expect("it is taken in");
    for amount in [0, 1] {
        let wish = Wish::Change(Change {
            alteration: amounts(&[(1, amount)]),
            head: None,
            anchors: Vec::new(),
        });
        let signed = counter.customer.wish(2, &wish);
        let mail = counter.customer.mail(&counter.shop, &counter.customer.parcel(&[&signed]));
        let delivered = counter.shop.deliver(&mail).expect("it is taken in");
        let [Outcome::Answered { bytes }] = &delivered.outcomes[..] else { panic!("no answer") };
        assert_eq!(refusal(bytes), RefusalCode::NotNow);
    }
}

#[test]
fn an_order_is_completed_when_what_was_not_paid_came_back() {
    let counter = Counter::new();
    let way = [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, Vec::new()),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
        Deed::Pay(Money::new(6_000, rupees()), Means::Cash),
    ];
    for deed in way {
        counter.act(deed).expect("it goes on");
    }
    let back = vec![BackLine { line: 0, amount: 1, sellable: true }];
    let order = counter.act(Deed::TakeBack(back, ReturnReason::Faulty)).expect("one came back");
    assert!(matches!(order.stage, Stage::Completed { .. }), "{:?}", order.stage);
    assert_eq!(counter.shop.shop.documents(counter.which()).expect("they are read").len(), 1);
    counter.is_sound();
}

#[test]
fn p2_what_comes_back_can_be_sold_again_and_its_money_goes_back_once() {
    let counter = Counter::new();
    let sum = Money::new(9_000, rupees());
    let way = [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, Vec::new()),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
        Deed::Pay(sum, Means::Cash),
    ];
    for deed in way {
        counter.act(deed).expect("it goes on");
    }
    assert_eq!(counter.shop.balance(counter.milk), (2, 0));
    let back = |amount, sellable| {
        Deed::TakeBack(vec![BackLine { line: 0, amount, sellable }], ReturnReason::Faulty)
    };
    counter.act(back(1, true)).expect("one came back");
    assert_eq!(counter.shop.balance(counter.milk), (3, 0), "it can be sold again");
    let order = counter.act(back(1, false)).expect("one came back spoilt");
    assert_eq!(counter.shop.balance(counter.milk), (3, 0), "what is spoilt is no stock");
    assert_eq!(Totals::of(&order).expect("it fits").due, Money::new(-6_000, rupees()));
    let more = counter.act(back(2, true));
    assert!(matches!(more, Err(NotDone::Chain(_))), "{more:?}");
    assert_eq!(counter.shop.balance(counter.milk), (3, 0), "nothing was changed");
    let refund = |minor| Deed::Refund(Money::new(minor, rupees()), Means::Cash);
    counter.act(refund(6_000)).expect("the money goes back");
    assert!(counter.act(refund(3_001)).is_err(), "not more than was paid");
    counter.is_sound();
}
