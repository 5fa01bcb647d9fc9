//! Imports over HTTP: the file is the body, the report is the answer.
//!
//! **Invariant:** a body is written to the disk piece by piece, and only for somebody who may import.

use std::{collections::BTreeMap, io::ErrorKind, time::Duration};

use axum::{
    body::Body,
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
    app::{
        import::{Locale, NotImported, Order, Report, draw_id},
        refusal::NotStored,
    },
    clock,
    imports::{NotSpooled, Spooled},
};

/// How long an import is waited for before its id is answered instead of its report.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// What the file is.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct About {
    /// `csv`, `shopify`, `google` or `off`.
    format: Option<String>,
    /// JSON: `{"column":"field"}`.
    map: Option<String>,
    /// The supplier whose kept mapping is used where no map is given.
    mapping: Option<String>,
    /// How numbers are written, such as `en-IN` or `de`.
    locale: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

impl About {
    fn order(&self, file: &Spooled, bytes_max: u64) -> Result<Order, Problem> {
        let map: Option<BTreeMap<String, String>> = match &self.map {
            Some(text) => Some(
                serde_json::from_str(text)
                    .map_err(|_| Problem::malformed("map is JSON: {\"column\":\"field\"}"))?,
            ),
            None => None,
        };
        Ok(Order {
            format: self.format.as_deref().unwrap_or("csv").parse()?,
            map,
            mapping: self.mapping.clone(),
            locale: self.locale.as_deref().map_or(Locale::INDIAN, Locale::named),
            dry_run: self.dry_run,
            bytes_max,
            file: Some(file.name()),
        })
    }
}

/// Takes a file of products in: the body is the file, a table of text or an XML feed. A long one goes
/// on after 202: ask for its report by the id. The same file again goes on where one was interrupted.
#[utoipa::path(post, path = "/v1/imports", tag = "catalogue", params(About),
    request_body(content = String, content_type = "text/csv"), security(("token" = [])),
    responses((status = 200, body = Report), (status = 202, body = Value),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub async fn run(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(about): Query<About>,
    body: Body,
) -> Result<Response, Problem> {
    let by = visitor.who();
    door.run(move |access| access.allow(&visitor, Action::RunImport, &access.here())).await?;
    let id = draw_id(now(), &mut clock::rng());
    let file = door.imports.spool(id, body).await?;
    let order = about.order(&file, door.imports.bytes_max())?;
    let (imports, shop) = (door.imports.clone(), door.shop().clone());
    let begun = door.run(move |_| imports.begin(&shop, file, &order, id, by)).await?;
    let id = begun.id();
    let (imports, shop) = (door.imports.clone(), door.shop().clone());
    let running = tokio::spawn(async move {
        let turn = imports.turn().await?;
        door.run(move |_| imports.run(&turn, &shop, begun, by)).await
    });
    match tokio::time::timeout(WAIT_MAX, running).await {
        Ok(Ok(report)) => Ok(axum::Json(report?).into_response()),
        Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
        Err(_) => Ok((StatusCode::ACCEPTED, axum::Json(json!({"import_id": id}))).into_response()),
    }
}

/// The imports that began last, newest first, without what was said about their lines.
#[utoipa::path(get, path = "/v1/imports", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let items = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().imports(LISTED_MAX)?)
        })
        .await?;
    Ok(axum::Json(json!({"items": items, "next_cursor": null})))
}

const LISTED_MAX: u32 = 100;

/// How an import stands, how far it has come, what was said about its lines, and why it failed.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Report), (status = 404, body = Problem)))]
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

/// Takes an import back: products are what they were before, where nobody changed them since; `left`
/// says which were not put back, and why. A long one goes on after 202.
#[utoipa::path(post, path = "/v1/imports/{id}/undo", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Report), (status = 202, body = Value),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn undo(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<uuid::Uuid>,
) -> Result<Response, Problem> {
    let by = visitor.who();
    door.run(move |access| access.allow(&visitor, Action::RunImport, &access.here())).await?;
    let (imports, shop) = (door.imports.clone(), door.shop().clone());
    let running = tokio::spawn(async move {
        let turn = imports.turn().await?;
        door.run(move |_| imports.undo(&turn, &shop, id, by)).await
    });
    match tokio::time::timeout(WAIT_MAX, running).await {
        Ok(Ok(report)) => Ok(axum::Json(report?).into_response()),
        Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
        Err(_) => Ok((StatusCode::ACCEPTED, axum::Json(json!({"import_id": id}))).into_response()),
    }
}

impl From<NotSpooled> for Problem {
    fn from(why: NotSpooled) -> Self {
        let title = why.to_string();
        match why {
            NotSpooled::Crowded => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title).retry_after(10)
            }
            NotSpooled::Cut => Self::new(StatusCode::REQUEST_TIMEOUT, "cut", title),
            NotSpooled::NotImported(why) => why.into(),
        }
    }
}

impl From<NotImported> for Problem {
    fn from(why: NotImported) -> Self {
        let title = why.to_string();
        match why {
            NotImported::TooLong { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title)
            }
            NotImported::NotEdited(error) => error.into(),
            NotImported::Store(error) => Self::internal(&error),
            NotImported::TooManyMappings => {
                Self::new(StatusCode::CONFLICT, "too-many-mappings", title)
            }
            NotImported::NoSuchMapping(_) => Self::not_found().detail(title),
            NotImported::NoSuchImport(_) => Self::not_found(),
            NotImported::Paused => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "closing", title).retry_after(10)
            }
            NotImported::Unreadable(why) if why.kind() == ErrorKind::StorageFull => {
                NotStored::Full.into()
            }
            // What is wrong inside the file is for whoever sent it; the rest is the shop's.
            NotImported::Unreadable(why) if why.kind() != ErrorKind::InvalidData => {
                Self::internal(&why)
            }
            NotImported::Ended(_) => Self::new(StatusCode::CONFLICT, "import-ended", title),
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "import", title),
        }
    }
}
