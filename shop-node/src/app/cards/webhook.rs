//! What the provider sends by itself: checked, noted once, and taken as a hint to look.
//!
//! **Invariant:** nothing that a webhook says of money is believed: how the payment stands is read back
//! from the provider, so a forged or repeated one moves nothing.

use hmac::{Hmac, KeyInit, Mac};
use kirana_core::time::{DAY_MS, UnixMs};
use kirana_migrations::{Abort, StoreError};
use serde::Deserialize;
use sha2::Sha256;

use super::said::is_name;
use crate::{
    app::{Shop, refusal::NotStored},
    store::cards,
};

/// The longest event, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// The longest header with signatures, in bytes.
const SIGNATURE_BYTES_MAX: usize = 2_000;
/// The most signatures that are looked at: a secret that is being exchanged has two.
const SIGNATURES_MAX: usize = 8;
/// How far the time of an event may be from ours, in milliseconds.
const TOLERANCE_MS: u64 = 5 * 60_000;
/// How long events are remembered: the provider repeats them for three days.
const REMEMBERED_MS: u64 = 30 * DAY_MS;

/// An event that is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum BadEvent {
    /// The shop waits for none.
    #[error("the shop waits for no events of a payment provider")]
    Unexpected,
    /// It is too long.
    #[error("an event has at most {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not signed as it should be.
    #[error("the event is not signed by the payment provider")]
    Forged,
    /// It is too old, or of a time to come.
    #[error("the event was signed more than five minutes ago, or ahead of time")]
    Late,
    /// It is signed, and cannot be read.
    #[error("the event cannot be read")]
    Malformed,
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct Event {
    id: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    payment_intent: Option<serde_json::Value>,
}

impl Shop {
    /// Takes in an event as it came, with the header that signs it; whether it was new and about a
    /// payment of this shop.
    ///
    /// # Errors
    /// [`BadEvent`]; nothing was changed.
    pub fn hear_card_event(
        &self,
        body: &[u8],
        signed: &str,
        now: UnixMs,
    ) -> Result<bool, BadEvent> {
        let secret = self.cards()?.and_then(|account| account.webhook);
        let secret = secret.ok_or(BadEvent::Unexpected)?;
        if body.len() > EVENT_BYTES_MAX {
            return Err(BadEvent::TooLong);
        }
        let at = check(secret.as_bytes(), body, signed)?;
        let known = self.known_now(now)?.at;
        if known.since(at) > TOLERANCE_MS || at.since(known) > TOLERANCE_MS {
            return Err(BadEvent::Late);
        }
        let event: Event = serde_json::from_slice(body).map_err(|_| BadEvent::Malformed)?;
        if !is_name(&event.id) {
            return Err(BadEvent::Malformed);
        }
        let object = event.data.object;
        let of = object.payment_intent.and_then(|of| of.as_str().map(str::to_owned));
        let about: Vec<String> = [object.id, of].into_iter().flatten().collect();
        let heard = self.writer().write(move |tx| -> Result<bool, Abort<BadEvent>> {
            if !cards::note_event(tx, &event.id, known, REMEMBERED_MS)? {
                return Ok(false);
            }
            let mut ours = false;
            for intent in &about {
                if let Some(mut attempt) = cards::by_intent(tx, intent)? {
                    attempt.look = now;
                    cards::put(tx, &attempt)?;
                    ours = true;
                }
            }
            Ok(ours)
        });
        Ok(heard?)
    }
}

/// The signature of an event, as the header bears it.
pub fn signature(secret: &[u8], at_s: u64, body: &[u8]) -> String {
    let digits = mac(secret, &at_s.to_string(), body).finalize().into_bytes();
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={digits}")
}

fn mac(secret: &[u8], at: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// When an event was signed, if it was.
fn check(secret: &[u8], body: &[u8], signed: &str) -> Result<UnixMs, BadEvent> {
    if signed.len() > SIGNATURE_BYTES_MAX {
        return Err(BadEvent::Forged);
    }
    let parts = || signed.split(',').filter_map(|part| part.trim().split_once('='));
    let times: Vec<&str> = parts().filter(|(name, _)| *name == "t").map(|(_, at)| at).collect();
    // The digits as they stand are what is signed: two times would leave open which one counts.
    let [at] = times[..] else { return Err(BadEvent::Forged) };
    let seconds: u64 = at.parse().map_err(|_| BadEvent::Forged)?;
    let given = parts().filter(|(name, _)| *name == "v1").take(SIGNATURES_MAX);
    let mut holds = false;
    for (_, digits) in given {
        // Each is compared in constant time.
        holds |= unhex(digits).is_some_and(|tag| mac(secret, at, body).verify_slice(&tag).is_ok());
    }
    match holds {
        true => Ok(UnixMs::new(seconds.saturating_mul(1_000))),
        false => Err(BadEvent::Forged),
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..32).map(|n| pair(2 * n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_stripe_describes_it() {
        // openssl dgst -sha256 -hmac whsec_test over `1492774577.{"id":"evt_1"}`
        let signed = signature(b"whsec_test", 1_492_774_577, b"{\"id\":\"evt_1\"}");
        assert_eq!(
            signed,
            "t=1492774577,v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2"
        );
    }

    #[test]
    fn one_true_signature_among_several_is_enough_and_nothing_else_is() {
        let (secret, body) = (b"whsec_x", b"{}");
        let good = signature(secret, 100, body);
        let tag = good.split_once("v1=").expect("one").1;
        let other = "0".repeat(64);
        let holds = |text: String| check(secret, body, &text).is_ok();
        assert!(holds(good.clone()));
        assert!(holds(format!("t=100,v1={other},v1={tag},v0=abc")));
        assert!(holds(format!("t=100, v1={tag}")));
        for bad in [
            String::new(),
            "t=100".to_owned(),
            format!("v1={tag}"),
            format!("t=101,v1={tag}"),
            format!("t=0100,v1={tag}"),
            format!("t=100,t=100,v1={tag}"),
            format!("t=100,v0={tag}"),
            format!("t=100,v1={other}"),
            format!("t=100,v1={}", &tag[..62]),
            format!("t=100,v1={}", "é".repeat(32)),
            format!("t=-100,v1={tag}"),
            format!("{good}{}", ",x=y".repeat(1_000)),
        ] {
            assert!(!holds(bad.clone()), "{bad}");
        }
        assert!(check(b"whsec_y", body, &good).is_err(), "another secret");
        assert!(check(secret, b"{ }", &good).is_err(), "another body");
    }
}
