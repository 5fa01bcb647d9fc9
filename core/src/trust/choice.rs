//! What a shop chooses and remembers: whose devices it knows, and how long it honours what ended.
//!
//! **Invariant:** a pin is never lifted by a hub's word, and a choice widens nothing for strangers.

use std::collections::BTreeMap;

use crate::{
    id::AccountId,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    time::{DAY_MS, UnixMs},
};

/// Devices that are known to be an account's, whatever a hub says later.
#[derive(Debug, Clone, Default)]
pub struct Pins(BTreeMap<KeyId, (AccountId, PublicKey)>);

impl Pins {
    /// Remembers that this device is this account's.
    pub fn add(&mut self, account: AccountId, device: PublicKey) {
        self.0.insert(device.id(), (account, device));
    }

    pub(super) fn get(&self, device: KeyId) -> Option<(AccountId, PublicKey)> {
        self.0.get(&device).copied()
    }

    pub(super) fn knows(&self, account: AccountId) -> bool {
        self.0.values().any(|(owner, _)| *owner == account)
    }
}

/// How long expired certificates of pinned shops and devices go on counting: a shop's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Honour {
    /// Not at all.
    #[default]
    Never,
    /// So many days.
    Days(u16),
    /// Until they are withdrawn.
    Always,
}

impl Honour {
    /// Whether a certificate that ended at `expired` still counts at `now`.
    pub(super) fn holds(self, expired: UnixMs, now: KnownNow) -> bool {
        match self {
            Self::Never => false,
            Self::Days(days) => !now.is_past(expired.plus_ms(u64::from(days) * DAY_MS)),
            Self::Always => true,
        }
    }
}

impl std::fmt::Display for Honour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Days(days) => write!(f, "{days}"),
            Self::Always => f.write_str("always"),
        }
    }
}

impl std::str::FromStr for Honour {
    type Err = NoHonour;

    fn from_str(text: &str) -> Result<Self, NoHonour> {
        match text {
            "never" => Ok(Self::Never),
            "always" => Ok(Self::Always),
            days => days.parse().map(Self::Days).map_err(|_| NoHonour),
        }
    }
}

/// It is no length of time for which expired certificates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("say `never`, `always`, or a number of days up to 65535")]
pub struct NoHonour;
