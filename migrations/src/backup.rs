//! Copies a database that is in use, page by page, into a new file that is synced before it counts.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::opening::{beside, is_full, wal_of};

/// Copies the database at `from`, also while others write to it, to a new file at `to`.
///
/// # Errors
/// When either cannot be read or written; an unfinished copy is removed.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the copy's file is there already",
        ));
    }
    let copied = pages(from, to).map_err(as_io).and_then(|()| synced(to));
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied
}

/// Puts a copy in the place of its original. Should power fail in between, the original's log is
/// laid over the copy, which holds the same pages already.
fn replace(path: &Path, fresh: &Path) -> io::Result<()> {
    std::fs::rename(fresh, path)?;
    for stale in [wal_of(path), beside(path, "-shm")] {
        match std::fs::remove_file(stale) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    synced_folder(path)
}

/// After a failed sync: writes every page anew, since what the cache shows may not be on disk.
pub(crate) fn copy_to_fresh_file(path: &Path) -> io::Result<()> {
    let fresh = path.with_extension("fresh");
    match std::fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    copy(path, &fresh)?;
    replace(path, &fresh)
}

fn pages(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let from = Connection::open(from)?;
    let mut to = Connection::open(to)?;
    let backup = rusqlite::backup::Backup::new(&from, &mut to)?;
    // All pages in one step: readers and the writer go on beside it in write-ahead mode.
    while backup.step(-1)? != rusqlite::backup::StepResult::Done {}
    drop(backup);
    // A copy travels as one file, so it leaves the mode that keeps a log beside it.
    to.pragma_update(None, "journal_mode", "DELETE")
}

/// A full disk stays told apart: it heals once there is room.
fn as_io(error: rusqlite::Error) -> io::Error {
    match is_full(&error) {
        true => io::Error::new(io::ErrorKind::StorageFull, error),
        false => io::Error::other(error),
    }
}

fn synced(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    synced_folder(path)
}

/// Syncs the folder of `path`, so that a new name in it survives a power cut.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn synced_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    File::open(folder)?.sync_all()
}
