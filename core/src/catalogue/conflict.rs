//! Clashes: fields that two people set apart to different values (P5).
//!
//! **Invariant:** a clash is read from the document itself, so it shows on every copy until
//! somebody settles it; nothing needs to be remembered for it.

use automerge::{Automerge, ObjId, ReadDoc};
use minicbor::{Decode, Encode};

use super::fields;
use crate::{
    id::{ProductId, VariantId},
    key::KeyId,
    money::Price,
    planted::{Bug, is_planted},
    time::UnixMs,
};

/// A field of a product or variant, by the key under which the document holds it: `price`,
/// `name:hi`, `brand`…
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Field(pub(super) String);

impl Field {
    /// The price of a variant.
    pub fn price() -> Self {
        Self(fields::PRICE.to_owned())
    }

    /// A field by its key; whether there is one shows when it is used.
    pub fn named(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that a field can have.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A price.
    #[n(0)]
    Price(#[n(0)] Price),
    /// A name, brand, unit…
    #[n(1)]
    Text(#[n(0)] String),
    /// A tax, step, minimum…
    #[n(2)]
    Number(#[n(0)] u64),
    /// Counted, delisted.
    #[n(3)]
    Flag(#[n(0)] bool),
}

/// A field with more than one value at once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    /// Of which product.
    pub product: ProductId,
    /// Of which variant; `None` for a field of the product itself.
    pub variant: Option<VariantId>,
    /// Which field.
    pub field: Field,
    /// The values; the last is the one that holds until somebody picks.
    pub values: Vec<Claim>,
}

/// One of the values of a clash, with who set it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Claim {
    /// The value.
    pub value: Value,
    /// The device key of who set it, where it is known.
    pub author: Option<KeyId>,
    /// When, by that device's clock.
    pub at: UnixMs,
}

/// All clashes of one object of the document: a product or one of its variants.
pub(super) fn of_object(
    doc: &Automerge,
    object: &ObjId,
    product: ProductId,
    variant: Option<VariantId>,
) -> Vec<Conflict> {
    let clashing = doc.map_range(object, ..).filter(|item| item.conflict);
    clashing
        .filter_map(|item| {
            let field = Field(item.key.into_owned());
            if is_planted(Bug::DropClashingPrice) && field == Field::price() {
                return None;
            }
            let values = claims(doc, object, &field);
            let differ = values.windows(2).any(|pair| pair[0].value != pair[1].value);
            differ.then_some(Conflict { product, variant, field, values })
        })
        .collect()
}

fn claims(doc: &Automerge, object: &ObjId, field: &Field) -> Vec<Claim> {
    let all = doc.get_all(object, field.as_str()).unwrap_or_default();
    all.into_iter()
        .filter_map(|(value, operation)| {
            let value = fields::value_of(field, value.as_scalar()?)?;
            let change = doc.hash_for_opid(&operation)?;
            let at = doc.get_change_meta_by_hash(&change)?.timestamp;
            let author = match &operation {
                ObjId::Id(_, actor, _) => doc.get_author_for_actor(actor),
                ObjId::Root => None,
            };
            let author = author.and_then(|author| KeyId::from_slice(author.as_bytes()));
            Some(Claim { value, author, at: UnixMs::new(u64::try_from(at).unwrap_or(0)) })
        })
        .collect()
}
