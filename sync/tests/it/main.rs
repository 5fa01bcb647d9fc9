//! Real nodes on loopback.

mod neighbours;

mod carrier;
mod enemy;
mod exchange;
mod mdns;
mod relay;
