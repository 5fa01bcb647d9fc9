//! The key of the sealed columns: a file of mode 0600 beside the database.
//!
//! **Invariant:** without a passphrase the file protects against whoever copies the database alone,
//! not against whoever takes the machine; with one it protects against both.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use kirana_core::{hash::Hash, vault};
use zeroize::Zeroizing;

use crate::{clock, store::secrets::Secrets};

/// The name of the file in the data folder.
const NAME: &str = "hub.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is a database but not its key.
    #[error("{path} is missing; without it the database cannot be read: put it back or restore")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others on this machine could read it.
    #[error("{path} can be read by others on this machine: run `chmod 600` on it first")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// The file is locked.
    #[error("{path} is locked behind a passphrase; set KIRANA_PASSPHRASE")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is wrong, or the file was damaged.
    #[error("{path}: {source}")]
    Shut {
        /// The file.
        path: PathBuf,
        /// Why it did not open.
        source: vault::Shut,
    },
}

/// The key's 32 bytes.
pub type Bytes = Zeroizing<[u8; 32]>;

/// Reads the key, or makes it where there is no database yet.
///
/// # Errors
/// [`NoKey`].
pub fn open(data: &Path, has_database: bool, passphrase: Option<&str>) -> Result<Secrets, NoKey> {
    let path = data.join(NAME);
    match read(data, passphrase) {
        Err(NoKey::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            if has_database {
                return Err(NoKey::Missing { path });
            }
            let key = Zeroizing::new(clock::draw::<32>(&mut clock::rng()));
            write(data, &key, passphrase)?;
            Ok(Secrets::new(*key))
        }
        read => Ok(Secrets::new(*read?)),
    }
}

/// Reads the key.
///
/// # Errors
/// [`NoKey`].
pub fn read(data: &Path, passphrase: Option<&str>) -> Result<Bytes, NoKey> {
    let path = data.join(NAME);
    let io = |source| NoKey::Io { path: path.clone(), source };
    if fs::metadata(&path).map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(NoKey::OpenToOthers { path });
    }
    let content = fs::read(&path).map_err(io)?;
    let plain = std::str::from_utf8(&content).ok().and_then(|t| t.trim().parse::<Hash>().ok());
    if let Some(plain) = plain {
        return Ok(Zeroizing::new(*plain.as_bytes()));
    }
    let Some(passphrase) = passphrase else { return Err(NoKey::Locked { path }) };
    let shut = |source| NoKey::Shut { path: path.clone(), source };
    let secret = vault::unlock(&content, passphrase).map_err(shut)?;
    let secret = <[u8; 32]>::try_from(secret.as_slice());
    secret.map(Zeroizing::new).map_err(|_| shut(vault::Shut::WrongPassphrase))
}

/// Writes the key to a file that must not be there yet.
///
/// # Errors
/// [`NoKey::Io`].
pub fn write(data: &Path, key: &Bytes, passphrase: Option<&str>) -> Result<(), NoKey> {
    let path = data.join(NAME);
    let content = match passphrase {
        Some(words) => vault::lock(key.as_slice(), words, vault::Cost::STANDARD, &mut clock::rng()),
        None => format!("{}\n", hex(key)).into_bytes(),
    };
    private_file(&path, &content).map_err(|source| NoKey::Io { path, source })
}

/// Writes a new file that its owner alone may read, and syncs it.
///
/// # Errors
/// When it is there already or the disk refuses.
pub fn private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = new_private(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a new file that its owner alone may read.
///
/// # Errors
/// When it is there already or the system refuses.
pub fn new_private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
