//! Searches and lists over a few thousand products: the short ways say what the long ones say.

use std::collections::BTreeSet;

use kirana_core::{
    catalogue::{BucketNo, product::Product},
    id::ShopId,
    money::Price,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, Database,
    catalogue::{Filter, Shelved, place::Sort, projection, search::Query},
};

use crate::catalogue::{ask, database, product, shelved, shop, typed};

/// More than a list reads one by one, and more than a search ranks.
const PRODUCTS: u16 = 5_200;
const WORDS: [&str; 9] =
    ["milk", "milky", "mil", "rice", "ricecake", "dark", "choco", "chocolat", "lait"];
const CATEGORIES: [&str; 4] =
    ["grains/rice/basmati", "grains/pasta", "dairy/milk/fresh", "grains/rice/everyday"];

fn other_shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [8; 10])
}

/// The words that a product has follow from its number, with lengths that are all mixed.
fn made(n: u16) -> Product {
    let mix = |salt: u32| {
        let mixed = u32::from(n).wrapping_mul(2_654_435_761).wrapping_add(salt * 40_503_001);
        mixed.rotate_left(9) as usize
    };
    let mut name = WORDS[mix(1) % WORDS.len()].to_owned();
    for salt in 2..2 + mix(7) as u32 % 4 {
        name += " ";
        name += WORDS[mix(salt) % WORDS.len()];
    }
    if n.is_multiple_of(3) {
        name += &"x".repeat(usize::from(n % 23));
    }
    let mut product = product(n, &format!("{name} {n}"));
    product.counted = n.is_multiple_of(4);
    if n.is_multiple_of(5) {
        product.synonyms.insert(WORDS[mix(9) % WORDS.len()].to_owned());
    }
    let category = if n.is_multiple_of(1000) { "fruit/coconut" } else { CATEGORIES[mix(3) % 4] };
    product.category = (!n.is_multiple_of(11)).then(|| category.to_owned());
    let minor = (!n.is_multiple_of(50)).then(|| mix(4) as i64 % 900 + 1);
    for variant in product.variants.values_mut() {
        let currency = "INR".parse().expect("a currency");
        variant.price = minor.map(|minor| Price { minor, per: 1, currency });
    }
    product
}

fn many() -> Database {
    let database = database();
    let written = database.writer.write(move |tx| -> Result<(), Abort<()>> {
        for n in 0..PRODUCTS {
            let whose = if n % 7 == 0 { other_shop() } else { shop() };
            projection::put(tx, whose, BucketNo::FIRST, &made(n))?;
        }
        Ok(())
    });
    written.expect("rows");
    database
}

#[test]
fn a_first_page_is_the_beginning_of_the_whole_list() {
    let database = many();
    for question in [
        "milk",
        "mil",
        "m",
        "rice",
        "ric mi",
        "choco dark",
        "doodh",
        "lait",
        "chocolat l",
        "milk 7",
        "dark choco milk",
        "77",
        "chocolatt",
        "basmati",
        "dairy mil",
        "nothing",
    ] {
        for in_stock in [false, true] {
            let filter = Filter { in_stock, ..Filter::default() };
            let first = Query {
                question: typed(question),
                filter,
                limit: 20,
                forgiving: true,
                ..Query::default()
            };
            let (short, whole) = (ask(&database, &first), Query { facets: true, ..first.clone() });
            let whole = ask(&database, &whole);
            assert_eq!(short.rows, whole.rows, "{question} {in_stock}");
            assert_eq!((short.count, &short.next), (whole.count, &whole.next), "{question}");
            let mut all = short.rows.clone();
            let mut query = Query { after: short.next, ..first };
            while query.after.is_some() {
                let page = ask(&database, &query);
                assert_eq!(page.count, short.count, "{question}");
                all.extend(&page.rows);
                query.after = page.next;
            }
            assert_eq!(all.len(), short.count.at_least, "{question}");
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{question}");
        }
    }
}

/// What a list should give, found by looking at everything.
fn expected(database: &Database, query: &Query) -> BTreeSet<i64> {
    let everything = Query { limit: 100, ..Query::default() };
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = ask(database, &Query { after, ..everything.clone() });
        rows.extend(page.rows.iter().copied().zip(shelved(database, &page)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let Filter { shop, shops, category, price_max, in_stock, .. } = &query.filter;
    let lets = |item: &Shelved| {
        let under = |wanted: &String| {
            let own = item.product.category.as_deref().unwrap_or_default();
            own == wanted || own.starts_with(&format!("{wanted}/"))
        };
        let price = item.product.variants.values().next().and_then(|v| v.price.as_ref());
        shop.is_none_or(|shop| shop == item.shop)
            && shops.as_ref().is_none_or(|shops| shops.contains(&item.shop))
            && category.as_ref().is_none_or(under)
            && price_max.is_none_or(|most| price.is_some_and(|price| price.minor <= most))
            && (item.in_stock || !in_stock)
    };
    rows.into_iter().filter(|(_, item)| lets(item)).map(|(row, _)| row).collect()
}

#[test]
fn a_category_is_listed_whole_and_in_order_whether_it_has_few_products_or_many() {
    let database = many();
    let both = BTreeSet::from([shop(), other_shop()]);
    let of = |category: &str| Filter { category: Some(category.to_owned()), ..Filter::default() };
    for filter in [
        of("grains"),
        of("grains/rice"),
        of("dairy/milk/fresh"),
        of("fruit/coconut"),
        of("dair"),
        Filter { in_stock: true, ..of("grains") },
        Filter { price_max: Some(300), ..of("grains/pasta") },
        Filter { shop: Some(other_shop()), ..of("grains") },
        Filter { shops: Some(both), in_stock: true, ..of("fruit") },
        Filter { shops: Some(BTreeSet::new()), ..of("grains") },
    ] {
        let mut query = Query { filter, limit: 100, ..Query::default() };
        let wanted = expected(&database, &query);
        for sort in [Sort::Relevance, Sort::Price, Sort::UnitPrice, Sort::Name] {
            (query.sort, query.after) = (sort, None);
            let (mut all, mut places) = (Vec::new(), Vec::new());
            loop {
                let page = ask(&database, &query);
                assert_eq!(page.count.at_least, wanted.len().min(1_000), "{query:?}");
                assert_eq!(page.count.more, wanted.len() > 1_000, "{query:?}");
                all.extend(&page.rows);
                places.extend(page.next.clone());
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
            assert!(places.is_sorted(), "{sort:?}");
            assert_eq!(all.len(), wanted.len(), "{:?} {sort:?}", query.filter);
            assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), wanted, "{sort:?}");
        }
    }
}
