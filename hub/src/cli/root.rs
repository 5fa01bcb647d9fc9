//! `kirana-hub root …`: the key that signs the roster of hubs, meant for a machine that stays
//! offline.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use kirana_core::{
    certificate::HubRole,
    hash::Hash,
    key::{SealingPublic, SigningKey},
    roster::{HubEntry, Roster},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{private, published, say};
use crate::clock;

#[derive(Subcommand)]
pub(super) enum Root {
    /// Make a root key in a new file of mode 0600.
    New {
        /// The file to write.
        file: PathBuf,
    },
    /// Sign the roster: give every hub's entry, as `kirana-hub identity` prints it.
    SignRoster {
        /// The root key's file.
        #[arg(long)]
        root: PathBuf,
        /// The file to write, for `--trust-roster`.
        #[arg(long)]
        out: PathBuf,
        /// One more than the last roster's; unless given, the milliseconds since 1970.
        #[arg(long)]
        number: Option<u64>,
        /// Files with the hubs' entries.
        #[arg(required = true)]
        hubs: Vec<PathBuf>,
    },
}

/// Why there is no root or roster.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRoster {
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// The file holds no root key.
    #[error("{path} holds no root key; `kirana-hub root new` makes one")]
    NoKey { path: PathBuf },
    /// The file holds no hub's entry.
    #[error("{path} holds no entry of a hub; `kirana-hub identity --json` prints one")]
    NoEntry { path: PathBuf },
}

/// A hub's entry as it travels to the root.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    key: String,
    sealing: String,
    role: String,
    url: Option<String>,
    p2p: Vec<String>,
}

impl From<HubEntry> for Entry {
    fn from(hub: HubEntry) -> Self {
        let role = match hub.role {
            HubRole::Central => "central",
            HubRole::Community => "community",
        };
        Self {
            key: hub.key.to_string(),
            sealing: hub.sealing.as_bytes().iter().map(|b| format!("{b:02x}")).collect(),
            role: role.to_owned(),
            url: hub.url.filter(|url| !url.is_empty()),
            p2p: hub.p2p,
        }
    }
}

impl Entry {
    fn parse(self) -> Option<HubEntry> {
        let sealing: Hash = self.sealing.parse().ok()?;
        Some(HubEntry {
            key: self.key.parse().ok()?,
            sealing: SealingPublic::from_bytes(*sealing.as_bytes()),
            role: match self.role.as_str() {
                "central" => HubRole::Central,
                "community" => HubRole::Community,
                _ => return None,
            },
            url: self.url,
            p2p: self.p2p,
        })
    }
}

pub(super) fn run(command: Root, json: bool) -> Result<(), NoRoster> {
    match command {
        Root::New { file } => {
            let seed = Zeroizing::new(clock::draw::<32>(&mut clock::rng()));
            let hex: String = seed.iter().map(|b| format!("{b:02x}")).collect();
            let public = SigningKey::from_seed(*seed).public();
            let io = |source| NoRoster::Io { path: file.clone(), source };
            private(&file, &format!("{hex}\n")).map_err(io)?;
            say(&json!({ "root": public.to_string() }), json, |_| {
                format!("The root's public key is {public}. Keep {} offline.", file.display())
            });
        }
        Root::SignRoster { root, out, number, hubs } => {
            let key = read_key(&root)?;
            let hubs = hubs.iter().map(|path| read_entry(path)).collect::<Result<_, _>>()?;
            let issued = clock::now();
            let roster = Roster { number: number.unwrap_or(issued.get()), issued, hubs };
            let file = json!(published(&key, &roster));
            let io = |source| NoRoster::Io { path: out.clone(), source };
            std::fs::write(&out, format!("{file}\n")).map_err(io)?;
            say(&file, json, |_| format!("{} is signed; hand it to every hub", out.display()));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, NoRoster> {
    std::fs::read_to_string(path).map_err(|source| NoRoster::Io { path: path.to_owned(), source })
}

fn read_key(path: &Path) -> Result<SigningKey, NoRoster> {
    let seed = read(path)?.trim().parse::<Hash>();
    let seed = seed.map_err(|_| NoRoster::NoKey { path: path.to_owned() })?;
    Ok(SigningKey::from_seed(*seed.as_bytes()))
}

fn read_entry(path: &Path) -> Result<HubEntry, NoRoster> {
    let entry: Option<Entry> = serde_json::from_str(&read(path)?).ok();
    let parsed = entry.and_then(Entry::parse);
    parsed.ok_or_else(|| NoRoster::NoEntry { path: path.to_owned() })
}
