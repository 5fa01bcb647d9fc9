//! What a household's devices share: carts, addresses, preferences, as one small Automerge document.
//!
//! How much is wanted of an item is a count for each device, and the counts add up, so that two
//! devices that add at once add up too; a removal takes away the counts that it saw and no others.
//!
//! **Invariant:** all keys stand at the document's root, since two devices that made one nested
//! object at once would lose one of the two; and one set of changes gives one state, in whatever
//! order and however often they come.

use std::collections::BTreeMap;

use automerge::{
    ActorId, Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue,
    transaction::{CommitOptions, Transactable, Transaction},
};

use crate::{
    catalogue::document::{Author, Heads},
    quantity::Quantity,
    time::UnixMs,
};

mod address;
mod cart;

pub use address::{ADDRESSES_MAX, Address};
pub use cart::{CARTS_MAX, Cart, CartLine, ITEMS_MAX, Item, USUAL_CART, usual_cart};

/// The longest document, in bytes.
pub const HOUSEHOLD_BYTES_MAX: usize = 1024 * 1024;
/// The longest text: a label, an address, a phone number, a name; in bytes.
pub const TEXT_BYTES_MAX: usize = 500;
/// The most preferences.
pub const PREFERENCES_MAX: usize = 100;

/// The document, as one device has it.
#[derive(Debug, Clone)]
pub struct Household {
    doc: Automerge,
    author: Author,
}

impl Household {
    /// An empty one; `author` is this device, in this opening of the document.
    pub fn new(author: Author) -> Self {
        Self { doc: Automerge::new().with_actor(author.actor()), author }
    }

    /// Opens what [`Household::save`] gave, here or on another of the household's devices.
    ///
    /// # Errors
    /// [`HouseholdError::Damaged`] or [`HouseholdError::TooLong`].
    pub fn load(bytes: &[u8], author: Author) -> Result<Self, HouseholdError> {
        let doc = read(bytes)?;
        Ok(Self { doc: doc.with_actor(author.actor()), author })
    }

    /// The same document in the hands of another author.
    pub fn written_by(self, author: Author) -> Self {
        Self { doc: self.doc.with_actor(author.actor()), author }
    }

    /// The whole document, with changes that came before those they build on.
    pub fn save(&self) -> Vec<u8> {
        self.doc.save()
    }

    /// Where the document stands.
    pub fn heads(&self) -> Heads {
        Heads::of(&self.doc)
    }

    /// The changes that came after `heads`, for another device's [`Household::apply`].
    pub fn since(&self, heads: &Heads) -> Vec<u8> {
        self.doc.save_after(heads.as_slice())
    }

    /// Takes in changes that another device gave, in any order and any number of times; whether
    /// anything is different now. What builds on changes that have not come waits for them.
    ///
    /// # Errors
    /// [`HouseholdError::Damaged`] or [`HouseholdError::TooLong`]; nothing is changed then.
    pub fn apply(&mut self, changes: &[u8]) -> Result<bool, HouseholdError> {
        if changes.len() > HOUSEHOLD_BYTES_MAX {
            return Err(HouseholdError::TooLong { len: changes.len() });
        }
        let before: Vec<ChangeHash> = self.doc.get_heads();
        let mut longer = self.doc.clone();
        longer.load_incremental(changes).map_err(|_| HouseholdError::Damaged)?;
        self.doc = longer;
        Ok(self.doc.get_heads() != before)
    }

    /// Merges what another device saved; whether it was news.
    ///
    /// # Errors
    /// As [`Household::load`]; nothing is changed then.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<bool, HouseholdError> {
        let mut other = read(bytes)?;
        let before: Vec<ChangeHash> = self.doc.get_heads();
        let mut merged = self.doc.clone();
        merged.merge(&mut other).map_err(|_| HouseholdError::Damaged)?;
        self.doc = merged;
        Ok(self.doc.get_heads() != before)
    }

    /// What people call the household.
    pub fn name(&self) -> String {
        self.text(NAME).unwrap_or_default()
    }

    /// Says what people call the household.
    ///
    /// # Errors
    /// [`HouseholdError::Text`].
    pub fn set_name(&mut self, name: &str, now: UnixMs) -> Result<(), HouseholdError> {
        if name.len() > TEXT_BYTES_MAX {
            return Err(HouseholdError::Text);
        }
        self.change(now, |tx| tx.put(ROOT, NAME, name))
    }

    /// What the household prefers, by name; names that this version does not know are kept.
    pub fn preferences(&self) -> BTreeMap<String, String> {
        let entries = self.entries(PREFERENCE).into_iter();
        entries.filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
    }

    /// Prefers something; `None` takes the preference back.
    ///
    /// # Errors
    /// [`HouseholdError::Text`], or [`HouseholdError::TooManyPreferences`].
    pub fn prefer(
        &mut self,
        name: &str,
        value: Option<&str>,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let long = |text: &str| text.len() > TEXT_BYTES_MAX;
        if name.trim().is_empty() || long(name) || value.is_some_and(long) {
            return Err(HouseholdError::Text);
        }
        let known = self.preferences();
        let (key, is_there) = (format!("{PREFERENCE}{name}"), known.contains_key(name));
        match value {
            Some(_) if !is_there && known.len() >= PREFERENCES_MAX => {
                Err(HouseholdError::TooManyPreferences)
            }
            Some(value) => self.change(now, |tx| tx.put(ROOT, key, value)),
            None if is_there => self.change(now, |tx| tx.delete(ROOT, key)),
            None => Ok(()),
        }
    }

    fn get(&self, key: &str) -> Option<ScalarValue> {
        let (value, _) = self.doc.get(ROOT, key).ok()??;
        value.as_scalar().cloned()
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.as_str().map(str::to_owned)
    }

    /// The number under a key. A device that was restored from a backup may have counted on from
    /// an earlier number at the same time: of two the higher one stands, so that less is lost.
    fn number(&self, key: &str) -> Option<u64> {
        let all = self.doc.get_all(ROOT, key).ok()?;
        let numbers = all.iter().filter_map(|(value, _)| match value.as_scalar()? {
            ScalarValue::Uint(number) => Some(*number),
            ScalarValue::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        });
        numbers.max().map(|number| number.min(Quantity::MAX))
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        self.doc.keys(ROOT).filter(|key| key.starts_with(prefix)).collect()
    }

    /// What stands under keys that begin so, by the rest of the key.
    fn entries(&self, prefix: &str) -> Vec<(String, ScalarValue)> {
        let keys = self.keys(prefix).into_iter();
        keys.filter_map(|key| Some((key[prefix.len()..].to_owned(), self.get(&key)?))).collect()
    }

    fn delete_all(&mut self, prefix: &str, now: UnixMs) -> Result<(), HouseholdError> {
        let keys = self.keys(prefix);
        if keys.is_empty() {
            return Err(HouseholdError::NotThere);
        }
        self.change(now, |tx| keys.iter().try_for_each(|key| tx.delete(ROOT, key.as_str())))
    }

    fn change(
        &mut self,
        now: UnixMs,
        edit: impl FnOnce(&mut Transaction<'_>) -> Result<(), automerge::AutomergeError>,
    ) -> Result<(), HouseholdError> {
        let mut tx = self.doc.transaction();
        if edit(&mut tx).is_err() {
            tx.rollback();
            return Err(HouseholdError::Damaged);
        }
        let time = i64::try_from(now.get()).unwrap_or(i64::MAX);
        tx.commit_with(CommitOptions::default().with_time(time));
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Automerge, HouseholdError> {
    if bytes.len() > HOUSEHOLD_BYTES_MAX {
        return Err(HouseholdError::TooLong { len: bytes.len() });
    }
    let doc = Automerge::load(bytes).map_err(|_| HouseholdError::Damaged)?;
    Ok(doc.with_actor(ActorId::from(&[0; 16])))
}

const NAME: &str = "name";
const PREFERENCE: &str = "preference/";

/// Why the document was not read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HouseholdError {
    /// It cannot be read.
    #[error("the household's lists are damaged")]
    Damaged,
    /// It is too long.
    #[error("the household's lists take {len} bytes; at most {HOUSEHOLD_BYTES_MAX} are allowed")]
    TooLong {
        /// How long, in bytes.
        len: usize,
    },
    /// No more carts fit.
    #[error("there are {CARTS_MAX} carts already; drop one first")]
    TooManyCarts,
    /// A cart of this name is there.
    #[error("there is a cart of this name already")]
    SameName,
    /// There is no such cart.
    #[error("there is no such cart; `kirana cart list` shows them")]
    NoSuchCart,
    /// No more items fit.
    #[error("the cart holds {ITEMS_MAX} items already")]
    CartFull,
    /// The item is in the cart in another unit.
    #[error("this is in the cart already, counted in another unit")]
    OtherUnit,
    /// No more addresses fit.
    #[error("there are {ADDRESSES_MAX} addresses already")]
    TooManyAddresses,
    /// No more preferences fit.
    #[error("there are {PREFERENCES_MAX} preferences already")]
    TooManyPreferences,
    /// A text is empty or too long.
    #[error("a name, a label or an address is empty, or longer than {TEXT_BYTES_MAX} bytes")]
    Text,
    /// There is no such thing.
    #[error("there is no such thing here")]
    NotThere,
}

#[cfg(test)]
mod tests;
