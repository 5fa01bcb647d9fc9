//! Orders by customer and id, and the signed entries of their chains.
//!
//! **Invariant:** one order id of one customer exists once (a unique index says so), and a chain
//! that is read has had every signature and every link checked again.

use kirana_core::{
    hash::Hash,
    id::OrderId,
    key::PublicKey,
    order::{
        axes::{Fulfilment, Stage},
        chain::{Author, Chain, Entry},
        placed::Slot,
    },
    sign1::Forged,
    spoken::ShortNumber,
    statement::{Party, Seen, SignedStatement, UnverifiedStatement},
    terms::Way,
    time::UnixMs,
};
use kirana_migrations::{
    Head, StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params, types::Value},
};

use super::{hash_of, int, known, party_key, party_of, uint};

/// An order as a row: what is looked up without walking its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Its number in this database.
    pub n: i64,
    /// Whose.
    pub customer: Party,
    /// Its id, given by the customer's device.
    pub id: OrderId,
    /// Digest of the customer's entry.
    pub placed: Hash,
    /// The device that placed it.
    pub device: PublicKey,
    /// What a person reads aloud.
    pub number: String,
    /// The label of its stage.
    pub stage: String,
    /// Whether something can still become of it.
    pub is_open: bool,
    /// When it was placed.
    pub placed_at: UnixMs,
    /// The ledger's number when it was decided.
    pub decided: Option<u64>,
    /// Generation of its newest entry.
    pub generation: u64,
    /// Number of its newest entry.
    pub seq: u32,
    /// Digest of its newest entry.
    pub head: Hash,
    /// Whether nothing may be added until its customer was heard.
    pub waits_for_heads: bool,
    /// Whether staff took it for somebody without a device.
    pub by_phone: bool,
}

const COLUMNS: &str = "n, customer, id, placed, device_key, number, stage, is_open, placed_ms, \
                       decided, generation, seq, head, waits_for_heads, \
                       EXISTS (SELECT 1 FROM caller WHERE party = customer)";

/// Finds an order of one customer.
pub fn find(c: &Connection, customer: &Party, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customer_order WHERE customer = ?1 AND id = ?2");
    let mut statement = c.prepare_cached(&sql)?;
    let row = statement.query_row(params![party_key(customer), id.as_bytes()], |r| Ok(read(r)));
    row.optional()?.transpose()
}

/// Finds an order by its number in this database.
pub fn by_number(c: &Connection, n: i64) -> Result<OrderRow, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customer_order WHERE n = ?1");
    let row = c.prepare_cached(&sql)?.query_row([n], |r| Ok(read(r))).optional()?;
    row.ok_or_else(|| StoreError::damaged("an order is missing, number", n))?
}

/// All orders with this id: ids are drawn at random, but two customers may draw the same.
pub fn by_id(c: &Connection, id: OrderId) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customer_order WHERE id = ?1 ORDER BY n");
    many(c, &sql, params![id.as_bytes()])
}

/// A page of orders, newest first, below `before`, of one customer or of all.
pub fn page(
    c: &Connection,
    customer: Option<&Party>,
    open_only: bool,
    before: i64,
    limit: u32,
) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order
         WHERE n < ?1 AND (?2 IS NULL OR customer = ?2) AND (is_open OR NOT ?3)
         ORDER BY n DESC LIMIT ?4"
    );
    many(c, &sql, params![before, customer.map(party_key), open_only, limit])
}

/// A page of orders that are brought and are accepted, or were completed since then: newest first, below
/// `before`.
pub fn brought(
    c: &Connection,
    since: UnixMs,
    before: i64,
    limit: u32,
) -> Result<Vec<OrderRow>, StoreError> {
    // An invoice is numbered as an order is completed; its index tells when without walking all orders.
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order
         WHERE n < ?1 AND slot_way IS NOT 0 AND n IN (
           SELECT n FROM customer_order WHERE is_open AND stage = 'accepted'
           UNION SELECT order_n FROM invoice WHERE kind = 'invoice' AND at_ms >= ?2)
         ORDER BY n DESC LIMIT ?3"
    );
    many(c, &sql, params![before, int(since.get()), limit])
}

/// All open orders, oldest first.
pub fn open(c: &Connection) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customer_order WHERE is_open ORDER BY n");
    many(c, &sql, [])
}

/// Accepted orders that are still open, oldest first.
pub fn accepted(c: &Connection, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order
         WHERE is_open AND stage = 'accepted' ORDER BY n LIMIT ?1"
    );
    many(c, &sql, [limit])
}

/// The open orders of one customer, oldest first.
pub fn open_of(c: &Connection, customer: &Party, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order WHERE customer = ?1 AND is_open ORDER BY n LIMIT ?2"
    );
    many(c, &sql, params![party_key(customer), limit])
}

/// How many orders of a customer are open.
pub fn count_open(c: &Connection, customer: &Party) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM customer_order WHERE customer = ?1 AND is_open";
    let count = c.prepare_cached(sql)?.query_row([party_key(customer)], |row| row.get(0))?;
    uint("a count", count)
}

/// Undecided orders whose customer wanted an answer before `known_now`.
pub fn overdue(c: &Connection, known_now: UnixMs, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order
         WHERE is_open AND decided IS NULL AND answer_by_ms < ?1
         ORDER BY answer_by_ms, n LIMIT ?2"
    );
    many(c, &sql, params![int(known_now.get()), limit])
}

/// Open orders with a question that nobody answered in time.
pub fn questions_due(
    c: &Connection,
    known_now: UnixMs,
    limit: u32,
) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customer_order
         WHERE question_until_ms IS NOT NULL AND question_until_ms <= ?1
         ORDER BY question_until_ms, n LIMIT ?2"
    );
    many(c, &sql, params![int(known_now.get()), limit])
}

/// The numbers of all orders, for checking them one by one.
pub fn all_numbers(c: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = c.prepare_cached("SELECT n FROM customer_order ORDER BY n")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The numbers of some orders after a number, lowest first.
pub fn numbers_after(c: &Connection, after: i64, limit: u32) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT n FROM customer_order WHERE n > ?1 ORDER BY n LIMIT ?2";
    let mut statement = c.prepare_cached(sql)?;
    Ok(statement.query_map((after, limit), |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Makes every open order wait for its customer, as a restored shop must.
pub fn wait_for_heads(tx: &Tx<'_>) -> Result<(), StoreError> {
    // Of what somebody ordered who has no device, nobody holds a copy who could be heard.
    let sql = "UPDATE customer_order SET waits_for_heads = 1
               WHERE is_open AND customer NOT IN (SELECT party FROM caller)";
    tx.execute(sql, [])?;
    Ok(())
}

/// Makes an order wait for its customer.
pub fn start_waiting(tx: &Tx<'_>, n: i64) -> Result<(), StoreError> {
    let sql = "UPDATE customer_order SET waits_for_heads = 1 WHERE n = ?1";
    tx.prepare_cached(sql)?.execute([n])?;
    Ok(())
}

/// The customer was heard, or the owner said to go on without.
pub fn stop_waiting(tx: &Tx<'_>, n: i64) -> Result<(), StoreError> {
    let sql = "UPDATE customer_order SET waits_for_heads = 0 WHERE n = ?1";
    tx.prepare_cached(sql)?.execute([n])?;
    Ok(())
}

/// Stores a new order with all entries of its chain.
pub fn insert(
    tx: &Tx<'_>,
    chain: &Chain,
    device: &PublicKey,
    number: &str,
) -> Result<i64, StoreError> {
    let order = chain.order();
    let sql =
        "INSERT INTO customer_order (customer, id, placed, device_key, number, stage, is_open,
                 placed_ms, answer_by_ms, generation, seq, head)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    tx.prepare_cached(sql)?.execute(params![
        party_key(&order.customer),
        order.id.as_bytes(),
        chain.first().hash().as_bytes(),
        device.as_bytes(),
        number,
        order.stage.label(),
        order.is_open(),
        int(order.placed_at.get()),
        order.answer_by.map(|by| int(by.get())),
        int(chain.generation()),
        chain.last().seq(),
        chain.head().as_bytes(),
    ])?;
    let n = tx.last_insert_rowid();
    put_entries(tx, n, chain, 0)?;
    if chain.entries().len() > 1 {
        note_end(tx, n, chain)?;
    }
    Ok(n)
}

/// Stores the entries of a chain from `from_seq` on, and what follows from them.
pub fn extend(tx: &Tx<'_>, n: i64, chain: &Chain, from_seq: u32) -> Result<(), StoreError> {
    put_entries(tx, n, chain, from_seq)?;
    note_end(tx, n, chain)
}

/// Works out from a chain what is looked up without walking it.
pub fn note_end(tx: &Tx<'_>, n: i64, chain: &Chain) -> Result<(), StoreError> {
    let sql =
        "UPDATE customer_order SET stage = ?2, is_open = ?3, generation = ?4, seq = ?5, head = ?6,
                                         question_until_ms = ?7, slot_way = ?8,
                                         slot_from_ms = ?9, slot_until_ms = ?10
               WHERE n = ?1";
    let (way, slot) = Way::of(chain.order().placed.handover);
    // Only what was accepted takes a place.
    let slot = slot.filter(|_| matches!(chain.order().stage, Stage::Accepted { .. }));
    tx.prepare_cached(sql)?.execute(params![
        n,
        chain.order().stage.label(),
        chain.order().is_open(),
        int(chain.generation()),
        chain.last().seq(),
        chain.head().as_bytes(),
        question_until(chain).map(|until| int(until.get())),
        way as u8,
        slot.map(|slot| int(slot.from.get())),
        slot.map(|slot| int(slot.until.get())),
    ])?;
    Ok(())
}

/// The span of time that is noted of an order: way, begin and end; and what its entries say.
pub fn slots_of(
    c: &Connection,
    n: i64,
    chain: &Chain,
) -> Result<(NotedSlot, NotedSlot), StoreError> {
    let sql = "SELECT slot_way, slot_from_ms, slot_until_ms FROM customer_order WHERE n = ?1";
    let noted =
        c.prepare_cached(sql)?.query_row([n], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if chain.entries().len() < 2 {
        return Ok((noted, (None, None, None)));
    }
    let (way, slot) = Way::of(chain.order().placed.handover);
    let slot = slot.filter(|_| matches!(chain.order().stage, Stage::Accepted { .. }));
    let (from, until) = (slot.map(|slot| int(slot.from.get())), slot.map(|s| int(s.until.get())));
    Ok((noted, (Some(way as i64), from, until)))
}

/// Which way, from when, until when, as columns hold it.
pub type NotedSlot = (Option<i64>, Option<i64>, Option<i64>);

/// The most orders that are looked for in one text.
const NAMED_MAX: usize = 64;

/// Orders that a text names by short number or id and of which money may still be expected: those
/// that are open, and those with a payment by UPI that no bank has shown yet.
pub fn named_in(c: &Connection, text: &str) -> Result<Vec<OrderRow>, StoreError> {
    let by = |column: &str| {
        format!(
            "SELECT {COLUMNS} FROM customer_order o WHERE {column} = ?1 AND (is_open OR EXISTS (
               SELECT 1 FROM takings t WHERE t.order_n = o.n AND t.kind = 'payment'
                 AND t.means = 'upi' AND NOT EXISTS (SELECT 1 FROM bank_line WHERE taking = t.n)))
             ORDER BY n"
        )
    };
    let (by_id, by_number) = (by("id"), by("number"));
    let hex: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let ids = (0..hex.len()).filter_map(|at| hex.get(at..at + 32)?.parse::<OrderId>().ok());
    let ids = ids.map(|id| (&by_id, Value::Blob(id.as_bytes().to_vec())));
    let numbers = ShortNumber::all_in(text).into_iter();
    let numbers = numbers.map(|number| (&by_number, Value::Text(number.to_string())));
    let mut found: Vec<OrderRow> = Vec::new();
    for (sql, named) in ids.chain(numbers).take(NAMED_MAX) {
        for row in many(c, sql, [named])? {
            if !found.iter().any(|known| known.n == row.n) {
                found.push(row);
            }
        }
    }
    Ok(found)
}

/// How many open orders have this span of time, without one of them.
pub fn count_in_slot(
    c: &Connection,
    (way, slot): (Way, Slot),
    without: Option<i64>,
) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM customer_order
               WHERE slot_from_ms = ?1 AND slot_until_ms = ?2 AND slot_way = ?3 AND is_open
                 AND n IS NOT ?4";
    let row = params![int(slot.from.get()), int(slot.until.get()), way as u8, without];
    Ok(c.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

/// Until when the first of the questions that stand may be answered.
fn question_until(chain: &Chain) -> Option<UnixMs> {
    let until = chain.order().groups.iter().filter_map(|group| match group.stage {
        Fulfilment::AwaitingAnswer { deadline } => Some(deadline),
        _ => None,
    });
    until.min().filter(|_| chain.order().is_open())
}

/// Notes where the ledger stood when the order was decided: the last one is released first.
pub fn decided(tx: &Tx<'_>, n: i64, ledger: u64) -> Result<(), StoreError> {
    let sql = "UPDATE customer_order SET decided = ?2 WHERE n = ?1";
    tx.prepare_cached(sql)?.execute((n, int(ledger)))?;
    Ok(())
}

/// Puts the entries from `from_seq` on onto the branch that lost: they are kept and shown.
pub fn lose_entries(tx: &Tx<'_>, n: i64, from_seq: u32) -> Result<(), StoreError> {
    let sql = "UPDATE order_entry SET lost = 1 WHERE order_n = ?1 AND lost = 0 AND seq >= ?2";
    tx.prepare_cached(sql)?.execute((n, from_seq))?;
    Ok(())
}

/// Keeps an entry of a losing branch.
pub fn keep_lost(
    tx: &Tx<'_>,
    n: i64,
    seq: u32,
    entry: &SignedStatement,
    generation: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO order_entry (order_n, seq, lost, hash, generation, bytes)
               VALUES (?1, ?2, 1, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let hash = entry.hash();
    let row = params![n, seq, hash.as_bytes(), int(generation), entry.bytes()];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Only a planted bug asks for this: the order's id becomes free again.
pub fn rename(tx: &Tx<'_>, n: i64) -> Result<(), StoreError> {
    let sql = "UPDATE customer_order SET id = CAST('twice ' || n AS BLOB) WHERE n = ?1";
    tx.prepare_cached(sql)?.execute([n])?;
    Ok(())
}

/// The entries of an order as they were signed, first to last.
pub fn entry_bytes(c: &Connection, n: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM order_entry WHERE order_n = ?1 AND lost = 0 ORDER BY seq";
    let mut statement = c.prepare_cached(sql)?;
    Ok(statement.query_map([n], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The entries of branches that lost.
pub fn lost_bytes(c: &Connection, n: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM order_entry WHERE order_n = ?1 AND lost = 1 ORDER BY seq, hash";
    let mut statement = c.prepare_cached(sql)?;
    Ok(statement.query_map([n], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Reads and checks the whole chain of an order.
///
/// # Errors
/// [`StoreError::Damaged`] when a signature or a link does not hold.
pub fn chain(c: &Connection, row: &OrderRow) -> Result<Chain, StoreError> {
    walk(c, row, &mut |entry, key| entry.verify(key))
}

/// [`chain`] for long lists: a signature that was checked before, over the very same bytes, is not
/// checked again. All else is.
///
/// # Errors
/// As there.
pub fn chain_seen(c: &Connection, row: &OrderRow, seen: &mut Seen) -> Result<Chain, StoreError> {
    walk(c, row, &mut |entry, key| seen.verify(entry, key))
}

type Verify<'a> =
    dyn FnMut(UnverifiedStatement, &PublicKey) -> Result<SignedStatement, Forged> + 'a;

fn walk(c: &Connection, row: &OrderRow, verify: &mut Verify<'_>) -> Result<Chain, StoreError> {
    let damaged = |why: &dyn std::fmt::Display| {
        StoreError::damaged("the chain of order", format!("{}: {why}", row.id))
    };
    let mut entries = entry_bytes(c, row.n)?.into_iter();
    let first = entries.next().ok_or_else(|| damaged(&"its first entry is missing"))?;
    let first = UnverifiedStatement::parse(&first).map_err(|e| damaged(&e))?;
    let first = verify(first, &row.device).map_err(|e| damaged(&e))?;
    let mut chain = Chain::begin(first, Author::customer(row.customer)).map_err(|e| damaged(&e))?;
    let (shop, mut last_box) = (chain.order().shop, None);
    for bytes in entries {
        let entry = UnverifiedStatement::parse(&bytes).map_err(|e| damaged(&e))?;
        let generation = generation_of(&entry).ok_or_else(|| damaged(&"a request in the chain"))?;
        // One box writes most of a chain, and a key takes a while to be read.
        let node = match last_box {
            Some((of, key)) if of == generation => key,
            _ => known::node_of(c, generation)?
                .ok_or_else(|| damaged(&format!("generation {generation} is unknown")))?,
        };
        last_box = Some((generation, node));
        let entry = verify(entry, &node).map_err(|e| damaged(&e))?;
        let _ = chain.push(entry, Author::node(shop, generation)).map_err(|e| damaged(&e))?;
    }
    if chain.head() != row.head || chain.first().hash() != row.placed {
        return Err(damaged(&"its end is not the one that was noted"));
    }
    Ok(chain)
}

/// The generation that an entry says it is of.
pub fn generation_of(entry: &UnverifiedStatement) -> Option<u64> {
    match entry.claimed().position {
        kirana_core::statement::Position::Entry { generation, .. } => Some(generation),
        kirana_core::statement::Position::Request { .. } => None,
    }
}

/// The name of an order's chain in `heads.log`.
pub fn chain_name(n: i64) -> String {
    format!("order:{n}")
}

/// Stores one entry in its place.
pub fn put_entry(tx: &Tx<'_>, n: i64, entry: &Entry) -> Result<(), StoreError> {
    let sql = "INSERT INTO order_entry (order_n, seq, lost, hash, generation, bytes)
               VALUES (?1, ?2, 0, ?3, ?4, ?5)";
    let (hash, generation, bytes) = (entry.hash(), int(entry.generation()), entry.signed().bytes());
    let row = params![n, entry.seq(), hash.as_bytes(), generation, bytes];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn put_entries(tx: &Tx<'_>, n: i64, chain: &Chain, from_seq: u32) -> Result<(), StoreError> {
    for entry in chain.entries().iter().filter(|entry| entry.seq() >= from_seq) {
        put_entry(tx, n, entry)?;
    }
    tx.note_head(Head {
        chain: chain_name(n),
        n: chain.last().seq().into(),
        hash: *chain.head().as_bytes(),
    });
    Ok(())
}

fn many(
    c: &Connection,
    sql: &str,
    params: impl kirana_migrations::rusqlite::Params,
) -> Result<Vec<OrderRow>, StoreError> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<OrderRow, StoreError> {
    let n: i64 = row.get(0)?;
    let damaged = || StoreError::damaged("an order, number", n);
    let device: [u8; 32] = row.get(4)?;
    let decided: Option<i64> = row.get(9)?;
    Ok(OrderRow {
        n,
        customer: party_of(&row.get::<_, Vec<u8>>(1)?)?,
        id: OrderId::from_slice(&row.get::<_, Vec<u8>>(2)?).ok_or_else(damaged)?,
        placed: hash_of("an order", &row.get::<_, Vec<u8>>(3)?)?,
        device: PublicKey::from_bytes(&device).map_err(|_| damaged())?,
        number: row.get(5)?,
        stage: row.get(6)?,
        is_open: row.get(7)?,
        placed_at: UnixMs::new(uint("a time", row.get(8)?)?),
        decided: decided.map(|n| uint("a ledger number", n)).transpose()?,
        generation: uint("a generation", row.get(10)?)?,
        seq: row.get(11)?,
        head: hash_of("an order", &row.get::<_, Vec<u8>>(12)?)?,
        waits_for_heads: row.get(13)?,
        by_phone: row.get(14)?,
    })
}

impl OrderRow {
    /// Its end, as both sides compare it.
    pub fn wire_head(&self) -> kirana_core::order::wish::Head {
        kirana_core::order::wish::Head { order: self.id, seq: self.seq, hash: self.head }
    }
}
