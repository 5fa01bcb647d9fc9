//! Keeps what the hub knows. One function is one transaction, and SQL stands here only.
//!
//! **Invariants:** what a function reports as done is durable, and what names a person is sealed
//! before it reaches a table. With a database in memory no future here ever pends, so that the
//! simulation can wait for it without a runtime.

use kirana_core::{known_time::KnownNow, time::UnixMs};
use kirana_migrations::{Abort, Database, StoreError, Tx, WriteError, rusqlite::Connection};

pub mod account;
pub mod audit;
pub mod certificate;
pub mod client;
pub mod code;
pub mod console;
pub mod device;
pub mod factor;
pub mod hosted;
pub mod idempotency;
pub mod letter;
pub mod mail;
pub mod notice;
pub mod photo;
pub mod place;
pub mod record;
pub mod reset;
pub mod route;
pub mod secrets;
pub mod session;
pub mod setting;
pub mod shelves;
pub mod shop;
pub mod shop_owner;
pub mod sign_in;
pub mod token_key;

/// Where the data lies; the second kind is a city's, and comes later.
#[derive(Clone)]
pub enum Store {
    /// One SQLite database.
    Sqlite(Database),
}

/// A job that says no to nothing.
pub type Never = std::convert::Infallible;

impl Store {
    async fn write<T, E, F>(&self, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        let Self::Sqlite(database) = self;
        database.writer.write_async(job).await
    }

    async fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self::Sqlite(database) = self;
        database.reader.read(look)
    }

    /// A number that is another one after each commit, also by another process; `None` in memory.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn version(&self) -> Result<Option<i64>, StoreError> {
        let Self::Sqlite(database) = self;
        database.reader.version()
    }

    /// Whether something could be written now.
    pub fn is_writable(&self) -> bool {
        let Self::Sqlite(database) = self;
        !database.writer.is_full() && !database.writer.is_stopped()
    }

    /// The database, for those who copy it.
    pub fn database(&self) -> &Database {
        let Self::Sqlite(database) = self;
        database
    }

    /// Throws away what is past its time: sessions, mail, leases, remembered requests.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sweep(&self, now: UnixMs) -> Result<(), WriteError<Never>> {
        let at = to_sql(now);
        // A used code is kept a while to notice a second use; a browser's limit is half of this.
        let day_ago = to_sql(now.minus_ms(kirana_core::time::DAY_MS));
        self.write(move |tx| {
            tx.execute("DELETE FROM session WHERE ends_at <= ?1", [at])?;
            tx.execute("DELETE FROM code WHERE expires_at <= ?1", [day_ago])?;
            tx.execute("DELETE FROM browser WHERE signed_in <= ?1", [day_ago])?;
            tx.execute("DELETE FROM console WHERE signed_in <= ?1", [day_ago])?;
            tx.execute("DELETE FROM service_token WHERE expires_at <= ?1", [at])?;
            tx.execute("DELETE FROM answered WHERE until <= ?1", [at])?;
            tx.execute("DELETE FROM mail WHERE until <= ?1", [at])?;
            tx.execute("DELETE FROM record WHERE leased_until <= ?1", [at])?;
            tx.execute("DELETE FROM one_time_code WHERE expires_at <= ?1", [at])?;
            let noted = to_sql(now.minus_ms(sign_in::TRIES_KEPT_MS));
            tx.execute("DELETE FROM sign_in WHERE at <= ?1", [noted])?;
            tx.execute("DELETE FROM letter WHERE until <= ?1", [at])?;
            tx.execute("DELETE FROM route WHERE until <= ?1", [at])?;
            tx.execute("DELETE FROM partner WHERE until <= ?1", [at])?;
            let remembered = to_sql(now.minus_ms(idempotency::REMEMBERED_MS));
            tx.execute("DELETE FROM idempotency WHERE at < ?1", [remembered])?;
            Ok(())
        })
        .await
    }
}

/// A moment as SQLite keeps it.
fn to_sql(at: UnixMs) -> i64 {
    i64::try_from(at.get()).unwrap_or(i64::MAX)
}

/// Up to when deadlines have certainly passed, as SQLite keeps it.
fn past(now: KnownNow) -> i64 {
    if now.expiry_suspended { 0 } else { to_sql(now.at) }
}

/// A moment as it was kept.
fn from_sql(ms: i64) -> UnixMs {
    UnixMs::new(u64::try_from(ms).unwrap_or(0))
}
