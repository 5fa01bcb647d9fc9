//! Runs a neighbourhood of shops, households and hubs in one process on virtual time, breaks things
//! on the way, and checks from outside that the promises held.
//!
//! **Invariant:** what runs here is the code that ships, over in-memory databases; only the clock,
//! the chance, the network and the people are made up, and all of them come from the seed.

pub mod books;
pub mod check;
pub mod claim;
pub mod clocks;
pub mod device;
pub mod dice;
pub mod enemy;
pub mod fault;
pub mod goods;
pub mod hub;
pub mod journal;
pub mod machine;
pub mod many;
pub mod network;
pub mod node;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod seed;
pub mod shop;
pub mod sometimes;
pub mod story;
pub mod town;
pub mod trace;
pub mod view;
pub mod world;
