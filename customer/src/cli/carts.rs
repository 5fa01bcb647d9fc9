//! `search` and `cart`: what there is, and what is to be bought.

use kirana_core::{
    availability::Level,
    catalogue::product::{Language, Product, Variant},
    hash::Hash,
    household::{self, Household as Document, Item, usual_cart},
    id::{CartId, ProductId, ShopId, VariantId},
    money::{Money, Price},
    quantity::{Quantity, QuantityError, Unit},
    time::UnixMs,
};
use kirana_migrations::catalogue::{Filter, Shelved, question::NotAQuestion, search::Query};
use rand_core::Rng;
use serde::Serialize;

mod again;
mod shown;

use super::{
    Desk, Failure,
    args::{Cart, Search},
    meant, now,
    stock::{KnownStock, ago},
};
use crate::{
    app::{Household, HouseholdError, availability::Stock},
    clock,
};

#[derive(Serialize)]
struct Found {
    items: Vec<ProductLine>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct ProductLine {
    shop: ShopId,
    id: ProductId,
    name: String,
    names: std::collections::BTreeMap<String, String>,
    brand: Option<String>,
    category: Option<String>,
    /// The digest of its picture, and whether that is kept here.
    image: Option<Hash>,
    image_kept: bool,
    in_stock: bool,
    #[serde(flatten)]
    known: KnownStock,
    /// When the shop signed what is known of it, prices too.
    catalogue_at: UnixMs,
    catalogue_age_ms: u64,
    variants: Vec<VariantLine>,
}

#[derive(Serialize)]
struct VariantLine {
    id: VariantId,
    label: Option<String>,
    gtin: Option<String>,
    sku: Option<String>,
    price: Option<Price>,
    unit: Unit,
    stock: Option<Level>,
}

impl ProductLine {
    fn of(
        shelved: Shelved,
        image_kept: bool,
        stock: Option<Stock>,
        signed_at: UnixMs,
        now: UnixMs,
    ) -> Self {
        let Shelved { shop, mut product, in_stock, .. } = shelved;
        let variants = std::mem::take(&mut product.variants).into_iter();
        let names = product.names.iter();
        let level = |id: &VariantId| stock.as_ref()?.variants.get(id).copied();
        let variants = variants.map(|(id, variant)| VariantLine::of(id, variant, level(&id)));
        Self {
            shop,
            id: product.id,
            name: product.name(Language::ENGLISH).to_owned(),
            names: names.map(|(l, name)| (l.as_str().to_owned(), name.clone())).collect(),
            brand: product.brand,
            category: product.category,
            image: product.image,
            image_kept,
            in_stock,
            variants: variants.collect(),
            known: KnownStock::of(stock.as_ref(), now),
            catalogue_at: signed_at,
            catalogue_age_ms: now.since(signed_at),
        }
    }

    fn sentence(&self) -> String {
        let variants = self.variants.iter().map(VariantLine::sentence);
        let variants = variants.collect::<Vec<_>>().join("\n  ");
        let age = ago(self.catalogue_age_ms);
        format!("{} ({}; prices as of {age})\n  {variants}", self.name, self.known.sentence())
    }
}

impl VariantLine {
    fn of(id: VariantId, variant: Variant, stock: Option<Level>) -> Self {
        let Variant { label, gtin, sku, price, unit, .. } = variant;
        Self { id, label, gtin: gtin.map(|gtin| gtin.to_string()), sku, price, unit, stock }
    }

    fn sentence(&self) -> String {
        let label = self.label.as_deref().map(|label| format!("{label}, ")).unwrap_or_default();
        let price = self.price.map_or("no price".to_owned(), |price| said(price, self.unit));
        let gone = if self.stock == Some(Level::None) { " (none left)" } else { "" };
        format!("{}  {label}{price}{gone}", self.id)
    }
}

/// A price as people say it: `45.00 INR`, `60.00 INR for 1 kg`.
fn said(price: Price, unit: Unit) -> String {
    let money = Money { minor: price.minor, currency: price.currency };
    match Quantity::new(price.per, unit) {
        Ok(per) if (price.per, unit) != (1, Unit::Piece) => format!("{money} for {per}"),
        _ => money.to_string(),
    }
}

pub(super) fn search(desk: &Desk, search: Search) -> Result<(), Failure> {
    let wrong = |_| Failure::Usage("this cursor is not one that a page before gave".to_owned());
    let after = search.cursor.map(|text| text.parse()).transpose().map_err(wrong)?;
    let question = search.words.join(" ").parse();
    let question = question.map_err(|why: NotAQuestion| Failure::Usage(why.to_string()))?;
    let household = desk.household()?;
    let shop = search.shop.as_deref().map(|shop| meant::shop(&household, shop)).transpose()?;
    let meant = |said: &str| household.category_meant(shop, said);
    let category = search.category.as_deref().map(meant).transpose()?;
    let filter = Filter { shop, category, ..Filter::default() };
    let (limit, forgiving) = (search.limit, true);
    let query = Query { question, filter, limit, after, forgiving, ..Query::default() };
    // On a full disk the list goes by the prices of before, and is still a list.
    if let Err(error) = household.turn_prices(now()) {
        tracing::warn!(%error, "lists go by the prices of before");
    }
    let page = household.search(&query)?;
    let stock = household.stock(&page.items)?;
    let items = page.items.into_iter().zip(stock).zip(page.signed_at);
    let line = |((item, stock), at): ((Shelved, _), _)| {
        let image = item.product.image;
        let is_kept = image.map_or(Ok(false), |image| household.has_picture(image))?;
        Ok::<_, HouseholdError>(ProductLine::of(item, is_kept, stock, at, now()))
    };
    let found = Found {
        items: items.map(line).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    };
    desk.say(&found, || match found.items.is_empty() {
        true => "Nothing like this is in the saved catalogues.".to_owned(),
        false => found.items.iter().map(ProductLine::sentence).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

#[derive(Serialize)]
struct Carts {
    items: Vec<household::Cart>,
}

pub(super) fn cart(desk: &Desk, name: Option<&str>, command: Option<Cart>) -> Result<(), Failure> {
    let household = desk.household()?;
    let (at, mut rng) = (now(), clock::rng());
    let here = named(&household.document()?, name);
    match command.unwrap_or(Cart::Show) {
        Cart::Show => {}
        Cart::Add { shop, variant, amount } => {
            let shop = meant::shop(&household, &shop)?;
            let variant = meant::variant(&household, shop, &variant)?;
            let (cart, (item, quantity)) = (here?, wanted(&household, shop, variant, &amount)?);
            put(&household, cart, vec![(item, quantity)])?;
        }
        Cart::Remove { shop, variant } => {
            let (cart, shop) = (here?, meant::shop(&household, &shop)?);
            let variant = meant::variant(&household, shop, &variant)?;
            household.edit_document(&mut rng, move |d| d.remove(cart, shop, variant, at))?;
        }
        Cart::Clear => {
            let cart = here?;
            household.edit_document(&mut rng, move |d| match d.lines(cart).is_empty() {
                true => Ok(()),
                false => d.empty_cart(cart, None, at),
            })?;
        }
        Cart::Share => return shown::share(desk, &household, here?),
        Cart::Again { order } => {
            let lines = again::of_order(&household, order)?;
            return again::put(desk, &household, here?, lines);
        }
        Cart::Usual => {
            let lines = again::usual(&household)?;
            return again::put(desk, &household, here?, lines);
        }
        Cart::List => return list(desk, &household),
        Cart::New { name } => {
            let mut random = [0; 10];
            rng.fill_bytes(&mut random);
            let id = CartId::new(at, random);
            household.edit_document(&mut rng, move |d| d.new_cart(id, &name, at))?;
            return list(desk, &household);
        }
        Cart::Rename { name, new } => {
            household.edit_document(&mut rng, move |d| {
                let id = d.find_cart(&name)?;
                d.rename_cart(id, &new, at)
            })?;
            return list(desk, &household);
        }
        Cart::Drop { name } => {
            household.edit_document(&mut rng, move |d| {
                let id = d.find_cart(&name)?;
                d.drop_cart(id, at)
            })?;
            return list(desk, &household);
        }
    }
    shown::show(desk, &household, named(&household.document()?, name)?, Vec::new())
}

/// Puts things into a cart, each with the price that it has now.
fn put(household: &Household, cart: CartId, things: Vec<(Item, Quantity)>) -> Result<(), Failure> {
    let at = now();
    let mut seen = Vec::new();
    for (item, quantity) in things {
        let found = household.on_the_shelf(item.shop, item.variant)?;
        let kind =
            found.and_then(|(shelved, _)| shelved.product.variants.get(&item.variant).cloned());
        seen.push((item, quantity, kind));
    }
    household.edit_document(&mut clock::rng(), move |document| {
        for (item, quantity, kind) in &seen {
            document.add(cart, *item, *quantity, at)?;
            // A deal may hold for all of it that holds for no part.
            let all = document.quantity(cart, *item).unwrap_or(*quantity).amount();
            let price = kind.as_ref().and_then(|kind| kind.price_of(all, at));
            price.map_or(Ok(()), |price| document.saw(cart, *item, price, at))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The cart of this name; the usual one where none is named.
pub(super) fn named(document: &Document, name: Option<&str>) -> Result<CartId, Failure> {
    let found = name.map_or(Ok(usual_cart()), |name| document.find_cart(name));
    found.map_err(|why| Failure::from(HouseholdError::from(why)))
}

fn list(desk: &Desk, household: &Household) -> Result<(), Failure> {
    let carts = Carts { items: household.document()?.carts() };
    desk.say(&carts, || {
        let lines = carts.items.iter().map(|cart| {
            let items = if cart.items == 1 { "item" } else { "items" };
            format!("{}: {} {items}", cart.name, cart.items)
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// What something is called at a shop, by its saved catalogue; its id where that does not know it.
pub(super) fn name(
    household: &Household,
    shop: ShopId,
    variant: VariantId,
) -> Result<String, Failure> {
    let shelved = household.on_the_shelf(shop, variant)?;
    Ok(shelved.map_or(variant.to_string(), |(shelved, _)| name_of(&shelved.product)))
}

fn name_of(product: &Product) -> String {
    product.name(Language::ENGLISH).to_owned()
}

/// What somebody wants of a variant, checked against the saved catalogue.
pub(super) fn wanted(
    household: &Household,
    shop: ShopId,
    variant: VariantId,
    amount: &str,
) -> Result<(Item, Quantity), Failure> {
    let missing =
        || Failure::NotForSale(format!("the saved catalogue of shop {shop} has no {variant}"));
    let (shelved, _) = household.on_the_shelf(shop, variant)?.ok_or_else(missing)?;
    let kind = shelved.product.variants.get(&variant).ok_or_else(missing)?;
    let name = shelved.product.name(Language::ENGLISH);
    let quantity = Quantity::read(amount, kind.unit).map_err(|why| match why {
        QuantityError::OtherUnit { .. } => Failure::NotForSale(format!("{name}: {why}")),
        why => Failure::Usage(format!("«{amount}»: {why}")),
    })?;
    if kind.price.is_none() || shelved.product.delisted {
        return Err(Failure::NotForSale(format!("{name} is not for sale at the moment")));
    }
    if !kind.sells(quantity) {
        let step = Quantity::new(kind.step, kind.unit).map(|q| q.to_string()).unwrap_or_default();
        let least = Quantity::new(kind.min, kind.unit).map(|q| q.to_string()).unwrap_or_default();
        let how = format!("{name} is sold in steps of {step}, at least {least}");
        return Err(Failure::NotForSale(how));
    }
    let item = Item { shop, product: shelved.product.id, variant };
    Ok((item, quantity))
}
