//! Payments by card: attempts, what the provider is to be told, and what it said.
//!
//! **Invariant:** a call has one key for ever, an event counts once, and an attempt of an order exists
//! once: unique indices say so.

use kirana_core::{hash::Hash, id::OrderId, key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, Params, Row, params},
};

use super::{int, till::key_of, uint};

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The provider is to be told.
    Wanted,
    /// The customer may confirm it.
    Asked,
    /// A sum is held.
    Authorised,
    /// A sum was taken.
    Captured,
    /// It was let go.
    Released,
    /// It did not come about.
    Failed,
}

impl State {
    /// The stored word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Asked => "asked",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Failed => "failed",
        }
    }

    fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Wanted,
            Self::Asked,
            Self::Authorised,
            Self::Captured,
            Self::Released,
            Self::Failed,
        ];
        all.into_iter().find(|state| state.label() == word)
    }
}

/// An attempt to be paid for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number here.
    pub n: i64,
    /// The order's number here.
    pub order_n: i64,
    /// Which attempt, from 1.
    pub attempt: u8,
    /// From it every call's idempotency key is made.
    pub key: String,
    /// What is asked for, in minor units.
    pub minor: i64,
    /// The provider's name.
    pub intent: Option<String>,
    /// How far it is.
    pub state: State,
    /// Until when a sum is held.
    pub until: Option<UnixMs>,
    /// What was taken, in minor units.
    pub captured_minor: i64,
    /// Since when.
    pub begun: UnixMs,
    /// When the provider is asked how it stands.
    pub look: UnixMs,
    /// The order's entry that was looked at last.
    pub seen_seq: i64,
    /// What a person has to look at.
    pub trouble: Option<String>,
}

impl Attempt {
    /// By which key a sum goes back, after so many calls that had one go back.
    pub fn refund_key(&self, before: usize) -> String {
        format!("{}-refund-{}", self.key, before + 1)
    }
}

/// What the provider is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// That a sum is to be held.
    Create,
    /// That a sum is taken.
    Capture,
    /// That it is let go.
    Cancel,
    /// That a sum goes back.
    Refund,
}

impl What {
    /// The stored word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
        }
    }

    fn named(word: &str) -> Option<Self> {
        let all = [Self::Create, Self::Capture, Self::Cancel, Self::Refund];
        all.into_iter().find(|what| what.label() == word)
    }
}

/// A call that was made, or waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number here.
    pub n: i64,
    /// Of which attempt.
    pub payment_n: i64,
    /// What is told.
    pub what: What,
    /// The idempotency key.
    pub key: String,
    /// Over how much, in minor units.
    pub minor: i64,
    /// Who wanted it.
    pub who: Option<KeyId>,
    /// How often it was begun.
    pub attempts: u32,
    /// When it is made next.
    pub next: UnixMs,
    /// When it was answered.
    pub done: Option<UnixMs>,
    /// The order's entry that came of it.
    pub entry: Option<Hash>,
    /// What was wrong last.
    pub problem: Option<String>,
}

/// A payment that the provider knows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Charge {
    /// The provider's name of it.
    pub id: String,
    /// The payment that it belongs to.
    pub intent: Option<String>,
    /// When.
    pub at: UnixMs,
    /// In which currency, as the provider writes it.
    pub currency: String,
    /// What was taken, or is held, in minor units.
    pub minor: i64,
    /// Whether it was taken.
    pub captured: bool,
    /// What went back of it.
    pub refunded_minor: i64,
}

const ATTEMPT: &str = "p.n, p.order_n, p.attempt, p.key, p.minor, p.intent, p.state, p.until_ms, \
                       p.captured_minor, p.begun_ms, p.look_ms, p.seen_seq, p.trouble";

/// Nothing waits for so long: what seems to was written before the clock was set back.
const AHEAD_MS: u64 = 24 * 60 * 60_000;

/// Begins an attempt; its number, or nothing where it was begun before.
pub fn begin(tx: &Tx<'_>, new: &Attempt) -> Result<Option<i64>, StoreError> {
    let sql = "INSERT INTO card_payment (order_n, attempt, key, minor, intent, state, until_ms,
                 captured_minor, begun_ms, look_ms, seen_seq, trouble)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING";
    let is_new = tx.prepare_cached(sql)?.execute(params![
        new.order_n,
        new.attempt,
        new.key,
        new.minor,
        new.intent,
        new.state.label(),
        new.until.map(|until| int(until.get())),
        new.captured_minor,
        int(new.begun.get()),
        int(new.look.get()),
        new.seen_seq,
        new.trouble,
    ])? == 1;
    Ok(is_new.then(|| tx.last_insert_rowid()))
}

/// Writes down how an attempt stands.
pub fn put(tx: &Tx<'_>, of: &Attempt) -> Result<(), StoreError> {
    let sql = "UPDATE card_payment SET intent = ?2, state = ?3, until_ms = ?4, captured_minor = ?5,
                 look_ms = ?6, seen_seq = ?7, trouble = ?8, minor = ?9 WHERE n = ?1";
    tx.prepare_cached(sql)?.execute(params![
        of.n,
        of.intent,
        of.state.label(),
        of.until.map(|until| int(until.get())),
        of.captured_minor,
        int(of.look.get()),
        of.seen_seq,
        of.trouble,
        of.minor,
    ])?;
    Ok(())
}

/// One attempt.
pub fn get(c: &Connection, n: i64) -> Result<Option<Attempt>, StoreError> {
    Ok(attempts(c, "WHERE p.n = ?1", [n])?.pop())
}

/// The attempt of a name that the provider gave.
pub fn by_intent(c: &Connection, intent: &str) -> Result<Option<Attempt>, StoreError> {
    Ok(attempts(c, "WHERE p.intent = ?1", [intent])?.pop())
}

/// The attempts for one order, the first first.
pub fn of_order(c: &Connection, order_n: i64) -> Result<Vec<Attempt>, StoreError> {
    attempts(c, "WHERE p.order_n = ?1 ORDER BY p.attempt", [order_n])
}

/// Attempts whose orders have an entry that was not looked at, or whose time is over by the known time;
/// those again when they are looked at by the own clock.
pub fn changed(
    c: &Connection,
    (known, now): (UnixMs, UnixMs),
    limit: u32,
) -> Result<Vec<Attempt>, StoreError> {
    let sql = "JOIN customer_order o ON o.n = p.order_n
               WHERE p.state IN ('wanted', 'asked', 'authorised')
                 AND (p.seen_seq <> o.seq OR (p.until_ms < ?1 AND p.look_ms <= ?2)) ORDER BY p.n LIMIT ?3";
    attempts(c, sql, (int(known.get()), int(now.get()), limit))
}

/// Attempts of which the provider is asked how they stand.
pub fn to_look_at(c: &Connection, now: UnixMs, limit: u32) -> Result<Vec<Attempt>, StoreError> {
    let sql = "WHERE p.state IN ('asked', 'authorised') AND p.intent IS NOT NULL
                 AND (p.look_ms <= ?1 OR p.look_ms > ?1 + ?3) ORDER BY p.look_ms, p.n LIMIT ?2";
    attempts(c, sql, (int(now.get()), limit, int(AHEAD_MS)))
}

/// Whether something is under way at the provider.
pub fn is_busy(c: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM card_payment WHERE state IN ('wanted', 'asked', 'authorised'))
                   OR EXISTS (SELECT 1 FROM card_call WHERE done_ms IS NULL)";
    Ok(c.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Attempts in a state, and those of any state with something for a person to look at: what was let go
/// here and given back at the provider needs nobody any more.
pub fn listed(c: &Connection, troubled: bool, limit: u32) -> Result<Vec<Attempt>, StoreError> {
    let sql = match troubled {
        true => {
            "WHERE p.trouble IS NOT NULL AND NOT (p.state IN ('released', 'failed') AND EXISTS
               (SELECT 1 FROM card_charge c WHERE c.intent = p.intent AND c.captured
                  AND c.minor <= c.refunded_minor)) ORDER BY p.n DESC LIMIT ?1"
        }
        false => "WHERE p.state = 'authorised' ORDER BY p.n LIMIT ?1",
    };
    attempts(c, sql, [limit])
}

/// An attempt of which the provider shows another sum than is noted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    /// The attempt.
    pub attempt: Attempt,
    /// What went back of it, as is noted here, in minor units.
    pub back_minor: i64,
    /// What the provider says: taken and given back; nothing where it shows no such payment.
    pub there: Option<(i64, i64)>,
}

/// What was taken by attempts begun since a time and that the provider did not show when it was asked
/// for all of it, or of which it has kept another sum. What it gave back whole needs nobody any more,
/// and where something went back since, its word is too old. Of a sum that was taken in part it may count
/// the rest as given back, or not: both fit.
pub fn unlike(
    c: &Connection,
    (since, swept): (UnixMs, UnixMs),
    limit: u32,
) -> Result<Vec<Unlike>, StoreError> {
    let sql = format!(
        "SELECT {ATTEMPT}, p.back_minor, c.minor, c.refunded_minor
         FROM (SELECT p.*, (SELECT coalesce(sum(k.minor), 0) FROM card_call k
                            WHERE k.payment_n = p.n AND k.what = 'refund' AND k.entry IS NOT NULL)
                           AS back_minor
               FROM card_payment p) p
         LEFT JOIN card_charge c ON c.intent = p.intent AND c.captured
         WHERE (p.state = 'captured' AND p.begun_ms >= ?1 AND p.look_ms < ?2
                AND (c.minor IS NULL
                     OR (c.minor - c.refunded_minor <> p.captured_minor - p.back_minor
                         AND (c.minor <> p.captured_minor
                              OR c.refunded_minor <> max(0, p.back_minor + c.minor - p.minor))
                         AND NOT EXISTS (SELECT 1 FROM card_call k WHERE k.payment_n = p.n
                                           AND k.what = 'refund'
                                           AND (k.done_ms IS NULL OR k.done_ms >= c.seen_ms)))))
            OR (p.state IN ('released', 'failed') AND c.minor > c.refunded_minor)
         ORDER BY p.n DESC LIMIT ?3"
    );
    let mut select = c.prepare_cached(&sql)?;
    let mut rows = select.query((int(since.get()), int(swept.get()), limit))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (there, back): (Option<i64>, Option<i64>) = (row.get(14)?, row.get(15)?);
        all.push(Unlike {
            attempt: attempt(row)?,
            back_minor: row.get(13)?,
            there: there.zip(back),
        });
    }
    Ok(all)
}

fn attempts<P: Params>(c: &Connection, rest: &str, with: P) -> Result<Vec<Attempt>, StoreError> {
    let sql = format!("SELECT {ATTEMPT} FROM card_payment p {rest}");
    let mut select = c.prepare_cached(&sql)?;
    let mut rows = select.query(with)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(attempt(row)?);
    }
    Ok(all)
}

const CALL: &str =
    "n, payment_n, what, key, minor, who, attempts, next_ms, done_ms, entry, problem";

/// Keeps a call until it is answered; whether it is new.
pub fn queue(
    tx: &Tx<'_>,
    (payment_n, what): (i64, What),
    (key, minor): (&str, i64),
    who: Option<KeyId>,
    at: UnixMs,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO card_call (payment_n, what, key, minor, who, next_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let who = who.map(|who| who.as_bytes().to_vec());
    let row = params![payment_n, what.label(), key, minor, who, int(at.get())];
    Ok(tx.prepare_cached(sql)?.execute(row)? == 1)
}

/// The call that waits longest since it was to be made.
pub fn next_call(c: &Connection, now: UnixMs) -> Result<Option<Call>, StoreError> {
    let sql = "WHERE done_ms IS NULL AND (next_ms <= ?1 OR next_ms > ?1 + ?2)
               ORDER BY next_ms, n LIMIT 1";
    Ok(calls(c, sql, [int(now.get()), int(AHEAD_MS)])?.pop())
}

/// One call.
pub fn call(c: &Connection, n: i64) -> Result<Option<Call>, StoreError> {
    Ok(calls(c, "WHERE n = ?1", [n])?.pop())
}

/// The calls of an attempt, the first first.
pub fn calls_of(c: &Connection, payment_n: i64) -> Result<Vec<Call>, StoreError> {
    calls(c, "WHERE payment_n = ?1 ORDER BY n", [payment_n])
}

/// Calls that wait for an answer, oldest first.
pub fn waiting(c: &Connection, limit: u32) -> Result<Vec<Call>, StoreError> {
    calls(c, "WHERE done_ms IS NULL ORDER BY n LIMIT ?1", [limit])
}

/// Writes down how a call stands.
pub fn put_call(tx: &Tx<'_>, of: &Call) -> Result<(), StoreError> {
    let sql =
        "UPDATE card_call SET minor = ?2, attempts = ?3, next_ms = ?4, done_ms = ?5, entry = ?6,
                 problem = ?7 WHERE n = ?1";
    tx.prepare_cached(sql)?.execute(params![
        of.n,
        of.minor,
        of.attempts,
        int(of.next.get()),
        of.done.map(|at| int(at.get())),
        of.entry.as_ref().map(|entry| entry.as_bytes()),
        of.problem,
    ])?;
    Ok(())
}

/// Makes every waiting call due: a process that made one may have ended with it.
pub fn wake_calls(tx: &Tx<'_>, now: UnixMs) -> Result<(), StoreError> {
    let sql = "UPDATE card_call SET next_ms = ?1 WHERE done_ms IS NULL AND next_ms > ?1";
    tx.prepare_cached(sql)?.execute([int(now.get())])?;
    Ok(())
}

fn calls<P: Params>(c: &Connection, rest: &str, with: P) -> Result<Vec<Call>, StoreError> {
    let sql = format!("SELECT {CALL} FROM card_call {rest}");
    let mut select = c.prepare_cached(&sql)?;
    let mut rows = select.query(with)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let what: String = row.get(2)?;
        let who: Option<Vec<u8>> = row.get(5)?;
        let entry: Option<Vec<u8>> = row.get(9)?;
        all.push(Call {
            n: row.get(0)?,
            payment_n: row.get(1)?,
            what: What::named(&what).ok_or_else(|| StoreError::damaged("a call", &what))?,
            key: row.get(3)?,
            minor: row.get(4)?,
            who: who.map(|who| key_of(&who)).transpose()?,
            attempts: row.get(6)?,
            next: UnixMs::new(uint("a time", row.get(7)?)?),
            done: time(row.get(8)?)?,
            entry: entry.map(|entry| super::hash_of("an entry", &entry)).transpose()?,
            problem: row.get(10)?,
        });
    }
    Ok(all)
}

/// Notes an event; whether it is new. Those that the provider sends no more are forgotten.
pub fn note_event(tx: &Tx<'_>, id: &str, at: UnixMs, keep_ms: u64) -> Result<bool, StoreError> {
    let old = int(at.minus_ms(keep_ms).get());
    tx.prepare_cached("DELETE FROM card_event WHERE at_ms < ?1")?.execute([old])?;
    let sql = "INSERT INTO card_event (id, at_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.prepare_cached(sql)?.execute((id, int(at.get())))? == 1)
}

/// Writes down what the provider says of a payment.
pub fn put_charge(tx: &Tx<'_>, charge: &Charge, seen: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO card_charge (id, intent, at_ms, currency, minor, captured, refunded_minor, seen_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET
                 minor = excluded.minor, captured = excluded.captured,
                 refunded_minor = excluded.refunded_minor, seen_ms = excluded.seen_ms";
    tx.prepare_cached(sql)?.execute(params![
        charge.id,
        charge.intent,
        int(charge.at.get()),
        charge.currency,
        charge.minor,
        charge.captured,
        charge.refunded_minor,
        int(seen.get()),
    ])?;
    Ok(())
}

/// Payments at the provider that belong to no attempt of ours, and that nobody set aside.
pub fn strangers(c: &Connection, limit: u32) -> Result<Vec<Charge>, StoreError> {
    let sql = "SELECT c.id, c.intent, c.at_ms, c.currency, c.minor, c.captured, c.refunded_minor
               FROM card_charge c LEFT JOIN card_payment p ON p.intent = c.intent
               WHERE p.n IS NULL AND c.aside IS NULL AND c.minor > c.refunded_minor
               ORDER BY c.at_ms, c.id LIMIT ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Charge {
            id: row.get(0)?,
            intent: row.get(1)?,
            at: UnixMs::new(uint("a time", row.get(2)?)?),
            currency: row.get(3)?,
            minor: row.get(4)?,
            captured: row.get(5)?,
            refunded_minor: row.get(6)?,
        });
    }
    Ok(all)
}

/// Says why a payment at the provider is no money of an order; whether there is such a one.
pub fn set_charge_aside(tx: &Tx<'_>, id: &str, why: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE card_charge SET aside = ?2 WHERE id = ?1 AND aside IS NULL";
    Ok(tx.prepare_cached(sql)?.execute((id, why))? == 1)
}

/// The number and id of an attempt's order.
pub fn order_of(c: &Connection, order_n: i64) -> Result<(String, OrderId), StoreError> {
    let row = super::orders::by_number(c, order_n)?;
    Ok((row.number, row.id))
}

fn time(ms: Option<i64>) -> Result<Option<UnixMs>, StoreError> {
    Ok(ms.map(|ms| uint("a time", ms)).transpose()?.map(UnixMs::new))
}

fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let state: String = row.get(6)?;
    Ok(Attempt {
        n: row.get(0)?,
        order_n: row.get(1)?,
        attempt: row.get(2)?,
        key: row.get(3)?,
        minor: row.get(4)?,
        intent: row.get(5)?,
        state: State::named(&state).ok_or_else(|| StoreError::damaged("an attempt", &state))?,
        until: time(row.get(7)?)?,
        captured_minor: row.get(8)?,
        begun: UnixMs::new(uint("a time", row.get(9)?)?),
        look: UnixMs::new(uint("a time", row.get(10)?)?),
        seen_seq: row.get(11)?,
        trouble: row.get(12)?,
    })
}
