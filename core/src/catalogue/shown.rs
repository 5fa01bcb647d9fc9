//! A product as buyers see it at a moment, in JSON; what changes with every sale is added where it
//! is shown.
//!
//! **Invariant:** where no price is planned, it depends on the product alone, so it may be kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    pricing::{Deal, Terms},
    product::{Language, Product, Variant},
};
use crate::{
    gtin::Gtin,
    hash::Hash,
    id::{ProductId, VariantId},
    money::{Currency, Price},
    quantity::{Quantity, Unit},
    time::UnixMs,
};

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
    ingredients: Option<&'a str>,
    age_min: Option<u8>,
    storage: Option<&'a str>,
    hsn: Option<&'a str>,
    image: Option<Hash>,
    gtin: Option<Gtin>,
    price: Option<Price>,
    unit_price: Option<UnitPrice>,
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
    /// The price now where it is another than the usual one.
    usual_price: Option<Price>,
    tax_bp: Option<u32>,
    deposit: Option<u64>,
    max_price: Option<u64>,
    tolerance_bp: u32,
    content: Option<Quantity>,
    planned: Vec<PlannedShown>,
    deals: Vec<DealShown>,
}

/// A price that holds for a time.
#[derive(Serialize)]
struct PlannedShown {
    price: Price,
    from: UnixMs,
    until: Option<UnixMs>,
}

/// A deal that holds for a time.
#[derive(Serialize)]
struct DealShown {
    deal: Deal,
    from: UnixMs,
    until: Option<UnixMs>,
}

/// The price of a kilogram, a litre or a piece, for comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnitPrice {
    /// In minor units.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// `kg`, `l` or `piece`.
    pub unit: &'static str,
}

impl<'a> Shown<'a> {
    /// A product as it is shown at a moment.
    pub fn of(product: &'a Product, now: UnixMs) -> Self {
        let variants =
            product.variants.iter().map(|(id, variant)| VariantShown::of(*id, variant, now));
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
            ingredients: product.ingredients.as_deref(),
            age_min: product.age_min,
            storage: product.storage.as_deref(),
            hsn: product.hsn.as_deref(),
            image: product.image,
            gtin: first.and_then(|variant| variant.gtin),
            price: first.and_then(|variant| variant.price),
            unit_price: first.and_then(|variant| variant.unit_price),
            variants,
        }
    }

    /// What it costs, if it has a price.
    pub fn price(&self) -> Option<Price> {
        self.price
    }

    /// What a kilogram, a litre or a piece costs in minor units, if it has a price.
    pub fn unit_price_minor(&self) -> Option<i64> {
        self.unit_price.map(|price| price.minor)
    }
}

impl<'a> VariantShown<'a> {
    fn of(id: VariantId, variant: &'a Variant, now: UnixMs) -> Self {
        let Variant { label, gtin, sku, unit, step, min, .. } = variant;
        let price = variant.price_at(now);
        let planned = variant.planned.iter().map(|(from, Terms { what: price, until })| {
            PlannedShown { price: *price, from: *from, until: *until }
        });
        let deals = variant.deals.iter().map(|(from, Terms { what: deal, until })| DealShown {
            deal: *deal,
            from: *from,
            until: *until,
        });
        Self {
            id,
            label: label.as_deref(),
            gtin: *gtin,
            sku: sku.as_deref(),
            price,
            unit: *unit,
            step: *step,
            min: *min,
            unit_price: price.and_then(|price| UnitPrice::of(price, variant)),
            usual_price: variant.price.filter(|_| variant.price != price),
            tax_bp: variant.tax_bp,
            deposit: variant.deposit,
            max_price: variant.max_price,
            tolerance_bp: variant.tolerance_bp,
            content: variant.content,
            planned: planned.collect(),
            deals: deals.collect(),
        }
    }
}

impl UnitPrice {
    /// Loose goods by their price; packs by what is in them, without the deposit, where somebody
    /// said so; the rest by the piece.
    pub fn of(price: Price, variant: &Variant) -> Option<Self> {
        let loose = |unit| match unit {
            Unit::Piece => (1, "piece"),
            Unit::Gram => (1000, "kg"),
            Unit::Millilitre => (1000, "l"),
        };
        let pack = variant.content.filter(|_| variant.unit == Unit::Piece);
        let (price, (amount, unit)) = match pack {
            Some(content) => {
                let one = price.of(1).ok()?;
                let deposit = i64::try_from(variant.deposit.unwrap_or(0)).ok()?;
                let (minor, per) = (one.minor.saturating_sub(deposit).max(0), content.amount());
                (Price { minor, per, ..price }, loose(content.unit()))
            }
            None => (price, loose(variant.unit)),
        };
        let money = price.of(amount).ok()?;
        Some(Self { minor: money.minor, currency: money.currency, unit })
    }
}
