//! The devices that the hub keeps for accounts without one of their own: carts, addresses, orders.
//!
//! A hosted device is a household like any other, run by the same code, with a database of its own;
//! its order has the same form, and its certificate says that a hub keeps its key (P4's exception).
//!
//! **Invariant:** an account reaches its own household and no other, and none while it has a device
//! of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use kirana_core::{
    certificate::{Certificate, Holder, Standing, UnverifiedCertificate},
    hash::Hash,
    id::{AccountId, ShopId},
    key::KeyPair,
    mail::{Address, Mail},
    time::{DAY_MS, UnixMs},
};
use kirana_customer::app::{Household, HouseholdError};
use kirana_migrations::{Database, Location, Schema, StoreError};
use minicbor::bytes::ByteVec;

use super::{
    Error, Hub, lock,
    policy::{Action, Actor},
};
use crate::clock::{Rng, draw};

pub mod carts;
pub mod khata;
pub mod orders;
pub mod post;

/// The file of a hosted household, in a folder with its account's id.
pub const HOUSEHOLD: &str = "household.db";
/// Households that are kept open at most, as long as nobody works in more of them.
const OPEN_MAX: usize = 64;
/// When a statement that nobody answered is put again, at first and at most, in milliseconds.
const POSTED_AGAIN_MS: (u64, u64) = (60_000, 60 * 60_000);
/// How old a hosted device's certificate may become before it is issued anew.
const RENEWED_AFTER_MS: u64 = 30 * DAY_MS;

/// Where hosted households lie, and those that are open.
#[derive(Default)]
pub struct Homes {
    /// Nothing keeps them in memory.
    folder: Option<PathBuf>,
    open: Mutex<BTreeMap<AccountId, Kept>>,
    /// What was put into mailboxes and waits for an answer; a restart forgets it and puts it again.
    posted: Mutex<BTreeMap<Hash, Posted>>,
    /// When an account asked a shop how far its books go; a restart forgets it and asks once more.
    asked: Mutex<BTreeMap<(AccountId, ShopId), UnixMs>>,
}

struct Kept {
    household: Arc<Household>,
    used: UnixMs,
    vouched: UnixMs,
}

/// A piece of mail as it was sealed: put again, it is the same piece.
struct Posted {
    account: AccountId,
    /// Of which generation the shop was: one that was restored has another key.
    generation: u64,
    mail: Mail,
    next: UnixMs,
    wait_ms: u64,
}

impl Homes {
    /// Households in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..Self::default() }
    }

    fn location(&self, account: AccountId) -> Result<Location, Error> {
        let Some(folder) = &self.folder else { return Ok(Location::Memory) };
        let home = folder.join(account.to_string());
        let failed = |error: std::io::Error| Error::Unavailable(error.to_string());
        std::fs::create_dir_all(&home).map_err(failed)?;
        Ok(Location::File(home.join(HOUSEHOLD)))
    }

    /// Throws away what an account had here.
    fn erase(&self, account: AccountId) -> std::io::Result<()> {
        lock(&self.open).remove(&account);
        lock(&self.asked).retain(|(of, _), _| *of != account);
        let Some(folder) = &self.folder else { return Ok(()) };
        match std::fs::remove_dir_all(folder.join(account.to_string())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A household that is open, and whether it is time to vouch for it anew.
    fn get(&self, account: AccountId, now: UnixMs) -> Option<(Arc<Household>, bool)> {
        let mut open = lock(&self.open);
        let kept = open.get_mut(&account)?;
        kept.used = now;
        let is_stale = now.since(kept.vouched) >= DAY_MS;
        if is_stale {
            kept.vouched = now;
        }
        Some((kept.household.clone(), is_stale))
    }

    /// Whether a statement is to be put into a mailbox now, and the piece that was put before.
    fn due(&self, statement: Hash, generation: u64, now: UnixMs) -> (bool, Option<Mail>) {
        match lock(&self.posted).get(&statement) {
            Some(posted) if posted.generation == generation => {
                (now >= posted.next, Some(posted.mail.clone()))
            }
            _ => (true, None),
        }
    }

    /// Notes that a statement was put, and when it is put again: each time after twice as long.
    fn posted(
        &self,
        account: AccountId,
        statement: Hash,
        generation: u64,
        mail: Mail,
        now: UnixMs,
    ) {
        let mut posted = lock(&self.posted);
        let before = posted.get(&statement).filter(|before| before.generation == generation);
        let wait_ms = before.map_or(POSTED_AGAIN_MS.0, |before| before.wait_ms * 2);
        let wait_ms = wait_ms.min(POSTED_AGAIN_MS.1);
        let next = now.plus_ms(wait_ms);
        posted.insert(statement, Posted { account, generation, mail, next, wait_ms });
    }

    /// Forgets what an account no longer waits for.
    fn settle(&self, account: AccountId, waiting: &BTreeSet<Hash>) {
        lock(&self.posted)
            .retain(|statement, posted| posted.account != account || waiting.contains(statement));
    }

    /// Keeps a household open, and closes those that rested longest.
    fn put(&self, account: AccountId, household: Household, now: UnixMs) -> Arc<Household> {
        let mut open = lock(&self.open);
        let household = Arc::new(household);
        let kept = open.entry(account).or_insert(Kept { household, used: now, vouched: now });
        let household = kept.household.clone();
        while open.len() > OPEN_MAX {
            let resting = open.iter().filter(|(_, kept)| Arc::strong_count(&kept.household) == 1);
            let Some(oldest) = resting.min_by_key(|(_, kept)| kept.used).map(|(id, _)| *id) else {
                break;
            };
            open.remove(&oldest);
        }
        household
    }
}

impl Hub {
    /// Gives the hub a place for hosted households; before that they are in memory.
    pub fn put_up_homes(&self, homes: Homes) {
        // A second one would be another place of the same households.
        let _ = self.0.homes.set(homes);
    }

    fn homes(&self) -> &Homes {
        self.0.homes.get_or_init(Homes::default)
    }

    /// The household of whoever asks.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account has a device of its own, which keeps its carts.
    pub(super) async fn home_of(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Arc<Household>, Error> {
        self.central_only()?;
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        if self.store().has_device(actor.account).await? {
            let why = "this account has a device of its own, which keeps its carts, addresses and \
                       orders: use them there";
            return Err(Error::Declined { kind: "not-hosted", why: why.to_owned() });
        }
        self.home(actor.account, now, rng).await
    }

    pub(super) async fn home(
        &self,
        account: AccountId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Arc<Household>, Error> {
        if let Some((household, is_stale)) = self.homes().get(account, now) {
            if is_stale {
                self.vouch_for(account, &household, now, rng).await?;
            }
            return Ok(household);
        }
        let keys = self.hosted_keys(account, rng).await?;
        let location = self.homes().location(account)?;
        let open = |location| Database::open(Schema::Customer, location);
        let failed = |error| Error::Unavailable(format!("a hosted household: {error}"));
        let db = open(location.clone()).map_err(failed)?;
        let household = match Household::open(db, keys.clone()) {
            // A crash may have left a database without a device in it.
            Err(HouseholdError::NotMade) => {
                let db = open(location).map_err(failed)?;
                Household::create(db, keys, now, rng)?
            }
            opened => opened?,
        };
        self.vouch_for(account, &household, now, rng).await?;
        Ok(self.homes().put(account, household, now))
    }

    async fn hosted_keys(&self, account: AccountId, rng: Rng<'_>) -> Result<KeyPair, Error> {
        let place = format!("the hosted device of {account}");
        let sealed = match self.store().hosted_keys(account).await? {
            Some(sealed) => sealed,
            None => {
                let keys = KeyPair::from_seed(draw(rng));
                let sealed = self.secrets().seal(place.as_bytes(), &keys.to_seed(), draw(rng));
                let address = Address::Device(keys.id());
                self.store().keep_hosted(account, sealed, address).await?
            }
        };
        let seed = self.secrets().open(place.as_bytes(), &sealed);
        let seed = seed.and_then(|seed| <[u8; 64]>::try_from(seed).ok());
        let seed = seed.ok_or_else(|| StoreError::damaged("the hosted device of", account))?;
        Ok(KeyPair::from_seed(seed))
    }

    /// Certifies the device anew where that is due, and tells it whom to trust.
    async fn vouch_for(
        &self,
        account: AccountId,
        household: &Household,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let known = self.known_now(now).await?.at;
        let leaf = household.certificates();
        let leaf = leaf.first().and_then(|leaf| UnverifiedCertificate::parse(leaf).ok());
        let standing = Standing::Device { account, hosted: true };
        let is_fresh = leaf.is_some_and(|leaf| {
            leaf.claimed().standing == standing
                && known.since(leaf.claimed().not_before) < RENEWED_AFTER_MS
        });
        if !is_fresh {
            let keys = household.keys();
            let (key, sealing) = (keys.signing.public(), keys.sealing.public());
            let holder = Holder { key, sealing, standing };
            let signed = Certificate::issue(self.signing(), &holder, known, rng);
            household.certify(vec![ByteVec::from(signed.bytes().to_vec())])?;
        }
        let trust = self.trust(now).await?;
        if let (Some(root), Some(roster)) = (trust.root(), trust.roster()) {
            household.trust_roster(root, roster.bytes())?;
        }
        Ok(())
    }

    /// Throws away the households of accounts that are gone.
    ///
    /// # Errors
    /// When nothing could be written or removed.
    pub async fn erase_hosted(&self) -> Result<(), Error> {
        for account in self.store().hosted_of_nobody().await? {
            // The row goes last: it is what names the folder.
            match self.homes().erase(account) {
                Ok(()) => self.store().forget_hosted(account).await?,
                Err(error) => tracing::warn!(%error, "an erased household could not be removed"),
            }
        }
        Ok(())
    }
}

/// Runs what waits for a disk without holding up whoever shares the thread.
pub(super) fn on_disk<T>(act: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(act),
        _ => act(),
    }
}
