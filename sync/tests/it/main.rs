//! Real nodes on loopback.

mod neighbours;

mod enemy;
mod exchange;
mod relay;
