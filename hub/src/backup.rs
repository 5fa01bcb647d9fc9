//! Copies a hub into one encrypted file, and makes a hub of such a file again.
//!
//! The file is a magic word, a nonce prefix, and pieces of one MiB, sealed with ChaCha20-Poly1305
//! under the recovery code by the STREAM construction: the number of a piece and whether it is the
//! last are authenticated, so that nothing can be cut off, doubled or swapped.
//!
//! **Invariant:** no more than a few pieces are in memory at a time, and no file counts before all of
//! it was checked and synced.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use aead_stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit};
use kirana_core::{id::AccountId, vault};
use kirana_migrations::backup;
use zeroize::Zeroizing;

use crate::{app::hosted::HOUSEHOLD, clock, key_file, serve::HOSTED, store::hosted};

/// The name of the database in the data folder.
pub const DATABASE: &str = "hub.db";
/// The number at its end counts up when the shape of the file changes.
const MAGIC: &[u8; 16] = b"kirana hub bak 2";
const MAGIC_WORDS: &[u8; 15] = b"kirana hub bak ";
const PIECE_BYTES: usize = 1024 * 1024;
const TAG_BYTES: usize = 16;
const PREFIX_BYTES: usize = 7;

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
    /// Another version of this program made it.
    #[error("{path} was made by another version of kirana-hub; restore it with that one")]
    OtherVersion {
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
    let key = key_file::read(data, passphrase)?;
    let mut target = key_file::new_private(to).map_err(io_at(to))?;
    // The copy stays in the data folder: the backup may go to a stick that others read.
    let copy = data.join(DATABASE).with_extension("copying");
    let code = Zeroizing::new(clock::draw::<32>(&mut clock::rng()));
    let written = copied(data, &copy).and_then(|database| {
        let plain = key.as_slice().chain(BufReader::new(database));
        let prefix = clock::draw(&mut clock::rng());
        seal(plain, &mut target, &code, prefix).and_then(|()| target.sync_all()).map_err(io_at(to))
    });
    let _ = fs::remove_file(&copy);
    if written.is_err() {
        let _ = fs::remove_file(to);
    }
    written?;
    backup::synced_folder(to).map_err(io_at(to))?;
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
    let code = vault::from_code(code)?;
    let path = data.join(DATABASE);
    if path.exists() {
        return Err(NoBackup::Occupied { path: data.to_owned() });
    }
    let sealed = BufReader::new(File::open(from).map_err(io_at(from))?);
    fs::create_dir_all(data).map_err(io_at(data))?;
    let fresh = path.with_extension("fresh");
    let _ = fs::remove_file(&fresh);
    let restored = unpacked(sealed, from, &fresh, &code).and_then(|key| {
        settle_homes(data, &fresh)?;
        key_file::write(data, &key, passphrase)?;
        fs::rename(&fresh, &path).map_err(io_at(&path))?;
        // The new name must survive a power cut too.
        backup::synced_folder(&path).map_err(io_at(data))
    });
    if restored.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    restored
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> NoBackup {
    move |source| NoBackup::Io { path: path.to_owned(), source }
}

fn copied(data: &Path, copy: &Path) -> Result<File, NoBackup> {
    let _ = fs::remove_file(copy);
    backup::copy(&data.join(DATABASE), copy).map_err(io_at(&data.join(DATABASE)))?;
    add_homes(data, copy)?;
    File::open(copy).map_err(io_at(copy))
}

/// Adds the hosted households to the copy, each as it is at one moment.
fn add_homes(data: &Path, copy: &Path) -> Result<(), NoBackup> {
    let folder = data.join(HOSTED);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_at(&folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_at(&folder))?;
        let (path, one) = (entry.path().join(HOUSEHOLD), data.join("household.copying"));
        // A folder is there a moment before what belongs into it.
        let account = entry.file_name().to_string_lossy().parse::<AccountId>();
        let (true, Ok(account)) = (path.exists(), account) else { continue };
        let _ = fs::remove_file(&one);
        let copied = backup::copy(&path, &one).and_then(|()| fs::read(&one));
        let _ = fs::remove_file(&one);
        let laid = hosted::lay_into(copy, account, &copied.map_err(io_at(&path))?);
        laid.map_err(|error| io_at(copy)(io::Error::other(error)))?;
    }
    Ok(())
}

/// Puts hosted households where they belong, before the hub's own database is.
fn settle_homes(data: &Path, fresh: &Path) -> Result<(), NoBackup> {
    let settled = hosted::take_out(fresh, |name, bytes| {
        // The name is an account's id; anything else came from somewhere else.
        let account: AccountId = name.parse().map_err(|_| io::Error::other("no account's id"))?;
        let home = data.join(HOSTED).join(account.to_string());
        fs::create_dir_all(&home)?;
        let path = home.join(HOUSEHOLD);
        let _ = fs::remove_file(&path);
        let mut file = key_file::new_private(&path)?;
        file.write_all(bytes).and_then(|()| file.sync_all())?;
        backup::synced_folder(&path)?;
        Ok::<_, Unsettled>(())
    });
    settled.map_err(|Unsettled(error)| io_at(fresh)(error))
}

/// Why a hosted household was not put where it belongs.
struct Unsettled(io::Error);

impl From<io::Error> for Unsettled {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl From<kirana_migrations::rusqlite::Error> for Unsettled {
    fn from(error: kirana_migrations::rusqlite::Error) -> Self {
        Self(io::Error::other(error))
    }
}

/// Writes the database to a new file and gives the key that came before it.
fn unpacked(
    sealed: impl Read,
    from: &Path,
    fresh: &Path,
    code: &[u8; 32],
) -> Result<key_file::Bytes, NoBackup> {
    let file = key_file::new_private(fresh).map_err(io_at(fresh))?;
    let mut target = Split { key: Zeroizing::new([0; 32]), len: 0, rest: BufWriter::new(file) };
    open(sealed, &mut target, code).map_err(|shut| match shut {
        Shut::Io(source) => NoBackup::Io { path: from.to_owned(), source },
        Shut::OtherVersion => NoBackup::OtherVersion { path: from.to_owned() },
        Shut::Unreadable => NoBackup::Unreadable { path: from.to_owned() },
    })?;
    if target.len < target.key.len() {
        return Err(NoBackup::Unreadable { path: from.to_owned() });
    }
    let file = target.rest.into_inner().map_err(|e| io_at(fresh)(e.into_error()))?;
    file.sync_all().map_err(io_at(fresh))?;
    Ok(target.key)
}

/// Takes the first 32 bytes apart from the rest.
struct Split<W> {
    key: key_file::Bytes,
    len: usize,
    rest: W,
}

impl<W: Write> Write for Split<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let missing = &mut self.key[self.len..];
        if missing.is_empty() {
            return self.rest.write(bytes);
        }
        let taken = missing.len().min(bytes.len());
        missing[..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.rest.flush()
    }
}

fn seal(
    mut plain: impl Read,
    sealed: &mut impl Write,
    key: &[u8; 32],
    prefix: [u8; PREFIX_BYTES],
) -> io::Result<()> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let mut pieces = EncryptorBE32::from_aead(cipher, &prefix.into());
    let too_long = |_| io::Error::other("the database is too long for a backup");
    sealed.write_all(MAGIC)?;
    sealed.write_all(&prefix)?;
    let mut piece = take(&mut plain, PIECE_BYTES)?;
    loop {
        let following = take(&mut plain, PIECE_BYTES)?;
        if following.is_empty() {
            let last = pieces.encrypt_last(piece.as_slice()).map_err(too_long)?;
            return sealed.write_all(&last);
        }
        sealed.write_all(&pieces.encrypt_next(piece.as_slice()).map_err(too_long)?)?;
        piece = following;
    }
}

/// Why a sealed file does not open.
#[derive(Debug)]
enum Shut {
    Io(io::Error),
    OtherVersion,
    Unreadable,
}

impl From<io::Error> for Shut {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes what is in a sealed file; it counts only if all of it was fine.
fn open(mut sealed: impl Read, plain: &mut impl Write, key: &[u8; 32]) -> Result<(), Shut> {
    let head = take(&mut sealed, MAGIC.len() + PREFIX_BYTES)?;
    let Some(prefix) = head.strip_prefix(MAGIC) else {
        let is_ours = head.starts_with(MAGIC_WORDS);
        return Err(if is_ours { Shut::OtherVersion } else { Shut::Unreadable });
    };
    let prefix = <[u8; PREFIX_BYTES]>::try_from(prefix).map_err(|_| Shut::Unreadable)?;
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let mut pieces = DecryptorBE32::from_aead(cipher, &prefix.into());
    let mut piece = take(&mut sealed, PIECE_BYTES + TAG_BYTES)?;
    loop {
        let following = take(&mut sealed, PIECE_BYTES + TAG_BYTES)?;
        if following.is_empty() {
            let last = pieces.decrypt_last(piece.as_slice()).map_err(|_| Shut::Unreadable)?;
            return Ok(plain.write_all(&Zeroizing::new(last))?);
        }
        let opened = pieces.decrypt_next(piece.as_slice()).map_err(|_| Shut::Unreadable)?;
        plain.write_all(&Zeroizing::new(opened))?;
        piece = following;
    }
}

/// Up to so many bytes; fewer only at the end.
fn take(source: &mut impl Read, bytes: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut piece = Zeroizing::new(Vec::with_capacity(bytes));
    source.take(bytes as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];
    const HEAD_BYTES: usize = MAGIC.len() + PREFIX_BYTES;
    const SEALED_PIECE: usize = PIECE_BYTES + TAG_BYTES;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        seal(plain, &mut sealed, &KEY, [2; PREFIX_BYTES]).expect("memory");
        sealed
    }

    fn opened(sealed: &[u8], key: &[u8; 32]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        open(sealed, &mut plain, key).ok().map(|()| plain)
    }

    /// Bytes of which no two pieces are the same.
    fn plain(len: usize) -> Vec<u8> {
        (0..len).map(|n| (n / PIECE_BYTES + n % 251) as u8).collect()
    }

    #[test]
    fn a_backup_of_any_length_opens_whole_and_by_its_own_code_only() {
        for len in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let (plain, pieces) = (plain(len), len.div_ceil(PIECE_BYTES).max(1));
            let sealed = sealed(&plain);
            assert_eq!(sealed.len(), HEAD_BYTES + len + pieces * TAG_BYTES, "{len} bytes");
            assert!(opened(&sealed, &KEY) == Some(plain), "{len} bytes");
            assert!(opened(&sealed, &[3; 32]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn p8_a_backup_that_was_cut_anywhere_does_not_open() {
        let sealed = sealed(&plain(2 * PIECE_BYTES + 5));
        let after_one = HEAD_BYTES + SEALED_PIECE;
        let after_two = after_one + SEALED_PIECE;
        let ends = [0, 5, HEAD_BYTES, after_one - 1, after_one, after_two, sealed.len() - 1];
        for end in ends {
            assert!(opened(&sealed[..end], &KEY).is_none(), "cut after {end} bytes");
        }
        assert!(opened(&[&sealed[..], &[0]].concat(), &KEY).is_none(), "lengthened");
    }

    #[test]
    fn p8_pieces_that_were_swapped_doubled_left_out_or_changed_do_not_open() {
        let whole = sealed(&plain(3 * PIECE_BYTES));
        let (head, rest) = whole.split_at(HEAD_BYTES);
        let piece = |n: usize| &rest[n * SEALED_PIECE..(n + 1) * SEALED_PIECE];
        let of = |order: &[usize]| -> Vec<u8> {
            [head].into_iter().chain(order.iter().map(|n| piece(*n))).collect::<Vec<_>>().concat()
        };
        assert!(opened(&of(&[0, 1, 2]), &KEY).is_some());
        for order in [&[1, 0, 2][..], &[0, 2, 1], &[0, 0, 1, 2], &[0, 2], &[1, 2], &[2]] {
            assert!(opened(&of(order), &KEY).is_none(), "{order:?}");
        }
        for at in [MAGIC.len(), HEAD_BYTES, HEAD_BYTES + SEALED_PIECE + 7, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, &KEY).is_none(), "byte {at}");
        }
    }

    #[test]
    fn a_backup_of_another_version_is_told_from_a_damaged_one() {
        let mut older = sealed(b"a hub");
        older[MAGIC.len() - 1] = b'1';
        let refused = open(older.as_slice(), &mut Vec::new(), &KEY);
        assert!(matches!(refused, Err(Shut::OtherVersion)));
        let foreign = open(&b"PK, a zip of something else"[..], &mut Vec::new(), &KEY);
        assert!(matches!(foreign, Err(Shut::Unreadable)));
    }
}
