//! The public shelf over HTTP: lists, searches and single products.
//!
//! **Invariant:** a product is written into the answer as it is stored, in JSON; nothing that was
//! typed comes back but as JSON text.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use kirana_core::{id::ProductId, time::UnixMs};
use kirana_migrations::catalogue::{
    Filter,
    facets::Facets,
    place::Sort,
    question::{NotAQuestion, QUESTION_CHARS_MAX},
    search::{PAGE_MAX, Query as Search},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Door,
    answers::Answers,
    extract::{Path, Query},
    now,
    problem::Problem,
};
use crate::app::{
    Shop,
    shelf::{Item, Shelf},
};

/// What is looked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Words in any order, the beginnings of words, or the first digits of a barcode. One typing
    /// error in a word is forgiven where little else is found; accents and capitals do not count;
    /// Hindi may be typed in Latin letters. A scale's code finds what was weighed. Without it
    /// everything is listed.
    #[serde(default)]
    #[param(max_length = 300)]
    q: String,
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
    /// In which order; what is in stock always comes first.
    #[serde(default)]
    sort: Order,
    /// Whether to count the categories, diets and prices of what was found.
    #[serde(default)]
    facets: bool,
    /// At most so many.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// Where the page before ended: its `next_cursor`.
    #[param(max_length = 1024)]
    cursor: Option<String>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
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
}

/// A page of the shelf.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProductPage {
    /// The products, best first.
    items: Vec<serde_json::Value>,
    /// Where the next page begins.
    next_cursor: Option<String>,
    /// How many there are on all pages.
    found: Found,
    /// Counts of what the found products have, where they were asked for.
    #[schema(value_type = Option<Object>)]
    facets: Option<serde_json::Value>,
}

/// How many products were found: a common word stops at 1,000, shown as "1,000+".
#[derive(Serialize, utoipa::ToSchema)]
pub struct Found {
    /// So many, or more.
    count: usize,
    /// Whether there are more, which were neither ranked nor counted.
    more: bool,
}

/// The shelf: what the shop sells, in stock first. Nobody needs to sign in.
#[utoipa::path(get, path = "/v1/products", tag = "catalogue", params(Asked), responses(
    (status = 200, body = ProductPage),
    (status = 400, description = "a parameter or the cursor cannot be read", body = Problem),
    (status = 422, description = "the question or the limit is out of its bounds", body = Problem)))]
pub async fn shelf(
    State(door): State<Door>,
    address: Uri,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (typed, search) = (asked.q.clone(), asked.search()?);
    let read =
        move |shop: &Shop, now| shop.looked_for(&typed, &search, now).map(|page| shown(&page));
    Ok(answer(remembered(&door, &address, read).await?))
}

/// Everything that is on the shelf, for those who edit it.
#[utoipa::path(get, path = "/v1/catalogue/products", tag = "catalogue", params(Asked), responses(
    (status = 200, body = ProductPage),
    (status = 400, description = "a parameter or the cursor cannot be read", body = Problem),
    (status = 422, description = "the question or the limit is out of its bounds", body = Problem)))]
pub async fn all(
    door: State<Door>,
    address: Uri,
    asked: Query<Asked>,
) -> Result<Response, Problem> {
    shelf(door, address, asked).await
}

/// One product of the shelf. Nobody needs to sign in.
#[utoipa::path(get, path = "/v1/products/{id}", tag = "catalogue",
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem)))]
pub async fn product(
    State(door): State<Door>,
    address: Uri,
    Path(id): Path<ProductId>,
) -> Result<Response, Problem> {
    let read = move |shop: &Shop, now| {
        let item = shop.on_the_shelf(id, now)?.ok_or_else(Problem::not_found)?;
        let mut body = String::new();
        write(&mut body, &item);
        Ok::<_, Problem>(Bytes::from(body))
    };
    Ok(answer(remembered(&door, &address, read).await?))
}

/// A page as it was answered a moment ago, else as it is read now.
async fn remembered<E: Into<Problem> + Send + 'static>(
    door: &Door,
    address: &Uri,
    read: impl FnOnce(&Shop, UnixMs) -> Result<Bytes, E> + Send + 'static,
) -> Result<Bytes, Problem> {
    let now = now();
    let Some(moment) = Answers::moment(door.shop(), now)? else {
        return door.look(move |access| read(access.shop(), now)).await;
    };
    let address = address.to_string();
    if let Some(body) = door.answers.get(moment, &address) {
        return Ok(body);
    }
    let body = door.look(move |access| read(access.shop(), now)).await?;
    door.answers.put(moment, &address, &body);
    Ok(body)
}

impl Asked {
    fn search(self) -> Result<Search, Problem> {
        let limit = self.limit.unwrap_or(20);
        if !(1..=PAGE_MAX).contains(&limit) {
            let title = format!("a page has 1 to {PAGE_MAX} products");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "limit", title));
        }
        let sort = match self.sort {
            Order::Relevance => Sort::Relevance,
            Order::Price => Sort::Price,
            Order::UnitPrice => Sort::UnitPrice,
            Order::Name => Sort::Name,
        };
        let after = self.cursor.as_deref().map(str::parse).transpose().ok();
        let after = after.filter(|after: &Option<kirana_migrations::catalogue::place::Place>| {
            after.as_ref().is_none_or(|after| after.is_of(sort))
        });
        let filter = Filter {
            shop: None,
            shops: None,
            category: self.category,
            diet: self.diet,
            price_max: self.max_price.map(|most| i64::try_from(most).unwrap_or(i64::MAX - 1)),
            in_stock: self.in_stock,
        };
        Ok(Search {
            question: self.q.parse()?,
            filter,
            sort,
            limit,
            after: after.ok_or_else(|| Problem::malformed("the cursor is not one of this list"))?,
            facets: self.facets,
            forgiving: true,
        })
    }
}

impl From<NotAQuestion> for Problem {
    fn from(why: NotAQuestion) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "question", why.to_string());
        problem
            .detail(format!("ask with up to {QUESTION_CHARS_MAX} characters, none of them control"))
    }
}

fn shown(page: &Shelf) -> Bytes {
    let mut body = String::with_capacity(64 + 1024 * page.items.len());
    body.push_str("{\"items\":[");
    for (n, item) in page.items.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        write(&mut body, item);
    }
    let next = page.next.as_ref().map(ToString::to_string);
    let found = Found { count: page.count.at_least, more: page.count.more };
    let rest =
        json!({"next_cursor": next, "found": found, "facets": page.facets.as_ref().map(counts)});
    // The rest is an object too: only its first brace is left out.
    body.push_str("],");
    body.push_str(rest.to_string().trim_start_matches('{'));
    body.into()
}

fn write(body: &mut String, item: &Item) {
    body.push_str(&item.ready.json);
    let available = item.available.map_or("null".to_owned(), |amount| amount.to_string());
    body.push_str(",\"available\":");
    body.push_str(&available);
    body.push_str(if item.ready.in_stock { ",\"in_stock\":true}" } else { ",\"in_stock\":false}" });
}

fn answer(body: Bytes) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

fn counts(facets: &Facets) -> serde_json::Value {
    let prices = facets.prices.iter().map(
        |(band, count)| json!({"from_minor": band.from, "below_minor": band.below, "count": count}),
    );
    json!({
        "categories": facets.categories, "diets": facets.diets,
        "prices": prices.collect::<Vec<_>>(),
        "in_stock": facets.in_stock, "out_of_stock": facets.out_of_stock,
    })
}
