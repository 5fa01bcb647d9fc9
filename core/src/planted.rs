//! Bugs planted on purpose, so that the simulation can show that its promise checkers catch them.
//!
//! **Invariant:** without the feature `planted-bugs`, which only the simulation turns on, every
//! question here is answered `false` at compile time: programs that ship hold none of them.

/// A bug that the simulation can switch on for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A shop takes the same order twice when it comes twice.
    NoDedupe,
    /// Mail is acknowledged before it is stored.
    AcknowledgeBeforeStore,
    /// A shop reserves without looking whether there is enough.
    ReserveWithoutCheck,
    /// A device that restarts neither sends nor mentions what no shop has answered.
    ForgetTheOutbox,
    /// A signature is not checked against the certificate of its author.
    AcceptForgedAuthor,
    /// A restored shop goes on in its old generation.
    RestoreWithoutNewGeneration,
    /// A relay's acknowledgement ends the sending, not the shop's intake, and what no shop has
    /// answered is not mentioned when heads are compared.
    TrustTheRelay,
    /// A reply is made anew at each delivery, so two differ.
    DecideAgainOnRetry,
    /// A stocktake below what is reserved releases nothing.
    IgnoreShortage,
    /// The order is shown as placed before the commit.
    PlaceBeforeCommit,
    /// Of two clashing prices one is dropped.
    DropClashingPrice,
    /// The reservation is committed apart from the reply.
    SplitTheDecision,
    /// A counter sale does not look at reservations.
    SellReserved,
    /// A restored shop decides an order that its lost box may have decided.
    DecideUnheard,
}

impl Bug {
    /// All of them, with the names the command line uses.
    pub const ALL: &[(&'static str, Self)] = &[
        ("no-dedupe", Self::NoDedupe),
        ("acknowledge-before-store", Self::AcknowledgeBeforeStore),
        ("reserve-without-check", Self::ReserveWithoutCheck),
        ("forget-the-outbox", Self::ForgetTheOutbox),
        ("accept-forged-author", Self::AcceptForgedAuthor),
        ("restore-without-new-generation", Self::RestoreWithoutNewGeneration),
        ("trust-the-relay", Self::TrustTheRelay),
        ("decide-again-on-retry", Self::DecideAgainOnRetry),
        ("ignore-shortage", Self::IgnoreShortage),
        ("place-before-commit", Self::PlaceBeforeCommit),
        ("drop-clashing-price", Self::DropClashingPrice),
        ("split-the-decision", Self::SplitTheDecision),
        ("sell-reserved", Self::SellReserved),
        ("decide-unheard", Self::DecideUnheard),
    ];
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local!(static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) });

    /// Whether this thread's run has the bug.
    pub fn is_planted(bug: Bug) -> bool {
        ACTIVE.get() == Some(bug)
    }

    /// Plants a bug, or none, for what runs on this thread from now on.
    pub fn plant(bug: Option<Bug>) {
        ACTIVE.set(bug);
    }
}

#[cfg(not(feature = "planted-bugs"))]
mod switch {
    /// Never: this build holds no planted bugs.
    pub const fn is_planted(_: super::Bug) -> bool {
        false
    }
}

pub use switch::*;
