//! The shelves of all shops of the neighbourhood: gathered from them, searched, and handed on.
//!
//! **Invariant:** what is shown and handed on was signed by the shop's certified node, and is of
//! shops that are approved here, or that name this hub as one of theirs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use kirana_core::{
    geohash::Place as Spot,
    id::{ProductId, ShopId},
    record::SignedRecord,
    terms::{Published, UnverifiedTerms},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{
    StoreError,
    catalogue::{
        categories::listed::Listed,
        facets::Facets,
        place::Place,
        search::{Count, Query},
    },
};
use kirana_sync::wire::{Code, Refused, Request};

use super::{Error, Hub, relay::Answer};
use crate::{
    config::Role,
    store::{
        record::Rank,
        shelves::{Gathered, KnownShop, Shelves},
    },
};

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Words, filter and order; where to go on is in `after`.
    pub query: Query,
    /// At shops around which place.
    pub near: Option<Spot>,
    /// Within how many metres of it.
    pub radius_m: Option<u32>,
    /// At shops that are open now, by hours and today's word.
    pub open: bool,
    /// Whether the nearest shop comes first, before anything else.
    pub nearest_first: bool,
    /// Where the page before ended.
    pub after: Option<After>,
}

/// Where a page of the shelves ended: at a place, of one shop where shops come one after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct After {
    shop: Option<ShopId>,
    place: Option<Place>,
}

impl After {
    /// Whether it is of a list like this one.
    pub fn is_of(&self, wanted: &Wanted) -> bool {
        self.shop.is_some() == wanted.nearest_first
            && self.place.as_ref().is_none_or(|place| place.is_of(wanted.query.sort))
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shop) = &self.shop {
            write!(f, "{shop}~")?;
        }
        self.place.iter().try_for_each(|place| place.fmt(f))
    }
}

/// A text that is no cursor of the shelves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of this list")]
pub struct NotACursor;

impl FromStr for After {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (shop, place) = match text.split_once('~') {
            Some((shop, place)) => (Some(shop.parse().map_err(|_| NotACursor)?), place),
            None => (None, text),
        };
        let place = Some(place).filter(|place| !place.is_empty());
        let place = place.map(Place::from_str).transpose().map_err(|_| NotACursor)?;
        if shop.is_none() && place.is_none() {
            return Err(NotACursor);
        }
        Ok(Self { shop, place })
    }
}

/// A shop beside its products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it is called.
    pub name: String,
    /// How far it is from where somebody asked, in metres.
    pub distance_m: Option<u32>,
}

/// A page of the shelves.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Best first.
    pub items: Vec<Gathered>,
    /// The shops of these items, and of what was counted.
    pub shops: BTreeMap<ShopId, Beside>,
    /// How many there are on all pages.
    pub count: Count,
    /// What they have, if that was asked.
    pub facets: Option<Facets>,
    /// Where the next page begins.
    pub next: Option<After>,
}

/// Whose catalogues are asked for, and whose are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathering {
    /// With the ranks of their records.
    pub ask: BTreeMap<ShopId, Rank>,
    /// These and those that are asked.
    pub keep: BTreeSet<ShopId>,
}

/// For how long a community hub keeps the catalogue of a shop that it no longer hears of: a month.
const DARK_MS_MAX: u64 = 30 * DAY_MS;
/// How far around a place is looked where nothing else is said, in metres, and at most.
const RADIUS_M: (u32, u32) = (5_000, 100_000);

impl Hub {
    /// Gives the hub a place for what it gathers; before that there is nothing on the shelves.
    pub fn put_up(&self, shelves: Shelves) {
        // A second one would be another database of the same things.
        let _ = self.0.shelves.set(shelves);
    }

    /// What was gathered.
    ///
    /// # Errors
    /// [`Error::Unavailable`] before it is put up.
    pub fn shelves(&self) -> Result<&Shelves, Error> {
        let none = || Error::Unavailable("the shelves are not put up yet".to_owned());
        self.0.shelves.get().ok_or_else(none)
    }

    /// Looks for products on all shelves. They are public, so nobody is asked who they are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn products(&self, wanted: Wanted, now: UnixMs) -> Result<Page, Error> {
        let shelves = self.shelves()?;
        let shops = self.shops_of(shelves.shops()?, &wanted, now).await?;
        if wanted.nearest_first {
            return one_after_another(shelves, wanted, shops, now);
        }
        let is_narrowed = wanted.near.is_some() || wanted.open;
        let mut query = wanted.query;
        query.filter.shops = is_narrowed.then(|| shops.iter().map(|(id, _)| *id).collect());
        query.after = wanted.after.and_then(|after| after.place);
        let found = shelves.search(&query, now)?;
        Ok(Page {
            items: found.items,
            shops: shops.into_iter().collect(),
            count: found.page.count,
            facets: found.page.facets,
            next: found.page.next.map(|place| After { shop: None, place: Some(place) }),
        })
    }

    /// The categories of all shelves as one tree.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn categories(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.shelves()?.categories()?)
    }

    /// On which terms a shop hands goods over, as it said last; nothing where it never did.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn terms_of(&self, shop: ShopId) -> Result<Option<Published>, Error> {
        let signed = self.shelves()?.terms(shop)?;
        let damaged = |_| StoreError::damaged("the terms of", shop);
        let read = |bytes: Vec<u8>| UnverifiedTerms::parse(&bytes).map_err(damaged);
        Ok(signed.map(read).transpose()?.map(|read| read.claimed().clone()))
    }

    /// One product of a shelf, and whose it is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn product(&self, id: ProductId, now: UnixMs) -> Result<(Gathered, Beside), Error> {
        let shelves = self.shelves()?;
        let none = Error::NotFound { what: "product" };
        let found = shelves.product(id, now)?.ok_or(none)?;
        let shops = shelves.shops()?;
        let shop = shops.into_iter().find(|shop| shop.id == found.shop);
        let name = shop.map_or_else(String::new, |shop| shop.name);
        Ok((found, Beside { name, distance_m: None }))
    }

    /// The shops that may be looked at, the nearest first where a place is given.
    async fn shops_of(
        &self,
        known: Vec<KnownShop>,
        wanted: &Wanted,
        now: UnixMs,
    ) -> Result<Vec<(ShopId, Beside)>, Error> {
        let radius_m = wanted.radius_m.unwrap_or(RADIUS_M.0).min(RADIUS_M.1);
        let mut shops = Vec::new();
        for shop in known {
            let distance_m = wanted.near.zip(shop.place).map(|(near, at)| near.distance_m(at));
            let is_far = wanted.near.is_some() && distance_m.is_none_or(|m| m > radius_m);
            if is_far || (wanted.open && !self.is_open(shop.id, now).await?) {
                continue;
            }
            shops.push((shop.id, Beside { name: shop.name, distance_m }));
        }
        shops.sort_by_key(|(id, beside)| (beside.distance_m, *id));
        Ok(shops)
    }

    async fn is_open(&self, shop: ShopId, now: UnixMs) -> Result<bool, Error> {
        let profile = self.store().shop(shop).await?;
        Ok(profile.is_some_and(|profile| self.opened(&profile, now).now == Some(true)))
    }

    /// The shops whose catalogues are to be gathered, with the ranks of their records, and those
    /// whose catalogues stay: a shop that is dark keeps its place on the shelf.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn to_gather(&self, now: UnixMs) -> Result<Gathering, Error> {
        let known = self.known_now(now).await?;
        let is_central = self.settings().role == Role::Central;
        let ask = self.store().record_ranks(is_central, known).await?;
        let mut keep: BTreeSet<ShopId> = ask.keys().copied().collect();
        match is_central {
            true => keep.extend(self.store().approved_shops().await?),
            false => {
                let stays = |shop: &KnownShop| !known.is_past(shop.heard_at.plus_ms(DARK_MS_MAX));
                let there = self.shelves()?.shops()?;
                keep.extend(there.iter().filter(|shop| stays(shop)).map(|shop| shop.id));
            }
        }
        Ok(Gathering { ask, keep })
    }

    /// The record of a shop whose catalogue is to be gathered; `None` where its record is gone, does
    /// not hold, or names only other hubs as those that the shop reads at.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn record_to_gather(
        &self,
        shop: ShopId,
        now: UnixMs,
    ) -> Result<Option<SignedRecord>, Error> {
        let (trust, known) = (self.trust(now).await?, self.known_now(now).await?);
        let Some(bytes) = self.store().record(shop, known).await? else { return Ok(None) };
        let Ok(record) = SignedRecord::verify(&bytes, &trust, known) else { return Ok(None) };
        let own = self.keys().signing.public();
        let names_this = record.record().hubs.iter().any(|hub| hub.key == own);
        Ok(Some(record).filter(|_| self.settings().role == Role::Central || names_this))
    }

    /// Answers a pull of a shop's catalogue with what was gathered.
    pub(super) fn hand_on(&self, request: Request) -> Answer {
        let no = || Refused::new(Code::NotHere, "this hub has nothing of that shop; ask the shop");
        let Ok(shelves) = self.shelves() else { return Err(no().into()) };
        let answered = match request {
            Request::Heads { shop, .. } => {
                shelves.heads(shop).map_err(Error::from)?.ok_or_else(no)?
            }
            Request::Chunks { shop, bucket, generation, after } => {
                shelves.chunks(shop, bucket, generation, after).map_err(Error::from)?
            }
            Request::Snapshot { shop, bucket, offset } => {
                shelves.part(shop, bucket, offset).map_err(Error::from)?
            }
            _ => return Err(no().into()),
        };
        Ok(answered)
    }
}

/// Fills a page from the nearest shop on; each shop's own products come in the query's order.
fn one_after_another(
    shelves: &Shelves,
    wanted: Wanted,
    shops: Vec<(ShopId, Beside)>,
    now: UnixMs,
) -> Result<Page, Error> {
    let Wanted { query, after, .. } = wanted;
    let after = after.unwrap_or_default();
    let start = after.shop.and_then(|shop| shops.iter().position(|(id, _)| *id == shop));
    let mut page = Page { shops: shops.iter().cloned().collect(), ..Page::default() };
    let (mut left, mut place) = (query.limit, after.place.filter(|_| start.is_some()));
    let wants_facets = query.facets;
    let all: BTreeSet<ShopId> = shops.iter().map(|(id, _)| *id).collect();
    let mut counted = query.clone();
    (counted.filter.shops, counted.limit, counted.facets) = (Some(all), 1, true);
    let counted = shelves.search(&counted, now)?.page;
    page.count = counted.count;
    // Where all that was found was counted, shops that have none of it need not be asked.
    let having = counted.facets.as_ref().filter(|_| !counted.count.more);
    let has = |shop: &ShopId| having.is_none_or(|facets| facets.shops.contains_key(shop));
    for (id, _) in shops[start.unwrap_or(0)..].iter().filter(|(id, _)| has(id)) {
        if left == 0 {
            page.next = Some(After { shop: Some(*id), place: None });
            break;
        }
        let mut here = query.clone();
        (here.filter.shop, here.limit, here.facets) = (Some(*id), left, false);
        here.after = place.take();
        let found = shelves.search(&here, now)?;
        left -= u16::try_from(found.items.len()).unwrap_or(left).min(left);
        page.items.extend(found.items);
        if let Some(place) = found.page.next {
            page.next = Some(After { shop: Some(*id), place: Some(place) });
            break;
        }
    }
    page.facets = counted.facets.filter(|_| wants_facets);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_through_text() {
        for text in [
            "r0-0-1f",
            "01890000-0000-7000-8000-000000000001~p0-64-2",
            "01890000-0000-7000-8000-000000000001~",
        ] {
            let read: After = text.parse().expect("a cursor");
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "~", "x~", "r0", "\u{1F34E}~r0-0-1"] {
            assert_eq!(text.parse::<After>(), Err(NotACursor), "{text}");
        }
    }
}
