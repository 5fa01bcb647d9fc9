//! At which provider the shop takes cards, and by what secrets.
//!
//! **Invariant:** secrets lie sealed under the box's key, are never shown, and are for the place that
//! they were given for: another address needs them anew.

use kirana_core::{
    cbor,
    money::Currency,
    order::facts::{PAGE_BYTES_MAX, PROVIDER_TEXT_BYTES_MAX},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use reqwest::Url;
use zeroize::Zeroizing;

use super::NotByCard;
use crate::{
    app::{Inner, Shop},
    outside,
    store::{
        cards,
        settings::{self, Setting},
    },
};

/// Where Stripe itself is called.
pub const STRIPE: &str = "https://api.stripe.com";
/// The longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = PROVIDER_TEXT_BYTES_MAX;

/// The currencies whose minor units are the provider's, too. It writes some sums in other units than
/// ISO 4217 has (RWF or UGX a hundredfold otherwise), or takes only some of them (KWD).
const BY_CARD: &[&[&str]] = &[
    // Without a point.
    &["CLP", "JPY", "KRW", "VND", "XAF", "XOF"],
    // With two digits behind it.
    &["AED", "ARS", "AUD", "BDT", "BGN", "BRL", "CAD", "CHF", "CNY", "COP", "CZK", "DKK", "EGP"],
    &["EUR", "GBP", "GEL", "HKD", "HUF", "IDR", "ILS", "INR", "KES", "KHR", "KZT", "LKR", "MAD"],
    &["MUR", "MVR", "MXN", "MYR", "NGN", "NOK", "NPR", "NZD", "PEN", "PHP", "PKR", "PLN", "QAR"],
    &["RON", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "TZS", "UAH", "USD", "UYU", "ZAR"],
];

/// At which provider the shop takes cards.
#[derive(Clone)]
pub struct Account {
    /// Whether new orders may be paid by card.
    pub on: bool,
    /// Where its API is called.
    pub base: Url,
    /// The shop's public key there.
    pub publishable: String,
    /// A page on which customers confirm, where the shop has one.
    pub page: Option<String>,
    /// By what the shop proves who it is.
    pub secret: Option<Zeroizing<String>>,
    /// By what the provider proves that a webhook is its own.
    pub webhook: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("on", &self.on).finish_non_exhaustive()
    }
}

/// What the owner says about it.
#[derive(Clone)]
pub struct GivenAccount {
    /// Whether new orders may be paid by card.
    pub on: bool,
    /// Where the API is called; Stripe's own if not given.
    pub base: Option<String>,
    /// The shop's public key there.
    pub publishable: String,
    /// A page on which customers confirm.
    pub page: Option<String>,
    /// The secret key; what was given before for the same place if left out.
    pub secret: Option<String>,
    /// The webhooks' signing secret; what was given before if left out.
    pub webhook: Option<String>,
}

#[derive(Debug, Clone, Encode, Decode)]
#[cbor(map)]
struct Stored {
    #[n(0)]
    on: bool,
    #[n(1)]
    base: String,
    #[n(2)]
    publishable: String,
    #[n(3)]
    page: Option<String>,
    #[cbor(n(4), with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
struct Secrets {
    #[n(0)]
    key: Option<String>,
    #[n(1)]
    webhook: Option<String>,
}

impl Shop {
    /// At which provider the shop takes cards; nothing where that was never said.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cards(&self) -> Result<Option<Account>, StoreError> {
        self.reader().read(|c| read(c, &self.inner))
    }

    /// Says at which provider the shop takes cards.
    ///
    /// # Errors
    /// [`NotByCard`]; nothing was changed.
    pub fn set_cards(
        &self,
        given: GivenAccount,
        allow_private: bool,
        rng: &mut dyn CryptoRng,
    ) -> Result<Account, NotByCard> {
        let base = outside::checked_api(given.base.as_deref().unwrap_or(STRIPE), allow_private)?;
        check(&given, &base)?;
        let currency = self.inner.identity.currency;
        if given.on && !is_by_card(currency) {
            return Err(NotByCard::Currency(currency));
        }
        let inner = self.inner.clone();
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let set = self.writer().write(move |tx| -> Result<(), Abort<NotByCard>> {
            let before = read(tx, &inner)?;
            let is_elsewhere = |before: &Account| before.base.origin() != base.origin();
            if before.as_ref().is_some_and(is_elsewhere) && cards::is_busy(tx)? {
                let why = "payments are under way at the other server: turn cards off there, and wait \
                           until they are done";
                return Err(Abort::Refused(NotByCard::Account(why)));
            }
            let same = before.filter(|before| before.base.origin() == base.origin());
            let kept = |given: &Option<String>, before: Option<Zeroizing<String>>| {
                given.clone().or_else(|| before.map(|text| text.to_string()))
            };
            let secrets = Secrets {
                key: kept(&given.secret, same.as_ref().and_then(|same| same.secret.clone())),
                webhook: kept(&given.webhook, same.as_ref().and_then(|same| same.webhook.clone())),
            };
            if given.on && secrets.key.is_none() {
                let why = "give the provider's secret key first";
                return Err(Abort::Refused(NotByCard::Account(why)));
            }
            let plain = Zeroizing::new(cbor::to_vec(&secrets));
            let stored = Stored {
                on: given.on,
                base: base.to_string(),
                publishable: given.publishable.clone(),
                page: given.page.clone(),
                sealed: inner.keys.seal(PLACE, &plain, nonce),
            };
            Ok(settings::put(tx, Setting::Cards, &stored)?)
        });
        set?;
        self.cards()?.ok_or(NotByCard::Off)
    }
}

/// Whether new orders in a currency may be paid by card.
pub(in crate::app) fn is_on(c: &Connection, currency: Currency) -> Result<bool, StoreError> {
    let is_on = settings::get::<Stored>(c, Setting::Cards)?.is_some_and(|stored| stored.on);
    Ok(is_on && is_by_card(currency))
}

fn is_by_card(currency: Currency) -> bool {
    BY_CARD.iter().any(|some| some.contains(&currency.as_str()))
}

pub(super) fn read(c: &Connection, inner: &Inner) -> Result<Option<Account>, StoreError> {
    let Some(stored) = settings::get::<Stored>(c, Setting::Cards)? else { return Ok(None) };
    let damaged = || StoreError::damaged("the account for cards", "sealed");
    let plain = inner.keys.open(PLACE, &stored.sealed).ok_or_else(damaged)?;
    let secrets: Secrets =
        cbor::from_slice("secrets", &plain, 4 * SECRET_BYTES_MAX).map_err(|_| damaged())?;
    let Stored { on, base, publishable, page, .. } = stored;
    Ok(Some(Account {
        on,
        base: base.parse().map_err(|_| damaged())?,
        publishable,
        page,
        secret: secrets.key.map(Zeroizing::new),
        webhook: secrets.webhook.map(Zeroizing::new),
    }))
}

fn check(given: &GivenAccount, base: &Url) -> Result<(), NotByCard> {
    let fits = |text: &str| {
        (1..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    let says = |why| Err(NotByCard::Account(why));
    let is_secret = |text: &str| text.starts_with("sk_") || text.starts_with("rk_");
    if base.query().is_some() || base.fragment().is_some() {
        return says("the provider's address has no ? and no #");
    }
    if !given.publishable.is_empty() && !fits(&given.publishable) {
        return says("a publishable key has up to 255 plain letters");
    }
    if is_secret(&given.publishable) || given.publishable.starts_with("whsec_") {
        return says("that is a secret key: everybody would see it as the publishable one");
    }
    if given.secret.as_deref().is_some_and(|text| !fits(text) || text.starts_with("pk_")) {
        return says("a secret key has up to 255 plain letters, and is not the publishable one");
    }
    if given.webhook.as_deref().is_some_and(|text| !fits(text)) {
        return says("a signing secret has up to 255 plain letters");
    }
    if let Some(page) = &given.page {
        let url = outside::checked(page)?;
        if page.len() > PAGE_BYTES_MAX - 8 || url.fragment().is_some() || !fits_page(page) {
            return says("a page for customers is https:// and has no # in it");
        }
    }
    Ok(())
}

fn fits_page(page: &str) -> bool {
    page.bytes().all(|b| b.is_ascii_graphic())
}

/// Where the secrets are sealed for.
const PLACE: &[u8] = b"cards account";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sums_that_the_provider_writes_alike_go_by_card() {
        let of = |code: &str| code.parse::<Currency>().expect("a code");
        for (code, decimals) in [("INR", 2), ("EUR", 2), ("PKR", 2), ("JPY", 0), ("XOF", 0)] {
            assert!(is_by_card(of(code)) && of(code).decimals() == decimals, "{code}");
        }
        // As docs.stripe.com/currencies has them: no digits, special cases, three digits.
        let unlike = "BIF DJF GNF KMF MGA PYG RWF VUV XPF ISK UGX BHD IQD JOD KWD LYD OMR TND";
        for code in unlike.split(' ') {
            assert!(!is_by_card(of(code)), "{code}");
        }
        for code in BY_CARD.iter().flat_map(|some| some.iter()) {
            let is_whole = BY_CARD[0].contains(code);
            assert_eq!(of(code).decimals(), if is_whole { 0 } else { 2 }, "{code}");
        }
    }
}
