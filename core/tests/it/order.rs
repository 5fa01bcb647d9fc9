//! An order from its placing to its end, and what must never happen to it on the way.

mod aftermath;
mod bodies;
mod cards;
mod chains;
mod changes;
mod decisions;
mod merges;
mod steps;
mod substitution;

use kirana_core::{
    hash::Hash,
    id::{AccountId, KhataId, OrderId, ProductId, ShopId, VariantId},
    key::SigningKey,
    money::{Currency, Money, Price},
    order::{
        chain::{Author, Chain},
        entry::Body,
        facts::{
            Accepted, Adopted, Answered, Authorised, BackLine, CancelReason, Cancelled, Captured,
            CardAsked, CardFailed, CardFailure, Changed, ComplaintAnswered, ComplaintFollowed,
            ComplaintOpened, ComplaintSettled, Completed, DeclineReason, Declined, DeliveryFailed,
            Expired, FailReason, GivenBack, GrantedLine, Grievance, HandedOver, LineRefusal, Means,
            OfGroup, OnKhata, Packed, Packing, Paid, Proof, Question, Received, Refunded,
            RefusedLine, Remedy, Replacement, ReturnReason, Settlement, ShortLine, Shortage, Side,
            Substitute, Substituted, VoidReason, Voided, WeighedLine, Withdrawn,
        },
        placed::{Handover, Method, Placed, WantedLine},
    },
    quantity::{Quantity, Unit},
    statement::{Party, SignedStatement},
    time::UnixMs,
};

pub fn rupees(minor: i64) -> Money {
    Money::new(minor, Currency::INR)
}

pub fn price(minor: i64, per: u64) -> Price {
    Price { minor, per, currency: Currency::INR }
}

pub fn shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [7; 10])
}

pub fn order_id() -> OrderId {
    OrderId::new(UnixMs::new(1), [5; 10])
}

pub fn customer() -> Party {
    Party::Account(AccountId::new(UnixMs::new(1), [6; 10]))
}

pub fn variant(n: u8) -> VariantId {
    VariantId::new(UnixMs::new(1), [n; 10])
}

pub fn customer_key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

/// The key of the shop's box of a generation.
pub fn node_key(generation: u64) -> SigningKey {
    SigningKey::from_seed([10 + generation as u8; 32])
}

pub fn at(minute: u64) -> UnixMs {
    UnixMs::new(1_000_000 + minute * 60_000)
}

pub fn wanted(n: u8, amount: u64, unit: Unit, seen: Price) -> WantedLine {
    let product = ProductId::new(UnixMs::new(1), [n; 10]);
    let quantity = Quantity::new(amount, unit).expect("a quantity");
    WantedLine::new(product, variant(n), quantity, seen)
}

/// Two packs of milk at 29.50, and 500 g of onions at 45.00 a kilo, 10 percent more or less.
pub fn placed() -> Placed {
    let milk = wanted(1, 2, Unit::Piece, price(2_950, 1));
    let onions = wanted(2, 500, Unit::Gram, price(4_500, 1_000));
    Placed {
        customer: customer(),
        currency: Currency::INR,
        lines: vec![milk, WantedLine { tolerance_bp: 1_000, ..onions }],
        handover: Handover::Delivery { slot: None },
        payment: Method::OnDelivery,
        partial_ok: false,
        personal: None,
        anchors: vec![],
        generation: 1,
        fee: None,
        of_age: None,
    }
}

pub fn sign(placed: Placed) -> SignedStatement {
    let signed = placed.sign(order_id(), shop(), at(0), at(60), &customer_key());
    signed.expect("an order that can be")
}

pub fn begin(placed: Placed) -> Chain {
    Chain::begin(sign(placed), Author::customer(customer())).expect("a first entry")
}

/// Adds entries of the shop's first box.
pub fn follow(chain: &mut Chain, bodies: &[Body]) {
    for body in bodies {
        let minute = chain.len() as u64;
        chain.append(1, at(minute), body, &node_key(1)).expect("it fits");
    }
}

pub fn ledger() -> Hash {
    Hash::of(b"the shop's ledger")
}

pub fn granted(line: u16, granted: u64, price: Price) -> GrantedLine {
    GrantedLine { line, granted, price, tax_bp: 500 }
}

pub fn accepted() -> Body {
    let lines = vec![granted(0, 2, price(2_950, 1)), granted(1, 500, price(4_500, 1_000))];
    Body::Accepted(Accepted { lines, refused: vec![], ledger: ledger(), fee: None })
}

pub fn paid(minor: i64) -> Body {
    Body::Paid(Paid { amount: rupees(minor), means: Means::Cash })
}

pub fn refunded(minor: i64) -> Body {
    Body::Refunded(Refunded { amount: rupees(minor), means: Means::Cash })
}

pub fn on_khata(minor: i64) -> Body {
    let khata = KhataId::new(UnixMs::new(1), [8; 10]);
    Body::OnKhata(OnKhata { khata, amount: rupees(minor) })
}

/// An attempt to have so much held on a card.
pub fn card_asked(attempt: u8, minor: i64) -> CardAsked {
    CardAsked {
        attempt,
        amount: rupees(minor),
        intent: format!("pi_{attempt}"),
        secret: format!("pi_{attempt}_secret_7"),
        publishable: "pk_test_1".to_owned(),
        page: None,
    }
}

pub fn authorised(attempt: u8, minor: i64) -> Body {
    let (intent, amount) = (format!("pi_{attempt}"), rupees(minor));
    Body::Authorised(Authorised { intent, amount, until: at(7 * 24 * 60) })
}

pub fn captured(attempt: u8, minor: i64) -> Body {
    Body::Captured(Captured { intent: format!("pi_{attempt}"), amount: rupees(minor) })
}

pub fn voided(why: VoidReason) -> Body {
    Body::Voided(Voided { why })
}

pub fn card_failed(attempt: u8) -> Body {
    Body::CardFailed(CardFailed { attempt, why: CardFailure::Declined })
}

pub fn packed(weighed: &[(u16, u64)]) -> Body {
    let weighed = weighed.iter().map(|(line, amount)| WeighedLine { line: *line, amount: *amount });
    Body::Packed(Packed { group: 0, weighed: weighed.collect() })
}

pub fn shortage(line: u16, granted: u64) -> Body {
    let lines = vec![ShortLine { line, granted }];
    Body::Shortage(Shortage { lines, ledger: ledger() })
}

/// Packs of another milk in the place of a line.
pub fn instead(line: u16, packs: u64, minor: i64) -> Replacement {
    let product = ProductId::new(UnixMs::new(1), [7; 10]);
    let quantity = Quantity::new(packs, Unit::Piece).expect("a quantity");
    let substitute = Substitute { product, variant: variant(7), quantity };
    Replacement { line, substitute, price: price(minor, 1), tax_bp: 500 }
}

/// Whether two packs of another milk may come, for more than was agreed to.
pub fn question(deadline: UnixMs) -> Body {
    let proposals = vec![instead(0, 2, 3_100)];
    Body::Question(Question { group: 0, proposals, deadline, ledger: ledger() })
}

pub fn given_back(line: u16, amount: u64) -> Body {
    let lines = vec![BackLine { line, amount, sellable: true }];
    Body::GivenBack(GivenBack { lines, reason: ReturnReason::Faulty, ledger: ledger() })
}

pub fn offer() -> Settlement {
    Settlement { remedy: Remedy::Refund, amount: Some(rupees(2_250)) }
}

pub fn followed() -> ComplaintFollowed {
    let request = Hash::of(b"a request");
    ComplaintFollowed { request, message: None, answer_by: at(120), photo: None }
}

/// One body of each kind that is written today, each as it would be in its place.
pub fn bodies() -> Vec<Body> {
    let group = OfGroup::default();
    let request = Hash::of(b"a request");
    vec![
        Body::Placed(placed()),
        Body::Received(Received { ledger: Some(ledger()) }),
        accepted(),
        Body::Declined(Declined { reason: DeclineReason::Closed, lines: vec![] }),
        Body::Withdrawn(Withdrawn { request }),
        Body::Expired(Expired {}),
        Body::Cancelled(Cancelled {
            by: Side::Customer,
            reason: CancelReason::NotWanted,
            borne_by: Side::Shop,
            request: Some(request),
        }),
        Body::Completed(Completed {}),
        Body::Packing(Packing::default()),
        packed(&[(1, 510)]),
        Body::ReadyForPickup(group),
        Body::Collected(HandedOver { group: 0, proof: Some(Proof::Code) }),
        Body::OutForDelivery(group),
        Body::Delivered(HandedOver { group: 0, proof: Some(Proof::Neighbour) }),
        Body::DeliveryFailed(DeliveryFailed { group: 0, reason: FailReason::NobodyThere }),
        Body::ReturnedToShop(group),
        paid(8_150),
        refunded(100),
        on_khata(8_150),
        Body::CardAsked(card_asked(1, 8_375)),
        authorised(1, 8_375),
        captured(1, 8_150),
        voided(VoidReason::Expired),
        card_failed(1),
        shortage(1, 0),
        Body::Adopted(Adopted { ledger: ledger() }),
        Body::Changed(Changed {
            lines: vec![],
            refused: vec![RefusedLine { line: 1, why: LineRefusal::LeftOut }],
            request: None,
            ledger: ledger(),
            asked: None,
            fee: None,
        }),
        question(at(60)),
        Body::Answered(Answered {
            group: 0,
            taken: vec![0],
            request: Some(request),
            ledger: ledger(),
        }),
        Body::Substituted(Substituted { lines: vec![instead(0, 2, 2_900)], ledger: ledger() }),
        given_back(0, 1),
        Body::ComplaintOpened(ComplaintOpened {
            request,
            about: Grievance::Faulty,
            lines: vec![1],
            message: Some(Hash::of(b"words")),
            answer_by: at(120),
            photo: None,
        }),
        Body::ComplaintContinued(followed()),
        Body::ComplaintAnswered(ComplaintAnswered { message: None, offer: Some(offer()) }),
        Body::ComplaintSettled(ComplaintSettled {
            settlement: offer(),
            by: Side::Shop,
            request: None,
            message: None,
        }),
        Body::ComplaintEscalated(followed()),
    ]
}

/// The body of a kind, by its word.
pub fn body(label: &str) -> Body {
    bodies().into_iter().find(|body| body.label() == label).expect("a kind")
}
