//! The shelf as a file, from the command line.

use std::{io::BufWriter, path::PathBuf};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{app::product_file::Kind, home::Home};

/// Writes every product on the shelf into a file; `import` reads the CSV back, with all but pictures.
///
/// A Shopify file comes back the same through `import --format shopify`. Through Shopify itself only
/// what Shopify has columns or metafields for comes back, and of each product as a whole: loose goods
/// are counted there by what their price is for, and of a description blank lines are lost.
#[derive(clap::Args)]
pub struct Export {
    #[command(flatten)]
    data: Data,
    /// The file; one that is there is replaced once the new one is whole.
    file: PathBuf,
    /// `csv`, or `shopify` for its product CSV.
    #[arg(long, default_value = "csv")]
    format: String,
}

impl Export {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let kind: Kind = self.format.parse().map_err(Failure::usage)?;
        let shop = with(self.data).shop()?;
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::of(format!("{} cannot be written: {why}", self.file.display()))
        };
        let mut part = self.file.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = std::fs::File::create(&part).map_err(|why| cannot(&why))?;
        let written = shop.write_products(kind, BufWriter::new(&file));
        let whole = written.map_err(|why| cannot(&why)).and_then(|written| {
            file.sync_all().map_err(|why| cannot(&why))?;
            std::fs::rename(&part, &self.file).map_err(|why| cannot(&why))?;
            Ok(written)
        });
        let written = whole.inspect_err(|_| {
            // What is half written helps nobody; that it stays hurts nobody either.
            let _ = std::fs::remove_file(&part);
        })?;
        let says = format!(
            "{} products in {} lines are in {}.",
            written.products,
            written.lines,
            self.file.display()
        );
        Ok(Done::new(says, json!(written)))
    }
}
