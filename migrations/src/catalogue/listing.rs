//! Lists everything that a filter lets through, page by page to the end, by one index per order.
//!
//! A category is a few ways down a tree, each a shelf; where they have few products these are read by
//! the index of shelves. **Invariant:** a page reads on from its cursor, so the last page costs no
//! more than the first.

use kirana_core::id::ShopId;
use rusqlite::{
    Connection, named_params,
    types::{ToSqlOutput, Value},
};

use super::{
    card::{Cards, Filter},
    categories,
    facets::Facets,
    place::{Key, Place, Sort},
    search::{CANDIDATES_MAX, Count, PAGE_MAX, Page, Query},
};
use crate::StoreError;

/// A page of everything.
///
/// # Errors
/// [`StoreError`].
pub(super) fn list(c: &Connection, query: &Query) -> Result<Page, StoreError> {
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let after = query.after.clone().filter(|after| after.is_of(query.sort));
    let shelf = Shelf::of(c, &query.filter)?;
    let mut places = places(c, query, &shelf, after, limit + 1)?;
    let is_last = places.len() <= limit;
    places.truncate(limit);
    let next = places.last().filter(|_| !is_last).cloned();
    let rows: Vec<i64> = places.iter().map(|place| place.row).collect();
    let count = match query.after.is_none() && is_last {
        true => Count { at_least: rows.len(), more: false },
        false => count(c, query, &shelf)?,
    };
    let facets = if query.facets { Some(facets(c, query, &shelf)?) } else { None };
    Ok(Page { rows, count, facets, next })
}

/// How the products of a category are found.
enum Shelf {
    /// None was asked for.
    Any,
    /// All on these ways together are few: each way is read by the index of shelves.
    Few(Vec<Way>),
    /// So many that the index of the order soon comes by enough of them.
    Many(Vec<Way>),
}

/// A shop, and a way down its tree.
type Way = (ShopId, String);

impl Shelf {
    fn of(c: &Connection, filter: &Filter) -> Result<Self, StoreError> {
        let Some(category) = &filter.category else { return Ok(Self::Any) };
        let mut ways = categories::below(c, filter.shop, category)?;
        ways.retain(|(shop, _)| filter.shops.as_ref().is_none_or(|shops| shops.contains(shop)));
        let sql = "SELECT count(*) FROM (
                     SELECT 1 FROM product WHERE listed = 1 AND shop = ?1 AND shelves = ?2 LIMIT ?3)";
        let (mut count, mut left) = (c.prepare_cached(sql)?, FEW_MAX);
        for (shop, way) in &ways {
            left -= count.query_row((shop.as_bytes(), way, left), |row| row.get::<_, i64>(0))?;
            if left == 0 {
                return Ok(Self::Many(ways));
            }
        }
        Ok(Self::Few(ways))
    }
}

/// So many products of a category are read and sorted for one page.
const FEW_MAX: i64 = 2_000;

fn facets(c: &Connection, query: &Query, shelf: &Shelf) -> Result<Facets, StoreError> {
    let (mut cards, mut facets) = (Cards::of(c)?, Facets::default());
    for place in places(c, query, shelf, None, CANDIDATES_MAX)? {
        cards.read(place.row, |card| facets.count(card))?;
    }
    facets.settle();
    Ok(facets)
}

/// What is in stock, then, if that is not enough, what is not.
fn places(
    c: &Connection,
    query: &Query,
    shelf: &Shelf,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let mut places = Vec::new();
    let begun_out = after.as_ref().is_some_and(|after| after.is_out);
    for is_out in [false, true] {
        let is_over = places.len() >= limit || (is_out && query.filter.in_stock);
        if is_over || (begun_out && !is_out) {
            continue;
        }
        let after = after.as_ref().filter(|after| after.is_out == is_out);
        let part = Part { query, is_out, after, limit: limit - places.len() };
        places.extend(part.read(c, shelf)?);
    }
    Ok(places)
}

/// What is in stock, or what is not, after a place.
struct Part<'q> {
    query: &'q Query,
    is_out: bool,
    after: Option<&'q Place>,
    limit: usize,
}

impl Part<'_> {
    fn read(&self, c: &Connection, shelf: &Shelf) -> Result<Vec<Place>, StoreError> {
        let (shop, mark) = (self.query.filter.shop, self.query.filter.category_mark());
        let mut places = Vec::new();
        match shelf {
            Shelf::Any => self.read_on(c, ANYWHERE, (shop, None), &mut places)?,
            Shelf::Many(_) => self.read_on(c, BELOW, (shop, mark.as_deref()), &mut places)?,
            Shelf::Few(ways) => {
                for (shop, way) in ways {
                    self.read_on(c, EXACTLY, (Some(*shop), Some(way)), &mut places)?;
                }
                places.sort_unstable();
                places.truncate(self.limit);
            }
        }
        Ok(places)
    }

    fn read_on(
        &self,
        c: &Connection,
        on: &str,
        (shop, shelf): (Option<ShopId>, Option<&str>),
        places: &mut Vec<Place>,
    ) -> Result<(), StoreError> {
        let sort = self.query.sort;
        let sql = format!(
            "SELECT row, {} FROM {on} AND listed = 1 AND in_stock = ?1 AND {FILTER} AND {} LIMIT ?8",
            column(sort),
            order(sort)
        );
        let (key, row) = match self.after {
            Some(after) => (after.key.clone(), after.row),
            None => (least(sort), -1),
        };
        let filter = &self.query.filter;
        let shop = shop.map(|shop| *shop.as_bytes());
        let most = filter.price_max.map(|most| most.min(i64::MAX - 1));
        let rest = super::int(self.limit as u64);
        let (diet, shops) = (filter.diet_mark(), filter.shop_list());
        let mut select = c.prepare_cached(&sql)?;
        let values = (!self.is_out, shop, shelf, diet, most, sql_of(&key), row, rest, shops);
        let mut rows = select.query(values)?;
        while let Some(row) = rows.next()? {
            let key = match sort {
                Sort::Relevance => Key::Relevance(0),
                Sort::Price => Key::Price(row.get(1)?),
                Sort::UnitPrice => Key::UnitPrice(row.get(1)?),
                Sort::Name => Key::Name(row.get(1)?),
            };
            places.push(Place { is_out: self.is_out, key, row: row.get(0)? });
        }
        Ok(())
    }
}

/// Where to look: on any shelf, on this one and below it, or at the end of just this way down.
const ANYWHERE: &str = "product WHERE ?3 IS NULL";
const BELOW: &str = "product WHERE instr(shelves, ?3) > 0";
const EXACTLY: &str = "product INDEXED BY product_by_shelves WHERE shop = ?2 AND shelves = ?3";
const FILTER: &str = "(?2 IS NULL OR shop = ?2)
  AND (?4 IS NULL OR instr(diets, ?4) > 0) AND (?5 IS NULL OR price <= ?5)
  AND (?9 IS NULL OR instr(?9, hex(shop)) > 0)";

fn column(sort: Sort) -> &'static str {
    match sort {
        Sort::Relevance => "0",
        Sort::Price => "price",
        Sort::UnitPrice => "unit_price",
        Sort::Name => "substr(folded, 1, 60)",
    }
}

fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Relevance => "?6 = 0 AND row > ?7 ORDER BY row",
        Sort::Price => "(price, row) > (?6, ?7) ORDER BY price, row",
        Sort::UnitPrice => "(unit_price, row) > (?6, ?7) ORDER BY unit_price, row",
        Sort::Name => "(substr(folded, 1, 60), row) > (?6, ?7) ORDER BY substr(folded, 1, 60), row",
    }
}

fn least(sort: Sort) -> Key {
    match sort {
        Sort::Relevance => Key::Relevance(0),
        Sort::Price => Key::Price(0),
        Sort::UnitPrice => Key::UnitPrice(0),
        Sort::Name => Key::Name(String::new()),
    }
}

fn sql_of(key: &Key) -> ToSqlOutput<'_> {
    match key {
        Key::Relevance(number) | Key::Price(number) | Key::UnitPrice(number) => {
            ToSqlOutput::Owned(Value::Integer(*number))
        }
        Key::Name(name) => ToSqlOutput::Borrowed(name.as_str().into()),
    }
}

fn count(c: &Connection, query: &Query, shelf: &Shelf) -> Result<Count, StoreError> {
    let (mut all, enough, shop) = (0, CANDIDATES_MAX + 1, query.filter.shop);
    match shelf {
        Shelf::Any => all = count_on(c, query, ANYWHERE, (shop, None), enough)?,
        Shelf::Few(ways) | Shelf::Many(ways) => {
            for (shop, way) in ways {
                all += count_on(c, query, EXACTLY, (Some(*shop), Some(way)), enough - all)?;
            }
        }
    }
    Ok(Count { at_least: all.min(CANDIDATES_MAX), more: all > CANDIDATES_MAX })
}

fn count_on(
    c: &Connection,
    query: &Query,
    on: &str,
    (shop, shelf): (Option<ShopId>, Option<&str>),
    limit: usize,
) -> Result<usize, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {on} AND listed = 1 AND in_stock >= ?1
                               AND {FILTER} LIMIT ?8)"
    );
    let filter = &query.filter;
    let most = filter.price_max.map(|most| most.min(i64::MAX - 1));
    let values = named_params! {
        "?1": filter.in_stock, "?2": shop.map(|shop| *shop.as_bytes()), "?3": shelf,
        "?4": filter.diet_mark(), "?5": most, "?8": super::int(limit as u64),
        "?9": filter.shop_list(),
    };
    let count: i64 = c.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}
