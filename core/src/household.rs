//! What a household's devices share: carts, addresses, a name, as one small Automerge document.
//!
//! How much is wanted of an item is a count for each device, and the counts add up, so that two
//! devices that add at once add up too; a removal takes away the counts that it saw and no others.
//!
//! **Invariant:** all keys stand at the document's root, since two devices that made one nested
//! object at once would lose one of the two.

use std::collections::BTreeMap;

use automerge::{
    ActorId, Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue,
    transaction::{CommitOptions, Transactable, Transaction},
};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::document::Author,
    id::{ProductId, ShopId, VariantId},
    quantity::{Quantity, Unit},
    time::UnixMs,
};

/// The longest document, in bytes.
pub const HOUSEHOLD_BYTES_MAX: usize = 1024 * 1024;
/// The most items in the cart, all shops together.
pub const ITEMS_MAX: usize = 1_000;
/// The most addresses.
pub const ADDRESSES_MAX: usize = 50;
/// The longest text: a label, an address, a phone number, a name; in bytes.
pub const TEXT_BYTES_MAX: usize = 500;

/// Something to be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Item {
    /// From which shop.
    pub shop: ShopId,
    /// Which product.
    pub product: ProductId,
    /// Which size or pack of it.
    pub variant: VariantId,
}

/// An item in the cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CartLine {
    /// What.
    #[serde(flatten)]
    pub item: Item,
    /// How much, all devices together.
    pub quantity: Quantity,
}

/// Where orders are brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street, house, landmark.
    pub text: String,
    /// Where to call.
    #[serde(default)]
    pub phone: String,
}

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

    /// The whole document.
    pub fn save(&self) -> Vec<u8> {
        self.doc.save()
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

    /// What is in the cart, by shop.
    pub fn cart(&self) -> Vec<CartLine> {
        let mut sums: BTreeMap<(ShopId, VariantId), u64> = BTreeMap::new();
        for (key, value) in self.entries(COUNT) {
            let mut parts = key.split('/');
            let (shop, variant) = (parts.next(), parts.next());
            let shop = shop.and_then(|text| text.parse().ok());
            let variant = variant.and_then(|text| text.parse().ok());
            if let (Some(shop), Some(variant), Some(count)) = (shop, variant, number(&value)) {
                let sum = sums.entry((shop, variant)).or_default();
                *sum = sum.saturating_add(count).min(Quantity::MAX);
            }
        }
        let lines = sums.into_iter().filter_map(|((shop, variant), sum)| {
            let (product, unit) = self.kind(shop, variant)?;
            let quantity = Quantity::new(sum, unit).ok()?;
            Some(CartLine { item: Item { shop, product, variant }, quantity })
        });
        lines.collect()
    }

    /// Puts so much more of an item into the cart.
    ///
    /// # Errors
    /// [`HouseholdError`] when the cart is full, or holds the item in another unit.
    pub fn add(
        &mut self,
        item: Item,
        quantity: Quantity,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let cart = self.cart();
        let present = cart.iter().find(|line| line.item == item);
        if present.is_none() && cart.len() >= ITEMS_MAX {
            return Err(HouseholdError::CartFull);
        }
        if present.is_some_and(|line| line.quantity.unit() != quantity.unit()) {
            return Err(HouseholdError::OtherUnit);
        }
        let own = self.count_key(item);
        let before = self.get(&own).as_ref().and_then(number).unwrap_or(0);
        let count = before.saturating_add(quantity.amount()).min(Quantity::MAX);
        let kind = format!("{} {}", item.product, quantity.unit());
        self.change(now, |tx| {
            tx.put(ROOT, format!("{KIND}{}/{}", item.shop, item.variant), kind)?;
            tx.put(ROOT, own, count)
        })
    }

    /// Takes an item out, as much of it as this device sees.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn remove(
        &mut self,
        shop: ShopId,
        variant: VariantId,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        self.delete_all(&format!("{COUNT}{shop}/{variant}/"), now)
    }

    /// Takes everything out that is to be bought from a shop, once it was ordered.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`] when there is nothing.
    pub fn empty_cart(&mut self, shop: ShopId, now: UnixMs) -> Result<(), HouseholdError> {
        self.delete_all(&format!("{COUNT}{shop}/"), now)
    }

    /// The addresses by their labels.
    pub fn addresses(&self) -> BTreeMap<String, Address> {
        let entries = self.entries(ADDRESS).into_iter();
        let read = entries.filter_map(|(label, value)| {
            Some((label, serde_json::from_str(value.as_str()?).ok()?))
        });
        read.collect()
    }

    /// Adds an address, or puts it in place of the one with this label.
    ///
    /// # Errors
    /// [`HouseholdError::Text`] or [`HouseholdError::TooManyAddresses`].
    pub fn put_address(
        &mut self,
        label: &str,
        address: &Address,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let texts = [label, &address.text, &address.phone];
        if label.trim().is_empty() || texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(HouseholdError::Text);
        }
        let known = self.addresses();
        if known.len() >= ADDRESSES_MAX && !known.contains_key(label) {
            return Err(HouseholdError::TooManyAddresses);
        }
        let json = serde_json::to_string(address).expect("strings always become JSON");
        self.change(now, |tx| tx.put(ROOT, format!("{ADDRESS}{label}"), json))
    }

    /// Removes an address.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn remove_address(&mut self, label: &str, now: UnixMs) -> Result<(), HouseholdError> {
        if !self.addresses().contains_key(label) {
            return Err(HouseholdError::NotThere);
        }
        self.change(now, |tx| tx.delete(ROOT, format!("{ADDRESS}{label}")))
    }

    /// The label of the usual address: the one that was chosen, else the only one.
    pub fn usual_address(&self) -> Option<String> {
        let known = self.addresses();
        let chosen = self.get(USUAL).and_then(|value| value.as_str().map(str::to_owned));
        let chosen = chosen.filter(|label| known.contains_key(label));
        chosen.or_else(|| (known.len() == 1).then(|| known.into_keys().next()).flatten())
    }

    /// Chooses the usual address.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn choose_address(&mut self, label: &str, now: UnixMs) -> Result<(), HouseholdError> {
        if !self.addresses().contains_key(label) {
            return Err(HouseholdError::NotThere);
        }
        self.change(now, |tx| tx.put(ROOT, USUAL, label))
    }

    /// What people call the household.
    pub fn name(&self) -> String {
        self.get(NAME).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
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

    fn count_key(&self, item: Item) -> String {
        format!("{COUNT}{}/{}/{}", item.shop, item.variant, self.author.key)
    }

    fn kind(&self, shop: ShopId, variant: VariantId) -> Option<(ProductId, Unit)> {
        let value = self.get(&format!("{KIND}{shop}/{variant}"))?;
        let (product, unit) = value.as_str()?.split_once(' ')?;
        Some((product.parse().ok()?, unit.parse().ok()?))
    }

    fn get(&self, key: &str) -> Option<ScalarValue> {
        let (value, _) = self.doc.get(ROOT, key).ok()??;
        value.as_scalar().cloned()
    }

    /// What stands under keys that begin so, by the rest of the key.
    fn entries(&self, prefix: &str) -> Vec<(String, ScalarValue)> {
        let keys = self.doc.keys(ROOT).filter(|key| key.starts_with(prefix));
        keys.filter_map(|key| Some((key[prefix.len()..].to_owned(), self.get(&key)?))).collect()
    }

    fn delete_all(&mut self, prefix: &str, now: UnixMs) -> Result<(), HouseholdError> {
        let keys: Vec<String> = self.doc.keys(ROOT).filter(|key| key.starts_with(prefix)).collect();
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

fn number(value: &ScalarValue) -> Option<u64> {
    match value {
        ScalarValue::Uint(number) => Some(*number),
        ScalarValue::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// Counts: shop, variant, device.
const COUNT: &str = "count/";
/// What a counted item is: shop, variant.
const KIND: &str = "kind/";
const ADDRESS: &str = "address/";
const USUAL: &str = "usual address";
const NAME: &str = "name";

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
    /// No more items fit.
    #[error("the cart holds {ITEMS_MAX} items already")]
    CartFull,
    /// The item is in the cart in another unit.
    #[error("this is in the cart already, counted in another unit")]
    OtherUnit,
    /// No more addresses fit.
    #[error("there are {ADDRESSES_MAX} addresses already")]
    TooManyAddresses,
    /// A text is empty or too long.
    #[error("a label or an address is empty, or longer than {TEXT_BYTES_MAX} bytes")]
    Text,
    /// There is no such thing.
    #[error("there is no such thing here")]
    NotThere,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyId;

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    fn device(n: u8) -> Author {
        Author { key: KeyId::of(&[n; 32]), incarnation: u64::from(n) }
    }

    fn rice() -> Item {
        Item {
            shop: ShopId::new(NOW, [1; 10]),
            product: ProductId::new(NOW, [2; 10]),
            variant: VariantId::new(NOW, [3; 10]),
        }
    }

    fn grams(amount: u64) -> Quantity {
        Quantity::new(amount, Unit::Gram).expect("some")
    }

    fn wanted(household: &Household) -> Option<u64> {
        household.cart().first().map(|line| line.quantity.amount())
    }

    /// Two devices of one household that know the same.
    fn two() -> (Household, Household) {
        let mut one = Household::new(device(1));
        one.set_name("Rao", NOW).expect("short");
        let two = Household::load(&one.save(), device(2)).expect("read");
        (one, two)
    }

    #[test]
    fn p5_two_devices_that_add_the_same_item_apart_add_up() {
        let (mut one, mut two) = two();
        one.add(rice(), grams(500), NOW).expect("added");
        two.add(rice(), grams(1000), NOW).expect("added");
        assert_eq!(one.merge(&two.save()), Ok(true));
        assert_eq!(two.merge(&one.save()), Ok(true));
        assert_eq!((wanted(&one), wanted(&two)), (Some(1500), Some(1500)));
        assert_eq!(one.merge(&two.save()), Ok(false), "the same again is no news");
    }

    #[test]
    fn p5_a_removal_takes_away_what_it_saw_and_not_what_was_added_meanwhile() {
        let (mut one, mut two) = two();
        one.add(rice(), grams(500), NOW).expect("added");
        two.merge(&one.save()).expect("read");
        two.remove(rice().shop, rice().variant, NOW).expect("there");
        one.add(rice(), grams(250), NOW).expect("added");
        two.merge(&one.save()).expect("read");
        one.merge(&two.save()).expect("read");
        assert_eq!(wanted(&one), Some(750), "the count that grew meanwhile stays whole");
        assert_eq!(wanted(&one), wanted(&two));
    }

    #[test]
    fn a_removed_item_is_gone_and_can_be_added_again() {
        let (mut one, _) = two();
        one.add(rice(), grams(500), NOW).expect("added");
        one.remove(rice().shop, rice().variant, NOW).expect("there");
        assert_eq!(one.cart(), []);
        let again = one.remove(rice().shop, rice().variant, NOW);
        assert_eq!(again, Err(HouseholdError::NotThere));
        one.add(rice(), grams(100), NOW).expect("added");
        assert_eq!(wanted(&one), Some(100));
    }

    #[test]
    fn an_ordered_cart_is_emptied_for_its_shop_only() {
        let (mut one, _) = two();
        let elsewhere = Item { shop: ShopId::new(NOW, [9; 10]), ..rice() };
        one.add(rice(), grams(500), NOW).expect("added");
        one.add(elsewhere, grams(200), NOW).expect("added");
        one.empty_cart(rice().shop, NOW).expect("something");
        assert_eq!(one.cart().len(), 1);
        assert_eq!(one.cart()[0].item, elsewhere);
    }

    #[test]
    fn the_only_address_is_the_usual_one_until_another_is_chosen() {
        let (mut one, _) = two();
        let home = Address { text: "14 Second Cross".to_owned(), phone: String::new() };
        one.put_address("home", &home, NOW).expect("put");
        assert_eq!(one.usual_address().as_deref(), Some("home"));
        one.put_address("work", &home, NOW).expect("put");
        assert_eq!(one.usual_address(), None);
        one.choose_address("work", NOW).expect("there");
        assert_eq!(one.usual_address().as_deref(), Some("work"));
        one.remove_address("work", NOW).expect("there");
        assert_eq!(one.usual_address().as_deref(), Some("home"));
    }

    #[test]
    fn one_item_is_not_counted_in_two_units() {
        let (mut one, _) = two();
        one.add(rice(), grams(500), NOW).expect("added");
        let pieces = Quantity::new(1, Unit::Piece).expect("some");
        assert_eq!(one.add(rice(), pieces, NOW), Err(HouseholdError::OtherUnit));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            // An empty document is what no bytes stand for.
            proptest::prop_assume!(!bytes.is_empty());
            proptest::prop_assert!(Household::load(&bytes, device(1)).is_err());
        }
    }
}
