//! Finds products by words in any order, their beginnings, mistyped words, or a barcode.
//!
//! A question is asked in tiers: the barcode; every word in a name; every word anywhere; and, where
//! those bring next to nothing, words that are one typing error away. Each tier gives its best first
//! (see [`super::index`]), so it is read no further than [`CANDIDATES_MAX`].
//!
//! **Invariant:** of one state of the catalogue, a question has one list of places. A page is a part
//! of it, so no product is shown twice or left out, whatever the length of the pages.

use rusqlite::Connection;

use super::{
    card::{Cards, Filter},
    facets::Facets,
    index::{OUT, Rank},
    listing,
    place::{Key, Place, Sort},
    question::{self, Question, Reading},
};
use crate::StoreError;

/// The most items of one page.
pub const PAGE_MAX: u16 = 100;
/// Products that a search ranks and counts at most: common words have more, which is said.
pub const CANDIDATES_MAX: usize = 1_000;
/// Products that are looked at for a filter at most.
pub const LOOKED_AT_MAX: usize = 10_000;
/// With fewer matches, what was typed is taken to be mistyped.
const ENOUGH: usize = 10;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// What was typed; nothing lists everything.
    pub question: Question,
    /// What may be listed.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// How many items at most, up to [`PAGE_MAX`].
    pub limit: u16,
    /// Where the page before ended, in the same order.
    pub after: Option<Place>,
    /// Whether typing errors are forgiven where little else is found. Not where something is bought
    /// by its name alone.
    pub forgiving: bool,
    /// Whether to count what else there is.
    pub facets: bool,
}

/// How many products were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// So many, or at least so many.
    pub at_least: usize,
    /// Whether there are more, which were not counted.
    pub more: bool,
}

/// Some items, best first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The rows of the products: see [`super::shelved_at`] and [`super::shown_at`].
    pub rows: Vec<i64>,
    /// How many there are on all pages.
    pub count: Count,
    /// What they have, if that was asked.
    pub facets: Option<Facets>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Place>,
}

/// Looks for products. A place of another order than the query's begins the list anew.
///
/// # Errors
/// [`StoreError`].
pub fn search(c: &Connection, query: &Query) -> Result<Page, StoreError> {
    if query.question.is_blank() {
        return listing::list(c, query);
    }
    let mut found = Finding { c, query, cards: None, places: Vec::new(), more: false, matches: 0 };
    found.find()?;
    let Finding { mut places, more, .. } = found;
    places.sort_unstable();
    let more = more || places.len() > CANDIDATES_MAX;
    places.truncate(CANDIDATES_MAX);
    let facets = if query.facets { Some(facets_of(c, &places)?) } else { None };
    let from = query.after.as_ref().filter(|after| after.is_of(query.sort));
    let from = from.map_or(0, |after| places.partition_point(|place| place <= after));
    let to = places.len().min(from + usize::from(query.limit.clamp(1, PAGE_MAX)));
    let next = if to < places.len() { Some(places[to - 1].clone()) } else { None };
    let rows = places[from..to].iter().map(|place| place.row).collect();
    Ok(Page { rows, count: Count { at_least: places.len(), more }, facets, next })
}

fn facets_of(c: &Connection, places: &[Place]) -> Result<Facets, StoreError> {
    let (mut cards, mut facets) = (Cards::of(c)?, Facets::default());
    for place in places {
        facets.count(&cards.read(place.row)?);
    }
    facets.settle();
    Ok(facets)
}

/// A question while its tiers are asked.
struct Finding<'c> {
    c: &'c Connection,
    query: &'c Query,
    cards: Option<Cards<'c>>,
    places: Vec<Place>,
    /// Whether a tier was left before its end.
    more: bool,
    /// Products that matched, also those that the filter holds back.
    matches: usize,
}

impl Finding<'_> {
    fn find(&mut self) -> Result<(), StoreError> {
        if self.query.filter.needs_cards() || self.query.sort != Sort::Relevance {
            self.cards = Some(Cards::of(self.c)?);
        }
        let barcodes = self.barcodes()?;
        let words = self.query.question.words();
        if words.is_empty() {
            return Ok(());
        }
        let names = self.names(words, &barcodes)?;
        let mut known = [barcodes, names].concat();
        known.sort_unstable();
        if self.places.len() < CANDIDATES_MAX {
            let begun = question::readings(self.c, words, true)?;
            let anywhere = self.scan(&question::expression(&begun, None), &known)?;
            self.put(&anywhere, |rank| ANYWHERE + rank.chars())?;
            known.extend(anywhere);
            known.sort_unstable();
        }
        if self.query.forgiving && self.may_be_mistyped(words)? {
            self.mistyped(words, &known)
        } else {
            Ok(())
        }
    }

    /// Words that are all spelled as in some product and were found together mean what they say.
    fn may_be_mistyped(&self, words: &[String]) -> Result<bool, StoreError> {
        Ok(self.matches < ENOUGH && (self.matches == 0 || !question::are_known(self.c, words)?))
    }

    /// The products whose barcode begins so; a whole one before its continuations.
    fn barcodes(&mut self) -> Result<Vec<Rank>, StoreError> {
        let sql = "SELECT p.rank FROM variant v JOIN product p ON p.row = v.product
                   WHERE v.gtin BETWEEN ?1 AND ?2 AND p.rank IS NOT NULL ORDER BY v.gtin";
        let mut all = Vec::new();
        for (n, (from, to)) in self.query.question.barcodes().into_iter().enumerate() {
            let mut select = self.c.prepare_cached(sql)?;
            let mut rows = select.query((from, to))?;
            let mut some = Vec::new();
            while let Some(row) = rows.next()? {
                let rank = Rank::from_number(row.get(0)?);
                if !all.contains(&rank) && self.takes(rank, &some) {
                    some.push(rank);
                }
            }
            self.put(&some, |_| n as i64)?;
            all.extend(some);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The products with every word in a name. A word that is only begun counts as a name that is
    /// a little longer.
    fn names(&mut self, words: &[String], known: &[Rank]) -> Result<Vec<Rank>, StoreError> {
        let column = Some("name");
        let whole = question::readings(self.c, words, false)?;
        let begun = question::readings(self.c, words, true)?;
        let whole = self.scan(&question::expression(&whole, column), known)?;
        let begun = self.scan(&question::expression(&begun, column), known)?;
        let is_whole = |rank: &Rank| whole.binary_search(rank).is_ok();
        let only_begun: Vec<Rank> = begun.into_iter().filter(|rank| !is_whole(rank)).collect();
        self.put(&whole, |rank| NAMES + rank.chars())?;
        self.put(&only_begun, |rank| NAMES + rank.chars() + BEGUN_CHARS)?;
        let mut all = [whole, only_begun].concat();
        all.sort_unstable();
        Ok(all)
    }

    /// The products with every word, one error in each allowed; those with the fewest first.
    fn mistyped(&mut self, words: &[String], known: &[Rank]) -> Result<(), StoreError> {
        let corrected: Vec<Vec<Reading>> = question::corrected(self.c, words)?;
        let meant = self.scan(&question::expression(&corrected, None), known)?;
        let mut cards = Cards::of(self.c)?;
        for rank in meant {
            let errors = question::errors(words, &cards.read(rank.row())?.folded);
            self.put(&[rank], |rank| MISTYPED * (1 + errors as i64) + rank.chars())?;
        }
        Ok(())
    }

    /// Reads the matches of an expression in their order, without those that are known.
    fn scan(&mut self, expression: &str, known: &[Rank]) -> Result<Vec<Rank>, StoreError> {
        let sql = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 AND rowid < ?2
                   ORDER BY rowid";
        let end = if self.query.filter.in_stock { OUT } else { i64::MAX };
        let mut select = self.c.prepare_cached(sql)?;
        let mut rows = select.query((expression, end))?;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let rank = Rank::from_number(row.get(0)?);
            if known.binary_search(&rank).is_ok() {
                continue;
            }
            looked_at += 1;
            if found.len() >= CANDIDATES_MAX || looked_at > LOOKED_AT_MAX {
                self.more = true;
                break;
            }
            if self.lets(rank)? {
                found.push(rank);
            }
        }
        self.matches += looked_at;
        Ok(found)
    }

    fn takes(&self, rank: Rank, some: &[Rank]) -> bool {
        some.len() < CANDIDATES_MAX
            && !(self.query.filter.in_stock && rank.is_out())
            && !some.contains(&rank)
    }

    fn lets(&mut self, rank: Rank) -> Result<bool, StoreError> {
        match &mut self.cards {
            Some(cards) if self.query.filter.needs_cards() => {
                Ok(self.query.filter.lets(&cards.read(rank.row())?))
            }
            _ => Ok(true),
        }
    }

    /// Gives products their places, by a score of which the least is the best.
    fn put(&mut self, ranks: &[Rank], score: impl Fn(&Rank) -> i64) -> Result<(), StoreError> {
        for rank in ranks {
            let row = rank.row();
            let key = match &mut self.cards {
                Some(cards) => cards.read(row)?.key(self.query.sort),
                None => None,
            };
            let key = key.unwrap_or_else(|| Key::Relevance(score(rank)));
            self.places.push(Place { is_out: rank.is_out(), key, row });
        }
        Ok(())
    }
}

/// A word that is only begun weighs as much as so many letters more in a name.
const BEGUN_CHARS: i64 = 3;
/// Scores of the tiers: a name has fewer letters than lie between two of them.
const NAMES: i64 = 1 << 12;
const ANYWHERE: i64 = 2 << 12;
const MISTYPED: i64 = 3 << 12;
