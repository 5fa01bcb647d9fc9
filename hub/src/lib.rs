//! The hub: accounts and tokens, certificates, a directory, and a mailbox that cannot read.
//!
//! The program is [`cli::run`]; the simulation drives [`app::Hub`] directly.

pub mod app;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
mod erased;
mod forwarding;
mod gathering;
mod hosting;
pub mod http;
pub mod joining;
pub mod key_file;
mod net;
mod posting;
pub mod serve;
pub mod store;
