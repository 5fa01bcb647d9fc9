//! How products lie in the document: one map per product at the root, one map per variant in it,
//! every field a register of its own under a flat key.
//!
//! **Invariant:** maps are only made together with a fresh id, never by two people at once, so no
//! edit can vanish behind another's map. Keys that this version does not know are left alone.

use std::collections::BTreeMap;

use automerge::{ObjId, ObjType, ReadDoc, ScalarValue, ValueRef};

use super::{
    conflict::{Field, Value},
    product::{Product, Variant},
};
use crate::{
    id::{ProductId, VariantId},
    money::Price,
    quantity::Unit,
};

pub(super) const PRICE: &str = "price";
pub(super) const COUNTED: &str = "counted";
pub(super) const DELISTED: &str = "delisted";
const NAME: &str = "name:";
const SYNONYM: &str = "synonym:";
const DIET: &str = "diet:";
const ALLERGEN: &str = "allergen:";
const VARIANT: &str = "variant:";
const TEXTS: &[&str] = &["brand", "category", "description", "label", "sku", "unit"];
const NUMBERS: &[&str] = &["tax_bp", "gtin", "step", "min"];
const FLAGS: &[&str] = &[COUNTED, DELISTED];

pub(super) type Fields = BTreeMap<String, ScalarValue>;

pub(super) fn name_key(language: super::product::Language) -> String {
    format!("{NAME}{language}")
}

pub(super) fn variant_key(variant: VariantId) -> String {
    format!("{VARIANT}{variant}")
}

/// Whether an edit that replaces a product may take this key away.
pub(super) fn is_known(key: &str) -> bool {
    key == PRICE
        || [TEXTS, NUMBERS, FLAGS].iter().any(|keys| keys.contains(&key))
        || [NAME, SYNONYM, DIET, ALLERGEN, VARIANT].iter().any(|prefix| key.starts_with(prefix))
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
    fields
}

fn put_text(fields: &mut Fields, key: &str, text: &Option<String>) {
    if let Some(text) = text {
        fields.insert(key.to_owned(), text.as_str().into());
    }
}

/// A price is one register, so that its number and its quantity cannot be merged from two people.
pub(super) fn price_scalar(price: Price) -> ScalarValue {
    format!("{}/{} {}", price.minor, price.per, price.currency).into()
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
        Value::Text(text) if TEXTS.contains(&key) || key.starts_with(NAME) => {
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
    parse_product(doc, id, object).filter(|product| product.check().is_ok())
}

/// Reads a product whose limits were not checked yet.
pub(super) fn parse_product(doc: &impl ReadDoc, id: ProductId, object: &ObjId) -> Option<Product> {
    let mut product = Product::blank(id);
    for item in doc.map_range(object, ..) {
        let key: &str = &item.key;
        match &item.value {
            ValueRef::Object(ObjType::Map) => {
                if let Some(variant) = key.strip_prefix(VARIANT) {
                    let variant = variant.parse().ok()?;
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
            _ => {}
        }
    }
    Some(variant)
}
