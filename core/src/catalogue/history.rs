//! The history of a product: what was changed, by whom and when.
//!
//! **Invariant:** it is read from the document itself, which forgets nothing, so it is the same on
//! every copy; what lost a clash is no change of what holds, and shows among the clashes.

use std::collections::BTreeMap;

use automerge::{Automerge, Change as AutomergeChange, ObjId, ReadDoc, ValueRef};

use super::{
    conflict::{Field, Value},
    document::{Bucket, Heads, NotABucket},
    fields,
};
use crate::{
    id::{ProductId, VariantId},
    key::KeyId,
    time::UnixMs,
};

/// What one person changed of a product at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// By that device's clock.
    pub at: UnixMs,
    /// The device key of who did it, where it is known.
    pub author: Option<KeyId>,
    /// Each field that has another value since; at least one.
    pub fields: Vec<Changed>,
}

/// A field that has another value since.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// Of which variant; `None` for a field of the product itself.
    pub variant: Option<VariantId>,
    /// Which field.
    pub field: Field,
    /// What held before; nothing where it had no value.
    pub before: Option<Value>,
    /// What holds since; nothing where it has none any more.
    pub after: Option<Value>,
}

type Values = BTreeMap<(Option<VariantId>, Field), Value>;

/// All changes of a product that came after a state of its document, oldest first.
///
/// # Errors
/// [`NotABucket`] when the document is damaged or was never in that state.
pub fn of(bucket: &Bucket, id: ProductId, after: &Heads) -> Result<Vec<Change>, NotABucket> {
    let whole = bucket.doc();
    let mut doc = whole.fork_at(after.as_slice()).map_err(|_| NotABucket::Gap)?;
    let (mut before, mut history) = (values(&doc, id), Vec::new());
    for change in whole.get_changes(after.as_slice()) {
        let described = described(whole, &change);
        doc.apply_changes([change]).map_err(|why| NotABucket::Damaged(why.to_string()))?;
        let after = values(&doc, id);
        if after != before {
            let fields = differing(&before, &after);
            history.push(Change { fields, ..described });
            before = after;
        }
    }
    Ok(history)
}

fn described(whole: &Automerge, change: &AutomergeChange) -> Change {
    let author = whole.get_author_for_actor(change.actor_id());
    let author = author.and_then(|author| KeyId::from_slice(author.as_bytes()));
    let at = UnixMs::new(u64::try_from(change.timestamp()).unwrap_or(0));
    Change { at, author, fields: Vec::new() }
}

/// What holds of a product: each field with its value.
fn values(doc: &Automerge, id: ProductId) -> Values {
    let mut values = Values::new();
    if let Some(object) = super::document::object(doc, id) {
        put(doc, &object, None, &mut values);
    }
    values
}

fn put(doc: &Automerge, object: &ObjId, variant: Option<VariantId>, values: &mut Values) {
    for item in doc.map_range(object, ..) {
        match item.value {
            ValueRef::Object(_) if variant.is_none() => {
                if let Some(inner) = fields::variant_of(&item.key) {
                    put(doc, &item.id(), Some(inner), values);
                }
            }
            ValueRef::Object(_) => {}
            ValueRef::Scalar(scalar) => {
                let field = Field::named(&item.key);
                if let Some(value) = fields::value_of(&field, &scalar.into()) {
                    values.insert((variant, field), value);
                }
            }
        }
    }
}

fn differing(before: &Values, after: &Values) -> Vec<Changed> {
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differing
        .map(|key| Changed {
            variant: key.0,
            field: key.1.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}
