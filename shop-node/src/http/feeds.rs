//! Suppliers' lists on the web, over HTTP: which there are, how they stand, and fetching one now.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    id::{FeedId, SupplierId},
    policy::Action,
    time::UnixMs,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query},
    now,
    orders::Page,
    problem::Problem,
    stock::Paging,
};
use crate::{
    app::feeds::{About, Feed, NotFed, Terms},
    clock,
    outside::{NotFetched, Secret, shown as shown_url},
};

/// How long a fetch is waited for before the feed is answered as it stands.
const WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(20);

/// A supplier's list on the web.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenFeed {
    /// What people call it; at most 60 characters, and no other feed's.
    name: String,
    /// Where it is: `https://` only, without a name or a password in it.
    url: String,
    /// Whose it is.
    #[schema(value_type = Option<String>)]
    supplier_id: Option<SupplierId>,
    /// `csv`, `shopify`, `google` or `off`.
    #[serde(default = "csv")]
    format: String,
    /// The supplier's name under which a mapping is kept.
    mapping: Option<String>,
    /// How numbers are written, such as `en-IN` or `de`.
    locale: Option<String>,
    /// After how many hours it is fetched again.
    #[serde(default = "daily")]
    #[schema(minimum = 1, maximum = 744)]
    every_hours: u32,
    /// By what the shop proves there who it is; left out, what was said before for the same server.
    secret: Option<GivenSecret>,
}

fn csv() -> String {
    "csv".to_owned()
}

fn daily() -> u32 {
    24
}

/// A secret for one server.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GivenSecret {
    /// None any more.
    None,
    /// A token.
    Bearer {
        /// The token.
        token: String,
    },
    /// A name and a password.
    Basic {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
}

impl From<GivenFeed> for About {
    fn from(given: GivenFeed) -> Self {
        let secret = given.secret.map(|secret| match secret {
            GivenSecret::None => Secret::None,
            GivenSecret::Bearer { token } => Secret::Bearer(token),
            GivenSecret::Basic { name, password } => Secret::Basic(name, password),
        });
        let terms = Terms {
            supplier: given.supplier_id.map(|id| id.to_string()),
            format: given.format,
            mapping: given.mapping,
            locale: given.locale,
            every_hours: given.every_hours,
        };
        Self { name: given.name, url: given.url, secret, terms }
    }
}

/// The feeds, by name, with what came of each and why it failed.
#[utoipa::path(get, path = "/v1/feeds", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Page>, Problem> {
    let feeds = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().feeds()?)
        })
        .await?;
    Ok(axum::Json(Page { items: feeds.iter().map(shown).collect(), next_cursor: None }))
}

/// Notes a feed; it is fetched at once, and then regularly while the shop is open.
#[utoipa::path(post, path = "/v1/feeds", tag = "catalogue", request_body = GivenFeed,
    security(("token" = [])), responses((status = 201, body = Value),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<GivenFeed>,
) -> Result<Response, Problem> {
    let feed = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>(shop.put_feed(None, given.into(), now(), &mut clock::rng())?)
        })
        .await?;
    door.feeds.wake();
    Ok((StatusCode::CREATED, axum::Json(shown(&feed))).into_response())
}

/// One feed.
#[utoipa::path(get, path = "/v1/feeds/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<FeedId>,
) -> Result<axum::Json<Value>, Problem> {
    let feed = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().feed(id)?)
        })
        .await?;
    Ok(axum::Json(shown(&feed)))
}

/// Says something else about a feed: all of it anew, but for the secret.
#[utoipa::path(put, path = "/v1/feeds/{id}", tag = "catalogue", params(("id" = String, Path)),
    request_body = GivenFeed, security(("token" = [])), responses((status = 200, body = Value),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn change(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<FeedId>,
    Json(given): Json<GivenFeed>,
) -> Result<axum::Json<Value>, Problem> {
    let feed = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>(shop.put_feed(Some(id), given.into(), now(), &mut clock::rng())?)
        })
        .await?;
    door.feeds.wake();
    Ok(axum::Json(shown(&feed)))
}

/// Forgets a feed; the products that it brought stay.
#[utoipa::path(delete, path = "/v1/feeds/{id}", tag = "catalogue", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<FeedId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::RunImport, &access.here())?;
        Ok::<_, Problem>(access.shop().remove_feed(id)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fetches a feed now and takes it in; `last` says what came of it. A long one goes on after 202.
#[utoipa::path(post, path = "/v1/feeds/{id}/fetch", tag = "catalogue",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 202, body = Value),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn fetch(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<FeedId>,
) -> Result<Response, Problem> {
    let (by, feeds) = (visitor.who(), door.feeds.clone());
    door.run(move |access| access.allow(&visitor, Action::RunImport, &access.here())).await?;
    let feed = door.run(move |access| access.shop().feed(id)).await?;
    let running = tokio::spawn(async move { feeds.fetch(id, by).await });
    match tokio::time::timeout(WAIT_MAX, running).await {
        Ok(Ok(fetched)) => Ok(axum::Json(shown(&fetched?)).into_response()),
        Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
        Err(_) => Ok((StatusCode::ACCEPTED, axum::Json(shown(&feed))).into_response()),
    }
}

/// Products on the shelf that a feed named once and no longer does. They stay as they are until
/// somebody delists them.
#[utoipa::path(get, path = "/v1/feeds/{id}/missing", tag = "catalogue",
    params(("id" = String, Path), Paging), security(("token" = [])),
    responses((status = 200, body = Page), (status = 404, body = Problem)))]
pub async fn missing(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<FeedId>,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let after = paging.cursor().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let ids = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().missing_of_feed(id, after, limit)?)
        })
        .await?;
    let full = ids.len() == limit as usize;
    let next_cursor = ids.last().filter(|_| full).map(ToString::to_string);
    let items = ids.iter().map(|id| json!({ "product_id": id })).collect();
    Ok(axum::Json(Page { items, next_cursor }))
}

/// A feed as HTTP shows it: without its secret, and without what may be secret in its address.
pub fn shown(feed: &Feed) -> Value {
    let last = feed.state.last.as_ref().map(|last| {
        json!({
            "at": UnixMs::new(last.at).to_string(), "outcome": last.outcome,
            "import_id": last.import, "problem": last.problem,
        })
    });
    let secret = match feed.secret {
        Secret::None => "none",
        Secret::Bearer(_) => "bearer",
        Secret::Basic(..) => "basic",
    };
    let terms = &feed.terms;
    json!({
        "id": feed.id, "name": feed.name, "url": shown_url(&feed.url), "secret": secret,
        "supplier_id": terms.supplier, "format": terms.format, "mapping": terms.mapping,
        "locale": terms.locale, "every_hours": terms.every_hours,
        "next_at": feed.next.to_string(), "failures": feed.state.failures, "last": last,
        "missing": feed.missing,
    })
}

impl From<NotFed> for Problem {
    fn from(why: NotFed) -> Self {
        let title = why.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        match why {
            NotFed::NoFeed(_) => Self::new(StatusCode::NOT_FOUND, "no-feed", title),
            NotFed::NoSupplier(_) => Self::new(StatusCode::NOT_FOUND, "no-supplier", title),
            NotFed::NameTaken(_) => conflict("name-taken"),
            NotFed::TooMany => conflict("too-many"),
            NotFed::Name | NotFed::Every | NotFed::Secret => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "feed", title)
            }
            NotFed::Fetched(why) => why.into(),
            NotFed::Imported(why) => why.into(),
            NotFed::NotEdited(why) => why.into(),
            NotFed::NotStored(why) => why.into(),
            NotFed::Store(error) => Self::internal(&error),
        }
    }
}

impl From<NotFetched> for Problem {
    fn from(why: NotFetched) -> Self {
        let title = why.to_string();
        match why {
            NotFetched::Url(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "url", title),
            NotFetched::Private => Self::new(StatusCode::CONFLICT, "private-address", title),
            NotFetched::Setup(_) => Self::internal(&title),
            NotFetched::Late => Self::new(StatusCode::GATEWAY_TIMEOUT, "late", title),
            _ => Self::new(StatusCode::BAD_GATEWAY, "not-fetched", title),
        }
    }
}
