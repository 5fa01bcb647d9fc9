//! What some groups of rows come to, upon one state of the catalogue.
//!
//! **Invariant:** a group that names a product by handle, barcode, own number or name always means the
//! same one: a new product's id is made from that name, so a repeated import finds it.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        edit::Edit,
        product::{Product, Variant},
    },
    cbor,
    hash::Hash,
    id::{ProductId, VariantId},
    text,
};
use kirana_migrations::{StoreError, catalogue::chunks, rusqlite::Connection};

use super::{
    groups::Group,
    rows::{Note, Row},
};
use crate::{
    app::{
        Inner,
        counter::{Entry, What},
    },
    store::{catalogue as shelves, imports},
};

/// What became of some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) refused: Vec<Note>,
    pub(super) warnings: Vec<Note>,
}

/// What is to be done.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) told: Told,
    pub(super) edits: Vec<Edit>,
    /// Opening stock, with the line that says so and the product.
    pub(super) stock: Vec<(u64, ProductId, Entry)>,
    /// The products that are touched, as they were before, with the line.
    pub(super) former: BTreeMap<ProductId, (u64, Option<Product>)>,
    /// All products that are listed.
    pub(super) listed: BTreeSet<ProductId>,
    /// As they are to be.
    planned: BTreeMap<ProductId, Product>,
}

/// Works out what groups come to.
pub(super) fn plan(c: &Connection, inner: &Inner, groups: &[Group]) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    for group in groups {
        plan.take(c, inner, group)?;
    }
    Ok(plan)
}

impl Plan {
    fn take(&mut self, c: &Connection, inner: &Inner, group: &Group) -> Result<(), StoreError> {
        let id = find(c, inner, group)?;
        let rows = self.of_this_product(c, inner, id, group)?;
        let Some(first) = rows.first() else { return Ok(()) };
        self.listed.insert(id);
        let line = first.line;
        let known = match self.planned.get(&id) {
            Some(planned) => Some(planned.clone()),
            None => kirana_migrations::catalogue::product(c, inner.identity.shop, id)?
                .map(|shelved| shelved.product),
        };
        let mut filling = Filling::begin(inner, id, group, known.as_ref());
        if known.is_none() || !group.is_later {
            filling.about(group);
        }
        rows.iter().for_each(|row| filling.variant(row));
        let Filling { mut product, opening, .. } = filling;
        let is_back = match &known {
            Some(known) if known.delisted => self.put_back(c, known, &mut product, line)?,
            _ => false,
        };
        if rows.iter().any(|row| row.is_off) {
            let message = "not on sale in the file: it comes in off the shelf";
            self.told.warnings.push(Note::new(line, "not-on-sale", message));
            product.delisted |= known.is_none();
        }
        if let Err(why) = product.check() {
            let refused = |row: &&Row| Note::new(row.line, "product", why.to_string());
            self.told.refused.extend(rows.iter().map(refused));
            return Ok(());
        }
        if let Some(known) = known.as_ref().filter(|known| **known != product) {
            keep_clashing_prices(c, inner, known, &mut product, line, &mut self.told)?;
        }
        match &known {
            Some(known) if *known == product => {
                self.told.unchanged += 1;
                return Ok(());
            }
            Some(_) if !is_back => self.told.changed += 1,
            _ => self.told.added += 1,
        }
        let rows_of: Vec<&Row> = rows;
        for (variant, row) in &opening {
            let is_new =
                is_back || known.as_ref().is_none_or(|k| !k.variants.contains_key(variant));
            let row = rows_of[*row];
            if let Some(amount) = row.stock.filter(|amount| *amount > 0 && is_new) {
                let (what, note) = (What::Receipt(amount), "opening stock".to_owned());
                let entry = Entry { variant: *variant, location: None, what, note };
                self.stock.push((row.line, id, entry));
            }
        }
        self.former.entry(id).or_insert((line, known));
        self.planned.insert(id, product.clone());
        self.edits.push(Edit::PutProduct(Box::new(product)));
        Ok(())
    }

    /// Rows that may be variants of the product: none of them is known as another one already.
    fn of_this_product<'g>(
        &mut self,
        c: &Connection,
        inner: &Inner,
        id: ProductId,
        group: &'g Group,
    ) -> Result<Vec<&'g Row>, StoreError> {
        let mut rows = Vec::new();
        for row in group.variants() {
            match by_numbers(c, inner, row)? {
                Some(other) if other != id && group.handle.is_some() => {
                    let message = "another product has this barcode or number already";
                    self.told.refused.push(Note::new(row.line, "other-product", message));
                }
                _ => rows.push(row),
            }
        }
        Ok(rows)
    }

    /// What a person took off the shelf stays off; what undoing an import took off comes back.
    fn put_back(
        &mut self,
        c: &Connection,
        known: &Product,
        product: &mut Product,
        line: u64,
    ) -> Result<bool, StoreError> {
        if imports::undone_as(c, known.id)? == Some(Hash::of(&cbor::to_vec(known))) {
            product.delisted = false;
            return Ok(true);
        }
        let message = "taken off the shelf here: it stays off until a person puts it back";
        self.told.warnings.push(Note::new(line, "off-the-shelf", message));
        Ok(false)
    }
}

/// The product that a group is about: by handle, barcode, own number, or name.
fn find(c: &Connection, inner: &Inner, group: &Group) -> Result<ProductId, StoreError> {
    let named = |name: String| {
        let shop = inner.identity.shop;
        let digest = Hash::of_parts(&[b"kirana import 1", shop.as_bytes(), name.as_bytes()]);
        ProductId::from_slice(&digest.as_bytes()[..16]).expect("sixteen bytes were cut")
    };
    // A file that was written here names its products.
    let own = group.handle.as_deref().and_then(|handle| handle.parse::<ProductId>().ok());
    if let Some(id) = own
        && shelves::bucket_of(c, inner.identity.shop, id)?.is_some()
    {
        return Ok(id);
    }
    let by_handle = group.handle.as_ref().map(|handle| named(format!("handle:{handle}")));
    if let Some(id) = by_handle
        && shelves::bucket_of(c, inner.identity.shop, id)?.is_some()
    {
        return Ok(id);
    }
    for row in group.variants() {
        if let Some(id) = by_numbers(c, inner, row)? {
            return Ok(id);
        }
    }
    Ok(by_handle.unwrap_or_else(|| named(name_of(&group.rows[0].row))))
}

fn by_numbers(c: &Connection, inner: &Inner, row: &Row) -> Result<Option<ProductId>, StoreError> {
    let shop = inner.identity.shop;
    if let Some(gtin) = row.gtin
        && let Some(id) = shelves::by_gtin(c, shop, gtin)?
    {
        return Ok(Some(id));
    }
    match &row.sku {
        Some(sku) => shelves::by_sku(c, shop, sku),
        None => Ok(None),
    }
}

/// What a product is called from which its id is made.
fn name_of(row: &Row) -> String {
    match (&row.gtin, &row.sku) {
        (_, Some(sku)) => format!("sku:{sku}"),
        (Some(gtin), None) => format!("gtin:{gtin}"),
        (None, None) => format!("name:{}", folded_name(row)),
    }
}

/// The first name of a row, as it is compared with others.
pub(super) fn folded_name(row: &Row) -> String {
    let name = row.names.values().next().map_or("", String::as_str);
    text::searchable([name, row.label.as_deref().unwrap_or_default()])
}

/// A product that is being filled from the rows of a group.
struct Filling<'i> {
    inner: &'i Inner,
    product: Product,
    has_handle: bool,
    /// The one variant that a new product begins with, until a row takes it.
    unclaimed: Option<VariantId>,
    /// Each row's variant, with the place of the row.
    opening: Vec<(VariantId, usize)>,
}

impl<'i> Filling<'i> {
    fn begin(inner: &'i Inner, id: ProductId, group: &Group, known: Option<&Product>) -> Self {
        let has_handle = group.handle.is_some();
        let first = first_variant(inner, id);
        let (product, unclaimed) = match known {
            Some(known) => (known.clone(), None),
            None => {
                let name = group.rows.iter().find_map(|part| part.row.names.iter().next());
                let (language, name) = name.expect("a group without a name was refused");
                (Product::new(id, *language, name, first), Some(first))
            }
        };
        Self { inner, product, has_handle, unclaimed, opening: Vec::new() }
    }

    /// Writes what the rows say of the product over what was there; what they do not say stays.
    fn about(&mut self, group: &Group) {
        let product = &mut self.product;
        // What the first row says counts, so the last is written first.
        for part in group.rows.iter().rev() {
            let row = &part.row;
            product.names.extend(row.names.clone());
            product.synonyms.extend(row.synonyms.iter().cloned());
            let texts = [
                (&mut product.brand, &row.brand),
                (&mut product.category, &row.category),
                (&mut product.description, &row.description),
                (&mut product.ingredients, &row.ingredients),
                (&mut product.storage, &row.storage),
                (&mut product.hsn, &row.hsn),
            ];
            for (text, said) in texts {
                if said.is_some() {
                    text.clone_from(said);
                }
            }
            // What somebody noted as an allergen stays until a person takes it away; a diet that the
            // file does not name is one that the product does not suit any more.
            product.allergens.extend(row.allergens.iter().cloned());
            if !row.diets.is_empty() {
                product.diets = row.diets.iter().cloned().collect();
            }
            product.age_min = row.age_min.or(product.age_min);
            product.counted = row.counted.unwrap_or(product.counted);
            if group.handle.is_none() {
                product.tax_bp = row.tax_bp.unwrap_or(product.tax_bp);
            }
        }
        let first_tax = group.variants().find_map(|row| row.product_tax_bp.or(row.tax_bp));
        if group.handle.is_some() {
            product.tax_bp = first_tax.unwrap_or(product.tax_bp);
        }
    }

    /// Writes what a row says of its variant.
    fn variant(&mut self, row: &Row) {
        let id = self.meant(row);
        self.opening.push((id, self.opening.len()));
        let product_tax = self.product.tax_bp;
        let variant = self.product.variants.entry(id).or_default();
        variant.gtin = row.gtin.or(variant.gtin);
        variant.price = row.price.or(variant.price);
        variant.unit = row.unit.unwrap_or(variant.unit);
        variant.step = row.step.unwrap_or(variant.step);
        // A least amount that a person set stays, unless it is no whole step.
        variant.min = row.min.unwrap_or_else(|| variant.min.max(variant.step));
        // A rate of its own stays as long as the file says the same: whether that is the product's
        // too, a file has no word for.
        if self.has_handle && row.tax_bp.is_some() && variant.tax_bp != row.tax_bp {
            variant.tax_bp = row.tax_bp.filter(|tax| *tax != product_tax);
        }
        variant.deposit = row.deposit.or(variant.deposit);
        variant.max_price = row.max_price.or(variant.max_price);
        variant.tolerance_bp = row.tolerance_bp.unwrap_or(variant.tolerance_bp);
        variant.content = row.content.or(variant.content);
        variant.safety = row.safety.unwrap_or(variant.safety);
        if let Some(planned) = &row.planned {
            variant.planned.clone_from(planned);
        }
        if let Some(deals) = &row.deals {
            variant.deals.clone_from(deals);
        }
        for (text, said) in [(&mut variant.sku, &row.sku), (&mut variant.label, &row.label)] {
            if said.is_some() {
                text.clone_from(said);
            }
        }
    }

    /// The variant that a row means: by the name that our own files give it, by its numbers, else by
    /// its label, else the only one.
    fn meant(&mut self, row: &Row) -> VariantId {
        let is_numbered = |variant: &Variant| {
            row.gtin.is_some() && variant.gtin == row.gtin
                || row.sku.is_some() && variant.sku == row.sku
        };
        let has_label = |variant: &Variant| row.label.is_some() && variant.label == row.label;
        let taken = |id: &VariantId| self.opening.iter().any(|(other, _)| other == id);
        let of = |is_meant: &dyn Fn(&Variant) -> bool| {
            let found = self.product.variants.iter().find(|(_, variant)| is_meant(variant));
            found.map(|(id, _)| *id)
        };
        let own = row.variant.as_ref().map(|name| self.named(name));
        let known = own.filter(|id| self.product.variants.contains_key(id));
        let found = known.or_else(|| of(&is_numbered));
        let found = found.or_else(|| self.has_handle.then(|| of(&has_label)).flatten());
        if let Some(own) = own.filter(|_| found.is_none()) {
            // The one that every new product begins with makes way for those that have names.
            if let Some(first) = self.unclaimed.take() {
                self.product.variants.remove(&first);
            }
            return own;
        }
        let only = || {
            let fits = !self.has_handle
                || self.product.variants.len() == 1 && row.label.is_none() && row.sku.is_none();
            self.product.variants.keys().next().copied().filter(|id| fits && !taken(id))
        };
        let id = found.or(self.unclaimed).or_else(only);
        self.unclaimed = self.unclaimed.filter(|first| Some(*first) != id);
        id.unwrap_or_else(|| next_variant(self.inner, self.product.id, row))
    }

    /// The variant with a name that a file gives it: here it may be one that is called so.
    fn named(&self, name: &str) -> VariantId {
        let own = name.parse().ok().filter(|id| self.product.variants.contains_key(id));
        own.unwrap_or_else(|| variant_of(self.inner, self.product.id, &format!("variant:{name}")))
    }
}

fn first_variant(inner: &Inner, id: ProductId) -> VariantId {
    let digest =
        Hash::of_parts(&[b"kirana variant 1", inner.identity.shop.as_bytes(), id.as_bytes()]);
    VariantId::from_slice(&digest.as_bytes()[..16]).expect("sixteen bytes were cut")
}

fn next_variant(inner: &Inner, id: ProductId, row: &Row) -> VariantId {
    let name = match &row.label {
        Some(label) if row.sku.is_none() && row.gtin.is_none() => format!("label:{label}"),
        _ => name_of(row),
    };
    variant_of(inner, id, &name)
}

fn variant_of(inner: &Inner, id: ProductId, name: &str) -> VariantId {
    let shop = inner.identity.shop;
    let parts: [&[u8]; 4] = [b"kirana variant 2", shop.as_bytes(), id.as_bytes(), name.as_bytes()];
    VariantId::from_slice(&Hash::of_parts(&parts).as_bytes()[..16]).expect("sixteen bytes were cut")
}

/// A clash of prices waits for a person: no file settles it.
fn keep_clashing_prices(
    c: &Connection,
    inner: &Inner,
    known: &Product,
    product: &mut Product,
    line: u64,
    told: &mut Told,
) -> Result<(), StoreError> {
    let shop = inner.identity.shop;
    let Some(bucket) = shelves::bucket_of(c, shop, known.id)? else { return Ok(()) };
    let reached = chunks::reached(c, shop)?;
    let document = inner.documents.load(c, shop, bucket, reached.get(&bucket))?;
    for clash in document.conflicts_of(known.id) {
        let before = clash.variant.and_then(|id| known.variants.get(&id));
        let now = clash.variant.and_then(|id| product.variants.get_mut(&id));
        if let (Some(before), Some(now)) = (before, now)
            && before.price != now.price
        {
            now.price = before.price;
            let message = "two people set different prices: pick one first, then import again";
            told.warnings.push(Note::new(line, "price-clash", message));
        }
    }
    Ok(())
}
