//! The shelf as a file over HTTP.
//!
//! **Invariants:** the whole file is written before its first byte is sent, so that an answer of 200
//! is a whole shelf in one state, and a slow reader keeps nothing of the database waiting.

use std::io::{BufWriter, ErrorKind, Seek, SeekFrom};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, stream};
use kirana_core::policy::Action;
use serde::Deserialize;
use tokio::{io::AsyncReadExt, sync::OwnedSemaphorePermit};

use super::{Door, auth::SignedIn, extract::Query, now, problem::Problem};
use crate::{
    app::{
        import::draw_id,
        product_file::{Kind, NotWritten},
        refusal::NotStored,
    },
    clock,
};

/// Bytes that are sent at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Which kind of file.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// `csv`, which `POST /v1/imports` reads back, or `shopify` for its product CSV.
    #[serde(default)]
    format: Kind,
}

/// Every product on the shelf, one variant to a line, with what of it is there. No cell is a formula.
#[utoipa::path(get, path = "/v1/catalogue/export", tag = "catalogue", params(About),
    security(("token" = [])),
    responses((status = 200, body = String, content_type = "text/csv"),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 503, body = Problem)))]
pub async fn run(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(About { format }): Query<About>,
) -> Result<Response, Problem> {
    let (file, place) = door.imports.scratch(draw_id(now(), &mut clock::rng()))?;
    let (file, bytes) = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            access.shop().write_products(format, BufWriter::new(&file))?;
            (&file).seek(SeekFrom::Start(0)).map_err(NotWritten::from)?;
            let bytes = file.metadata().map_err(NotWritten::from)?.len();
            Ok::<_, Problem>((file, bytes))
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name_of(format))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
    ];
    Ok((headers, Body::from_stream(pieces(tokio::fs::File::from_std(file), place))).into_response())
}

fn name_of(format: Kind) -> &'static str {
    match format {
        Kind::Csv => "attachment; filename=\"shelf.csv\"",
        Kind::Shopify => "attachment; filename=\"shelf-shopify.csv\"",
    }
}

/// A file piece by piece; the place is kept until the last.
fn pieces(
    file: tokio::fs::File,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, place), async |(mut file, place)| {
        let mut piece = vec![0; PIECE_BYTES];
        let n = file.read(&mut piece).await?;
        piece.truncate(n);
        Ok((n > 0).then(|| (Bytes::from(piece), (file, place))))
    })
}

impl From<NotWritten> for Problem {
    fn from(why: NotWritten) -> Self {
        let is_full = |why: &std::io::Error| why.kind() == ErrorKind::StorageFull;
        match why {
            NotWritten::Io(why) if is_full(&why) => NotStored::Full.into(),
            NotWritten::Csv(why) => match why.into_kind() {
                csv::ErrorKind::Io(why) if is_full(&why) => NotStored::Full.into(),
                other => Self::internal(&format!("{other:?}")),
            },
            NotWritten::Io(why) => Self::internal(&why),
            NotWritten::Store(why) => Self::internal(&why),
        }
    }
}
