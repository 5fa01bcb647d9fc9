//! The household on this device: who it is, whom it trusts, and its database.
//!
//! **Invariant:** every function is told the time and the randomness, and what it reports as done
//! is committed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kirana_core::{
    at_rest::DiskKey,
    cbor::Malformed,
    certificate::{Certificate, UnverifiedCertificate},
    key::KeyPair,
    known_time::{KnownNow, KnownTime},
    mail::Address,
    statement::Party,
    time::UnixMs,
    trust::Trust,
};
use kirana_migrations::{Abort, Database, StoreError, Tx, WriteError};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use crate::store::{settings, settings::Setting, shops};

pub mod asking;
pub mod availability;
pub mod carriers;
pub mod cart;
pub mod catalogue;
pub mod chain;
pub mod courier;
pub mod device;
pub mod file;
pub mod khata;
pub mod person;
pub mod pictures;
pub mod place;
pub mod priced;
pub mod receive;
pub mod send;
pub mod session;
pub mod shop;
mod sibling;
pub mod snapshot;
pub mod status;
pub mod terms;
pub mod verify;

/// One household's device with its database.
pub struct Household {
    db: Database,
    keys: KeyPair,
    disk: DiskKey,
    lists: cart::Lists,
    identity: Mutex<Identity>,
}

/// What is known from outside: the own certificates, whom to trust, what time it is.
#[derive(Clone)]
struct Identity {
    certificates: Vec<ByteVec>,
    party: Party,
    trust: Trust,
    known_time: KnownTime,
    /// The own clock's last reading that is in the database.
    noted: UnixMs,
}

impl Household {
    /// Makes a new device, a guest until it signs in somewhere.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn create(
        db: Database,
        keys: KeyPair,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, HouseholdError> {
        let guest = Certificate::of_guest(&keys.signing, keys.sealing.public(), now, rng);
        let chain = vec![ByteVec::from(guest.bytes().to_vec())];
        let stored = kirana_core::cbor::to_vec(&chain);
        db.writer
            .write(move |tx| Ok(settings::set(tx, Setting::Certificates, &stored)?))
            .map_err(HouseholdError::write)?;
        Self::open(db, keys)
    }

    /// Opens a device that was made before, and encrypts what an earlier version left readable.
    ///
    /// # Errors
    /// [`HouseholdError::NotMade`] when there is none in this database, or when it is damaged or
    /// full.
    pub fn open(db: Database, keys: KeyPair) -> Result<Self, HouseholdError> {
        let disk = DiskKey::of(&keys);
        let identity = db.reader.read(|reader| Identity::load(reader, &keys))?;
        person::encrypt_all(&db, &disk)?;
        let lists = cart::Lists::default();
        Ok(Self { db, keys, disk, lists, identity: Mutex::new(identity) })
    }

    /// For whom this device orders: its account, or itself as a guest.
    pub fn party(&self) -> Party {
        self.identity().party
    }

    /// Where mail for this device is kept.
    pub fn address(&self) -> Address {
        Address::Device(self.keys.id())
    }

    /// The device's keys.
    pub fn keys(&self) -> &KeyPair {
        &self.keys
    }

    /// The device's database.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// The own certificates, leaf first.
    pub fn certificates(&self) -> Vec<ByteVec> {
        self.identity().certificates.clone()
    }

    /// Whom this device trusts, as of now.
    pub fn trust(&self) -> Trust {
        self.identity().trust.clone()
    }

    /// Reads the own clock and says what time it is as far as anybody can know.
    ///
    /// A reading is noted every hour, and whenever the clock comes into doubt or out of it, so that
    /// a clock that jumped while the program was not running is noticed too.
    pub fn known_now(&self, own: UnixMs) -> KnownNow {
        let mut identity = self.identity();
        let doubted = identity.known_time.is_in_doubt();
        let now = identity.known_time.read(own);
        let moved = own.since(identity.noted).max(identity.noted.since(own));
        if moved >= NOTED_MS || doubted != now.expiry_suspended {
            identity.noted = own;
            let known_time = identity.known_time.clone();
            drop(identity);
            // A full disk must not stop anybody from knowing the time: the next hour tries again.
            let _ = self.note_time(&known_time);
        }
        now
    }

    /// The person says that this device's clock is right, although it jumped.
    ///
    /// # Errors
    /// When it could not be stored.
    pub fn confirm_clock(&self) -> Result<(), HouseholdError> {
        let mut identity = self.identity();
        identity.known_time.confirm();
        let known_time = identity.known_time.clone();
        drop(identity);
        self.note_time(&known_time)
    }

    /// Takes note of a time under a signature that is trusted.
    pub(crate) fn saw_signed(&self, at: UnixMs) {
        self.identity().known_time.saw_signed(at);
    }

    fn note_time(&self, known_time: &KnownTime) -> Result<(), HouseholdError> {
        let stored = kirana_core::cbor::to_vec(known_time);
        let set = move |tx: &Tx<'_>| Ok(settings::set(tx, Setting::KnownTime, &stored)?);
        self.db.writer.write(set).map_err(HouseholdError::write)
    }

    /// Takes the certificates that a hub issued for this device's key.
    ///
    /// # Errors
    /// [`HouseholdError::OtherKey`] when they are for another key, or when nothing could be stored.
    pub fn certify(&self, chain: Vec<ByteVec>) -> Result<(), HouseholdError> {
        let leaf = chain.first().ok_or(HouseholdError::OtherKey)?;
        let claimed = UnverifiedCertificate::parse(leaf)?;
        if claimed.claimed().key != self.keys.signing.public() {
            return Err(HouseholdError::OtherKey);
        }
        let party = claimed.claimed().party().ok_or(HouseholdError::OtherKey)?;
        let stored = kirana_core::cbor::to_vec(&chain);
        self.db
            .writer
            .write(move |tx| Ok(settings::set(tx, Setting::Certificates, &stored)?))
            .map_err(HouseholdError::write)?;
        let mut identity = self.identity();
        identity.certificates = chain;
        identity.party = party;
        Ok(())
    }

    /// Trusts the root that signs the roster of hubs, and the roster itself.
    ///
    /// # Errors
    /// When the roster is not signed by this root, or nothing could be stored.
    pub fn trust_roster(
        &self,
        root: kirana_core::key::PublicKey,
        roster: &[u8],
    ) -> Result<(), HouseholdError> {
        let mut trust = self.identity().trust.clone();
        trust.set_root(root);
        trust.admit_roster(roster)?;
        let roster = roster.to_vec();
        self.db
            .writer
            .write(move |tx| {
                settings::set(tx, Setting::Root, root.as_bytes())?;
                Ok(settings::set(tx, Setting::Roster, &roster)?)
            })
            .map_err(HouseholdError::write)?;
        self.saw_signed(trust.newest_signed());
        self.identity().trust = trust;
        Ok(())
    }

    /// Takes revocation lists that came with mail; a list by a stranger or an older one is left.
    ///
    /// # Errors
    /// When nothing could be stored.
    pub fn admit_lists(&self, lists: &[ByteVec]) -> Result<(), HouseholdError> {
        let mut trust = self.identity().trust.clone();
        let mut news = false;
        for list in lists {
            // Whoever carries lists may carry a stranger's: that is no reason to refuse the rest.
            news |= trust.admit_list(list).unwrap_or(false);
        }
        if !news {
            return Ok(());
        }
        let all: Vec<ByteVec> =
            trust.lists().map(|list| ByteVec::from(list.bytes().to_vec())).collect();
        let stored = kirana_core::cbor::to_vec(&all);
        self.db
            .writer
            .write(move |tx| Ok(settings::set(tx, Setting::Lists, &stored)?))
            .map_err(HouseholdError::write)?;
        self.saw_signed(trust.newest_signed());
        self.identity().trust = trust;
        Ok(())
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identity {
    fn load(reader: &rusqlite::Connection, keys: &KeyPair) -> Result<Self, HouseholdError> {
        let stored =
            settings::get(reader, Setting::Certificates)?.ok_or(HouseholdError::NotMade)?;
        let certificates: Vec<ByteVec> =
            kirana_core::cbor::from_slice("the own certificates", &stored, 64 * 1024)?;
        let leaf = certificates.first().ok_or(HouseholdError::NotMade)?;
        let claimed = UnverifiedCertificate::parse(leaf)?;
        if claimed.claimed().key != keys.signing.public() {
            return Err(HouseholdError::OtherKey);
        }
        let party = claimed.claimed().party().ok_or(HouseholdError::OtherKey)?;
        let trust = load_trust(reader)?;
        let mut known_time = match settings::get(reader, Setting::KnownTime)? {
            Some(stored) => kirana_core::cbor::from_slice("the known time", &stored, 256)?,
            None => KnownTime::default(),
        };
        known_time.saw_signed(trust.newest_signed());
        let noted = UnixMs::default();
        Ok(Self { certificates, party, trust, known_time, noted })
    }
}

/// Rebuilds whom the device trusts from what it stored; everything is verified again.
fn load_trust(reader: &rusqlite::Connection) -> Result<Trust, HouseholdError> {
    let mut trust = Trust::new();
    // A household goes on trading with shops that it knows when the hub was gone for long.
    trust.honour_expired_of_pinned(kirana_core::trust::Honour::Always);
    if let Some(root) = settings::get(reader, Setting::Root)? {
        let bytes = root.as_slice().try_into().map_err(|_| damaged("the root's key"))?;
        let root = kirana_core::key::PublicKey::from_bytes(bytes);
        trust.set_root(root.map_err(|_| damaged("the root's key"))?);
        if let Some(roster) = settings::get(reader, Setting::Roster)? {
            trust.admit_roster(&roster)?;
        }
    }
    for shop in shops::all(reader)? {
        trust.replace_shop_owner(shop.id, shop.owner);
    }
    if let Some(lists) = settings::get(reader, Setting::Lists)? {
        let lists: Vec<ByteVec> =
            minicbor::decode(&lists).map_err(|_| damaged("the revocation lists"))?;
        for list in &lists {
            // A list whose issuer left the roster since is simply no longer used.
            let _ = trust.admit_list(list);
        }
    }
    Ok(trust)
}

fn damaged(what: &'static str) -> HouseholdError {
    StoreError::damaged(what, "of this device").into()
}

/// How often the own clock's reading is noted, in milliseconds.
const NOTED_MS: u64 = 60 * 60_000;

/// Runs one transaction and turns its ending into this crate's error.
fn write<T, F>(db: &Database, job: F) -> Result<T, HouseholdError>
where
    T: Send + 'static,
    F: FnMut(&Tx<'_>) -> Result<T, Abort<HouseholdError>> + Send + 'static,
{
    db.writer.write(job).map_err(|ending| match ending {
        WriteError::Refused(refusal) => refusal,
        other => HouseholdError::Storage(other.map(|_| Never)),
    })
}

/// Stands where no refusal is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot happen")]
pub struct Never;

/// Why the household's device could not do something.
#[derive(Debug, thiserror::Error)]
pub enum HouseholdError {
    /// There is no device here yet.
    #[error("nothing is set up here yet: run `kirana init`")]
    NotMade,
    /// The certificates are for another key.
    #[error("these certificates are for another device")]
    OtherKey,
    /// This device orders as a guest, so there is no account to let anybody into.
    #[error("this device has no account yet: sign in with `kirana login` first")]
    NoAccount,
    /// It was made for something else, or was changed.
    #[error("this was made for something else, or was changed on its way")]
    NotTheirs,
    /// The shop was never chosen.
    #[error("this shop is not among yours: add it first with `kirana shops add`")]
    UnknownShop,
    /// There is no such order here.
    #[error("there is no such order on this device")]
    UnknownOrder,
    /// What is stored of the order is not what was signed.
    #[error("this order is damaged on this device; `kirana sync` fetches the shop's copy of it")]
    DamagedOrder,
    /// The order as it is cannot be placed.
    #[error(transparent)]
    Invalid(#[from] kirana_core::order::placed::Invalid),
    /// A time limit that has passed already.
    #[error("the answer was wanted by a time that has already passed")]
    TooLate,
    /// No question stands, or not about that.
    #[error("the shop asks nothing about that just now: see `kirana order status`")]
    NobodyAsks,
    /// The shop would not take it, by what it said last.
    #[error("{reason}; so the shop said at {said_at}: `kirana sync` asks it again")]
    NotOnTheseTerms {
        /// Why not.
        reason: kirana_core::order::facts::DeclineReason,
        /// When the shop set these terms.
        said_at: kirana_core::time::UnixMs,
    },
    /// There is no such khata here, or it does not hold.
    #[error("there is no such khata on this device, or not all of it came: run `kirana sync`")]
    UnknownKhata,
    /// It was countersigned already.
    #[error("this khata is countersigned as it stands, or that is on its way")]
    NothingToSign,
    /// A message that is too long.
    #[error("a message has at most {max} bytes", max = asking::MESSAGE_BYTES_MAX)]
    MessageTooLong,
    /// More about the person than an order can carry.
    #[error("name, address, phone and note together are too long: shorten the note")]
    PersonalTooLong,
    /// Something that came is not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Mail that cannot be opened.
    #[error(transparent)]
    Unopenable(#[from] kirana_core::envelope::Unopenable),
    /// A parcel that cannot be sealed.
    #[error(transparent)]
    Unsealable(#[from] kirana_core::envelope::Unsealable),
    /// Somebody's certificates do not hold.
    #[error(transparent)]
    Distrust(#[from] kirana_core::trust::Distrust),
    /// The roster of hubs does not hold.
    #[error(transparent)]
    Roster(#[from] kirana_core::roster::BadRoster),
    /// What came of a catalogue is not kept.
    #[error(transparent)]
    Catalogue(#[from] kirana_migrations::catalogue::saved::NotKept),
    /// A file is for another device.
    #[error("this file is for somebody else's device")]
    ForSomebodyElse,
    /// More carriers than anybody needs.
    #[error("no more than {max} can be added", max = carriers::CARRIERS_MAX)]
    TooManyCarriers,
    /// The cart or the addresses do not take this.
    #[error(transparent)]
    Document(#[from] kirana_core::household::HouseholdError),
    /// Stored data could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing could be written.
    #[error(transparent)]
    Storage(WriteError<Never>),
}

impl HouseholdError {
    /// Whether it is the disk that failed, so that the same may work later.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Storage(_))
    }

    fn write(ending: WriteError<Never>) -> Self {
        Self::Storage(ending)
    }
}

impl From<HouseholdError> for Abort<HouseholdError> {
    fn from(refusal: HouseholdError) -> Self {
        match refusal {
            HouseholdError::Store(error) => Self::Store(error),
            refusal => Self::Refused(refusal),
        }
    }
}
