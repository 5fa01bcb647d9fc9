//! Price labels over HTTP.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{catalogue::product::Language, day::Day, id::ProductId, policy::Action};
use kirana_paper::labels::{NotPrinted, Printed, print};
use serde::Deserialize;

use super::{Door, auth::SignedIn, extract::Query, now, problem::Problem};
use crate::app::{
    access::Access,
    labels::{
        NotChosen, Wanted, Which,
        sheets::{Asked, NotASheet},
    },
};

/// The most labels of one answer; the command line prints more.
pub const LABELS_MAX: usize = 1_000;

/// Which labels, and on what.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Products by their ids, with commas between them.
    product: Option<String>,
    /// Products that these words find.
    #[param(max_length = 300)]
    q: Option<String>,
    /// Products of this category and all below it, by its id, or by a word of the shop's own.
    #[param(max_length = 120)]
    category: Option<String>,
    /// Every product on the shelf.
    #[serde(default)]
    all: bool,
    /// Only labels on which something else stood when this day began, such as `2026-11-20`.
    #[param(value_type = Option<String>, format = Date)]
    changed_since: Option<Day>,
    /// `3x8`, `3x8-37`, `2x7`, `strips` or `roll`; `3x8` unless given.
    layout: Option<String>,
    /// A label of one's own, in millimetres, such as `58x40`.
    label: Option<String>,
    /// The sheet with such labels, in millimetres; one label to a page if left out.
    page: Option<String>,
    /// How far such labels are apart, in millimetres.
    gap: Option<String>,
    /// How many of each.
    #[param(minimum = 1, maximum = 1000, default = 1)]
    copies: Option<u16>,
    /// The first label of the first sheet that is still there, counted from 1.
    #[param(minimum = 1, default = 1)]
    begin: Option<u16>,
    /// The language of names and words.
    #[param(value_type = Option<String>)]
    language: Option<Language>,
    /// Print also where a character has no font; otherwise that is refused by name.
    #[serde(default)]
    leave_out: bool,
}

/// Price labels with barcodes as a PDF, as prices are now; at most 1,000.
#[utoipa::path(get, path = "/v1/catalogue/labels", tag = "catalogue", params(About),
    security(("token" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, description = "too many, too large for the label, or without a font",
            body = Problem)))]
pub async fn pdf(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(about): Query<About>,
) -> Result<Response, Problem> {
    let fonts = door.fonts.clone();
    let printed = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            about.printed(access, &fonts)
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"labels.pdf\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, printed.pdf).into_response())
}

impl About {
    fn printed(
        &self,
        access: &Access,
        fonts: &kirana_paper::fonts::Fonts,
    ) -> Result<Printed, Problem> {
        let asked = Asked {
            layout: self.layout.clone(),
            label: self.label.clone(),
            page: self.page.clone(),
            gap: self.gap.clone(),
        };
        let layout = asked.layout()?;
        let (language, shop) = (self.language.unwrap_or(Language::ENGLISH), access.shop());
        let wanted = Wanted {
            of: self.which()?,
            changed_since: self.changed_since.map(|day| shop.begin_of(day)),
            language,
            copies: bounded("copies", self.copies, COPIES_MAX)?,
            limit: LABELS_MAX,
        };
        let begin = usize::from(bounded("begin", self.begin, u16::MAX)?) - 1;
        let chosen = shop.labels(&wanted, now())?;
        let printed = print(&chosen.labels, &layout, begin, fonts, language.as_str())?;
        if !self.leave_out && !printed.left_out.is_empty() {
            let missing: Vec<String> =
                printed.left_out.iter().map(|c| format!("U+{:04X}", u32::from(*c))).collect();
            let title = "some characters have no font here, or are written from the right";
            let detail = format!("{}; leave_out=true prints without them", missing.join(" "));
            return Err(unprocessable("no-font", title).detail(detail));
        }
        Ok(printed)
    }

    fn which(&self) -> Result<Which, Problem> {
        let finds = self.q.is_some() || self.category.is_some();
        match &self.product {
            Some(_) if finds || self.all => {
                Err(Problem::malformed("product goes without q, category and all"))
            }
            Some(ids) => {
                let ids = ids.split(',').map(|id| id.trim().parse::<ProductId>());
                let ids: Result<Vec<_>, _> = ids.collect();
                let ids =
                    ids.map_err(|_| Problem::malformed("product holds something else than ids"))?;
                Ok(Which::Named(ids))
            }
            None if !finds && !self.all && self.changed_since.is_none() => {
                let says = "say which labels: product, q, category, changed_since or all";
                Err(Problem::malformed(says))
            }
            None => {
                let question = self.q.as_deref().unwrap_or_default().parse()?;
                Ok(Which::Found { question, category: self.category.clone() })
            }
        }
    }
}

fn bounded(name: &str, given: Option<u16>, most: u16) -> Result<u16, Problem> {
    match given.unwrap_or(1) {
        n if (1..=most).contains(&n) => Ok(n),
        _ => Err(Problem::malformed(format!("{name} is from 1 to {most}"))),
    }
}

fn unprocessable(code: &str, title: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
}

/// The most copies of one label.
const COPIES_MAX: u16 = 1_000;

impl From<NotASheet> for Problem {
    fn from(why: NotASheet) -> Self {
        Self::malformed(why.to_string())
    }
}

impl From<NotChosen> for Problem {
    fn from(why: NotChosen) -> Self {
        match why {
            NotChosen::NoProduct(id) => Self::not_found().detail(id.to_string()),
            NotChosen::TooManyFound | NotChosen::TooMany { .. } => {
                unprocessable("too-many-labels", why.to_string())
            }
            NotChosen::Store(why) => why.into(),
        }
    }
}

impl From<NotPrinted> for Problem {
    fn from(why: NotPrinted) -> Self {
        match why {
            NotPrinted::Nothing => unprocessable("no-labels", why.to_string()),
            NotPrinted::TooMany(_) => unprocessable("too-many-labels", why.to_string()),
            NotPrinted::Begin { .. } => Self::malformed(why.to_string()),
            NotPrinted::TooSmall(_) => unprocessable("label-too-small", why.to_string()),
            NotPrinted::Unwritable(why) => Self::internal(&why),
        }
    }
}
