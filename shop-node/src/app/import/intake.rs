//! Puts rows into the catalogue, some hundred products to a commit.
//!
//! **Invariant:** a row that names a product by barcode, own number or name always means the same
//! one: a new product's id is made from that name, so a repeated import finds it.

use kirana_core::{
    catalogue::{
        document::Author,
        edit::Edit,
        product::{Product, Variant},
    },
    hash::Hash,
    id::{ProductId, VariantId},
    key::KeyId,
    text,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, catalogue::chunks, rusqlite::Connection};
use rand_core::CryptoRng;

use super::rows::{Note, Row};
use crate::{
    app::{
        Inner, Shop,
        catalogue::{Editing, NotEdited, Written, may_edit, placed},
        counter::{Entry, What},
        desk::{Desk, Visit},
    },
    store::catalogue as shelves,
};

/// Products of one commit at most.
const PRODUCTS_MAX: usize = 200;
/// Bytes of the products of one commit at most, so that a chunk stays within its limit.
const PRODUCTS_BYTES_MAX: usize = 64 * 1024;

/// What became of some rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) refused: Vec<Note>,
    pub(super) warnings: Vec<Note>,
}

/// Collects rows and commits them now and then.
pub(super) struct Intake<'s> {
    shop: &'s Shop,
    by: KeyId,
    dry_run: bool,
    now: UnixMs,
    rows: Vec<Row>,
    bytes: usize,
}

impl<'s> Intake<'s> {
    pub(super) fn new(shop: &'s Shop, by: KeyId, dry_run: bool, now: UnixMs) -> Self {
        Self { shop, by, dry_run, now, rows: Vec::new(), bytes: 0 }
    }

    pub(super) fn take(&mut self, row: Row, rng: &mut dyn CryptoRng) -> Result<Told, NotEdited> {
        self.bytes += 200 + row.description.as_ref().map_or(0, String::len);
        self.bytes += row.names.values().chain(&row.synonyms).map(String::len).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() < PRODUCTS_MAX && self.bytes < PRODUCTS_BYTES_MAX {
            return Ok(Told::default());
        }
        self.finish(rng)
    }

    pub(super) fn finish(&mut self, rng: &mut dyn CryptoRng) -> Result<Told, NotEdited> {
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(Told::default());
        }
        let inner = self.shop.inner.clone();
        if self.dry_run {
            return self.shop.reader().read(|c| Ok(plan(c, &inner, &rows)?.told));
        }
        let key = self.by;
        let author = Author { key, incarnation: inner.documents.incarnation(rng) };
        let visit = Visit::new(self.now, rng);
        let written = self.shop.writer().write(
            move |tx| -> Result<(Told, Vec<Written>), Abort<NotEdited>> {
                may_edit(tx)?;
                let plan = plan(tx, &inner, &rows)?;
                let reached = chunks::reached(tx, inner.identity.shop)?;
                let mut written = Vec::new();
                for (bucket, edits) in placed(tx, &inner, &reached, &plan.edits)? {
                    let editing = Editing { inner: &inner, tx, author, now: visit.now, upon: None };
                    written.extend(editing.make(bucket, reached.get(&bucket), &edits)?);
                }
                let mut told = plan.told;
                let mut desk = Desk::open(&inner, tx, &visit)?;
                for (line, entry) in &plan.stock {
                    match desk.enter(entry, key) {
                        Ok(_) => {}
                        Err(Abort::Refused(why)) => {
                            told.warnings.push(Note::new(*line, "stock", why.to_string()));
                        }
                        Err(Abort::Store(error)) => return Err(Abort::Store(error)),
                    }
                }
                Ok((told, written))
            },
        )?;
        self.shop.inner.documents.keep(written.1);
        Ok(written.0)
    }
}

/// What some rows come to.
#[derive(Default)]
struct Plan {
    told: Told,
    edits: Vec<Edit>,
    stock: Vec<(u64, Entry)>,
}

fn plan(c: &Connection, inner: &Inner, rows: &[Row]) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    for row in rows {
        let (id, known) = find(c, inner, row)?;
        let mut product = known.clone().unwrap_or_else(|| fresh(inner, id, row));
        fill(&mut product, row);
        if product.delisted {
            let message = "taken off the shelf here: it stays off until a person puts it back";
            plan.told.warnings.push(Note::new(row.line, "off-the-shelf", message));
        }
        if let Err(why) = product.check() {
            plan.told.refused.push(Note::new(row.line, "product", why.to_string()));
            continue;
        }
        match &known {
            Some(known) if *known == product => {
                plan.told.unchanged += 1;
                continue;
            }
            Some(known) => {
                keep_clashing_prices(c, inner, known, &mut product, row.line, &mut plan.told)?;
                if *known == product {
                    plan.told.unchanged += 1;
                    continue;
                }
                plan.told.changed += 1;
            }
            None => {
                plan.told.added += 1;
                plan.stock.extend(opening(&product, row));
            }
        }
        plan.edits.push(Edit::PutProduct(Box::new(product)));
    }
    Ok(plan)
}

/// The product that a row is about, by barcode, own number, or name.
fn find(
    c: &Connection,
    inner: &Inner,
    row: &Row,
) -> Result<(ProductId, Option<Product>), StoreError> {
    let shop = inner.identity.shop;
    let mut found = None;
    if let Some(gtin) = row.gtin {
        found = shelves::by_gtin(c, shop, gtin)?;
    }
    if let (None, Some(sku)) = (found, &row.sku) {
        found = shelves::by_sku(c, shop, sku)?;
    }
    let id = match found {
        Some(id) => id,
        None => {
            let name = match (&row.gtin, &row.sku) {
                (_, Some(sku)) => format!("sku:{sku}"),
                (Some(gtin), None) => format!("gtin:{gtin}"),
                (None, None) => format!("name:{}", folded_name(row)),
            };
            let digest = Hash::of_parts(&[b"kirana import 1", shop.as_bytes(), name.as_bytes()]);
            ProductId::from_slice(&digest.as_bytes()[..16]).expect("sixteen bytes were cut")
        }
    };
    let known = kirana_migrations::catalogue::product(c, shop, id)?;
    Ok((id, known.map(|shelved| shelved.product)))
}

/// The first name of a row, as it is compared with others.
pub(super) fn folded_name(row: &Row) -> String {
    let name = row.names.values().next().map_or("", String::as_str);
    text::searchable([name, row.label.as_deref().unwrap_or_default()])
}

fn fresh(inner: &Inner, id: ProductId, row: &Row) -> Product {
    let shop = inner.identity.shop;
    let digest = Hash::of_parts(&[b"kirana variant 1", shop.as_bytes(), id.as_bytes()]);
    let variant = VariantId::from_slice(&digest.as_bytes()[..16]).expect("sixteen bytes were cut");
    let (language, name) = row.names.iter().next().expect("a row without a name was refused");
    Product::new(id, *language, name, variant)
}

/// Writes what the row says over what was there; what it does not say stays.
fn fill(product: &mut Product, row: &Row) {
    product.names.extend(row.names.clone());
    product.synonyms.extend(row.synonyms.iter().cloned());
    let texts = [
        (&mut product.brand, &row.brand),
        (&mut product.category, &row.category),
        (&mut product.description, &row.description),
    ];
    for (text, said) in texts {
        if said.is_some() {
            text.clone_from(said);
        }
    }
    product.tax_bp = row.tax_bp.unwrap_or(product.tax_bp);
    if let Some(variant) = variant_of(product, row) {
        variant.gtin = row.gtin.or(variant.gtin);
        variant.price = row.price.or(variant.price);
        variant.unit = row.unit.unwrap_or(variant.unit);
        variant.step = row.step.unwrap_or(variant.step);
        // A least amount that a person set stays, unless it is no whole step.
        variant.min = row.min.unwrap_or_else(|| variant.min.max(variant.step));
        for (text, said) in [(&mut variant.sku, &row.sku), (&mut variant.label, &row.label)] {
            if said.is_some() {
                text.clone_from(said);
            }
        }
    }
}

/// The variant that a row means: by its numbers, else the first.
fn variant_of<'p>(product: &'p mut Product, row: &Row) -> Option<&'p mut Variant> {
    let is_meant = |variant: &Variant| {
        row.gtin.is_some() && variant.gtin == row.gtin
            || row.sku.is_some() && variant.sku == row.sku
    };
    let meant = product.variants.iter().find(|(_, variant)| is_meant(variant)).map(|(id, _)| *id);
    let id = meant.or_else(|| product.variants.keys().next().copied())?;
    product.variants.get_mut(&id)
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

fn opening(product: &Product, row: &Row) -> Option<(u64, Entry)> {
    let amount = row.stock.filter(|amount| *amount > 0)?;
    let variant = *product.variants.keys().next()?;
    let note = "opening stock".to_owned();
    Some((row.line, Entry { variant, location: None, what: What::Receipt(amount), note }))
}
