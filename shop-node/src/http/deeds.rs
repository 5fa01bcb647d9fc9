//! What the shop's people do with an order, one path segment for each deed.

use axum::extract::State;
use kirana_core::{
    id::VariantId,
    money::Money,
    order::facts::{
        BackLine, CancelReason, DeclineReason, FailReason, Means, PROPOSALS_MAX, Packing, Proof,
        Remedy, ReturnReason, Settlement, WeighedLine,
    },
    policy::Action,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Repeatable},
    now,
    orders::{may, shown, which},
    problem::Problem,
};
use crate::{
    app::{
        handing::Handing,
        orders::Deed,
        packing::{ANSWER_MINUTES, Swap},
    },
    clock,
};

/// What belongs to the deed; what a deed does not need is left out.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    /// The group of lines, 0 unless the order was split.
    group: u8,
    /// The lines that go into the group, by their index.
    lines: Vec<u16>,
    /// What was weighed.
    weighed: Vec<Weighed>,
    /// Why, by its label, such as `nobody_there`.
    reason: Option<String>,
    /// How much money.
    #[schema(value_type = Option<Object>)]
    amount: Option<Money>,
    /// In what form: `cash`, `upi` or `card`; a refund also on `khata`, where the order stands there.
    means: Option<String>,
    /// What comes, or could come, in the place of lines.
    swaps: Vec<Swapped>,
    /// How long the customer has to answer a question, in minutes; 30 unless given.
    #[schema(minimum = 1, maximum = 2880)]
    minutes: Option<u32>,
    /// How much of a line was found on the shelf, in base units.
    found: Option<u64>,
    /// What the customer brings back.
    back: Vec<Back>,
    /// The shop's words, for a complaint.
    #[schema(max_length = 2000)]
    message: Option<String>,
    /// What the shop offers, or how a complaint ends: `cleared_up`, `refund`, `replacement` or
    /// `rejected`.
    remedy: Option<String>,
    /// Whether the complaint ends with that, by the shop's word.
    settled: bool,
    /// The six digits that the customer tells when the goods are handed over.
    code: Option<String>,
    /// What else shows that they are in the right hands: `neighbour`, `left` or `known`.
    proof: Option<String>,
    /// Whether somebody looked how old the customer is.
    age_checked: bool,
}

/// What comes in the place of a line.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Swapped {
    line: u16,
    #[schema(value_type = String)]
    variant_id: VariantId,
    amount: u64,
}

/// What comes back of a line.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Back {
    line: u16,
    amount: u64,
    /// Whether it can be sold again.
    #[serde(default)]
    sellable: bool,
}

/// One line's real amount in base units.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Weighed {
    line: u16,
    amount: u64,
}

/// Does one thing with an order: `acceptance`, `decline`, `packing`, `packed`, `ready`,
/// `collection`, `dispatch`, `delivery`, `delivery-failure`, `return-to-shop`, `payments`,
/// `refunds`, `returns`, `cancellation`, `substitution` (as the customer allowed), `question` (may
/// something else come?), `shortfall` (less is on the shelf than is kept for a line), `complaint`
/// (the shop's answer, or its end), `card-release` (lets go what is held on a card, so that it can be
/// paid otherwise), or `override` to go on after a restore. What goes back to a card is written down once
/// the provider has answered: see `GET /v1/orders/{id}/card`.
#[utoipa::path(post, path = "/v1/orders/{id}/{deed}", tag = "orders",
    params(("id" = String, Path), ("deed" = String, Path)), request_body = Details,
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn act(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path((id, deed)): Path<(String, String)>,
    key: Repeatable,
    Json(details): Json<Details>,
) -> Result<axum::Json<Value>, Problem> {
    let (which, once) = (which(&id, &visitor)?, key.by(visitor.device)?);
    let (mut deed, action) = deed_of(&deed, details)?;
    let view = door
        .run(move |access| {
            let order = access.shop().order(which)?;
            if let Deed::Collected(_, seen) | Deed::Delivered(_, seen) = &mut deed {
                seen.by_staff = may(access, &visitor, Action::PackOrder, &order).is_ok();
            }
            // Who brought it sees it for a day; that it was done is heard later, too.
            if let Some(once) = &once
                && let Some(done) = access.shop().done_before(once, which, &deed)?
            {
                return Ok(done);
            }
            may(access, &visitor, action, &order)?;
            let (by, rng) = (Some(visitor.by()), &mut clock::rng());
            Ok::<_, Problem>(access.shop().act_once(once, which, deed, by, now(), rng)?)
        })
        .await?;
    // What is handed over may be to be taken from a card.
    door.cards.wake();
    Ok(axum::Json(shown(&view)))
}

fn deed_of(name: &str, details: Details) -> Result<(Deed, Action), Problem> {
    let group = details.group;
    Ok(match name {
        "acceptance" | "decline" | "cancellation" | "override" => return decided(name, details),
        "payments" | "refunds" | "returns" | "complaint" => return settled(name, details),
        "card-release" => (Deed::LetCardGo, Action::TakePayment),
        "packing" => (Deed::Pack(Packing { group, lines: details.lines }), Action::PackOrder),
        "packed" => {
            let weighed = details.weighed.iter();
            let weighed = weighed.map(|w| WeighedLine { line: w.line, amount: w.amount }).collect();
            (Deed::Packed(group, weighed), Action::PackOrder)
        }
        "substitution" => (Deed::Substitute(details.swaps()?), Action::PackOrder),
        "question" => {
            let (swaps, minutes) = (details.swaps()?, details.minutes.unwrap_or(ANSWER_MINUTES));
            (Deed::Ask { group, swaps, minutes }, Action::PackOrder)
        }
        "shortfall" => {
            let [line] = details.lines[..] else {
                return Err(Problem::malformed("lines names the one line that is short"));
            };
            (Deed::Miss { line, found: details.found.unwrap_or(0) }, Action::PackOrder)
        }
        "ready" => (Deed::Ready(group), Action::PackOrder),
        "collection" => (Deed::Collected(group, details.handing()?), Action::HandOverOrder),
        "dispatch" => (Deed::Dispatch(group), Action::HandOverOrder),
        "delivery" => (Deed::Delivered(group, details.handing()?), Action::HandOverOrder),
        "delivery-failure" => {
            let why = reason(details.reason, FailReason::from_label, FailReason::NobodyThere)?;
            (Deed::DeliveryFailed(group, why), Action::HandOverOrder)
        }
        "return-to-shop" => (Deed::Returned(group), Action::HandOverOrder),
        _ => return Err(Problem::not_found()),
    })
}

/// What is decided about the whole order.
fn decided(name: &str, details: Details) -> Result<(Deed, Action), Problem> {
    Ok(match name {
        "acceptance" => (Deed::Accept, Action::DecideOrder),
        "decline" => {
            let why = reason(details.reason, DeclineReason::from_label, DeclineReason::ByShop)?;
            (Deed::Decline(why), Action::DecideOrder)
        }
        "cancellation" => {
            let why = reason(details.reason, CancelReason::from_label, CancelReason::ByShop)?;
            (Deed::Cancel(why), Action::CancelOrder)
        }
        _ => (Deed::GoOn, Action::EditShop),
    })
}

/// What is done about money, about goods that come back, and about complaints.
fn settled(name: &str, details: Details) -> Result<(Deed, Action), Problem> {
    let amount = details.amount;
    let amount_given = || amount.ok_or_else(|| Problem::malformed("amount is missing"));
    Ok(match name {
        "payments" => {
            let means = reason(details.means, Means::from_label, Means::Cash)?;
            if means == Means::Khata {
                let says = "an order goes on khata by POST /v1/orders/{id}/khata";
                return Err(Problem::malformed(says));
            }
            (Deed::Pay(amount_given()?, means), Action::TakePayment)
        }
        "refunds" => {
            let means = reason(details.means, Means::from_label, Means::Cash)?;
            (Deed::Refund(amount_given()?, means), Action::RefundOrder)
        }
        "returns" => {
            let why = reason(details.reason, ReturnReason::from_label, ReturnReason::Faulty)?;
            let back = details.back.iter();
            let back = back.map(|Back { line, amount, sellable }| BackLine {
                line: *line,
                amount: *amount,
                sellable: *sellable,
            });
            (Deed::TakeBack(back.collect(), why), Action::RefundOrder)
        }
        _ => {
            let remedy = details
                .remedy
                .map(|label| reason(Some(label), Remedy::from_label, Remedy::ClearedUp));
            let offer = remedy.transpose()?.map(|remedy| Settlement { remedy, amount });
            let (says, action) = (details.message, Action::RefundOrder);
            match (details.settled, offer) {
                (false, offer) => (Deed::AnswerComplaint { says, offer }, action),
                (true, Some(settlement)) => (Deed::SettleComplaint { says, settlement }, action),
                (true, None) => return Err(Problem::malformed("remedy is missing")),
            }
        }
    })
}

impl Details {
    fn handing(self) -> Result<Handing, Problem> {
        let proof = self.proof.map(|label| reason(Some(label), Proof::from_label, Proof::Known));
        let (code, age_checked) = (self.code, self.age_checked);
        Ok(Handing { code, proof: proof.transpose()?, age_checked, by_staff: false })
    }

    fn swaps(&self) -> Result<Vec<Swap>, Problem> {
        if !(1..=PROPOSALS_MAX).contains(&self.swaps.len()) {
            return Err(Problem::malformed(format!("swaps names 1 to {PROPOSALS_MAX} lines")));
        }
        let swap = |of: &Swapped| Swap { line: of.line, variant: of.variant_id, amount: of.amount };
        Ok(self.swaps.iter().map(swap).collect())
    }
}

fn reason<T>(
    given: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
    otherwise: T,
) -> Result<T, Problem> {
    match given {
        None => Ok(otherwise),
        Some(label) => parse(&label)
            .ok_or_else(|| Problem::malformed(format!("{label:?} is not one of the reasons"))),
    }
}
