//! The floor of what thin clients do: as many raw durable commits, in as many databases.
//!
//! A hosted household has a database of its own, so what different people do there cannot be committed
//! together. What they do in the hub's own database can: the floor does it in groups.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use kirana_hub::{app::hosted::HOUSEHOLD, backup::DATABASE, serve::HOSTED};
use kirana_migrations::rusqlite::Connection;

use crate::{
    clock::{Stopwatch, processor},
    report::Round,
};

/// How many transactions were committed: in the household's database, and in the hub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// In the household's.
    pub household: usize,
    /// In the hub's.
    pub hub: usize,
}

impl Commits {
    /// More than anything.
    pub const MOST: Self = Self { household: usize::MAX, hub: usize::MAX };

    /// The lesser of both.
    pub fn least(self, other: Self) -> Self {
        Self { household: self.household.min(other.household), hub: self.hub.min(other.hub) }
    }

    /// How many came after others.
    pub fn since(self, before: Self) -> anyhow::Result<Self> {
        let began = "a write-ahead log began anew while it was counted";
        Ok(Self {
            household: self.household.checked_sub(before.household).context(began)?,
            hub: self.hub.checked_sub(before.hub).context(began)?,
        })
    }

    /// What the floor is called that commits as often.
    pub fn floor(self) -> String {
        format!("raw_commits_{}_household_{}_hub", self.household, self.hub)
    }
}

/// The commits in the write-ahead logs of a hub and of one household.
pub fn so_far(hub: &Path, account: &str) -> anyhow::Result<Commits> {
    let household = hub.join(HOSTED).join(account).join(HOUSEHOLD);
    Ok(Commits { household: in_log(&household)?, hub: in_log(&hub.join(DATABASE))? })
}

/// Frames that end a transaction, after <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
fn in_log(database: &Path) -> anyhow::Result<usize> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    // Where nobody wrote yet there is none.
    let log = std::fs::read(Path::new(&name)).unwrap_or_default();
    let Some((header, frames)) = log.split_at_checked(HEADER_BYTES) else { return Ok(0) };
    let page = u32::from_be_bytes(header[8..12].try_into()?) as usize;
    let salts = &header[16..24];
    let ends = |frame: &&[u8]| frame[4..8] != [0; 4];
    let current =
        frames.chunks_exact(FRAME_BYTES + page).take_while(|frame| &frame[8..16] == salts);
    Ok(current.filter(ends).count())
}

const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 24;

/// Commits as often as so many flows do, with as many households as people at once.
pub fn raw(folder: &Path, flows: usize, at_once: usize, of: Commits) -> anyhow::Result<Round> {
    std::fs::create_dir_all(folder)?;
    let households = (0..at_once).map(|n| Raw::open(&folder.join(format!("household-{n}.db"))));
    let households = households.collect::<anyhow::Result<Vec<_>>>()?;
    let hub = Raw::open(&folder.join("hub.db"))?;
    let me = std::process::id();
    let (before, whole) = (processor(me)?, Stopwatch::start());
    let each = std::thread::scope(|scope| {
        let grouped = scope.spawn(move || -> anyhow::Result<()> {
            (0..flows / at_once * of.hub).try_for_each(|_| hub.commit(at_once))
        });
        let flow = |raw: Raw| {
            scope.spawn(move || -> anyhow::Result<Vec<Duration>> {
                let one = |_| {
                    let watch = Stopwatch::start();
                    (0..of.household).try_for_each(|_| raw.commit(1))?;
                    Ok(watch.elapsed())
                };
                (0..flows / at_once).map(one).collect()
            })
        };
        let threads: Vec<_> = households.into_iter().map(flow).collect();
        let mut each = Vec::new();
        for thread in threads {
            each.extend(thread.join().map_err(|_| anyhow::anyhow!("a household panicked"))??);
        }
        grouped.join().map_err(|_| anyhow::anyhow!("the hub panicked"))??;
        anyhow::Ok(each)
    })?;
    let processor = processor(me)? - before;
    Ok(Round { operations: each.len(), took: whole.elapsed(), processor, each })
}

/// A database that commits and does nothing else.
struct Raw(Connection);

impl Raw {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let full: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        ensure!(full == FULL, "the floor would not be durable");
        let sql = "CREATE TABLE IF NOT EXISTS kept (n INTEGER PRIMARY KEY, bytes BLOB) STRICT";
        connection.execute_batch(sql)?;
        Ok(Self(connection))
    }

    /// One transaction with so many rows of about the size of an order.
    fn commit(&self, rows: usize) -> anyhow::Result<()> {
        self.0.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = self.0.prepare_cached("INSERT INTO kept (bytes) VALUES (?1)")?;
        for _ in 0..rows {
            insert.execute([&[7_u8; ROW_BYTES][..]])?;
        }
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

const ROW_BYTES: usize = 1024;
/// What SQLite calls `synchronous=FULL`.
const FULL: i64 = 2;
