//! Fetches suppliers' lists when they are due, and takes them in as imports.
//!
//! **Invariant:** what a server said of a list counts only once the list was taken in to its end: what
//! failed on the way is fetched again.

use std::{fs::File, io, path::Path, sync::Arc, time::Duration};

use axum::body::Body;
use futures::stream;
use kirana_core::{id::FeedId, key::KeyId};
use rand_core::Rng;
use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Notify};

use crate::{
    app::{
        Shop,
        feeds::{Came, Feed, NotFed, Validators},
        import::{Locale, NotImported, Order, draw_id},
    },
    clock,
    imports::{Imports, NotSpooled, Spooled},
    outside::{Asked, NotFetched, Outside, plain, retry_after_s},
    store::imports::State,
};

/// How long a whole list may take to come.
const FETCH_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// How often somebody looks whether a list is due.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The longest validator of a server that is kept, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1_000;

/// The feeds of one shop; cheap to clone.
#[derive(Clone)]
pub struct Feeds {
    shop: Shop,
    imports: Imports,
    outside: Outside,
    turn: Arc<Mutex<()>>,
    woken: Arc<Notify>,
}

/// What a server gave.
enum Given {
    Unchanged(Validators),
    File(Spooled, Validators),
}

/// Why a list was not taken in.
struct Missed {
    why: String,
    retry_after_s: Option<u64>,
    import: Option<uuid::Uuid>,
}

impl<E: std::error::Error> From<E> for Missed {
    fn from(why: E) -> Self {
        Self { why: why.to_string(), retry_after_s: None, import: None }
    }
}

impl Feeds {
    /// The feeds of a shop, fetched this way.
    pub fn new(shop: Shop, imports: Imports, outside: Outside) -> Self {
        Self { shop, imports, outside, turn: Arc::default(), woken: Arc::default() }
    }

    /// Somebody noted a feed: it is looked for what is due at once.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Fetches whatever is due, one list after the other, for as long as it is let.
    pub async fn run(self) {
        loop {
            match self.shop.due_feed(clock::now()) {
                Ok(Some(id)) => {
                    let by = self.shop.keys().node.id();
                    if let Err(why) = self.fetch(id, by).await {
                        tracing::warn!(feed.id = %id, error = %why, "a feed could not be noted");
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                }
                Ok(None) => {
                    // Another process may note one too, which wakes nobody here.
                    let _ = tokio::time::timeout(LOOK_AGAIN, self.woken.notified()).await;
                }
                Err(why) => {
                    tracing::error!(error = %why, "the feeds cannot be read");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Fetches a list now and takes it in; what came of it is noted with the feed.
    ///
    /// # Errors
    /// [`NotFed`] when there is no such feed or nothing can be noted.
    pub async fn fetch(&self, id: FeedId, by: KeyId) -> Result<Feed, NotFed> {
        let _turn = self.turn.lock().await;
        let feed = self.shop.feed(id)?;
        let came = match self.take_in(&feed, by).await {
            Ok(came) => came,
            Err(Missed { why, retry_after_s, import }) => {
                tracing::warn!(feed.id = %id, error = %why, "a feed was not taken in");
                Came::Failed { why, retry_after_s, import }
            }
        };
        let draw = clock::rng().next_u64();
        self.shop.feed_came(&feed, came, clock::now(), draw)?;
        self.shop.feed(id)
    }

    async fn take_in(&self, feed: &Feed, by: KeyId) -> Result<Came, Missed> {
        let given = tokio::time::timeout(FETCH_TIME_MAX, self.ask(feed)).await;
        let given = given.map_err(|_| Missed::from(NotFetched::Late))??;
        let (file, mut known) = match given {
            Given::Unchanged(known) => return Ok(Came::Unchanged(known)),
            Given::File(file, known) => (file, known),
        };
        let path = self.imports.path_of(&file);
        let digest = tokio::task::spawn_blocking(move || digest(&path)).await?;
        known.digest = Some(digest.map_err(NotImported::Unreadable)?);
        if known.digest == feed.state.digest {
            return Ok(Came::Unchanged(known));
        }
        self.import(feed, file, by, known).await
    }

    async fn ask(&self, feed: &Feed) -> Result<Given, Missed> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let state = &feed.state;
        for (name, kept) in [
            (header::IF_NONE_MATCH, &state.etag),
            (header::IF_MODIFIED_SINCE, &state.last_modified),
        ] {
            if let Some(value) = kept.as_deref().and_then(plain) {
                headers.insert(name, value);
            }
        }
        let asked = Asked { url: feed.url.clone(), secret: feed.secret.clone(), headers };
        let answer = self.outside.get(&asked).await?;
        let status = answer.status();
        if status == StatusCode::NOT_MODIFIED && state.complete.is_some() {
            let (etag, last_modified) = (state.etag.clone(), state.last_modified.clone());
            let digest = state.digest.clone();
            return Ok(Given::Unchanged(Validators { etag, last_modified, digest }));
        }
        if status != StatusCode::OK {
            let retry_after_s = retry_after_s(answer.headers());
            let why = NotFetched::Status { status: status.as_u16(), retry_after_s };
            return Err(Missed { retry_after_s, ..Missed::from(why) });
        }
        let known = Validators {
            etag: validator(&answer, header::ETAG),
            last_modified: validator(&answer, header::LAST_MODIFIED),
            digest: None,
        };
        let bytes_max = self.imports.bytes_max();
        if answer.content_length().is_some_and(|length| length > bytes_max) {
            return Err(NotFetched::TooLong { bytes_max }.into());
        }
        let id = draw_id(clock::now(), &mut clock::rng());
        match self.imports.spool(id, body(answer)).await {
            Ok(file) => Ok(Given::File(file, known)),
            Err(NotSpooled::NotImported(NotImported::TooLong { bytes_max })) => {
                Err(NotFetched::TooLong { bytes_max }.into())
            }
            Err(why) => Err(why.into()),
        }
    }

    async fn import(
        &self,
        feed: &Feed,
        file: Spooled,
        by: KeyId,
        known: Validators,
    ) -> Result<Came, Missed> {
        let terms = &feed.terms;
        let order = Order {
            format: terms.format.parse()?,
            map: None,
            mapping: terms.mapping.clone(),
            locale: terms.locale.as_deref().map_or(Locale::INDIAN, Locale::named),
            dry_run: false,
            bytes_max: self.imports.bytes_max(),
            file: Some(file.name()),
        };
        let turn = self.imports.turn().await?;
        let (imports, shop, feed) = (self.imports.clone(), self.shop.clone(), feed.id);
        let id = draw_id(clock::now(), &mut clock::rng());
        let run = move || -> Result<Came, Missed> {
            let begun = imports.begin(&shop, file, &order, id, by)?;
            let id = begun.id();
            shop.feed_begins(feed, id)?;
            let failed = |why: NotImported| Missed { import: Some(id), ..Missed::from(why) };
            let report = imports.run(&turn, &shop, begun, by).map_err(failed)?;
            match report.state {
                State::Done => Ok(Came::Imported(id, known)),
                state => Err(failed(NotImported::Ended(state))),
            }
        };
        tokio::task::spawn_blocking(run).await?
    }
}

fn body(answer: Response) -> Body {
    let pieces = stream::try_unfold(answer, |mut answer| async move {
        let piece = answer.chunk().await.map_err(NotFetched::from)?;
        Ok::<_, NotFetched>(piece.map(|piece| (piece, answer)))
    });
    Body::from_stream(pieces)
}

fn validator(answer: &Response, name: HeaderName) -> Option<String> {
    let value = answer.headers().get(name)?.to_str().ok()?;
    (value.len() <= VALIDATOR_BYTES_MAX).then(|| value.to_owned())
}

fn digest(path: &Path) -> io::Result<String> {
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    io::copy(&mut file, &mut Digesting(&mut digest))?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Digesting<'a>(&'a mut Sha256);

impl io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
