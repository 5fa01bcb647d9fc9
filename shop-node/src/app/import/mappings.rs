//! Mappings that are kept under the name of a supplier: which column of its files means what.

use std::collections::BTreeMap;

use kirana_migrations::{Abort, StoreError};

use super::{NotImported, records::CELLS_MAX, rows::Field};
use crate::{
    app::{
        Shop,
        catalogue::{NotEdited, may_edit},
    },
    store::imports::{self, Map},
};

/// The longest name of a mapping, in characters.
pub const MAPPING_CHARS_MAX: usize = 120;
/// The most mappings that a shop keeps.
pub const MAPPINGS_MAX: usize = 1_000;

impl Shop {
    /// The mappings that are kept, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn mappings(&self) -> Result<BTreeMap<String, Map>, StoreError> {
        self.reader().read(imports::supplier_maps)
    }

    /// The mapping of a supplier.
    ///
    /// # Errors
    /// [`NotImported::NoSuchMapping`], or when it cannot be read.
    pub fn mapping(&self, supplier: &str) -> Result<Map, NotImported> {
        let map = self.reader().read(|c| imports::supplier_map(c, supplier))?;
        map.ok_or_else(|| NotImported::NoSuchMapping(supplier.to_owned()))
    }

    /// Keeps the mapping of a supplier, in place of the one before; whether there was one.
    ///
    /// # Errors
    /// [`NotImported`] when a field is unknown, no column is a name, or the name is none.
    pub fn set_mapping(&self, supplier: &str, map: Map) -> Result<bool, NotImported> {
        let length = supplier.chars().count();
        let is_plain = supplier.trim() == supplier && !supplier.chars().any(char::is_control);
        if !(1..=MAPPING_CHARS_MAX).contains(&length) || !is_plain || map.len() > CELLS_MAX {
            return Err(NotImported::MappingName);
        }
        let unknown = map.iter().find(|(_, field)| Field::named(field).is_none());
        if let Some((column, field)) = unknown {
            let (column, field) = (column.clone(), field.clone());
            return Err(NotImported::NoSuchField { column, field });
        }
        if !map.values().any(|field| matches!(Field::named(field), Some(Field::Name(_)))) {
            return Err(NotImported::NoName);
        }
        let supplier = supplier.to_owned();
        let kept = self.writer().write(move |tx| -> Result<Option<bool>, Abort<NotEdited>> {
            may_edit(tx)?;
            let before = imports::supplier_map(tx, &supplier)?;
            if before.is_none() && imports::supplier_maps(tx)?.len() >= MAPPINGS_MAX {
                return Ok(None);
            }
            imports::put_supplier_map(tx, &supplier, &map)?;
            Ok(Some(before.is_some()))
        });
        kept.map_err(NotEdited::from)?.ok_or(NotImported::TooManyMappings)
    }

    /// Forgets the mapping of a supplier.
    ///
    /// # Errors
    /// [`NotImported::NoSuchMapping`], or when that cannot be stored.
    pub fn remove_mapping(&self, supplier: &str) -> Result<(), NotImported> {
        let name = supplier.to_owned();
        let removed = self.writer().write(move |tx| -> Result<bool, Abort<NotEdited>> {
            may_edit(tx)?;
            Ok(imports::remove_supplier_map(tx, &name)?)
        });
        match removed.map_err(NotEdited::from)? {
            true => Ok(()),
            false => Err(NotImported::NoSuchMapping(supplier.to_owned())),
        }
    }
}
