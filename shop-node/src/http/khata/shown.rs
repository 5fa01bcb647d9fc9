//! How books are shown over HTTP and on the command line, and how refusals are named.

use axum::http::StatusCode;
use kirana_core::{
    khata::{act::Act, book::Misstep},
    money::{Currency, Money},
};
use serde_json::{Value, json};

use crate::{
    app::khata::{Due, EntryView, KhataBook, KhataView, NotPrinted, NotWritten},
    http::problem::Problem,
};

/// The books, as HTTP and the command line show them.
pub fn all(views: &[KhataView], currency: Currency) -> Value {
    let money = |minor: i64| Money::new(minor, currency);
    let owed = views.iter().map(|view| view.row.balance.max(0)).fold(0, i64::saturating_add);
    let items: Vec<Value> = views.iter().map(|view| shown(view, currency)).collect();
    json!({
        "items": items, "next_cursor": null, "owed": money(owed),
        "over_limit": views.iter().filter(|view| view.is_over()).count(),
        "second": views.iter().filter(|view| view.row.aside).count(),
    })
}

/// A book, as HTTP and the command line show it.
pub fn shown(view: &KhataView, currency: Currency) -> Value {
    let (row, money) = (&view.row, |minor: i64| Money::new(minor, currency));
    let person = view.person.as_ref();
    json!({
        "id": row.id,
        "customer": row.holder.map(|holder| holder.to_string()),
        "name": person.map(|person| person.name.as_str()),
        "phone": person.map(|person| person.phone.as_str()),
        "balance": money(row.balance),
        "limit": money(row.limit),
        "held": money(view.held),
        "room": money(view.room()),
        "over_limit": view.is_over(),
        "oldest_unpaid": row.dues.oldest(),
        "open": row.is_open,
        "opened_at": row.opened_at,
        "entries_count": row.seq + 1,
        "head": row.head,
        "countersigned": row.signed.map(|(at, head, minor)| json!({
            "at": at, "head": head, "balance": money(minor), "is_newest": view.signed_newest,
        })),
        "disputed_at": row.disputed_at,
        "reminded_at": row.reminded_at,
        "claimed_at": row.claimed_at,
        "waits_for_customer": row.waits_for_heads,
        "second": row.aside,
    })
}

/// A book with its entries, as HTTP and the command line show it.
pub fn with_entries(book: &KhataBook, currency: Currency) -> Value {
    let mut shown = shown(&book.view, currency);
    shown["entries"] = book.entries.iter().map(entry).collect();
    shown["lost_entries"] = json!(book.lost);
    shown
}

fn entry(view: &EntryView) -> Value {
    let mut shown = json!(view.shown);
    shown["words"] = json!(view.words);
    let (amount, more) = match &view.shown.act {
        Act::Opened(opened) => (Some(opened.opening), None),
        Act::Charged(c) => (Some(c.amount), Some(json!({ "of": c.of, "over_limit": c.beyond }))),
        Act::Credited(c) => (Some(c.amount), Some(json!({ "of": c.of }))),
        Act::Paid(m) | Act::PaidOut(m) => (Some(m.amount), Some(json!({ "means": m.means }))),
        Act::WrittenOff(given_up) => (Some(given_up.amount), None),
        Act::LimitSet(set) => (None, Some(json!({ "limit": set.limit }))),
        Act::Countersigned(signed) => {
            (None, Some(json!({ "signed_head": signed.head, "signed_balance": signed.balance })))
        }
        Act::Disputed(disputed) => (None, Some(json!({ "signed_head": disputed.head }))),
        _ => (None, None),
    };
    shown["amount"] = json!(amount);
    if let Some(Value::Object(more)) = more {
        more.into_iter().for_each(|(name, value)| shown[name] = value);
    }
    if let Some((who, till)) = &view.by {
        shown["by"] = json!(who);
        shown["till"] = json!(till);
    }
    shown
}

/// Who is to be reminded, as HTTP and the command line show it.
pub fn of_due(due: &[Due], currency: Currency) -> Value {
    let items = due.iter().map(|due| {
        let mut item = shown(&due.view, currency);
        item["old"] = json!(Money::new(due.old, currency));
        item["by_device"] = json!(due.by_device);
        item["says"] = json!(due.says);
        item
    });
    json!({ "items": items.collect::<Vec<_>>(), "next_cursor": null })
}

impl From<NotWritten> for Problem {
    fn from(why: NotWritten) -> Self {
        let title = why.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        let wrong = |code| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title.clone());
        match why {
            NotWritten::Unknown => Self::not_found(),
            NotWritten::NoKhata => conflict("no-khata"),
            NotWritten::Misstep(Misstep::Limit { .. }) => conflict("khata-limit"),
            NotWritten::Misstep(Misstep::Beyond { .. }) => conflict("khata-beyond"),
            NotWritten::Misstep(Misstep::NotEven { .. }) => conflict("khata-not-even"),
            NotWritten::Misstep(Misstep::IsClosed) => conflict("khata-closed"),
            NotWritten::Misstep(Misstep::Money(_) | Misstep::NoMoney | Misstep::NoMeans) => {
                wrong("khata-amount")
            }
            NotWritten::Misstep(_) => conflict("does-not-fit"),
            NotWritten::Waits(_) => conflict("waits-for-customer"),
            NotWritten::Damaged(_) => conflict("khata-damaged"),
            NotWritten::HasOne(_) => conflict("khata-exists"),
            NotWritten::ChargedBefore => conflict("charged-before"),
            NotWritten::OtherKhata => conflict("other-khata"),
            NotWritten::StandsAside(_) => conflict("khata-second"),
            NotWritten::StandsAlone(_) => conflict("khata-alone"),
            NotWritten::StillHeld(_) => conflict("khata-held"),
            NotWritten::Nobody | NotWritten::Words | NotWritten::Name => wrong("khata-words"),
            NotWritten::KeyReused => wrong("idempotency-key-reused"),
            NotWritten::ReadOnly(_) => conflict("read-only"),
            NotWritten::NotStored(not_stored) => not_stored.into(),
            NotWritten::Store(error) => Self::internal(&error),
        }
    }
}

impl From<NotPrinted> for Problem {
    fn from(why: NotPrinted) -> Self {
        match why {
            NotPrinted::NotShown(why) => why.into(),
            other => Self::internal(&other),
        }
    }
}
