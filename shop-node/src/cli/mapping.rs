//! Mappings of suppliers' files from the command line.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::json;

use super::{Data, Done, Failure, import};
use crate::home::Home;

/// Mappings that are kept under the names of suppliers: which column of their files means what.
#[derive(clap::Args)]
pub struct Mapping {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows the mappings that are kept.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Shows the mapping of one supplier.
    Show {
        #[command(flatten)]
        data: Data,
        /// The supplier.
        supplier: String,
    },
    /// Keeps a mapping, in place of the one before.
    Set {
        #[command(flatten)]
        data: Data,
        /// The supplier.
        supplier: String,
        /// JSON that says which column means what: `{"column":"field"}`.
        file: PathBuf,
    },
    /// Forgets the mapping of a supplier.
    Remove {
        #[command(flatten)]
        data: Data,
        /// The supplier.
        supplier: String,
    },
}

impl Mapping {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let not = import::not_imported;
        match self.what {
            What::List { data } => {
                let kept = with(data).shop()?.mappings()?;
                let lines = kept.iter().map(|(name, map)| format!("{name}: {}", told(map)));
                let items = kept.iter().map(|(name, map)| json!({"id": name, "map": map}));
                let (says, items) = (lines.collect::<Vec<_>>(), items.collect::<Vec<_>>());
                Ok(Done::new(says.join("\n"), json!({"items": items, "next_cursor": null})))
            }
            What::Show { data, supplier } => {
                let map = with(data).shop()?.mapping(&supplier).map_err(not)?;
                Ok(Done::new(told(&map), json!({"id": supplier, "map": map})))
            }
            What::Set { data, supplier, file } => {
                let map = import::map(&file)?;
                with(data).shop()?.set_mapping(&supplier, map.clone()).map_err(not)?;
                let says =
                    format!("Kept. To use it: kirana-shop import FILE --mapping {supplier:?}");
                Ok(Done::new(says, json!({"id": supplier, "map": map})))
            }
            What::Remove { data, supplier } => {
                with(data).shop()?.remove_mapping(&supplier).map_err(not)?;
                Ok(Done::new("Forgotten.", json!({"id": supplier})))
            }
        }
    }
}

fn told(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(column, field)| format!("{column} = {field}")).collect::<Vec<_>>().join(", ")
}
