//! Remembers what earlier lines of a file were about, in a file that vanishes with the process.
//!
//! **Invariant:** memory does not grow with the number of lines.

use kirana_core::hash::Hash;
use kirana_migrations::{StoreError, rusqlite::Connection};

/// A set of words on the disk.
pub struct Seen {
    connection: Connection,
}

/// Memory for the part of the set that is not on the disk, in KiB.
const CACHE_KIB: i64 = 16 * 1024;

impl Seen {
    /// An empty set.
    ///
    /// # Errors
    /// When there is no room for a temporary file.
    pub fn new() -> Result<Self, StoreError> {
        // A database without a name is SQLite's own temporary file, deleted when it is closed.
        let connection = Connection::open("")?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.execute_batch(
            "CREATE TABLE seen (word BLOB PRIMARY KEY) STRICT, WITHOUT ROWID; BEGIN",
        )?;
        Ok(Self { connection })
    }

    /// Puts a word in; whether it was not there before.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn insert(&self, word: &str) -> Result<bool, StoreError> {
        let digest = Hash::of(word.as_bytes());
        let sql = "INSERT INTO seen (word) VALUES (?1) ON CONFLICT DO NOTHING";
        Ok(self.connection.prepare_cached(sql)?.execute([&digest.as_bytes()[..16]])? == 1)
    }
}
