//! What the shop remembers of others: its own generations, certificates that came along, lists of
//! withdrawn ones, and challenges it gave.

use kirana_core::{
    cbor,
    key::{KeyId, PublicKey},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};
use minicbor::bytes::ByteVec;

use super::{int, uint};

/// One time that this shop's data began on a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number, from 1.
    pub n: u64,
    /// The box's key.
    pub node: PublicKey,
    /// The owner's certificate for it.
    pub certificate: Vec<u8>,
    /// Since when.
    pub since: UnixMs,
}

/// All generations, oldest first.
pub fn generations(c: &Connection) -> Result<Vec<Generation>, StoreError> {
    let sql = "SELECT n, node, certificate, since_ms FROM generation ORDER BY n";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let n = uint("a generation", row.get(0)?)?;
        let node: [u8; 32] = row.get(1)?;
        all.push(Generation {
            n,
            node: PublicKey::from_bytes(&node)
                .map_err(|_| StoreError::damaged("the key of generation", n))?,
            certificate: row.get(2)?,
            since: UnixMs::new(uint("a time", row.get(3)?)?),
        });
    }
    Ok(all)
}

/// The generation and key of the box that signs by this name, if one of this shop's does.
pub fn box_of(c: &Connection, signer: KeyId) -> Result<Option<(u64, PublicKey)>, StoreError> {
    let mut statement = c.prepare_cached("SELECT n, node FROM generation ORDER BY n")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (n, node) = (uint("a generation", row.get(0)?)?, row.get::<_, [u8; 32]>(1)?);
        // A name is quickly compared; a key takes a while to be read.
        if KeyId::of(&node) == signer {
            let key = PublicKey::from_bytes(&node);
            let key = key.map_err(|_| StoreError::damaged("the key of generation", n))?;
            return Ok(Some((n, key)));
        }
    }
    Ok(None)
}

/// The key of one generation.
pub fn node_of(c: &Connection, generation: u64) -> Result<Option<PublicKey>, StoreError> {
    let sql = "SELECT node FROM generation WHERE n = ?1";
    let node: Option<[u8; 32]> =
        c.prepare_cached(sql)?.query_row([int(generation)], |row| row.get(0)).optional()?;
    let read = |node: [u8; 32]| {
        PublicKey::from_bytes(&node)
            .map_err(|_| StoreError::damaged("the key of generation", generation))
    };
    node.map(read).transpose()
}

/// Adds a generation; one that is known already stays as it is.
pub fn add_generation(tx: &Tx<'_>, generation: &Generation) -> Result<(), StoreError> {
    let sql = "INSERT INTO generation (n, node, certificate, since_ms) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (n) DO NOTHING";
    tx.prepare_cached(sql)?.execute((
        int(generation.n),
        generation.node.as_bytes(),
        &generation.certificate,
        int(generation.since.get()),
    ))?;
    Ok(())
}

/// Adds a generation, or puts another owner's certificate for the same box in its place.
pub fn certify_generation(tx: &Tx<'_>, generation: &Generation) -> Result<(), StoreError> {
    add_generation(tx, generation)?;
    let sql = "UPDATE generation SET certificate = ?2 WHERE n = ?1 AND node = ?3";
    tx.prepare_cached(sql)?.execute((
        int(generation.n),
        &generation.certificate,
        generation.node.as_bytes(),
    ))?;
    Ok(())
}

/// The certificates of a key, leaf first, as they last came.
pub fn chain(c: &Connection, key: KeyId) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
    let sql = "SELECT chain FROM known_chain WHERE key = ?1";
    let bytes: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([key.as_bytes()], |row| row.get(0)).optional()?;
    let read = |bytes: Vec<u8>| -> Result<Vec<Vec<u8>>, StoreError> {
        let chain: Vec<ByteVec> = cbor::from_slice("certificates", &bytes, CHAIN_BYTES_MAX)
            .map_err(|e| StoreError::damaged("the certificates of a key", e))?;
        Ok(chain.into_iter().map(Vec::from).collect())
    };
    bytes.map(read).transpose()
}

/// Remembers the certificates of a key.
pub fn put_chain(tx: &Tx<'_>, key: KeyId, chain: &[Vec<u8>], at: UnixMs) -> Result<(), StoreError> {
    let chain: Vec<ByteVec> = chain.iter().cloned().map(ByteVec::from).collect();
    let sql = "INSERT INTO known_chain (key, chain, seen_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT (key) DO UPDATE SET chain = excluded.chain, seen_ms = excluded.seen_ms
               WHERE chain <> excluded.chain";
    tx.prepare_cached(sql)?.execute((key.as_bytes(), cbor::to_vec(&chain), int(at.get())))?;
    Ok(())
}

/// All lists of withdrawn certificates, as signed.
pub fn lists(c: &Connection) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = c.prepare_cached("SELECT bytes FROM revocation_list ORDER BY issuer")?;
    let lists = statement.query_map([], |row| row.get(0))?;
    Ok(lists.collect::<Result<_, _>>()?)
}

/// Remembers a list unless a newer one of the same issuer is there.
pub fn put_list(
    tx: &Tx<'_>,
    issuer: KeyId,
    number: u64,
    bytes: &[u8],
    at: UnixMs,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO revocation_list (issuer, number, bytes, seen_ms)
               VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (issuer) DO UPDATE SET number = excluded.number,
                 bytes = excluded.bytes, seen_ms = excluded.seen_ms
               WHERE number < excluded.number";
    let rows =
        tx.prepare_cached(sql)?.execute((issuer.as_bytes(), int(number), bytes, int(at.get())))?;
    Ok(rows > 0)
}

/// Notes that a nonce was answered; `false` when it was answered before. Old ones are forgotten:
/// they are refused by their age.
pub fn use_nonce(tx: &Tx<'_>, nonce: &[u8], now: UnixMs) -> Result<bool, StoreError> {
    tx.prepare_cached("DELETE FROM nonce WHERE until_ms < ?1")?.execute([int(now.get())])?;
    let until = now.plus_ms(2 * kirana_core::challenge::NONCE_LIFETIME_MS);
    let sql = "INSERT INTO nonce (nonce, until_ms) VALUES (?1, ?2) ON CONFLICT (nonce) DO NOTHING";
    Ok(tx.prepare_cached(sql)?.execute((nonce, int(until.get())))? == 1)
}

const CHAIN_BYTES_MAX: usize = 8 * 1024;
