//! Shops apply, are approved, and are found by place.

use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    enrolment::Enrolment,
    geohash::Place,
    id::ShopId,
    key::PublicKey,
    text,
    time::UnixMs,
};

mod closing;
pub mod owners;
pub mod photo;
pub mod profile;
mod succession;

use super::{
    Error, Hub,
    device::Keys,
    policy::{Action, Actor},
};
use crate::{
    clock::Rng,
    store::{
        audit::Act,
        idempotency::Once,
        shop::{NotTaken, Shop, State},
    },
};

/// What an owner says about a shop.
pub struct Application {
    /// Its id, which the shop chose when it was set up.
    pub id: ShopId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// In which city or quarter.
    pub city: Option<String>,
    /// Opening hours, as OpenStreetMap writes them.
    pub opens: Option<String>,
    /// What else the owner says.
    pub details: profile::Details,
    /// The owner's keys, and the proof that the asker holds them.
    pub owner: Keys,
    /// The key of the node that runs the shop.
    pub node: Option<PublicKey>,
    /// How the shop came to this owner: consents, the newest first, each with the last list of who
    /// signed it.
    pub steps: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Which shops are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Around which place.
    pub near: Option<Place>,
    /// Within how many metres of it.
    pub radius_m: Option<u32>,
    /// In which city.
    pub city: Option<String>,
    /// With which words in the name.
    pub q: Option<String>,
    /// Open now, by hours and today's word.
    pub open: bool,
    /// After which shop.
    pub after: Option<ShopId>,
}

/// What is decided on an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The shop is certified.
    Approve,
    /// It is not, perhaps for a reason that its owner reads.
    TurnDown {
        /// Why not.
        reason: Option<String>,
    },
    /// Its owner is to say more.
    Ask {
        /// What is to be said.
        question: String,
    },
}

/// A shop that was found, with its distance in metres.
pub type Found = (Shop, Option<u32>);

/// The longest name of a shop, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// How far a search goes unless told otherwise, in metres.
const RADIUS_M_DEFAULT: u32 = 5_000;
/// How far a search goes at most, in metres.
const RADIUS_M_MAX: u32 = 200_000;
/// Rows that one search looks at.
const LOOKED_AT_MAX: u32 = 5_000;

impl Hub {
    /// Takes an application, and approves it at once where that is the rule. Who owns the shop by the
    /// consent of the owner known here takes that one's place.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field; [`Error::Conflict`] when the shop is somebody else's.
    pub async fn apply(
        &self,
        actor: &Actor,
        application: Application,
        once: Option<Once>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Shop, Error> {
        self.authorise(actor, Action::OwnShop, &application.id.to_string(), now).await?;
        let Application { id, name, place, city, opens, details, owner, node, steps } = application;
        let Keys { key, sealing, proof } = owner;
        let asked = Enrolment { account: Some(actor.account), shop: Some(id), key, sealing };
        if !asked.is_proved_by(&proof) {
            let why = "the proof is no signature by the owner's key over the account, the shop and \
                       both keys";
            return Err(Error::Unproved { why });
        }
        let shop = Shop {
            id,
            account: actor.account,
            name: plain("name", name)?,
            place,
            city: city.map(|city| plain("city", city)).transpose()?,
            opens: opens.map(profile::hours).transpose()?,
            details: self.with_address_ids(details.checked()?, now, rng),
            closed_on: None,
            question: None,
            owner: key,
            sealing,
            node,
            state: State::Applied,
            certificate: None,
            photo: None,
            created_at: now,
            closing_since: None,
        };
        let gone = self.gone_to(&shop, steps).await?;
        if let Some(before) = gone {
            return self.follow_shop(actor, shop, before, now, rng).await;
        }
        let shop = self.store().apply(shop, once, now).await?;
        if shop.state == State::Applied && self.settings().auto_approve {
            return self.certify_shop(shop, "auto-approve".to_owned(), now, rng).await;
        }
        Ok(shop)
    }

    /// Shops in one state, for whoever decides on applications.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn shops_in(
        &self,
        actor: &Actor,
        state: State,
        after: Option<ShopId>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Shop>, Error> {
        self.authorise(actor, Action::ReviewShops, "", now).await?;
        Ok(self.store().shops_in(state, after, limit).await?)
    }

    /// A shop in whatever state, for whoever decides on applications.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn application(&self, actor: &Actor, id: ShopId, now: UnixMs) -> Result<Shop, Error> {
        self.authorise(actor, Action::ReviewShops, &id.to_string(), now).await?;
        self.store().shop(id).await?.ok_or(Error::NotFound { what: "shop" })
    }

    /// Approves or refuses an application.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn decide_shop(
        &self,
        actor: &Actor,
        id: ShopId,
        decision: Decision,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Shop, Error> {
        self.authorise(actor, Action::ApproveShop(id), &id.to_string(), now).await?;
        let shop = self.store().shop(id).await?.ok_or(Error::NotFound { what: "shop" })?;
        let act = |outcome| actor.act(Action::ApproveShop(id), &id.to_string(), outcome, now);
        match (decision, shop.state) {
            (Decision::Approve, State::Approved) => Ok(shop),
            (Decision::Approve, _) => {
                self.certify_shop(shop, actor.account.to_string(), now, rng).await
            }
            (_, State::Approved | State::Closed) => {
                let why = "the shop is approved already; its certificate would have to be revoked";
                Err(Error::Conflict { why })
            }
            (Decision::TurnDown { reason }, _) => {
                let reason = reason.map(|reason| plain("reason", reason)).transpose()?;
                Ok(self.store().decide(id, None, reason, act("turned down")).await?)
            }
            (Decision::Ask { question }, _) => {
                let question = plain("question", question)?;
                Ok(self.store().ask_applicant(id, question, act("asked")).await?)
            }
        }
    }

    fn with_address_ids(
        &self,
        mut details: profile::Details,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> profile::Details {
        for address in &mut details.addresses {
            let random: [u8; 10] = crate::clock::draw(rng);
            let id = uuid::Builder::from_unix_timestamp_millis(now.get(), &random);
            address.id = id.into_uuid().to_string();
        }
        details
    }

    async fn certify_shop(
        &self,
        shop: Shop,
        by: String,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Shop, Error> {
        let standing = Standing::Shop { shop: shop.id };
        let holder = Holder { key: shop.owner, sealing: shop.sealing, standing };
        let from = self.known_now(now).await?.at;
        let signed = Certificate::issue(self.signing(), &holder, from, rng);
        let act = Act {
            at: now,
            actor: by,
            action: Action::ApproveShop(shop.id).name(),
            subject: shop.id.to_string(),
            outcome: "approved",
        };
        Ok(self.store().decide(shop.id, Some(signed), None, act).await?)
    }

    /// A shop: once approved everybody sees it, before that its owner does.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn shop(
        &self,
        actor: Option<&Actor>,
        id: ShopId,
        now: UnixMs,
    ) -> Result<Shop, Error> {
        self.central_only()?;
        let shop = self.store().shop(id).await?.ok_or(Error::NotFound { what: "shop" })?;
        match actor {
            _ if shop.state == State::Approved => {
                let mut shops = vec![shop];
                self.note_closing(shops.iter_mut()).await?;
                shops.pop().ok_or(Error::NotFound { what: "shop" })
            }
            Some(actor) => self.own_shop(actor, id, now).await,
            None => Err(Error::NotFound { what: "shop" }),
        }
    }

    /// The shops that this person keeps, in whatever state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn my_shops(&self, actor: &Actor, now: UnixMs) -> Result<Vec<Shop>, Error> {
        self.authorise(actor, Action::OwnShop, "", now).await?;
        Ok(self.store().shops_of(actor.account).await?)
    }

    /// Applications that wait for a decision or an answer, oldest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whoever does not decide.
    pub async fn applications(
        &self,
        actor: &Actor,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Shop>, Error> {
        self.authorise(actor, Action::ReviewShops, "", now).await?;
        Ok(self.store().applications(limit).await?)
    }

    /// Approved shops, the nearest first where a place is given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_shops(
        &self,
        wanted: &Wanted,
        limit: usize,
        now: UnixMs,
    ) -> Result<Vec<Found>, Error> {
        self.central_only()?;
        let radius_m = wanted.radius_m.unwrap_or(RADIUS_M_DEFAULT).min(RADIUS_M_MAX);
        let (sw, ne) = match wanted.near {
            Some(near) => around(near, radius_m),
            None => whole(),
        };
        let after = wanted.after.filter(|_| wanted.near.is_none());
        let shops = self.store().shops_within(sw, ne, after, LOOKED_AT_MAX).await?;
        let fits = |shop: &Shop| {
            let has = |text: &str, part: &Option<String>| {
                part.as_ref().is_none_or(|part| text::fold(text).contains(&*text::fold(part)))
            };
            has(&shop.name, &wanted.q)
                && has(shop.city.as_deref().unwrap_or(""), &wanted.city)
                && (!wanted.open || self.opened(shop, now).now == Some(true))
        };
        let mut found: Vec<Found> = shops
            .into_iter()
            .filter(fits)
            .map(|shop| (wanted.near.map(|near| near.distance_m(shop.place)), shop))
            .filter(|(distance, _)| distance.is_none_or(|m| m <= radius_m))
            .map(|(distance, shop)| (shop, distance))
            .collect();
        if wanted.near.is_some() {
            found.sort_by_key(|(shop, distance)| (*distance, shop.id));
        }
        if wanted.open {
            self.note_closing(found.iter_mut().map(|(shop, _)| shop)).await?;
            found.retain(|(shop, _)| shop.closing_since.is_none());
        }
        found.truncate(limit);
        self.note_closing(found.iter_mut().map(|(shop, _)| shop)).await?;
        Ok(found)
    }
}

impl From<NotTaken> for Error {
    fn from(refusal: NotTaken) -> Self {
        match refusal {
            NotTaken::Other => Self::Conflict {
                why: "a shop with this id is there already, with another owner or another key",
            },
            NotTaken::Unknown => Self::NotFound { what: "shop" },
            NotTaken::Mismatch(mismatch) => Self::Mismatch(mismatch),
        }
    }
}

/// The whole map, from its south-west to its north-east corner, in ten-millionths of a degree.
const WHOLE_E7: (i32, i32) = (900_000_000, 1_800_000_000);

fn whole() -> (Place, Place) {
    let corner = |sign: i32| {
        Place::new(sign * WHOLE_E7.0, sign * WHOLE_E7.1).expect("the corners are on the map")
    };
    (corner(-1), corner(1))
}

/// A rectangle that holds the circle.
fn around(near: Place, radius_m: u32) -> (Place, Place) {
    // A degree of latitude is about 111 km; one of longitude shrinks towards the poles.
    let lat_e7 = i64::from(radius_m) * 10_000_000 / 111_000;
    let north = (f64::from(near.lat_e7().unsigned_abs()) / 1e7 + lat_e7 as f64 / 1e7).min(89.0);
    let lon_e7 = (lat_e7 as f64 / north.to_radians().cos()) as i64;
    let clamp = |value: i64, most: i32| value.clamp(i64::from(-most), i64::from(most)) as i32;
    let corner = |sign: i64| {
        let lat = clamp(i64::from(near.lat_e7()) + sign * lat_e7, WHOLE_E7.0);
        let lon = clamp(i64::from(near.lon_e7()) + sign * lon_e7, WHOLE_E7.1);
        Place::new(lat, lon).expect("clamped onto the map")
    };
    (corner(-1), corner(1))
}

fn plain(field: &'static str, text: String) -> Result<String, Error> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.len() > NAME_BYTES_MAX || trimmed.chars().any(char::is_control)
    {
        let why = "1 to 200 bytes of text without control characters";
        return Err(Error::Invalid { field, why });
    }
    Ok(trimmed.to_owned())
}
