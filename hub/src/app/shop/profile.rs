//! What owners say about their shops beside name and place: hours, delivery, languages, addresses.
//!
//! **Invariant:** what stands in a profile was parsed: hours that nobody could evaluate, or a zone
//! that does not exist, never get in.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kirana_core::{id::ShopId, money::Money, time::UnixMs};
use opening_hours::OpeningHours;
use serde::{Deserialize, Serialize};

use super::plain;
use crate::{
    app::{Error, Hub, policy::Actor},
    clock::{Rng, draw},
    store::shop::Shop,
};

/// The most addresses of a shop.
pub const ADDRESSES_MAX: usize = 16;
/// The most lines of one address.
const LINES_MAX: usize = 8;
/// The most languages.
const LANGUAGES_MAX: usize = 16;
/// The longest text about a shop, in bytes.
const ABOUT_BYTES_MAX: usize = 2_000;
/// The longest opening hours, in bytes.
const OPENS_BYTES_MAX: usize = 500;
/// How far a shop brings things at most, in metres.
const DELIVERY_M_MAX: u32 = 200_000;

/// What a shop says beside its name and place; all of it is public.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The zone that its hours are meant in, as IANA names it; the hub's own unless given.
    pub timezone: Option<String>,
    /// The languages spoken there, such as `hi`.
    pub languages: Vec<String>,
    /// Where the shop is called.
    pub phone: Option<String>,
    /// What else there is to say.
    pub about: Option<String>,
    /// Whether and how it brings things.
    pub delivery: Option<Delivery>,
    /// Where it is, in words.
    pub addresses: Vec<Address>,
}

/// How a shop brings things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// How far, in metres.
    #[schema(maximum = 200_000)]
    #[serde(deserialize_with = "kirana_core::whole::read")]
    pub radius_m: u32,
    /// From which sum on.
    #[schema(value_type = Option<Sum>)]
    pub minimum: Option<Money>,
    /// What it costs.
    #[schema(value_type = Option<Sum>)]
    pub fee: Option<Money>,
    /// From which sum on it costs nothing.
    #[schema(value_type = Option<Sum>)]
    pub free_from: Option<Money>,
}

/// A sum of money, as it stands in JSON.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes core's type, which knows nothing of HTTP")]
struct Sum {
    /// In the currency's smallest unit.
    #[schema(minimum = 0)]
    minor: i64,
    /// Three letters (ISO 4217).
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
}

/// A postal address, its parts kept apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Names it within the shop; the hub gives it.
    #[serde(default)]
    #[schema(read_only, format = Uuid)]
    pub id: String,
    /// What it is: "shop", "warehouse".
    pub label: Option<String>,
    /// Street and house, or whatever finds it.
    pub lines: Vec<String>,
    /// City or village.
    pub city: String,
    /// State or region.
    pub region: Option<String>,
    /// Postal code.
    pub postcode: Option<String>,
    /// Two letters (ISO 3166-1).
    pub country: String,
}

/// Changes to a shop's profile: what is absent stays, `Some(None)` empties.
#[derive(Debug, Clone, Default)]
pub struct ShopChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where it is.
    pub place: Option<kirana_core::geohash::Place>,
    /// In which city or quarter.
    pub city: Option<Option<String>>,
    /// Opening hours, as OpenStreetMap writes them.
    pub opens: Option<Option<String>>,
    /// Closed for today, whatever the hours say.
    pub closed_today: Option<bool>,
    /// The zone that its hours are meant in.
    pub timezone: Option<Option<String>>,
    /// The languages spoken there.
    pub languages: Option<Vec<String>>,
    /// Where the shop is called.
    pub phone: Option<Option<String>>,
    /// What else there is to say.
    pub about: Option<Option<String>>,
    /// Whether and how it brings things.
    pub delivery: Option<Option<Delivery>>,
}

/// Whether somebody may come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// By its hours and its word for today; `None` when it told no hours.
    pub now: Option<bool>,
    /// By its word for today.
    pub closed_today: bool,
}

impl Hub {
    /// Changes what a shop says about itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field; [`Error::NotFound`] for a shop that is not one's own.
    pub async fn change_shop(
        &self,
        actor: &Actor,
        id: ShopId,
        change: ShopChange,
        now: UnixMs,
    ) -> Result<Shop, Error> {
        let mut shop = self.own_shop(actor, id, now).await?;
        if let Some(name) = change.name {
            shop.name = plain("name", name)?;
        }
        if let Some(city) = change.city {
            shop.city = city.map(|city| plain("city", city)).transpose()?;
        }
        if let Some(opens) = change.opens {
            shop.opens = opens.map(hours).transpose()?;
        }
        shop.place = change.place.unwrap_or(shop.place);
        let Details { timezone, languages, phone, about, delivery, addresses } = shop.details;
        shop.details = Details {
            timezone: change.timezone.unwrap_or(timezone),
            languages: change.languages.unwrap_or(languages),
            phone: change.phone.unwrap_or(phone),
            about: change.about.unwrap_or(about),
            delivery: change.delivery.unwrap_or(delivery),
            addresses,
        }
        .checked()?;
        if let Some(closed) = change.closed_today {
            shop.closed_on = closed.then(|| self.day_at(&shop, now).to_string());
        }
        Ok(self.store().change_shop(shop, now).await?)
    }

    /// Adds an address to a shop, or replaces one of its own.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another shop or another address; [`Error::Conflict`] when there are
    /// enough.
    pub async fn put_shop_address(
        &self,
        actor: &Actor,
        id: ShopId,
        replaced: Option<&str>,
        mut address: Address,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Address, Error> {
        let mut shop = self.own_shop(actor, id, now).await?;
        let there = &mut shop.details.addresses;
        match replaced {
            Some(replaced) => {
                let old = there.iter_mut().find(|one| one.id == replaced);
                let old = old.ok_or(Error::NotFound { what: "address" })?;
                address.id = old.id.clone();
                *old = address.clone();
            }
            None if there.len() >= ADDRESSES_MAX => {
                return Err(Error::Conflict { why: "the shop has sixteen addresses: remove one" });
            }
            None => {
                let random: [u8; 10] = draw(rng);
                let id = uuid::Builder::from_unix_timestamp_millis(now.get(), &random);
                address.id = id.into_uuid().to_string();
                there.push(address.clone());
            }
        }
        shop.details = shop.details.checked()?;
        self.store().change_shop(shop, now).await?;
        Ok(address)
    }

    /// Removes an address of a shop.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another shop or another address.
    pub async fn remove_shop_address(
        &self,
        actor: &Actor,
        id: ShopId,
        address: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        let mut shop = self.own_shop(actor, id, now).await?;
        let before = shop.details.addresses.len();
        shop.details.addresses.retain(|one| one.id != address);
        if shop.details.addresses.len() == before {
            return Err(Error::NotFound { what: "address" });
        }
        self.store().change_shop(shop, now).await?;
        Ok(())
    }

    /// Whether a shop is open.
    pub fn opened(&self, shop: &Shop, now: UnixMs) -> Opened {
        let closed_today = shop.closed_on.as_deref() == Some(&*self.day_at(shop, now).to_string());
        let hours = shop.opens.as_deref().and_then(|opens| opens.parse::<OpeningHours>().ok());
        let by_hours = hours.and_then(|hours| Some(hours.is_open(self.local(shop, now)?)));
        let now = match shop.closing_since {
            Some(_) => Some(false),
            None => by_hours.map(|open| open && !closed_today),
        };
        Opened { now, closed_today }
    }

    fn day_at(&self, shop: &Shop, now: UnixMs) -> Date {
        self.zoned(shop, now).date()
    }

    /// The wall clock where the shop stands.
    fn local(&self, shop: &Shop, now: UnixMs) -> Option<chrono::NaiveDateTime> {
        let at = self.zoned(shop, now).datetime();
        let (month, day) = (at.month().unsigned_abs().into(), at.day().unsigned_abs().into());
        let date = chrono::NaiveDate::from_ymd_opt(at.year().into(), month, day)?;
        let (hour, minute) = (at.hour().unsigned_abs().into(), at.minute().unsigned_abs().into());
        date.and_hms_opt(hour, minute, 0)
    }

    fn zoned(&self, shop: &Shop, now: UnixMs) -> jiff::Zoned {
        let named = shop.details.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let zone = named.unwrap_or_else(|| self.settings().timezone.clone());
        let at = i64::try_from(now.get()).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned(zone)
    }
}

impl Details {
    /// Details within limits.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub fn checked(self) -> Result<Self, Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        if self.timezone.as_deref().is_some_and(|name| TimeZone::get(name).is_err()) {
            return invalid("timezone", "a zone as IANA names it, such as Asia/Kolkata");
        }
        let is_language = |tag: &String| {
            (2..=35).contains(&tag.len())
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if self.languages.len() > LANGUAGES_MAX || !self.languages.iter().all(is_language) {
            return invalid("languages", "up to sixteen language tags such as en or hi-IN");
        }
        let phone = self.phone.map(|phone| plain("phone", phone)).transpose()?;
        if self.about.as_ref().is_some_and(|about| about.len() > ABOUT_BYTES_MAX) {
            return invalid("about", "at most 2000 bytes");
        }
        if self.delivery.as_ref().is_some_and(|delivery| !delivery.is_sound()) {
            let why = "a radius of at most 200 km, and sums from zero on in one currency";
            return invalid("delivery", why);
        }
        let addresses = self.addresses.into_iter().map(Address::checked);
        let addresses = addresses.collect::<Result<_, _>>()?;
        Ok(Self { phone, addresses, ..self })
    }
}

impl Delivery {
    fn is_sound(&self) -> bool {
        let mut sums = [self.minimum, self.fee, self.free_from].into_iter().flatten();
        let first = sums.next();
        let fits =
            |sum: Money| sum.minor >= 0 && first.is_none_or(|first| first.currency == sum.currency);
        self.radius_m <= DELIVERY_M_MAX && first.is_none_or(fits) && sums.all(fits)
    }
}

impl Address {
    fn checked(self) -> Result<Self, Error> {
        let why = "two capital letters, as ISO 3166-1 has them";
        let country = self.country.trim().to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::Invalid { field: "country", why });
        }
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            return Err(Error::Invalid { field: "lines", why: "one to eight lines" });
        }
        let optional = |field, text: Option<String>| text.map(|t| plain(field, t)).transpose();
        Ok(Self {
            id: self.id,
            label: optional("label", self.label)?,
            lines: self.lines.into_iter().map(|l| plain("lines", l)).collect::<Result<_, _>>()?,
            city: plain("city", self.city)?,
            region: optional("region", self.region)?,
            postcode: optional("postcode", self.postcode)?,
            country,
        })
    }
}

/// Hours that can be evaluated.
pub(super) fn hours(text: String) -> Result<String, Error> {
    let why = "opening hours as OpenStreetMap writes them, such as Mo-Sa 08:00-21:00";
    let text = text.trim().to_owned();
    match text.len() <= OPENS_BYTES_MAX && text.parse::<OpeningHours>().is_ok() {
        true => Ok(text),
        false => Err(Error::Invalid { field: "opens", why }),
    }
}
