//! One shop's node: what it stores, what it decides, and the doors through which it is asked.
//!
//! **Invariant:** `http` and the command line know no SQL, `store` knows no HTTP, and only `app`
//! joins the stored data with what is true by [`kirana_core`].

pub mod app;
pub mod cards;
pub mod cli;
pub mod clock;
pub mod config;
pub mod feeds;
pub mod home;
pub mod http;
pub mod imports;
pub mod join;
pub mod lookup;
pub mod net;
pub mod outside;
pub mod serve;
pub mod store;
