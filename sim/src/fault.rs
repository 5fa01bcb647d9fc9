//! Names the faults that a run injects, and counts them.

use std::collections::BTreeMap;

/// Something that went wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A node lost all that it had not committed.
    Crash,
    /// A node died with a group of writes open.
    CrashBeforeCommit,
    /// A node died when the group was committed and nobody had been told.
    CrashAfterCommit,
    /// A link was dead both ways for a while.
    Cut,
    /// A link carried messages one way only.
    OneWay,
    /// A message vanished.
    Loss,
    /// A message came again.
    Duplicate,
    /// A message came after later ones.
    Reorder,
    /// A node's clock jumped.
    Clock,
    /// A node's disk was full for a while.
    DiskFull,
    /// A shop went on from an older copy of its database.
    Restore,
    /// A hub was off for hours.
    HubDown,
    /// A shop was off for hours.
    ShopDown,
    /// A relay threw mail away that it had acknowledged.
    RelayDrop,
    /// A relay changed the mail that it handed out.
    RelayMutate,
    /// A relay handed out old mail again.
    RelayReplay,
    /// Somebody spoke in another's name.
    Forgery,
    /// Goods vanished from the shelf without a record.
    Shrinkage,
}

impl Fault {
    /// The name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::CrashBeforeCommit => "crash_before_commit",
            Self::CrashAfterCommit => "crash_after_commit",
            Self::Cut => "cut",
            Self::OneWay => "one_way",
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Clock => "clock",
            Self::DiskFull => "disk_full",
            Self::Restore => "restore",
            Self::HubDown => "hub_down",
            Self::ShopDown => "shop_down",
            Self::RelayDrop => "relay_drop",
            Self::RelayMutate => "relay_mutate",
            Self::RelayReplay => "relay_replay",
            Self::Forgery => "forgery",
            Self::Shrinkage => "shrinkage",
        }
    }

    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Crash,
        Self::CrashBeforeCommit,
        Self::CrashAfterCommit,
        Self::Cut,
        Self::OneWay,
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Clock,
        Self::DiskFull,
        Self::Restore,
        Self::HubDown,
        Self::ShopDown,
        Self::RelayDrop,
        Self::RelayMutate,
        Self::RelayReplay,
        Self::Forgery,
        Self::Shrinkage,
    ];
}

/// How often each fault struck, and how often an order was under way there.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    counts: BTreeMap<Fault, u64>,
    on_inflight: u64,
}

impl Faults {
    /// Counts one; `inflight` when it struck a node or link with an order not decided yet.
    pub fn count(&mut self, fault: Fault, inflight: bool) {
        *self.counts.entry(fault).or_default() += 1;
        self.on_inflight += u64::from(inflight);
    }

    /// Those that struck while an order was under way there.
    pub fn on_inflight(&self) -> u64 {
        self.on_inflight
    }

    /// By name, those that never struck as 0.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let count = |fault: &Fault| self.counts.get(fault).copied().unwrap_or_default();
        Fault::ALL.iter().map(|fault| (fault.name().to_owned(), count(fault))).collect()
    }

    /// Adds what another run counted.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.counts {
            *self.counts.entry(*fault).or_default() += count;
        }
        self.on_inflight += other.on_inflight;
    }
}
