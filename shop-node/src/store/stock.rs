//! The stock ledger as it was written, the balances that it adds up to, and what is reserved.
//!
//! **Invariant:** a movement, its balances and its reservation are written together.

use std::collections::BTreeMap;

use kirana_core::{
    availability::Level,
    catalogue::BucketNo,
    day::Day,
    hash::Hash,
    id::{LocationId, ShopId, VariantId},
    quantity::Unit,
    stock::{Balance, Change, Head, Movement, Written, walk::Slot},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{hash_of, int, uint};

/// The ledger's name in `heads.log`.
pub const CHAIN: &str = "ledger";

/// What the ledger keeps for one line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The order, by its number in this database.
    pub order_n: i64,
    /// Index of the line.
    pub line: u16,
    /// Of what.
    pub variant: VariantId,
    /// Where.
    pub location: LocationId,
    /// How much, in base units.
    pub amount: u64,
    /// The place of its reservation in the ledger.
    pub seq: u64,
}

/// The end of the ledger.
pub fn head(c: &Connection, shop: ShopId) -> Result<Head, StoreError> {
    let sql = "SELECT n, hash, bytes FROM stock_movement ORDER BY n DESC LIMIT 1";
    let last = c.prepare_cached(sql)?.query_row([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?))
    });
    let Some((n, hash, bytes)) = last.optional()? else { return Ok(Head::start(shop)) };
    let movement = parse(n, &bytes)?;
    let hash = hash_of("stock movement", &hash)?;
    Ok(Head { seq: uint("a movement", n)?, hash, generation: movement.generation })
}

/// Whether the ledger has a movement with this number and digest.
pub fn has(c: &Connection, n: u64, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM stock_movement WHERE n = ?1 AND hash = ?2";
    let row = c.prepare_cached(sql)?.query_row(params![int(n), hash], |_| Ok(())).optional()?;
    Ok(row.is_some())
}

/// Whether the ledger has a movement with this digest, or begins with it.
pub fn has_hash(c: &Connection, shop: ShopId, hash: Hash) -> Result<bool, StoreError> {
    if Head::start(shop).hash == hash {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM stock_movement WHERE hash = ?1";
    let row = c.prepare_cached(sql)?.query_row([hash.as_bytes()], |_| Ok(())).optional()?;
    Ok(row.is_some())
}

/// Notes a head that a customer was told and that the ledger does not have.
pub fn put_missing_anchor(tx: &Tx<'_>, hash: Hash, at: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO missing_anchor (hash, seen_ms)
               SELECT ?1, ?2 WHERE (SELECT count(*) FROM missing_anchor) < ?3
               ON CONFLICT (hash) DO NOTHING";
    let row = params![hash.as_bytes(), int(at.get()), MISSING_ANCHORS_MAX];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// The heads that customers were told and that the ledger does not have.
pub fn missing_anchors(c: &Connection) -> Result<Vec<Hash>, StoreError> {
    let mut statement = c.prepare("SELECT hash FROM missing_anchor ORDER BY hash")?;
    let hashes = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    hashes.map(|hash| hash_of("a missing anchor", &hash?)).collect()
}

/// A customer who invents heads fills no disk.
const MISSING_ANCHORS_MAX: i64 = 1000;

/// What is there of one variant at one location.
pub fn balance(
    c: &Connection,
    variant: VariantId,
    location: LocationId,
) -> Result<Balance, StoreError> {
    let sql = "SELECT on_hand, reserved FROM stock_balance WHERE variant = ?1 AND location = ?2";
    let row = c
        .prepare_cached(sql)?
        .query_row(params![variant.as_bytes(), location.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (on_hand, reserved) = row.unwrap_or_default();
    Ok(Balance { on_hand: uint("a balance", on_hand)?, reserved: uint("a balance", reserved)? })
}

/// What is there of one variant at all locations together.
pub fn total(c: &Connection, variant: VariantId) -> Result<Balance, StoreError> {
    let sql = "SELECT ifnull(sum(on_hand), 0), ifnull(sum(reserved), 0) FROM stock_balance
               WHERE variant = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let (on_hand, reserved) =
        statement.query_row([variant.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Balance { on_hand: uint("a balance", on_hand)?, reserved: uint("a balance", reserved)? })
}

/// Of each variant of the catalogue, by document: whether it is there, as customers are told.
///
/// What has no price is not for sale, and so none is left of it; nor of what has passed its date.
pub fn levels(
    c: &Connection,
    shop: ShopId,
    location: LocationId,
    today: Day,
) -> Result<BTreeMap<BucketNo, BTreeMap<VariantId, Level>>, StoreError> {
    let sql = "SELECT p.bucket, v.id, o.unit, o.counted, o.closed,
                      max(0, ifnull(b.on_hand - b.reserved, 0) - ifnull(o.safety, 0) - ifnull(
                        (SELECT sum(s.amount) FROM batch_stock s JOIN batch t ON t.n = s.batch
                         WHERE s.variant = v.id AND s.location = ?2 AND t.best_before < ?3), 0))
               FROM product p JOIN variant v ON v.product = p.row
               LEFT JOIN offer o ON o.variant = v.id
               LEFT JOIN stock_balance b ON b.variant = v.id AND b.location = ?2
               WHERE p.shop = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((shop.as_bytes(), location.as_bytes(), today.get()))?;
    let mut levels: BTreeMap<BucketNo, BTreeMap<VariantId, Level>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let damaged = || StoreError::damaged("the stock", "of a variant");
        let variant: Vec<u8> = row.get(1)?;
        let unit: Option<String> = row.get(2)?;
        let level = match unit.map(|unit| unit.parse::<Unit>()).transpose() {
            Ok(None) => Level::None,
            Ok(Some(_)) if row.get(4)? => Level::None,
            Ok(Some(_)) if !row.get::<_, bool>(3)? => Level::NotCounted,
            Ok(Some(unit)) => Level::of(uint("a balance", row.get(5)?)?, unit),
            Err(_) => return Err(damaged()),
        };
        let variant = VariantId::from_slice(&variant).ok_or_else(damaged)?;
        levels.entry(BucketNo::new(row.get(0)?)).or_default().insert(variant, level);
    }
    Ok(levels)
}

/// All balances, by variant and location; `after` continues a page.
pub fn balances(
    c: &Connection,
    after: Option<Slot>,
    limit: u32,
) -> Result<BTreeMap<Slot, Balance>, StoreError> {
    let sql = "SELECT variant, location, on_hand, reserved FROM stock_balance
               WHERE ?1 IS NULL OR (variant, location) > (?1, ?2)
               ORDER BY variant, location LIMIT ?3";
    let mut statement = c.prepare_cached(sql)?;
    let after = after.map(|slot| (*slot.variant.as_bytes(), *slot.location.as_bytes()));
    let (variant, location) = (after.map(|a| a.0), after.map(|a| a.1));
    let mut rows = statement.query(params![variant, location, limit])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let slot = slot_of(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, Vec<u8>>(1)?)?;
        let on_hand = uint("a balance", row.get(2)?)?;
        let reserved = uint("a balance", row.get(3)?)?;
        all.insert(slot, Balance { on_hand, reserved });
    }
    Ok(all)
}

/// Writes a movement and the balances after it: of its own place, and of where goods arrive.
pub fn put(tx: &Tx<'_>, written: &Written, after: &[(Slot, Balance)]) -> Result<(), StoreError> {
    let sql = "INSERT INTO stock_movement (n, hash, bytes) VALUES (?1, ?2, ?3)";
    let (n, hash) = (written.movement.seq, written.head.hash);
    tx.prepare_cached(sql)?.execute(params![int(n), hash.as_bytes(), &written.bytes])?;
    let sql = "INSERT INTO stock_balance (variant, location, on_hand, reserved)
               VALUES (?1, ?2, ?3, ?4) ON CONFLICT (variant, location) DO UPDATE SET
                 on_hand = excluded.on_hand, reserved = excluded.reserved";
    for (slot, balance) in after {
        tx.prepare_cached(sql)?.execute(params![
            slot.variant.as_bytes(),
            slot.location.as_bytes(),
            int(balance.on_hand),
            int(balance.reserved),
        ])?;
    }
    tx.note_head(kirana_migrations::Head { chain: CHAIN.to_owned(), n, hash: *hash.as_bytes() });
    Ok(())
}

/// Movements after number `after`, oldest first, with their numbers and bytes.
pub fn movements(
    c: &Connection,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let sql = "SELECT n, bytes FROM stock_movement WHERE n > ?1 ORDER BY n LIMIT ?2";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![int(after), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((uint("a movement", row.get(0)?)?, row.get(1)?));
    }
    Ok(all)
}

/// One movement, by its number.
pub fn movement(c: &Connection, n: u64) -> Result<Option<Movement>, StoreError> {
    let Ok(n) = i64::try_from(n) else { return Ok(None) };
    let sql = "SELECT bytes FROM stock_movement WHERE n = ?1";
    let bytes: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([n], |row| row.get(0)).optional()?;
    bytes.map(|bytes| parse(n, &bytes)).transpose()
}

/// Notes what is reserved for a line; zero ends it.
pub fn set_reserved(tx: &Tx<'_>, reserved: &Reserved) -> Result<(), StoreError> {
    if reserved.amount == 0 {
        let sql = "DELETE FROM reservation WHERE order_n = ?1 AND line = ?2";
        tx.prepare_cached(sql)?.execute(params![reserved.order_n, reserved.line])?;
        return Ok(());
    }
    let sql = "INSERT INTO reservation (order_n, line, variant, location, amount, seq)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (order_n, line) DO UPDATE SET amount = excluded.amount";
    tx.prepare_cached(sql)?.execute(params![
        reserved.order_n,
        reserved.line,
        reserved.variant.as_bytes(),
        reserved.location.as_bytes(),
        int(reserved.amount),
        int(reserved.seq),
    ])?;
    Ok(())
}

/// What is reserved for an order, line by line.
pub fn reserved_for(c: &Connection, order_n: i64) -> Result<Vec<Reserved>, StoreError> {
    let sql = "SELECT order_n, line, variant, location, amount, seq FROM reservation
               WHERE order_n = ?1 ORDER BY line";
    many(c, sql, params![order_n])
}

/// What is reserved of one variant at one location, for whichever order.
pub fn reserved_of(c: &Connection, slot: Slot) -> Result<Vec<Reserved>, StoreError> {
    let sql = "SELECT order_n, line, variant, location, amount, seq FROM reservation
               WHERE variant = ?1 AND location = ?2 ORDER BY seq, order_n, line";
    many(c, sql, params![slot.variant.as_bytes(), slot.location.as_bytes()])
}

/// Everything that is reserved.
pub fn all_reserved(c: &Connection) -> Result<Vec<Reserved>, StoreError> {
    let sql = "SELECT order_n, line, variant, location, amount, seq FROM reservation
               ORDER BY order_n, line";
    many(c, sql, [])
}

/// Reads a stored movement.
pub fn parse(n: i64, bytes: &[u8]) -> Result<Movement, StoreError> {
    Movement::parse(bytes).map_err(|e| StoreError::damaged("stock movement", format!("{n}: {e}")))
}

/// Where goods arrive by a movement, if it moves them within the shop.
pub fn arrival(movement: &Movement) -> Option<Slot> {
    match movement.change {
        Change::Transfer { to, .. } => Some(Slot { variant: movement.variant, location: to }),
        _ => None,
    }
}

fn many(
    c: &Connection,
    sql: &str,
    params: impl kirana_migrations::rusqlite::Params,
) -> Result<Vec<Reserved>, StoreError> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let slot = slot_of(&row.get::<_, Vec<u8>>(2)?, &row.get::<_, Vec<u8>>(3)?)?;
        all.push(Reserved {
            order_n: row.get(0)?,
            line: row.get(1)?,
            variant: slot.variant,
            location: slot.location,
            amount: uint("a reservation", row.get(4)?)?,
            seq: uint("a reservation", row.get(5)?)?,
        });
    }
    Ok(all)
}

pub(super) fn slot_of(variant: &[u8], location: &[u8]) -> Result<Slot, StoreError> {
    let damaged = || StoreError::damaged("a balance", "with an id of another length");
    Ok(Slot {
        variant: VariantId::from_slice(variant).ok_or_else(damaged)?,
        location: LocationId::from_slice(location).ok_or_else(damaged)?,
    })
}
