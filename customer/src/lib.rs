//! One household: its carts, the catalogues it saved, its orders and what it still has to send.
//!
//! **Invariant:** nothing here needs a network to work; `app` is synchronous and is told the time
//! and the randomness, so that the simulation drives the very code that ships.

pub mod app;
pub mod cli;
pub mod clock;
pub mod home;
pub mod net;
pub mod store;
