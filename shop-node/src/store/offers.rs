//! What is for sale, at what price, and whether it is counted: the decision reads it here.

use kirana_core::{
    catalogue::pricing::Schedule,
    cbor,
    id::{ProductId, VariantId},
    money::{Currency, Price},
    quantity::Unit,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row},
};

use super::{int, uint};

/// The longest stored schedule, in bytes.
const TERMS_BYTES_MAX: usize = 4096;

/// One size or pack of a product as it is sold now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// What is sold.
    pub variant: VariantId,
    /// Of which product.
    pub product: ProductId,
    /// The usual price, tax included.
    pub price: Price,
    /// Prices for a time, and deals.
    pub schedule: Schedule,
    /// The tax inside it, in basis points.
    pub tax_bp: u32,
    /// How it is measured.
    pub unit: Unit,
    /// Whether the ledger knows how much there is; if not, only a person accepts.
    pub counted: bool,
    /// Base units that are never promised.
    pub safety: u64,
    /// Number of the price among the shop's catalogue changes.
    pub version: u64,
    /// Whether nothing is sold of it until somebody has counted.
    pub closed: bool,
    /// From which age on it is sold, in years.
    pub age_min: Option<u8>,
}

/// Reads one.
pub fn get(c: &Connection, variant: VariantId) -> Result<Option<Shelf>, StoreError> {
    let sql = "SELECT variant, product, currency, minor, per, tax_bp, unit, counted, safety,
                      version, closed, terms, age_min
               FROM offer WHERE variant = ?1";
    let mut statement = c.prepare_cached(sql)?;
    statement.query_row([variant.as_bytes()], |row| Ok(read(row))).optional()?.transpose()
}

/// Writes one as the catalogue says; whether it is closed stays as it was.
pub fn put(tx: &Tx<'_>, shelf: &Shelf) -> Result<(), StoreError> {
    let sql = "INSERT INTO offer (variant, product, currency, minor, per, tax_bp, unit, counted,
                                  safety, version, closed, terms, age_min)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
               ON CONFLICT (variant) DO UPDATE SET
                 product = excluded.product, currency = excluded.currency,
                 minor = excluded.minor, per = excluded.per, tax_bp = excluded.tax_bp,
                 unit = excluded.unit, counted = excluded.counted, safety = excluded.safety,
                 version = excluded.version, terms = excluded.terms,
                 age_min = excluded.age_min";
    tx.prepare_cached(sql)?.execute((
        shelf.variant.as_bytes(),
        shelf.product.as_bytes(),
        shelf.price.currency.as_str(),
        shelf.price.minor,
        int(shelf.price.per),
        shelf.tax_bp,
        shelf.unit.as_str(),
        shelf.counted,
        int(shelf.safety),
        int(shelf.version),
        shelf.closed,
        (!shelf.schedule.is_empty()).then(|| cbor::to_vec(&shelf.schedule)),
        shelf.age_min,
    ))?;
    Ok(())
}

/// Takes one off the shelf.
pub fn remove(tx: &Tx<'_>, variant: VariantId) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM offer WHERE variant = ?1")?.execute([variant.as_bytes()])?;
    Ok(())
}

/// Closes everything that is counted, because the ledger may be wrong after a restore.
pub fn close_counted(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE offer SET closed = 1 WHERE counted = 1", [])?;
    Ok(())
}

/// Opens one that was counted, or all of them.
pub fn reopen(tx: &Tx<'_>, variant: Option<VariantId>) -> Result<(), StoreError> {
    match variant {
        Some(variant) => {
            let sql = "UPDATE offer SET closed = 0 WHERE variant = ?1";
            tx.prepare_cached(sql)?.execute([variant.as_bytes()])?;
        }
        None => {
            tx.execute("UPDATE offer SET closed = 0 WHERE closed = 1", [])?;
        }
    }
    Ok(())
}

/// How many are closed.
pub fn closed(c: &Connection) -> Result<u64, StoreError> {
    let count = c.query_row("SELECT count(*) FROM offer WHERE closed = 1", [], |r| r.get(0))?;
    uint("a count", count)
}

fn read(row: &Row<'_>) -> Result<Shelf, StoreError> {
    let variant: Vec<u8> = row.get(0)?;
    let damaged = || StoreError::damaged("the offer", "of a variant");
    let currency: String = row.get(2)?;
    let currency: Currency = currency.parse().map_err(|_| damaged())?;
    let unit: String = row.get(6)?;
    Ok(Shelf {
        variant: VariantId::from_slice(&variant).ok_or_else(damaged)?,
        product: ProductId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?,
        price: Price { currency, minor: row.get(3)?, per: uint("a price", row.get(4)?)? },
        tax_bp: row.get(5)?,
        unit: unit.parse().map_err(|_| damaged())?,
        counted: row.get(7)?,
        safety: uint("a safety stock", row.get(8)?)?,
        version: uint("a price version", row.get(9)?)?,
        closed: row.get(10)?,
        age_min: row.get(12)?,
        schedule: match row.get::<_, Option<Vec<u8>>>(11)? {
            Some(bytes) => cbor::from_slice("planned prices", &bytes, TERMS_BYTES_MAX)
                .map_err(|_| damaged())?,
            None => Schedule::default(),
        },
    })
}
