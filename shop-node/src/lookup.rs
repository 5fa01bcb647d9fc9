//! Looks barcodes up in an open product database of the shape of Open Food Facts, where the box's
//! settings name one.
//!
//! **Invariant:** nobody is asked unless an owner turned it on, and not again within a day about what
//! was unknown.

use std::time::Duration;

use kirana_core::gtin::Gtin;
use reqwest::{StatusCode, Url, header::HeaderMap};

use crate::{
    app::{
        Shop,
        lookup::{Draft, FIELDS, NotLookedUp, draft},
    },
    clock,
    outside::{Asked, NotFetched, Outside, Secret, retry_after_s, whole},
};

/// How long an answer may take: somebody waits at the shelf.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// The way to the database; cheap to clone.
#[derive(Clone)]
pub struct Lookups {
    outside: Outside,
    base: Option<Url>,
}

impl Lookups {
    /// Looks up there; nowhere without an address.
    pub fn new(outside: Outside, base: Option<Url>) -> Self {
        Self { outside, base }
    }

    /// The name of the database, as is said with what it knows.
    pub fn source(&self) -> Option<&str> {
        self.base.as_ref().and_then(Url::host_str)
    }

    /// What is known of a barcode.
    ///
    /// # Errors
    /// [`NotLookedUp`].
    pub async fn look_up(&self, shop: &Shop, gtin: Gtin) -> Result<Draft, NotLookedUp> {
        let base = self.base.as_ref().ok_or(NotLookedUp::Off)?;
        if shop.is_missed(gtin, clock::now())? {
            return Err(NotLookedUp::Unknown(gtin));
        }
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, self.ask(base, gtin)).await;
        let answer = answer.map_err(|_| NotFetched::Late)??;
        let known = answer.map(|answer| draft(gtin, &answer)).transpose()?.flatten();
        match known {
            Some(draft) => Ok(draft),
            None => {
                shop.note_missed(gtin, clock::now())?;
                Err(NotLookedUp::Unknown(gtin))
            }
        }
    }

    /// The answer; none where there is nothing by that number.
    async fn ask(&self, base: &Url, gtin: Gtin) -> Result<Option<Vec<u8>>, NotFetched> {
        let root = base.as_str().trim_end_matches('/');
        let url = format!("{root}/api/v2/product/{}.json?fields={FIELDS}", gtin.short());
        let url = crate::outside::checked(&url)?;
        let asked = Asked { url, secret: Secret::None, headers: HeaderMap::new() };
        let answer = self.outside.get(&asked).await?;
        match answer.status() {
            StatusCode::OK => whole(answer, ANSWER_BYTES_MAX).await.map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let retry_after_s = retry_after_s(answer.headers());
                Err(NotFetched::Status { status: status.as_u16(), retry_after_s })
            }
        }
    }
}
