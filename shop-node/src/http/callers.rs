//! `/v1/calls` and `/v1/callers`: orders that staff take for people without a device.

use axum::{extract::State, http::StatusCode};
use kirana_core::{
    id::VariantId,
    order::{
        personal::Personal,
        placed::{Slot, Substitution},
    },
    policy::Action,
    terms::Way,
    time::UnixMs,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, Repeatable},
    now,
    orders::shown,
    problem::Problem,
};
use crate::{
    app::callers::{Call, Caller, NotTaken},
    clock,
};

/// What somebody wants who has no device.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// Who, as `/v1/callers` names them; somebody new if left out.
    #[serde(default)]
    caller_id: Option<String>,
    /// Name, address, phone and note, and on the map the place if it is known.
    #[schema(value_type = Object)]
    person: Personal,
    /// What.
    #[schema(max_items = 200)]
    lines: Vec<CallLine>,
    /// Come and collect it, rather than have it brought.
    #[serde(default)]
    pickup: bool,
    /// In which of the spans of time that the shop offers.
    #[serde(default)]
    slot: Option<CallSlot>,
    /// Whether a part of a line is better than nothing.
    #[serde(default)]
    partial: bool,
    /// What to do with a line of which there is none left: `leave_out`, `ask` or `similar`.
    #[serde(default)]
    substitution: Option<String>,
    /// How old the person says to be, in years.
    #[serde(default)]
    of_age: Option<u8>,
}

/// Something that is wanted.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallLine {
    #[schema(value_type = String)]
    variant_id: VariantId,
    /// How much, in base units.
    amount: u64,
}

/// A span of time.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallSlot {
    #[schema(value_type = String, format = DateTime)]
    from: UnixMs,
    #[schema(value_type = String, format = DateTime)]
    until: UnixMs,
}

/// Who is looked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// Parts of a name, a phone number or an address.
    #[serde(default)]
    q: String,
}

/// People for whom orders were taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Callers {
    /// Those who were written down last come first.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Caller>,
}

/// Takes an order for somebody without a device. It is decided as any other, and marked: its
/// customer is a guest of this shop.
#[utoipa::path(post, path = "/v1/calls", tag = "orders", request_body = NewCall,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 409, body = Problem)))]
pub async fn take(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<NewCall>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    let (once, call) = (key.by(visitor.device)?, given.parse()?);
    let (caller, view) = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            let (by, rng) = (visitor.by(), &mut clock::rng());
            Ok::<_, Problem>(access.shop().take_call(once, call, by, now(), rng)?)
        })
        .await?;
    let mut order = shown(&view);
    order["caller_id"] = json!(caller);
    Ok((StatusCode::CREATED, axum::Json(order)))
}

/// People for whom orders were taken.
#[utoipa::path(get, path = "/v1/callers", tag = "orders", params(Looked),
    security(("token" = [])), responses((status = 200, body = Callers)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(looked): Query<Looked>,
) -> Result<axum::Json<Callers>, Problem> {
    let items = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            Ok::<_, Problem>(access.shop().callers(&looked.q)?)
        })
        .await?;
    Ok(axum::Json(Callers { items }))
}

/// Forgets who somebody is; their orders stay, without name and address.
#[utoipa::path(delete, path = "/v1/callers/{id}", tag = "orders", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 204), (status = 404, body = Problem)))]
pub async fn forget(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    door.run(move |access| {
        access.allow(&visitor, Action::EditShop, &access.here())?;
        Ok::<_, Problem>(access.shop().forget_caller(id)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl NewCall {
    fn parse(self) -> Result<Call, Problem> {
        let unfit = |what: &str| Problem::malformed(format!("{what} is not one that is known"));
        let caller = self.caller_id.map(|id| id.parse()).transpose();
        let substitution = self.substitution.as_deref();
        let substitution =
            substitution.map_or(Some(Substitution::LeaveOut), Substitution::from_label);
        let is_offered = |s: &Substitution| *s != Substitution::Listed;
        Ok(Call {
            caller: caller.map_err(|_| unfit("caller_id"))?,
            person: self.person,
            lines: self.lines.iter().map(|line| (line.variant_id, line.amount)).collect(),
            way: if self.pickup { Way::Pickup } else { Way::Delivery },
            slot: self.slot.map(|slot| Slot { from: slot.from, until: slot.until }),
            partial_ok: self.partial,
            substitution: substitution.filter(is_offered).ok_or_else(|| unfit("substitution"))?,
            of_age: self.of_age,
        })
    }
}

impl From<NotTaken> for Problem {
    fn from(why: NotTaken) -> Self {
        let (unfit, title) = (StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
        match why {
            NotTaken::UnknownCaller => Self::not_found(),
            NotTaken::Nameless => Self::new(unfit, "nameless", title),
            NotTaken::TooLong => Self::new(unfit, "too-long", title),
            NotTaken::NotSold(_) => Self::new(StatusCode::CONFLICT, "not-sold", title),
            NotTaken::Invalid(_) => Self::new(unfit, "invalid-order", title),
            NotTaken::Terms(_) => Self::new(StatusCode::CONFLICT, "not-on-these-terms", title),
            NotTaken::Undeliverable(why) => why.into(),
            NotTaken::Order(why) => why.into(),
        }
    }
}
