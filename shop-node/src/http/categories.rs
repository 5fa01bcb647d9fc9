//! Categories over HTTP: the shop's tree for anybody, and its own nodes for those who may edit the
//! catalogue.
//!
//! **Invariant:** names are texts that people typed: they come back as JSON text and as nothing else.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{
    catalogue::{category::CategoryId, product::Language},
    policy::Action,
};
use kirana_migrations::catalogue::categories::listed::Listed;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query},
    now,
    orders::Page,
    problem::Problem,
};
use crate::{
    app::categories::{CategoryAmendment, NewCategory},
    clock,
};

/// How categories are listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// In which language `name` is: a code such as `hi`; else what the browser asks for, else
    /// English.
    language: Option<String>,
    /// Hidden ones too.
    #[serde(default)]
    all: bool,
}

/// The shop's categories, each after the one above it, with how many products stand on it and
/// below. Words of products that are in no tree come last. Nobody needs to sign in.
#[utoipa::path(get, path = "/v1/categories", tag = "catalogue", params(Asked), responses(
    (status = 200, body = Page), (status = 400, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<Page>, Problem> {
    let language = read_in(asked.language.as_deref(), &headers)?;
    let all =
        door.run(move |access| Ok::<_, Problem>(access.shop().categories(asked.all)?)).await?;
    let items = all.iter().map(|category| shown(category, language)).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Adds a category: below any other, or at the top.
#[utoipa::path(post, path = "/v1/catalogue/categories", tag = "catalogue", request_body = Value,
    security(("token" = [])), responses((status = 201, body = Value), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(new): Json<NewCategory>,
) -> Result<Response, Problem> {
    let added = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            let shop = access.shop();
            let id = shop.add_category(new, visitor.who(), now(), &mut clock::rng())?;
            Ok::<_, Problem>(shop.category(&id)?)
        })
        .await?
        .ok_or_else(Problem::not_found)?;
    let body = axum::Json(shown(&added, Language::ENGLISH));
    Ok((StatusCode::CREATED, body).into_response())
}

/// Changes a category: one of the shop's own, or what one that comes with kirana is called, where
/// it stands among its siblings, and whether it is shown. The slashes of its id are written `%2F`.
#[utoipa::path(patch, path = "/v1/catalogue/categories/{id}", tag = "catalogue",
    request_body = Value, params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn amend(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Json(amendment): Json<CategoryAmendment>,
) -> Result<axum::Json<Value>, Problem> {
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found())?;
    let amended = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            let (shop, by) = (access.shop(), visitor.who());
            shop.amend_category(&id, amendment, by, now(), &mut clock::rng())?;
            Ok::<_, Problem>(shop.category(&id)?)
        })
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(axum::Json(shown(&amended, Language::ENGLISH)))
}

/// Takes one of the shop's own categories away; refused while it has products or categories below.
#[utoipa::path(delete, path = "/v1/catalogue/categories/{id}", tag = "catalogue",
    params(("id" = String, Path)), security(("token" = [])), responses((status = 204),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn remove(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found())?;
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        access.shop().remove_category(&id, visitor.who(), now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// The language that was asked for, else the browser's first, else English.
fn read_in(asked: Option<&str>, headers: &HeaderMap) -> Result<Language, Problem> {
    let wrong = |_| Problem::malformed("a language is a code such as en or hi");
    let browser = || {
        let all = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        all.split([',', ';', '-']).next()?.trim().parse().ok()
    };
    match asked {
        Some(code) => code.parse().map_err(wrong),
        None => Ok(browser().unwrap_or(Language::ENGLISH)),
    }
}

fn shown(category: &Listed, language: Language) -> Value {
    json!({
        "id": category.id, "parent": category.parent, "name": category.name(language),
        "names": category.names, "hidden": category.hidden,
        "own": !category.shops.is_empty(), "products": category.products,
    })
}
