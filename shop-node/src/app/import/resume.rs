//! Goes on with imports that did not come to their end.

use std::{
    io::{Read, Seek},
    ops::ControlFlow,
};

use kirana_core::time::UnixMs;
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{Counts, NotImported, Order, Report, Settings, State};
use crate::{
    app::{
        Shop,
        catalogue::{NotEdited, may_edit},
    },
    store::imports::{self, Run},
};

impl Shop {
    /// Imports, and undoings of imports, that did not come to their end, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn interrupted_imports(&self) -> Result<Vec<(uuid::Uuid, State)>, StoreError> {
        let runs = self.reader().read(imports::interrupted)?;
        Ok(runs.into_iter().map(|run| (uuid::Uuid::from_bytes(run.id), run.state)).collect())
    }

    /// How an import stands.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn import_state(&self, id: uuid::Uuid) -> Result<Option<State>, StoreError> {
        Ok(self.reader().read(|c| imports::run(c, id.as_bytes()))?.map(|run| run.state))
    }

    /// Where the file of an import lies: a path, or a name in the shop's folder.
    ///
    /// # Errors
    /// [`NotImported::NoSuchImport`], or when it cannot be read.
    pub fn import_file(&self, id: uuid::Uuid) -> Result<Option<String>, NotImported> {
        Ok(self.run_of(id)?.file)
    }

    /// Whether an import that did not come to its end has its file there.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn needs_import_file(&self, name: &str) -> Result<bool, StoreError> {
        let runs = self.reader().read(imports::interrupted)?;
        Ok(runs.iter().any(|run| run.file.as_deref() == Some(name)))
    }

    /// Goes on behind the last commit of an import; the file is the one that it began with.
    ///
    /// # Errors
    /// [`NotImported::Ended`] when there is nothing to go on with, and as [`Shop::run_import`].
    pub fn resume_import<F: Read + Seek>(
        &self,
        id: uuid::Uuid,
        mut file: F,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        heard: &mut dyn FnMut(&Counts, u64) -> ControlFlow<()>,
    ) -> Result<Report, NotImported> {
        let run = self.run_of(id)?;
        if !matches!(run.state, State::Running | State::Failed) {
            return Err(NotImported::Ended(run.state));
        }
        let settings: Settings = serde_json::from_str(&run.settings)
            .map_err(|e| StoreError::damaged("an import's settings", e))?;
        let order = Order {
            format: settings.format,
            map: Some(settings.map.clone()),
            mapping: None,
            locale: settings.locale,
            dry_run: settings.dry_run,
            bytes_max: run.bytes_total.saturating_add(1),
            file: None,
        };
        let prepared = match self.prepare_import(&order, &mut file) {
            Ok(prepared) if prepared.examined.digest == run.digest => prepared,
            Ok(_) => return self.give_up_import(id, NotImported::OtherFile, now),
            Err(why) => return self.give_up_import(id, why, now),
        };
        let key = run.id;
        let begun = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            may_edit(tx)?;
            Ok(imports::go_on(tx, &key, None)?)
        });
        begun.map_err(NotEdited::from)?;
        self.run_import(&prepared, file, id, run.who, now, rng, heard)
    }

    /// Notes that an import cannot go on, and says why.
    ///
    /// # Errors
    /// `why`, or that it could not be stored.
    pub fn give_up_import(
        &self,
        id: uuid::Uuid,
        why: NotImported,
        now: UnixMs,
    ) -> Result<Report, NotImported> {
        let (key, problem) = (*id.as_bytes(), why.to_string());
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            Ok(imports::set_state(tx, &key, State::Failed, Some(&problem), now)?)
        });
        noted.map_err(NotEdited::from)?;
        Err(why)
    }

    pub(super) fn run_of(&self, id: uuid::Uuid) -> Result<Run, NotImported> {
        let run = self.reader().read(|c| imports::run(c, id.as_bytes()))?;
        run.ok_or(NotImported::NoSuchImport(id))
    }
}
