//! Reports over HTTP: what is sold of which product, and what the shop earns with it.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use kirana_core::{
    day::Day,
    money::{Currency, Money},
    policy::Action,
    stock::margin::Out,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Door, auth::SignedIn, extract::Query, now, problem::Problem, till::decimal};
use crate::app::{
    cells::defused,
    margin::{Earnings, ProductSold, SoldOf, Sum},
};

/// Of which days.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// The first day, such as `2026-11-01`; 30 days with the last if left out.
    #[param(value_type = Option<String>)]
    pub(super) from: Option<Day>,
    /// The last day; today if left out.
    #[param(value_type = Option<String>)]
    pub(super) until: Option<Day>,
}

/// What sales brought in, less what was given back for returns, less what those goods had cost, by
/// variant; tax is left out.
#[utoipa::path(get, path = "/v1/reports/margin", tag = "reports", params(Days),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn margin(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<axum::Json<Value>, Problem> {
    let (earned, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewMargin, &access.here())?;
            let shop = access.shop();
            let earned = shop.earnings(days.from, days.until, now())?;
            Ok::<_, Problem>((earned, shop.identity().currency))
        })
        .await?;
    Ok(axum::Json(shown(&earned, currency)))
}

/// How much of which product was sold and came back, and what that brought in, tax left out. Of goods that
/// are not counted the ledger says nothing.
#[utoipa::path(get, path = "/v1/reports/products", tag = "reports", params(Days),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn products(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<axum::Json<Value>, Problem> {
    let sold = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().sold(days.from, days.until, now())?)
        })
        .await?;
    Ok(axum::Json(sold_of(&sold)))
}

/// The same as a file for a spreadsheet.
#[utoipa::path(get, path = "/v1/reports/products.csv", tag = "reports", params(Days),
    security(("token" = [])),
    responses((status = 200, body = String, content_type = "text/csv"),
    (status = 403, body = Problem)))]
pub async fn products_file(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<Response, Problem> {
    let sold = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().sold(days.from, days.until, now())?)
        })
        .await?;
    let file = file(&sold).map_err(|error| Problem::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"products.csv\""),
    ];
    Ok((headers, file).into_response())
}

/// What was sold by product, as HTTP and the command line show it.
pub fn sold_of(sold: &SoldOf) -> Value {
    let item = |row: &ProductSold| {
        json!({
            "variant_id": row.variant, "name": row.name, "unit": row.unit,
            "amount": row.amount, "returned": row.returned, "sales": row.sales,
        })
    };
    let items: Vec<_> = sold.rows.iter().map(item).collect();
    json!({ "from": sold.from, "until": sold.until, "items": items })
}

fn file(sold: &SoldOf) -> Result<Vec<u8>, csv::Error> {
    let mut sheet = csv::Writer::from_writer(Vec::new());
    sheet.write_record(["variant", "name", "unit", "amount", "returned", "sales", "currency"])?;
    for row in &sold.rows {
        sheet.write_record([
            row.variant.to_string(),
            defused(row.name.clone()),
            row.unit.map(|unit| unit.to_string()).unwrap_or_default(),
            row.amount.to_string(),
            row.returned.to_string(),
            decimal(row.sales.minor, row.sales.currency.decimals()),
            row.sales.currency.as_str().to_owned(),
        ])?;
    }
    sheet.into_inner().map_err(|error| error.into_error().into())
}

/// What was earned, as HTTP and the command line show it.
pub fn shown(earned: &Earnings, currency: Currency) -> Value {
    let item = |sum: &Sum| {
        let kept = sum.sold.less(&sum.returned);
        let mut shown = figures([sum.sold, sum.wasted, sum.returned], currency);
        shown["variant_id"] = json!(sum.variant);
        shown["amount"] = json!(sum.sold.amount);
        shown["returned"] = json!(sum.returned.amount);
        shown["amount_without_cost"] = json!(kept.amount.saturating_sub(kept.costed));
        shown["wasted"] = json!(sum.wasted.amount);
        shown
    };
    let all = |of: fn(&Sum) -> &Out| {
        earned.rows.iter().map(of).fold(Out::default(), |all, one| all.with(one))
    };
    json!({
        "from": earned.from, "until": earned.until,
        "items": earned.rows.iter().map(item).collect::<Vec<_>>(),
        "total": figures(
            [all(|sum| &sum.sold), all(|sum| &sum.wasted), all(|sum| &sum.returned)],
            currency,
        ),
    })
}

/// Money only: amounts of different things add up to nothing.
fn figures([sold, wasted, returned]: [Out; 3], currency: Currency) -> Value {
    let money = |minor| Money::new(minor, currency);
    let kept = sold.less(&returned);
    json!({
        "sales": money(kept.net), "sales_with_known_cost": money(kept.net_costed),
        "cost": money(kept.cost), "margin": money(kept.net_costed.saturating_sub(kept.cost)),
        "given_back": money(returned.net),
        "cost_of_wasted": money(wasted.cost),
    })
}
