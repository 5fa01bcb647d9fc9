//! Whom a program talks to, and in what role: a shop itself, a hub, a community hub.

use kirana_core::{id::ShopId, mail::Address};

/// What a peer is to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The node of this shop, reached without a relay in between.
    Shop(ShopId),
    /// A hub that keeps mail.
    Hub,
    /// A community hub that keeps mail.
    Community,
}

/// The ways that mail goes, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Straight to the recipient.
    Direct,
    /// Through a hub.
    Hub,
    /// Through a community hub.
    Community,
}

impl Path {
    /// The name in reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hub => "hub",
            Self::Community => "community",
        }
    }
}

impl Role {
    /// The way that mail takes through a peer of this role.
    pub const fn path(self) -> Path {
        match self {
            Self::Shop(_) => Path::Direct,
            Self::Hub => Path::Hub,
            Self::Community => Path::Community,
        }
    }

    /// Whether a peer of this role takes mail for `to`: a shop for itself only, a hub for all.
    pub fn takes(self, to: &Address) -> bool {
        match self {
            Self::Shop(shop) => *to == Address::Shop(shop),
            Self::Hub | Self::Community => true,
        }
    }
}
