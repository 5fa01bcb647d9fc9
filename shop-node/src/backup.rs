//! Writes a shop into one encrypted file, and a new box out of it.
//!
//! The file: a line that names the format; the length of a locked box (see [`vault`]) as four
//! bytes; the box, which holds the shop's keys and a fresh data key under the printed recovery
//! code; then the database under that data key (ChaCha20-Poly1305, RFC 8439), bound to the box.
//!
//! **Invariants (P7, P8):** a backup counts once it is synced; whatever was restored goes on in a
//! generation of its own.

use std::{
    io,
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use kirana_core::{
    cbor::{self, Malformed},
    time::UnixMs,
    vault::{self, Cost, Shut},
};
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    app::{Keys, Shop, Unopened},
    home::{Home, HomeError, write_synced},
};

const FORMAT: &[u8] = b"kirana shop backup 1\n";
/// What is inside the locked box at most, in bytes.
const SECRETS_BYTES_MAX: usize = 64 * 1024;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Secrets {
    #[n(0)]
    data_key: ByteVec,
    #[n(1)]
    keys: ByteVec,
    #[n(2)]
    made_at: UnixMs,
}

/// What a backup was, once it is whole on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The file's length.
    pub bytes: u64,
}

/// Writes the shop in `home` to `file`, also while it is open.
///
/// # Errors
/// [`BackupError`]; an older backup in the same place is then still whole.
pub fn make(
    home: &Home,
    file: &Path,
    now: UnixMs,
    rng: &mut dyn CryptoRng,
) -> Result<Made, BackupError> {
    let keys = home.keys()?;
    let code = keys.recovery_code.clone().ok_or(BackupError::NoCode)?;
    let copy = home.folder().join(format!("backup-{}.tmp", now.get()));
    let io = |source| BackupError::Io { path: file.to_owned(), source };
    let _gone = RemovedAtEnd(copy.clone());
    kirana_migrations::backup::copy(&home.database_path(), &copy).map_err(io)?;
    let database = std::fs::read(&copy).map_err(io)?;

    let mut data_key = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *data_key);
    let secrets = Secrets {
        data_key: data_key.to_vec().into(),
        keys: keys.to_bytes().to_vec().into(),
        made_at: now,
    };
    let locked = vault::lock(&cbor::to_vec(&secrets), &code, Cost::STANDARD, rng);
    let cipher = ChaCha20Poly1305::new((&*data_key).into());
    // The data key is drawn anew for each backup, so one nonce will do.
    let sealed = cipher
        .encrypt(&[0; 12].into(), Payload { msg: &database, aad: &locked })
        .map_err(|_| BackupError::TooLarge)?;
    let length = u32::try_from(locked.len()).map_err(|_| BackupError::TooLarge)?;
    let bytes = [FORMAT, &length.to_be_bytes(), &locked, &sealed].concat();
    write_synced(file, &bytes).map_err(io)?;
    Ok(Made { bytes: bytes.len() as u64 })
}

/// Makes a new box of the shop out of a backup. A database that is in `home` already is kept
/// beside the new one, and its generation is passed over.
///
/// # Errors
/// [`BackupError`]; what was in `home` is then as it was.
pub fn restore(
    home: &Home,
    file: &Path,
    code: &str,
    now: UnixMs,
    rng: &mut dyn CryptoRng,
) -> Result<Shop, BackupError> {
    let bytes =
        std::fs::read(file).map_err(|source| BackupError::Io { path: file.to_owned(), source })?;
    let (database, keys) = open(&bytes, code)?;
    home.make()?;
    let beyond = used_here(home);
    let io = |source| BackupError::Io { path: home.folder().to_owned(), source };
    let fresh = home.folder().join("restored.db");
    for old in [fresh.clone(), fresh.with_extension("db-wal"), fresh.with_extension("db-shm")] {
        match std::fs::remove_file(&old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
    }
    write_synced(&fresh, &database).map_err(io)?;
    put_aside(home, now).map_err(io)?;
    std::fs::rename(&fresh, home.database_path()).map_err(io)?;
    let shop = Shop::restore(home.database()?, &keys, beyond, now, rng)?;
    home.keep_keys(shop.keys(), rng)?;
    Ok(shop)
}

fn open(bytes: &[u8], code: &str) -> Result<(Vec<u8>, Keys), BackupError> {
    let rest = bytes.strip_prefix(FORMAT).ok_or(BackupError::NotABackup)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(BackupError::Truncated)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (locked, sealed) = rest.split_at_checked(length).ok_or(BackupError::Truncated)?;
    // The code is written in groups; how they are set apart does not matter.
    let code = vault::to_code(&*vault::from_code(code)?);
    let opened = vault::unlock(locked, &code)?;
    let secrets: Secrets = cbor::from_slice("a backup's keys", &opened, SECRETS_BYTES_MAX)?;
    let keys = Keys::from_bytes(&secrets.keys).ok_or(BackupError::Truncated)?;
    let data_key: [u8; 32] =
        secrets.data_key.as_slice().try_into().map_err(|_| BackupError::Truncated)?;
    let cipher = ChaCha20Poly1305::new((&data_key).into());
    let database = cipher
        .decrypt(&[0; 12].into(), Payload { msg: sealed, aad: locked })
        .map_err(|_| BackupError::Truncated)?;
    Ok((database, keys))
}

/// The newest generation that the data in this folder knows; 0 when there is none to be read.
fn used_here(home: &Home) -> u64 {
    match home.is_made() && home.database_path().exists() {
        true => home.shop_unchecked().map_or(0, |shop| shop.generation()),
        false => 0,
    }
}

/// Moves the old data aside with its list of heads, which says what that data once held.
fn put_aside(home: &Home, now: UnixMs) -> io::Result<()> {
    for name in
        [crate::home::DATABASE, "shop.db-wal", "shop.db-shm", kirana_migrations::database::HEADS]
    {
        let from = home.folder().join(name);
        let to: PathBuf = home.folder().join(format!("{name}.replaced-{}", now.get()));
        match std::fs::rename(&from, &to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// An unencrypted copy that must not outlive the backup.
struct RemovedAtEnd(PathBuf);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(error = %error, "a copy of the database could not be removed");
        }
    }
}

/// Why there is no backup, or no shop out of it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The box was founded without a recovery code.
    #[error("this shop has no recovery code, so nobody could open a backup")]
    NoCode,
    /// It is another kind of file.
    #[error("this file is not a backup of a shop")]
    NotABackup,
    /// Its end is missing or bytes were changed.
    #[error("the backup is cut off or damaged: take another one")]
    Truncated,
    /// The code has a slip of the pen.
    #[error(transparent)]
    Code(#[from] vault::NotACode),
    /// The code is another one.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The keys inside are damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More than the cipher takes at once.
    #[error("the database is too large for one backup file")]
    TooLarge,
    /// The disk refused.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The shop inside cannot be opened.
    #[error(transparent)]
    Unopened(#[from] Unopened),
}
