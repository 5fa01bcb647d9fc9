//! The directory: of each shop the newest record, as it was signed, until its lease ends.

use std::collections::BTreeMap;

use kirana_core::{
    id::ShopId,
    known_time::KnownNow,
    record::{CELL_LEN, SignedRecord},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{OptionalExtension, params},
};

use super::{Never, Store, past, to_sql};

/// What records of one shop are ordered by: generation, then number.
pub type Rank = (u64, u64);

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

    /// The ranks of all records whose lease runs, perhaps only of shops that are approved here and
    /// not closed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn record_ranks(
        &self,
        only_approved: bool,
        now: KnownNow,
    ) -> Result<BTreeMap<ShopId, Rank>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT shop, generation, number FROM record WHERE leased_until > ?1
                 AND (NOT ?2 OR shop IN
                      (SELECT id FROM shop WHERE state = 'approved' AND closed_at IS NULL))
                 ORDER BY shop LIMIT 10000",
            )?;
            let rows = statement.query_map(params![past(now), only_approved], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })?;
            rows.map(|row| {
                let (shop, generation, number) = row?;
                let shop = ShopId::from_slice(&shop);
                let shop = shop.ok_or_else(|| StoreError::damaged("a record's", "shop"))?;
                Ok((shop, (generation.unsigned_abs(), number.unsigned_abs())))
            })
            .collect()
        })
        .await
    }

    /// Since when shops close down, of those whose newest record says that they do; also where its
    /// lease has ended, for then nothing newer is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn closing_since(
        &self,
        shops: Vec<ShopId>,
    ) -> Result<BTreeMap<ShopId, UnixMs>, StoreError> {
        self.read(move |c| {
            let mut statement = c.prepare_cached("SELECT bytes FROM record WHERE shop = ?1")?;
            let mut closing = BTreeMap::new();
            for shop in shops {
                let row = statement.query_row([shop.as_bytes()], |row| row.get(0));
                let Some(bytes): Option<Vec<u8>> = row.optional()? else { continue };
                let said = SignedRecord::read_again(&bytes)
                    .map_err(|_| StoreError::damaged("the record of shop", shop))?;
                closing.extend(said.closing_since.map(|since| (shop, since)));
            }
            Ok(closing)
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
