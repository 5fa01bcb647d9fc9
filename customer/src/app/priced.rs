//! What a line of a cart comes to by a shelf as it is known, and what is different from when it was put in.

use kirana_core::{
    catalogue::product::Language,
    household::CartLine,
    id::VariantId,
    money::{Money, Price},
    quantity::Quantity,
    time::UnixMs,
};
use kirana_migrations::catalogue::Shelved;
use serde::Serialize;

/// A line of a cart, with what the shelf says of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedLine {
    /// What is wanted.
    pub line: CartLine,
    /// What it is called; empty where the shop no longer says.
    pub name: String,
    /// What it costs now, for this amount.
    pub price: Option<Price>,
    /// What the line comes to.
    pub sum: Option<Money>,
    /// What it came to by the price at which it was put in, where that is something else.
    pub was: Option<Money>,
    /// What stands against it now.
    pub hurdle: Option<Hurdle>,
}

/// Why a line could not be ordered just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hurdle {
    /// The shop no longer sells it, or has no price for it.
    Gone,
    /// There is none left.
    OutOfStock,
    /// It is not sold in this amount.
    NotInThatAmount,
}

/// A line by a shelf; `None` where the shop no longer has it.
pub fn priced(line: CartLine, shelved: Option<&Shelved>, now: UnixMs) -> PricedLine {
    let Some(shelved) = shelved else {
        let (name, hurdle) = (String::new(), Some(Hurdle::Gone));
        return PricedLine { line, name, price: None, sum: None, was: None, hurdle };
    };
    let variant = shelved.product.variants.get(&line.item.variant);
    let amount = line.quantity.amount();
    let price = variant.and_then(|variant| variant.price_of(amount, now));
    let sum = price.and_then(|price| price.of(amount).ok());
    let before = line.seen.and_then(|seen| seen.of(amount).ok());
    PricedLine {
        name: shelved.product.name(Language::ENGLISH).to_owned(),
        price,
        sum,
        was: before.filter(|before| sum.is_some_and(|sum| sum != *before)),
        hurdle: hurdle(shelved, line.item.variant, line.quantity, now),
        line,
    }
}

/// What stands against ordering so much of something now.
pub fn hurdle(
    shelved: &Shelved,
    variant: VariantId,
    quantity: Quantity,
    now: UnixMs,
) -> Option<Hurdle> {
    let variant = shelved.product.variants.get(&variant);
    let price = variant.and_then(|variant| variant.price_of(quantity.amount(), now));
    match variant {
        None => Some(Hurdle::Gone),
        Some(_) if shelved.product.delisted || price.is_none() => Some(Hurdle::Gone),
        Some(variant) if variant.unit != quantity.unit() || !variant.sells(quantity) => {
            Some(Hurdle::NotInThatAmount)
        }
        Some(_) if !shelved.in_stock => Some(Hurdle::OutOfStock),
        Some(_) => None,
    }
}

impl Hurdle {
    /// The last part of a problem's type.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Gone => "not-sold",
            Self::OutOfStock => "out-of-stock",
            Self::NotInThatAmount => "not-in-that-amount",
        }
    }

    /// For people.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Gone => "the shop no longer sells this",
            Self::OutOfStock => "there is none left",
            Self::NotInThatAmount => {
                "it is not sold in that unit, in such small amounts, or in steps like that"
            }
        }
    }
}
