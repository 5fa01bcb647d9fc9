//! Stories about databases: opening strange ones, committing in groups, losing power.

mod catalogue;
mod opening;
mod recall;
mod schema;
mod search;
mod writing;
