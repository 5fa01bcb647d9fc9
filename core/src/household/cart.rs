//! A household's carts: named lists of what is to be bought, from any shops.
//!
//! **Invariant:** no addition is lost. A cart that was dropped on one device while another put
//! something into it comes back with just that.

use std::collections::BTreeMap;

use automerge::{ROOT, transaction::Transactable};
use serde::Serialize;

use super::{Household, HouseholdError, TEXT_BYTES_MAX};
use crate::{
    id::{CartId, ProductId, ShopId, VariantId},
    money::Price,
    quantity::{Quantity, Unit},
    time::UnixMs,
};

/// The most carts.
pub const CARTS_MAX: usize = 50;
/// The most items in one cart, all shops together.
pub const ITEMS_MAX: usize = 1_000;
/// What the cart is called that every household has, until somebody renames it.
pub const USUAL_CART: &str = "cart";

/// The cart that every household has: its id is fixed, so that two devices never make two of it.
pub fn usual_cart() -> CartId {
    CartId::from_slice(&[0; 16]).expect("an id has sixteen bytes")
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cart {
    /// Which.
    pub id: CartId,
    /// What people call it. Two that were made apart may have one name.
    pub name: String,
    /// How many items are in it.
    pub items: usize,
}

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

/// An item in a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CartLine {
    /// What.
    #[serde(flatten)]
    pub item: Item,
    /// How much, all devices together.
    pub quantity: Quantity,
    /// What it cost when it was put in, as the device saw that did it last.
    pub seen: Option<Price>,
}

impl Household {
    /// All carts, the usual one first, then by age.
    pub fn carts(&self) -> Vec<Cart> {
        let mut items: BTreeMap<CartId, usize> = BTreeMap::from([(usual_cart(), 0)]);
        for (cart, _) in self.counts("").into_keys().map(|(cart, shop, _)| (cart, shop)) {
            *items.entry(cart).or_default() += 1;
        }
        for key in self.keys(CART_NAME) {
            if let Ok(id) = key[CART_NAME.len()..].parse()
                && self.get(&format!("{DROPPED}{id}")).is_none()
            {
                items.entry(id).or_default();
            }
        }
        let cart = |(id, items)| Cart { id, name: self.cart_name(id), items };
        items.into_iter().map(cart).collect()
    }

    /// A cart by its name or its id; of several of one name the oldest.
    ///
    /// # Errors
    /// [`HouseholdError::NoSuchCart`].
    pub fn find_cart(&self, name: &str) -> Result<CartId, HouseholdError> {
        let carts = self.carts();
        let named = carts.iter().find(|cart| cart.name == name);
        let found = named.or_else(|| carts.iter().find(|cart| cart.id.to_string() == name));
        found.map(|cart| cart.id).ok_or(HouseholdError::NoSuchCart)
    }

    /// Makes a cart; the id is drawn by the caller.
    ///
    /// # Errors
    /// [`HouseholdError::Text`], [`HouseholdError::SameName`], [`HouseholdError::TooManyCarts`].
    pub fn new_cart(&mut self, id: CartId, name: &str, now: UnixMs) -> Result<(), HouseholdError> {
        if self.carts().len() >= CARTS_MAX {
            return Err(HouseholdError::TooManyCarts);
        }
        self.check_name(id, name)?;
        self.change(now, |tx| tx.put(ROOT, format!("{CART_NAME}{id}"), name))
    }

    /// Calls a cart something else.
    ///
    /// # Errors
    /// [`HouseholdError::NoSuchCart`], [`HouseholdError::Text`] or [`HouseholdError::SameName`].
    pub fn rename_cart(
        &mut self,
        id: CartId,
        name: &str,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        self.check_cart(id)?;
        self.check_name(id, name)?;
        self.change(now, |tx| tx.put(ROOT, format!("{CART_NAME}{id}"), name))
    }

    /// Drops a cart with all that this device sees in it; the usual one is only emptied.
    ///
    /// # Errors
    /// [`HouseholdError::NoSuchCart`].
    pub fn drop_cart(&mut self, id: CartId, now: UnixMs) -> Result<(), HouseholdError> {
        self.check_cart(id)?;
        let counts = self.keys(&format!("{COUNT}{id}/"));
        self.change(now, |tx| {
            if id != usual_cart() {
                tx.put(ROOT, format!("{DROPPED}{id}"), true)?;
            }
            counts.iter().try_for_each(|key| tx.delete(ROOT, key.as_str()))
        })
    }

    /// What is in a cart, by shop.
    pub fn lines(&self, cart: CartId) -> Vec<CartLine> {
        let sums = self.counts(&format!("{cart}/")).into_iter();
        let lines = sums.filter_map(|((cart, shop, variant), sum)| {
            let (product, unit) = self.kind(cart, shop, variant)?;
            let quantity = Quantity::new(sum, unit).ok()?;
            let seen = self.seen(cart, shop, variant);
            Some(CartLine { item: Item { shop, product, variant }, quantity, seen })
        });
        lines.collect()
    }

    /// How much of an item is in a cart, all devices together.
    pub fn quantity(&self, cart: CartId, item: Item) -> Option<Quantity> {
        let sums = self.counts(&format!("{cart}/{}/{}/", item.shop, item.variant));
        let sum = sums.get(&(cart, item.shop, item.variant)).copied()?;
        let (_, unit) = self.kind(cart, item.shop, item.variant)?;
        Quantity::new(sum, unit).ok()
    }

    /// Puts so much more of an item into a cart.
    ///
    /// # Errors
    /// [`HouseholdError`] when there is no such cart, it is full, or holds the item in another
    /// unit.
    pub fn add(
        &mut self,
        cart: CartId,
        item: Item,
        quantity: Quantity,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        self.check_cart(cart)?;
        let lines = self.lines(cart);
        let present = lines.iter().find(|line| line.item == item);
        if present.is_none() && lines.len() >= ITEMS_MAX {
            return Err(HouseholdError::CartFull);
        }
        if present.is_some_and(|line| line.quantity.unit() != quantity.unit()) {
            return Err(HouseholdError::OtherUnit);
        }
        let of = format!("{cart}/{}/{}", item.shop, item.variant);
        let own = format!("{COUNT}{of}/{}", self.author.key);
        let before = self.number(&own).unwrap_or(0);
        let count = before.saturating_add(quantity.amount()).min(Quantity::MAX);
        let kind = format!("{} {}", item.product, quantity.unit());
        self.change(now, |tx| {
            tx.put(ROOT, format!("{KIND}{of}"), kind)?;
            tx.put(ROOT, own, count)
        })
    }

    /// Notes what an item costs as it is put in, so that a later price can be told from it.
    ///
    /// # Errors
    /// [`HouseholdError`] when there is no such cart.
    pub fn saw(
        &mut self,
        cart: CartId,
        item: Item,
        price: Price,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        self.check_cart(cart)?;
        let of = format!("{SEEN}{cart}/{}/{}", item.shop, item.variant);
        let Price { minor, per, currency } = price;
        self.change(now, |tx| tx.put(ROOT, of, format!("{minor} {per} {currency}")))
    }

    /// Takes an item out of a cart, as much of it as this device sees.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn remove(
        &mut self,
        cart: CartId,
        shop: ShopId,
        variant: VariantId,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        self.delete_all(&format!("{COUNT}{cart}/{shop}/{variant}/"), now)
    }

    /// Takes everything out of a cart that is to be bought from a shop, once it was ordered; from
    /// all shops where none is named.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`] when there is nothing.
    pub fn empty_cart(
        &mut self,
        cart: CartId,
        shop: Option<ShopId>,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let shop = shop.map(|shop| format!("{shop}/")).unwrap_or_default();
        self.delete_all(&format!("{COUNT}{cart}/{shop}"), now)
    }

    /// Takes out of a cart what was ordered from a shop, if just that still stands in it: what was put
    /// in since was not ordered, and what was taken out since may have been ordered before.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`] when something else stands in it; nothing is taken out then.
    pub fn take_ordered(
        &mut self,
        cart: CartId,
        (shop, ordered): (ShopId, &[(VariantId, Quantity)]),
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let lines = self.lines(cart).into_iter().filter(|line| line.item.shop == shop);
        let there: Vec<_> = lines.map(|line| (line.item.variant, line.quantity)).collect();
        let is_same = there.len() == ordered.len() && there.iter().all(|it| ordered.contains(it));
        if is_same { self.empty_cart(cart, Some(shop), now) } else { Err(HouseholdError::NotThere) }
    }

    /// The counts of all devices added up, under keys that go on like this.
    fn counts(&self, prefix: &str) -> BTreeMap<(CartId, ShopId, VariantId), u64> {
        let mut sums = BTreeMap::new();
        for key in self.keys(&format!("{COUNT}{prefix}")) {
            let (Some(line), Some(count)) = (line(&key), self.number(&key)) else { continue };
            let sum: &mut u64 = sums.entry(line).or_default();
            *sum = sum.saturating_add(count).min(Quantity::MAX);
        }
        sums
    }

    fn kind(&self, cart: CartId, shop: ShopId, variant: VariantId) -> Option<(ProductId, Unit)> {
        let value = self.text(&format!("{KIND}{cart}/{shop}/{variant}"))?;
        let (product, unit) = value.split_once(' ')?;
        Some((product.parse().ok()?, unit.parse().ok()?))
    }

    fn seen(&self, cart: CartId, shop: ShopId, variant: VariantId) -> Option<Price> {
        let value = self.text(&format!("{SEEN}{cart}/{shop}/{variant}"))?;
        let mut parts = value.split(' ');
        let (minor, per) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let price = Price { minor, per, currency: parts.next()?.parse().ok()? };
        (price.minor >= 0 && price.per > 0).then_some(price)
    }

    fn cart_name(&self, id: CartId) -> String {
        let usual = || if id == usual_cart() { USUAL_CART.to_owned() } else { id.to_string() };
        self.text(&format!("{CART_NAME}{id}")).unwrap_or_else(usual)
    }

    fn check_cart(&self, id: CartId) -> Result<(), HouseholdError> {
        let is_there = self.carts().iter().any(|cart| cart.id == id);
        if is_there { Ok(()) } else { Err(HouseholdError::NoSuchCart) }
    }

    fn check_name(&self, id: CartId, name: &str) -> Result<(), HouseholdError> {
        if name.trim().is_empty() || name.len() > TEXT_BYTES_MAX {
            return Err(HouseholdError::Text);
        }
        let is_taken = self.carts().iter().any(|cart| cart.name == name && cart.id != id);
        if is_taken { Err(HouseholdError::SameName) } else { Ok(()) }
    }
}

/// Which line of which cart a count is for.
fn line(key: &str) -> Option<(CartId, ShopId, VariantId)> {
    let mut parts = key.strip_prefix(COUNT)?.split('/');
    let cart = parts.next()?.parse().ok()?;
    let (shop, variant) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((cart, shop, variant))
}

/// Names: cart. A dropped cart keeps its name, for the case that it comes back.
const CART_NAME: &str = "cart/";
/// Carts that were dropped.
const DROPPED: &str = "dropped/";
/// Counts: cart, shop, variant, device.
const COUNT: &str = "count/";
/// What a counted item is: cart, shop, variant. It outlives its counts: taking it away could take
/// it from under an addition that this device has not seen.
const KIND: &str = "kind/";
/// What it cost then: cart, shop, variant.
const SEEN: &str = "seen/";
