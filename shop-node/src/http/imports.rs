//! Imports over HTTP: the file is the body, the report is the answer.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::policy::Action;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Path, Query},
    now,
    problem::Problem,
};
use crate::{
    app::import::{Locale, NotImported, Order, draw_id},
    clock,
};

/// How long an import is waited for before its id is answered instead of its report.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What the file is.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct About {
    /// `csv` or `off`.
    format: Option<String>,
    /// JSON: `{"column":"field"}`.
    map: Option<String>,
    /// How numbers are written, such as `en-IN` or `de`.
    locale: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

impl About {
    fn order(&self, bytes: Vec<u8>) -> Result<Order, Problem> {
        let map: Option<BTreeMap<String, String>> = match &self.map {
            Some(text) => Some(
                serde_json::from_str(text)
                    .map_err(|_| Problem::malformed("map is JSON: {\"column\":\"field\"}"))?,
            ),
            None => None,
        };
        Ok(Order {
            bytes,
            format: self.format.as_deref().unwrap_or("csv").parse()?,
            map,
            locale: self.locale.as_deref().map_or(Locale::INDIAN, Locale::named),
            dry_run: self.dry_run,
        })
    }
}

/// Takes a file of products in. A long one goes on after 202: ask for its report by the id.
#[utoipa::path(post, path = "/v1/imports", tag = "catalogue", params(About),
    request_body(content = String, content_type = "text/csv"), security(("token" = [])),
    responses((status = 200, body = Value), (status = 202, body = Value)))]
pub async fn run(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(about): Query<About>,
    body: Bytes,
) -> Result<Response, Problem> {
    let order = about.order(body.to_vec())?;
    let id = draw_id(now(), &mut clock::rng());
    let running = tokio::spawn(async move {
        door.run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            let by = visitor.who();
            Ok::<_, Problem>(access.shop().import(&order, id, by, now(), &mut clock::rng())?)
        })
        .await
    });
    match tokio::time::timeout(WAIT_MAX, running).await {
        Ok(Ok(report)) => Ok(axum::Json(report?).into_response()),
        Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
        Err(_) => Ok((StatusCode::ACCEPTED, axum::Json(json!({"import_id": id}))).into_response()),
    }
}

/// The report of an import; 404 until it has ended.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn report(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<uuid::Uuid>,
) -> Result<axum::Json<Value>, Problem> {
    let report = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().import_report(id)?)
        })
        .await?;
    Ok(axum::Json(json!(report.ok_or_else(Problem::not_found)?)))
}

impl From<NotImported> for Problem {
    fn from(why: NotImported) -> Self {
        let title = why.to_string();
        match why {
            NotImported::Later(what) => Self::not_yet(what),
            NotImported::TooLong(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title),
            NotImported::NotEdited(error) => error.into(),
            NotImported::Store(error) => Self::internal(&error),
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "import", title),
        }
    }
}
