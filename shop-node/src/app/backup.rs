//! Writes a shop's data and keys into one encrypted file, and reads such a file again.
//!
//! The file: a mark, a box that the printed recovery code opens (the file's own key and the shop's
//! keys), then the database in pieces of 64 KiB, each under ChaCha20-Poly1305 with its number and
//! whether it is the last, so that a file that was cut, swapped or lengthened does not open.
//!
//! **Invariant:** nothing is handed out from a file before all of it was checked.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use kirana_core::{
    cbor,
    vault::{self, Cost, Shut},
};
use kirana_migrations::backup as pages;
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Keys, Shop};

const MARK: &[u8; 16] = b"kirana backup 1\n";
/// Bytes of the database in one encrypted piece.
const PIECE_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;
/// The box in front holds a few keys only.
const BOX_BYTES_MAX: u32 = 64 * 1024;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Locked {
    #[cbor(n(0), with = "minicbor::bytes")]
    file_key: [u8; 32],
    #[n(1)]
    keys: ByteVec,
}

impl Shop {
    /// Writes a backup, also while the shop is served, to a new file at `to`.
    ///
    /// # Errors
    /// [`NoBackup`]; an unfinished file is removed.
    pub fn backup(&self, to: &Path, cost: Cost, rng: &mut dyn CryptoRng) -> Result<(), NoBackup> {
        let code = self.keys().recovery_code.clone().ok_or(NoBackup::NoCode)?;
        let database = self.database().path().ok_or(NoBackup::InMemory)?;
        if to.exists() {
            return Err(NoBackup::Exists);
        }
        let copy = to.with_extension("copying");
        let written = pages::copy(database, &copy)
            .and_then(|()| write(&copy, to, &self.keys().to_bytes(), &code, cost, rng));
        let _ = std::fs::remove_file(&copy);
        if written.is_err() {
            let _ = std::fs::remove_file(to);
        }
        Ok(written?)
    }
}

/// Checks a backup and writes the database in it to a new file at `to`; gives the keys.
///
/// # Errors
/// [`NoBackup`] says whether the code is wrong or the file damaged; nothing is left behind.
pub fn unpack(from: &Path, code: &str, to: &Path) -> Result<Keys, NoBackup> {
    if to.exists() {
        return Err(NoBackup::Exists);
    }
    let read = read(from, code, to);
    if read.is_err() {
        let _ = std::fs::remove_file(to);
    }
    read
}

fn write(
    copy: &Path,
    to: &Path,
    keys: &[u8],
    code: &str,
    cost: Cost,
    rng: &mut dyn CryptoRng,
) -> io::Result<()> {
    let mut file_key = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *file_key);
    let secret =
        Zeroizing::new(cbor::to_vec(&Locked { file_key: *file_key, keys: keys.to_vec().into() }));
    let locked = vault::lock(&secret, &plain(code), cost, rng);
    let len = u32::try_from(locked.len()).map_err(io::Error::other)?;
    let cipher = ChaCha20Poly1305::new(&Key::from(*file_key));
    let mut source = BufReader::new(File::open(copy)?);
    let mut target = BufWriter::new(File::create_new(to)?);
    target.write_all(MARK)?;
    target.write_all(&len.to_be_bytes())?;
    target.write_all(&locked)?;
    let mut number = 0_u64;
    let mut piece = next_piece(&mut source)?;
    loop {
        let following = next_piece(&mut source)?;
        let payload = Payload { msg: &piece, aad: &[u8::from(following.is_empty())] };
        let sealed = cipher.encrypt(&nonce(number), payload);
        target.write_all(&sealed.map_err(|_| io::Error::other("a piece cannot be encrypted"))?)?;
        if following.is_empty() {
            break;
        }
        (piece, number) = (following, number + 1);
    }
    target.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    pages::synced_folder(to)
}

fn read(from: &Path, code: &str, to: &Path) -> Result<Keys, NoBackup> {
    let mut source = BufReader::new(File::open(from)?);
    let (mut mark, mut len) = ([0; 16], [0; 4]);
    source.read_exact(&mut mark).map_err(|_| NoBackup::NotABackup)?;
    if &mark != MARK {
        let newer = mark.starts_with(b"kirana backup ");
        return Err(if newer { NoBackup::Newer } else { NoBackup::NotABackup });
    }
    source.read_exact(&mut len).map_err(|_| NoBackup::Damaged)?;
    let len = u32::from_be_bytes(len);
    if len > BOX_BYTES_MAX {
        return Err(NoBackup::Damaged);
    }
    let mut locked = vec![0; len as usize];
    source.read_exact(&mut locked).map_err(|_| NoBackup::Damaged)?;
    let secret = vault::unlock(&locked, &plain(code))?;
    let secret: Locked = cbor::from_slice("the keys of a backup", &secret, BOX_BYTES_MAX as usize)
        .map_err(|_| NoBackup::Damaged)?;
    let keys = Keys::from_bytes(&secret.keys).ok_or(NoBackup::Damaged)?;
    let cipher = ChaCha20Poly1305::new(&Key::from(secret.file_key));
    let mut target = BufWriter::new(File::create_new(to)?);
    let mut number = 0_u64;
    let mut piece = next_sealed(&mut source)?;
    loop {
        let following = next_sealed(&mut source)?;
        let payload = Payload { msg: &piece, aad: &[u8::from(following.is_empty())] };
        let opened = cipher.decrypt(&nonce(number), payload).map_err(|_| NoBackup::Damaged)?;
        target.write_all(&opened)?;
        if following.is_empty() {
            break;
        }
        (piece, number) = (following, number + 1);
    }
    target.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    pages::synced_folder(to)?;
    Ok(keys)
}

fn next_piece(source: &mut impl Read) -> io::Result<Vec<u8>> {
    take(source, PIECE_BYTES)
}

fn next_sealed(source: &mut impl Read) -> io::Result<Vec<u8>> {
    take(source, PIECE_BYTES + TAG_BYTES)
}

fn take(source: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(bytes);
    source.take(bytes as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::from(nonce)
}

/// However a person types the code, with or without its dashes.
pub(crate) fn plain(code: &str) -> Zeroizing<String> {
    let kept = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    Zeroizing::new(kept.map(|c| c.to_ascii_uppercase()).collect())
}

/// Why a backup was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum NoBackup {
    /// The box has no recovery code.
    #[error("this shop has no recovery code: run `kirana-shop init` anew or restore a backup")]
    NoCode,
    /// There is no file to copy.
    #[error("a shop in memory has no backup")]
    InMemory,
    /// The file is there already.
    #[error("that file is there already: name another one")]
    Exists,
    /// The file is something else.
    #[error("this is not a backup of kirana")]
    NotABackup,
    /// The file is of a newer program.
    #[error("this backup was made by a newer program: use that one")]
    Newer,
    /// The file was cut or changed.
    #[error("the backup is damaged or cut off: use another one")]
    Damaged,
    /// The code does not open it.
    #[error("the recovery code is wrong, or the file was damaged")]
    WrongCode,
    /// A file cannot be read or written.
    #[error("the file cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl From<Shut> for NoBackup {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::WrongPassphrase => Self::WrongCode,
            Shut::Newer { .. } => Self::Newer,
            Shut::Malformed(_) | Shut::TooCostly => Self::Damaged,
        }
    }
}
