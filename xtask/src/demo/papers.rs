//! What somebody finds who opens a household's folder or a file that carries an order.

use std::path::Path;

use anyhow::Context;
use kirana_core::cbor;
use kirana_core::mail::{Mail, SEALED_BYTES_MAX};
use minicbor::bytes::ByteVec;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

/// An order as its household signed it, with the certificates that prove who that is.
#[derive(Debug)]
pub struct Letter {
    /// The first entry, byte for byte.
    pub entry: Vec<u8>,
    /// The author's certificates, leaf first.
    pub certificates: Vec<ByteVec>,
}

impl Letter {
    /// An order from a household's database, and the certificates from the file that carries it.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn steal(database: &Path, order: &str, file: &Path) -> anyhow::Result<Self> {
        let id = Uuid::try_parse(order)?;
        let entry = open(database)?
            .query_row(
                "SELECT bytes FROM entry WHERE order_id = ?1 AND seq = 0",
                [id.as_bytes().as_slice()],
                |row| row.get(0),
            )
            .with_context(|| format!("the first entry of order {order}"))?;
        let mail: Mail =
            cbor::from_slice("a file with an order", &std::fs::read(file)?, 2 * SEALED_BYTES_MAX)?;
        Ok(Self { entry, certificates: mail.certificates })
    }
}

/// The certificates of a shop that a household keeps.
///
/// # Errors
/// When the household does not know the shop.
pub fn certificates_of(database: &Path, shop: &str) -> anyhow::Result<Vec<ByteVec>> {
    let id = Uuid::try_parse(shop)?;
    let list: Vec<u8> = open(database)?
        .query_row(
            "SELECT certificates FROM shop WHERE shop_id = ?1",
            [id.as_bytes().as_slice()],
            |row| row.get(0),
        )
        .with_context(|| format!("the certificates of shop {shop}"))?;
    Ok(cbor::from_slice("a list of certificates", &list, SEALED_BYTES_MAX)?)
}

fn open(database: &Path) -> anyhow::Result<Connection> {
    Ok(Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}
