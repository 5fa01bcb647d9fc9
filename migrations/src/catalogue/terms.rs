//! On which terms shops hand goods over, as they signed it.
//!
//! **Invariant:** only what was verified is put here, and the number only goes up.

use kirana_core::{
    id::ShopId,
    terms::{Published, SignedTerms, UnverifiedTerms},
};
use rusqlite::{Connection, OptionalExtension};

use super::int;
use crate::{StoreError, Tx};

/// What a shop said last, if anything.
///
/// # Errors
/// [`StoreError`].
pub fn get(c: &Connection, shop: ShopId) -> Result<Option<Published>, StoreError> {
    let read = |bytes: Vec<u8>| match UnverifiedTerms::parse(&bytes) {
        Ok(read) => Ok(read.claimed().clone()),
        Err(_) => Err(StoreError::damaged("the terms of", shop)),
    };
    signed(c, shop)?.map(read).transpose()
}

/// What a shop said last, as it was signed, to be handed on.
///
/// # Errors
/// [`StoreError`].
pub fn signed(c: &Connection, shop: ShopId) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select = c.prepare_cached("SELECT signed FROM shop_terms WHERE shop = ?1")?;
    Ok(select.query_row([shop.as_bytes()], |row| row.get(0)).optional()?)
}

/// Keeps terms where they are news; says whether they were.
///
/// # Errors
/// [`StoreError`].
pub fn keep(tx: &Tx<'_>, signed: &SignedTerms) -> Result<bool, StoreError> {
    let said = signed.said();
    let sql = "INSERT INTO shop_terms (shop, generation, n, signed) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (shop) DO UPDATE SET generation = ?2, n = ?3, signed = ?4
               WHERE (generation, n) < (?2, ?3)";
    let row = (said.shop.as_bytes(), int(said.generation), int(said.n), signed.bytes());
    Ok(tx.prepare_cached(sql)?.execute(row)? > 0)
}
