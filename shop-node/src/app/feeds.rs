//! Suppliers' lists on the web: which there are, when each is fetched, and what came of it.
//!
//! **Invariants:** where a list is and by what secret lies sealed, and the secret is never shown. What a
//! list no longer names stays on the shelf as it is: the feed says which products these are
//! (`missing`), and a person delists them. Nothing is delisted by a list that was cut short.

use kirana_core::{
    cbor,
    id::{FeedId, ProductId, SupplierId},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{
    Inner, Shop, import::Format, import::NotImported, locations::NAME_CHARS_MAX, refusal::NotStored,
};
pub use crate::store::feeds::{Outcome, State, Terms};
use crate::{
    app::{catalogue::NotEdited, catalogue::may_edit},
    outside::{self, NotFetched, Secret},
    store::{
        feeds::{self, Feed as Stored, Last},
        imports, suppliers,
    },
};

/// Feeds that a shop may have.
pub const FEEDS_MAX: usize = 100;
/// The least often that a list is fetched, in hours: a month.
pub const EVERY_HOURS_MAX: u32 = 24 * 31;
/// The longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 4_000;
/// The shortest wait after a failure, in milliseconds.
const AGAIN_MS: u64 = 5 * 60 * 1_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// A supplier's list on the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name for ever.
    pub id: FeedId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: reqwest::Url,
    /// By what the shop proves there who it is.
    pub secret: Secret,
    /// How it is read, and how often it is fetched.
    pub terms: Terms,
    /// What came of it.
    pub state: State,
    /// When it is fetched next.
    pub next: UnixMs,
    /// How many products on the shelf it named once and no longer does.
    pub missing: u64,
}

/// What somebody says of a feed.
#[derive(Debug, Clone)]
pub struct About {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// By what the shop proves who it is; nothing keeps what was said before.
    pub secret: Option<Secret>,
    /// How it is read.
    pub terms: Terms,
}

/// What came of fetching a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It is as it was.
    Unchanged(Validators),
    /// An import took it in.
    Imported(uuid::Uuid, Validators),
    /// It failed; the server may have said when to ask again.
    Failed {
        /// Why.
        why: String,
        /// After how many seconds to ask again.
        retry_after_s: Option<u64>,
        /// The import that failed, where it came so far.
        import: Option<uuid::Uuid>,
    },
}

/// By what a list is known again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The server's word for it.
    pub etag: Option<String>,
    /// When it was changed last, as the server writes it.
    pub last_modified: Option<String>,
    /// The digest of its bytes.
    pub digest: Option<String>,
}

/// Where a list is and by what secret, as it is sealed.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Address {
    #[n(0)]
    url: String,
    #[n(1)]
    bearer: Option<String>,
    #[n(2)]
    basic: Option<(String, String)>,
}

/// Why nothing was done about a feed.
#[derive(Debug, thiserror::Error)]
pub enum NotFed {
    /// No such feed.
    #[error("there is no feed {0}")]
    NoFeed(String),
    /// No such supplier.
    #[error("there is no supplier {0}")]
    NoSupplier(String),
    /// It cannot be called so.
    #[error("a feed has a name of 1 to {NAME_CHARS_MAX} plain characters")]
    Name,
    /// Another one is called so.
    #[error("there is another feed «{0}»")]
    NameTaken(String),
    /// No time between two fetches that can be.
    #[error("a feed is fetched every 1 to {EVERY_HOURS_MAX} hours")]
    Every,
    /// No secret that fits into a header.
    #[error("a secret is plain text of up to {SECRET_BYTES_MAX} bytes, a name without a colon")]
    Secret,
    /// One too many.
    #[error("a shop has at most {FEEDS_MAX} feeds")]
    TooMany,
    /// Its address cannot be asked, or did not answer.
    #[error(transparent)]
    Fetched(#[from] NotFetched),
    /// Its files cannot be read so.
    #[error(transparent)]
    Imported(#[from] NotImported),
    /// This box changes nothing any more, or nothing could be stored.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotFed> for Abort<NotFed> {
    fn from(why: NotFed) -> Self {
        Self::Refused(why)
    }
}

impl Shop {
    /// All feeds, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.reader().read(|c| {
            let opened = |feed| opened(&self.inner, c, feed);
            feeds::all(c)?.into_iter().map(opened).collect()
        })
    }

    /// One feed.
    ///
    /// # Errors
    /// [`NotFed::NoFeed`], or when it cannot be read.
    pub fn feed(&self, id: FeedId) -> Result<Feed, NotFed> {
        let read = self.reader().read(|c| match feeds::get(c, id)? {
            Some(feed) => opened(&self.inner, c, feed).map(Some),
            None => Ok(None),
        });
        read?.ok_or_else(|| NotFed::NoFeed(id.to_string()))
    }

    /// The feed of this name or id.
    ///
    /// # Errors
    /// As [`Shop::feed`].
    pub fn feed_named(&self, name: &str) -> Result<Feed, NotFed> {
        let id = match name.parse() {
            Ok(id) => Some(id),
            Err(_) => self.reader().read(|c| feeds::by_name(c, name.trim()))?,
        };
        self.feed(id.ok_or_else(|| NotFed::NoFeed(name.to_owned()))?)
    }

    /// The feed that is to be fetched now, if one is.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn due_feed(&self, now: UnixMs) -> Result<Option<FeedId>, StoreError> {
        self.reader().read(|c| feeds::due(c, now))
    }

    /// Products on the shelf that a feed named once and no longer does.
    ///
    /// # Errors
    /// As [`Shop::feed`].
    pub fn missing_of_feed(
        &self,
        id: FeedId,
        after: Option<ProductId>,
        limit: u32,
    ) -> Result<Vec<ProductId>, NotFed> {
        let read = self.reader().read(|c| match feeds::get(c, id)? {
            Some(feed) => feeds::missing(c, &feed, after, limit).map(Some),
            None => Ok(None),
        });
        read?.ok_or_else(|| NotFed::NoFeed(id.to_string()))
    }

    /// Notes a new feed, to be fetched at once, or something else about one: then nothing counts any
    /// more of what its server said.
    ///
    /// # Errors
    /// [`NotFed`]; nothing was changed.
    pub fn put_feed(
        &self,
        id: Option<FeedId>,
        about: About,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Feed, NotFed> {
        let about = checked(about)?;
        let (mut random, mut nonce) = ([0; 10], [0; 12]);
        rng.fill_bytes(&mut random);
        rng.fill_bytes(&mut nonce);
        let (fresh, inner) = (FeedId::new(now, random), self.inner.clone());
        let put = self.writer().write(move |tx| -> Result<FeedId, Abort<NotFed>> {
            may(tx)?;
            let before = id.map(|id| feeds::get(tx, id)).transpose()?.flatten();
            match (id, &before) {
                (Some(id), None) => return Err(NotFed::NoFeed(id.to_string()).into()),
                (None, _) if feeds::all(tx)?.len() >= FEEDS_MAX => {
                    return Err(NotFed::TooMany.into());
                }
                _ => {}
            }
            let id = id.unwrap_or(fresh);
            if feeds::by_name(tx, &about.name)?.is_some_and(|other| other != id) {
                return Err(NotFed::NameTaken(about.name.clone()).into());
            }
            known_supplier(tx, &about.terms)?;
            let secret = match (&about.secret, &before) {
                (Some(secret), _) => secret.clone(),
                // A secret is for the place that it was given for.
                (None, Some(before)) => address_of(&inner, before)?.secret_for(&about.url),
                (None, None) => Secret::None,
            };
            let address = Address::of(&about.url, secret);
            let feed = Stored {
                id,
                name: about.name.clone(),
                address: inner.keys.seal(&place(id), &cbor::to_vec(&address), nonce),
                terms: about.terms.clone(),
                state: before.as_ref().map_or_else(State::default, |before| State {
                    complete: before.state.complete,
                    last: before.state.last.clone(),
                    ..State::default()
                }),
                next: now,
                import: before.and_then(|before| before.import),
            };
            feeds::put(tx, &feed)?;
            Ok(id)
        });
        self.feed(put?)
    }

    /// Forgets a feed; what it brought stays.
    ///
    /// # Errors
    /// [`NotFed`]; nothing was changed.
    pub fn remove_feed(&self, id: FeedId) -> Result<(), NotFed> {
        let removed = self.writer().write(move |tx| -> Result<bool, Abort<NotFed>> {
            may(tx)?;
            Ok(feeds::remove(tx, id)?)
        });
        if removed? { Ok(()) } else { Err(NotFed::NoFeed(id.to_string())) }
    }

    /// Notes which import takes a feed's list in.
    ///
    /// # Errors
    /// [`NotFed`].
    pub fn feed_begins(&self, id: FeedId, import: uuid::Uuid) -> Result<(), NotFed> {
        self.note_feed(id, move |feed| feed.import = Some(import.into_bytes()))
    }

    /// Notes what came of a feed as it was asked for, and when it is fetched next; `draw` spreads the
    /// shops out. Where somebody changed it meanwhile nothing counts, and it is fetched again.
    ///
    /// # Errors
    /// [`NotFed`].
    pub fn feed_came(
        &self,
        asked: &Feed,
        came: Came,
        now: UnixMs,
        draw: u64,
    ) -> Result<(), NotFed> {
        let (inner, asked) = (self.inner.clone(), asked.clone());
        self.note_feed(asked.id, move |feed| {
            // An address that cannot be read any more is no longer the one that was asked.
            let url = address_of(&inner, feed).map(|address| address.url).ok();
            if url.as_deref() != Some(asked.url.as_str()) || feed.terms != asked.terms {
                return;
            }
            let every_ms = u64::from(feed.terms.every_hours) * HOUR_MS;
            let state = &mut feed.state;
            let (outcome, import, problem) = match &came {
                Came::Unchanged(_) => (Outcome::Unchanged, None, None),
                Came::Imported(import, _) => (Outcome::Imported, Some(*import), None),
                Came::Failed { why, import, .. } => (Outcome::Failed, *import, Some(why.clone())),
            };
            state.last = Some(Last { at: now.get(), outcome, import, problem });
            state.complete = import.filter(|_| outcome == Outcome::Imported).or(state.complete);
            let wait_ms = match &came {
                Came::Unchanged(known) | Came::Imported(_, known) => {
                    state.failures = 0;
                    state.etag.clone_from(&known.etag);
                    state.last_modified.clone_from(&known.last_modified);
                    state.digest.clone_from(&known.digest);
                    every_ms + draw % (every_ms / 20)
                }
                Came::Failed { retry_after_s, .. } => {
                    state.failures = state.failures.saturating_add(1);
                    again_in_ms(state.failures, every_ms, *retry_after_s, draw)
                }
            };
            feed.next = now.plus_ms(wait_ms);
        })
    }

    fn note_feed(
        &self,
        id: FeedId,
        note: impl Fn(&mut Stored) + Send + 'static,
    ) -> Result<(), NotFed> {
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotFed>> {
            let feed = feeds::get(tx, id)?;
            let mut feed = feed.ok_or_else(|| NotFed::NoFeed(id.to_string()))?;
            note(&mut feed);
            Ok(feeds::put(tx, &feed)?)
        });
        Ok(noted?)
    }
}

/// After how long a feed that failed so often in a row is tried again: twice as long each time, at most
/// as long as between two fetches, half of it by chance, and never before its server said.
pub fn again_in_ms(failures: u32, every_ms: u64, retry_after_s: Option<u64>, draw: u64) -> u64 {
    let doubled = AGAIN_MS.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let most = doubled.min(every_ms.max(AGAIN_MS));
    let spread = most / 2 + draw % (most / 2 + 1);
    spread.max(retry_after_s.unwrap_or_default().saturating_mul(1_000))
}

fn checked(about: About) -> Result<About, NotFed> {
    let About { name, url, secret, terms } = about;
    let name = name.trim().to_owned();
    if name.is_empty()
        || name.chars().count() > NAME_CHARS_MAX
        || name.chars().any(char::is_control)
    {
        return Err(NotFed::Name);
    }
    let url = outside::checked(url.trim())?.to_string();
    if !(1..=EVERY_HOURS_MAX).contains(&terms.every_hours) {
        return Err(NotFed::Every);
    }
    terms.format.parse::<Format>()?;
    let fits = |text: &String| {
        (1..=SECRET_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| (0x20..0x7f).contains(&b))
    };
    let is_secret = match &secret {
        None | Some(Secret::None) => true,
        Some(Secret::Bearer(token)) => fits(token),
        Some(Secret::Basic(name, word)) => fits(name) && fits(word) && !name.contains(':'),
    };
    if !is_secret {
        return Err(NotFed::Secret);
    }
    Ok(About { name, url, secret, terms })
}

fn known_supplier(tx: &Tx<'_>, terms: &Terms) -> Result<(), Abort<NotFed>> {
    let Some(given) = &terms.supplier else { return Ok(()) };
    let known = match given.parse::<SupplierId>() {
        Ok(id) => suppliers::get(tx, id)?.is_some_and(|known| known.retired.is_none()),
        Err(_) => false,
    };
    if known { Ok(()) } else { Err(NotFed::NoSupplier(given.clone()).into()) }
}

fn may(tx: &Tx<'_>) -> Result<(), Abort<NotFed>> {
    may_edit(tx).map_err(|why| match why {
        Abort::Refused(why) => Abort::Refused(NotFed::NotEdited(why)),
        Abort::Store(why) => Abort::Store(why),
    })
}

fn place(id: FeedId) -> Vec<u8> {
    [b"feed ", &id.as_bytes()[..]].concat()
}

/// A sealed address: a few kilobytes at most.
const ADDRESS_BYTES_MAX: usize = 16 * 1024;

fn address_of(inner: &Inner, feed: &Stored) -> Result<Address, StoreError> {
    let damaged = || StoreError::damaged("the address of feed", feed.id);
    let plain = inner.keys.open(&place(feed.id), &feed.address).ok_or_else(damaged)?;
    cbor::from_slice("an address", &plain, ADDRESS_BYTES_MAX).map_err(|_| damaged())
}

fn opened(
    inner: &Inner,
    c: &kirana_migrations::rusqlite::Connection,
    feed: Stored,
) -> Result<Feed, StoreError> {
    let address = address_of(inner, &feed)?;
    let damaged = |_| StoreError::damaged("the address of feed", feed.id);
    let url = address.url.parse::<reqwest::Url>().map_err(damaged)?;
    let missing = feeds::missing_count(c, &feed)?;
    let Stored { id, name, terms, state, next, .. } = feed;
    Ok(Feed { id, name, url, secret: address.secret(), terms, state, next, missing })
}

impl Address {
    fn of(url: &str, secret: Secret) -> Self {
        let (bearer, basic) = match secret {
            Secret::None => (None, None),
            Secret::Bearer(token) => (Some(token), None),
            Secret::Basic(name, word) => (None, Some((name, word))),
        };
        Self { url: url.to_owned(), bearer, basic }
    }

    fn secret(&self) -> Secret {
        match (&self.bearer, &self.basic) {
            (Some(token), _) => Secret::Bearer(token.clone()),
            (None, Some((name, word))) => Secret::Basic(name.clone(), word.clone()),
            (None, None) => Secret::None,
        }
    }

    /// The secret, if it was given for the same origin.
    fn secret_for(&self, url: &str) -> Secret {
        let origin = |url: &str| url.parse::<reqwest::Url>().ok().map(|url| url.origin());
        if origin(&self.url) == origin(url) { self.secret() } else { Secret::None }
    }
}

/// An import's id as it is stored.
pub type ImportId = imports::Id;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_failure_waits_longer_up_to_a_limit_and_never_less_than_was_asked_for(
            failures in 1_u32..100, hours in 1_u64..744, asked: Option<u16>, draw: u64,
        ) {
            let every = hours * HOUR_MS;
            let wait = again_in_ms(failures, every, asked.map(u64::from), draw);
            prop_assert!(wait >= AGAIN_MS / 2);
            prop_assert!(wait >= u64::from(asked.unwrap_or(0)) * 1_000);
            prop_assert!(wait <= every.max(u64::from(asked.unwrap_or(0)) * 1_000));
            let longest = |failures| again_in_ms(failures, every, None, u64::MAX / 2);
            prop_assert!(longest(failures + 1) * 2 >= longest(failures));
        }
    }
}
