//! Price labels of what is on the shelf: which products, and what is said of each.
//!
//! **Invariant:** every price on a label is the one that a till would ask at that moment; none is
//! computed here.

use kirana_core::{
    catalogue::{
        product::{Language, Product, Variant},
        shown::UnitPrice,
    },
    id::{ProductId, VariantId},
    money::{Money, Price},
    quantity::Unit,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError,
    catalogue::{
        self, Filter,
        question::Question,
        search::{CANDIDATES_MAX, PAGE_MAX, Query, search},
    },
    rusqlite::Connection,
};
use kirana_paper::{
    amounts::written,
    labels::{Code, Label},
};

use super::{Inner, Shop};

mod past;
pub mod sheets;
mod words;

use past::Past;
use words::Words;

/// Which labels are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Of which products.
    pub of: Which,
    /// Only those on which something else stood at this moment, or which had none.
    pub changed_since: Option<UnixMs>,
    /// In which language; names that are not in it are in English.
    pub language: Language,
    /// How many of each, at least one.
    pub copies: u16,
    /// More than so many are not made.
    pub limit: usize,
}

/// Products whose labels are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// These.
    Named(Vec<ProductId>),
    /// What is found by words and of a category; without either, the whole shelf.
    Found {
        /// The words.
        question: Question,
        /// The category, as the shop wrote it.
        category: Option<String>,
    },
}

/// Labels, ready to be printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Product by product.
    pub labels: Vec<Label>,
    /// How many sizes have no price, and so no label.
    pub without_price: usize,
    /// Whether all of a part of the shelf are among them, because what stood there at the time that
    /// was asked for is not kept any more.
    pub is_past_forgotten: bool,
}

/// Why no labels were chosen.
#[derive(Debug, thiserror::Error)]
pub enum NotChosen {
    /// A product that is not on the shelf.
    #[error("there is no product {0} on the shelf")]
    NoProduct(ProductId),
    /// Words that find too much.
    #[error("more than {CANDIDATES_MAX} products are found by these words: say more of them")]
    TooManyFound,
    /// More labels than wanted at most.
    #[error("these are more than {limit} labels: choose fewer products, or fewer copies")]
    TooMany {
        /// The most.
        limit: usize,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Shop {
    /// The labels of products, as prices are now.
    ///
    /// # Errors
    /// [`NotChosen`].
    pub fn labels(&self, wanted: &Wanted, now: UnixMs) -> Result<Chosen, NotChosen> {
        self.reader().read(|c| {
            let past = wanted.changed_since.map(|since| Past::open(c, &self.inner, since));
            let mut choosing = Choosing {
                inner: &self.inner,
                wanted,
                now,
                past: past.transpose()?,
                chosen: Chosen::default(),
            };
            match &wanted.of {
                Which::Named(ids) => {
                    for id in ids {
                        let shelved = catalogue::product(c, self.id(), *id)?;
                        let product = shelved.map(|shelved| shelved.product);
                        let product = product.filter(|product| !product.delisted);
                        choosing.take(&product.ok_or(NotChosen::NoProduct(*id))?)?;
                    }
                }
                Which::Found { question, category } => {
                    let filter = Filter { category: category.clone(), ..Filter::default() };
                    let question = question.clone();
                    let query = Query { question, filter, limit: PAGE_MAX, ..Query::default() };
                    each_found(c, query, &mut |product| choosing.take(product))?;
                }
            }
            Ok(choosing.chosen)
        })
    }
}

fn each_found(
    c: &Connection,
    mut query: Query,
    take: &mut dyn FnMut(&Product) -> Result<(), NotChosen>,
) -> Result<(), NotChosen> {
    loop {
        let page = search(c, &query)?;
        if page.count.more && !query.question.is_blank() {
            return Err(NotChosen::TooManyFound);
        }
        for row in &page.rows {
            take(&catalogue::shelved_at(c, *row)?.product)?;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Products on their way onto labels.
struct Choosing<'a> {
    inner: &'a Inner,
    wanted: &'a Wanted,
    now: UnixMs,
    past: Option<Past>,
    chosen: Chosen,
}

impl Choosing<'_> {
    fn take(&mut self, product: &Product) -> Result<(), NotChosen> {
        for (id, variant) in &product.variants {
            let told = Told { inner: self.inner, language: self.wanted.language, now: self.now };
            let Some(label) = told.label(product, *id, variant) else {
                self.chosen.without_price += 1;
                continue;
            };
            if let Some(past) = &self.past {
                let before = past.product(product.id);
                self.chosen.is_past_forgotten |= before.is_none();
                let then = Told { now: past.moment(), ..told };
                let told_then = before.flatten().and_then(|before| {
                    let variant = before.variants.get(id)?;
                    then.label(before, *id, variant)
                });
                if told_then.as_ref() == Some(&label) {
                    continue;
                }
            }
            let copies = usize::from(self.wanted.copies.max(1));
            if self.chosen.labels.len() + copies > self.wanted.limit {
                return Err(NotChosen::TooMany { limit: self.wanted.limit });
            }
            self.chosen.labels.extend(std::iter::repeat_n(label, copies));
        }
        Ok(())
    }
}

/// A product as a label tells it at a moment.
struct Told<'a> {
    inner: &'a Inner,
    language: Language,
    now: UnixMs,
}

impl Told<'_> {
    /// Nothing where it has no price.
    fn label(&self, product: &Product, id: VariantId, variant: &Variant) -> Option<Label> {
        let words = Words::of(self.language);
        let (price, per) = self.price(variant, &words)?;
        let about = [product.brand.as_deref(), variant.label.as_deref()];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        let code = match (variant.gtin, &variant.sku) {
            (Some(gtin), _) => Code::Gtin(gtin),
            (None, Some(sku)) => Code::Own(sku.clone()),
            (None, None) => Code::Own(id.to_string()),
        };
        Some(Label {
            name: product.name(self.language).to_owned(),
            about: (!about.is_empty()).then(|| about.join(" · ")),
            price,
            per,
            offer: self.offer(variant, &words),
            notes: self.notes(variant, &words),
            code: Some(code),
        })
    }

    /// What it costs now, with a deal on a single one taken off.
    fn now(&self, variant: &Variant) -> Option<Price> {
        variant.price_of(least(variant)?, self.now)
    }

    /// Loose goods by the kilogram or litre, packs as they are sold.
    fn price(&self, variant: &Variant, words: &Words) -> Option<(String, Option<String>)> {
        let price = self.now(variant)?;
        if let Some(loose) = per_measure(price, variant).filter(|_| variant.unit != Unit::Piece) {
            return Some((money(loose), Some(words.per(loose.unit))));
        }
        let per = variant.price?.per;
        let sum = price.of(per).ok()?;
        Some((written(sum), (per > 1).then(|| format!("/ {per}"))))
    }

    /// Deals that hold, until when, and what it costs otherwise.
    fn offer(&self, variant: &Variant, words: &Words) -> Vec<String> {
        let (Some(usual), Some(now)) = (variant.price, self.now(variant)) else {
            return Vec::new();
        };
        let planned = variant.planned_at(self.now);
        let planned = planned.filter(|planned| planned.what.is_below(usual));
        let deals: Vec<_> = variant.deals_at(self.now).collect();
        let ends = planned.map(|terms| terms.until).into_iter();
        let ends = ends.chain(deals.iter().map(|terms| terms.until));
        // The label is true until the first of them is over.
        let until = ends.flatten().min();
        let mut said: Vec<String> = deals.iter().map(|terms| words.deal(terms.what)).collect();
        if said.is_empty() && planned.is_some() {
            said.push(words.offer.to_owned());
        }
        if let Some(until) = until {
            let last = self.inner.day_of(until.minus_ms(1));
            said.push(words.until(last));
        }
        if now.is_below(usual)
            && let Some((usual, _)) = shown(usual, variant)
        {
            said.push(format!("{} {usual}", words.usually));
        }
        said
    }

    /// What the law wants to be read beside the price.
    fn notes(&self, variant: &Variant, words: &Words) -> Vec<String> {
        let (Some(usual), Some(now)) = (variant.price, self.now(variant)) else {
            return Vec::new();
        };
        let mut said = Vec::new();
        let unit_price = per_measure(now, variant).filter(|_| variant.unit == Unit::Piece);
        if let Some(per) = unit_price {
            said.push(format!("{} {}", money(per), words.per(per.unit)));
        }
        if let Some(minor) = variant.max_price.and_then(|most| i64::try_from(most).ok()) {
            let most = Price { minor, ..usual };
            if let Some((most, per)) = shown(most, variant) {
                let per = per.map(|unit| format!(" {}", words.per(unit))).unwrap_or_default();
                said.push(format!("{} {most}{per}", words.maximum));
            }
        }
        if let Some(minor) = variant.deposit.and_then(|part| i64::try_from(part).ok()) {
            said.push(words.deposit(&written(Money::new(minor, usual.currency))));
        }
        said
    }
}

/// Another price of the same goods, as theirs is shown.
fn shown(price: Price, variant: &Variant) -> Option<(String, Option<&'static str>)> {
    match per_measure(price, variant).filter(|_| variant.unit != Unit::Piece) {
        Some(loose) => Some((money(loose), Some(loose.unit))),
        None => Some((written(price.of(price.per).ok()?), None)),
    }
}

/// The price of a kilogram or litre, where there is one.
fn per_measure(price: Price, variant: &Variant) -> Option<UnitPrice> {
    UnitPrice::of(price, variant).filter(|price| price.unit != "piece")
}

/// The amount whose price a label says.
fn least(variant: &Variant) -> Option<u64> {
    match variant.unit {
        Unit::Piece => variant.price.map(|price| price.per),
        Unit::Gram | Unit::Millilitre => Some(1_000),
    }
}

fn money(price: UnitPrice) -> String {
    written(Money::new(price.minor, price.currency))
}
