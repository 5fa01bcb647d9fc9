//! Stock and the counter over HTTP: what is there, what moved, and sales to walk-ins.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    id::{LocationId, VariantId},
    order::facts::Means,
    policy::Action,
    quantity::Quantity,
    scale::NotALabel,
    stock::{StockError, walk::Slot},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    batches::{GivenLot, sees_costs},
    extract::{Json, Query, Repeatable},
    khata::charging,
    now,
    orders::Page,
    problem::Problem,
};
use crate::{
    app::{
        counter::{Entered, Entry, NotEntered, OfBatch, SaleLine, Sold, What},
        scan::{NotScanned, Rung},
    },
    clock,
};

/// Where a page goes on.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

impl Paging {
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(100).clamp(1, 100)
    }

    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

/// What is there of each variant at each place.
#[utoipa::path(get, path = "/v1/stock", tag = "stock", params(Paging), security(("token" = [])),
    responses((status = 200, body = Page)))]
pub async fn balances(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let after = paging.cursor.as_deref().map(slot).transpose()?;
    let rows = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().stock(after, limit, now())?)
        })
        .await?;
    let full = rows.len() == limit as usize;
    let last = rows.last().filter(|_| full);
    let next_cursor = last.map(|row| format!("{}.{}", row.slot.variant, row.slot.location));
    let items = rows.iter().map(|row| {
        json!({
            "product_id": row.product, "variant_id": row.slot.variant,
            "location_id": row.slot.location, "on_hand": row.balance.on_hand,
            "reserved": row.balance.reserved, "available": row.available,
            "past_best_before": row.past, "closed": row.closed,
        })
    });
    Ok(axum::Json(Page { items: items.collect(), next_cursor }))
}

fn slot(cursor: &str) -> Result<Slot, Problem> {
    let parse = || {
        let (variant, location) = cursor.split_once('.')?;
        Some(Slot { variant: variant.parse().ok()?, location: location.parse().ok()? })
    };
    parse().ok_or_else(|| Problem::malformed("the cursor is not one of this list"))
}

/// The stock ledger, oldest movement first.
#[utoipa::path(get, path = "/v1/stock/movements", tag = "stock", params(Paging),
    security(("token" = [])), responses((status = 200, body = Page)))]
pub async fn movements(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let after = paging.cursor.as_deref().unwrap_or("0").parse();
    let after: u64 = after.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let (mut rows, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            let rows = access.shop().stock_movements(after, limit)?;
            Ok::<_, Problem>((rows, sees_costs(access, &visitor)))
        })
        .await?;
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|movement| movement.seq.to_string());
    for lot in rows.iter_mut().filter_map(|movement| movement.lot.as_mut()).filter(|_| !costs) {
        lot.cost = None;
    }
    let items = rows.iter().map(|movement| json!(movement)).collect();
    Ok(axum::Json(Page { items, next_cursor }))
}

/// What somebody says happened to stock; amounts are base units.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    /// Of what.
    #[schema(value_type = String)]
    variant_id: VariantId,
    /// Where; the place from which the shop sells if left out.
    #[schema(value_type = Option<String>)]
    location_id: Option<LocationId>,
    /// `receipt`, `wastage`, `stocktake`, `transfer` or `return`.
    kind: String,
    /// How much; for a stocktake, how much is there now.
    amount: u64,
    /// Where a transfer goes.
    #[schema(value_type = Option<String>)]
    to_location_id: Option<LocationId>,
    /// Why, in one's own words.
    #[serde(default)]
    note: String,
    /// What is known of the goods that a receipt brings in: they are a batch then.
    lot: Option<GivenLot>,
    /// Of which batch a wastage, a transfer or a return is; else of those that should go first.
    batch: Option<u64>,
    /// Of which sale a return is, by the number of its movement: what came back is taken off the margin.
    of_sale: Option<u64>,
}

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 500;

/// Enters a movement; a stocktake below what is reserved releases by rule at once.
#[utoipa::path(post, path = "/v1/stock/movements", tag = "stock", request_body = Movement,
    security(("token" = [])), responses((status = 201, body = Value), (status = 409, body = Problem)))]
pub async fn enter(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<Movement>,
) -> Result<Response, Problem> {
    let (entry, once) = (entry(given)?, key.by(visitor.device)?);
    let entered = door
        .run(move |access| {
            access.allow(&visitor, Action::MoveStock, &access.here())?;
            let by = visitor.who();
            Ok::<_, Problem>(access.shop().enter_once(once, entry, by, now(), &mut clock::rng())?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(shown(&entered))).into_response())
}

fn entry(given: Movement) -> Result<Entry, Problem> {
    if given.note.len() > NOTE_BYTES_MAX {
        return Err(Problem::malformed("a note has at most 500 bytes"));
    }
    let (amount, to) = (given.amount, given.to_location_id);
    let to = || to.ok_or_else(|| Problem::malformed("to_location_id is missing"));
    let what = match (given.kind.as_str(), given.lot, given.batch) {
        ("return", None, None) if let Some(sale) = given.of_sale => What::ReturnOf(sale, amount),
        _ if given.of_sale.is_some() => {
            return Err(Problem::malformed("of_sale is for a return, without a batch"));
        }
        ("receipt", None, None) => What::Receipt(amount),
        ("receipt", Some(lot), None) => What::Batch(amount, lot.into()),
        ("wastage", None, None) => What::Wastage(amount),
        ("wastage", None, Some(batch)) => What::Of(batch, OfBatch::Wastage(amount)),
        ("stocktake", None, None) => What::Counted(amount),
        ("return", None, None) => What::Return(amount),
        ("return", None, Some(batch)) => What::Of(batch, OfBatch::Return(amount)),
        ("transfer", None, None) => What::Transfer(amount, to()?),
        ("transfer", None, Some(batch)) => What::Of(batch, OfBatch::Transfer(amount, to()?)),
        ("receipt" | "wastage" | "stocktake" | "return" | "transfer", _, _) => {
            let fits = "lot is for a receipt, batch for a wastage, a transfer or a return";
            return Err(Problem::malformed(fits));
        }
        _ => {
            let kinds = "kind is one of: receipt, wastage, stocktake, transfer, return";
            return Err(Problem::malformed(kinds));
        }
    };
    Ok(Entry { variant: given.variant_id, location: given.location_id, what, note: given.note })
}

/// Somebody looked and says that the stock is as the ledger says, after a restore.
#[utoipa::path(post, path = "/v1/stock/confirmation", tag = "stock", security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem)))]
pub async fn confirm(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::MoveStock, &access.here())?;
        Ok::<_, Problem>(access.shop().confirm_stock()?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sale at the counter.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sale {
    /// What is sold; all of it or nothing.
    lines: Vec<SoldLine>,
    /// In what form it is paid: `cash`, `upi` or `card`; cash unless given.
    #[serde(default)]
    #[schema(pattern = "^(cash|upi|card)$")]
    means: Option<String>,
    /// Into which credit book it goes, in the place of being paid.
    #[serde(default)]
    #[schema(max_length = 64)]
    khata: Option<String>,
    /// Whether the book's balance may pass its limit: the owner's to say.
    #[serde(default)]
    over_limit: bool,
}

/// One line of it: what somebody chose, or what was scanned.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SoldLine {
    /// What, where nothing was scanned.
    #[schema(value_type = Option<String>)]
    variant_id: Option<VariantId>,
    /// What was scanned: the barcode of a pack, or a scale's code with its weight or price.
    #[schema(max_length = 64)]
    barcode: Option<String>,
    /// How much, in the unit that it is sold in. Of a scan it may be left out: it is one piece then, or
    /// what the label says.
    #[schema(value_type = Option<Object>)]
    quantity: Option<Quantity>,
    /// Of this batch, whatever its date; else of those that should go first, and none past its date.
    batch: Option<u64>,
}

/// The longest scan, in characters.
const SCAN_CHARS_MAX: usize = 64;

impl SoldLine {
    fn rung(self) -> Result<Rung, Problem> {
        let Self { variant_id, barcode, quantity, batch } = self;
        match (variant_id, barcode, quantity) {
            (Some(variant), None, Some(quantity)) => {
                let (amount, unit) = (quantity.amount(), quantity.unit());
                Ok(Rung::Chosen(SaleLine { variant, amount, unit, batch }))
            }
            (None, Some(code), quantity) if code.chars().count() <= SCAN_CHARS_MAX => {
                Ok(Rung::Scanned { code, quantity, batch })
            }
            (None, Some(_), _) => Err(Problem::malformed("a barcode has up to 64 characters")),
            _ => Err(Problem::malformed("a line has variant_id and quantity, or barcode")),
        }
    }
}

/// Sells to somebody at the counter, through the same ledger as the orders. A label that says a price
/// costs that price; `sold` tells how much each line is and costs, and what to look at.
#[utoipa::path(post, path = "/v1/sales", tag = "stock", request_body = Sale,
    security(("token" = [])), responses((status = 201, body = Value), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn sell(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<Sale>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let lines = given.lines.into_iter().map(SoldLine::rung).collect::<Result<Vec<_>, _>>()?;
    let means = given.means.as_deref().map_or(Some(Means::Cash), Means::from_label);
    let means = means.ok_or_else(|| Problem::malformed("means is cash, upi or card"))?;
    let (khata, beyond) = (given.khata, given.over_limit);
    let sold = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            let (shop, by, rng) = (access.shop(), visitor.who(), &mut clock::rng());
            let Some(named) = khata else {
                return Ok::<_, Problem>(shop.ring_up(once, (lines, means), by, now(), rng)?);
            };
            access.allow(&visitor, charging(beyond), &access.here())?;
            let book = shop.find_khata(&named)?;
            Ok(shop.ring_up_on_khata(once, (lines, book, beyond), by, now(), rng)?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(shown(&sold))).into_response())
}

/// What was entered, as HTTP shows it.
pub fn shown(entered: &Entered) -> Value {
    let balances = entered.balances.iter();
    let balances: Vec<_> =
        balances.map(|b| json!({ "on_hand": b.on_hand, "reserved": b.reserved })).collect();
    let mut shown = json!({
        "movements": entered.movements, "balances": balances, "shortened": entered.shortened,
    });
    if !entered.sold.is_empty() {
        shown["sold"] = entered.sold.iter().map(line).collect();
    }
    shown
}

fn line(sold: &Sold) -> Value {
    let warnings = sold.warnings.iter();
    let warnings: Vec<_> =
        warnings.map(|w| json!({ "code": w.word(), "message": w.to_string() })).collect();
    json!({
        "variant_id": sold.variant, "sum": sold.sum, "warnings": warnings,
        "quantity": { "amount": sold.amount, "unit": sold.unit },
    })
}

impl From<NotEntered> for Problem {
    fn from(why: NotEntered) -> Self {
        let title = why.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        match why {
            NotEntered::Stock(StockError::PastBestBefore { .. }) => conflict("past-best-before"),
            NotEntered::Stock(StockError::Code | StockError::Cost) => Self::malformed(title),
            NotEntered::Stock(_) => conflict("stock"),
            NotEntered::Khata(why) => why.into(),
            NotEntered::Level
            | NotEntered::Name
            | NotEntered::About
            | NotEntered::Pack
            | NotEntered::Line(_)
            | NotEntered::Money(_) => Self::malformed(title),
            NotEntered::NoSupplier(_) => Self::new(StatusCode::NOT_FOUND, "no-supplier", title),
            NotEntered::StillSupplies(_) => conflict("still-supplies"),
            NotEntered::NoSale(_) => Self::new(StatusCode::NOT_FOUND, "no-sale", title),
            NotEntered::MoreThanSold { .. } => conflict("more-than-sold"),
            NotEntered::NoPurchase(_) => Self::new(StatusCode::NOT_FOUND, "no-purchase", title),
            NotEntered::NoCount(_) => Self::new(StatusCode::NOT_FOUND, "no-count", title),
            NotEntered::CountEnded(_) => conflict("count-ended"),
            NotEntered::PurchaseEnded(_) => conflict("purchase-ended"),
            NotEntered::NotOrdered(_) => conflict("not-ordered"),
            NotEntered::TillOpen => conflict("till-open"),
            NotEntered::NoTill => conflict("no-till"),
            NotEntered::Amount | NotEntered::TillNote => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "amount", title)
            }
            NotEntered::NoLocation(_) => Self::new(StatusCode::NOT_FOUND, "no-location", title),
            NotEntered::NameTaken(_) => conflict("name-taken"),
            NotEntered::TooMany(_) => conflict("too-many"),
            NotEntered::OtherCurrency(_) => conflict("other-currency"),
            NotEntered::NotSold(_) => conflict("not-sold"),
            NotEntered::OtherUnit { .. } => conflict("other-unit"),
            NotEntered::Closed(_) => conflict("stock-closed"),
            NotEntered::Layout(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "layout", title),
            NotEntered::Scan(why) => why.into(),
            NotEntered::Lines => Self::malformed(title),
            NotEntered::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", title)
            }
            NotEntered::ReadOnly(_) => conflict("read-only"),
            NotEntered::NotStored(not_stored) => not_stored.into(),
            NotEntered::Store(error) => Self::internal(&error),
        }
    }
}

impl From<NotScanned> for Problem {
    fn from(why: NotScanned) -> Self {
        let title = why.to_string();
        let unreadable = |code| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title.clone());
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        match why {
            NotScanned::Label(NotALabel::Other) => unreadable("no-label"),
            NotScanned::Label(NotALabel::UnknownLayout(_)) => conflict("unknown-layout"),
            NotScanned::Label(NotALabel::WrongCheckDigit { .. } | NotALabel::WrongVerifier) => {
                unreadable("wrong-check-digit")
            }
            NotScanned::Label(NotALabel::Nothing) => unreadable("label-of-nothing"),
            NotScanned::NoArticle(_) => conflict("no-article"),
            NotScanned::Several(_) => conflict("several-articles"),
            NotScanned::HowMuch(_) => conflict("how-much"),
            NotScanned::NotByWeight { .. } => conflict("other-unit"),
            NotScanned::QuantityTwice => Self::malformed(title),
            NotScanned::PriceOfNone { .. } => conflict("price-changed"),
        }
    }
}
