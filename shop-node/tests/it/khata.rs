//! The credit book: nobody passes the limit unsaid, money moves once, and both sides hold the same book.

use kirana_core::{
    envelope::{self, Parcel},
    id::{KhataId, OrderId, VariantId},
    khata::{act::Act, chain::Khata},
    money::Money,
    order::{
        axes::Stage,
        chain::Author,
        facts::{BackLine, CancelReason, DeclineReason, Means, Packing, ReturnReason},
        placed::{Method, Placed},
        wish::{Countersign, Dispute, RefusalCode, Said, Wish},
    },
    quantity::Unit,
    statement::{Party, UnverifiedStatement},
    time::DAY_MS,
};
use kirana_migrations::Fault;
use kirana_shop::app::{
    Delivered, Once, Outcome, Shop,
    counter::SaleLine,
    handing::Handing,
    khata::{KhataView, NewKhata, NotWritten, OnCredit, Writing},
    orders::{Deed, NotDone, OrderView, Which},
    scan::Rung,
};
use proptest::prelude::*;

use crate::{
    changes::refusal,
    neighbour::{Customer, NOW, Neighbourhood, rng, rupees},
};

pub fn money(minor: i64) -> Money {
    Money::new(minor, rupees())
}

/// A shop with packs at ₹30, and a customer whom it trusts with so much.
pub struct Case {
    pub street: Neighbourhood,
    pub milk: VariantId,
    pub asha: Customer,
    pub khata: KhataId,
}

impl Case {
    pub fn new(limit: i64) -> Self {
        let street = Neighbourhood::new();
        let milk = street.stock(10, 3_000, 1_000);
        let asha = Customer::new(&street, 20);
        let khata = open(&street, Some(asha.party), limit).expect("it is opened").row.id;
        Self { street, milk, asha, khata }
    }

    pub fn wants(&self, packs: u64) -> Placed {
        let placed = self.asha.wants(&[(self.milk, packs, 3_000)]);
        Placed { payment: Method::OnKhata, ..placed }
    }

    pub fn order(&self, n: u8, packs: u64) -> OrderView {
        place(&self.street, &self.asha, n, self.wants(packs));
        self.street.shop.order(self.which(n)).expect("it is there")
    }

    pub fn which(&self, n: u8) -> Which {
        Which { id: OrderId::new(NOW, [n; 10]), customer: Some(self.asha.party) }
    }

    pub fn act(&self, n: u8, deed: Deed) -> Result<OrderView, NotDone> {
        self.street.shop.act(self.which(n), deed, NOW, &mut rng(4))
    }

    pub fn hand_over(&self, n: u8) -> OrderView {
        for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
            self.act(n, deed).expect("it goes on");
        }
        self.act(n, Deed::Collected(0, Handing::default())).expect("it is fetched")
    }

    pub fn write(&self, writing: Writing) -> Result<KhataView, NotWritten> {
        write(&self.street.shop, self.khata, writing)
    }

    pub fn view(&self) -> KhataView {
        self.street.shop.khata(self.khata).expect("it holds").view
    }

    /// Balance and what is kept for orders.
    pub fn stands(&self) -> (i64, i64) {
        let view = self.view();
        (view.row.balance, view.held)
    }

    pub fn is_sound(&self) {
        let faults = self.street.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

pub fn open(
    street: &Neighbourhood,
    holder: Option<Party>,
    limit: i64,
) -> Result<KhataView, NotWritten> {
    open_by(street, holder, limit, 8)
}

/// [`open`], with an id drawn otherwise.
pub fn open_by(
    street: &Neighbourhood,
    holder: Option<Party>,
    limit: i64,
    seed: u8,
) -> Result<KhataView, NotWritten> {
    let (name, phone) = ("Asha Canary".to_owned(), "98450 00000".to_owned());
    let new = NewKhata { holder, name, phone, limit: money(limit), opening: money(0) };
    street.shop.open_khata(None, new, None, NOW, &mut rng(seed))
}

pub fn write(shop: &Shop, id: KhataId, writing: Writing) -> Result<KhataView, NotWritten> {
    shop.write_khata(None, (id, writing), None, NOW, &mut rng(9))
}

pub fn charge(minor: i64, beyond: bool) -> Writing {
    Writing::Charge { amount: money(minor), words: "two packs of milk".to_owned(), beyond }
}

pub fn pay(minor: i64) -> Writing {
    Writing::Pay(money(minor), Means::Cash, String::new())
}

pub fn place(street: &Neighbourhood, customer: &Customer, n: u8, placed: Placed) -> Delivered {
    let signed = customer.sign(n, placed);
    let mail = customer.mail(street, &customer.parcel(&[&signed]));
    street.deliver(&mail).expect("it is taken in")
}

pub fn says(street: &Neighbourhood, customer: &Customer, id: KhataId, wish: &Wish) -> Delivered {
    let (order, shop) = (id.as_order(), street.shop.id());
    let signed = wish.sign(order, shop, NOW, [7; 16], &customer.keys.signing);
    let mail = customer.mail(street, &customer.parcel(&[&signed]));
    street.deliver(&mail).expect("it is heard")
}

/// All that waits for a device, opened.
fn mailbox(street: &Neighbourhood, customer: &Customer) -> Vec<Parcel> {
    let mails = street.shop.mail_for(customer.keys.id(), 0, 100, NOW, &mut rng(3));
    let open = |mail: kirana_core::mail::Mail| {
        envelope::open(&mail.sealed, std::slice::from_ref(&customer.keys.sealing)).expect("ours")
    };
    mails.expect("it is sealed").into_iter().map(|(_, mail)| open(mail)).collect()
}

/// The book as it comes to a device.
pub fn copy(street: &Neighbourhood, customer: &Customer) -> Khata {
    let node = street.shop.keys().node.signing.public();
    let mut khata: Option<Khata> = None;
    for statement in mailbox(street, customer).iter().flat_map(|parcel| &parcel.statements) {
        let read = UnverifiedStatement::parse(statement).expect("it parses");
        if !matches!(Said::of(read.claimed()), Ok(Said::Khata(_))) {
            continue;
        }
        let author = Author::node(street.shop.id(), street.shop.generation());
        let entry = read.verify(&node).expect("the shop's");
        match &mut khata {
            None => khata = Some(Khata::begin(entry, author).expect("it begins")),
            Some(khata) => {
                let _ = khata.push(entry, author).expect("it fits");
            }
        }
    }
    khata.expect("it came")
}

#[test]
fn an_order_on_khata_takes_room_is_charged_when_it_is_handed_over_and_paid_at_months_end() {
    let case = Case::new(10_000);
    let view = case.order(1, 3);
    assert!(matches!(view.order.stage, Stage::Accepted { .. }), "{:?}", view.order.stage);
    assert_eq!(case.stands(), (0, 9_000), "it is reserved, not charged");
    let view = case.hand_over(1);
    assert!(matches!(view.order.stage, Stage::Completed { .. }));
    assert_eq!(view.order.payment.label(), "on_khata");
    assert_eq!((view.totals.due, view.totals.on_khata), (money(0), money(9_000)));
    assert_eq!(case.stands(), (9_000, 0));
    case.write(pay(4_000)).expect("a part is paid");
    assert_eq!(case.stands(), (5_000, 0));
    let shop = &case.street.shop;
    let taken = shop.takings(None, None, NOW).expect("it is read");
    let sum = |means: &str| -> i64 {
        taken.means.iter().filter(|((m, _), _)| *m == means).map(|(_, minor)| minor).sum()
    };
    assert_eq!((sum("khata"), sum("cash")), (9_000, 4_000));
    assert_eq!(taken.days.values().sum::<i64>(), 9_000, "bought once, paid later");
    assert_eq!(copy(&case.street, &case.asha).book().balance, money(5_000));
    case.is_sound();
}

#[test]
fn what_has_no_room_is_declined_by_name_and_reserves_nothing() {
    let case = Case::new(8_999);
    let view = case.order(1, 3);
    let limit = Stage::Declined { at: NOW, reason: DeclineReason::KhataLimit };
    assert_eq!(view.order.stage, limit);
    assert_eq!(case.stands(), (0, 0));
    assert_eq!(case.street.balance(case.milk), (1_000, 0));
    let stranger = Customer::new(&case.street, 21);
    let wanted = Placed { payment: Method::OnKhata, ..stranger.wants(&[(case.milk, 1, 3_000)]) };
    place(&case.street, &stranger, 2, wanted);
    let which = Which { id: OrderId::new(NOW, [2; 10]), customer: None };
    let none = Stage::Declined { at: NOW, reason: DeclineReason::NoKhata };
    assert_eq!(case.street.shop.order(which).expect("it is there").order.stage, none);
    case.is_sound();
}

#[test]
fn two_orders_never_take_the_same_room() {
    let case = Case::new(10_000);
    assert!(matches!(case.order(1, 3).order.stage, Stage::Accepted { .. }));
    let second = case.order(2, 1).order.stage;
    assert_eq!(second, Stage::Declined { at: NOW, reason: DeclineReason::KhataLimit });
    // What is called off leaves its room to the next.
    case.act(1, Deed::Cancel(CancelReason::ByShop)).expect("it is called off");
    assert_eq!(case.stands(), (0, 0));
    assert!(matches!(case.order(3, 3).order.stage, Stage::Accepted { .. }));
    case.is_sound();
}

#[test]
fn sixty_four_at_once_stop_at_the_limit() {
    let case = Case::new(30_000);
    std::thread::scope(|scope| {
        for n in 0..64_u8 {
            let case = &case;
            scope.spawn(move || match n % 2 {
                0 => {
                    place(&case.street, &case.asha, n, case.wants(1));
                }
                _ => {
                    let _ = case.write(charge(3_000, false));
                }
            });
        }
    });
    let (balance, held) = case.stands();
    assert_eq!(balance + held, 30_000, "all of the room and no more");
    case.is_sound();
}

#[test]
fn the_owners_word_passes_the_limit_and_is_written_down() {
    let case = Case::new(5_000);
    let refused = case.write(charge(5_001, false));
    assert!(matches!(refused, Err(NotWritten::Misstep(_))), "{refused:?}");
    let over = case.write(charge(5_001, true)).expect("the owner says so");
    assert!(over.is_over());
    let book = case.street.shop.khata(case.khata).expect("it holds");
    let Act::Charged(charged) = &book.entries[1].shown.act else { panic!("a charge") };
    assert!(charged.beyond);
    assert_eq!(book.entries[1].words.as_deref(), Some("two packs of milk"));
    let due = case.street.shop.khata_dues(30, "en".parse().expect("English"), NOW);
    assert_eq!(due.expect("it is read").len(), 1, "who is over the limit is reminded");
    case.is_sound();
}

#[test]
fn what_comes_back_is_taken_off_the_book() {
    let case = Case::new(10_000);
    case.order(1, 3);
    case.hand_over(1);
    let back = vec![BackLine { line: 0, amount: 1, sellable: true }];
    let view = case.act(1, Deed::TakeBack(back, ReturnReason::Faulty)).expect("it is taken back");
    assert_eq!(case.stands(), (6_000, 0));
    assert_eq!(view.totals.due, money(0));
    let more = case.act(1, Deed::Refund(money(6_001), Means::Khata));
    assert!(matches!(more, Err(NotDone::Chain(_))), "{more:?}");
    let cash = case.act(1, Deed::Refund(money(1), Means::Cash));
    assert!(cash.is_err(), "nothing was paid in the hand");
    case.is_sound();
}

#[test]
fn what_comes_back_after_all_was_paid_is_owed_by_the_shop_and_paid_out() {
    let case = Case::new(10_000);
    case.order(1, 3);
    case.hand_over(1);
    case.write(pay(9_000)).expect("it is paid");
    let back = vec![BackLine { line: 0, amount: 2, sellable: false }];
    case.act(1, Deed::TakeBack(back, ReturnReason::Faulty)).expect("it is taken back");
    assert_eq!(case.stands(), (-6_000, 0));
    let close = case.write(Writing::Close);
    assert!(matches!(close, Err(NotWritten::Misstep(_))), "{close:?}");
    let out = |minor| Writing::PayOut(money(minor), Means::Cash, String::new());
    assert!(case.write(out(6_001)).is_err());
    case.write(out(6_000)).expect("it goes back");
    case.write(Writing::Close).expect("nothing is owed");
    case.is_sound();
}

#[test]
fn staff_put_an_order_that_was_to_be_paid_on_delivery_into_the_book() {
    let case = Case::new(5_000);
    place(&case.street, &case.asha, 1, case.asha.wants(&[(case.milk, 2, 3_000)]));
    case.hand_over(1);
    let put = |amount: Option<i64>, beyond| {
        let amount = amount.map(money);
        case.act(1, Deed::OnKhata(OnCredit { khata: None, amount, beyond }))
    };
    let refused = put(None, false);
    assert!(matches!(refused, Err(NotDone::Khata(NotWritten::Misstep(_)))), "{refused:?}");
    let view = put(Some(4_000), false).expect("a part of it");
    assert_eq!(view.totals.due, money(2_000));
    let view = case.act(1, Deed::Pay(money(2_000), Means::Cash)).expect("the rest is paid");
    assert!(matches!(view.order.stage, Stage::Completed { .. }));
    assert_eq!(case.stands(), (4_000, 0));
    assert!(put(None, true).is_err(), "nothing is due any more");
    case.is_sound();
}

#[test]
fn a_counter_sale_goes_into_a_book_with_its_goods_or_not_at_all() {
    let case = Case::new(5_000);
    let sell = |packs: u64, beyond| {
        let (unit, batch) = (Unit::Piece, None);
        let line = SaleLine { variant: case.milk, amount: packs, unit, batch };
        let by = case.street.shop.keys().node.id();
        let what = (vec![Rung::Chosen(line)], case.khata, beyond);
        let once = Once::new(by, &format!("sale of {packs}"));
        case.street.shop.ring_up_on_khata(once, what, by, NOW, &mut rng(5))
    };
    assert!(sell(2, false).is_err());
    assert_eq!(case.street.balance(case.milk), (1_000, 0), "the goods stay");
    for _ in 0..2 {
        sell(1, false).expect("it is sold once");
    }
    assert_eq!(case.street.balance(case.milk), (999, 0));
    assert_eq!(case.stands(), (3_000, 0));
    case.is_sound();
}

#[test]
fn p1_a_payment_that_comes_twice_is_in_book_and_till_once() {
    let case = Case::new(10_000);
    case.write(charge(9_000, false)).expect("it fits");
    let once = || Once::new(case.street.shop.keys().node.id(), "payment of monday");
    for _ in 0..3 {
        let what = (case.khata, pay(2_000));
        let paid = case.street.shop.write_khata(once(), what, None, NOW, &mut rng(9));
        assert_eq!(paid.expect("it is paid").row.balance, 7_000);
    }
    let other = (case.khata, pay(2_001));
    let other = case.street.shop.write_khata(once(), other, None, NOW, &mut rng(9));
    assert!(matches!(other, Err(NotWritten::KeyReused)), "{other:?}");
    assert_eq!(case.street.shop.takings(None, None, NOW).expect("read").rows.len(), 1);
    case.is_sound();
}

#[test]
fn p7_a_crash_around_the_charge_leaves_the_order_and_the_book_of_one_mind() {
    for fault in [Fault::CrashBeforeCommit(0), Fault::CrashAfterCommit(0)] {
        let mut case = Case::new(10_000);
        case.order(1, 3);
        for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
            case.act(1, deed).expect("it goes on");
        }
        case.street.shop.database().writer.inject(Some(fault));
        let lost = case.act(1, Deed::Collected(0, Handing::default()));
        assert!(matches!(lost, Err(NotDone::NotStored(_))), "{lost:?}");
        let (database, keys) =
            (case.street.shop.database().restart(), case.street.shop.keys().clone());
        case.street.shop = Shop::open(database, keys).expect("it opens again");
        let is_kept = fault == Fault::CrashAfterCommit(0);
        assert_eq!(case.stands(), if is_kept { (9_000, 0) } else { (0, 9_000) });
        case.is_sound();
        let again = case.act(1, Deed::Collected(0, Handing::default()));
        assert_eq!(again.is_err(), is_kept, "what was done is not done again");
        assert_eq!(case.stands(), (9_000, 0));
        case.is_sound();
    }
}

#[test]
fn the_customer_countersigns_what_it_has_and_nothing_else() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    place(&case.street, &case.asha, 1, case.asha.wants(&[(case.milk, 1, 3_000)]));
    let copy_of = || copy(&case.street, &case.asha);
    let (head, balance) = (copy_of().head(), money(700));
    let answer = |wish: Wish| {
        let delivered = says(&case.street, &case.asha, case.khata, &wish);
        match &delivered.outcomes[..] {
            [Outcome::Khata { .. }] => None,
            [Outcome::Answered { bytes }] => Some(refusal(bytes)),
            other => panic!("{other:?}"),
        }
    };
    let wrong = Countersign { head, balance: money(699) };
    assert_eq!(answer(Wish::Countersign(wrong)), Some(RefusalCode::KhataDiffers));
    let right = Countersign { head, balance };
    assert_eq!(answer(Wish::Countersign(right)), None);
    assert_eq!(answer(Wish::Countersign(right)), None, "the same again is the same");
    let signed = case.view().row.signed;
    assert_eq!(signed, Some((NOW, head, 700)));
    let entries = case.street.shop.khata(case.khata).expect("it holds").entries;
    assert_eq!(entries.last().expect("an entry").shown.kind, "countersigned");
    assert_eq!(entries.len(), 3, "one entry for the two of them");
    let other = Customer::new(&case.street, 21);
    let delivered = says(&case.street, &other, case.khata, &Wish::Countersign(right));
    let [Outcome::Answered { bytes }] = &delivered.outcomes[..] else { panic!("no answer") };
    assert_eq!(refusal(bytes), RefusalCode::NoKhata, "somebody else's book is not theirs");
    let dispute = Dispute { head: copy_of().head(), message: None };
    assert_eq!(answer(Wish::Dispute(dispute)), Some(RefusalCode::NotNow).filter(|_| false));
    assert!(case.view().row.disputed_at.is_some());
    case.is_sound();
}

#[test]
fn a_customer_that_asks_for_more_than_has_room_is_refused_and_keeps_what_it_had() {
    use kirana_core::order::{
        placed::{Alteration, NewAmount},
        wish::Change,
    };
    let case = Case::new(10_000);
    case.order(1, 2);
    let change = |amount| {
        let amounts = vec![NewAmount { line: 0, amount }];
        let alteration = Alteration { amounts, ..Alteration::default() };
        let wish = Wish::Change(Change { alteration, head: None, anchors: Vec::new() });
        let signed = case.asha.wish(1, &wish);
        let mail = case.asha.mail(&case.street, &case.asha.parcel(&[&signed]));
        case.street.deliver(&mail).expect("it is heard")
    };
    let refused = change(4);
    let [Outcome::Answered { bytes }] = &refused.outcomes[..] else { panic!("no answer") };
    assert_eq!(refusal(bytes), RefusalCode::KhataLimit);
    assert_eq!(case.stands(), (0, 6_000));
    assert_eq!(case.street.balance(case.milk), (1_000, 2));
    case.is_sound();
}

#[test]
fn a_limit_that_is_lowered_later_keeps_what_was_promised() {
    let case = Case::new(10_000);
    case.order(1, 3);
    case.write(Writing::Limit(money(100))).expect("the owner may");
    assert!(case.write(charge(1, false)).is_err());
    assert!(matches!(case.write(Writing::Close), Err(NotWritten::StillHeld(_))));
    let view = case.hand_over(1);
    assert!(matches!(view.order.stage, Stage::Completed { .. }));
    assert!(case.view().is_over());
    case.is_sound();
}

#[test]
fn who_owes_for_long_is_reminded_in_their_language_and_it_is_written_down() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    let (shop, later) = (&case.street.shop, NOW.plus_ms(6 * DAY_MS));
    let hindi = || "hi".parse().expect("Hindi");
    assert!(shop.khata_dues(30, hindi(), later).expect("read").is_empty());
    let due = shop.khata_dues(5, hindi(), later).expect("read");
    assert!(due[0].says.contains("नमस्ते Asha Canary") && due[0].says.contains("₹7.00"));
    assert!(due[0].by_device);
    case.write(Writing::Remind(due[0].says.clone())).expect("it is sent");
    assert_eq!(case.view().row.reminded_at, Some(NOW));
    case.is_sound();
}

#[test]
fn a_statement_brings_forward_what_was_before() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    let later = NOW.plus_ms(2 * DAY_MS);
    let what = (case.khata, charge(300, false));
    case.street.shop.write_khata(None, what, None, later, &mut rng(9)).expect("it fits");
    let day = case.street.shop.day_of(later);
    let english = "en".parse().expect("English");
    let statement = case.street.shop.khata_statement(case.khata, (Some(day), Some(day)), english);
    let statement = statement.expect("it is made");
    let rows: Vec<_> = statement.rows.iter().map(|row| (row.more, row.balance)).collect();
    assert_eq!(rows, [(None, money(700)), (Some(money(300)), money(1_000))]);
    let file = case.street.shop.khata_file(case.khata, (None, None)).expect("it is made");
    let file = String::from_utf8(file).expect("text");
    assert_eq!(file.lines().count(), 4, "{file}");
    assert!(file.contains("two packs of milk,7.00,,7.00,INR"), "{file}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_happens_orders_book_and_till_say_the_same_sums(
        steps in proptest::collection::vec((0_u8..9, 1_u8..6, 1_i64..9_000), 1..24),
    ) {
        let case = Case::new(25_000);
        for (what, n, minor) in steps {
            let packs = u64::from(n % 3) + 1;
            match what {
                0 => { place(&case.street, &case.asha, n, case.wants(packs)); }
                1 => {
                    let way = [
                        Deed::Pack(Packing::default()),
                        Deed::Packed(0, vec![]),
                        Deed::Ready(0),
                        Deed::Collected(0, Handing::default()),
                    ];
                    for deed in way {
                        let _ = case.act(n, deed);
                    }
                }
                2 => { let _ = case.write(charge(minor, false)); }
                3 => { let _ = case.write(pay(minor)); }
                4 => { let _ = case.act(n, Deed::Cancel(CancelReason::ByShop)); }
                5 => {
                    let back = vec![BackLine { line: 0, amount: 1, sellable: true }];
                    let _ = case.act(n, Deed::TakeBack(back, ReturnReason::Faulty));
                }
                6 => { let _ = case.act(n, Deed::Pay(money(minor), Means::Cash)); }
                7 => {
                    let (khata, amount) = (None, Some(money(minor)));
                    let _ = case.act(n, Deed::OnKhata(OnCredit { khata, amount, beyond: false }));
                }
                _ => { let _ = case.act(n, Deed::Refund(money(minor), Means::Khata)); }
            }
            let (balance, held) = case.stands();
            prop_assert!(balance + held <= 25_000, "{balance} and {held}");
        }
        let book = case.street.shop.khata(case.khata).expect("it holds");
        let mut owed = 0;
        for n in 1..6 {
            if let Ok(view) = case.street.shop.order(case.which(n)) {
                owed += view.totals.on_khata.minor;
            }
        }
        let by_hand: i64 = book.entries.iter().map(|entry| match &entry.shown.act {
            Act::Charged(c) if c.of.is_none() => c.amount.minor,
            Act::Paid(p) => -p.amount.minor,
            _ => 0,
        }).sum();
        prop_assert_eq!(book.view.row.balance, owed + by_hand);
        let faults = case.street.shop.verify().expect("it is read").faults;
        prop_assert_eq!(faults, Vec::<String>::new());
    }
}
