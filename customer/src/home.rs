//! The household's folder: its database and the file with its keys.
//!
//! **Invariant:** the keys' file is readable by its owner alone. Behind a passphrase it is a locked
//! box; without one it holds the bare seed, which does not protect against theft, and `init` says so.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use kirana_core::{
    key::KeyPair,
    vault::{self, Cost, Shut},
};
use kirana_migrations::{Database, Location, OpenError, Schema};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The database's name in the folder.
pub const DATABASE: &str = "household.db";
/// The keys' name in the folder.
pub const KEYS: &str = "device.key";

/// A household's folder.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The folder at this path; it need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a device was made here.
    pub fn is_made(&self) -> bool {
        self.folder.join(KEYS).exists()
    }

    /// Opens the database, making the folder and the database if they are not there.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn database(&self) -> Result<Database, HomeError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|source| HomeError::Io { path: self.folder.clone(), source })?;
        let path = self.folder.join(DATABASE);
        Ok(Database::open(Schema::Customer, Location::File(path))?)
    }

    /// Draws keys and keeps them; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`HomeError::AlreadyMade`] rather than overwrite keys that are there.
    pub fn make_keys(
        &self,
        passphrase: Option<&str>,
        rng: &mut dyn CryptoRng,
    ) -> Result<KeyPair, HomeError> {
        let mut seed = Zeroizing::new([0; 64]);
        rng.fill_bytes(seed.as_mut_slice());
        let kept = match passphrase {
            Some(passphrase) => vault::lock(seed.as_slice(), passphrase, Cost::STANDARD, rng),
            None => seed.to_vec(),
        };
        self.keep(&Zeroizing::new(kept))?;
        Ok(KeyPair::from_seed(*seed))
    }

    fn keep(&self, bytes: &[u8]) -> Result<(), HomeError> {
        let path = self.folder.join(KEYS);
        if path.exists() {
            return Err(HomeError::AlreadyMade { path });
        }
        // Written beside and renamed, so that a power cut leaves no half of a key.
        let fresh = self.folder.join("device.key.new");
        let written = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            std::fs::File::open(&self.folder)?.sync_all()
        };
        written().map_err(|source| HomeError::Io { path: path.clone(), source })
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// [`HomeError`]: not made, open to others, or behind another passphrase.
    pub fn keys(&self, passphrase: Option<&str>) -> Result<KeyPair, HomeError> {
        let path = self.folder.join(KEYS);
        let io = |source| HomeError::Io { path: path.clone(), source };
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(HomeError::NotMade),
            Err(e) => return Err(io(e)),
        };
        if about.permissions().mode() & 0o077 != 0 {
            return Err(HomeError::OpenToOthers { path });
        }
        let bytes = Zeroizing::new(std::fs::read(&path).map_err(io)?);
        let seed = match (<[u8; 64]>::try_from(bytes.as_slice()), passphrase) {
            (Ok(seed), _) => Zeroizing::new(seed),
            // A file that was cut off needs no passphrase, but a backup.
            (Err(_), None) => match vault::unlock(&bytes, "") {
                Err(Shut::Malformed(_)) => return Err(HomeError::Damaged { path }),
                _ => return Err(HomeError::PassphraseNeeded),
            },
            (Err(_), Some(passphrase)) => {
                let opened = vault::unlock(&bytes, passphrase)?;
                let seed = opened.as_slice().try_into().map_err(|_| HomeError::Damaged { path })?;
                Zeroizing::new(seed)
            }
        };
        Ok(KeyPair::from_seed(*seed))
    }
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Nothing is there yet.
    #[error("nothing is set up here yet: run `kirana init`")]
    NotMade,
    /// Keys are there already.
    #[error("this household is set up already; its keys are in {path}")]
    AlreadyMade {
        /// The file.
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
    /// The box does not open.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The file holds something else.
    #[error("{path} does not hold the keys of a device; restore it from a backup")]
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
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    #[test]
    fn keys_come_back_and_are_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        let made = home.make_keys(None, &mut rng()).expect("made");
        assert_eq!(home.keys(None).expect("read").id(), made.id());
        let again = home.make_keys(None, &mut rng());
        assert!(matches!(again, Err(HomeError::AlreadyMade { .. })));
    }

    #[test]
    fn keys_behind_a_passphrase_need_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        let made = home.make_keys(Some("rain on a tin roof"), &mut rng()).expect("made");
        assert!(matches!(home.keys(None), Err(HomeError::PassphraseNeeded)));
        assert!(matches!(home.keys(Some("rain")), Err(HomeError::Shut(_))));
        assert_eq!(home.keys(Some("rain on a tin roof")).expect("read").id(), made.id());
    }

    #[test]
    fn keys_that_others_can_read_are_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path());
        home.make_keys(None, &mut rng()).expect("made");
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(folder.path().join(KEYS), open).expect("changed");
        assert!(matches!(home.keys(None), Err(HomeError::OpenToOthers { .. })));
    }
}
