//! What an open product database says of a barcode, as a draft that a person may save.
//!
//! **Invariant:** nothing is saved here, and a draft keeps the limits of a product whatever the database
//! says: what is too long is cut, what cannot be read is left out.

use std::collections::BTreeSet;

use kirana_core::{
    catalogue::product::{
        DESCRIPTION_CHARS_MAX, Language, NAME_CHARS_MAX, PARTS_MAX, TEXT_CHARS_MAX,
    },
    gtin::Gtin,
    quantity::{Quantity, Unit},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError};
use serde::{Deserialize, Serialize};

use super::{Shop, refusal::NotStored};
use crate::{outside::NotFetched, store::lookups};

/// For how long nobody is asked again about a barcode that was unknown.
pub const MISSED_MS: u64 = DAY_MS;
/// Under what the data may be used, as has to be said wherever it is shown.
pub const LICENCE: &str = "Open Database License (ODbL) 1.0, contents under the Database Contents \
    License; © Open Food Facts contributors";
/// The fields that are asked for.
pub const FIELDS: &str = "code,lang,product_name,brands,quantity,ingredients_text,allergens_tags,\
    labels_tags,categories_tags";

/// The answer of the database, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    status: i64,
    product: Option<Known>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Known {
    lang: Option<String>,
    product_name: Option<String>,
    brands: Option<String>,
    quantity: Option<String>,
    ingredients_text: Option<String>,
    allergens_tags: Option<Vec<String>>,
    labels_tags: Option<Vec<String>>,
    categories_tags: Option<Vec<String>>,
}

/// A product that nobody has saved: the body of `POST /v1/catalogue/products`, but for a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// Names by language.
    pub names: std::collections::BTreeMap<Language, String>,
    /// Who makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The narrowest category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingredients: Option<String>,
    /// What it holds.
    pub allergens: BTreeSet<String>,
    /// What it suits.
    pub diets: BTreeSet<String>,
    /// Its one variant.
    pub variants: [DraftVariant; 1],
}

/// The variant of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftVariant {
    /// The barcode that was looked up.
    pub gtin: Gtin,
    /// What the pack says it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What is in it, where that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Quantity>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum NotLookedUp {
    /// Nobody turned it on.
    #[error(
        "looking up barcodes is off: serve with --lookup-url https://world.openfoodfacts.org, or \
         another database of that shape, turns it on; it learns which barcodes the shop asks for"
    )]
    Off,
    /// Nobody knows it.
    #[error("{0} is not known there; it is asked again after a day")]
    Unknown(Gtin),
    /// The database did not answer, or said something else.
    #[error(transparent)]
    NotFetched(#[from] NotFetched),
    /// What it said cannot be read.
    #[error("the answer is not of the shape of Open Food Facts' API: see --lookup-url")]
    Shape,
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database of the shop failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Shop {
    /// Whether a barcode was unknown a short time ago, so that nobody is asked.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn is_missed(&self, gtin: Gtin, now: UnixMs) -> Result<bool, StoreError> {
        self.reader().read(|c| lookups::is_missed(c, gtin, now))
    }

    /// Notes that a barcode is unknown.
    ///
    /// # Errors
    /// [`NotLookedUp`].
    pub fn note_missed(&self, gtin: Gtin, now: UnixMs) -> Result<(), NotLookedUp> {
        let until = now.plus_ms(MISSED_MS);
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotLookedUp>> {
            Ok(lookups::miss(tx, gtin, now, until)?)
        });
        Ok(noted?)
    }
}

/// Reads an answer; `None` where the barcode is unknown, or nothing of use is known.
///
/// # Errors
/// [`NotLookedUp::Shape`].
pub fn draft(gtin: Gtin, answer: &[u8]) -> Result<Option<Draft>, NotLookedUp> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| NotLookedUp::Shape)?;
    let Some(known) = answer.product.filter(|_| answer.status == 1) else { return Ok(None) };
    let Some(name) = text(known.product_name, NAME_CHARS_MAX) else { return Ok(None) };
    let language = known.lang.and_then(|lang| lang.parse().ok()).unwrap_or(Language::ENGLISH);
    let label = text(known.quantity, TEXT_CHARS_MAX);
    let brand = known.brands.and_then(|all| all.split(',').next().map(str::to_owned));
    let category = known.categories_tags.and_then(|mut tags| tags.pop());
    Ok(Some(Draft {
        names: [(language, name)].into(),
        brand: text(brand, TEXT_CHARS_MAX),
        category: text(category.map(|tag| word(&tag)), TEXT_CHARS_MAX),
        ingredients: text(known.ingredients_text, DESCRIPTION_CHARS_MAX),
        allergens: words(known.allergens_tags),
        diets: words(known.labels_tags).iter().filter_map(|label| diet(label)).collect(),
        variants: [DraftVariant { gtin, content: label.as_deref().and_then(content), label }],
    }))
}

/// Plain text on one line, no longer than it may be.
fn text(given: Option<String>, chars_max: usize) -> Option<String> {
    let plain: String = given?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(chars_max).collect();
    Some(cut.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `en:fruit-juices` as people write it.
fn word(tag: &str) -> String {
    tag.split_once(':').map_or(tag, |(_, word)| word).replace('-', " ")
}

fn words(tags: Option<Vec<String>>) -> BTreeSet<String> {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| text(Some(word(&tag)), TEXT_CHARS_MAX)).take(PARTS_MAX).collect()
}

/// The labels that say which diet it suits; all others are advertising.
fn diet(label: &str) -> Option<String> {
    let diet = match label {
        "vegan" | "vegetarian" | "halal" | "kosher" => label,
        "no gluten" | "gluten free" => "gluten-free",
        "no lactose" | "lactose free" => "lactose-free",
        _ => return None,
    };
    Some(diet.to_owned())
}

/// What is in a pack, where one plain amount says it: `500 g`, `1,5 l`.
fn content(label: &str) -> Option<Quantity> {
    let label = label.replace(',', ".");
    [Unit::Gram, Unit::Millilitre].into_iter().find_map(|unit| {
        // A bare number could be anything.
        let named = label.chars().any(char::is_alphabetic);
        Quantity::read(&label, unit).ok().filter(|_| named)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gtin() -> Gtin {
        "3017620422003".parse().expect("a barcode")
    }

    #[test]
    fn a_known_product_is_a_draft_within_the_limits() {
        let long = "x".repeat(5_000);
        let answer = serde_json::json!({ "code": "3017620422003", "status": 1, "product": {
            "lang": "fr", "product_name": " Pâte\nà tartiner ", "brands": "Ferrero,Nutella",
            "quantity": "400 g", "ingredients_text": long, "allergens_tags": ["en:milk", "en:nuts"],
            "labels_tags": ["en:no-gluten", "en:green-dot", "en:vegetarian"],
            "categories_tags": ["en:spreads", "en:sweet-spreads"], "more": 1 } });
        let draft = draft(gtin(), answer.to_string().as_bytes());
        let draft = draft.expect("it can be read").expect("it is known");
        let french = "fr".parse().expect("a language");
        assert_eq!(draft.names[&french], "Pâte à tartiner");
        assert_eq!(
            (draft.brand.as_deref(), draft.category.as_deref()),
            (Some("Ferrero"), Some("sweet spreads"))
        );
        assert_eq!(draft.allergens, ["milk", "nuts"].map(str::to_owned).into());
        assert_eq!(draft.diets, ["gluten-free", "vegetarian"].map(str::to_owned).into());
        assert_eq!(draft.variants[0].content, Quantity::new(400, Unit::Gram).ok());
        assert_eq!(draft.ingredients.map(|text| text.len()), Some(DESCRIPTION_CHARS_MAX));
    }

    #[test]
    fn what_is_unknown_or_has_no_name_is_no_draft_and_other_shapes_are_named() {
        let of = |answer: &str| draft(gtin(), answer.as_bytes());
        assert!(matches!(of(r#"{"status":0,"status_verbose":"product not found"}"#), Ok(None)));
        assert!(matches!(of(r#"{"status":1,"product":{"product_name":" "}}"#), Ok(None)));
        assert!(matches!(of("<html>"), Err(NotLookedUp::Shape)));
        assert!(matches!(
            of(r#"{"status":1,"product":{"allergens_tags":"milk"}}"#),
            Err(NotLookedUp::Shape)
        ));
        for odd in ["500", "6 x 33 cl", "", "about 1"] {
            assert_eq!(content(odd), None, "{odd}");
        }
        assert_eq!(content("1,5 L"), Quantity::new(1_500, Unit::Millilitre).ok());
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_nothing_fails(text in ".{0,200}") {
            let _ = draft(gtin(), text.as_bytes());
            let known = serde_json::json!({ "status": 1, "product": { "product_name": text } });
            let _ = draft(gtin(), known.to_string().as_bytes());
        }
    }
}
