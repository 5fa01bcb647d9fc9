//! `/v1/products`: the shelves of all shops over HTTP. Nobody needs to sign in.
//!
//! **Invariant:** a product is written into the answer as it is stored, in JSON; nothing that was
//! typed comes back but as JSON text.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use kirana_core::{
    catalogue::product::TEXT_CHARS_MAX,
    id::{ProductId, ShopId},
    time::UnixMs,
};
use kirana_migrations::catalogue::{Filter, facets::Facets, place::Sort, search};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    extract::{Limit, Query, id},
    problem::Problem,
    shops::place,
};
use crate::{
    app::{
        Error,
        shelves::{After, Beside, Page, Wanted},
    },
    clock,
    store::shelves::Gathered,
};

/// What is looked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Words in any order, the beginnings of words, or the first digits of a barcode; typing errors,
    /// accents, capitals and the script do not count. Without it everything is listed.
    #[serde(default)]
    #[param(max_length = 300, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]*$")]
    q: String,
    /// Only of this shop.
    shop: Option<String>,
    /// Only products on this shelf: a category's id finds what stands below it too; a word that is
    /// in no tree finds the products that say it.
    #[param(max_length = 120)]
    category: Option<String>,
    /// Only products that suit this diet, as the shop wrote it.
    #[param(max_length = 120)]
    diet: Option<String>,
    /// Only products that cost at most so much, in minor units.
    #[param(minimum = 0)]
    max_price: Option<u64>,
    /// Only what is in stock, or not counted.
    #[serde(default)]
    in_stock: bool,
    /// Only of shops around a place: `LAT,LON`.
    #[param(
        pattern = "^-?([0-8]?[0-9](\\.[0-9]{1,7})?|90),-?([0-9]{1,2}(\\.[0-9]{1,7})?|1[0-7][0-9](\\.[0-9]{1,7})?|180)$"
    )]
    near: Option<String>,
    /// Within so many metres of it; 5,000 where it is not said, at most 100,000.
    #[param(value_type = Option<u64>, maximum = 4_294_967_295u32)]
    radius_m: Option<u32>,
    /// Only of shops that are open now.
    #[serde(default)]
    open: bool,
    /// In which order; what is in stock comes first, and with `distance` the nearest shop before
    /// that.
    #[serde(default)]
    sort: Order,
    /// Whether to count the categories, diets, prices and shops of what was found.
    #[serde(default)]
    facets: bool,
    /// Where to start: a `next_cursor`.
    #[param(max_length = 1024)]
    cursor: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// What fits the question best, whole and short names before longer ones.
    #[default]
    Relevance,
    /// The cheapest first; what has no price last.
    Price,
    /// The cheapest kilogram, litre or piece first.
    UnitPrice,
    /// By name, accents and capitals aside.
    Name,
    /// The nearest shop first; needs `near`.
    Distance,
}

/// A page of the shelves.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProductPage {
    /// The products, best first, each with its shop and when that shop said so.
    items: Vec<Value>,
    /// Where the next page begins.
    next_cursor: Option<String>,
    /// How many there are on all pages: a common word stops at 1,000.
    #[schema(value_type = Object)]
    found: Value,
    /// Counts of what the found products have, where they were asked for.
    #[schema(value_type = Option<Object>)]
    facets: Option<Value>,
}

/// Products of all shops that this hub knows, in stock first.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(Asked), responses(
    (status = 200, body = ProductPage),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn find(
    State(door): State<Door>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let now = clock::now();
    let page = door.hub.products(asked.wanted()?, now).await?;
    Ok(shown(&page))
}

/// Products of one shop.
#[utoipa::path(get, path = "/v1/shops/{id}/products", tag = "products",
    params(("id" = String, Path), Asked), responses((status = 200, body = ProductPage),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn of_shop(
    State(door): State<Door>,
    Path(shop): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (now, shop) = (clock::now(), id::<ShopId>("shop", &shop)?);
    // A shop that is not there is no empty shelf.
    door.hub.shop(None, shop, now).await?;
    let mut wanted = asked.wanted()?;
    wanted.query.filter.shop = Some(shop);
    Ok(shown(&door.hub.products(wanted, now).await?))
}

/// One product.
#[utoipa::path(get, path = "/v1/products/{id}", tag = "products", params(("id" = String, Path)),
    responses((status = 200, body = Value),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn product(
    State(door): State<Door>,
    Path(product): Path<String>,
) -> Result<Response, Problem> {
    let product = id::<ProductId>("product", &product)?;
    let (found, beside) = door.hub.product(product, clock::now()).await?;
    let mut body = String::new();
    write(&mut body, &found, Some(&beside));
    Ok(answer(body))
}

impl Asked {
    fn wanted(self) -> Result<Wanted, Error> {
        let sort = match self.sort {
            Order::Relevance | Order::Distance => Sort::Relevance,
            Order::Price => Sort::Price,
            Order::UnitPrice => Sort::UnitPrice,
            Order::Name => Sort::Name,
        };
        let nearest_first = self.sort == Order::Distance;
        if nearest_first && self.near.is_none() {
            return Err(Error::Invalid { field: "sort", why: "distance needs near=LAT,LON" });
        }
        let filter = Filter {
            shop: self.shop.as_deref().map(|shop| id("shop", shop)).transpose()?,
            shops: None,
            category: self.category.map(|text| short("category", text)).transpose()?,
            diet: self.diet.map(|text| short("diet", text)).transpose()?,
            price_max: self.max_price.map(amount).transpose()?,
            in_stock: self.in_stock,
        };
        let why = "up to 300 characters, none of them control characters";
        let unfit = Error::Invalid { field: "q", why };
        if self.q.chars().any(char::is_control) {
            return Err(unfit);
        }
        let query = search::Query {
            question: self.q.parse().map_err(|_| unfit)?,
            filter,
            sort,
            limit: u16::try_from(self.limit.get()).unwrap_or(search::PAGE_MAX),
            after: None,
            facets: self.facets,
            forgiving: true,
        };
        let near = self.near.map(|near| place("near", &near)).transpose()?;
        let (radius_m, open) = (self.radius_m, self.open);
        let mut wanted = Wanted { query, near, radius_m, open, nearest_first, after: None };
        let other = Error::NotFound { what: "page: the cursor is none of this list" };
        if let Some(cursor) = self.cursor {
            let after = cursor.parse().ok().filter(|after: &After| after.is_of(&wanted));
            wanted.after = Some(after.ok_or(other)?);
        }
        Ok(wanted)
    }
}

fn short(field: &'static str, text: String) -> Result<String, Error> {
    match text.chars().count() > TEXT_CHARS_MAX {
        true => Err(Error::Invalid { field, why: "at most 120 characters" }),
        false => Ok(text),
    }
}

fn amount(minor: u64) -> Result<i64, Error> {
    let why = "minor units up to 9223372036854775807";
    i64::try_from(minor).map_err(|_| Error::Invalid { field: "max_price", why })
}

fn shown(page: &Page) -> Response {
    let mut body = String::with_capacity(64 + 1024 * page.items.len());
    body.push_str("{\"items\":[");
    for (n, item) in page.items.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        write(&mut body, item, page.shops.get(&item.shop));
    }
    let rest = json!({
        "next_cursor": page.next.as_ref().map(ToString::to_string),
        "found": { "count": page.count.at_least, "more": page.count.more },
        "facets": page.facets.as_ref().map(|facets| counts(facets, page)),
    });
    // The rest is an object too: only its first brace is left out.
    body.push_str("],");
    body.push_str(rest.to_string().trim_start_matches('{'));
    answer(body)
}

fn write(body: &mut String, item: &Gathered, beside: Option<&Beside>) {
    let distance = beside.and_then(|beside| beside.distance_m);
    let rest = json!({
        "shop": shop(item.shop, beside),
        "distance_m": distance,
        "in_stock": item.ready.in_stock,
        "as_of": (item.signed_at > UnixMs::default()).then_some(item.signed_at),
    });
    body.push_str(&item.ready.json);
    body.push(',');
    body.push_str(rest.to_string().trim_start_matches('{'));
}

fn shop(id: ShopId, beside: Option<&Beside>) -> Value {
    json!({ "id": id, "name": beside.map(|beside| &*beside.name) })
}

fn answer(body: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

fn counts(facets: &Facets, page: &Page) -> Value {
    let prices = facets.prices.iter().map(
        |(band, count)| json!({"from_minor": band.from, "below_minor": band.below, "count": count}),
    );
    let shops = facets
        .shops
        .iter()
        .map(|(id, count)| json!({ "shop": shop(*id, page.shops.get(id)), "count": count }));
    json!({
        "categories": facets.categories, "diets": facets.diets,
        "prices": prices.collect::<Vec<_>>(), "shops": shops.collect::<Vec<_>>(),
        "in_stock": facets.in_stock, "out_of_stock": facets.out_of_stock,
    })
}
