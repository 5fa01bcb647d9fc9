//! Names the boxes of a run.

/// One box: it keeps its name through crashes and restores, whatever keys it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeId {
    /// A hub or community hub.
    Hub(u16),
    /// A shop's node.
    Shop(u16),
    /// A device of a household or guest.
    Device(u16),
    /// A device of somebody who works in a shop.
    Staff(u16),
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub(n) => write!(f, "hub{n}"),
            Self::Shop(n) => write!(f, "shop{n}"),
            Self::Device(n) => write!(f, "device{n}"),
            Self::Staff(n) => write!(f, "staff{n}"),
        }
    }
}
