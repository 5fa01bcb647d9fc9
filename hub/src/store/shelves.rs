//! The catalogues that this hub gathered from shops, in a database of their own.
//!
//! **Invariants:** all of it was signed by the shops' nodes; none of it is needed, since all of it
//! can be had again, so that no backup holds it and a purchase never waits for it.

use std::collections::BTreeSet;

use kirana_core::{
    availability::SignedAvailability,
    catalogue::{
        BucketNo,
        head::{Extent, SignedHead, UnverifiedHead},
    },
    cbor,
    geohash::Place,
    hash::Hash,
    id::{ProductId, ShopId, VariantId},
    record::RECORD_BYTES_MAX,
    terms::SignedTerms,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, Database, StoreError, Tx, WriteError,
    catalogue::{
        self, Ready, Shelved,
        categories::listed::{self, Listed},
        chunks,
        pictures::{self, Picture},
        projection,
        saved::{self, NotKept},
        search::{self, Page, Query},
        terms,
    },
    rusqlite::{self, Connection, OptionalExtension},
};
use kirana_sync::{
    pull::Known,
    wire::{Chunk, Code, Response},
};
use minicbor::bytes::ByteVec;

use super::{Never, from_sql, to_sql};

/// The most bytes of a snapshot in one answer.
const PART_BYTES_MAX: usize = 128 * 1024;
/// The most chunks that are read for one answer.
const CHUNKS_AT_ONCE: u16 = 32;

/// A shop whose catalogue is gathered, as its record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownShop {
    /// Which.
    pub id: ShopId,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// When it was last asked by a record that held.
    pub heard_at: UnixMs,
}

/// A product as it is shown, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The shop.
    pub shop: ShopId,
    /// The product.
    pub ready: Ready,
    /// When the shop signed what is known of it.
    pub signed_at: UnixMs,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Best first.
    pub items: Vec<Gathered>,
    /// The rest of what the search said.
    pub page: Page,
}

/// The gathered catalogues; cheap to clone.
#[derive(Clone)]
pub struct Shelves {
    database: Database,
    pictures_bytes_max: u64,
}

impl Shelves {
    /// Upon an open database of [`kirana_migrations::Schema::Shelves`], with so many bytes of pictures.
    pub fn new(database: Database, pictures_bytes_max: u64) -> Self {
        Self { database, pictures_bytes_max }
    }

    async fn write<T, E, F>(&self, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        self.database.writer.write_async(job).await
    }

    /// How far each document of a shop is here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn known(&self, shop: ShopId) -> Result<Known, StoreError> {
        let reached = self.database.reader.read(|c| chunks::reached(c, shop))?;
        Ok(reached.into_iter().map(|(bucket, at)| (bucket, (at.generation, at.n))).collect())
    }

    /// Keeps a chunk or a snapshot whose head was verified; whether it was news.
    ///
    /// # Errors
    /// [`NotKept`], or when nothing could be written.
    pub async fn keep(
        &self,
        head: SignedHead,
        bytes: Vec<u8>,
    ) -> Result<bool, WriteError<NotKept>> {
        self.write(move |tx| {
            let is_news = saved::keep(tx, &head, &bytes)?;
            if is_news && head.head().extent == Extent::Snapshot {
                put_snapshot(tx, &head, &bytes)?;
            }
            Ok(is_news)
        })
        .await
    }

    /// Keeps what a shop's node said is in stock.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_availability(
        &self,
        snapshots: Vec<SignedAvailability>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            for snapshot in &snapshots {
                saved::keep_availability(tx, snapshot)?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps on which terms a shop's node said that it hands goods over.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_terms(&self, signed: SignedTerms) -> Result<(), WriteError<Never>> {
        self.write(move |tx| Ok(terms::keep(tx, &signed).map(drop)?)).await
    }

    /// On which terms a shop hands goods over, as it signed them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn terms(&self, shop: ShopId) -> Result<Option<Vec<u8>>, StoreError> {
        self.database.reader.read(|c| terms::signed(c, shop))
    }

    /// Sorts by the planned prices that hold at a moment.
    ///
    /// # Errors
    /// When nothing could be read or written.
    pub async fn turn_prices(&self, now: UnixMs) -> Result<(), WriteError<Never>> {
        while self
            .database
            .reader
            .read(|c| projection::is_due(c, now))
            .map_err(WriteError::Store)?
        {
            self.write(move |tx| Ok(projection::turn(tx, now)?)).await?;
        }
        Ok(())
    }

    /// Throws away what is kept of all shops but these; how many that were.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_only(&self, shops: BTreeSet<ShopId>) -> Result<usize, WriteError<Never>> {
        self.write(move |tx| {
            let mut gone: BTreeSet<ShopId> = saved::shops(tx)?.into_iter().collect();
            gone.extend(known_shops(tx)?.into_iter().map(|shop| shop.id));
            gone.retain(|shop| !shops.contains(shop));
            for shop in &gone {
                saved::forget(tx, *shop)?;
                for table in ["gathered_snapshot", "gathered_shop"] {
                    let sql = format!("DELETE FROM {table} WHERE shop = ?1");
                    tx.prepare_cached(&sql)?.execute([shop.as_bytes()])?;
                }
            }
            Ok(gone.len())
        })
        .await
    }

    /// Keeps what a shop says of itself.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn put_shop(
        &self,
        shop: KnownShop,
        certificates: Vec<ByteVec>,
    ) -> Result<(), WriteError<Never>> {
        let certificates = cbor::to_vec(&certificates);
        self.write(move |tx| {
            let sql = "INSERT OR REPLACE INTO gathered_shop
                       (shop, name, lat_e7, lon_e7, heard_ms, certificates)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let KnownShop { id, name, place, heard_at } = &shop;
            let (lat, lon) = (place.map(Place::lat_e7), place.map(Place::lon_e7));
            let row = (id.as_bytes(), name, lat, lon, to_sql(*heard_at), &certificates);
            tx.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
        .await
    }

    /// The shops whose catalogues are gathered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn shops(&self) -> Result<Vec<KnownShop>, StoreError> {
        self.database.reader.read(known_shops)
    }

    /// Looks for products.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search(&self, query: &Query, now: UnixMs) -> Result<Found, StoreError> {
        self.database.reader.read(|c| {
            let page = search::search(c, query)?;
            let items = page.rows.iter().map(|row| gathered(c, *row, now));
            Ok(Found { items: items.collect::<Result<_, _>>()?, page })
        })
    }

    /// The categories of all shops as one tree.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn categories(&self) -> Result<Vec<Listed>, StoreError> {
        self.database.reader.read(listed::of_all)
    }

    /// A picture that is kept; that somebody looked at it is noted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn picture(&self, hash: Hash, now: UnixMs) -> Result<Option<Picture>, StoreError> {
        let (picture, is_news) = self.database.reader.read(|c| {
            let picture = pictures::get(c, hash)?;
            let is_news = picture.is_some() && pictures::is_worth_noting(c, hash, now)?;
            Ok::<_, StoreError>((picture, is_news))
        })?;
        let noted: Result<(), WriteError<Never>> = match is_news {
            true => self.write(move |tx| Ok(pictures::note_used(tx, hash, now)?)).await,
            false => Ok(()),
        };
        if let Err(error) = noted {
            // It may be thrown away sooner for that; it can be had again.
            tracing::warn!(error = %error, "that a picture was looked at could not be noted");
        }
        Ok(picture)
    }

    /// Keeps a picture, and makes room for it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_picture(
        &self,
        picture: Picture,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        let most = self.pictures_bytes_max;
        self.write(move |tx| Ok(pictures::keep(tx, &picture, now, most)?)).await
    }

    /// The shops of which a product names this picture.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn naming(&self, hash: Hash) -> Result<Vec<ShopId>, StoreError> {
        self.database.reader.read(|c| pictures::named_by(c, hash))
    }

    /// One product that is on a shelf.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn product(&self, id: ProductId, now: UnixMs) -> Result<Option<Gathered>, StoreError> {
        self.database.reader.read(|c| {
            let sql = "SELECT row FROM product WHERE id = ?1 AND listed = 1 ORDER BY row LIMIT 1";
            let mut select = c.prepare_cached(sql)?;
            let row = select.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
            row.map(|row| gathered(c, row, now)).transpose()
        })
    }

    /// The product of a variant, with the number of the chunk that it was read from.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of_variant(
        &self,
        shop: ShopId,
        variant: VariantId,
    ) -> Result<Option<(Shelved, u64)>, StoreError> {
        self.database.reader.read(|c| {
            let Some(found) = catalogue::by_variant(c, shop, variant)? else { return Ok(None) };
            let reached = chunks::reached(c, shop)?;
            let n = reached.get(&found.bucket).map_or(0, |at| at.n);
            Ok(Some((found, n)))
        })
    }

    /// The signed heads of a shop's documents with the newest word on its stock; `None` where
    /// nothing of the shop is here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn heads(&self, shop: ShopId) -> Result<Option<Response>, StoreError> {
        self.database.reader.read(|c| {
            let Some(certificates) = chain(c, shop)? else { return Ok(None) };
            let (mut heads, mut availability) = (Vec::new(), Vec::new());
            for (bucket, reached) in chunks::reached(c, shop)? {
                let last = chunks::after(c, shop, bucket, reached.n.saturating_sub(1), 1)?;
                let last = last.into_iter().flatten().next().map(|chunk| chunk.head);
                let head = match last {
                    Some(head) => Some(head),
                    None => snapshot(c, shop, bucket)?.map(|(head, _)| head),
                };
                heads.extend(head.map(ByteVec::from));
                let said = catalogue::availability::signed(c, shop, bucket)?;
                availability.extend(said.map(ByteVec::from));
            }
            let terms = terms::signed(c, shop)?.map(ByteVec::from);
            let name = None;
            let answer = Response::Heads { heads, certificates, availability, terms, name };
            Ok(match &answer {
                Response::Heads { heads, .. } if heads.is_empty() => None,
                _ => Some(answer),
            })
        })
    }

    /// The chunks of a document after a number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chunks(
        &self,
        shop: ShopId,
        bucket: BucketNo,
        generation: u64,
        after: u64,
    ) -> Result<Response, StoreError> {
        self.database.reader.read(|c| {
            let reached = chunks::reached(c, shop)?.remove(&bucket);
            if reached.is_none_or(|reached| reached.generation != generation) {
                let reason = "the catalogue is in another generation: take a snapshot";
                return Ok(Response::refused(Code::OtherGeneration, reason));
            }
            let Some(found) = chunks::after(c, shop, bucket, after, CHUNKS_AT_ONCE)? else {
                return Ok(Response::refused(Code::Gone, "too far behind: take a snapshot"));
            };
            let full = found.len() == usize::from(CHUNKS_AT_ONCE);
            let chunks = found.into_iter();
            let mut response = Response::chunks(
                chunks.map(|one| Chunk { head: one.head.into(), bytes: one.content.into() }),
            );
            if let Response::Chunks { more, .. } = &mut response {
                *more |= full;
            }
            Ok(response)
        })
    }

    /// A part of a whole document, where the shop signed one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn part(
        &self,
        shop: ShopId,
        bucket: BucketNo,
        offset: u32,
    ) -> Result<Response, StoreError> {
        let Some((head, content)) = self.database.reader.read(|c| snapshot(c, shop, bucket))?
        else {
            let reason = "no snapshot of this part is here; ask the shop";
            return Ok(Response::refused(Code::NotHere, reason));
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(rest) = content.get(offset..).filter(|rest| !rest.is_empty()) else {
            return Ok(Response::refused(Code::Malformed, "the offset is beyond the end"));
        };
        let part = rest[..rest.len().min(PART_BYTES_MAX)].to_vec();
        let total = u32::try_from(content.len()).unwrap_or(u32::MAX);
        Ok(Response::Snapshot { head: head.into(), total, part: part.into() })
    }
}

fn gathered(c: &Connection, row: i64, now: UnixMs) -> Result<Gathered, StoreError> {
    let ready = catalogue::shown_at(c, row, now)?;
    let sql = "SELECT shop, bucket FROM product WHERE row = ?1";
    let (shop, bucket): ([u8; 16], u32) =
        c.prepare_cached(sql)?.query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let shop =
        ShopId::from_slice(&shop).ok_or_else(|| StoreError::damaged("a product", "of a shop"))?;
    let bucket = BucketNo::new(bucket);
    let signed_at = match chunks::signed_at(c, shop, bucket)? {
        // Nothing came after the whole document.
        at if at == UnixMs::default() => match snapshot(c, shop, bucket)? {
            Some((head, _)) => {
                UnverifiedHead::parse(&head)
                    .map_err(|_| StoreError::damaged("the head of part", bucket))?
                    .claimed()
                    .at
            }
            None => at,
        },
        at => at,
    };
    Ok(Gathered { shop, ready, signed_at })
}

/// The certificates by which a shop's node signs.
fn chain(c: &Connection, shop: ShopId) -> Result<Option<Vec<ByteVec>>, StoreError> {
    let sql = "SELECT certificates FROM gathered_shop WHERE shop = ?1";
    let mut select = c.prepare_cached(sql)?;
    let bytes: Option<Vec<u8>> =
        select.query_row([shop.as_bytes()], |row| row.get(0)).optional()?;
    let read = |bytes: Vec<u8>| {
        let read = cbor::from_slice("certificates", &bytes, RECORD_BYTES_MAX);
        read.map_err(|_| StoreError::damaged("the certificates of shop", shop))
    };
    bytes.map(read).transpose()
}

fn known_shops(c: &Connection) -> Result<Vec<KnownShop>, StoreError> {
    let sql = "SELECT shop, name, lat_e7, lon_e7, heard_ms FROM gathered_shop ORDER BY shop";
    let mut select = c.prepare_cached(sql)?;
    type Row = ([u8; 16], String, Option<i32>, Option<i32>, i64);
    let rows = select.query_map([], |row| -> rusqlite::Result<Row> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    rows.map(|row| {
        let (id, name, lat, lon, heard) = row?;
        let id =
            ShopId::from_slice(&id).ok_or_else(|| StoreError::damaged("a shop", "gathered"))?;
        let place = lat.zip(lon).and_then(|(lat, lon)| Place::new(lat, lon).ok());
        Ok(KnownShop { id, name, place, heard_at: from_sql(heard) })
    })
    .collect()
}

type Stored = (Vec<u8>, Vec<u8>);

/// A document's head and bytes as the shop signed them whole.
fn snapshot(c: &Connection, shop: ShopId, bucket: BucketNo) -> Result<Option<Stored>, StoreError> {
    let sql = "SELECT head, content FROM gathered_snapshot WHERE shop = ?1 AND bucket = ?2";
    let mut select = c.prepare_cached(sql)?;
    let keys = (shop.as_bytes(), bucket.get());
    Ok(select.query_row(keys, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn put_snapshot(tx: &Tx<'_>, signed: &SignedHead, bytes: &[u8]) -> Result<(), StoreError> {
    let head = signed.head();
    let sql = "INSERT OR REPLACE INTO gathered_snapshot (shop, bucket, head, content)
               VALUES (?1, ?2, ?3, ?4)";
    let row = (head.shop.as_bytes(), head.bucket.get(), signed.bytes(), bytes);
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}
