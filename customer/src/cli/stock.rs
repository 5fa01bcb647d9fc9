//! Says what is known of a product's stock, and how old that knowledge is.

use kirana_core::{
    availability::Level,
    time::{DAY_MS, UnixMs},
};
use serde::Serialize;

use crate::app::availability::Stock;

/// What a shop said last of a product.
#[derive(Serialize)]
pub(super) struct KnownStock {
    /// Nothing where the shop never said.
    stock: Option<Level>,
    /// When it was so.
    stock_at: Option<UnixMs>,
    stock_age_ms: Option<u64>,
}

impl KnownStock {
    pub(super) fn of(stock: Option<&Stock>, now: UnixMs) -> Self {
        Self {
            stock: stock.map(|stock| stock.level),
            stock_at: stock.map(|stock| stock.at),
            stock_age_ms: stock.map(|stock| now.since(stock.at)),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let what = match self.stock {
            None => return "the shop has not said whether there is any".to_owned(),
            Some(Level::Enough) => "in stock",
            Some(Level::Few) => "only a few left",
            Some(Level::None) => "none left",
            Some(Level::NotCounted) => "not counted, the shop will look",
        };
        format!("{what}, as of {}", ago(self.stock_age_ms.unwrap_or_default()))
    }
}

/// An age in the largest unit that fits.
pub(super) fn ago(age_ms: u64) -> String {
    let (number, unit) = match age_ms {
        age if age < MINUTE_MS => return "just now".to_owned(),
        age if age < HOUR_MS => (age / MINUTE_MS, "minute"),
        age if age < 2 * DAY_MS => (age / HOUR_MS, "hour"),
        age => (age / DAY_MS, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_the_largest_unit_that_fits() {
        for (age, said) in [
            (59_999, "just now"),
            (MINUTE_MS, "1 minute ago"),
            (HOUR_MS - 1, "59 minutes ago"),
            (47 * HOUR_MS, "47 hours ago"),
            (90 * DAY_MS, "90 days ago"),
        ] {
            assert_eq!(ago(age), said);
        }
    }
}
