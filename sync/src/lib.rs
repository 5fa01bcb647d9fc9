//! How copies agree and mail travels: sans-IO state machines, then a thin libp2p driver.
//!
//! **Invariant:** outside [`driver`] nothing here does IO, reads a clock or draws randomness; a
//! machine takes the time and an input and returns effects, so that one seed replays every run.
#![warn(missing_docs)]

pub mod client;
pub mod driver;
#[cfg(test)]
mod fixture;
pub mod forward;
pub mod inbox;
pub mod mailbox;
pub mod outbox;
pub mod peer;
pub mod pull;
pub mod wire;
