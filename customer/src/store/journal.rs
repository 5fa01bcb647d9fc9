//! What the person was shown, and when; outsiders check the promises by it.

use kirana_core::{id::OrderId, time::UnixMs};
use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{order_id, signed, unsigned};

/// How a copy of an order first got away from this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Straight to the shop.
    Direct,
    /// By the central hub.
    Hub,
    /// By a community hub.
    Community,
    /// As a file, carried by hand.
    File,
}

impl Route {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hub => "hub",
            Self::Community => "community",
            Self::File => "file",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::Hub, Self::Community, Self::File]
            .into_iter()
            .find(|route| route.as_str() == text)
    }
}

/// One order's line in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalLine {
    /// Which order.
    pub order: OrderId,
    /// When the person was told that it is placed.
    pub shown_placed: UnixMs,
    /// By which route it was first acknowledged.
    pub first_route: Option<Route>,
    /// When that was.
    pub first_route_at: Option<UnixMs>,
    /// When the shop's first signed entry arrived.
    pub intake_at: Option<UnixMs>,
    /// When the shop's decision arrived.
    pub decided_at: Option<UnixMs>,
}

/// Opens the line of an order that is now shown as placed.
pub fn open(tx: &Tx<'_>, order: OrderId, now: UnixMs) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO journal (order_id, shown_placed) VALUES (?1, ?2)")?
        .execute((order.as_bytes(), signed(now.get())))?;
    Ok(())
}

/// Notes the first acknowledgement; later ones change nothing.
pub fn acknowledged(
    tx: &Tx<'_>,
    order: OrderId,
    route: Route,
    now: UnixMs,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE journal SET first_path = ?2, first_path_at = ?3 WHERE order_id = ?1 AND first_path IS NULL",
    )?
    .execute((order.as_bytes(), route.as_str(), signed(now.get())))?;
    Ok(())
}

/// Notes that the shop's signed entries arrived, and whether one of them decides.
pub fn answered(tx: &Tx<'_>, order: OrderId, decided: bool, now: UnixMs) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE journal SET intake_at = coalesce(intake_at, ?2),
           decided_at = CASE WHEN ?3 THEN coalesce(decided_at, ?2) ELSE decided_at END
         WHERE order_id = ?1",
    )?
    .execute((order.as_bytes(), signed(now.get()), decided))?;
    Ok(())
}

/// The whole journal, oldest order first.
pub fn all(reader: &Connection) -> Result<Vec<JournalLine>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} ORDER BY shown_placed, order_id"))?;
    let mut rows = select.query([])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(read(row)?);
    }
    Ok(lines)
}

/// One order's line.
pub fn get(reader: &Connection, order: OrderId) -> Result<Option<JournalLine>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} WHERE order_id = ?1"))?;
    let mut rows = select.query([order.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

const SELECT: &str =
    "SELECT order_id, shown_placed, first_path, first_path_at, intake_at, decided_at FROM journal";

fn read(row: &Row<'_>) -> Result<JournalLine, StoreError> {
    let moment = |at: Option<i64>| at.map(|at| UnixMs::new(unsigned(at)));
    let route: Option<String> = row.get(2)?;
    Ok(JournalLine {
        order: order_id(&row.get::<_, Vec<u8>>(0)?)?,
        shown_placed: UnixMs::new(unsigned(row.get(1)?)),
        first_route: route.as_deref().and_then(Route::parse),
        first_route_at: moment(row.get(3)?),
        intake_at: moment(row.get(4)?),
        decided_at: moment(row.get(5)?),
    })
}
