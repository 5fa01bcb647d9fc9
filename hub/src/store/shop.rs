//! Shops that applied, were approved or refused.

use kirana_core::{
    certificate::SignedCertificate,
    geohash::Place,
    hash::Hash,
    id::{AccountId, ShopId},
    key::{PublicKey, SealingPublic},
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{self, Connection, OptionalExtension, Row, params},
};

use crate::app::shop::profile::Details;

use super::{
    Store, audit,
    audit::Act,
    certificate::{self, Kind},
    from_sql, idempotency,
    idempotency::{Mismatch, Once},
    to_sql,
};

/// Where an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has looked at it.
    Applied,
    /// It is certified.
    Approved,
    /// Whoever decides wants to know something first.
    Asked,
    /// It was turned down.
    Refused,
    /// It was approved, and closed down.
    Closed,
}

impl State {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Applied, "applied"),
        (Self::Approved, "approved"),
        (Self::Asked, "asked"),
        (Self::Refused, "refused"),
        (Self::Closed, "closed"),
    ];

    /// The name in answers and in the database.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }
}

/// Somebody who keeps a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Whose account it is.
    pub account: AccountId,
    /// Whether this person answers for the shop.
    pub first: bool,
    /// Since when.
    pub since: UnixMs,
}

/// A shop as the hub knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shop {
    /// Its id for ever.
    pub id: ShopId,
    /// The account of the owner.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// In which city or quarter.
    pub city: Option<String>,
    /// Opening hours, as OpenStreetMap writes them.
    pub opens: Option<String>,
    /// What else the owner says.
    pub details: Details,
    /// The day, where the shop stands, on which it stays closed.
    pub closed_on: Option<String>,
    /// What whoever decides wants to know.
    pub question: Option<String>,
    /// The owner's key: what the certificate names.
    pub owner: PublicKey,
    /// What messages to the owner are sealed to.
    pub sealing: SealingPublic,
    /// The node that the owner named when applying.
    pub node: Option<PublicKey>,
    /// Where the application stands.
    pub state: State,
    /// The shop's certificate (CWT), once approved.
    pub certificate: Option<Vec<u8>>,
    /// What it looks like: the digest of a picture.
    pub photo: Option<Hash>,
    /// When the owner applied.
    pub created_at: UnixMs,
    /// Since when it takes no new orders, because it closes down: as its own record says, where
    /// [`Store::closing_since`] was asked.
    pub closing_since: Option<UnixMs>,
}

/// How many applications wait for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// How many.
    pub shops: u64,
    /// Since when the oldest waits, unless there is none.
    pub oldest_at: Option<UnixMs>,
}

impl Shop {
    /// What an application says, and where it is silent what stood there: a box that joins again
    /// knows no hours.
    pub(super) fn over(self, there: &Self) -> Self {
        let silent = self.details == Details::default();
        Self {
            city: self.city.or_else(|| there.city.clone()),
            opens: self.opens.or_else(|| there.opens.clone()),
            node: self.node.or(there.node),
            details: if silent { there.details.clone() } else { self.details },
            closed_on: there.closed_on.clone(),
            ..self
        }
    }
}

/// Why an application or a decision was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The id belongs to a shop of somebody else, or to another owner's key.
    #[error("a shop with this id is there already, with another owner or another key")]
    Other,
    /// There is no such shop.
    #[error("there is no such shop")]
    Unknown,
    /// The Idempotency-Key was used for something else.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

const COLUMNS: &str =
    "id, account, name, lat_e7, lon_e7, city, opens, owner_key, sealing, node_key,
                       state, certificate, created_at, details, closed_on, question, closed_at,
                       photo";

impl Store {
    /// Takes an application; the same shop applying again changes its profile and keeps its state.
    ///
    /// # Errors
    /// [`NotTaken::Other`] when the id is somebody else's.
    pub async fn apply(
        &self,
        shop: Shop,
        once: Option<Once>,
        now: UnixMs,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            if let Some(once) = &once {
                let seen = idempotency::seen(tx, once)?;
                if seen.map_err(|e| Abort::Refused(e.into()))?.is_none() {
                    idempotency::remember(tx, once, shop.id.as_bytes(), now)?;
                }
            }
            match by_id(tx, shop.id)? {
                Some(there) if there.account != shop.account || there.owner != shop.owner => {
                    Err(Abort::Refused(NotTaken::Other))
                }
                there => {
                    let told = there.as_ref().map(|there| shop.clone().over(there));
                    put(tx, told.as_ref().unwrap_or(&shop), there.is_none(), now)?;
                    // Whoever applies again has answered.
                    let sql = "UPDATE shop SET question = NULL WHERE id = ?1";
                    tx.execute(sql, [shop.id.as_bytes()])?;
                    by_id(tx, shop.id)?.ok_or_else(|| Abort::Refused(NotTaken::Unknown))
                }
            }
        })
        .await
    }

    /// Changes what a shop says about itself.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] when there is none.
    pub async fn change_shop(&self, shop: Shop, now: UnixMs) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            put(tx, &shop, false, now)?;
            by_id(tx, shop.id)?.ok_or(Abort::Refused(NotTaken::Unknown))
        })
        .await
    }

    /// Asks whoever applied something before it is decided.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] when there is no such application.
    pub async fn ask_applicant(
        &self,
        id: ShopId,
        question: String,
        act: Act,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let sql = "UPDATE shop SET question = ?2, state = 'applied', changed_at = ?3
                       WHERE id = ?1 AND state <> 'approved'";
            if tx.execute(sql, params![id.as_bytes(), question, to_sql(act.at)])? == 0 {
                return Err(Abort::Refused(NotTaken::Unknown));
            }
            audit::append(tx, &act)?;
            by_id(tx, id)?.ok_or(Abort::Refused(NotTaken::Unknown))
        })
        .await
    }

    /// Decides on an application: with a certificate it is approved.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] when there is none.
    pub async fn decide(
        &self,
        id: ShopId,
        certificate: Option<SignedCertificate>,
        reason: Option<String>,
        act: Act,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let shop = by_id(tx, id)?.ok_or(Abort::Refused(NotTaken::Unknown))?;
            let state = if certificate.is_some() { State::Approved } else { State::Refused };
            tx.execute(
                "UPDATE shop SET state = ?2, certificate = ?3, changed_at = ?4, question = ?5,
                                 closed_at = NULL WHERE id = ?1",
                params![
                    id.as_bytes(),
                    state.name(),
                    certificate.as_ref().map(SignedCertificate::bytes),
                    to_sql(act.at),
                    reason
                ],
            )?;
            if let Some(certificate) = &certificate {
                certificate::insert(tx, Kind::Shop, certificate, Some(shop.account))?;
            }
            audit::append(tx, &act)?;
            by_id(tx, id)?.ok_or(Abort::Refused(NotTaken::Unknown))
        })
        .await
    }

    /// One shop, in whatever state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn shop(&self, id: ShopId) -> Result<Option<Shop>, StoreError> {
        self.read(|c| by_id(c, id)).await
    }

    /// The shops that an account keeps, in whatever state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn shops_of(&self, account: AccountId) -> Result<Vec<Shop>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM shop WHERE account = ?1
                 OR id IN (SELECT shop FROM shop_owner WHERE account = ?1) ORDER BY id"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map([account.as_bytes()], raw)?;
            rows.map(|row| shop(row?)).collect()
        })
        .await
    }

    /// Applications that nobody decided on, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn applications(&self, limit: u32) -> Result<Vec<Shop>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM shop WHERE state = 'applied' ORDER BY changed_at LIMIT ?1"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map([limit], raw)?;
            rows.map(|row| shop(row?)).collect()
        })
        .await
    }

    /// Shops in one state, in the order of their ids, after a cursor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn shops_in(
        &self,
        state: State,
        after: Option<ShopId>,
        limit: u32,
    ) -> Result<Vec<Shop>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM shop WHERE id > ?2 AND ?1 =
                   CASE WHEN state = 'applied' AND question IS NOT NULL THEN 'asked'
                        WHEN state = 'approved' AND closed_at IS NOT NULL THEN 'closed'
                        ELSE state END
                 ORDER BY id LIMIT ?3"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let rows = statement.query_map(params![state.name(), after, limit], raw)?;
            rows.map(|row| shop(row?)).collect()
        })
        .await
    }

    /// The applications that wait for a decision, and for no answer of their owner.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn applied(&self) -> Result<Applied, StoreError> {
        self.read(|c| {
            let sql = "SELECT count(*), min(changed_at) FROM shop
                       WHERE state = 'applied' AND question IS NULL";
            let (shops, oldest_at): (i64, Option<i64>) =
                c.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Applied { shops: shops.unsigned_abs(), oldest_at: oldest_at.map(from_sql) })
        })
        .await
    }

    /// The ids of all shops that are approved and not closed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn approved_shops(&self) -> Result<Vec<ShopId>, StoreError> {
        self.read(|c| {
            let sql = "SELECT id FROM shop WHERE state = 'approved' AND closed_at IS NULL";
            let mut select = c.prepare_cached(sql)?;
            let rows = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
            let damaged = || StoreError::damaged("a shop's", "id");
            rows.map(|id| ShopId::from_slice(&id?).ok_or_else(damaged)).collect()
        })
        .await
    }

    /// Approved shops within a rectangle, in the order of their ids, after a cursor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn shops_within(
        &self,
        south_west: Place,
        north_east: Place,
        after: Option<ShopId>,
        limit: u32,
    ) -> Result<Vec<Shop>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM shop WHERE state = 'approved' AND closed_at IS NULL AND id > ?1
                 AND lat_e7 BETWEEN ?2 AND ?3 AND lon_e7 BETWEEN ?4 AND ?5 ORDER BY id LIMIT ?6"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let (sw, ne) = (south_west, north_east);
            let within = params![after, sw.lat_e7(), ne.lat_e7(), sw.lon_e7(), ne.lon_e7(), limit];
            let rows = statement.query_map(within, raw)?;
            rows.map(|row| shop(row?)).collect()
        })
        .await
    }
}

pub(super) fn by_id(c: &Connection, id: ShopId) -> Result<Option<Shop>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM shop WHERE id = ?1");
    c.prepare_cached(&sql)?.query_row([id.as_bytes()], raw).optional()?.map(shop).transpose()
}

pub(super) fn put(c: &Connection, shop: &Shop, fresh: bool, now: UnixMs) -> Result<(), StoreError> {
    let sql = if fresh {
        "INSERT INTO shop (id, name, lat_e7, lon_e7, city, opens, node_key, changed_at, account,
                           owner_key, sealing, details, closed_on, state, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'applied', ?8)"
    } else {
        "UPDATE shop SET name = ?2, lat_e7 = ?3, lon_e7 = ?4, city = ?5, opens = ?6, node_key = ?7,
                         changed_at = ?8, account = ?9, owner_key = ?10, sealing = ?11,
                         details = ?12, closed_on = ?13
         WHERE id = ?1"
    };
    c.execute(
        sql,
        params![
            shop.id.as_bytes(),
            shop.name,
            shop.place.lat_e7(),
            shop.place.lon_e7(),
            shop.city,
            shop.opens,
            shop.node.map(|key| key.as_bytes().to_vec()),
            to_sql(now),
            shop.account.as_bytes(),
            shop.owner.as_bytes(),
            shop.sealing.as_bytes(),
            serde_json::to_string(&shop.details).expect("texts and numbers always make JSON"),
            shop.closed_on
        ],
    )?;
    Ok(())
}

/// A row before its bytes are keys and ids again.
struct Raw {
    id: [u8; 16],
    account: [u8; 16],
    name: String,
    place: (i32, i32),
    city: Option<String>,
    opens: Option<String>,
    owner: [u8; 32],
    sealing: [u8; 32],
    node: Option<[u8; 32]>,
    state: String,
    certificate: Option<Vec<u8>>,
    created_at: i64,
    details: String,
    closed_on: Option<String>,
    question: Option<String>,
    closed_at: Option<i64>,
    photo: Option<[u8; 32]>,
}

fn raw(row: &Row<'_>) -> Result<Raw, rusqlite::Error> {
    Ok(Raw {
        id: row.get(0)?,
        account: row.get(1)?,
        name: row.get(2)?,
        place: (row.get(3)?, row.get(4)?),
        city: row.get(5)?,
        opens: row.get(6)?,
        owner: row.get(7)?,
        sealing: row.get(8)?,
        node: row.get(9)?,
        state: row.get(10)?,
        certificate: row.get(11)?,
        created_at: row.get(12)?,
        details: row.get(13)?,
        closed_on: row.get(14)?,
        question: row.get(15)?,
        closed_at: row.get(16)?,
        photo: row.get(17)?,
    })
}

fn shop(raw: Raw) -> Result<Shop, StoreError> {
    let damaged = || StoreError::damaged("the shop", uuid::Uuid::from_bytes(raw.id));
    Ok(Shop {
        id: ShopId::from_slice(&raw.id).ok_or_else(damaged)?,
        account: AccountId::from_slice(&raw.account).ok_or_else(damaged)?,
        place: Place::new(raw.place.0, raw.place.1).map_err(|_| damaged())?,
        owner: PublicKey::from_bytes(&raw.owner).map_err(|_| damaged())?,
        sealing: SealingPublic::from_bytes(raw.sealing),
        node: raw.node.map(|n| PublicKey::from_bytes(&n)).transpose().map_err(|_| damaged())?,
        state: match State::from_name(&raw.state).ok_or_else(damaged)? {
            State::Applied if raw.question.is_some() => State::Asked,
            State::Approved if raw.closed_at.is_some() => State::Closed,
            state => state,
        },
        details: serde_json::from_str(&raw.details).map_err(|_| damaged())?,
        closed_on: raw.closed_on,
        question: raw.question,
        name: raw.name,
        city: raw.city,
        opens: raw.opens,
        certificate: raw.certificate,
        photo: raw.photo.and_then(|digest| Hash::from_slice(&digest)),
        created_at: from_sql(raw.created_at),
        closing_since: None,
    })
}
