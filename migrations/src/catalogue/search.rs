//! Finds products by words in any order, their beginnings, mistyped words, or a barcode.
//!
//! A question is asked in tiers: the barcode; every word in a name; every word anywhere; and, where
//! those bring next to nothing, words that are one typing error away. Each tier gives its best first
//! (see [`super::index`]), so it is read no further than [`CANDIDATES_MAX`], and for a first page no
//! further than to its end: the rest is counted.
//!
//! **Invariant:** of one state of the catalogue, a question has one list of places. A page is a part
//! of it, so no product is shown twice or left out, whatever the length of the pages.

use rusqlite::{Connection, Rows};

use super::{
    card::{Card, Cards, Filter, Sieve},
    facets::Facets,
    index::{OUT, Rank},
    listing,
    place::{Key, Place, Sort},
    question::{self, Question, Reading, Typed},
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
    let mut found = Finding::of(c, query);
    found.find()?;
    let Finding { mut places, unplaced, more, .. } = found;
    places.sort_unstable();
    let more = more || places.len() + unplaced > CANDIDATES_MAX;
    let count = Count { at_least: CANDIDATES_MAX.min(places.len() + unplaced), more };
    places.truncate(CANDIDATES_MAX);
    let facets = if query.facets { Some(facets_of(c, &places)?) } else { None };
    let from = query.after.as_ref().filter(|after| after.is_of(query.sort));
    let from = from.map_or(0, |after| places.partition_point(|place| place <= after));
    let to = places.len().min(from + page_length(query));
    let next = if to < places.len() { Some(places[to - 1].clone()) } else { None };
    let rows = places[from..to].iter().map(|place| place.row).collect();
    Ok(Page { rows, count, facets, next })
}

fn page_length(query: &Query) -> usize {
    usize::from(query.limit.clamp(1, PAGE_MAX))
}

fn facets_of(c: &Connection, places: &[Place]) -> Result<Facets, StoreError> {
    let (mut cards, mut facets) = (Cards::of(c)?, Facets::default());
    for place in places {
        cards.read(place.row, |card| facets.count(card))?;
    }
    facets.settle();
    Ok(facets)
}

/// A question while its tiers are asked.
struct Finding<'c> {
    c: &'c Connection,
    query: &'c Query,
    sieve: Sieve<'c>,
    cards: Option<Cards<'c>>,
    /// Whether a product's place needs its card.
    needs_cards: bool,
    /// So many of the best places are wanted, and nobody looks at the others.
    wanted: usize,
    places: Vec<Place>,
    /// Products that were only counted: the wanted ones come before them.
    unplaced: usize,
    /// Whether a tier was left before its end.
    more: bool,
    /// Products that have every word, also those that the filter holds back.
    matches: usize,
}

/// What is left of the names once a page is full.
enum Names {
    /// Nothing that would be shown.
    Settled,
    /// Nothing; all that were found, in their order.
    Ended(Vec<Rank>),
}

impl<'c> Finding<'c> {
    fn of(c: &'c Connection, query: &'c Query) -> Self {
        let needs_cards = query.filter.needs_cards() || query.sort != Sort::Relevance;
        let is_first = query.after.is_none() && !query.facets && !needs_cards;
        Self {
            c,
            query,
            sieve: query.filter.sieve(),
            cards: None,
            needs_cards,
            // One more tells whether there is a next page.
            wanted: if is_first { page_length(query) + 1 } else { usize::MAX },
            places: Vec::new(),
            unplaced: 0,
            more: false,
            matches: 0,
        }
    }

    fn find(&mut self) -> Result<(), StoreError> {
        let barcodes = self.barcodes()?;
        if !barcodes.is_empty() {
            self.wanted = usize::MAX;
        }
        let words = question::readings(self.c, self.query.question.words())?;
        if words.is_empty() {
            return Ok(());
        }
        let known = self.spelled(&words, barcodes)?;
        if self.query.forgiving && self.may_be_mistyped()? {
            self.mistyped(&words, &known)
        } else {
            Ok(())
        }
    }

    /// Words that are all spelled as in some product and were found together mean what they say.
    fn may_be_mistyped(&self) -> Result<bool, StoreError> {
        let words = self.query.question.words();
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
            for rank in &some {
                self.place(*rank, n as i64)?;
            }
            all.extend(some);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The products with every word, those with every word in a name first; gives all that are
    /// known then. Of few products it is read in which words they have; where there are many, the
    /// index is asked again for the names.
    fn spelled(&mut self, words: &[Reading], barcodes: Vec<Rank>) -> Result<Vec<Rank>, StoreError> {
        let mut select = self.c.prepare_cached(HAVING)?;
        let mut rows =
            select.query((question::expression(words, Typed::Begun, None), self.end()))?;
        let mut few = Vec::new();
        while few.len() <= FEW
            && let Some(rank) = next(&mut rows)?
        {
            if barcodes.binary_search(&rank).is_err() {
                few.push(rank);
            }
        }
        self.matches = few.len();
        if few.len() <= FEW {
            for rank in &few {
                self.place_by_card(*rank, |card| tier(words, card) + rank.chars())?;
            }
            let mut known = [barcodes, few].concat();
            known.sort_unstable();
            return Ok(known);
        }
        match self.names(words, &barcodes)? {
            Names::Settled => {
                let mut all = few.len();
                while all <= CANDIDATES_MAX && next(&mut rows)?.is_some() {
                    all += 1;
                }
                self.unplaced = all.saturating_sub(self.places.len());
                Ok(Vec::new())
            }
            Names::Ended(names) => {
                let mut known = [barcodes, names].concat();
                known.sort_unstable();
                if self.places.len() < CANDIDATES_MAX || !self.more {
                    self.anywhere(few, &mut rows, &known)?;
                }
                Ok(known)
            }
        }
    }

    /// The products with every word in a name. A word that is only begun counts as a name that is
    /// a little longer.
    fn names(&mut self, words: &[Reading], barcodes: &[Rank]) -> Result<Names, StoreError> {
        let column = Some("name");
        let mut select = self.c.prepare_cached(HAVING_BEGUN)?;
        let expression = question::expression(words, Typed::Begun, column);
        let mut begun = select.query((expression, self.end()))?;
        let mut select = self.c.prepare_cached(HAVING_WHOLE)?;
        let expression = question::expression(words, Typed::Whole, column);
        let mut whole = Whole { rows: select.query((expression, self.end()))?, next: None };
        let (mut names, mut looked_at, mut length) = (Vec::new(), 0, None);
        while let Some(rank) = next(&mut begun)? {
            if length.replace(rank.length()) != Some(rank.length()) && self.is_settled(Some(rank)) {
                return Ok(Names::Settled);
            }
            let is_whole = whole.has(rank)?;
            if barcodes.binary_search(&rank).is_ok() {
                continue;
            }
            looked_at += 1;
            if names.len() >= CANDIDATES_MAX || looked_at > LOOKED_AT_MAX {
                self.more = true;
                break;
            }
            let longer = if is_whole { 0 } else { BEGUN_CHARS };
            if self.place(rank, NAMES + rank.chars() + longer)? {
                names.push(rank);
            }
        }
        if !self.more && self.is_settled(None) {
            return Ok(Names::Settled);
        }
        // Whole words count more, so they are read on where those that are only begun are too many.
        let (mut found, mut looked_at) = (0, 0);
        let reached = names.last().copied();
        while let Some(rank) = whole.go_on()? {
            if reached.is_some_and(|last| rank <= last) || barcodes.binary_search(&rank).is_ok() {
                continue;
            }
            looked_at += 1;
            if found >= CANDIDATES_MAX || looked_at > LOOKED_AT_MAX {
                self.more = true;
                break;
            }
            if self.place(rank, NAMES + rank.chars())? {
                found += 1;
                names.push(rank);
            }
        }
        Ok(Names::Ended(names))
    }

    /// Whether all wanted places are taken by products that come before this one and all after it,
    /// or before anything that has the words elsewhere. What is out of stock never settles
    /// anything: it comes after all that is in stock, wherever that has the words.
    fn is_settled(&self, rank: Option<Rank>) -> bool {
        let bound =
            rank.filter(|rank| !rank.is_out()).map_or(ANYWHERE, |rank| NAMES + rank.chars());
        let before = |place: &&Place| !place.is_out && place.key < Key::Relevance(bound);
        self.places.len() >= self.wanted && self.places.iter().filter(before).count() >= self.wanted
    }

    /// The products with every word somewhere: those that were read already, then the others.
    fn anywhere(
        &mut self,
        few: Vec<Rank>,
        rows: &mut Rows<'_>,
        known: &[Rank],
    ) -> Result<(), StoreError> {
        let (mut few, mut found, mut looked_at) = (few.into_iter(), 0, 0);
        loop {
            let rank = match few.next() {
                Some(rank) => rank,
                None => match next(rows)? {
                    Some(rank) => rank,
                    None => return Ok(()),
                },
            };
            if known.binary_search(&rank).is_ok() {
                continue;
            }
            looked_at += 1;
            if found >= CANDIDATES_MAX || looked_at > LOOKED_AT_MAX {
                self.more = true;
                return Ok(());
            }
            found += usize::from(self.place(rank, ANYWHERE + rank.chars())?);
        }
    }

    /// The products with every word, one error in each allowed; those with the fewest first.
    fn mistyped(&mut self, words: &[Reading], known: &[Rank]) -> Result<(), StoreError> {
        let corrected = question::corrected(self.c, words)?;
        let mut select = self.c.prepare_cached(HAVING)?;
        let expression = question::expression(&corrected, Typed::Begun, None);
        let mut rows = select.query((expression, self.end()))?;
        let (before, mut looked_at) = (self.places.len(), 0);
        while let Some(rank) = next(&mut rows)? {
            if known.binary_search(&rank).is_ok() {
                continue;
            }
            looked_at += 1;
            if self.places.len() >= before + CANDIDATES_MAX || looked_at > LOOKED_AT_MAX {
                self.more = true;
                break;
            }
            let words = self.query.question.words();
            self.place_by_card(rank, |card| {
                let errors = question::errors(words, card.folded);
                MISTYPED * (1 + errors as i64) + rank.chars()
            })?;
        }
        Ok(())
    }

    /// The first number that is not looked at.
    fn end(&self) -> i64 {
        if self.query.filter.in_stock { OUT } else { i64::MAX }
    }

    fn takes(&self, rank: Rank, some: &[Rank]) -> bool {
        some.len() < CANDIDATES_MAX
            && !(self.query.filter.in_stock && rank.is_out())
            && !some.contains(&rank)
    }

    /// Gives a product its place by a score, of which the least is the best, if the filter lets it;
    /// whether it did.
    fn place(&mut self, rank: Rank, score: i64) -> Result<bool, StoreError> {
        match self.needs_cards {
            true => self.place_by_card(rank, |_| score),
            false => {
                self.places.push(place(rank, Key::Relevance(score)));
                Ok(true)
            }
        }
    }

    /// The same for a product whose score needs its card.
    fn place_by_card(
        &mut self,
        rank: Rank,
        score: impl FnOnce(&Card<'_>) -> i64,
    ) -> Result<bool, StoreError> {
        let cards = match &mut self.cards {
            Some(cards) => cards,
            none => none.insert(Cards::of(self.c)?),
        };
        let (sieve, sort) = (&self.sieve, self.query.sort);
        let key = cards.read(rank.row(), |card| {
            let key = || card.key(sort).unwrap_or_else(|| Key::Relevance(score(card)));
            sieve.lets(card).then(key)
        })?;
        let is_placed = key.is_some();
        self.places.extend(key.map(|key| place(rank, key)));
        Ok(is_placed)
    }
}

fn place(rank: Rank, key: Key) -> Place {
    Place { is_out: rank.is_out(), key, row: rank.row() }
}

/// The score of a product that has every word: its names have them whole, begun, or not at all.
fn tier(words: &[Reading], card: &Card<'_>) -> i64 {
    let names_have = |typed| question::stand_in(words, typed, card.folded);
    match names_have(Typed::Begun) {
        false => ANYWHERE,
        true if names_have(Typed::Whole) => NAMES,
        true => NAMES + BEGUN_CHARS,
    }
}

/// The names that have every word whole, while others are read beside them.
struct Whole<'s> {
    rows: Rows<'s>,
    next: Option<Rank>,
}

impl Whole<'_> {
    /// Whether this one is among them; asked from the least to the greatest.
    fn has(&mut self, rank: Rank) -> Result<bool, StoreError> {
        while self.next.is_none_or(|next| next < rank) {
            self.next = next(&mut self.rows)?;
            if self.next.is_none() {
                return Ok(false);
            }
        }
        Ok(self.next == Some(rank))
    }

    /// The next one, with the one that was seen last.
    fn go_on(&mut self) -> Result<Option<Rank>, StoreError> {
        match self.next.take() {
            Some(rank) => Ok(Some(rank)),
            None => next(&mut self.rows),
        }
    }
}

/// What the index finds next.
fn next(rows: &mut Rows<'_>) -> Result<Option<Rank>, StoreError> {
    let row = rows.next()?;
    Ok(row.map(|row| row.get(0)).transpose()?.map(Rank::from_number))
}

/// The matches of an expression in their order. Three times, word for word another text: statements
/// that are open at once are kept apart by it.
const HAVING: &str = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 AND rowid < ?2
                      ORDER BY rowid";
const HAVING_BEGUN: &str = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 AND rowid < ?2
     ORDER BY rowid -- begun";
const HAVING_WHOLE: &str = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 AND rowid < ?2
     ORDER BY rowid -- whole";
/// So many products are looked at one by one: asking the index once more costs as much.
const FEW: usize = 64;
/// A word that is only begun weighs as much as so many letters more in a name.
const BEGUN_CHARS: i64 = 3;
/// Scores of the tiers: a name has fewer letters than lie between two of them.
const NAMES: i64 = 1 << 12;
const ANYWHERE: i64 = 2 << 12;
const MISTYPED: i64 = 3 << 12;
