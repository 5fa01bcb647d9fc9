//! Stories about databases: opening strange ones, committing in groups, losing power.

mod catalogue;
mod opening;
mod schema;
mod writing;
