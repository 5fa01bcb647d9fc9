//! Reads views straight out of the databases, past the programs' own readers.

use kirana_core::{
    cbor,
    hash::Hash,
    id::{OrderId, ShopId},
    order::placed::Placed,
    statement::{Party, UnverifiedStatement},
    stock::{self, Change},
};
use kirana_migrations::{Database, StoreError, rusqlite::Connection};

use super::{HeldOrder, Movement};

/// The orders on a household's device.
///
/// # Errors
/// When the database cannot be read.
pub fn device_orders(database: &Database) -> Result<Vec<(ShopId, HeldOrder)>, StoreError> {
    database.reader.read(|connection| {
        let mut orders = Vec::new();
        let mut select = connection.prepare_cached(
            "SELECT order_id, shop_id, EXISTS (SELECT 1 FROM outbox AS o WHERE o.order_id = c.order_id)
             FROM customer_order AS c ORDER BY order_id",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (order, shop): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let chain = blobs(
                connection,
                "SELECT bytes FROM entry WHERE order_id = ?1 AND lost = 0 ORDER BY seq",
                &order,
            )?;
            let Some(customer) = chain.first().and_then(|first| customer_of(first)) else {
                return Err(StoreError::damaged("the first entry of", "an order"));
            };
            let held =
                HeldOrder {
                    order: order_id(&order)?,
                    customer,
                    chain,
                    is_waiting: row.get(2)?,
                    is_unheard: false,
                };
            orders.push((shop_id(&shop)?, held));
        }
        Ok(orders)
    })
}

/// The orders at a shop.
///
/// # Errors
/// When the database cannot be read.
pub fn shop_orders(database: &Database) -> Result<Vec<HeldOrder>, StoreError> {
    database.reader.read(|connection| {
        let mut orders = Vec::new();
        let mut select = connection.prepare_cached(
            "SELECT n, customer, id, waits_for_heads FROM customer_order ORDER BY customer, id, n",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (n, customer, order): (i64, Vec<u8>, Vec<u8>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let customer: Party = cbor::from_slice("a party", &customer, 64)
                .map_err(|e| StoreError::damaged("a customer", e))?;
            let mut entries = connection.prepare_cached(
                "SELECT bytes FROM order_entry WHERE order_n = ?1 AND lost = 0 ORDER BY seq",
            )?;
            let chain = entries.query_map([n], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let order = order_id(&order)?;
            orders.push(HeldOrder {
                order,
                customer,
                chain,
                is_waiting: false,
                is_unheard: row.get(3)?,
            });
        }
        Ok(orders)
    })
}

/// Whether a device that has this order does not have this entry of it.
pub fn device_lacks(database: &Database, order: OrderId, entry: Hash) -> bool {
    let found: Result<bool, StoreError> = database.reader.read(|connection| {
        let mut lacks = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM customer_order WHERE order_id = ?1)
               AND NOT EXISTS (SELECT 1 FROM entry WHERE order_id = ?1 AND hash = ?2)
               AND NOT EXISTS (SELECT 1 FROM early_entry WHERE order_id = ?1 AND hash = ?2)",
        )?;
        Ok(lacks.query_row((order.as_bytes(), entry.as_bytes()), |row| row.get(0))?)
    });
    found.unwrap_or(false)
}

/// The orders that a shop holds.
pub fn order_ids(database: &Database) -> Vec<OrderId> {
    let found: Result<Vec<Vec<u8>>, StoreError> = database.reader.read(|connection| {
        let mut select = connection.prepare_cached("SELECT id FROM customer_order ORDER BY n")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    found.unwrap_or_default().iter().filter_map(|id| OrderId::from_slice(id)).collect()
}

/// Whether any chain here has a branch that lost.
pub fn has_lost_branch(database: &Database, table: &'static str) -> bool {
    let found: Result<bool, StoreError> = database.reader.read(|connection| {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE lost > 0)");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    });
    found.unwrap_or(false)
}

/// The first permanent refusal of an order's first entry, if a device holds one.
pub fn refusals(database: &Database) -> Vec<Vec<u8>> {
    let found: Result<Vec<Vec<u8>>, StoreError> = database.reader.read(|connection| {
        let mut select = connection.prepare_cached("SELECT bytes FROM refusal ORDER BY hash")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    found.unwrap_or_default()
}

/// Whether a hub still has a piece of mail.
pub fn hub_keeps(database: &Database, mail: Hash) -> bool {
    let found: Result<bool, StoreError> = database.reader.read(|connection| {
        let mut select =
            connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM mail WHERE id = ?1)")?;
        Ok(select.query_row([mail.as_bytes()], |row| row.get(0))?)
    });
    found.unwrap_or(false)
}

/// The stock ledger of a shop, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn movements(database: &Database) -> Result<Vec<Movement>, StoreError> {
    database.reader.read(|connection| {
        let mut select =
            connection.prepare_cached("SELECT bytes FROM stock_movement ORDER BY n")?;
        let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|bytes| {
            let read = stock::Movement::parse(&bytes?)
                .map_err(|e| StoreError::damaged("a stock movement", e))?;
            Ok(movement(&read))
        })
        .collect()
    })
}

fn movement(read: &stock::Movement) -> Movement {
    let int = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let (on_hand, reserved) = match read.change {
        Change::Receipt { amount } | Change::Return { amount } => (int(amount), 0),
        Change::Sale { amount, reserved } => (-int(amount), -int(reserved)),
        Change::Reservation { amount } => (0, int(amount)),
        Change::Release { amount } => (0, -int(amount)),
        Change::Wastage { amount } | Change::Transfer { amount, .. } => (-int(amount), 0),
        Change::Stocktake { before, counted } => (int(counted) - int(before), 0),
    };
    let promises = matches!(read.change, Change::Sale { .. } | Change::Reservation { .. });
    let order = read.order.map(|link| (link.customer, link.order));
    Movement { variant: read.variant, on_hand, reserved, order, promises }
}

fn blobs(connection: &Connection, sql: &str, key: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([key], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn customer_of(first: &[u8]) -> Option<Party> {
    let statement = UnverifiedStatement::parse(first).ok()?;
    let body = &statement.claimed().body;
    let placed: Placed = cbor::from_slice("an order", body, body.len()).ok()?;
    Some(placed.customer)
}

fn order_id(bytes: &[u8]) -> Result<OrderId, StoreError> {
    OrderId::from_slice(bytes).ok_or_else(|| StoreError::damaged("an order id", bytes.len()))
}

fn shop_id(bytes: &[u8]) -> Result<ShopId, StoreError> {
    ShopId::from_slice(bytes).ok_or_else(|| StoreError::damaged("a shop id", bytes.len()))
}
