//! The shape of stored data and the one way in which it is opened, written and read.
//!
//! **Invariants:** a reply leaves only after COMMIT; what a database was refused for is said by
//! type (foreign, newer, truncated, full), and nobody writes but one writer per process.

pub mod backup;
pub mod catalogue;
pub mod database;
pub mod group;
pub mod heads;
pub mod reader;
pub mod schema;
pub mod writer;

mod opening;

pub use database::{Database, Location};
pub use group::{Abort, Fault, StoreError, Tx, WriteError};
pub use heads::Head;
pub use opening::OpenError;
pub use reader::Reader;
/// The SQL library that jobs and readers are written against.
pub use rusqlite;
pub use schema::Schema;
pub use writer::Writer;
