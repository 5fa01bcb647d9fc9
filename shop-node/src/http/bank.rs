//! `/v1/payments`: the bank's statements, what they pay, and what does not fit together; and the link
//! by which a customer pays by UPI.

use std::collections::BTreeMap;

use axum::{body::Bytes, extract::State, http::StatusCode};
use kirana_core::policy::Action;
use kirana_picture::qr::Codes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query},
    now,
    orders::{Page, may, shown, which},
    problem::Problem,
};
use crate::{
    app::{
        bank::{NotReconciled, Reconciliation, Report},
        import::Locale,
        orders::Which,
    },
    clock,
};

/// How a statement is read.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// A JSON object from columns to `date`, `credit`, `amount`, `sign`, `text` or `reference`; what
    /// it leaves out is guessed by the usual names.
    map: Option<String>,
    /// How numbers are written; `en-IN` unless given.
    locale: Option<String>,
}

/// Which lines.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Only those that nobody accounted for.
    #[serde(default)]
    open: bool,
    /// Where the page before ended.
    cursor: Option<i64>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// What a line is.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// The order that it paid.
    order_id: Option<String>,
    /// The khata that it was paid towards: its id, its holder's account or key.
    khata: Option<String>,
    /// Why it pays no order.
    aside: Option<String>,
}

/// A way to pay.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Link {
    /// `upi://pay?…`; nothing where nothing is due.
    link: Option<String>,
    /// The same as a picture to be photographed (SVG).
    svg: Option<String>,
}

/// Takes a bank's statement in: the body is a table of text. Lines that name an order pay it, or
/// confirm what was written down; the same statement again changes nothing.
#[utoipa::path(post, path = "/v1/payments/statements", tag = "payments", params(About),
    request_body(content = String, content_type = "text/csv"), security(("token" = [])),
    responses((status = 200, body = Value), (status = 422, body = Problem)))]
pub async fn take(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(about): Query<About>,
    body: Bytes,
) -> Result<axum::Json<Report>, Problem> {
    let map: BTreeMap<String, String> = match &about.map {
        Some(map) => serde_json::from_str(map).map_err(|e| Problem::malformed(e.to_string()))?,
        None => BTreeMap::new(),
    };
    let locale = about.locale.as_deref().map_or(Locale::INDIAN, Locale::named);
    let report = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            let rng = &mut clock::rng();
            Ok::<_, Problem>(access.shop().take_statement(&body, &map, locale, now(), rng)?)
        })
        .await?;
    Ok(axum::Json(report))
}

/// Lines of statements, the newest first.
#[utoipa::path(get, path = "/v1/payments/bank-lines", tag = "payments", params(Listing),
    security(("token" = [])), responses((status = 200, body = Page)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(listing): Query<Listing>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = listing.limit.unwrap_or(50).clamp(1, 100);
    let lines = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().bank_lines(listing.open, listing.cursor, limit)?)
        })
        .await?;
    let last = lines.last().filter(|_| lines.len() == limit as usize);
    let next_cursor = last.map(|line| line.n.to_string());
    Ok(axum::Json(Page { items: lines.iter().map(|line| json!(line)).collect(), next_cursor }))
}

/// Says which order a line paid, or which khata, or that it paid none.
#[utoipa::path(put, path = "/v1/payments/bank-lines/{n}", tag = "payments",
    params(("n" = i64, Path)), request_body = Meant, security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub async fn settle(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(n): Path<i64>,
    Json(meant): Json<Meant>,
) -> Result<axum::Json<Value>, Problem> {
    let (by, given) = (visitor.who(), (meant.order_id, meant.khata, meant.aside));
    let done = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            let shop = access.shop();
            match given {
                (Some(order), None, None) => {
                    let id = order.parse().map_err(|_| Problem::not_found())?;
                    let (which, rng) = (Which { id, customer: None }, &mut clock::rng());
                    Ok(shown(&shop.assign_line(n, which, by, now(), rng)?))
                }
                (None, Some(named), None) => {
                    let id = shop.find_khata(&named)?;
                    shop.assign_line_to_khata(n, id, by, now(), &mut clock::rng())?;
                    Ok(json!({ "n": n, "khata": id }))
                }
                (None, None, Some(why)) => {
                    shop.set_line_aside(n, &why, by)?;
                    Ok(json!({ "n": n, "aside": why }))
                }
                _ => Err(Problem::malformed("one of order_id, khata and aside")),
            }
        })
        .await?;
    Ok(axum::Json(done))
}

/// What does not fit together: money without an order, payments that the bank does not show, goods
/// without a payment, and money to be given back.
#[utoipa::path(get, path = "/v1/payments/reconciliation", tag = "payments",
    security(("token" = [])), responses((status = 200, body = Value)))]
pub async fn reconcile(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Reconciliation>, Problem> {
    let list = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().reconciliation(now())?)
        })
        .await?;
    Ok(axum::Json(list))
}

/// The link by which what is due for an order is paid by UPI; for its customer too.
#[utoipa::path(get, path = "/v1/orders/{id}/upi", tag = "payments", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 200, body = Link),
    (status = 409, body = Problem)))]
pub async fn upi(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<Link>, Problem> {
    let which = which(&id, &visitor)?;
    let link = door
        .run(move |access| {
            may(access, &visitor, Action::ViewOrder, &access.shop().order(which)?)?;
            Ok::<_, Problem>(access.shop().upi_link(which)?)
        })
        .await?;
    let svg = link.as_deref().and_then(|link| Codes::of(link).ok()).map(|codes| codes.svg());
    Ok(axum::Json(Link { link, svg }))
}

impl From<NotReconciled> for Problem {
    fn from(why: NotReconciled) -> Self {
        let (unfit, title) = (StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
        match why {
            NotReconciled::Statement(_) => Self::new(unfit, "no-statement", title),
            NotReconciled::NoSuchLine => Self::not_found(),
            NotReconciled::OtherSum { .. } => Self::new(StatusCode::CONFLICT, "other-sum", title),
            NotReconciled::Words => Self::new(unfit, "words", title),
            NotReconciled::NoPayee => Self::new(StatusCode::CONFLICT, "no-payee", title),
            NotReconciled::Payee(_) => Self::new(unfit, "no-payee", title),
            NotReconciled::Order(why) => why.into(),
            NotReconciled::Khata(why) => why.into(),
        }
    }
}
