//! A product and its variants as plain values, with the limits that every entrance checks.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::pricing::{Deal, PLANNED_MAX, TAKE_MAX, Terms};
use crate::{
    gtin::Gtin,
    hash::Hash,
    id::{ProductId, VariantId},
    money::Price,
    quantity::{Quantity, Unit},
    time::UnixMs,
};

/// The longest name of a product or variant, in characters.
pub const NAME_CHARS_MAX: usize = 300;
/// The longest other text (brand, category, synonym, SKU, mark), in characters.
pub const TEXT_CHARS_MAX: usize = 120;
/// The longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// The most names, synonyms, marks or variants of one product.
pub const PARTS_MAX: usize = 64;
/// The highest tax, in basis points: 100%.
pub const TAX_BP_MAX: u32 = 10_000;
/// The highest age that somebody may be asked for, in years.
pub const AGE_MAX: u8 = 99;
/// How many digits a class of the Harmonised System may have.
const HSN_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// The highest tolerance of a weight, in basis points: half of it.
pub const TOLERANCE_BP_MAX: u32 = 5_000;
/// The highest price, in minor units.
pub const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;

/// Something that a shop sells, in one or more variants.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name for ever.
    #[n(0)]
    pub id: ProductId,
    /// What it is called, by language; at least one.
    #[n(1)]
    pub names: BTreeMap<Language, String>,
    /// Everyday words that should find it too.
    #[n(2)]
    #[serde(default)]
    pub synonyms: BTreeSet<String>,
    /// Who makes it.
    #[n(3)]
    #[serde(default)]
    pub brand: Option<String>,
    /// The shelf it stands on; a plain word or path of the shop's choice.
    #[n(4)]
    #[serde(default)]
    pub category: Option<String>,
    /// Ingredients or a sentence about it.
    #[n(5)]
    #[serde(default)]
    pub description: Option<String>,
    /// Tax inside its price, in basis points (1,800 is 18%).
    #[n(6)]
    #[serde(default)]
    pub tax_bp: u32,
    /// Whether its stock is counted; if not, only a person accepts orders for it.
    #[n(7)]
    #[serde(default = "yes")]
    pub counted: bool,
    /// Whether it was taken off the shelf; its id stays for the orders that name it.
    #[n(8)]
    #[serde(default)]
    pub delisted: bool,
    /// Diets it suits: `vegetarian`, `vegan`, `jain`, `halal`, `gluten-free`…
    #[n(9)]
    #[serde(default)]
    pub diets: BTreeSet<String>,
    /// Allergens it holds: `milk`, `nuts`, `gluten`…
    #[n(10)]
    #[serde(default)]
    pub allergens: BTreeSet<String>,
    /// Its sizes and packs; at least one.
    #[n(11)]
    pub variants: BTreeMap<VariantId, Variant>,
    /// What it is made of, as the pack says.
    #[n(12)]
    #[serde(default)]
    pub ingredients: Option<String>,
    /// How old somebody must be to buy it, in years.
    #[n(13)]
    #[serde(default)]
    pub age_min: Option<u8>,
    /// How it is kept: `chilled`, `frozen`, `cool and dry`…
    #[n(14)]
    #[serde(default)]
    pub storage: Option<String>,
    /// Its class for the tax office: the digits of the Harmonised System, 4 to 8 of them.
    #[n(15)]
    #[serde(default)]
    pub hsn: Option<String>,
    /// The digest of its picture: whoever shows it asks for the bytes, and checks them.
    #[n(16)]
    #[serde(default)]
    pub image: Option<Hash>,
}

impl Product {
    /// A product with one name and one variant, and nothing else said about it.
    pub fn new(id: ProductId, language: Language, name: &str, variant: VariantId) -> Self {
        let names = BTreeMap::from([(language, name.to_owned())]);
        let variants = BTreeMap::from([(variant, Variant::default())]);
        Self { names, variants, ..Self::blank(id) }
    }

    /// What reading starts from: not a product yet, for want of a name and a variant.
    pub(super) fn blank(id: ProductId) -> Self {
        Self {
            id,
            names: BTreeMap::new(),
            synonyms: BTreeSet::new(),
            brand: None,
            category: None,
            description: None,
            tax_bp: 0,
            counted: true,
            delisted: false,
            diets: BTreeSet::new(),
            allergens: BTreeSet::new(),
            variants: BTreeMap::new(),
            ingredients: None,
            age_min: None,
            storage: None,
            hsn: None,
            image: None,
        }
    }

    /// The name in `language`, else in English, else in any.
    pub fn name(&self, language: Language) -> &str {
        let wanted = self.names.get(&language).or_else(|| self.names.get(&Language::ENGLISH));
        wanted.or_else(|| self.names.values().next()).map_or("", String::as_str)
    }

    /// Whether every part keeps the limits, and all parts fit together.
    ///
    /// # Errors
    /// [`ProductError`] names the first part that does not.
    pub fn check(&self) -> Result<(), ProductError> {
        self.check_parts()?;
        self.variants.values().try_for_each(Variant::check_terms)
    }

    /// Whether every part keeps its own limits. What two people did apart may not fit together, such
    /// as a price and a lower legal maximum: it can still be read, and whoever edits it mends it.
    ///
    /// # Errors
    /// [`ProductError`] names the first part that does not.
    pub fn check_parts(&self) -> Result<(), ProductError> {
        if self.names.is_empty() {
            return Err(ProductError::NoName);
        }
        if self.variants.is_empty() {
            return Err(ProductError::NoVariant);
        }
        let counts = [
            self.names.len(),
            self.synonyms.len(),
            self.diets.len(),
            self.allergens.len(),
            self.variants.len(),
        ];
        if counts.iter().any(|n| *n > PARTS_MAX) {
            return Err(ProductError::TooManyParts);
        }
        self.names.values().try_for_each(|name| text("name", name, NAME_CHARS_MAX))?;
        self.synonyms.iter().try_for_each(|word| text("synonym", word, TEXT_CHARS_MAX))?;
        self.diets.iter().try_for_each(|word| text("diet", word, TEXT_CHARS_MAX))?;
        self.allergens.iter().try_for_each(|word| text("allergen", word, TEXT_CHARS_MAX))?;
        maybe("brand", &self.brand, TEXT_CHARS_MAX)?;
        maybe("category", &self.category, TEXT_CHARS_MAX)?;
        maybe("description", &self.description, DESCRIPTION_CHARS_MAX)?;
        maybe("ingredients", &self.ingredients, DESCRIPTION_CHARS_MAX)?;
        maybe("storage", &self.storage, TEXT_CHARS_MAX)?;
        if self.age_min.is_some_and(|years| !(1..=AGE_MAX).contains(&years)) {
            return Err(ProductError::Age);
        }
        let is_hsn = |hsn: &str| HSN_DIGITS.contains(&hsn.len()) && is_digits(hsn);
        if self.hsn.as_deref().is_some_and(|hsn| !is_hsn(hsn)) {
            return Err(ProductError::Hsn);
        }
        if self.tax_bp > TAX_BP_MAX {
            return Err(ProductError::Tax);
        }
        self.variants.values().try_for_each(Variant::check)
    }
}

/// A size or pack of a product: what has a price, a barcode and a stock.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What tells it from its siblings, such as `500 g`; none where there is only one.
    #[n(0)]
    #[serde(default)]
    pub label: Option<String>,
    /// The number under its barcode.
    #[n(1)]
    #[serde(default)]
    pub gtin: Option<Gtin>,
    /// The shop's own number.
    #[n(2)]
    #[serde(default)]
    pub sku: Option<String>,
    /// What it usually costs, tax included; without a price it cannot be ordered.
    #[n(3)]
    #[serde(default)]
    pub price: Option<Price>,
    /// What its quantities count.
    #[n(4)]
    #[serde(default = "piece")]
    pub unit: Unit,
    /// Quantities are multiples of this many base units; at least 1.
    #[n(5)]
    #[serde(default = "one")]
    pub step: u64,
    /// The least that is sold, in base units; at least 1.
    #[n(6)]
    #[serde(default = "one")]
    pub min: u64,
    /// The tax inside its price in basis points, where it is another than the product's.
    #[n(7)]
    #[serde(default)]
    pub tax_bp: Option<u32>,
    /// How much of the price is given back for the empty bottle or crate, in minor units.
    #[n(8)]
    #[serde(default)]
    pub deposit: Option<u64>,
    /// The highest price that the law or the pack allows, in minor units, for as much as the price
    /// is for.
    #[n(9)]
    #[serde(default)]
    pub max_price: Option<u64>,
    /// By how much a weighed piece usually differs from what was ordered, in basis points.
    #[n(10)]
    #[serde(default)]
    pub tolerance_bp: u32,
    /// What is in one pack, so that packs can be compared by the kilogram or litre.
    #[n(11)]
    #[serde(default)]
    pub content: Option<Quantity>,
    /// How many base units are never promised to orders.
    #[n(12)]
    #[serde(default)]
    pub safety: u64,
    /// Prices to come, or that hold for a time, by when they begin.
    #[n(13)]
    #[serde(default)]
    pub planned: BTreeMap<UnixMs, Terms<Price>>,
    /// Deals, by when they begin.
    #[n(14)]
    #[serde(default)]
    pub deals: BTreeMap<UnixMs, Terms<Deal>>,
}

impl Default for Variant {
    fn default() -> Self {
        Self {
            label: None,
            gtin: None,
            sku: None,
            price: None,
            unit: Unit::Piece,
            step: 1,
            min: 1,
            tax_bp: None,
            deposit: None,
            max_price: None,
            tolerance_bp: 0,
            content: None,
            safety: 0,
            planned: BTreeMap::new(),
            deals: BTreeMap::new(),
        }
    }
}

impl Variant {
    /// Whether `quantity` can be bought of it: its unit, at least the minimum, a multiple of the step.
    pub fn sells(&self, quantity: Quantity) -> bool {
        let amount = quantity.amount();
        quantity.unit() == self.unit && amount >= self.min && amount.is_multiple_of(self.step)
    }

    fn check(&self) -> Result<(), ProductError> {
        maybe("variant", &self.label, NAME_CHARS_MAX)?;
        maybe("sku", &self.sku, TEXT_CHARS_MAX)?;
        if [self.step, self.min].iter().any(|n| !(1..=Quantity::MAX).contains(n)) {
            return Err(ProductError::Step);
        }
        if self.tax_bp.is_some_and(|tax| tax > TAX_BP_MAX) {
            return Err(ProductError::Tax);
        }
        if self.tolerance_bp > TOLERANCE_BP_MAX {
            return Err(ProductError::Tolerance);
        }
        if self.safety > Quantity::MAX {
            return Err(ProductError::Step);
        }
        let prices = self.price.iter().chain(self.planned.values().map(|terms| &terms.what));
        prices.copied().try_for_each(check_price)
    }

    /// The legal maximum as a price; none where nobody said one, or there is no price at all.
    pub fn cap(&self) -> Option<Price> {
        let (max, usual) = (self.max_price?, self.price?);
        Some(Price { minor: i64::try_from(max).unwrap_or(PRICE_MINOR_MAX), ..usual })
    }

    /// Prices, planned ones and deals: each possible, none above what the law allows.
    fn check_terms(&self) -> Result<(), ProductError> {
        if self.planned.len() > PLANNED_MAX || self.deals.len() > PLANNED_MAX {
            return Err(ProductError::TooManyTerms);
        }
        let ends = self.planned.iter().map(|(from, terms)| (from, terms.until));
        let mut ends = ends.chain(self.deals.iter().map(|(from, terms)| (from, terms.until)));
        if ends.any(|(from, until)| until.is_some_and(|until| until <= *from)) {
            return Err(ProductError::NeverHolds);
        }
        if self.deals.values().any(|terms| !terms.what.fits(self.unit)) {
            return Err(ProductError::Deal);
        }
        for price in self.price.iter().chain(self.planned.values().map(|terms| &terms.what)) {
            if self.cap().is_some_and(|cap| cap.is_below(*price)) {
                return Err(ProductError::AboveLegalMaximum);
            }
            if self.deposit.as_ref().is_some_and(|deposit| exceeds_price(*deposit, price)) {
                return Err(ProductError::Deposit);
            }
        }
        Ok(())
    }
}

/// Whether a deposit, in minor units, is more than the whole price that it is a part of.
fn exceeds_price(deposit: u64, price: &Price) -> bool {
    deposit > u64::try_from(price.minor).unwrap_or(0)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a price can stand in a catalogue.
///
/// # Errors
/// [`ProductError::Price`] below zero, beyond [`PRICE_MINOR_MAX`], or for no quantity.
pub fn check_price(price: Price) -> Result<(), ProductError> {
    let fits =
        (0..=PRICE_MINOR_MAX).contains(&price.minor) && (1..=Quantity::MAX).contains(&price.per);
    if fits { Ok(()) } else { Err(ProductError::Price) }
}

/// A language by its ISO 639 code of two or three small letters, such as `en` or `hi`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 3]);

impl Language {
    /// English.
    pub const ENGLISH: Self = Self(*b"en ");
    /// Hindi.
    pub const HINDI: Self = Self(*b"hi ");

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters are ever stored").trim_end()
    }
}

impl std::str::FromStr for Language {
    type Err = ProductError;
    fn from_str(text: &str) -> Result<Self, ProductError> {
        match text.as_bytes() {
            [a, b] if [a, b].iter().all(|l| l.is_ascii_lowercase()) => Ok(Self([*a, *b, b' '])),
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_lowercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(ProductError::Language),
        }
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Language {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> Encode<C> for Language {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Language {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::message)
    }
}

fn text(part: &'static str, value: &str, max: usize) -> Result<(), ProductError> {
    if value.trim().is_empty() {
        return Err(ProductError::Empty(part));
    }
    if value.chars().any(|c| c.is_control() && c != '\n') {
        return Err(ProductError::ControlCharacter(part));
    }
    match value.chars().count() {
        len if len > max => Err(ProductError::TooLong { part, max }),
        _ => Ok(()),
    }
}

fn maybe(part: &'static str, value: &Option<String>, max: usize) -> Result<(), ProductError> {
    value.as_deref().map_or(Ok(()), |value| text(part, value, max))
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

fn piece() -> Unit {
    Unit::Piece
}

/// A product that cannot stand in a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// It has no name in any language.
    #[error("a product needs a name")]
    NoName,
    /// It has no variant that could have a price.
    #[error("a product needs at least one variant")]
    NoVariant,
    /// More than [`PARTS_MAX`] names, synonyms, marks or variants.
    #[error("a product has at most {max} names, synonyms, marks or variants", max = PARTS_MAX)]
    TooManyParts,
    /// A text of blanks only.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A NUL or another character that no keyboard writes.
    #[error("the {0} holds a control character")]
    ControlCharacter(&'static str),
    /// A text over its limit.
    #[error("the {part} is longer than {max} characters")]
    TooLong {
        /// Which text.
        part: &'static str,
        /// Its limit, in characters.
        max: usize,
    },
    /// Below zero, too high, or for no quantity.
    #[error("a price is between 0 and {max} minor units, for at least one unit", max = PRICE_MINOR_MAX)]
    Price,
    /// More than everything.
    #[error("a tax is at most 100%")]
    Tax,
    /// A number that nobody's age is.
    #[error("an age limit is between 1 and {AGE_MAX} years")]
    Age,
    /// No class of goods.
    #[error("an HSN code has 4 to 8 digits")]
    Hsn,
    /// More than half.
    #[error("a tolerance is at most 50%")]
    Tolerance,
    /// More than [`PLANNED_MAX`] planned prices or deals.
    #[error("a variant has at most {PLANNED_MAX} planned prices and as many deals")]
    TooManyTerms,
    /// It ends before it begins.
    #[error("a planned price or a deal ends after it begins")]
    NeverHolds,
    /// No deal, or not for such goods.
    #[error(
        "a deal takes between 0.01% and 99.99% off, or gives up to {TAKE_MAX} pieces for the price \
         of fewer"
    )]
    Deal,
    /// Dearer than the law or the pack allows.
    #[error("the price is above the highest that is allowed for it")]
    AboveLegalMaximum,
    /// Given back more than was paid.
    #[error("the deposit is more than the price that it is a part of")]
    Deposit,
    /// A step or minimum of nothing, or beyond what can be ordered.
    #[error("a step and a minimum are at least 1")]
    Step,
    /// No language code.
    #[error("a language is a code of two or three small letters, such as en or hi")]
    Language,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money::Currency, time::UnixMs};

    fn rice() -> Product {
        let at = UnixMs::new(1);
        let variant = VariantId::new(at, [2; 10]);
        Product::new(ProductId::new(at, [1; 10]), Language::ENGLISH, "Basmati rice", variant)
    }

    #[test]
    fn a_name_may_have_300_characters_and_not_one_more() {
        let mut product = rice();
        product.names.insert(Language::HINDI, "च".repeat(NAME_CHARS_MAX));
        assert_eq!(product.check(), Ok(()));
        product.names.insert(Language::HINDI, "च".repeat(NAME_CHARS_MAX + 1));
        assert!(matches!(product.check(), Err(ProductError::TooLong { part: "name", .. })));
    }

    #[test]
    fn what_cannot_be_sold_is_refused() {
        let mut product = rice();
        product.names.insert(Language::ENGLISH, "rice\0".to_owned());
        assert_eq!(product.check(), Err(ProductError::ControlCharacter("name")));
        let mut product = rice();
        product.names.clear();
        assert_eq!(product.check(), Err(ProductError::NoName));
        let mut product = rice();
        for variant in product.variants.values_mut() {
            variant.price = Some(Price { minor: -1, per: 1, currency: Currency::INR });
        }
        assert_eq!(product.check(), Err(ProductError::Price));
        let mut product = rice();
        product.variants.values_mut().for_each(|variant| variant.step = 0);
        assert_eq!(product.check(), Err(ProductError::Step));
    }

    #[test]
    fn the_name_falls_back_to_english_and_then_to_any() {
        let mut product = rice();
        assert_eq!(product.name(Language::HINDI), "Basmati rice");
        product.names = BTreeMap::from([(Language::HINDI, "चावल".to_owned())]);
        assert_eq!(product.name("fr".parse().expect("a code")), "चावल");
    }

    #[test]
    fn a_variant_sells_multiples_of_its_step_from_its_minimum_on() {
        let loose = Variant { unit: Unit::Gram, step: 50, min: 100, ..Variant::default() };
        let of = |amount, unit| Quantity::new(amount, unit).expect("a quantity");
        assert!(loose.sells(of(150, Unit::Gram)));
        assert!(!loose.sells(of(50, Unit::Gram)));
        assert!(!loose.sells(of(120, Unit::Gram)));
        assert!(!loose.sells(of(150, Unit::Piece)));
    }

    #[test]
    fn a_product_keeps_its_meaning_in_cbor_and_json() {
        let product = rice();
        let bytes = crate::cbor::to_vec(&product);
        assert_eq!(crate::cbor::from_slice("a product", &bytes, 4096).as_ref(), Ok(&product));
        let json = serde_json::to_string(&product).expect("json");
        assert_eq!(serde_json::from_str::<Product>(&json).expect("a product"), product);
    }
}
