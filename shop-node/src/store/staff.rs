//! Who works here: devices by their certificates, the shop's own roles, and people with PINs.
//!
//! **Invariant:** certificates are kept as they were signed; a PIN is kept hashed only.

use kirana_core::{certificate::Serial, hash::Hash, id::ShopId, key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// One certificate of somebody who works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The device.
    pub device: KeyId,
    /// The owner's certificate for it, as signed.
    pub certificate: Vec<u8>,
    /// Which of the shop's own roles it holds, where it holds one.
    pub own_role: Option<String>,
}

/// Keeps a certificate; one that is known stays as it is.
pub fn put(tx: &Tx<'_>, serial: Serial, c: &Certified, issued: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO staff_certificate (serial, device, certificate, own_role, issued_ms)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (serial) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![
        serial.as_bytes(),
        c.device.as_bytes(),
        c.certificate,
        c.own_role,
        int(issued.get()),
    ])?;
    Ok(())
}

/// Which of the shop's own roles a certificate is for, where it is for one.
pub fn own_role(c: &Connection, serial: Serial) -> Result<Option<String>, StoreError> {
    let sql = "SELECT own_role FROM staff_certificate WHERE serial = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let role: Option<Option<String>> =
        statement.query_row([serial.as_bytes()], |row| row.get(0)).optional()?;
    Ok(role.flatten())
}

/// The certificates of one device, the newest first.
pub fn of_device(c: &Connection, device: KeyId) -> Result<Vec<Certified>, StoreError> {
    let sql = "SELECT device, certificate, own_role FROM staff_certificate WHERE device = ?1
               ORDER BY issued_ms DESC, serial";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([device.as_bytes()], certified)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All certificates, by device, the newest of each first.
pub fn all(c: &Connection) -> Result<Vec<Certified>, StoreError> {
    let sql = "SELECT device, certificate, own_role FROM staff_certificate
               ORDER BY device, issued_ms DESC, serial";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([], certified)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keys whose certificates name the shop, among those that came along: earlier versions of this
/// program kept those of staff nowhere else.
pub fn kept_among_others(c: &Connection, shop: ShopId) -> Result<Vec<KeyId>, StoreError> {
    let sql = "SELECT key FROM known_chain WHERE instr(chain, ?1) > 0 AND key NOT IN
               (SELECT device FROM staff_certificate) ORDER BY key";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([shop.as_bytes()], |row| id(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn certified(row: &Row<'_>) -> kirana_migrations::rusqlite::Result<Certified> {
    Ok(Certified { device: id(row, 0)?, certificate: row.get(1)?, own_role: row.get(2)? })
}

/// Sixteen bytes; the schema sees to their number.
fn id(row: &Row<'_>, at: usize) -> kirana_migrations::rusqlite::Result<KeyId> {
    let bytes: [u8; 16] = row.get(at)?;
    Ok(KeyId::from_bytes(bytes))
}

/// The words of what one of the shop's own roles permits.
pub fn role(c: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT permissions FROM staff_role WHERE name = ?1";
    Ok(c.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}

/// The shop's own roles by name.
pub fn roles(c: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT name, permissions FROM staff_role ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes or changes one of the shop's own roles.
pub fn put_role(tx: &Tx<'_>, name: &str, permissions: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO staff_role (name, permissions) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions";
    tx.prepare_cached(sql)?.execute((name, permissions))?;
    Ok(())
}

/// Forgets one of the shop's own roles; whether there was one.
pub fn remove_role(tx: &Tx<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM staff_role WHERE name = ?1", [name])? > 0)
}

/// Somebody who takes turns at a till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Looks like a key's, so that it stands where a device's would.
    pub id: KeyId,
    /// What they type at the till.
    pub name: String,
    /// The word of their role.
    pub role: String,
    /// The hashed PIN, if one was set.
    pub pin: Option<String>,
    /// Grows with each change that ends open sessions.
    pub version: u64,
    /// Since when.
    pub since: UnixMs,
}

const PERSON: &str = "SELECT id, name, role, pin, version, since_ms FROM staff_person";

/// The person of an id.
pub fn person(c: &Connection, who: KeyId) -> Result<Option<Person>, StoreError> {
    let sql = format!("{PERSON} WHERE id = ?1");
    read(c.prepare_cached(&sql)?.query_row([who.as_bytes()], fields).optional()?)
}

/// The person of a name, in any case.
pub fn named(c: &Connection, name: &str) -> Result<Option<Person>, StoreError> {
    let sql = format!("{PERSON} WHERE name = ?1");
    read(c.prepare_cached(&sql)?.query_row([name], fields).optional()?)
}

/// Everybody, by name.
pub fn everybody(c: &Connection) -> Result<Vec<Person>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{PERSON} ORDER BY name"))?;
    let rows = statement.query_map([], fields)?.collect::<Result<Vec<_>, _>>()?;
    Ok(rows
        .into_iter()
        .map(|row| read(Some(row)))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

type Fields = (KeyId, String, String, Option<String>, i64, i64);

fn fields(row: &Row<'_>) -> kirana_migrations::rusqlite::Result<Fields> {
    Ok((id(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn read(row: Option<Fields>) -> Result<Option<Person>, StoreError> {
    let Some((id, name, role, pin, version, since)) = row else { return Ok(None) };
    let (version, since) = (uint("a version", version)?, UnixMs::new(uint("a time", since)?));
    Ok(Some(Person { id, name, role, pin, version, since }))
}

/// Takes somebody in, or changes them; `false` when another person has the name.
pub fn put_person(tx: &Tx<'_>, person: &Person) -> Result<bool, StoreError> {
    if named(tx, &person.name)?.is_some_and(|other| other.id != person.id) {
        return Ok(false);
    }
    let sql = "INSERT INTO staff_person (id, name, role, pin, version, since_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role,
                 pin = excluded.pin, version = excluded.version";
    tx.prepare_cached(sql)?.execute(params![
        person.id.as_bytes(),
        person.name,
        person.role,
        person.pin,
        int(person.version),
        int(person.since.get()),
    ])?;
    Ok(true)
}

/// Forgets somebody with their PIN; whether there was one.
pub fn remove_person(tx: &Tx<'_>, who: KeyId) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM staff_person WHERE id = ?1", [who.as_bytes()])? > 0)
}

/// How many wrong PINs in a row there were, and until when no other is looked at.
pub fn failures(c: &Connection, who: KeyId, till: KeyId) -> Result<(u32, UnixMs), StoreError> {
    let sql = "SELECT failures, until_ms FROM pin_failure WHERE person = ?1 AND till = ?2";
    let row: Option<(u32, i64)> = c
        .prepare_cached(sql)?
        .query_row([who.as_bytes(), till.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (failures, until) = row.unwrap_or_default();
    Ok((failures, UnixMs::new(uint("a time", until)?)))
}

/// Notes one more wrong PIN.
pub fn fail(
    tx: &Tx<'_>,
    who: KeyId,
    till: KeyId,
    failures: u32,
    until: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO pin_failure (person, till, failures, until_ms) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (person, till) DO UPDATE SET failures = excluded.failures,
                 until_ms = excluded.until_ms";
    let until = int(until.get());
    tx.prepare_cached(sql)?.execute(params![who.as_bytes(), till.as_bytes(), failures, until])?;
    Ok(())
}

/// Forgets wrong PINs: at one till, or at all of them.
pub fn forgive(tx: &Tx<'_>, who: KeyId, till: Option<KeyId>) -> Result<(), StoreError> {
    let till = till.as_ref().map(KeyId::as_bytes);
    let sql = "DELETE FROM pin_failure WHERE person = ?1 AND (?2 IS NULL OR till = ?2)";
    tx.prepare_cached(sql)?.execute(params![who.as_bytes(), till])?;
    Ok(())
}

/// Notes who had an entry of an order written, and at which till.
pub fn put_entry_by(
    tx: &Tx<'_>,
    entry: Hash,
    who: KeyId,
    till: Option<KeyId>,
) -> Result<(), StoreError> {
    let till = till.as_ref().map(KeyId::as_bytes);
    let sql = "INSERT INTO entry_by (entry, who, till) VALUES (?1, ?2, ?3)
               ON CONFLICT (entry) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![entry.as_bytes(), who.as_bytes(), till])?;
    Ok(())
}

/// Who had an entry of an order written, and at which till, where that is known.
pub fn entry_by(c: &Connection, entry: Hash) -> Result<Option<(KeyId, Option<KeyId>)>, StoreError> {
    let sql = "SELECT who, till FROM entry_by WHERE entry = ?1";
    let read = |row: &Row<'_>| {
        let till: Option<[u8; 16]> = row.get(1)?;
        Ok((id(row, 0)?, till.map(KeyId::from_bytes)))
    };
    Ok(c.prepare_cached(sql)?.query_row([entry.as_bytes()], read).optional()?)
}
