//! Keeps the list of who was erased beside the database, so that no older copy brings anybody back.
//!
//! The file holds one account id a line and nothing else about anybody. An operator keeps it with the
//! backups: a backup is older than what was erased after it.
//!
//! **Invariant:** the file only grows, and a hub that serves has erased everybody it names, except an
//! administrator without whom nobody could sign in.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use kirana_core::id::AccountId;
use kirana_migrations::backup;

use crate::{
    app::{self, Hub},
    clock, key_file,
};

/// The name of the list in the data folder.
pub const NAME: &str = "erased.txt";
/// How often the list is looked at when nobody was erased: a disk that was full may have room again.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why the list was not used.
#[derive(Debug, thiserror::Error)]
pub enum NoList {
    /// The file cannot be read or written.
    #[error("the list of erased accounts {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line of it is no account.
    #[error("line {line} of {path} is no account's id; mend it, or take the list of a backup")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The database refused.
    #[error(transparent)]
    App(#[from] app::Error),
}

/// Erases everybody whom the list of the data folder names, and writes those who are missing in it.
///
/// # Errors
/// [`NoList`].
pub async fn agree(hub: &Hub, data: &Path) -> Result<(), NoList> {
    let path = data.join(NAME);
    let listed = read(&path)?;
    let known = hub.erased().await?;
    let missing: Vec<_> = listed.difference(&known).copied().collect();
    if !missing.is_empty() {
        let spared = hub.erase_again(&missing, clock::now()).await?;
        let count = missing.len() - spared.len();
        tracing::info!(count, "this database was older than the list of erased accounts");
        for account in spared {
            tracing::warn!(%account, "was erased, but is the last administrator here: add another \
                one by `kirana-hub admin add`; the next start erases this one");
        }
    }
    note(hub, data).await
}

/// Writes down who is erased, for as long as the program runs.
pub async fn keep(hub: Hub, data: PathBuf) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = hub.somebody_was_erased() => {}
        }
        if let Err(error) = note(&hub, &data).await {
            tracing::warn!(%error, "the list of erased accounts is behind; this is tried again");
        }
    }
}

/// Takes over the list of another folder, before a hub is served from a backup.
///
/// # Errors
/// [`NoList`].
pub fn take_over(from: &Path, data: &Path) -> Result<(), NoList> {
    let path = data.join(NAME);
    let mut all = read(&path)?;
    if !from.exists() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        return Err(NoList::Io { path: from.to_owned(), source });
    }
    all.extend(read(from)?);
    write(&path, &all)
}

/// Writes down who is erased and missing in the list.
///
/// # Errors
/// [`NoList`].
pub async fn note(hub: &Hub, data: &Path) -> Result<(), NoList> {
    let path = &data.join(NAME);
    let listed = read(path)?;
    let mut all = hub.erased().await?;
    all.extend(&listed);
    match all == listed {
        true => Ok(()),
        false => write(path, &all),
    }
}

/// Nobody was erased yet where there is no file.
fn read(path: &Path) -> Result<BTreeSet<AccountId>, NoList> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(source) => return Err(NoList::Io { path: path.to_owned(), source }),
    };
    let id = |(at, line): (usize, &str)| {
        line.trim().parse().map_err(|_| NoList::Line { path: path.to_owned(), line: at + 1 })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(id).collect()
}

/// Replaces the file as a whole: a power cut leaves the old one or the new one.
fn write(path: &Path, all: &BTreeSet<AccountId>) -> Result<(), NoList> {
    let written = || {
        let fresh = path.with_extension("fresh");
        let _ = fs::remove_file(&fresh);
        let mut file = key_file::new_private(&fresh)?;
        for id in all {
            writeln!(file, "{id}")?;
        }
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        backup::synced_folder(path)
    };
    written().map_err(|source| NoList::Io { path: path.to_owned(), source })
}
