//! On which terms a shop hands goods over: when it is open, where it brings them and for how much,
//! and in which spans of time.
//!
//! **Invariant:** terms that were checked can be evaluated: their hours, zone and windows are sound,
//! so that a household without a network works out the same fee and the same slots as the shop.
//!
//! ```
//! use kirana_core::{money::{Currency, Money}, terms::{Delivery, Terms, Way}};
//! let rupees = |n: i64| Some(Money::new(n * 100, Currency::INR));
//! let delivery = Delivery {
//!     radius_m: Some(2_000), minimum: rupees(100), fee: rupees(20), free_from: rupees(500), tax_bp: 500,
//! };
//! let terms = Terms { delivery: Some(delivery), ..Terms::default() };
//! terms.check(Currency::INR)?;
//! let fee = terms.fee(Way::Delivery, Money::new(300_00, Currency::INR), Some(900));
//! assert_eq!(fee.unwrap().map(|fee| fee.amount), rupees(20));
//! assert_eq!(terms.fee(Way::Delivery, Money::new(500_00, Currency::INR), Some(900)), Ok(None));
//! # Ok::<(), kirana_core::terms::Unsound>(())
//! ```

use jiff::tz::TimeZone;
use minicbor::{Decode, Encode};
use opening_hours::OpeningHours;
use serde::{Deserialize, Serialize};

use crate::{
    day::Day,
    money::{Currency, Money, Price},
    order::{
        TAX_BP_MAX,
        facts::{DeclineReason, Fee},
        placed::{Handover, Slot, check_price},
    },
    time::UnixMs,
    upi::{NotAPayee, Payee},
};

mod published;
mod window;

pub use published::{Published, SignedTerms, TERMS_BYTES_MAX, UnverifiedTerms};
pub use window::{Offered, Weekdays, Window};

/// The most windows that a shop offers.
pub const WINDOWS_MAX: usize = 64;
/// The most days on which it stays closed, whatever its hours say.
pub const CLOSED_DAYS_MAX: usize = 100;
/// The longest opening hours, in bytes.
pub const OPENS_BYTES_MAX: usize = 500;
/// How far a shop brings things at most, in metres.
pub const RADIUS_M_MAX: u32 = 200_000;
/// How far ahead slots are offered at most, in days.
pub const AHEAD_DAYS_MAX: u16 = 31;

/// How goods get to a customer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The customer comes to the shop.
    #[n(0)]
    Pickup,
    /// The shop brings it.
    #[n(1)]
    Delivery,
}

impl Way {
    /// How an order wants it, and when.
    pub fn of(handover: Handover) -> (Self, Option<Slot>) {
        match handover {
            Handover::Pickup { slot } => (Self::Pickup, slot),
            Handover::Delivery { slot } => (Self::Delivery, slot),
        }
    }

    /// As an order says it.
    pub fn at(self, slot: Option<Slot>) -> Handover {
        match self {
            Self::Pickup => Handover::Pickup { slot },
            Self::Delivery => Handover::Delivery { slot },
        }
    }
}

/// What a shop says about handing goods over; one that says nothing hands everything over anyhow.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// The zone that hours and windows are meant in, as IANA names it; UTC if left out.
    #[n(0)]
    pub zone: Option<String>,
    /// When it is open, as OpenStreetMap writes it: `Mo-Sa 08:00-21:00; PH off`.
    #[n(1)]
    pub opens: Option<String>,
    /// Days on which it stays closed, whatever the hours say.
    #[n(2)]
    pub closed_on: Vec<Day>,
    /// Whether customers may come and collect.
    #[n(3)]
    pub pickup: bool,
    /// Whether and how it brings things.
    #[n(4)]
    pub delivery: Option<Delivery>,
    /// The spans of time that it offers, week by week.
    #[n(5)]
    pub windows: Vec<Window>,
    /// Whether an order has to name one of them, where there is one for its way.
    #[n(6)]
    pub only_in_windows: bool,
    /// Where the shop is paid by UPI.
    #[n(7)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upi: Option<Payee>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            zone: None,
            opens: None,
            closed_on: Vec::new(),
            pickup: true,
            delivery: None,
            windows: Vec::new(),
            only_in_windows: false,
            upi: None,
        }
    }
}

/// How a shop brings things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// How far, in metres as the crow flies; wherever it can if left out.
    #[n(0)]
    pub radius_m: Option<u32>,
    /// From which sum of goods on.
    #[n(1)]
    pub minimum: Option<Money>,
    /// What it costs, tax included.
    #[n(2)]
    pub fee: Option<Money>,
    /// From which sum of goods on it costs nothing.
    #[n(3)]
    pub free_from: Option<Money>,
    /// The tax inside the fee, in basis points.
    #[n(4)]
    pub tax_bp: u32,
}

impl Terms {
    /// Whether all of it can be evaluated, and its sums are in the shop's currency.
    ///
    /// # Errors
    /// [`Unsound`] names the first part that is not.
    pub fn check(&self, currency: Currency) -> Result<(), Unsound> {
        if self.zone.as_deref().is_some_and(|zone| TimeZone::get(zone).is_err()) {
            return Err(Unsound::Zone);
        }
        let is_hours =
            |text: &String| text.len() <= OPENS_BYTES_MAX && text.parse::<OpeningHours>().is_ok();
        if !self.opens.iter().all(is_hours) {
            return Err(Unsound::Opens);
        }
        if self.closed_on.len() > CLOSED_DAYS_MAX {
            return Err(Unsound::ClosedDays);
        }
        if self.windows.len() > WINDOWS_MAX || !self.windows.iter().all(Window::is_sound) {
            return Err(Unsound::Windows);
        }
        if !self.pickup && self.delivery.is_none() {
            return Err(Unsound::NoWay);
        }
        self.upi.iter().try_for_each(Payee::check)?;
        self.delivery.iter().try_for_each(|delivery| delivery.check(currency))
    }

    /// What bringing goods for `goods`, tax included, costs so many metres away; nothing where it
    /// is free or fetched.
    ///
    /// # Errors
    /// [`DeclineReason::NoDelivery`] or [`DeclineReason::BelowMinimum`]; a distance that is not
    /// known is taken to be near enough.
    pub fn fee(
        &self,
        way: Way,
        goods: Money,
        distance_m: Option<u32>,
    ) -> Result<Option<Fee>, DeclineReason> {
        let delivery = match (way, &self.delivery) {
            (Way::Pickup, _) if self.pickup => return Ok(None),
            (Way::Delivery, Some(delivery)) => delivery,
            (Way::Pickup, _) => return Err(DeclineReason::NoPickup),
            (Way::Delivery, None) => return Err(DeclineReason::NoDelivery),
        };
        if distance_m.zip(delivery.radius_m).is_some_and(|(far, radius)| far > radius) {
            return Err(DeclineReason::NoDelivery);
        }
        if delivery.minimum.is_some_and(|minimum| goods.minor < minimum.minor) {
            return Err(DeclineReason::BelowMinimum);
        }
        let is_free = delivery.free_from.is_some_and(|from| goods.minor >= from.minor);
        let fee = delivery.fee.filter(|fee| fee.minor > 0 && !is_free);
        Ok(fee.map(|amount| Fee { amount, tax_bp: delivery.tax_bp }))
    }

    /// Whether somebody who is brought something has to say where on the map that is.
    pub fn asks_where(&self, way: Way) -> bool {
        way == Way::Delivery && self.delivery.as_ref().is_some_and(|d| d.radius_m.is_some())
    }

    /// Whether an order for this span of time may still be taken now, when `taken` others have it.
    ///
    /// # Errors
    /// [`DeclineReason`] says why not.
    pub fn takes(
        &self,
        (way, slot): (Way, Option<Slot>),
        taken: u32,
        now: UnixMs,
    ) -> Result<(), DeclineReason> {
        let Some(slot) = slot else {
            let has_windows = self.windows.iter().any(|window| window.way == way);
            return match self.only_in_windows && has_windows {
                true => Err(DeclineReason::SlotNeeded),
                false => Ok(()),
            };
        };
        if self.windows.is_empty() {
            // A shop that offers no windows reads a time as a wish.
            return if slot.until <= now { Err(DeclineReason::SlotPassed) } else { Ok(()) };
        }
        let offered = self.offer(way, slot).ok_or(DeclineReason::NoSuchSlot)?;
        match (offered.last_call < now, taken >= u32::from(offered.capacity)) {
            (true, _) => Err(DeclineReason::SlotPassed),
            (false, true) => Err(DeclineReason::SlotFull),
            (false, false) => Ok(()),
        }
    }

    /// The currency of the first of its sums; any other one has to be the same.
    fn currency(&self) -> Currency {
        let sums = self.delivery.iter().flat_map(|d| [d.minimum, d.fee, d.free_from]);
        sums.flatten().map(|sum| sum.currency).next().unwrap_or(Currency::INR)
    }

    fn zone(&self) -> TimeZone {
        let named = self.zone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
        named.unwrap_or(TimeZone::UTC)
    }
}

impl Delivery {
    fn check(&self, currency: Currency) -> Result<(), Unsound> {
        if self.radius_m.is_some_and(|radius| radius > RADIUS_M_MAX) {
            return Err(Unsound::Radius);
        }
        let sums = [self.minimum, self.fee, self.free_from].into_iter().flatten();
        let is_price = |sum: Money| {
            check_price(Price { minor: sum.minor, per: 1, currency: sum.currency }, currency)
        };
        let are_prices = sums.map(is_price).all(|sum| sum.is_ok());
        if !are_prices || self.tax_bp > TAX_BP_MAX {
            return Err(Unsound::Sums);
        }
        Ok(())
    }
}

/// Terms that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// The zone.
    #[error("a time zone is one as IANA names it, such as Asia/Kolkata")]
    Zone,
    /// The hours.
    #[error("opening hours are as OpenStreetMap writes them, such as Mo-Sa 08:00-21:00")]
    Opens,
    /// Too many days.
    #[error("at most {CLOSED_DAYS_MAX} days are named on which the shop stays closed")]
    ClosedDays,
    /// One of the windows.
    #[error(
        "a window has a weekday, ends after it begins and before the day does, takes at least one \
         order, and its last call is at most a week before; there are at most {WINDOWS_MAX}"
    )]
    Windows,
    /// Nothing could be handed over.
    #[error("goods are collected, or brought, or both: with neither nobody gets any")]
    NoWay,
    /// The radius.
    #[error("a shop brings things at most {} km far", RADIUS_M_MAX / 1000)]
    Radius,
    /// To whom money goes.
    #[error(transparent)]
    Upi(#[from] NotAPayee),
    /// One of the sums.
    #[error(
        "minimum, fee and free-from are sums from zero on in the shop's currency, and tax at most 100 %"
    )]
    Sums,
}

#[cfg(test)]
mod tests;
