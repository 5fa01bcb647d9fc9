//! How products lie in the document: one map per product at the root, one map per variant in it,
//! every field a register of its own under a flat key.
//!
//! **Invariant:** maps are only made together with a fresh id, never by two people at once, so no
//! edit can vanish behind another's map. Keys that this version does not know are left alone.

use std::collections::BTreeMap;

use automerge::{ObjId, ObjType, ReadDoc, ScalarValue, ValueRef};

use super::{
    category::Category,
    conflict::{Field, Value},
    pricing::{Deal, Terms},
    product::{Product, Variant},
};
use crate::{
    id::{ProductId, VariantId},
    money::Price,
    quantity::{Quantity, Unit},
    time::UnixMs,
};

pub(super) const PRICE: &str = "price";
pub(super) const COUNTED: &str = "counted";
pub(super) const DELISTED: &str = "delisted";
const IMAGE: &str = "image";
const NAME: &str = "name:";
const SYNONYM: &str = "synonym:";
const DIET: &str = "diet:";
const ALLERGEN: &str = "allergen:";
const VARIANT: &str = "variant:";
const PLANNED: &str = "planned:";
const DEAL: &str = "deal:";
/// Which node an entry of the index document is about; it never changes.
const NODE: &str = "node";
const PARENT: &str = "parent";
const ORDER: &str = "order";
const HIDDEN: &str = "hidden";
const REMOVED: &str = "removed";
const TEXTS: &[&str] = &[
    "brand",
    "category",
    "description",
    "ingredients",
    "storage",
    "hsn",
    "label",
    "sku",
    "unit",
    "content",
    IMAGE,
    PARENT,
];
const NUMBERS: &[&str] = &[
    "tax_bp",
    "age_min",
    "gtin",
    "step",
    "min",
    "deposit",
    "max_price",
    "tolerance_bp",
    "safety",
    ORDER,
];
const FLAGS: &[&str] = &[COUNTED, DELISTED, HIDDEN, REMOVED];

pub(super) type Fields = BTreeMap<String, ScalarValue>;

pub(super) fn name_key(language: super::product::Language) -> String {
    format!("{NAME}{language}")
}

/// The variant that a key of a product is about, if it is about one.
pub(super) fn variant_of(key: &str) -> Option<VariantId> {
    key.strip_prefix(VARIANT)?.parse().ok()
}

pub(super) fn variant_key(variant: VariantId) -> String {
    format!("{VARIANT}{variant}")
}

/// Whether an edit that replaces a product may take this key away.
pub(super) fn is_known(key: &str) -> bool {
    key == PRICE
        || [TEXTS, NUMBERS, FLAGS].iter().any(|keys| keys.contains(&key))
        || [NAME, SYNONYM, DIET, ALLERGEN, VARIANT, PLANNED, DEAL]
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

/// The fields of a product itself; what is as usual is left out.
pub(super) fn of_product(product: &Product) -> Fields {
    let mut fields = Fields::new();
    for (language, name) in &product.names {
        fields.insert(name_key(*language), name.as_str().into());
    }
    let marks =
        [(SYNONYM, &product.synonyms), (DIET, &product.diets), (ALLERGEN, &product.allergens)];
    for (prefix, words) in marks {
        fields.extend(words.iter().map(|word| (format!("{prefix}{word}"), true.into())));
    }
    put_text(&mut fields, "brand", &product.brand);
    put_text(&mut fields, "category", &product.category);
    put_text(&mut fields, "description", &product.description);
    put_text(&mut fields, "ingredients", &product.ingredients);
    put_text(&mut fields, "storage", &product.storage);
    put_text(&mut fields, "hsn", &product.hsn);
    if let Some(image) = product.image {
        fields.insert(IMAGE.to_owned(), image.to_string().into());
    }
    if let Some(years) = product.age_min {
        fields.insert("age_min".to_owned(), u64::from(years).into());
    }
    if product.tax_bp != 0 {
        fields.insert("tax_bp".to_owned(), u64::from(product.tax_bp).into());
    }
    if !product.counted {
        fields.insert(COUNTED.to_owned(), false.into());
    }
    if product.delisted {
        fields.insert(DELISTED.to_owned(), true.into());
    }
    fields
}

/// The fields of what a shop says of a category; what is as usual is left out.
pub(super) fn of_category(category: &Category) -> Fields {
    let mut fields = Fields::new();
    fields.insert(NODE.to_owned(), category.id.as_str().into());
    for (language, name) in &category.names {
        fields.insert(name_key(*language), name.as_str().into());
    }
    if let Some(parent) = &category.parent {
        fields.insert(PARENT.to_owned(), parent.as_str().into());
    }
    if let Some(order) = category.order {
        fields.insert(ORDER.to_owned(), u64::from(order).into());
    }
    for (key, flag) in [(HIDDEN, category.hidden), (REMOVED, category.removed)] {
        if flag {
            fields.insert(key.to_owned(), true.into());
        }
    }
    fields
}

/// Reads what a shop says of a category; `None` when the document holds something else there.
pub(super) fn read_category(
    doc: &impl ReadDoc,
    entry: ProductId,
    object: &ObjId,
) -> Option<Category> {
    let (node, _) = doc.get(object, NODE).ok()??;
    let mut category = Category::new(entry, node.as_str()?.parse().ok()?);
    for item in doc.map_range(object, ..) {
        let ValueRef::Scalar(scalar) = &item.value else { return None };
        let scalar: ScalarValue = scalar.into();
        if let Some(language) = item.key.strip_prefix(NAME) {
            category.names.insert(language.parse().ok()?, scalar.as_str()?.to_owned());
            continue;
        }
        match item.key.as_ref() {
            PARENT => category.parent = Some(scalar.as_str()?.parse().ok()?),
            ORDER => category.order = Some(u32::try_from(scalar.as_u64()?).ok()?),
            HIDDEN => category.hidden = scalar.as_bool()?,
            REMOVED => category.removed = scalar.as_bool()?,
            _ => {}
        }
    }
    category.check().is_ok().then_some(category)
}

/// The fields of a variant; what is as usual is left out.
pub(super) fn of_variant(variant: &Variant) -> Fields {
    let mut fields = Fields::new();
    put_text(&mut fields, "label", &variant.label);
    put_text(&mut fields, "sku", &variant.sku);
    if let Some(gtin) = variant.gtin {
        fields.insert("gtin".to_owned(), gtin.to_number().into());
    }
    if let Some(price) = variant.price {
        fields.insert(PRICE.to_owned(), price_scalar(price));
    }
    if variant.unit != Unit::Piece {
        fields.insert("unit".to_owned(), variant.unit.as_str().into());
    }
    for (key, number) in [("step", variant.step), ("min", variant.min)] {
        if number != 1 {
            fields.insert(key.to_owned(), number.into());
        }
    }
    let numbers = [
        ("tax_bp", variant.tax_bp.map(u64::from)),
        ("deposit", variant.deposit),
        ("max_price", variant.max_price),
        ("tolerance_bp", Some(u64::from(variant.tolerance_bp)).filter(|bp| *bp != 0)),
        ("safety", Some(variant.safety).filter(|amount| *amount != 0)),
    ];
    let said = |(key, number): (&str, Option<u64>)| Some((key.to_owned(), number?.into()));
    fields.extend(numbers.into_iter().filter_map(said));
    if let Some(content) = variant.content {
        let text = format!("{} {}", content.amount(), content.unit());
        fields.insert("content".to_owned(), text.into());
    }
    for (from, terms) in &variant.planned {
        let text = format!("{} {}", price_text(terms.what), until_text(terms.until));
        fields.insert(format!("{PLANNED}{}", from.get()), text.into());
    }
    for (from, terms) in &variant.deals {
        let text = format!("{} {}", deal_text(terms.what), until_text(terms.until));
        fields.insert(format!("{DEAL}{}", from.get()), text.into());
    }
    fields
}

fn until_text(until: Option<UnixMs>) -> String {
    until.map_or_else(|| "-".to_owned(), |until| until.get().to_string())
}

fn deal_text(deal: Deal) -> String {
    match deal {
        Deal::Percent { bp } => format!("percent {bp}"),
        Deal::XForY { take, pay } => format!("x-for-y {take} {pay}"),
    }
}

fn until_of(text: &str) -> Option<Option<UnixMs>> {
    match text {
        "-" => Some(None),
        ms => Some(Some(UnixMs::new(ms.parse().ok()?))),
    }
}

fn planned_of(text: &str) -> Option<Terms<Price>> {
    let (price, until) = text.rsplit_once(' ')?;
    Some(Terms { what: price_of(price)?, until: until_of(until)? })
}

fn deal_of(text: &str) -> Option<Terms<Deal>> {
    let (deal, until) = text.rsplit_once(' ')?;
    let what = match deal.split_once(' ')? {
        ("percent", bp) => Deal::Percent { bp: bp.parse().ok()? },
        ("x-for-y", numbers) => {
            let (take, pay) = numbers.split_once(' ')?;
            Deal::XForY { take: take.parse().ok()?, pay: pay.parse().ok()? }
        }
        _ => return None,
    };
    Some(Terms { what, until: until_of(until)? })
}

fn content_of(text: &str) -> Option<Quantity> {
    let (amount, unit) = text.split_once(' ')?;
    Quantity::new(amount.parse().ok()?, unit.parse().ok()?).ok()
}

fn moment_of(text: &str) -> Option<UnixMs> {
    Some(UnixMs::new(text.parse().ok()?))
}

fn put_text(fields: &mut Fields, key: &str, text: &Option<String>) {
    if let Some(text) = text {
        fields.insert(key.to_owned(), text.as_str().into());
    }
}

/// A price is one register, so that its number and its quantity cannot be merged from two people.
pub(super) fn price_scalar(price: Price) -> ScalarValue {
    price_text(price).into()
}

fn price_text(price: Price) -> String {
    format!("{}/{} {}", price.minor, price.per, price.currency)
}

fn price_of(text: &str) -> Option<Price> {
    let (amount, currency) = text.split_once(' ')?;
    let (minor, per) = amount.split_once('/')?;
    let currency = currency.parse().ok()?;
    Some(Price { minor: minor.parse().ok()?, per: per.parse().ok()?, currency })
}

/// A scalar of the document as the value of a field; `None` when it is of another kind.
pub(super) fn value_of(field: &Field, scalar: &ScalarValue) -> Option<Value> {
    Some(match scalar {
        ScalarValue::Str(text) if field.as_str() == PRICE => Value::Price(price_of(text)?),
        ScalarValue::Str(text) => Value::Text(text.to_string()),
        ScalarValue::Uint(number) => Value::Number(*number),
        ScalarValue::Boolean(flag) => Value::Flag(*flag),
        _ => return None,
    })
}

/// A value as a scalar of the document; `None` when the field is of another kind.
pub(super) fn scalar_of(field: &Field, value: &Value) -> Option<ScalarValue> {
    let key = field.as_str();
    match value {
        Value::Price(price) if key == PRICE => Some(price_scalar(*price)),
        Value::Text(text)
            if TEXTS.contains(&key) || [NAME, PLANNED, DEAL].iter().any(|p| key.starts_with(p)) =>
        {
            Some(text.as_str().into())
        }
        Value::Number(number) if NUMBERS.contains(&key) => Some((*number).into()),
        Value::Flag(flag) if FLAGS.contains(&key) => Some((*flag).into()),
        _ => None,
    }
}

/// Reads a product that keeps the limits; `None` when the document holds something else, which no
/// edit of ours writes and no admission lets in.
pub(super) fn read_product(doc: &impl ReadDoc, id: ProductId, object: &ObjId) -> Option<Product> {
    parse_product(doc, id, object).filter(|product| product.check_parts().is_ok())
}

/// Reads a product whose limits were not checked yet.
pub(super) fn parse_product(doc: &impl ReadDoc, id: ProductId, object: &ObjId) -> Option<Product> {
    let mut product = Product::blank(id);
    for item in doc.map_range(object, ..) {
        let key: &str = &item.key;
        match &item.value {
            ValueRef::Object(ObjType::Map) => {
                if key.starts_with(VARIANT) {
                    let variant = variant_of(key)?;
                    product.variants.insert(variant, read_variant(doc, &item.id())?);
                }
            }
            ValueRef::Object(_) => return None,
            ValueRef::Scalar(scalar) => put_field(&mut product, key, &scalar.into())?,
        }
    }
    Some(product)
}

fn put_field(product: &mut Product, key: &str, scalar: &ScalarValue) -> Option<()> {
    let marks = [
        (SYNONYM, &mut product.synonyms),
        (DIET, &mut product.diets),
        (ALLERGEN, &mut product.allergens),
    ];
    for (prefix, words) in marks {
        if let Some(word) = key.strip_prefix(prefix) {
            words.insert(word.to_owned());
            return Some(());
        }
    }
    if let Some(language) = key.strip_prefix(NAME) {
        product.names.insert(language.parse().ok()?, scalar.as_str()?.to_owned());
        return Some(());
    }
    match key {
        "brand" => product.brand = Some(scalar.as_str()?.to_owned()),
        "category" => product.category = Some(scalar.as_str()?.to_owned()),
        "ingredients" => product.ingredients = Some(scalar.as_str()?.to_owned()),
        "storage" => product.storage = Some(scalar.as_str()?.to_owned()),
        "hsn" => product.hsn = Some(scalar.as_str()?.to_owned()),
        IMAGE => product.image = Some(scalar.as_str()?.parse().ok()?),
        "age_min" => product.age_min = Some(u8::try_from(scalar.as_u64()?).ok()?),
        "description" => product.description = Some(scalar.as_str()?.to_owned()),
        "tax_bp" => product.tax_bp = u32::try_from(scalar.as_u64()?).ok()?,
        COUNTED => product.counted = scalar.as_bool()?,
        DELISTED => product.delisted = scalar.as_bool()?,
        _ => {}
    }
    Some(())
}

fn read_variant(doc: &impl ReadDoc, object: &ObjId) -> Option<Variant> {
    let mut variant = Variant::default();
    for item in doc.map_range(object, ..) {
        let ValueRef::Scalar(scalar) = &item.value else { return None };
        let scalar: ScalarValue = scalar.into();
        match item.key.as_ref() {
            "label" => variant.label = Some(scalar.as_str()?.to_owned()),
            "sku" => variant.sku = Some(scalar.as_str()?.to_owned()),
            "unit" => variant.unit = scalar.as_str()?.parse().ok()?,
            "step" => variant.step = scalar.as_u64()?,
            "min" => variant.min = scalar.as_u64()?,
            "gtin" => variant.gtin = Some(crate::gtin::Gtin::from_number(scalar.as_u64()?).ok()?),
            PRICE => variant.price = Some(price_of(scalar.as_str()?)?),
            key => put_terms(&mut variant, key, &scalar)?,
        }
    }
    Some(variant)
}

fn put_terms(variant: &mut Variant, key: &str, scalar: &ScalarValue) -> Option<()> {
    if let Some(from) = key.strip_prefix(PLANNED) {
        variant.planned.insert(moment_of(from)?, planned_of(scalar.as_str()?)?);
        return Some(());
    }
    if let Some(from) = key.strip_prefix(DEAL) {
        variant.deals.insert(moment_of(from)?, deal_of(scalar.as_str()?)?);
        return Some(());
    }
    match key {
        "tax_bp" => variant.tax_bp = Some(u32::try_from(scalar.as_u64()?).ok()?),
        "deposit" => variant.deposit = Some(scalar.as_u64()?),
        "max_price" => variant.max_price = Some(scalar.as_u64()?),
        "tolerance_bp" => variant.tolerance_bp = u32::try_from(scalar.as_u64()?).ok()?,
        "safety" => variant.safety = scalar.as_u64()?,
        "content" => variant.content = Some(content_of(scalar.as_str()?)?),
        _ => {}
    }
    Some(())
}
