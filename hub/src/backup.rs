//! Copies a hub into one encrypted file, and makes a hub of such a file again.
//!
//! The file is a magic word, a nonce prefix, and pieces of one MiB, each sealed with
//! ChaCha20-Poly1305 under the recovery code; the number of a piece and whether it is the last
//! are authenticated, so that nothing can be cut off, doubled or swapped.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use kirana_core::vault;
use kirana_migrations::backup;
use zeroize::Zeroizing;

use crate::{
    clock, key_file,
    store::secrets::{open_once, seal_once},
};

/// The name of the database in the data folder.
pub const DATABASE: &str = "hub.db";
const MAGIC: &[u8; 16] = b"kirana hub bak 1";
const PIECE_BYTES: usize = 1024 * 1024;
const TAG_BYTES: usize = 16;

/// Why a backup was not made or not used.
#[derive(Debug, thiserror::Error)]
pub enum NoBackup {
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The key of the data folder cannot be had.
    #[error(transparent)]
    Key(#[from] key_file::NoKey),
    /// It is another kind of file, or was cut off or changed, or the code is of another backup.
    #[error("{path} is no backup of a hub, is damaged, or the recovery code is of another one")]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// The text is no recovery code.
    #[error(transparent)]
    Code(#[from] vault::NotACode),
    /// A hub is there already.
    #[error("{path} holds a hub already; name an empty folder")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
}

/// Writes the backup; the code that opens it is returned and kept nowhere.
///
/// # Errors
/// [`NoBackup`]; an unfinished file is removed.
pub fn write(data: &Path, to: &Path, passphrase: Option<&str>) -> Result<String, NoBackup> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| NoBackup::Io { path, source }
    };
    let key = key_file::read(data, passphrase)?;
    let copy = to.with_extension("copying");
    let _ = fs::remove_file(&copy);
    backup::copy(&data.join(DATABASE), &copy).map_err(io(&data.join(DATABASE)))?;
    let database = fs::read(&copy).map_err(io(&copy));
    fs::remove_file(&copy).map_err(io(&copy))?;
    let mut plain = Zeroizing::new(key.to_vec());
    plain.extend(database?);
    let code = Zeroizing::new(clock::draw::<32>(&mut clock::rng()));
    let prefix = clock::draw::<8>(&mut clock::rng());
    key_file::private_file(to, &seal(&plain, &code, prefix)).map_err(io(to))?;
    Ok(vault::to_code(&code))
}

/// Makes the data folder of a backup.
///
/// # Errors
/// [`NoBackup`]; the folder is left as it was.
pub fn restore(
    from: &Path,
    data: &Path,
    code: &str,
    passphrase: Option<&str>,
) -> Result<(), NoBackup> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| NoBackup::Io { path, source }
    };
    let code = vault::from_code(code)?;
    let sealed = fs::read(from).map_err(io(from))?;
    let unreadable = || NoBackup::Unreadable { path: from.to_owned() };
    let plain = open(&sealed, &code).ok_or_else(unreadable)?;
    let (key, database) = plain.split_first_chunk::<32>().ok_or_else(unreadable)?;
    fs::create_dir_all(data).map_err(io(data))?;
    let path = data.join(DATABASE);
    if path.exists() {
        return Err(NoBackup::Occupied { path: data.to_owned() });
    }
    key_file::write(data, &Zeroizing::new(*key), passphrase)?;
    let fresh = path.with_extension("fresh");
    let _ = fs::remove_file(&fresh);
    key_file::private_file(&fresh, database).map_err(io(&fresh))?;
    fs::rename(&fresh, &path).map_err(io(&path))?;
    // The new name must survive a power cut too.
    fs::File::open(data).and_then(|folder| folder.sync_all()).map_err(io(data))
}

fn seal(plain: &[u8], key: &[u8; 32], prefix: [u8; 8]) -> Vec<u8> {
    let mut sealed = [MAGIC.as_slice(), &prefix].concat();
    let pieces = plain.chunks(PIECE_BYTES);
    let last = pieces.len().saturating_sub(1);
    for (n, piece) in pieces.enumerate() {
        sealed.extend(seal_once(key, &nonce(prefix, n), &place(n == last), piece));
    }
    sealed
}

fn open(sealed: &[u8], key: &[u8; 32]) -> Option<Zeroizing<Vec<u8>>> {
    let rest = sealed.strip_prefix(MAGIC)?;
    let (prefix, rest) = rest.split_first_chunk::<8>()?;
    let pieces = rest.chunks(PIECE_BYTES + TAG_BYTES);
    let last = pieces.len().checked_sub(1)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(rest.len()));
    for (n, piece) in pieces.enumerate() {
        plain.extend(open_once(key, &nonce(*prefix, n), &place(n == last), piece)?);
    }
    Some(plain)
}

fn nonce(prefix: [u8; 8], n: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&prefix);
    nonce[8..].copy_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
    nonce
}

fn place(is_last: bool) -> [u8; 1] {
    [u8::from(is_last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_opens_whole_and_by_its_own_code_only() {
        let plain = vec![7; PIECE_BYTES + 5];
        let sealed = seal(&plain, &[1; 32], [2; 8]);
        assert_eq!(open(&sealed, &[1; 32]).map(|p| p.to_vec()), Some(plain));
        assert!(open(&sealed, &[3; 32]).is_none());
        let cut = &sealed[..24 + PIECE_BYTES + TAG_BYTES];
        assert!(open(cut, &[1; 32]).is_none(), "a cut is noticed");
    }
}
