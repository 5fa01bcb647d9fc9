//! Amendments of products: what somebody who edits one says, field by field.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        document::{Author, Heads},
        edit::{Edit, EditError},
        pricing::{Deal, Terms},
        product::{Language, Product, Variant},
    },
    gtin::Gtin,
    id::{ProductId, VariantId},
    key::KeyId,
    money::{Currency, Price},
    quantity::{Quantity, Unit},
    time::UnixMs,
};
use kirana_migrations::{Abort, catalogue::chunks};
use rand_core::CryptoRng;
use serde::Deserialize;

use super::{Edited, Editing, NotEdited, Shop, Visit, Written, epochs, may_edit};
use crate::store::catalogue as shelves;

/// What is to be different about a product; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amendment {
    /// The name in English.
    pub name: Option<String>,
    /// Names by language; `null` takes one away.
    pub names: BTreeMap<Language, Option<String>>,
    /// All synonyms.
    pub synonyms: Option<BTreeSet<String>>,
    /// Who makes it; empty for nobody.
    pub brand: Option<String>,
    /// The shelf; empty for none.
    pub category: Option<String>,
    /// A sentence; empty for none.
    pub description: Option<String>,
    /// Tax in basis points.
    pub tax_bp: Option<u32>,
    /// Whether its stock is counted.
    pub counted: Option<bool>,
    /// Whether it is off the shelf.
    pub delisted: Option<bool>,
    /// What it is made of; empty for nothing said.
    pub ingredients: Option<String>,
    /// How old somebody must be to buy it; 0 for any age.
    pub age_min: Option<u8>,
    /// How it is kept; empty for nothing said.
    pub storage: Option<String>,
    /// Its class of the Harmonised System; empty for none.
    pub hsn: Option<String>,
    /// All diets it suits.
    pub diets: Option<BTreeSet<String>>,
    /// All allergens it holds.
    pub allergens: Option<BTreeSet<String>>,
    /// Variants: known ones by their id, new ones without.
    pub variants: Vec<VariantAmendment>,
}

/// What is to be different about a variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VariantAmendment {
    /// Which one; a new one without.
    pub id: Option<VariantId>,
    /// What tells it from its siblings; empty for nothing.
    pub label: Option<String>,
    /// The number under the barcode.
    pub gtin: Option<Gtin>,
    /// The shop's own number; empty for none.
    pub sku: Option<String>,
    /// What it costs.
    pub price: Option<PriceAmendment>,
    /// What its quantities count.
    pub unit: Option<Unit>,
    /// Quantities are multiples of this.
    pub step: Option<u64>,
    /// The least that is sold.
    pub min: Option<u64>,
    /// Its own tax in basis points; `null` for that of the product.
    #[serde(deserialize_with = "present")]
    pub tax_bp: Option<Option<u32>>,
    /// How much of the price is given back for the empty, in minor units; 0 for nothing.
    pub deposit: Option<u64>,
    /// The highest price that is allowed, in minor units; `null` for none.
    #[serde(deserialize_with = "present")]
    pub max_price: Option<Option<u64>>,
    /// By how much its weight usually differs, in basis points.
    pub tolerance_bp: Option<u32>,
    /// What is in one pack; `null` for nothing said.
    #[serde(deserialize_with = "present")]
    pub content: Option<Option<Quantity>>,
    /// How much is never promised to orders, in base units.
    pub safety: Option<u64>,
    /// All planned prices.
    pub planned: Option<Vec<PlannedAmendment>>,
    /// All deals.
    pub deals: Option<Vec<DealAmendment>>,
}

/// A price that holds for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedAmendment {
    price: PriceAmendment,
    from: UnixMs,
    #[serde(default)]
    until: Option<UnixMs>,
}

/// A deal that holds for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealAmendment {
    deal: Deal,
    from: UnixMs,
    #[serde(default)]
    until: Option<UnixMs>,
}

/// Tells a `null` from a field that is not there.
fn present<'de, T, D>(d: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(d).map(Some)
}

/// A price in the shop's currency unless it says another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceAmendment {
    minor: i64,
    #[serde(default = "one")]
    per: u64,
    currency: Option<Currency>,
}

fn one() -> u64 {
    1
}

impl PriceAmendment {
    /// The price, in `usual` unless it names a currency.
    pub fn price(self, usual: Currency) -> Price {
        Price { minor: self.minor, per: self.per, currency: self.currency.unwrap_or(usual) }
    }
}

impl Shop {
    /// Puts a new product on the shelf and gives it its id.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn add_product(
        &self,
        amendment: &Amendment,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<ProductId, NotEdited> {
        let (id, variant) = self.draw_ids(now, rng);
        let mut product = Product::new(id, Language::ENGLISH, "", variant);
        product.names.clear();
        product.variants.clear();
        let mut edits = self.apply(amendment, &mut product, now, rng)?;
        if product.variants.is_empty() {
            product.variants.insert(variant, Variant::default());
        }
        edits.insert(0, Edit::PutProduct(Box::new(product)));
        self.edit_catalogue(edits, by, None, now, rng)?;
        Ok(id)
    }

    /// Changes a product, upon the heads that its editor saw, if given.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn amend_product(
        &self,
        id: ProductId,
        amendment: Amendment,
        by: KeyId,
        upon: Option<Heads>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Edited, NotEdited> {
        let incarnation = match &upon {
            Some(_) => rng.next_u64(),
            None => self.inner.documents.incarnation(rng),
        };
        let author = Author { key: by, incarnation };
        let fresh: Vec<VariantId> =
            amendment.variants.iter().map(|_| self.draw_ids(now, rng).1).collect();
        let (shop, visit) = (self.clone(), Visit::new(now, rng));
        let written =
            self.writer().write(move |tx| -> Result<Option<Written>, Abort<NotEdited>> {
                may_edit(tx)?;
                let none = || NotEdited::Edit(EditError::NoSuchProduct(id));
                let bucket = shelves::bucket_of(tx, shop.id(), id)?.ok_or_else(none)?;
                let reached = chunks::reached(tx, shop.id())?;
                let at = reached.get(&bucket);
                let document = shop.inner.documents.load(tx, shop.id(), bucket, at)?;
                let base = epochs::seen_at(tx, document, upon.as_ref())?;
                let mut product = base.product(id).ok_or_else(none)?;
                let currency = shop.identity().currency;
                let prices = amendment.fill(&mut product, &fresh, currency)?;
                let mut edits = vec![Edit::PutProduct(Box::new(product))];
                edits.extend(prices);
                let inner = &shop.inner;
                let editing = Editing { inner, tx, author, now: visit.now, upon: upon.as_ref() };
                Ok(editing.make(bucket, at, &edits)?)
            })?;
        let changed = written.iter().flat_map(|chunk| chunk.changed.iter().copied()).collect();
        self.inner.documents.keep(written);
        Ok(Edited { changed })
    }

    fn apply(
        &self,
        amendment: &Amendment,
        product: &mut Product,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<Edit>, NotEdited> {
        let fresh: Vec<VariantId> =
            amendment.variants.iter().map(|_| self.draw_ids(now, rng).1).collect();
        amendment.fill(product, &fresh, self.identity().currency)
    }
}

impl Amendment {
    /// Writes the amendment over a product. Prices come back as edits of their own, since naming
    /// a price settles a clash even where it names the one that holds.
    fn fill(
        &self,
        product: &mut Product,
        fresh: &[VariantId],
        currency: Currency,
    ) -> Result<Vec<Edit>, NotEdited> {
        if let Some(name) = &self.name {
            product.names.insert(Language::ENGLISH, name.clone());
        }
        for (language, name) in &self.names {
            match name {
                Some(name) => drop(product.names.insert(*language, name.clone())),
                None => drop(product.names.remove(language)),
            }
        }
        let words = [
            (&mut product.synonyms, &self.synonyms),
            (&mut product.diets, &self.diets),
            (&mut product.allergens, &self.allergens),
        ];
        for (words, said) in words {
            words.clone_from(said.as_ref().unwrap_or(&words.clone()));
        }
        put(&mut product.brand, &self.brand);
        put(&mut product.category, &self.category);
        put(&mut product.description, &self.description);
        put(&mut product.ingredients, &self.ingredients);
        put(&mut product.storage, &self.storage);
        put(&mut product.hsn, &self.hsn);
        if let Some(years) = self.age_min {
            product.age_min = Some(years).filter(|years| *years > 0);
        }
        product.tax_bp = self.tax_bp.unwrap_or(product.tax_bp);
        product.counted = self.counted.unwrap_or(product.counted);
        product.delisted = self.delisted.unwrap_or(product.delisted);
        let mut prices = Vec::new();
        for (amended, fresh) in self.variants.iter().zip(fresh) {
            let id = amended.id.unwrap_or(*fresh);
            if amended.id.is_some() && !product.variants.contains_key(&id) {
                let product = product.id;
                return Err(EditError::NoSuchVariant { product, variant: id }.into());
            }
            amended.fill(product.variants.entry(id).or_default(), currency)?;
            if let Some(price) = amended.price {
                let price = Some(price.price(currency));
                prices.push(Edit::SetPrice { product: product.id, variant: id, price });
            }
        }
        Ok(prices)
    }
}

impl VariantAmendment {
    fn fill(&self, variant: &mut Variant, currency: Currency) -> Result<(), NotEdited> {
        put(&mut variant.label, &self.label);
        put(&mut variant.sku, &self.sku);
        variant.gtin = self.gtin.or(variant.gtin);
        variant.unit = self.unit.unwrap_or(variant.unit);
        variant.step = self.step.unwrap_or(variant.step);
        variant.min = self.min.or(self.step).unwrap_or(variant.min);
        variant.tax_bp = self.tax_bp.unwrap_or(variant.tax_bp);
        if let Some(deposit) = self.deposit {
            variant.deposit = Some(deposit).filter(|deposit| *deposit > 0);
        }
        variant.max_price = self.max_price.unwrap_or(variant.max_price);
        variant.tolerance_bp = self.tolerance_bp.unwrap_or(variant.tolerance_bp);
        variant.content = self.content.unwrap_or(variant.content);
        variant.safety = self.safety.unwrap_or(variant.safety);
        if let Some(planned) = &self.planned {
            let terms = |p: &PlannedAmendment| {
                (p.from, Terms { what: p.price.price(currency), until: p.until })
            };
            variant.planned = filed(planned.iter().map(terms))?;
        }
        if let Some(deals) = &self.deals {
            let terms = |d: &DealAmendment| (d.from, Terms { what: d.deal, until: d.until });
            variant.deals = filed(deals.iter().map(terms))?;
        }
        Ok(())
    }
}

/// Files what is planned by when it begins; two at one moment would hide one another.
fn filed<T>(
    all: impl Iterator<Item = (UnixMs, Terms<T>)>,
) -> Result<BTreeMap<UnixMs, Terms<T>>, NotEdited> {
    let mut filed = BTreeMap::new();
    for (from, terms) in all {
        if filed.insert(from, terms).is_some() {
            return Err(NotEdited::SameMoment(from));
        }
    }
    Ok(filed)
}

/// A text that was said takes the place of what was there; an empty one takes it away.
fn put(text: &mut Option<String>, said: &Option<String>) {
    if let Some(said) = said {
        *text = Some(said.clone()).filter(|said| !said.trim().is_empty());
    }
}
