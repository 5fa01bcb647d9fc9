//! The hub from outside: the real program over its sockets, and the app as the simulation drives it.

mod administration;
mod clients;
mod clock;
mod community;
mod console;
mod console_pages;
mod directory;
mod door;
mod factors;
mod forged;
mod forward;
mod independent;
mod letters;
mod oauth;
mod passwords;
mod photos;
mod program;
mod refusals;
mod relay;
mod renewal;
mod resets;
mod sessions;
mod shops;
mod sign_ins;
mod street;
mod throttles;
