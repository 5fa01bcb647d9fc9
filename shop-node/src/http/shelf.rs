//! A product as HTTP shows it, on the shelf and to those who edit it.
//!
//! **Invariant:** what is shown borrows from what was read: a page of a search is written once,
//! straight into the answer.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::product::{Language, Product, Variant},
    gtin::Gtin,
    id::{ProductId, VariantId},
    money::{Currency, Price},
    quantity::Unit,
};
use kirana_migrations::catalogue::Shelved;
use serde::Serialize;

/// A page of the shelf.
#[derive(Serialize)]
pub struct Shelf<'a> {
    /// The products.
    pub items: Vec<Shown<'a>>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// One product; what it costs is its first variant's price.
#[derive(Serialize)]
pub struct Shown<'a> {
    id: ProductId,
    name: &'a str,
    names: &'a BTreeMap<Language, String>,
    synonyms: &'a BTreeSet<String>,
    brand: Option<&'a str>,
    category: Option<&'a str>,
    description: Option<&'a str>,
    tax_bp: u32,
    counted: bool,
    delisted: bool,
    diets: &'a BTreeSet<String>,
    allergens: &'a BTreeSet<String>,
    gtin: Option<Gtin>,
    price: Option<Price>,
    unit_price: Option<UnitPrice>,
    available: Option<u64>,
    in_stock: bool,
    variants: Vec<VariantShown<'a>>,
}

#[derive(Serialize)]
struct VariantShown<'a> {
    id: VariantId,
    label: Option<&'a str>,
    gtin: Option<Gtin>,
    sku: Option<&'a str>,
    price: Option<Price>,
    unit: Unit,
    step: u64,
    min: u64,
    unit_price: Option<UnitPrice>,
}

/// The price of a kilogram, a litre or a piece, for comparing.
#[derive(Clone, Copy, Serialize)]
struct UnitPrice {
    minor: i64,
    currency: Currency,
    unit: &'static str,
}

impl<'a> Shown<'a> {
    /// A product with how much of it is free to sell, where somebody counts.
    pub fn of(shelved: &'a Shelved, available: Option<u64>) -> Self {
        let product: &Product = &shelved.product;
        let variants = product.variants.iter().map(|(id, variant)| VariantShown::of(*id, variant));
        let variants: Vec<_> = variants.collect();
        let first = variants.first();
        Self {
            id: product.id,
            name: product.name(Language::ENGLISH),
            names: &product.names,
            synonyms: &product.synonyms,
            brand: product.brand.as_deref(),
            category: product.category.as_deref(),
            description: product.description.as_deref(),
            tax_bp: product.tax_bp,
            counted: product.counted,
            delisted: product.delisted,
            diets: &product.diets,
            allergens: &product.allergens,
            gtin: first.and_then(|variant| variant.gtin),
            price: first.and_then(|variant| variant.price),
            unit_price: first.and_then(|variant| variant.unit_price),
            available,
            in_stock: shelved.in_stock,
            variants,
        }
    }
}

impl<'a> VariantShown<'a> {
    fn of(id: VariantId, variant: &'a Variant) -> Self {
        let Variant { label, gtin, sku, price, unit, step, min, .. } = variant;
        Self {
            id,
            label: label.as_deref(),
            gtin: *gtin,
            sku: sku.as_deref(),
            price: *price,
            unit: *unit,
            step: *step,
            min: *min,
            unit_price: price.and_then(|price| UnitPrice::of(price, *unit)),
        }
    }
}

impl UnitPrice {
    fn of(price: Price, unit: Unit) -> Option<Self> {
        let (amount, unit) = match unit {
            Unit::Piece => (1, "piece"),
            Unit::Gram => (1000, "kg"),
            Unit::Millilitre => (1000, "l"),
        };
        let money = price.of(amount).ok()?;
        Some(Self { minor: money.minor, currency: money.currency, unit })
    }
}
