//! The list of everyday articles over HTTP: looked through by all, ticked by those who edit.

use axum::{extract::State, http::StatusCode};
use kirana_core::policy::Action;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Query},
    now,
    problem::Problem,
};
use crate::{
    app::starter::{self, NotTicked, Ticked},
    clock,
};

/// Which articles.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Question {
    /// Beginnings of words, in English, Hindi or as people type it: `aloo`.
    #[param(max_length = 300)]
    q: Option<String>,
}

/// Everyday articles to put on the shelf.
#[utoipa::path(get, path = "/v1/catalogue/starter", tag = "catalogue", params(Question),
    responses((status = 200, body = Value), (status = 422, body = Problem)))]
pub async fn list(Query(Question { q }): Query<Question>) -> Result<axum::Json<Value>, Problem> {
    let question = q.unwrap_or_default();
    if question.chars().count() > QUESTION_CHARS_MAX {
        let says = format!("a question has at most {QUESTION_CHARS_MAX} characters");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "question", says));
    }
    Ok(axum::Json(json!({"items": starter::find(&question), "next_cursor": null})))
}

const QUESTION_CHARS_MAX: usize = 300;

/// Articles that are ticked.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StarterPicks)]
pub struct Picks {
    /// 1 to 100 of them, each once.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<Pick>,
}

/// An article with its price.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StarterPick)]
pub struct Pick {
    /// Which article.
    slug: String,
    /// What a kilogram, a litre or one of it costs, in minor units.
    minor: i64,
}

/// Puts articles on the shelf at these prices; the same again changes nothing.
#[utoipa::path(post, path = "/v1/catalogue/starter", tag = "catalogue", request_body = Picks,
    security(("token" = [])),
    responses((status = 200, body = Ticked), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn tick(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(picks): Json<Picks>,
) -> Result<axum::Json<Ticked>, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        let picks: Vec<_> = picks.items.iter().map(Pick::meant).collect();
        let ticked = access.shop().tick(&picks, visitor.who(), now(), &mut clock::rng())?;
        Ok::<_, Problem>(axum::Json(ticked))
    })
    .await
}

impl Pick {
    fn meant(&self) -> starter::Pick<'_> {
        starter::Pick { slug: &self.slug, minor: self.minor }
    }
}

impl From<NotTicked> for Problem {
    fn from(why: NotTicked) -> Self {
        let title = why.to_string();
        match why {
            NotTicked::NotEdited(why) => why.into(),
            NotTicked::Store(why) => Self::internal(&why),
            NotTicked::NoSuchArticle(_) | NotTicked::Twice(_) | NotTicked::HowMany => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "starter", title)
            }
        }
    }
}
