//! The till over HTTP: takings, the day's float and count, money that goes in and out.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{id::TillDayId, money::Money, policy::Action};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, Repeatable},
    now,
    problem::Problem,
    reports::Days,
};
use crate::{
    app::{
        cells::defused,
        till::{Kind, Shown, Takings, TillDay},
    },
    clock,
};

/// What was taken, by form of money, day and customer.
#[utoipa::path(get, path = "/v1/reports/takings", tag = "reports", params(Days),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn takings(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<axum::Json<Value>, Problem> {
    let (taken, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            let shop = access.shop();
            let taken = shop.takings(days.from, days.until, now())?;
            Ok::<_, Problem>((taken, shop.identity().currency))
        })
        .await?;
    let money = |minor: i64| Money::new(minor, currency);
    Ok(axum::Json(shown(&taken, &money)))
}

/// The same row by row, as a file for a spreadsheet.
#[utoipa::path(get, path = "/v1/reports/takings.csv", tag = "reports", params(Days),
    security(("token" = [])),
    responses((status = 200, body = String, content_type = "text/csv"),
    (status = 403, body = Problem)))]
pub async fn takings_file(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<Response, Problem> {
    let (taken, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            let shop = access.shop();
            let taken = shop.takings(days.from, days.until, now())?;
            Ok::<_, Problem>((taken, shop.identity().currency))
        })
        .await?;
    let file = file(&taken, currency).map_err(|error| Problem::internal(&error))?;
    let disposition = "attachment; filename=\"takings.csv\"";
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, file).into_response())
}

/// Money in the till in the morning.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Float {
    /// What lies in it.
    #[schema(value_type = Object)]
    float: Money,
}

/// Money in the till in the evening.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// What was counted.
    #[schema(value_type = Object)]
    counted: Money,
    /// What else to say, such as why it differs.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// Money that goes in or out for something that is no sale.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CashMove {
    /// `paid_in` or `paid_out`.
    #[schema(pattern = "^paid_(in|out)$")]
    kind: String,
    /// How much.
    #[schema(value_type = Object)]
    amount: Money,
    /// What for.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// The till's days, the newest first.
#[utoipa::path(get, path = "/v1/till-days", tag = "till", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn days(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let (days, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::TakePayment, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>((shop.till_days()?, shop.identity().currency))
        })
        .await?;
    let money = |minor: i64| Money::new(minor, currency);
    let items: Vec<Value> = days.iter().map(|(day, sum)| of_day(day, *sum, &money)).collect();
    Ok(axum::Json(json!({ "items": items, "next_cursor": null })))
}

/// Opens the till with a float; one is open at a time.
#[utoipa::path(post, path = "/v1/till-days", tag = "till", request_body = Float,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 409, body = Problem)))]
pub async fn open(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<Float>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let id = door
        .run(move |access| {
            access.allow(&visitor, Action::TakePayment, &access.here())?;
            let (by, rng) = (visitor.who(), &mut clock::rng());
            Ok::<_, Problem>(access.shop().open_till(once, given.float, by, now(), rng)?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "id": id }))).into_response())
}

/// Closes a till with what was counted; whoever does it signs the difference off.
#[utoipa::path(post, path = "/v1/till-days/{id}/closing", tag = "till", request_body = Count,
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn close(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<TillDayId>,
    key: Repeatable,
    Json(given): Json<Count>,
) -> Result<axum::Json<Value>, Problem> {
    let once = key.by(visitor.device)?;
    let (days, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::TakePayment, &access.here())?;
            let (by, rng, shop) = (visitor.who(), &mut clock::rng(), access.shop());
            shop.close_till(once, (id, given.counted, given.note), by, now(), rng)?;
            Ok::<_, Problem>((shop.till_days()?, shop.identity().currency))
        })
        .await?;
    let money = |minor: i64| Money::new(minor, currency);
    let closed = days.iter().find(|(day, _)| day.id == id).ok_or_else(Problem::not_found)?;
    Ok(axum::Json(of_day(&closed.0, closed.1, &money)))
}

/// Money goes into the till or out of it, for something that is no sale.
#[utoipa::path(post, path = "/v1/till-entries", tag = "till", request_body = CashMove,
    security(("token" = [])), responses((status = 204), (status = 422, body = Problem)))]
pub async fn move_cash(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<CashMove>,
) -> Result<StatusCode, Problem> {
    let once = key.by(visitor.device)?;
    let kind = match given.kind.as_str() {
        "paid_in" => Kind::PaidIn,
        "paid_out" => Kind::PaidOut,
        _ => return Err(Problem::malformed("kind is paid_in or paid_out")),
    };
    door.run(move |access| {
        access.allow(&visitor, Action::TakePayment, &access.here())?;
        let (by, rng) = (visitor.who(), &mut clock::rng());
        let moved = (kind, given.amount, given.note);
        Ok::<_, Problem>(access.shop().move_cash(once, moved, by, now(), rng)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takings, as HTTP and the command line show them.
pub fn shown(taken: &Takings, money: &dyn Fn(i64) -> Money) -> Value {
    let means = taken.means.iter().map(
        |((means, kind), minor)| json!({ "means": means, "kind": kind, "sum": money(*minor) }),
    );
    let days = taken.days.iter().map(|(day, minor)| json!({ "day": day, "sum": money(*minor) }));
    let customers = taken.customers.iter();
    let customers =
        customers.map(|(customer, minor)| json!({ "customer": customer, "sum": money(*minor) }));
    let all: i64 = taken.days.values().copied().fold(0, i64::saturating_add);
    json!({
        "from": taken.from, "until": taken.until, "total": money(all),
        "means": means.collect::<Vec<_>>(), "days": days.collect::<Vec<_>>(),
        "customers": customers.collect::<Vec<_>>(),
    })
}

/// A day of the till, as HTTP and the command line show it.
pub fn of_day(day: &TillDay, expected: i64, money: &dyn Fn(i64) -> Money) -> Value {
    let mut shown = json!({
        "id": day.id, "opened_at": day.opened, "opened_by": day.opened_by,
        "float": money(day.float_minor), "expected": money(expected), "closed": null,
    });
    if let Some(closed) = &day.closed {
        let difference = closed.counted_minor.saturating_sub(closed.expected_minor);
        shown["closed"] = json!({
            "at": closed.at, "signed_off_by": closed.by, "counted": money(closed.counted_minor),
            "difference": money(difference), "note": closed.note,
        });
    }
    shown
}

fn file(taken: &Takings, currency: kirana_core::money::Currency) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["at", "kind", "means", "amount", "currency", "order", "note"])?;
    let decimals = currency.decimals();
    for Shown { taking, number, .. } in &taken.rows {
        writer.write_record([
            taking.at.to_string().as_str(),
            taking.kind.label(),
            taking.means.label(),
            &decimal(taking.minor, decimals),
            currency.as_str(),
            number.as_deref().unwrap_or_default(),
            &defused(taking.note.clone()),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Minor units with a point: `-45.00`.
pub(super) fn decimal(minor: i64, decimals: u32) -> String {
    let whole = 10_u64.pow(decimals);
    let sign = if minor < 0 { "-" } else { "" };
    let (all, digits) = (minor.unsigned_abs(), decimals as usize);
    match digits {
        0 => format!("{sign}{all}"),
        _ => format!("{sign}{}.{:0digits$}", all / whole, all % whole),
    }
}
