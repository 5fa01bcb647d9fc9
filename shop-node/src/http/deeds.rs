//! What the shop's people do with an order, one path segment for each deed.

use axum::extract::State;
use kirana_core::{
    money::Money,
    order::facts::{CancelReason, DeclineReason, FailReason, Means, Packing, WeighedLine},
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
use crate::{app::orders::Deed, clock};

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
    /// In what form: `cash`, `upi` or `card`.
    means: Option<String>,
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
/// `cancellation`, or `override` to go on after a restore.
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
    let (deed, action) = deed_of(&deed, details)?;
    let view = door
        .run(move |access| {
            may(access, &visitor, action, &access.shop().order(which)?)?;
            let (by, rng) = (Some(visitor.by()), &mut clock::rng());
            Ok::<_, Problem>(access.shop().act_once(once, which, deed, by, now(), rng)?)
        })
        .await?;
    Ok(axum::Json(shown(&view)))
}

fn deed_of(name: &str, details: Details) -> Result<(Deed, Action), Problem> {
    let group = details.group;
    let weighed = details.weighed.iter();
    let weighed: Vec<_> = weighed.map(|w| WeighedLine { line: w.line, amount: w.amount }).collect();
    Ok(match name {
        "acceptance" => (Deed::Accept, Action::DecideOrder),
        "decline" => {
            let why = reason(details.reason, DeclineReason::from_label, DeclineReason::ByShop)?;
            (Deed::Decline(why), Action::DecideOrder)
        }
        "packing" => (Deed::Pack(Packing { group, lines: details.lines }), Action::PackOrder),
        "packed" => (Deed::Packed(group, weighed), Action::PackOrder),
        "ready" => (Deed::Ready(group), Action::PackOrder),
        "collection" => (Deed::Collected(group), Action::HandOverOrder),
        "dispatch" => (Deed::Dispatch(group), Action::HandOverOrder),
        "delivery" => (Deed::Delivered(group), Action::HandOverOrder),
        "delivery-failure" => {
            let why = reason(details.reason, FailReason::from_label, FailReason::NobodyThere)?;
            (Deed::DeliveryFailed(group, why), Action::HandOverOrder)
        }
        "return-to-shop" => (Deed::Returned(group), Action::HandOverOrder),
        "payments" => {
            let amount = details.amount.ok_or_else(|| Problem::malformed("amount is missing"))?;
            (
                Deed::Pay(amount, reason(details.means, Means::from_label, Means::Cash)?),
                Action::TakePayment,
            )
        }
        "cancellation" => {
            let why = reason(details.reason, CancelReason::from_label, CancelReason::ByShop)?;
            (Deed::Cancel(why), Action::CancelOrder)
        }
        "override" => (Deed::GoOn, Action::EditShop),
        _ => return Err(Problem::not_found()),
    })
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
