//! `/v1/categories`: the trees of all shops as one. Nobody needs to sign in.

use axum::{
    extract::State,
    http::{HeaderMap, header},
};
use kirana_core::catalogue::product::Language;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Door, extract::Query, problem::Problem};
use crate::app::Error;

/// How categories are listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// In which language `name` is; else what the browser asks for, else English.
    #[param(pattern = "^[a-z]{2,3}$")]
    language: Option<String>,
}

/// All categories.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CategoryList {
    /// Each after the one above it, with how many products stand on it and below; shops' own ones
    /// name their shops. Words of products that are in no tree come last.
    items: Vec<Value>,
}

/// The categories of the shops that this hub knows: one tree, by their ids.
#[utoipa::path(get, path = "/v1/categories", tag = "products", params(Asked), responses(
    (status = 200, body = CategoryList),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<CategoryList>, Problem> {
    let browser = || {
        let all = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        all.split([',', ';', '-']).next()?.trim().parse().ok()
    };
    let why = "a code such as en or hi";
    let language = match asked.language {
        Some(code) => code.parse().map_err(|_| Error::Invalid { field: "language", why })?,
        None => browser().unwrap_or(Language::ENGLISH),
    };
    let all = door.hub.categories()?;
    let shown = all.iter().map(|category| {
        json!({
            "id": category.id, "parent": category.parent, "name": category.name(language),
            "names": category.names, "shops": category.shops, "products": category.products,
        })
    });
    Ok(axum::Json(CategoryList { items: shown.collect() }))
}
