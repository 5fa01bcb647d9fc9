//! The shop's folder: its database and the file with its keys.
//!
//! **Invariant:** the keys' file is readable by its owner alone. Behind a passphrase it is a locked
//! box; without one it holds the bare keys, which does not protect against theft, and `init` says so.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use kirana_core::{
    key::SigningKey,
    time::UnixMs,
    vault::{self, Cost, Shut},
};
use kirana_migrations::{Database, Location, OpenError, Schema, database::HEADS};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::app::{
    Keys, Shop, Unopened,
    backup::{self, NoBackup},
    erased::Forgotten,
    succession::NotHandedOver,
};

/// The database's name in the folder.
pub const DATABASE: &str = "shop.db";
/// The keys' name in the folder.
pub const KEYS: &str = "box.key";

/// Where the keys of the next owner's box lie until the database names them.
const NEXT_KEYS: &str = "next.key";

/// The name of the file in the folder that the printed code opens.
pub const RECOVERY: &str = "recovery.key";

/// A shop's folder.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
    passphrase: Option<Zeroizing<String>>,
}

impl Home {
    /// The folder at this path, which need not exist yet, with the passphrase for its keys.
    pub fn at(folder: impl Into<PathBuf>, passphrase: Option<String>) -> Self {
        Self { folder: folder.into(), passphrase: passphrase.map(Zeroizing::new) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the database lies.
    pub fn database_path(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// Whether a shop was founded here.
    pub fn is_made(&self) -> bool {
        self.folder.join(KEYS).exists()
    }

    /// Makes the folder, for this person alone.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(&self) -> Result<(), HomeError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| HomeError::Io { path: self.folder.clone(), source })
    }

    /// Opens the database, making the folder and the database if they are not there.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn database(&self) -> Result<Database, HomeError> {
        self.make()?;
        Ok(Database::open(Schema::Shop, Location::File(self.database_path()))?)
    }

    /// Opens the shop for work.
    ///
    /// # Errors
    /// [`HomeError`] says what is missing or why it is not safe.
    pub fn shop(&self) -> Result<Shop, HomeError> {
        let keys = self.keys()?;
        let shop = Shop::open(self.database()?, keys)?;
        shop.agree_on_erased(None)?;
        Ok(shop)
    }

    /// Opens the shop only to look at it, whatever state it is in.
    ///
    /// # Errors
    /// [`HomeError`] when there is no shop.
    pub fn shop_unchecked(&self) -> Result<Shop, HomeError> {
        let keys = self.keys()?;
        Ok(Shop::open_unchecked(self.database()?, keys)?)
    }

    /// Makes a new box of the shop out of a backup. Data that is here already is kept beside the new
    /// data, and its generation is passed over. Who was forgotten since stays so, by the list that lies
    /// here and by `erased`, that of a folder which was lost.
    ///
    /// # Errors
    /// [`HomeError`]; a backup that cannot be used changes nothing here.
    pub fn restore(
        &self,
        backup: &Path,
        (code, erased): (&str, Option<&Path>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Shop, HomeError> {
        // Read before anything is put aside: a mistyped name would forget nobody.
        let erased = erased.map(Forgotten::of_file).transpose()?;
        self.make()?;
        let used_here = match self.is_made() && self.database_path().exists() {
            true => self.shop_unchecked().map_or(0, |shop| shop.generation()),
            false => 0,
        };
        let fresh = self.folder.join("restored.db");
        let io = |source| HomeError::Io { path: self.folder.clone(), source };
        // Left by a restore that a power cut ended.
        remove(&fresh).map_err(io)?;
        let keys = backup::unpack(backup, code, &fresh)?;
        self.put_aside(now).map_err(io)?;
        std::fs::rename(&fresh, self.database_path()).map_err(io)?;
        let shop = Shop::restore(self.database()?, &keys, used_here, now, rng)?;
        self.keep_keys(shop.keys(), rng)?;
        shop.agree_on_erased(erased.as_ref())?;
        Ok(shop)
    }

    /// Makes the shop another owner's, whose key the one before consented to; draws another printed
    /// code. With `passphrase` the keys lie behind that one from then on. Where a power cut ended it
    /// half-way, the same again ends it.
    ///
    /// # Errors
    /// [`HomeError::NotHandedOver`]; the shop is as it was then.
    pub fn take_over(
        &self,
        owner: &SigningKey,
        consent: &[u8],
        passphrase: Option<String>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Shop, HomeError> {
        let path = self.folder.join(NEXT_KEYS);
        let keys = self.keys()?;
        if keys.owner.as_ref().is_some_and(|held| held.public() == owner.public()) {
            remove(&path).map_err(|source| HomeError::Io { path, source })?;
            return self.shop();
        }
        let old = Shop::open_as_any(self.database()?, keys)?;
        let next = match old.identity().owner == owner.public() && path.exists() {
            true => self.read_keys(&path)?,
            false => {
                let mut next = old.keys().renewed(rng);
                next.owner = Some(owner.clone());
                let mut code = [0; 32];
                rng.fill_bytes(&mut code);
                next.recovery_code = Some(Zeroizing::new(vault::to_code(&code)));
                // Keys first: a database that names keys which are gone could never be opened.
                self.write_keys(&path, &next, rng)?;
                self.shop()?.take_over(consent, &next, now, rng)?;
                next
            }
        };
        let passphrase = passphrase.map(Zeroizing::new).or_else(|| self.passphrase.clone());
        let home = Self { folder: self.folder.clone(), passphrase };
        home.keep_keys(&next, rng)?;
        remove(&path).map_err(|source| HomeError::Io { path, source })?;
        drop(old);
        home.shop()
    }

    /// Moves old data aside, with its list of heads, which says what that data once held.
    fn put_aside(&self, now: UnixMs) -> io::Result<()> {
        for name in [DATABASE, "shop.db-wal", "shop.db-shm", HEADS] {
            let to = self.folder.join(format!("{name}.replaced-{}", now.get()));
            match std::fs::rename(self.folder.join(name), &to) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps keys; they are on the disk when this returns, in the place of older ones.
    ///
    /// # Errors
    /// When the disk refuses; the older keys are then still there.
    pub fn keep_keys(&self, keys: &Keys, rng: &mut dyn CryptoRng) -> Result<(), HomeError> {
        let bytes = keys.to_bytes();
        // First what the printed code opens: it must never know less than the keys themselves.
        if let Some(code) = &keys.recovery_code {
            let path = self.folder.join(RECOVERY);
            let locked = vault::lock(&bytes, &backup::plain(code), Cost::STANDARD, rng);
            write_synced(&path, &locked).map_err(|source| HomeError::Io { path, source })?;
        }
        self.write_keys(&self.folder.join(KEYS), keys, rng)
    }

    fn write_keys(
        &self,
        path: &Path,
        keys: &Keys,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), HomeError> {
        let bytes = keys.to_bytes();
        let kept = match &self.passphrase {
            Some(passphrase) => vault::lock(&bytes, passphrase, Cost::STANDARD, rng),
            None => bytes.to_vec(),
        };
        write_synced(path, &Zeroizing::new(kept))
            .map_err(|source| HomeError::Io { path: path.to_owned(), source })
    }

    /// Opens the keys by the printed code, whatever became of the passphrase or of the keys' file.
    ///
    /// # Errors
    /// [`HomeError::NoRecovery`] where a box of an earlier version never wrote what the code opens.
    pub fn keys_by_code(&self, code: &str) -> Result<Keys, HomeError> {
        let path = self.folder.join(RECOVERY);
        let locked = match std::fs::read(&path) {
            Ok(locked) => locked,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(HomeError::NoRecovery),
            Err(source) => return Err(HomeError::Io { path, source }),
        };
        let opened = vault::unlock(&locked, &backup::plain(code)).map_err(NoBackup::from)?;
        Keys::from_bytes(&opened).ok_or(HomeError::Damaged { path })
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// [`HomeError`]: not founded, open to others, or behind another passphrase.
    pub fn keys(&self) -> Result<Keys, HomeError> {
        self.read_keys(&self.folder.join(KEYS))
    }

    fn read_keys(&self, path: &Path) -> Result<Keys, HomeError> {
        let path = path.to_owned();
        let io = |source| HomeError::Io { path: path.clone(), source };
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(HomeError::NotMade),
            Err(e) => return Err(io(e)),
        };
        if about.permissions().mode() & 0o077 != 0 {
            return Err(HomeError::OpenToOthers { path });
        }
        let bytes = Zeroizing::new(std::fs::read(&path).map_err(io)?);
        if let Some(keys) = Keys::from_bytes(&bytes) {
            return Ok(keys);
        }
        let passphrase = self.passphrase.as_ref().ok_or(HomeError::PassphraseNeeded)?;
        let opened = vault::unlock(&bytes, passphrase)?;
        Keys::from_bytes(&opened).ok_or(HomeError::Damaged { path })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Writes a file of mode 0600 beside its place and renames it, so that a power cut leaves either
/// the old or the new one whole.
///
/// # Errors
/// When the disk refuses.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nothing is there yet.
    #[error("there is no shop here yet: run `kirana-shop init`")]
    NotMade,
    /// A shop is there already.
    #[error("there is a shop in {path} already")]
    AlreadyMade {
        /// The folder.
        path: PathBuf,
    },
    /// The keys could be read by others.
    #[error("{path} can be read by others on this machine: run `chmod 600` on it first")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// The keys are behind a passphrase and none was given.
    #[error("the keys are behind a passphrase: give it in KIRANA_PASSPHRASE")]
    PassphraseNeeded,
    /// Nothing here opens by the printed code.
    #[error("nothing here opens by the code: run `kirana-shop recovery print` while you can")]
    NoRecovery,
    /// The box does not open.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The file holds something else.
    #[error("{path} does not hold the keys of a shop; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The list of who was forgotten is of no use.
    #[error(transparent)]
    NotAgreed(#[from] crate::app::erased::NotAgreed),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] NoBackup),
    /// The shop keeps its owner.
    #[error(transparent)]
    NotHandedOver(#[from] NotHandedOver),
    /// The shop in it cannot be opened.
    #[error(transparent)]
    Unopened(#[from] Unopened),
}
