//! Founds a shop, and opens one that was founded.
//!
//! **Invariant:** a database that is behind its list of heads, or whose newest box has another
//! key than this one, is not opened for work: it was put back or belongs to a twin.

use std::sync::{Arc, Mutex, RwLock};

use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    hash::Hash,
    id::{LocationId, ShopId},
    money::Currency,
    time::UnixMs,
    trust::{Honour, Trust},
};
use kirana_migrations::{
    Abort, Database, Head, StoreError, Tx, WriteError,
    rusqlite::{Connection, OptionalExtension},
};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{Identity, Inner, Keys, Shop, ledger, succession::Step};
use crate::store::{
    khata,
    known::{self, Generation},
    settings::{self, Setting},
};

/// What a new shop is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founding {
    /// What people call it.
    pub name: String,
    /// What it sells in.
    pub currency: Currency,
    /// Where it stands: latitude and longitude in degrees, `12.97,77.59`.
    pub place: Option<String>,
    /// The hub that it asks to vouch for it.
    pub hub: Option<String>,
}

impl Shop {
    /// Makes a new shop in an empty database; the owner's key among `keys` certifies the box.
    ///
    /// # Errors
    /// [`Unopened`] when a shop is there already or nothing can be stored.
    pub fn found(
        database: Database,
        keys: Keys,
        founding: Founding,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Unopened> {
        let owner = keys.owner.clone().ok_or(Unopened::NoOwner)?;
        let mut random = [[0; 10]; 2];
        random.iter_mut().for_each(|bytes| rng.fill_bytes(bytes));
        let identity = Identity {
            shop: ShopId::new(now, random[0]),
            name: founding.name,
            owner: owner.public(),
            currency: founding.currency,
            location: LocationId::new(now, random[1]),
            place: founding.place,
            hub: founding.hub,
        };
        let shop_standing = Standing::Shop { shop: identity.shop };
        let by_itself = Holder {
            key: owner.public(),
            sealing: keys.node.sealing.public(),
            standing: shop_standing,
        };
        let above = Certificate::issue(&owner, &by_itself, now, rng).bytes().to_vec();
        let generation = certify_box(&identity, &keys, 1, now, rng).ok_or(Unopened::NoOwner)?;
        let written = identity.clone();
        let founded = database.writer.write(move |tx: &Tx<'_>| -> Result<(), Abort<()>> {
            if settings::get::<Identity>(tx, Setting::Identity)?.is_some() {
                return Err(Abort::Refused(()));
            }
            settings::put(tx, Setting::Identity, &written)?;
            settings::put(tx, Setting::Chain, &vec![ByteVec::from(above.clone())])?;
            known::add_generation(tx, &generation)?;
            Ok(())
        });
        founded.map_err(|e| match e {
            WriteError::Refused(()) => Unopened::FoundedAlready,
            other => Unopened::Write(other.map(|()| String::new()).to_string()),
        })?;
        Self::open(database, keys)
    }

    /// Opens the shop that is in the database.
    ///
    /// # Errors
    /// [`Unopened`] says why it is not safe to work with it.
    pub fn open(database: Database, keys: Keys) -> Result<Self, Unopened> {
        let shop = Self::open_unchecked(database, keys)?;
        let behind = shop.database().behind(holds)?;
        if let Some(head) = behind.first() {
            let (missing, chain) = (behind.len(), head.chain.clone());
            return Err(Unopened::Behind { missing, chain, n: head.n });
        }
        Ok(shop)
    }

    /// Opens the shop whatever the list of heads says: for `verify`, which reports it.
    ///
    /// # Errors
    /// [`Unopened`] when there is no shop or the keys are of another box.
    pub fn open_unchecked(database: Database, keys: Keys) -> Result<Self, Unopened> {
        let shop = Self::open_as_any(database, keys)?;
        let newest = shop.reader().read(known::generations)?.pop();
        match newest.filter(|newest| newest.node != shop.keys().node.signing.public()) {
            Some(newest) => Err(Unopened::OtherBox { generation: newest.n }),
            None => Ok(shop),
        }
    }

    /// Opens the shop with the keys of whichever box: for `restore`, which draws new ones.
    pub(crate) fn open_as_any(database: Database, keys: Keys) -> Result<Self, Unopened> {
        let (identity, generation, revision, trust) = database.reader.read(|c| {
            let identity: Identity =
                settings::get(c, Setting::Identity)?.ok_or(Unopened::NoShop)?;
            let generation = known::generations(c)?.pop().ok_or(Unopened::NoShop)?;
            let revision = super::trust_revision(c)?;
            let trust = trust_from(c, &identity)?;
            Ok::<_, Unopened>((identity, generation, revision, trust))
        })?;
        let inner = Inner {
            database,
            identity,
            generation: generation.n,
            keys,
            trust: RwLock::new((revision, Arc::new(trust))),
            checked: super::checked::Checked::default(),
            seen: Mutex::default(),
            sealed: Mutex::default(),
            documents: super::catalogue::Documents::default(),
            published: super::availability::Published::default(),
            told: kirana_sync::pull::Told::default(),
            erased_list: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// The owner's certificate for the box with these keys; `None` without the owner's key.
pub(crate) fn certify_box(
    identity: &Identity,
    keys: &Keys,
    generation: u64,
    now: UnixMs,
    rng: &mut dyn CryptoRng,
) -> Option<Generation> {
    let holder = Holder {
        key: keys.node.signing.public(),
        sealing: keys.node.sealing.public(),
        standing: Standing::Node { shop: identity.shop, generation },
    };
    let certificate = Certificate::issue(keys.owner.as_ref()?, &holder, now, rng);
    Some(Generation {
        n: generation,
        node: keys.node.signing.public(),
        certificate: certificate.bytes().to_vec(),
        since: now,
    })
}

/// For how long expired certificates of known people count here: always, unless the owner said so.
pub(crate) fn honoured(c: &Connection) -> Result<Honour, StoreError> {
    let chosen: Option<String> = settings::get(c, Setting::HonourExpired)?;
    chosen.map_or(Ok(Honour::Always), |text| {
        text.parse().map_err(|e| StoreError::damaged("the setting honour_expired", e))
    })
}

/// The trust that the database's root, roster, lists and own identity add up to.
pub(crate) fn trust_from(c: &Connection, identity: &Identity) -> Result<Trust, StoreError> {
    let mut trust = Trust::new();
    let own = trust.pin_shop(identity.shop, identity.owner);
    own.map_err(|e| StoreError::damaged("the shop's own identity", e))?;
    trust.stand_in(identity.shop);
    trust.honour_expired_of_pinned(honoured(c)?);
    if let Some(root) = settings::get(c, Setting::Root)? {
        trust.set_root(root);
        if let Some(roster) = settings::get::<ByteVec>(c, Setting::Roster)? {
            let admitted = trust.admit_roster(&roster);
            admitted.map_err(|e| StoreError::damaged("the roster of hubs", e))?;
        }
    }
    for step in settings::get::<Vec<Step>>(c, Setting::Steps)?.unwrap_or_default() {
        trust.knew_owner(step.from);
    }
    for list in known::lists(c)? {
        // A list of a hub that left the roster no longer counts; it is no fault that it is here.
        let _ = trust.admit_list(&list);
    }
    Ok(trust)
}

/// Whether the database holds an entry that the list of heads names.
pub(crate) fn holds(c: &Connection, head: &Head) -> Result<bool, StoreError> {
    if let Some(book) = head.chain.strip_prefix("khata:") {
        let n: i64 = book.parse().map_err(|_| StoreError::damaged("heads.log", book))?;
        return khata::holds(c, n, head.n, &head.hash);
    }
    let Some(order) = head.chain.strip_prefix("order:") else {
        return ledger::holds(c, head);
    };
    let n: i64 = order.parse().map_err(|_| StoreError::damaged("heads.log", order))?;
    let sql = "SELECT 1 FROM order_entry WHERE order_n = ?1 AND seq = ?2 AND hash = ?3";
    let seq = i64::try_from(head.n).unwrap_or(i64::MAX);
    let hash = Hash::from_slice(&head.hash).ok_or_else(|| StoreError::damaged("heads.log", n))?;
    let row = c.prepare_cached(sql)?.query_row((n, seq, hash.as_bytes()), |_| Ok(())).optional()?;
    Ok(row.is_some())
}

/// Why a shop was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// `init` was never run.
    #[error("there is no shop here yet: run `kirana-shop init`")]
    NoShop,
    /// `init` was run before.
    #[error("there is a shop here already")]
    FoundedAlready,
    /// The owner's key is needed and not here.
    #[error("the owner's key is not on this box")]
    NoOwner,
    /// The database was put back, or lost its newest commits.
    #[error(
        "the database is behind what this box had stored ({missing} chains, first {chain} at {n}): \
         an old copy was put back or the disk lost data; run `kirana-shop restore` with a backup"
    )]
    Behind {
        /// Chains that are behind.
        missing: usize,
        /// The first of them.
        chain: String,
        /// The number that is missing in it.
        n: u64,
    },
    /// The keys are not those of the newest box.
    #[error("box {generation} of this shop has other keys than this one: this is an old box")]
    OtherBox {
        /// The newest generation in the database.
        generation: u64,
    },
    /// Nothing could be written.
    #[error("the shop could not be stored: {0}")]
    Write(String),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
