//! Carts and addresses of hosted accounts, priced anew by the shelves each time they are looked at.

use kirana_core::{
    hash::Hash,
    household::{Address, Household as Document, HouseholdError as Refusal, Item},
    id::{AddressId, CartId, ShopId, VariantId},
    quantity::Quantity,
    time::UnixMs,
};
use kirana_customer::app::priced::{Hurdle, PricedLine, hurdle, priced};
use kirana_migrations::catalogue::Shelved;

use super::on_disk;
use crate::{
    app::{Error, Hub, policy::Actor},
    clock::{Rng, draw},
    store::idempotency::Once,
};

/// A cart as it stands, by the prices of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// Which.
    pub id: CartId,
    /// What its person calls it.
    pub name: String,
    /// Its lines.
    pub lines: Vec<PricedLine>,
}

/// What somebody puts into a cart.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// From which shop.
    pub shop: ShopId,
    /// What.
    pub variant: VariantId,
    /// How much.
    pub quantity: Quantity,
}

impl Hub {
    /// The own addresses, and which is the usual one.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account is not hosted.
    pub async fn addresses(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Vec<(AddressId, Address)>, Option<AddressId>), Error> {
        let home = self.home_of(actor, now, rng).await?;
        let document = on_disk(|| home.document())?;
        Ok((document.addresses().into_iter().collect(), document.usual_address()))
    }

    /// Adds an address, once for each key, or puts it in place of another; its id.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account is not hosted or has too many, [`Error::NotFound`] where
    /// there is no such address to replace.
    pub async fn put_address(
        &self,
        actor: &Actor,
        (id, once): (Option<AddressId>, Option<Once>),
        address: Address,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<AddressId, Error> {
        let home = self.home_of(actor, now, rng).await?;
        let known = on_disk(|| home.document())?.addresses();
        let (id, is_new) = match id {
            Some(id) if !known.contains_key(&id) => {
                return Err(Error::NotFound { what: "address" });
            }
            Some(id) => (id, false),
            None => {
                let id = AddressId::new(now, draw(rng));
                (
                    self.named_once(once, id.as_bytes(), now)
                        .await?
                        .and_then(|id| AddressId::from_slice(&id))
                        .unwrap_or(id),
                    true,
                )
            }
        };
        let is_first = known.is_empty() && is_new;
        on_disk(|| {
            home.edit_document(rng, move |document| {
                document.put_address(id, &address, now)?;
                if is_first { document.choose_address(id, now) } else { Ok(()) }
            })
        })?;
        Ok(id)
    }

    /// Removes an address, or makes it the usual one.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Declined`] where the account is not hosted.
    pub async fn change_address(
        &self,
        actor: &Actor,
        id: AddressId,
        remove: bool,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.edit(actor, now, rng, move |document| match remove {
            true => document.remove_address(id, now),
            false => document.choose_address(id, now),
        })
        .await
    }

    /// The own carts.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account is not hosted.
    pub async fn carts(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<Priced>, Error> {
        let home = self.home_of(actor, now, rng).await?;
        let document = on_disk(|| home.document())?;
        document
            .carts()
            .iter()
            .map(|cart| self.priced(&document, cart.id, &cart.name, now))
            .collect()
    }

    /// One of the own carts.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Declined`] where the account is not hosted.
    pub async fn cart(
        &self,
        actor: &Actor,
        id: CartId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Priced, Error> {
        let home = self.home_of(actor, now, rng).await?;
        let document = on_disk(|| home.document())?;
        let cart = document.carts().into_iter().find(|cart| cart.id == id);
        let cart = cart.ok_or(Error::NotFound { what: "cart" })?;
        self.priced(&document, id, &cart.name, now)
    }

    /// Begins a cart, once for each key; its id.
    ///
    /// # Errors
    /// [`Error::Declined`] where the name is taken or the account is not hosted.
    pub async fn new_cart(
        &self,
        actor: &Actor,
        name: String,
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<CartId, Error> {
        let id = CartId::new(now, draw(rng));
        let id = self
            .named_once(once, id.as_bytes(), now)
            .await?
            .and_then(|id| CartId::from_slice(&id))
            .unwrap_or(id);
        self.edit(actor, now, rng, move |document| {
            let is_there = document.carts().iter().any(|cart| cart.id == id);
            if is_there { Ok(()) } else { document.new_cart(id, &name, now) }
        })
        .await?;
        Ok(id)
    }

    /// Renames or drops a cart.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Declined`].
    pub async fn change_cart(
        &self,
        actor: &Actor,
        id: CartId,
        name: Option<String>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.edit(actor, now, rng, move |document| match &name {
            Some(name) => document.rename_cart(id, name, now),
            None => document.drop_cart(id, now),
        })
        .await
    }

    /// Puts something into a cart, beside what is there of it, or in its place.
    ///
    /// # Errors
    /// [`Error::Declined`] where it is not sold or not in that amount, [`Error::NotFound`] where
    /// there is no such cart.
    pub async fn put_into_cart(
        &self,
        actor: &Actor,
        id: CartId,
        (wanted, replaces): (Wanted, bool),
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Priced, Error> {
        let shelved = self.on_the_shelf(wanted.shop, wanted.variant)?;
        let hurdle = match &shelved {
            Some((shelved, _)) => hurdle(shelved, wanted.variant, wanted.quantity, now),
            None => Some(Hurdle::Gone),
        };
        if let Some(hurdle @ (Hurdle::Gone | Hurdle::NotInThatAmount)) = hurdle {
            return Err(Error::Declined { kind: hurdle.kind(), why: hurdle.says().to_owned() });
        }
        let Some((shelved, _)) = shelved else { return Err(Error::NotFound { what: "product" }) };
        let product = shelved.product.id;
        let kind = shelved.product.variants.get(&wanted.variant).cloned();
        let item = Item { shop: wanted.shop, product, variant: wanted.variant };
        let home = self.home_of(actor, now, rng).await?;
        let edit = move |document: &mut Document| {
            if !document.carts().iter().any(|cart| cart.id == id) {
                return Err(Refusal::NoSuchCart);
            }
            if replaces && document.lines(id).iter().any(|line| line.item == item) {
                document.remove(id, item.shop, item.variant, now)?;
            }
            document.add(id, item, wanted.quantity, now)?;
            let all = document.quantity(id, item).unwrap_or(wanted.quantity).amount();
            let price = kind.as_ref().and_then(|kind| kind.price_of(all, now));
            price.map_or(Ok(()), |price| document.saw(id, item, price, now))
        };
        // The request is part of the key: another one under the same key is another edit.
        let once =
            once.map(|once| (Hash::of_parts(&[once.key.as_bytes(), once.request.as_bytes()]), now));
        on_disk(|| home.edit_document_once(once, rng, edit))?;
        self.cart(actor, id, now, rng).await
    }

    /// Takes something out of a cart.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn take_out_of_cart(
        &self,
        actor: &Actor,
        id: CartId,
        variant: VariantId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.edit(actor, now, rng, move |document| {
            let lines = document.lines(id);
            let line = lines.iter().find(|line| line.item.variant == variant);
            let item = line.ok_or(Refusal::NotThere)?.item;
            document.remove(id, item.shop, item.variant, now)
        })
        .await
    }

    async fn edit(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
        edit: impl Fn(&mut Document) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), Error> {
        let home = self.home_of(actor, now, rng).await?;
        Ok(on_disk(|| home.edit_document(rng, edit))?)
    }

    /// The name that was given under a key before, or this one from now on.
    async fn named_once(
        &self,
        once: Option<Once>,
        name: &[u8; 16],
        now: UnixMs,
    ) -> Result<Option<[u8; 16]>, Error> {
        let Some(once) = once else { return Ok(None) };
        let noted = self.store().note_once(once, name.to_vec(), now).await?;
        Ok(<[u8; 16]>::try_from(noted).ok())
    }

    fn priced(
        &self,
        document: &Document,
        id: CartId,
        name: &str,
        now: UnixMs,
    ) -> Result<Priced, Error> {
        let mut lines = Vec::new();
        for line in document.lines(id) {
            let shelved = self.on_the_shelf(line.item.shop, line.item.variant)?;
            lines.push(priced(line, shelved.map(|(shelved, _)| shelved).as_ref(), now));
        }
        Ok(Priced { id, name: name.to_owned(), lines })
    }

    /// What a shop's shelf says of a variant, with the number of the chunk that it was read from.
    pub(super) fn on_the_shelf(
        &self,
        shop: ShopId,
        variant: VariantId,
    ) -> Result<Option<(Shelved, u64)>, Error> {
        Ok(self.shelves()?.of_variant(shop, variant)?)
    }
}
