//! Reads a database through a few connections of its own, or between two groups in the simulation.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;

use crate::{StoreError, group::Engine, opening, writer::lock};

/// Connections that are kept for the next reader.
pub const IDLE_MAX: usize = 8;

/// Reads only; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Pool { path: Arc<PathBuf>, idle: Arc<Mutex<Vec<Connection>>> },
    Inline(Arc<Mutex<Engine>>),
}

impl Reader {
    pub(crate) fn pool(path: PathBuf) -> Self {
        Self { form: Form::Pool { path: Arc::new(path), idle: Arc::default() } }
    }

    pub(crate) fn inline(engine: Arc<Mutex<Engine>>) -> Self {
        Self { form: Form::Inline(engine) }
    }

    /// Runs `look` upon one unchanging state of the database.
    ///
    /// # Errors
    /// What `look` returns, or that no connection could be had.
    pub fn read<T, E>(&self, look: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        match &self.form {
            Form::Inline(engine) => look(&lock(engine).connection),
            Form::Pool { path, idle } => {
                let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let connection = match waiting {
                    Some(connection) => connection,
                    None => opening::reading(path).map_err(StoreError::from)?,
                };
                let seen = snapshot(&connection, look);
                let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_MAX {
                    idle.push(connection);
                }
                seen
            }
        }
    }
}

fn snapshot<T, E: From<StoreError>>(
    connection: &Connection,
    look: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let tx = connection.unchecked_transaction().map_err(StoreError::from)?;
    let seen = look(&tx);
    // Nothing was written, so how the transaction ends makes no difference.
    drop(tx);
    seen
}
