//! Complaints: the words are read by both sides, and erased with the person.

use kirana_core::{
    envelope::{self, PersonalPart},
    id::OrderId,
    money::Money,
    order::{
        axes::Complaint,
        facts::{Grievance, Means, Packing, Remedy, Settlement, Side},
        wish::{Complain, ComplaintStep, RefusalCode, Wish},
    },
    time::DAY_MS,
};
use kirana_migrations::{Abort, Tx};
use kirana_shop::{
    app::{
        Delivered, Outcome,
        handing::Handing,
        orders::{Deed, NotDone, OrderView, Which},
    },
    store::people,
};

use crate::{
    changes::refusal,
    neighbour::{Customer, NOW, Neighbourhood, rng, rupees},
};

struct Case {
    shop: Neighbourhood,
    customer: Customer,
}

impl Case {
    /// An order that was fetched and paid.
    fn new() -> Self {
        let shop = Neighbourhood::new();
        let milk = shop.stock(10, 3_000, 5);
        let customer = Customer::new(&shop, 20);
        let case = Self { shop, customer };
        let signed = case.customer.sign(1, case.customer.wants(&[(milk, 3, 3_000)]));
        let mail = case.customer.mail(&case.shop, &case.customer.parcel(&[&signed]));
        case.shop.deliver(&mail).expect("it is taken in");
        let way = [
            Deed::Pack(Packing::default()),
            Deed::Packed(0, Vec::new()),
            Deed::Ready(0),
            Deed::Collected(0, Handing::default()),
            Deed::Pay(Money::new(9_000, rupees()), Means::Cash),
        ];
        for deed in way {
            case.act(deed).expect("it goes on");
        }
        case
    }

    fn which() -> Which {
        Which { id: OrderId::new(NOW, [1; 10]), customer: None }
    }

    fn act(&self, deed: Deed) -> Result<OrderView, NotDone> {
        self.shop.shop.act(Self::which(), deed, NOW, &mut rng(4))
    }

    fn complaint(&self) -> Complaint {
        self.shop.shop.order(Self::which()).expect("it is there").order.complaint
    }

    fn says(&self, step: ComplaintStep, words: &str, goes_along: bool) -> Delivered {
        self.shows(step, words, goes_along, None)
    }

    fn shows(
        &self,
        step: ComplaintStep,
        words: &str,
        goes_along: bool,
        photo: Option<&PersonalPart>,
    ) -> Delivered {
        let part = PersonalPart::new(words.as_bytes().to_vec(), &mut rng(6));
        let wish = Wish::Complain(Complain {
            step,
            about: Grievance::Faulty,
            lines: vec![0],
            message: (!words.is_empty()).then(|| part.hash()),
            head: None,
            anchors: Vec::new(),
            photo: photo.map(PersonalPart::hash),
        });
        let signed = self.customer.wish(1, &wish);
        let mut parcel = self.customer.parcel(&[&signed]);
        parcel.personal.extend(Some(part).filter(|_| goes_along && !words.is_empty()));
        parcel.personal.extend(photo.filter(|_| goes_along).cloned());
        let mail = self.customer.mail(&self.shop, &parcel);
        self.shop.deliver(&mail).expect("it is taken in")
    }

    fn written(&self) -> Vec<(Side, Option<String>)> {
        let messages = self.shop.shop.messages(Self::which()).expect("they are read");
        messages.into_iter().map(|message| (message.by, message.says)).collect()
    }
}

fn refund(minor: i64) -> Settlement {
    Settlement { remedy: Remedy::Refund, amount: Some(Money::new(minor, rupees())) }
}

#[test]
fn a_complaint_is_heard_answered_and_settled_and_both_sides_read_the_words() {
    let case = Case::new();
    case.says(ComplaintStep::Open, "the milk is sour", true);
    let (since, answer_by) = (NOW, NOW.plus_ms(3 * DAY_MS));
    let open = Complaint::Open { since, about: Grievance::Faulty, answer_by };
    assert_eq!(case.complaint(), open);
    let (says, offer) = (Some("sorry: half of it back".to_owned()), Some(refund(4_500)));
    case.act(Deed::AnswerComplaint { says, offer }).expect("the shop answers");
    let sour = (Side::Customer, Some("the milk is sour".to_owned()));
    let sorry = (Side::Shop, Some("sorry: half of it back".to_owned()));
    assert_eq!(case.written(), [sour, sorry]);

    // The shop's words travel beside its entries, with what they are named by.
    let delivered = case.says(ComplaintStep::Accept, "", false);
    let reply = delivered.reply.expect("a reply");
    let parcel = envelope::open(&reply.sealed, std::slice::from_ref(&case.customer.keys.sealing));
    let words: Vec<_> = parcel.expect("ours").personal.into_iter().map(|p| p.bytes).collect();
    assert_eq!(words, [&b"sorry: half of it back"[..], b"the milk is sour"], "the newest first");
    let settled = Complaint::Settled { at: NOW, settlement: refund(4_500), by: Side::Customer };
    assert_eq!(case.complaint(), settled);
    let view = case.act(Deed::Refund(Money::new(4_500, rupees()), Means::Cash)).expect("paid back");
    assert_eq!(view.totals.due, Money::zero(rupees()), "half of it is off the sum");
    let gross: i64 = view.totals.taxes.iter().map(|rate| rate.gross.minor).sum();
    assert_eq!(gross, view.totals.sum.minor);
}

#[test]
fn p4_a_photo_comes_with_the_words_is_looked_at_by_its_name_and_erased_with_the_person() {
    let case = Case::new();
    let photo = |bytes: &[u8]| PersonalPart::new(bytes.to_vec(), &mut rng(8));
    let jpeg = photo(&[&[0xFF, 0xD8, 0xFF, 0xE0][..], &[7; 60_000]].concat());
    let seen = |hash| case.shop.shop.photo(Case::which(), hash).expect("read");
    let script = photo(b"<script>alert(1)</script>");
    let delivered = case.shows(ComplaintStep::Open, "look", true, Some(&script));
    let [Outcome::Answered { bytes }] = &delivered.outcomes[..] else { panic!("no answer") };
    assert_eq!(refusal(bytes), RefusalCode::NoMessage);
    let missing = case.shows(ComplaintStep::Open, "look", false, Some(&jpeg));
    assert!(matches!(&missing.outcomes[..], [Outcome::Answered { .. }]));
    assert_eq!((case.complaint(), seen(jpeg.hash())), (Complaint::None, None));

    let delivered = case.shows(ComplaintStep::Open, "the milk is sour", true, Some(&jpeg));
    assert_eq!(seen(jpeg.hash()).as_deref(), Some(&jpeg.bytes[..]));
    assert_eq!(seen(script.hash()), None, "only what the order names");
    let messages = case.shop.shop.messages(Case::which()).expect("read");
    assert_eq!(messages[0].photo, Some(jpeg.hash()));
    let reply = delivered.reply.expect("a reply");
    let parcel = envelope::open(&reply.sealed, std::slice::from_ref(&case.customer.keys.sealing));
    let back = parcel.expect("ours").personal;
    assert!(back.iter().all(|part| part.bytes.len() < 100), "photos do not travel back");

    let party = case.customer.party;
    let erase = move |tx: &Tx<'_>| -> Result<(), Abort<()>> { Ok(people::erase(tx, &party)?) };
    case.shop.shop.database().writer.write(erase).expect("it is erased");
    assert_eq!(seen(jpeg.hash()), None);
    assert_eq!(case.shop.shop.verify().expect("read").faults, Vec::<String>::new());
}

#[test]
fn words_that_did_not_come_along_are_asked_for_again() {
    let case = Case::new();
    let delivered = case.says(ComplaintStep::Open, "the milk is sour", false);
    let [Outcome::Answered { bytes }] = &delivered.outcomes[..] else { panic!("no answer") };
    assert_eq!(refusal(bytes), RefusalCode::NoMessage);
    assert_eq!(case.complaint(), Complaint::None);
}

#[test]
fn nobody_accepts_an_offer_that_was_not_made_or_goes_to_the_hub_too_early() {
    let case = Case::new();
    for step in [ComplaintStep::Accept, ComplaintStep::More, ComplaintStep::Escalate] {
        let delivered = case.says(step, "", false);
        let [Outcome::Answered { bytes }] = &delivered.outcomes[..] else { panic!("no answer") };
        assert_eq!(refusal(bytes), RefusalCode::NotNow, "{step:?}");
    }
    let answer = case.act(Deed::AnswerComplaint { says: None, offer: None });
    assert!(matches!(answer, Err(NotDone::Chain(_))), "nobody complained");
    let long = Deed::AnswerComplaint { says: Some("x".repeat(2_001)), offer: None };
    assert!(matches!(case.act(long), Err(NotDone::MessageTooLong)));
}

#[test]
fn p4_the_words_are_erased_with_the_person_and_the_order_still_verifies() {
    let case = Case::new();
    case.says(ComplaintStep::Open, "I live at 14 Second Cross Street", true);
    let party = case.customer.party;
    let erase = move |tx: &Tx<'_>| -> Result<(), Abort<()>> { Ok(people::erase(tx, &party)?) };
    case.shop.shop.database().writer.write(erase).expect("it is erased");
    assert_eq!(case.written(), [(Side::Customer, None)]);
    let faults = case.shop.shop.verify().expect("it is read").faults;
    assert_eq!(faults, Vec::<String>::new());
}
