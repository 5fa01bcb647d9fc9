//! Credit books: their signed entries, what is noted beside them, what is reserved and who waits.
//!
//! **Invariant:** an order's entry that moves money on credit has one entry in one book (a unique
//! index says so), and what is read back has had its signature and its noted end checked again.

use kirana_core::{
    cbor,
    hash::Hash,
    id::{KhataId, ShopId},
    key::{KeyId, PublicKey},
    khata::{
        PAGE_ENTRIES,
        act::{Act, Of},
        book::Book,
        chain::{Entry, Khata, Tip},
        dues::Dues,
    },
    order::chain::{Author, Authored},
    statement::{Party, UnverifiedStatement},
    time::UnixMs,
};
use kirana_migrations::{
    Head, StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Params, Row, params},
};

mod beside;

pub use beside::{
    all_holds, erase, held_for, held_in, hold, move_holds, part, put_part, put_request, request,
};

use super::{hash_of, int, known, orders::generation_of, party_key, party_of, uint};

/// What is noted beside a book's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KhataRow {
    /// Its number in this database.
    pub n: i64,
    /// Its name.
    pub id: KhataId,
    /// Who holds the other copy.
    pub holder: Option<Party>,
    /// The key of what is personal, wrapped; nothing once the person was erased.
    pub wrapped_key: Option<Vec<u8>>,
    /// The hash of the part with name and phone.
    pub personal: Option<Hash>,
    /// What is owed, in minor units.
    pub balance: i64,
    /// What may be owed, in minor units.
    pub limit: i64,
    /// What is not paid yet.
    pub dues: Dues,
    /// Since when it is open.
    pub opened_at: UnixMs,
    /// Whether it is open.
    pub is_open: bool,
    /// The generation of the last entry.
    pub generation: u64,
    /// The place of the last entry.
    pub seq: u32,
    /// The hash of the last entry.
    pub head: Hash,
    /// What the customer countersigned last: when, up to which entry, which balance.
    pub signed: Option<(UnixMs, Hash, i64)>,
    /// Since when the customer disagrees.
    pub disputed_at: Option<UnixMs>,
    /// When the shop reminded last.
    pub reminded_at: Option<UnixMs>,
    /// When a device was linked.
    pub claimed_at: Option<UnixMs>,
    /// Whether its holder has to be heard first, after a restore.
    pub waits_for_heads: bool,
    /// Whether it came back beside another book of its holder, and waits for the owner to join them.
    pub aside: bool,
}

impl KhataRow {
    /// What follows from a whole book.
    pub fn follow(&mut self, khata: &Khata) {
        let book: &Book = khata.book();
        (self.holder, self.personal) = (book.holder, book.personal.or(self.personal));
        (self.balance, self.limit) = (book.balance.minor, book.limit.minor);
        (self.dues, self.opened_at) = (book.dues.clone(), book.opened_at);
        self.is_open = book.closed_at.is_none();
        let last = khata.last();
        (self.generation, self.seq, self.head) = (last.generation(), last.seq(), last.hash());
        self.signed =
            book.countersigned.and_then(|mark| Some((mark.at, mark.head, mark.balance?.minor)));
        self.disputed_at = book.disputed.map(|mark| mark.at);
        self.reminded_at = book.reminded_at;
        let mut claims = khata.entries().iter().filter(|e| matches!(e.line().act, Act::Claimed(_)));
        self.claimed_at = claims.next_back().map(Entry::at);
    }

    /// What follows from the next entry, which ends at `tip`.
    pub fn step(&mut self, tip: &Tip, act: &Act, at: UnixMs) {
        let balance = tip.after.balance.minor;
        self.dues.moved(at, balance - self.balance, balance);
        (self.balance, self.limit) = (balance, tip.after.limit.minor);
        (self.seq, self.head, self.generation) = (tip.seq, tip.head, tip.generation);
        self.holder = tip.holder;
        match act {
            Act::Closed(_) => self.is_open = false,
            Act::Claimed(_) => self.claimed_at = Some(at),
            Act::Countersigned(said) => {
                self.signed = Some((at, said.head, said.balance.minor));
                self.disputed_at = None;
            }
            Act::Disputed(_) => self.disputed_at = Some(at),
            Act::Reminded(_) => self.reminded_at = Some(at),
            _ => {}
        }
    }
}

const COLUMNS: &str = "n, id, holder, wrapped_key, personal, balance_minor, limit_minor, dues,
    opened_ms, is_open, generation, seq, head, signed_ms, signed_head, signed_minor, disputed_ms,
    reminded_ms, claimed_ms, waits_for_heads, aside";

/// A book by its name.
pub fn find(c: &Connection, id: KhataId) -> Result<Option<KhataRow>, StoreError> {
    one(c, &format!("SELECT {COLUMNS} FROM khata WHERE id = ?1"), [id.as_bytes()])
}

/// A book by its number.
pub fn by_number(c: &Connection, n: i64) -> Result<KhataRow, StoreError> {
    let found = one(c, &format!("SELECT {COLUMNS} FROM khata WHERE n = ?1"), [n])?;
    found.ok_or_else(|| StoreError::damaged("a khata, number", n))
}

/// The open book of a customer; not one that stands aside.
pub fn of_holder(c: &Connection, holder: &Party) -> Result<Option<KhataRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM khata WHERE holder = ?1 AND is_open AND NOT aside");
    one(c, &sql, [party_key(holder)])
}

/// All books, open ones first, by their number.
pub fn all(c: &Connection) -> Result<Vec<KhataRow>, StoreError> {
    many(c, &format!("SELECT {COLUMNS} FROM khata ORDER BY is_open DESC, n"), [])
}

/// All books that a customer holds or held here.
pub fn all_of(c: &Connection, holder: &Party) -> Result<Vec<KhataRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM khata WHERE holder = ?1 ORDER BY n");
    many(c, &sql, [party_key(holder)])
}

/// Stores a new book, without its entries.
pub fn insert(tx: &Tx<'_>, row: &KhataRow) -> Result<i64, StoreError> {
    let sql =
        "INSERT INTO khata (id, holder, wrapped_key, personal, balance_minor, limit_minor, dues,
                 opened_ms, is_open, generation, seq, head, aside)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    tx.prepare_cached(sql)?.execute(params![
        row.id.as_bytes(),
        row.holder.as_ref().map(party_key),
        row.wrapped_key,
        row.personal.as_ref().map(|hash| hash.as_bytes().to_vec()),
        row.balance,
        row.limit,
        cbor::to_vec(&row.dues),
        int(row.opened_at.get()),
        row.is_open,
        int(row.generation),
        row.seq,
        row.head.as_bytes(),
        row.aside,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Notes what follows from the entries.
pub fn note(tx: &Tx<'_>, row: &KhataRow) -> Result<(), StoreError> {
    let sql = "UPDATE khata SET holder = ?2, personal = ?3, balance_minor = ?4, limit_minor = ?5,
                 dues = ?6, is_open = ?7, generation = ?8, seq = ?9, head = ?10, signed_ms = ?11,
                 signed_head = ?12, signed_minor = ?13, disputed_ms = ?14, reminded_ms = ?15,
                 claimed_ms = ?16, waits_for_heads = ?17, aside = ?18
               WHERE n = ?1";
    let ms = |at: Option<UnixMs>| at.map(|at| int(at.get()));
    tx.prepare_cached(sql)?.execute(params![
        row.n,
        row.holder.as_ref().map(party_key),
        row.personal.as_ref().map(|hash| hash.as_bytes().to_vec()),
        row.balance,
        row.limit,
        cbor::to_vec(&row.dues),
        row.is_open,
        int(row.generation),
        row.seq,
        row.head.as_bytes(),
        ms(row.signed.map(|(at, ..)| at)),
        row.signed.as_ref().map(|(_, head, _)| head.as_bytes().to_vec()),
        row.signed.map(|(.., minor)| minor),
        ms(row.disputed_at),
        ms(row.reminded_at),
        ms(row.claimed_at),
        row.waits_for_heads,
        row.aside,
    ])?;
    Ok(())
}

/// The name of a book's chain in `heads.log`.
pub fn chain_name(n: i64) -> String {
    format!("khata:{n}")
}

/// One entry as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// Its place.
    pub seq: u32,
    /// Its hash.
    pub hash: Hash,
    /// Its generation.
    pub generation: u64,
    /// As it was signed.
    pub bytes: &'a [u8],
    /// The order's entry that moved the money.
    pub for_entry: Option<Hash>,
}

/// Stores an entry at the end of its book.
pub fn put_entry(tx: &Tx<'_>, n: i64, entry: NewEntry<'_>) -> Result<(), StoreError> {
    put(tx, n, false, entry)?;
    let (chain, hash) = (chain_name(n), *entry.hash.as_bytes());
    tx.note_head(Head { chain, n: entry.seq.into(), hash });
    Ok(())
}

fn put(tx: &Tx<'_>, n: i64, lost: bool, entry: NewEntry<'_>) -> Result<(), StoreError> {
    let sql = "INSERT INTO khata_entry (khata_n, seq, lost, hash, generation, bytes, for_entry)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (khata_n, lost, seq, hash) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![
        n,
        entry.seq,
        lost,
        entry.hash.as_bytes(),
        int(entry.generation),
        entry.bytes,
        entry.for_entry.as_ref().map(|hash| hash.as_bytes().to_vec()),
    ])?;
    Ok(())
}

/// Puts a whole book in the place of what was stored; what it has not is kept as lost. Says from which
/// entry on it is another than before.
pub fn replace(tx: &Tx<'_>, n: i64, khata: &Khata, lost: &[Authored]) -> Result<u32, StoreError> {
    let stored = entry_bytes(tx, n)?;
    let same = stored.iter().zip(khata.entries());
    let same = same.take_while(|(bytes, entry)| bytes[..] == *entry.signed().bytes());
    let fork = same.count();
    let sql = "DELETE FROM khata_entry WHERE khata_n = ?1 AND lost = 0 AND seq >= ?2";
    tx.execute(sql, (n, fork as u32))?;
    for entry in &khata.entries()[fork.min(khata.len())..] {
        put_entry(tx, n, once(tx, new_entry(entry))?)?;
    }
    for Authored { entry, .. } in lost {
        let position = entry.statement().position;
        let kirana_core::statement::Position::Entry { generation, seq, .. } = position else {
            continue;
        };
        let (hash, bytes) = (entry.hash(), entry.bytes());
        put(tx, n, true, NewEntry { seq, hash, generation, bytes, for_entry: None })?;
    }
    Ok(fork as u32)
}

/// An entry that comes back: where another book has an entry for the same one of an order since, it
/// stands without that name, and the owner sees both.
pub fn once<'a>(c: &Connection, entry: NewEntry<'a>) -> Result<NewEntry<'a>, StoreError> {
    match entry.for_entry {
        Some(of) if has_for(c, of)? => Ok(NewEntry { for_entry: None, ..entry }),
        _ => Ok(entry),
    }
}

/// What is stored under an entry's name, whatever it counts for.
pub fn bytes_of(c: &Connection, n: i64, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM khata_entry WHERE hash = ?2 AND lost = 0 AND khata_n = ?1
               UNION ALL
               SELECT bytes FROM khata_entry WHERE hash = ?2 AND lost = 1 AND khata_n = ?1";
    Ok(c.prepare_cached(sql)?.query_row((n, hash.as_bytes()), |row| row.get(0)).optional()?)
}

fn new_entry(entry: &Entry) -> NewEntry<'_> {
    let for_entry = entry.line().act.of().and_then(Of::order_entry);
    let (seq, hash, generation) = (entry.seq(), entry.hash(), entry.generation());
    NewEntry { seq, hash, generation, bytes: entry.signed().bytes(), for_entry }
}

/// The entries of a book as they were signed, first to last.
pub fn entry_bytes(c: &Connection, n: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM khata_entry WHERE khata_n = ?1 AND lost = 0 ORDER BY seq";
    Ok(c.prepare_cached(sql)?.query_map([n], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The entries of branches that lost.
pub fn lost_bytes(c: &Connection, n: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM khata_entry WHERE khata_n = ?1 AND lost = 1 ORDER BY seq, hash";
    Ok(c.prepare_cached(sql)?.query_map([n], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The entries of a page of a book: those that travel together.
pub fn page_bytes(c: &Connection, n: i64, page: u32) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM khata_entry
               WHERE khata_n = ?1 AND lost = 0 AND seq >= ?2 AND seq < ?3 ORDER BY seq";
    let begin = i64::from(page) * i64::from(PAGE_ENTRIES);
    let bounds = (n, begin, begin + i64::from(PAGE_ENTRIES));
    Ok(c.prepare_cached(sql)?.query_map(bounds, |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The place of an entry in a book, by its hash.
pub fn seq_of(c: &Connection, n: i64, hash: Hash) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT seq FROM khata_entry WHERE khata_n = ?1 AND hash = ?2 AND lost = 0";
    Ok(c.prepare_cached(sql)?.query_row((n, hash.as_bytes()), |row| row.get(0)).optional()?)
}

/// Whether a book holds an entry for this one of an order.
pub fn has_for(c: &Connection, order_entry: Hash) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM khata_entry WHERE for_entry = ?1 AND lost = 0";
    let found = c.prepare_cached(sql)?.query_row([order_entry.as_bytes()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// The number of the book that holds an entry for this one of an order, with that entry.
pub fn for_order_entry(
    c: &Connection,
    order_entry: Hash,
) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
    let sql = "SELECT khata_n, bytes FROM khata_entry WHERE for_entry = ?1 AND lost = 0";
    let row = c
        .prepare_cached(sql)?
        .query_row([order_entry.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

/// The entries of a book that name entries which an order here does not have; most are of others.
pub fn of_others(c: &Connection, n: i64, order_n: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM khata_entry
               WHERE khata_n = ?1 AND lost = 0 AND for_entry IS NOT NULL AND for_entry NOT IN
                 (SELECT hash FROM order_entry WHERE order_n = ?2 AND lost = 0)";
    let mut select = c.prepare_cached(sql)?;
    Ok(select.query_map((n, order_n), |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Whether an order here has this entry, on the branch that counts.
pub fn order_has(c: &Connection, order_entry: Hash) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM order_entry WHERE hash = ?1 AND lost = 0";
    let found = c.prepare_cached(sql)?.query_row([order_entry.as_bytes()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Whether an entry stands at a place, for `heads.log`.
pub fn holds(c: &Connection, n: i64, seq: u64, hash: &[u8]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM khata_entry WHERE khata_n = ?1 AND seq = ?2 AND hash = ?3";
    let found = c.prepare_cached(sql)?.query_row(params![n, int(seq), hash], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// One entry of a book, its signature checked.
///
/// # Errors
/// [`StoreError::Damaged`] when it is not what was signed.
pub fn entry_at(
    c: &Connection,
    row: &KhataRow,
    shop: ShopId,
    seq: u32,
) -> Result<Authored, StoreError> {
    let sql = "SELECT bytes FROM khata_entry WHERE khata_n = ?1 AND seq = ?2 AND lost = 0";
    let bytes: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row((row.n, seq), |row| row.get(0)).optional()?;
    let entry = bytes.map(|bytes| checked(c, shop, &bytes)).transpose()?.flatten();
    entry.ok_or_else(|| damaged(row, &format!("entry {seq} is not what was signed")))
}

/// The end of a book: what its last entry says, compared with what is noted.
///
/// # Errors
/// [`StoreError::Damaged`] when they differ, or a signature does not hold.
pub fn tip(c: &Connection, row: &KhataRow, shop: ShopId) -> Result<Tip, StoreError> {
    let last = entry_at(c, row, shop, row.seq)?;
    let tip = Tip::of(shop, &last.entry).map_err(|why| damaged(row, &why))?;
    let noted = (row.head, row.generation, row.holder, row.balance, row.limit, row.is_open);
    let (balance, limit) = (tip.after.balance.minor, tip.after.limit.minor);
    if noted != (tip.head, tip.generation, tip.holder, balance, limit, !tip.closed) {
        return Err(damaged(row, &"what is noted beside its last entry is another"));
    }
    Ok(tip)
}

/// The whole book, every signature and every link checked.
///
/// # Errors
/// [`StoreError::Damaged`] when one does not hold.
pub fn chain(c: &Connection, row: &KhataRow, shop: ShopId) -> Result<Khata, StoreError> {
    let mut khata: Option<Khata> = None;
    let (mut seq, mut last_box) = (0, None);
    for bytes in entry_bytes(c, row.n)? {
        let entry = UnverifiedStatement::parse(&bytes).map_err(|e| damaged(row, &e))?;
        let generation = generation_of(&entry).ok_or_else(|| damaged(row, &"a request in it"))?;
        let node: PublicKey = match last_box {
            Some((of, key)) if of == generation => key,
            _ => known::node_of(c, generation)?
                .ok_or_else(|| damaged(row, &format!("generation {generation} is unknown")))?,
        };
        last_box = Some((generation, node));
        let entry = entry.verify(&node).map_err(|e| damaged(row, &e))?;
        let author = Author::node(shop, generation);
        match &mut khata {
            None => khata = Some(Khata::begin(entry, author).map_err(|e| damaged(row, &e))?),
            Some(khata) => {
                let pushed = khata.push(entry, author);
                let _ = pushed.map_err(|e| damaged(row, &format!("entry {seq}: {e}")))?;
            }
        }
        seq += 1;
    }
    let khata = khata.ok_or_else(|| damaged(row, &"it has no entries"))?;
    if khata.head() != row.head {
        return Err(damaged(row, &"its end is not the one that was noted"));
    }
    Ok(khata)
}

/// How far a book holds from its beginning, where something in it is damaged.
pub fn sound_end(c: &Connection, n: i64, shop: ShopId) -> Result<Option<(u32, Hash)>, StoreError> {
    let mut khata: Option<Khata> = None;
    for bytes in entry_bytes(c, n)? {
        let Some(Authored { entry, author }) = checked(c, shop, &bytes)? else { break };
        let grown = match &mut khata {
            None => Khata::begin(entry, author).map(|begun| khata = Some(begun)).is_ok(),
            Some(khata) => khata.push(entry, author).is_ok(),
        };
        if !grown {
            break;
        }
    }
    Ok(khata.map(|khata| (khata.last().seq(), khata.head())))
}

/// Those entries of a book that hold, whatever is wrong with the others.
pub fn sound(c: &Connection, n: i64, shop: ShopId) -> Result<Vec<Authored>, StoreError> {
    let mut sound = Vec::new();
    for bytes in entry_bytes(c, n)?.into_iter().chain(lost_bytes(c, n)?) {
        sound.extend(checked(c, shop, &bytes)?);
    }
    Ok(sound)
}

fn checked(c: &Connection, shop: ShopId, bytes: &[u8]) -> Result<Option<Authored>, StoreError> {
    let Ok(read) = UnverifiedStatement::parse(bytes) else { return Ok(None) };
    let Some((generation, key)) = known::box_of(c, read.signer())? else { return Ok(None) };
    let author = Author::node(shop, generation);
    Ok(read.verify(&key).ok().map(|entry| Authored { entry, author }))
}

/// Makes every open book that somebody holds wait for them, as a restored shop must.
pub fn wait_for_heads(tx: &Tx<'_>) -> Result<(), StoreError> {
    let sql = "UPDATE khata SET waits_for_heads = 1 WHERE is_open AND holder IS NOT NULL";
    tx.execute(sql, [])?;
    Ok(())
}

/// A page of a book waits for a device; what waited of it before is replaced.
pub fn page_waits(tx: &Tx<'_>, device: KeyId, n: i64, page: u32) -> Result<(), StoreError> {
    let sql = "DELETE FROM outgoing WHERE device = ?1 AND khata_n = ?2 AND khata_page = ?3";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), n, page])?;
    let sql = "INSERT INTO outgoing (device, khata_n, khata_page) VALUES (?1, ?2, ?3)";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), n, page])?;
    Ok(())
}

/// The devices that ordered for a customer.
pub fn devices_that_ordered(c: &Connection, holder: &Party) -> Result<Vec<KeyId>, StoreError> {
    let sql = "SELECT DISTINCT device_key FROM customer_order WHERE customer = ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([party_key(holder)])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        let key: [u8; 32] = row.get(0)?;
        let key = PublicKey::from_bytes(&key);
        devices.push(key.map_err(|_| StoreError::damaged("a device of", holder))?.id());
    }
    Ok(devices)
}

fn damaged(row: &KhataRow, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::damaged("khata", format!("{}: {why}", row.id))
}

fn one(c: &Connection, sql: &str, params: impl Params) -> Result<Option<KhataRow>, StoreError> {
    Ok(many(c, sql, params)?.pop())
}

fn many(c: &Connection, sql: &str, params: impl Params) -> Result<Vec<KhataRow>, StoreError> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<KhataRow, StoreError> {
    let n: i64 = row.get(0)?;
    let wrong = || StoreError::damaged("a khata, number", n);
    let time = |ms: Option<i64>| ms.map(|ms| uint("a time", ms).map(UnixMs::new)).transpose();
    let hash = |bytes: Option<Vec<u8>>| bytes.map(|b| hash_of("a khata", &b)).transpose();
    let holder: Option<Vec<u8>> = row.get(2)?;
    let dues: Vec<u8> = row.get(7)?;
    let signed = (time(row.get(13)?)?, hash(row.get(14)?)?, row.get::<_, Option<i64>>(15)?);
    Ok(KhataRow {
        n,
        id: KhataId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(wrong)?,
        holder: holder.map(|bytes| party_of(&bytes)).transpose()?,
        wrapped_key: row.get(3)?,
        personal: hash(row.get(4)?)?,
        balance: row.get(5)?,
        limit: row.get(6)?,
        dues: cbor::from_slice("what is owed", &dues, DUES_BYTES_MAX).map_err(|_| wrong())?,
        opened_at: UnixMs::new(uint("a time", row.get(8)?)?),
        is_open: row.get(9)?,
        generation: uint("a generation", row.get(10)?)?,
        seq: row.get(11)?,
        head: hash_of("a khata", &row.get::<_, Vec<u8>>(12)?)?,
        signed: match signed {
            (Some(at), Some(head), Some(minor)) => Some((at, head, minor)),
            _ => None,
        },
        disputed_at: time(row.get(16)?)?,
        reminded_at: time(row.get(17)?)?,
        claimed_at: time(row.get(18)?)?,
        waits_for_heads: row.get(19)?,
        aside: row.get(20)?,
    })
}

/// Far beyond the longest list of unpaid sums.
const DUES_BYTES_MAX: usize = 4 * 1024 * 1024;
