//! Invoices and credit notes over HTTP: as PDF, as lists, and summed up for the tax.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{
    catalogue::product::Language,
    day::Day,
    money::{Currency, Money},
    policy::Action,
};
use kirana_paper::{invoice::Form, labels::Printed};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query},
    now,
    orders::{may, which},
    problem::Problem,
    reports::Days,
    till::decimal,
};
use crate::app::{
    cells::defused,
    invoices::{FactLine, Facts, Issued, NotASeller, NotShown, Number, Seller, Series},
};

/// How a document is printed.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Print {
    /// `a4`, or `roll` for a receipt on a roll of 80 mm; `a4` unless given.
    form: Option<String>,
    /// The language of the words on it.
    #[param(value_type = Option<String>)]
    language: Option<Language>,
}

/// A month.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Month {
    /// Such as `2026-11`.
    #[param(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    month: String,
}

/// The invoice of an order that was completed, as a PDF; for its customer too.
#[utoipa::path(get, path = "/v1/orders/{id}/invoice", tag = "invoices", params(Print,
    ("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
    (status = 404, body = Problem)))]
pub async fn of_order(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Query(print): Query<Print>,
) -> Result<Response, Problem> {
    let (which, how, fonts) = (which(&id, &visitor)?, print.parse()?, door.fonts.clone());
    let printed = door
        .run(move |access| {
            let shop = access.shop();
            may(access, &visitor, Action::ViewOrder, &shop.order(which)?)?;
            let issued = shop.documents(which)?.into_iter();
            let mut invoices = issued.filter(|one| one.number.series == Series::Invoice);
            let number = invoices.next().ok_or(NotShown::Unknown)?.number;
            Ok::<_, Problem>(shop.print_document(number, how, &fonts)?)
        })
        .await?;
    Ok(pdf(printed))
}

/// Invoices and credit notes of some days, in the order of their numbers.
#[utoipa::path(get, path = "/v1/invoices", tag = "invoices", params(Days),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(days): Query<Days>,
) -> Result<axum::Json<Value>, Problem> {
    let issued = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            let shop = access.shop();
            let until = days.until.unwrap_or_else(|| shop.day_of(now()));
            let from = days.from.unwrap_or(Day::new(until.get().saturating_sub(29)));
            Ok::<_, Problem>(shop.issued(from, until)?)
        })
        .await?;
    let items: Vec<Value> = issued.iter().map(shown).collect();
    Ok(axum::Json(json!({ "items": items, "next_cursor": null })))
}

/// An invoice or credit note by its number, as a PDF.
#[utoipa::path(get, path = "/v1/invoices/{number}", tag = "invoices", params(Print,
    ("number" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
    (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(number): Path<String>,
    Query(print): Query<Print>,
) -> Result<Response, Problem> {
    let number: Number = number.parse().map_err(|_| Problem::not_found())?;
    let (how, fonts) = (print.parse()?, door.fonts.clone());
    let printed = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().print_document(number, how, &fonts)?)
        })
        .await?;
    Ok(pdf(printed))
}

/// Who sells, as it stands on invoices.
#[utoipa::path(get, path = "/v1/invoicing", tag = "invoices", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn seller(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let seller = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            Ok::<_, Problem>(access.shop().seller()?)
        })
        .await?;
    Ok(axum::Json(json!(seller)))
}

/// Says who sells: name, address and GSTIN. Documents that are printed from now on say so.
#[utoipa::path(put, path = "/v1/invoicing", tag = "invoices", request_body = Value,
    security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn set_seller(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<Seller>,
) -> Result<StatusCode, Problem> {
    given.check()?;
    door.run(move |access| {
        access.allow(&visitor, Action::EditShop, &access.here())?;
        Ok::<_, Problem>(access.shop().set_seller(given)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A month's sales less credit notes by HSN class and rate, as a file for a spreadsheet.
#[utoipa::path(get, path = "/v1/reports/gst.csv", tag = "reports", params(Month),
    security(("token" = [])),
    responses((status = 200, body = String, content_type = "text/csv"),
    (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn gst(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(month): Query<Month>,
) -> Result<Response, Problem> {
    let (from, until) = month.days()?;
    let (issued, currency) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewReport, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>((shop.issued(from, until)?, shop.identity().currency))
        })
        .await?;
    let file = summary(&issued, currency).map_err(|error| Problem::internal(&error))?;
    let name = "attachment; filename=\"gst.csv\"";
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, file).into_response())
}

impl Print {
    fn parse(&self) -> Result<(Form, Language), Problem> {
        let form = match self.form.as_deref() {
            None | Some("a4") => Form::A4,
            Some("roll") => Form::Roll,
            Some(_) => return Err(Problem::malformed("form is a4 or roll")),
        };
        Ok((form, self.language.unwrap_or(Language::ENGLISH)))
    }
}

impl Month {
    fn days(&self) -> Result<(Day, Day), Problem> {
        let wrong = || Problem::malformed("a month is written like 2026-11");
        let day = |day: u8| format!("{}-{day:02}", self.month).parse::<Day>().ok();
        let last = (28..=31).rev().find_map(day).ok_or_else(wrong)?;
        Ok((day(1).ok_or_else(wrong)?, last))
    }
}

fn pdf(printed: Printed) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"document.pdf\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, printed.pdf).into_response()
}

fn shown((issued, facts): &(Issued, Facts)) -> Value {
    let sum = |of: fn(&FactLine) -> i64| facts.lines.iter().map(of).fold(0, i64::saturating_add);
    let currency: Option<Currency> = facts.currency.parse().ok();
    let money = |minor| currency.map(|currency| Money::new(minor, currency));
    json!({
        "number": issued.number.to_string(), "series": issued.number.series, "at": issued.at,
        "lines": facts.lines, "of": facts.of.as_ref().map(|(of, _)| of),
        "taxable": money(sum(|line| line.taxable)), "tax": money(sum(|line| line.tax)),
        "total": money(sum(|line| line.taxable.saturating_add(line.tax))),
    })
}

/// Sums by HSN class and rate; what was credited is taken off.
fn summary(issued: &[(Issued, Facts)], currency: Currency) -> Result<Vec<u8>, csv::Error> {
    let mut sums: BTreeMap<(&str, u32), (i64, i64)> = BTreeMap::new();
    for (document, facts) in issued {
        let sign = if document.number.series == Series::Invoice { 1 } else { -1 };
        for line in &facts.lines {
            let hsn = line.hsn.as_deref().unwrap_or_default();
            let (taxable, tax) = sums.entry((hsn, line.tax_bp)).or_default();
            *taxable += sign * line.taxable;
            *tax += sign * line.tax;
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["hsn", "rate_percent", "taxable", "cgst", "sgst", "total", "currency"])?;
    let (decimals, code) = (currency.decimals(), currency.as_str());
    for ((hsn, tax_bp), (taxable, tax)) in sums {
        let cgst = tax / 2;
        writer.write_record([
            defused(hsn.to_owned()).as_str(),
            &decimal(i64::from(tax_bp), 2),
            &decimal(taxable, decimals),
            &decimal(cgst, decimals),
            &decimal(tax - cgst, decimals),
            &decimal(taxable + tax, decimals),
            code,
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

impl From<NotShown> for Problem {
    fn from(why: NotShown) -> Self {
        match why {
            NotShown::Unknown => {
                Self::new(StatusCode::NOT_FOUND, "no-document", NotShown::Unknown.to_string())
            }
            NotShown::Order(why) => why.into(),
            NotShown::NotPrinted(why) => Self::internal(&why),
            NotShown::Store(why) => why.into(),
        }
    }
}

impl From<NotASeller> for Problem {
    fn from(why: NotASeller) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "seller", why.to_string())
    }
}
