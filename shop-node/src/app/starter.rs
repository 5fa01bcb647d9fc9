//! Everyday articles of a grocer in India, to tick and price instead of typing them in.
//!
//! **Invariants:** an article's id is made of its slug, so ticking it twice is ticking it once, and a
//! product that a person changed since keeps those changes: only its price is set again.

use std::{collections::BTreeMap, sync::LazyLock};

use kirana_core::{
    catalogue::{
        edit::Edit,
        product::{Language, Product, Variant},
    },
    hash::Hash,
    id::{ProductId, VariantId},
    key::KeyId,
    money::Price,
    quantity::{Measure, Unit},
    text,
    time::UnixMs,
};
use kirana_migrations::{StoreError, catalogue};
use rand_core::CryptoRng;
use serde::Serialize;

use super::{Shop, catalogue::NotEdited};

/// The most articles that are ticked at once.
pub const PICKS_MAX: usize = 100;

/// An article of the list. Its price is for a kilogram or a litre where it is loose, else for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Article {
    /// Its name for ever.
    pub slug: &'static str,
    /// Its name in English.
    pub name: &'static str,
    /// Its name in Hindi.
    pub name_hi: &'static str,
    /// What it is called besides.
    pub synonyms: Vec<&'static str>,
    /// What is counted: `piece`, `g` or `ml`.
    #[schema(value_type = String)]
    pub unit: Unit,
    /// Quantities are multiples of this.
    pub step: u64,
    /// Its shelf: a category of the built-in tree.
    pub category: &'static str,
    /// The usual tax in basis points, where it is known for sure.
    pub tax_bp: Option<u32>,
    /// Its heading of the Harmonised System, where it is known for sure.
    pub hsn: Option<&'static str>,
    /// For how many base units its price is.
    pub price_per: u64,
}

/// An article that is ticked, with what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick<'a> {
    /// Which article.
    pub slug: &'a str,
    /// Its price in minor units: of a kilogram, a litre or one.
    pub minor: i64,
}

/// What became of ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Ticked {
    /// Articles that are on the shelf now and were not before.
    pub added: u64,
    /// Those that were, with another price.
    pub repriced: u64,
    /// Those that were, at this price.
    pub unchanged: u64,
    /// The products, in the order of the ticks.
    #[schema(value_type = Vec<String>)]
    pub products: Vec<ProductId>,
}

/// Why nothing was ticked.
#[derive(Debug, thiserror::Error)]
pub enum NotTicked {
    /// There is no such article.
    #[error("the list has no article {0:?}")]
    NoSuchArticle(String),
    /// The same twice, maybe with two prices.
    #[error("{0:?} is ticked twice")]
    Twice(String),
    /// Nothing, or too much at once.
    #[error("tick 1 to {PICKS_MAX} articles at once")]
    HowMany,
    /// The catalogue did not take it.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The whole list.
pub fn articles() -> &'static [Article] {
    &ARTICLES
}

/// Articles of which a word in some language begins with each word of a question; all of them for
/// none. Those whose name begins so come first.
pub fn find(question: &str) -> Vec<&'static Article> {
    let wanted = text::tokens(question);
    let fits = |article: &&Article| {
        let names = [article.name, article.name_hi];
        let words: Vec<String> =
            names.iter().chain(&article.synonyms).flat_map(|name| text::tokens(name)).collect();
        wanted.iter().all(|want| words.iter().any(|word| word.starts_with(want.as_str())))
    };
    let mut found: Vec<_> = ARTICLES.iter().filter(fits).collect();
    let first = wanted.first().map_or("", String::as_str);
    found.sort_by_key(|article| !text::fold(article.name).starts_with(first));
    found
}

impl Shop {
    /// Puts articles on the shelf at these prices.
    ///
    /// # Errors
    /// [`NotTicked`]; nothing was changed.
    pub fn tick(
        &self,
        picks: &[Pick<'_>],
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Ticked, NotTicked> {
        if picks.is_empty() || picks.len() > PICKS_MAX {
            return Err(NotTicked::HowMany);
        }
        let (mut ticked, mut edits, mut seen) = (Ticked::default(), Vec::new(), BTreeMap::new());
        for pick in picks {
            let article = ARTICLES.iter().find(|article| article.slug == pick.slug);
            let article = article.ok_or_else(|| NotTicked::NoSuchArticle(pick.slug.to_owned()))?;
            if seen.insert(pick.slug, ()).is_some() {
                return Err(NotTicked::Twice(pick.slug.to_owned()));
            }
            let (product, variant) = self.ids_of(article);
            let currency = self.identity().currency;
            let price = Some(Price { minor: pick.minor, per: article.price_per, currency });
            let known = self.reader().read(|c| catalogue::product(c, self.id(), product))?;
            ticked.products.push(product);
            match known {
                None => {
                    ticked.added += 1;
                    edits
                        .push(Edit::PutProduct(Box::new(article.product(product, variant, price))));
                }
                Some(known) => {
                    let on_shelf = known.product.variants.get(&variant);
                    let is_same = on_shelf.is_some_and(|variant| variant.price == price);
                    match is_same && !known.product.delisted {
                        true => ticked.unchanged += 1,
                        false => ticked.repriced += 1,
                    }
                    if !is_same {
                        edits.push(Edit::SetPrice { product, variant, price });
                    }
                    if known.product.delisted {
                        edits.push(Edit::Relist { product });
                    }
                }
            }
        }
        if !edits.is_empty() {
            self.edit_catalogue(edits, by, None, now, rng)?;
        }
        Ok(ticked)
    }

    fn ids_of(&self, article: &Article) -> (ProductId, VariantId) {
        let drawn =
            |what: &[u8]| Hash::of_parts(&[what, self.id().as_bytes(), article.slug.as_bytes()]);
        let (product, variant) = (drawn(b"kirana starter 1"), drawn(b"kirana starter variant 1"));
        let cut = "sixteen bytes were cut";
        (
            ProductId::from_slice(&product.as_bytes()[..16]).expect(cut),
            VariantId::from_slice(&variant.as_bytes()[..16]).expect(cut),
        )
    }
}

impl Article {
    fn product(&self, id: ProductId, variant: VariantId, price: Option<Price>) -> Product {
        let mut product = Product::new(id, Language::ENGLISH, self.name, variant);
        product.names.insert(Language::HINDI, self.name_hi.to_owned());
        product.synonyms = self.synonyms.iter().map(|word| (*word).to_owned()).collect();
        product.category = Some(self.category.to_owned());
        product.tax_bp = self.tax_bp.unwrap_or(0);
        product.hsn = self.hsn.map(str::to_owned);
        let (unit, step) = (self.unit, self.step);
        let sold = Variant { price, unit, step, min: step, ..Variant::default() };
        product.variants.insert(variant, sold);
        product
    }
}

/// One article to a line, its parts with tabs between them: slug, English, Hindi, synonyms with
/// commas, unit, step, shelf, tax, HSN.
static ARTICLES: LazyLock<Vec<Article>> =
    LazyLock::new(|| include_str!("starter/articles.tsv").lines().map(article).collect());

fn article(line: &'static str) -> Article {
    let mut parts = line.split('\t');
    let mut next = || parts.next().unwrap_or_default();
    let (slug, name, name_hi) = (next(), next(), next());
    let synonyms = next().split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    let unit = next().parse().expect("a test reads the list");
    let step = next().parse().expect("a test reads the list");
    let (category, tax, hsn) = (next(), next(), next());
    let measure = match unit {
        Unit::Piece => Some(Measure::PIECE),
        Unit::Gram => Measure::named("kg"),
        Unit::Millilitre => Measure::named("l"),
    };
    Article {
        slug,
        name,
        name_hi,
        synonyms,
        unit,
        step,
        category,
        tax_bp: tax.parse().ok(),
        hsn: Some(hsn).filter(|hsn| !hsn.is_empty()),
        price_per: measure.map_or(1, Measure::one),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kirana_core::catalogue::category::Tree;

    use super::*;

    #[test]
    fn every_article_of_the_list_is_a_product_that_keeps_the_limits() {
        let at = UnixMs::new(1);
        let (product, variant) = (ProductId::new(at, [1; 10]), VariantId::new(at, [2; 10]));
        for article in articles() {
            assert_eq!(article.product(product, variant, None).check(), Ok(()), "{article:?}");
            assert!(!article.name_hi.is_ascii(), "{article:?}");
            assert!(Tree::built_in().node(article.category).is_some(), "{article:?}");
        }
        let slugs: BTreeSet<_> = articles().iter().map(|article| article.slug).collect();
        assert_eq!((slugs.len(), articles().len()), (189, 189));
    }

    #[test]
    fn an_article_is_found_by_the_beginnings_of_its_names_in_each_language() {
        let first = |question| find(question).first().map(|article| article.slug);
        for (question, slug) in
            [("pot", "potato"), ("aloo", "potato"), ("आल", "potato"), ("toor", "toor-dal")]
        {
            assert_eq!(first(question), Some(slug), "{question}");
        }
        assert_eq!(find("").len(), articles().len());
        assert_eq!(find("screwdriver"), Vec::<&Article>::new());
    }
}
