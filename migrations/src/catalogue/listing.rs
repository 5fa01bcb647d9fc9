//! Lists everything that a filter lets through, page by page to the end, by one index per order.
//!
//! **Invariant:** a page reads on from its cursor, so the last page costs no more than the first.

use rusqlite::{
    Connection, named_params,
    types::{ToSqlOutput, Value},
};

use super::{
    card::Cards,
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
    let mut places = places(c, query, after, limit + 1)?;
    let is_last = places.len() <= limit;
    places.truncate(limit);
    let next = places.last().filter(|_| !is_last).cloned();
    let rows: Vec<i64> = places.iter().map(|place| place.row).collect();
    let count = match query.after.is_none() && is_last {
        true => Count { at_least: rows.len(), more: false },
        false => count(c, query)?,
    };
    let facets = if query.facets { Some(facets(c, query)?) } else { None };
    Ok(Page { rows, count, facets, next })
}

fn facets(c: &Connection, query: &Query) -> Result<Facets, StoreError> {
    let (mut cards, mut facets) = (Cards::of(c)?, Facets::default());
    for place in places(c, query, None, CANDIDATES_MAX)? {
        facets.count(&cards.read(place.row)?);
    }
    facets.settle();
    Ok(facets)
}

/// What is in stock, then, if that is not enough, what is not.
fn places(
    c: &Connection,
    query: &Query,
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
        read(c, query, is_out, after, limit, &mut places)?;
    }
    Ok(places)
}

fn read(
    c: &Connection,
    query: &Query,
    is_out: bool,
    after: Option<&Place>,
    limit: usize,
    places: &mut Vec<Place>,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT row, {} FROM product WHERE listed = 1 AND in_stock = ?1 AND {FILTER} AND {} LIMIT ?8",
        column(query.sort),
        order(query.sort)
    );
    let (key, row) = match after {
        Some(after) => (after.key.clone(), after.row),
        None => (least(query.sort), -1),
    };
    let filter = &query.filter;
    let shop = filter.shop.map(|shop| *shop.as_bytes());
    let most = filter.price_max.map(|most| most.min(i64::MAX - 1));
    let rest = super::int((limit - places.len()) as u64);
    let diet = filter.diet_mark();
    let mut select = c.prepare_cached(&sql)?;
    let shops = filter.shop_list();
    let shelf = filter.category_mark();
    let values = (!is_out, shop, shelf, diet, most, sql_of(&key), row, rest, shops);
    let mut rows = select.query(values)?;
    while let Some(row) = rows.next()? {
        let key = match query.sort {
            Sort::Relevance => Key::Relevance(0),
            Sort::Price => Key::Price(row.get(1)?),
            Sort::UnitPrice => Key::UnitPrice(row.get(1)?),
            Sort::Name => Key::Name(row.get(1)?),
        };
        places.push(Place { is_out, key, row: row.get(0)? });
    }
    Ok(())
}

const FILTER: &str = "(?2 IS NULL OR shop = ?2) AND (?3 IS NULL OR instr(shelves, ?3) > 0)
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

fn count(c: &Connection, query: &Query) -> Result<Count, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM product WHERE listed = 1 AND in_stock >= ?1
                               AND {FILTER} LIMIT ?8)"
    );
    let filter = &query.filter;
    let shop = filter.shop.map(|shop| *shop.as_bytes());
    let most = filter.price_max.map(|most| most.min(i64::MAX - 1));
    let limit = super::int(CANDIDATES_MAX as u64 + 1);
    let values = named_params! {
        "?1": filter.in_stock, "?2": shop, "?3": filter.category_mark(), "?4": filter.diet_mark(),
        "?5": most, "?8": limit, "?9": filter.shop_list(),
    };
    let count: i64 = c.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?;
    let count = usize::try_from(count).unwrap_or_default();
    Ok(Count { at_least: count.min(CANDIDATES_MAX), more: count > CANDIDATES_MAX })
}
