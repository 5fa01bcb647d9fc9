//! The price lists of one shop as three people hold them: the shop itself and two of its staff.
//!
//! **Invariant:** copies change only by the shipped document's own edits and merges.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        BucketNo,
        conflict::{Field, Value},
        document::{Author, Bucket},
        edit::Edit,
        product::{Language, Product},
    },
    id::{ProductId, ShopId, VariantId},
    key::KeyId,
    money::Price,
    time::UnixMs,
};

use crate::goods::Good;

/// The copies of one shop's prices.
pub struct Books {
    at_shop: Bucket,
    staff: [Bucket; 2],
    authors: [Author; 3],
    clashes: BTreeMap<VariantId, (ProductId, BTreeSet<i64>)>,
}

impl Books {
    /// The first price list, with everybody holding a copy.
    ///
    /// # Errors
    /// In words, when the document does not take it.
    pub fn open(
        shop: ShopId,
        goods: &[Good],
        keys: [KeyId; 3],
        now: UnixMs,
    ) -> Result<Self, String> {
        let authors = keys.map(|key| Author { key, incarnation: 1 });
        let mut at_shop = Bucket::new(shop, BucketNo::FIRST);
        for (n, good) in goods.iter().enumerate() {
            let name = format!("good {n}");
            let mut product = Product::new(good.product, Language::ENGLISH, &name, good.variant);
            product.counted = good.is_counted;
            let (product_id, variant, price) = (good.product, good.variant, Some(good.price));
            let put = Edit::PutProduct(Box::new(product));
            let set = Edit::SetPrice { product: product_id, variant, price };
            for edit in [put, set] {
                at_shop.edit(&authors[0], &edit, now).map_err(|e| e.to_string())?;
            }
        }
        let bytes = at_shop.save();
        let copy = || Bucket::load(shop, BucketNo::FIRST, &bytes).map_err(|e| e.to_string());
        Ok(Self { staff: [copy()?, copy()?], at_shop, authors, clashes: BTreeMap::new() })
    }

    /// Two of the staff set one price apart, and both lists reach the shop, in either order.
    ///
    /// # Errors
    /// In words, when a document refuses.
    pub fn edit_apart(
        &mut self,
        good: &Good,
        prices: [Price; 2],
        first: usize,
        now: UnixMs,
    ) -> Result<(), String> {
        self.share()?;
        let (product, variant) = (good.product, good.variant);
        for (n, price) in prices.into_iter().enumerate() {
            let edit = Edit::SetPrice { product, variant, price: Some(price) };
            let author = &self.authors[n + 1];
            self.staff[n].edit(author, &edit, now).map_err(|e| e.to_string())?;
        }
        for n in [first % 2, (first + 1) % 2, first % 2] {
            let news = self.staff[n].since(&self.at_shop.heads());
            self.at_shop.apply(&news).map_err(|e| e.to_string())?;
        }
        let values = prices.iter().map(|price| price.minor).collect();
        self.clashes.insert(variant, (product, values));
        Ok(())
    }

    /// The owner picks one of the prices of everything that clashes; says what was picked.
    ///
    /// # Errors
    /// In words, when the document refuses.
    pub fn settle(&mut self, now: UnixMs) -> Result<Vec<(VariantId, Price)>, String> {
        let mut picked = Vec::new();
        for conflict in self.at_shop.conflicts() {
            let Some(variant) = conflict.variant else { continue };
            let Some(claim) = conflict.values.first() else { continue };
            let Value::Price(price) = claim.value else { continue };
            let (product, field) = (conflict.product, Field::price());
            let value = claim.value.clone();
            let edit = Edit::Settle { product, variant: Some(variant), field, value };
            self.at_shop.edit(&self.authors[0], &edit, now).map_err(|e| e.to_string())?;
            self.clashes.remove(&variant);
            picked.push((variant, price));
        }
        Ok(picked)
    }

    /// Everybody gets everything.
    ///
    /// # Errors
    /// In words, when a document refuses.
    pub fn share(&mut self) -> Result<(), String> {
        for copy in &mut self.staff {
            let news = copy.since(&self.at_shop.heads());
            self.at_shop.apply(&news).map_err(|e| e.to_string())?;
        }
        for copy in &mut self.staff {
            let news = self.at_shop.since(&copy.heads());
            copy.apply(&news).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// What breaks P5: copies that differ, and clashes that somebody does not see.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (n, copy) in self.staff.iter().enumerate() {
            if copy.products() != self.at_shop.products() {
                faults.push(format!("the copy of staff {n} differs from the shop's"));
            }
        }
        for (variant, (product, wanted)) in &self.clashes {
            let shown = self.at_shop.conflicts_of(*product);
            let values = shown.iter().filter(|shown| shown.variant == Some(*variant));
            let values: BTreeSet<i64> = values
                .flat_map(|shown| &shown.values)
                .filter_map(|claim| match &claim.value {
                    Value::Price(price) => Some(price.minor),
                    _ => None,
                })
                .collect();
            if values != *wanted {
                faults.push(format!("{variant}: prices {wanted:?} clash, shown are {values:?}"));
            }
        }
        faults
    }
}
