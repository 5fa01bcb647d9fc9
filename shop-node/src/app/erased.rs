//! Keeps the list of who was forgotten beside the database, so that no older copy brings anybody back.
//!
//! The file holds one name a line, `caller` and a key or `khata` and an id, and nothing else about
//! anybody. Whoever keeps backups keeps it with them: a backup is older than what was forgotten after it.
//!
//! **Invariant:** the file only grows and is replaced as a whole, so that a power cut leaves the one before
//! or the new one; a shop that was opened has forgotten everybody it names.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
    sync::PoisonError,
};

use kirana_core::{id::KhataId, key::KeyId, statement::Party};
use kirana_migrations::{Abort, StoreError, Tx, rusqlite::Connection};

use super::{Shop, orders::NotDone};
use crate::{
    home::write_synced,
    store::{callers, erased, khata, people},
};

/// The name of the list in the shop's folder.
pub const NAME: &str = "erased.txt";
/// The longest list that is read, in bytes: half a million names.
const LIST_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Somebody who was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Erased {
    /// A person without a device, for whom orders were taken.
    Caller(KeyId),
    /// The person behind a khata.
    Khata(KhataId),
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller(key) => write!(f, "caller {key}"),
            Self::Khata(id) => write!(f, "khata {id}"),
        }
    }
}

impl FromStr for Erased {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (what, name) = text.trim().split_once(' ').ok_or(())?;
        match what {
            "caller" => name.parse().map(Self::Caller).map_err(|_| ()),
            "khata" => name.parse().map(Self::Khata).map_err(|_| ()),
            _ => Err(()),
        }
    }
}

impl Erased {
    /// Whether that was noted.
    pub(super) fn is_noted(self, c: &Connection) -> Result<bool, StoreError> {
        erased::has(c, &self.to_string())
    }

    /// Forgets, and notes that; whether there was anything to forget.
    pub(super) fn erase(self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        erased::put(tx, &self.to_string())?;
        match self {
            Self::Caller(key) => {
                people::erase(tx, &Party::Guest(key))?;
                callers::erase(tx, key)
            }
            Self::Khata(id) => match khata::find(tx, id)? {
                Some(row) => khata::erase(tx, row.n).map(|()| true),
                None => Ok(false),
            },
        }
    }
}

/// Whether a customer was forgotten, also where nothing else about them is here: a device may give it
/// back.
pub(super) fn is_forgotten(c: &Connection, customer: &Party) -> Result<bool, StoreError> {
    match customer {
        Party::Guest(key) => Erased::Caller(*key).is_noted(c),
        _ => Ok(false),
    }
}

/// Why the list was not used.
#[derive(Debug, thiserror::Error)]
pub enum NotAgreed {
    /// The file cannot be read or written.
    #[error("the list of who was forgotten, {path}, cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line of it names nobody.
    #[error("line {line} of {path} names nobody: mend it, or take the list of a backup")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotDone),
}

impl From<StoreError> for NotAgreed {
    fn from(error: StoreError) -> Self {
        Self::NotStored(error.into())
    }
}

/// Names of people who were forgotten.
#[derive(Debug, Clone, Default)]
pub struct Forgotten(BTreeSet<String>);

impl Forgotten {
    /// The names in a file that somebody points at, which has to be there.
    ///
    /// # Errors
    /// [`NotAgreed`].
    pub fn of_file(path: &Path) -> Result<Self, NotAgreed> {
        match read(path)? {
            Some(names) => Ok(Self(names)),
            None => {
                let source = io::Error::from(io::ErrorKind::NotFound);
                Err(NotAgreed::Io { path: path.to_owned(), source })
            }
        }
    }
}

impl Shop {
    /// Forgets again whom the list beside the database names, and whom `more` names, and writes down
    /// there who is missing in it.
    ///
    /// # Errors
    /// [`NotAgreed`].
    pub fn agree_on_erased(&self, more: Option<&Forgotten>) -> Result<(), NotAgreed> {
        let Some(path) = self.list_of_erased() else { return Ok(()) };
        let mut listed = read(&path)?.unwrap_or_default();
        listed.extend(more.into_iter().flat_map(|more| more.0.iter().cloned()));
        let known = self.reader().read(erased::all)?;
        let missing: Vec<Erased> =
            listed.difference(&known).filter_map(|name| name.parse().ok()).collect();
        if !missing.is_empty() {
            tracing::info!(count = missing.len(), "this copy was older than who was forgotten");
            let again = self.writer().write(move |tx| -> Result<(), Abort<NotDone>> {
                for erased in &missing {
                    erased.erase(tx)?;
                }
                Ok(())
            });
            again.map_err(NotDone::from)?;
        }
        // The database has them all by now: a full disk keeps no shop from opening.
        self.note_erased();
        Ok(())
    }

    /// Writes down who was forgotten just now. What cannot be written is written at the next start.
    pub(super) fn note_erased(&self) {
        let Some(path) = self.list_of_erased() else { return };
        if let Err(error) = self.write_erased(&path) {
            tracing::error!(%error, "who was forgotten is not in the list beside the database yet");
        }
    }

    fn write_erased(&self, path: &Path) -> Result<(), NotAgreed> {
        // Two at once would write into one file beside it, and the later one could know less.
        let _alone = self.inner.erased_list.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = read(path)?.unwrap_or_default();
        let mut all = self.reader().read(erased::all)?;
        all.extend(listed.iter().cloned());
        if all == listed {
            return Ok(());
        }
        let text: String = all.iter().map(|name| format!("{name}\n")).collect();
        let failed = |source| NotAgreed::Io { path: path.to_owned(), source };
        write_synced(path, text.as_bytes()).map_err(failed)
    }

    fn list_of_erased(&self) -> Option<PathBuf> {
        Some(self.database().path()?.parent()?.join(NAME))
    }
}

/// The names in a list; nothing where there is none.
fn read(path: &Path) -> Result<Option<BTreeSet<String>>, NotAgreed> {
    let failed = |source| NotAgreed::Io { path: path.to_owned(), source };
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(LIST_BYTES_MAX).read_to_string(&mut text).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    // What is not read would be lost when the list is replaced.
    if text.len() as u64 >= LIST_BYTES_MAX {
        return Err(failed(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    // An earlier program appended, so a full disk or a power cut left a last line half written there.
    let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    let unfinished = text.get(whole.len()..).unwrap_or_default().trim();
    let mut names = BTreeSet::new();
    for (n, line) in whole.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let name: Result<Erased, ()> = line.parse();
        let name = name.map_err(|()| NotAgreed::Line { path: path.to_owned(), line: n + 1 })?;
        names.insert(name.to_string());
    }
    match unfinished.parse::<Erased>() {
        // Written by hand, it may lack its end and be whole.
        Ok(name) => _ = names.insert(name.to_string()),
        Err(()) if unfinished.is_empty() => {}
        Err(()) => tracing::warn!(path = %path.display(), "the last line is cut off and left out"),
    }
    Ok(Some(names))
}
