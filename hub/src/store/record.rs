//! The directory: of each shop the newest record, as it was signed, until its lease ends.

use kirana_core::{
    id::ShopId,
    known_time::KnownNow,
    record::{CELL_LEN, SignedRecord},
};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{OptionalExtension, params},
};

use super::{Never, Store, past, to_sql};

/// What came of publishing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is in the directory.
    Kept,
    /// One with a higher generation or number is.
    Older,
    /// Another one with this very number is: whichever came first stays.
    Doubled,
}

impl Store {
    /// Keeps a record unless a higher one, or another one of its rank, is here.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn publish(&self, record: SignedRecord) -> Result<Published, WriteError<Never>> {
        self.write(move |tx| {
            let said = record.record();
            let (generation, number) = record.rank();
            let there: Option<((i64, i64), Vec<u8>)> = tx
                .prepare_cached("SELECT generation, number, bytes FROM record WHERE shop = ?1")?
                .query_row([said.shop.as_bytes()], |row| {
                    Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
                })
                .optional()?;
            let this = (signed(generation), signed(number));
            match there {
                Some((there, _)) if there > this => return Ok(Published::Older),
                Some((there, bytes)) if there == this => {
                    let is_same = bytes == record.bytes();
                    return Ok(if is_same { Published::Kept } else { Published::Doubled });
                }
                Some(_) | None => {}
            }
            tx.execute(
                "INSERT OR REPLACE INTO record
                 (shop, generation, number, cell, leased_until, bytes) VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    said.shop.as_bytes(),
                    this.0,
                    this.1,
                    said.cell().map_or(String::new(), |cell| cell.to_string()),
                    to_sql(said.until),
                    record.bytes()
                ],
            )?;
            Ok(Published::Kept)
        })
        .await
    }

    /// A shop's record, while its lease lasts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn record(&self, shop: ShopId, now: KnownNow) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| {
            let mut statement =
                c.prepare_cached("SELECT bytes FROM record WHERE shop = ?1 AND leased_until > ?2")?;
            let args = params![shop.as_bytes(), past(now)];
            Ok(statement.query_row(args, |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Records of shops in a cell of any precision up to [`CELL_LEN`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn records_in(
        &self,
        cell: &str,
        limit: usize,
        now: KnownNow,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let cell: String = cell.chars().take(CELL_LEN.into()).collect();
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT bytes FROM record WHERE cell >= ?1 AND cell < ?1 || '~'
                 AND leased_until > ?2 ORDER BY cell, shop LIMIT ?3",
            )?;
            let args = params![cell, past(now), limit as i64];
            let rows = statement.query_map(args, |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
