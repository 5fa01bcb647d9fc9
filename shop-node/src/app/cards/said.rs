//! What the provider says, read from its JSON: only what is needed, and nothing that cannot be.

use kirana_core::{
    order::facts::{CardFailure, PROVIDER_TEXT_BYTES_MAX},
    time::UnixMs,
};
use serde::Deserialize;
use serde_json::Value;

use crate::store::cards::Charge;

/// How a payment stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The customer has not confirmed it yet.
    Open,
    /// The sum is held.
    Held,
    /// The sum was taken.
    Taken,
    /// It was called off, or let go.
    CalledOff,
}

/// A payment as the provider tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The provider's name of it.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// What was asked for, in minor units.
    pub minor: i64,
    /// In which currency, in small letters.
    pub currency: String,
    /// What is held, where it says so.
    pub held_minor: Option<i64>,
    /// What was taken, where it says so.
    pub taken_minor: Option<i64>,
    /// By what the customer confirms it.
    pub secret: Option<String>,
    /// What went wrong last.
    pub failure: Option<CardFailure>,
    /// Until when the sum is held, where it says so.
    pub until: Option<UnixMs>,
}

impl Intent {
    /// What was taken, where it was and the provider tells how much.
    pub fn took(&self) -> Option<i64> {
        self.taken_minor.filter(|minor| self.status == Status::Taken && *minor > 0)
    }
}

/// What went back of a payment: each refund's name, sum, key of ours, and whether it failed.
pub type Refunds = Vec<(String, i64, Option<String>, bool)>;

/// A page of what the provider took, and whether there is more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charges {
    /// What it took.
    pub all: Vec<Charge>,
    /// The last one's name, where there is more.
    pub more_after: Option<String>,
}

#[derive(Deserialize)]
struct IntentJson {
    id: String,
    status: String,
    amount: i64,
    currency: String,
    amount_capturable: Option<i64>,
    amount_received: Option<i64>,
    client_secret: Option<String>,
    last_payment_error: Option<ErrorJson>,
    /// Its name, or the whole of it.
    latest_charge: Option<Value>,
}

#[derive(Deserialize)]
struct ErrorJson {
    code: Option<String>,
    decline_code: Option<String>,
}

#[derive(Deserialize)]
struct ChargeJson {
    id: String,
    amount: i64,
    amount_captured: Option<i64>,
    #[serde(default)]
    amount_refunded: i64,
    #[serde(default)]
    captured: bool,
    created: u64,
    currency: String,
    payment_intent: Option<String>,
    status: Option<String>,
    refunds: Option<ListJson<RefundJson>>,
    payment_method_details: Option<Value>,
}

#[derive(Deserialize)]
struct RefundJson {
    id: String,
    amount: i64,
    status: Option<String>,
    #[serde(default)]
    metadata: Option<Value>,
}

#[derive(Deserialize)]
struct ListJson<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

/// Reads a payment; nothing where it is none.
pub fn intent(bytes: &[u8]) -> Option<Intent> {
    let json: IntentJson = serde_json::from_slice(bytes).ok()?;
    let status = match json.status.as_str() {
        "requires_payment_method" | "requires_confirmation" | "requires_action" | "processing" => {
            Status::Open
        }
        "requires_capture" => Status::Held,
        "succeeded" => Status::Taken,
        "canceled" => Status::CalledOff,
        _ => return None,
    };
    let charge = json.latest_charge.filter(Value::is_object);
    let charge: Option<ChargeJson> = charge.and_then(|json| serde_json::from_value(json).ok());
    let is_name = is_name(&json.id);
    let until = charge.as_ref().and_then(|charge| {
        let card = charge.payment_method_details.as_ref()?.get("card")?;
        Some(UnixMs::new(card.get("capture_before")?.as_u64()?.checked_mul(1_000)?))
    });
    let received = json.amount_received.filter(|minor| *minor > 0);
    let failed = json.last_payment_error.filter(|_| status == Status::Open);
    is_name.then_some(Intent {
        id: json.id,
        status,
        minor: json.amount,
        currency: json.currency.to_ascii_lowercase(),
        held_minor: json.amount_capturable.filter(|minor| *minor > 0),
        taken_minor: received.or_else(|| charge.as_ref().and_then(taken)),
        secret: json.client_secret,
        failure: failed.map(|error| failure_of(error.decline_code.or(error.code).as_deref())),
        until,
    })
}

/// What was taken by a charge. Who takes less than was held is shown to have given the rest back: what
/// went back by our own word is none of that.
fn taken(charge: &ChargeJson) -> Option<i64> {
    if !charge.captured {
        return None;
    }
    if let Some(minor) = charge.amount_captured {
        return Some(minor);
    }
    let backs = charge.refunds.as_ref().map_or(&[][..], |list| &list.data);
    let not_ours = backs.iter().filter(|back| ours(back).is_none()).map(|back| back.amount);
    Some(charge.amount - not_ours.sum::<i64>())
}

fn ours(back: &RefundJson) -> Option<String> {
    Some(back.metadata.as_ref()?.get("kirana")?.as_str()?.to_owned())
}

/// Reads what went back of a payment; nothing where it is no such list.
pub fn refunds(bytes: &[u8]) -> Option<Refunds> {
    let list: ListJson<RefundJson> = serde_json::from_slice(bytes).ok()?;
    list.data.into_iter().map(|back| refund_of(back).filter(|(id, ..)| is_name(id))).collect()
}

/// Reads one refund.
pub fn refund(bytes: &[u8]) -> Option<(String, i64, Option<String>, bool)> {
    refund_of(serde_json::from_slice(bytes).ok()?).filter(|(id, ..)| is_name(id))
}

fn refund_of(back: RefundJson) -> Option<(String, i64, Option<String>, bool)> {
    let failed = matches!(back.status.as_deref(), Some("failed" | "canceled"));
    let key = ours(&back);
    Some((back.id, back.amount, key, failed))
}

/// Reads a page of what the provider took; nothing where it is no such list.
pub fn charges(bytes: &[u8]) -> Option<Charges> {
    let list: ListJson<ChargeJson> = serde_json::from_slice(bytes).ok()?;
    let last = list.data.last().map(|charge| charge.id.clone());
    let mut all = Vec::new();
    for charge in list.data {
        if !is_name(&charge.id) {
            return None;
        }
        if charge.status.as_deref() == Some("failed") {
            continue;
        }
        let minor = taken(&charge).unwrap_or(charge.amount);
        // What was held and not taken is no money that went back.
        let released = if charge.captured { charge.amount - minor } else { 0 };
        all.push(Charge {
            id: charge.id,
            intent: charge.payment_intent.filter(|intent| is_name(intent)),
            at: UnixMs::new(charge.created.saturating_mul(1_000)),
            currency: charge.currency.chars().take(8).collect(),
            minor,
            captured: charge.captured,
            refunded_minor: (charge.amount_refunded - released).max(0),
        });
    }
    Some(Charges { all, more_after: last.filter(|_| list.has_more) })
}

/// A name that a provider gave and that may stand in an address.
pub(super) fn is_name(text: &str) -> bool {
    (1..=PROVIDER_TEXT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The reason that a provider's word stands for.
pub fn failure_of(code: Option<&str>) -> CardFailure {
    match code.unwrap_or_default() {
        "insufficient_funds" => CardFailure::InsufficientFunds,
        "expired_card" => CardFailure::ExpiredCard,
        "authentication_required" | "payment_intent_authentication_failure" => {
            CardFailure::Authentication
        }
        "incorrect_cvc"
        | "invalid_cvc"
        | "incorrect_number"
        | "invalid_number"
        | "invalid_expiry_month"
        | "invalid_expiry_year" => CardFailure::IncorrectCard,
        _ => CardFailure::Declined,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(more: &Value) -> Option<Intent> {
        let mut whole = json!({ "id": "pi_1", "status": "succeeded", "amount": 900,
            "currency": "INR", "client_secret": "pi_1_secret_x" });
        for (name, value) in more.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        intent(whole.to_string().as_bytes())
    }

    #[test]
    fn what_was_taken_is_read_from_any_of_its_forms() {
        let taken = |more: Value| read(&more).and_then(|intent| intent.taken_minor);
        assert_eq!(taken(json!({ "amount_received": 700 })), Some(700));
        let charge = json!({ "id": "ch_1", "amount": 900, "captured": true, "created": 1,
            "currency": "inr", "amount_captured": 700 });
        assert_eq!(taken(json!({ "latest_charge": charge })), Some(700));
        let older = json!({ "id": "ch_1", "amount": 900, "captured": true, "created": 1,
            "currency": "inr", "refunds": { "data": [
                { "id": "re_1", "amount": 200, "metadata": {} },
                { "id": "re_2", "amount": 100, "metadata": { "kirana": "k" } },
            ] } });
        assert_eq!(taken(json!({ "latest_charge": older })), Some(700));
        assert_eq!(taken(json!({ "latest_charge": "ch_1" })), None, "only its name");
    }

    #[test]
    fn what_no_version_knows_is_not_read() {
        assert!(read(&json!({ "status": "weighed" })).is_none());
        assert!(read(&json!({ "id": "pi/../x" })).is_none());
        assert!(read(&json!({ "amount": "900" })).is_none());
        assert!(intent(b"<html>").is_none() && charges(b"{}").is_none());
    }

    #[test]
    fn a_charge_of_less_than_was_held_gave_nothing_back() {
        let list = json!({ "data": [
            { "id": "ch_1", "amount": 900, "captured": true, "created": 5, "currency": "inr",
              "amount_captured": 700, "amount_refunded": 300, "payment_intent": "pi_1" },
            { "id": "ch_2", "amount": 5, "captured": false, "created": 5, "currency": "inr",
              "status": "failed" },
        ], "has_more": true });
        let read = charges(list.to_string().as_bytes()).expect("a list");
        let [charge] = &read.all[..] else { panic!("the failed one is left out") };
        assert_eq!((charge.minor, charge.refunded_minor), (700, 100));
        assert_eq!(read.more_after.as_deref(), Some("ch_2"));
    }
}
