//! `scale-layouts`: how the codes of the shop's scales are read.

use std::path::PathBuf;

use kirana_core::scale::{Carries, Layout};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::home::Home;

/// How the codes are read that the shop's scales print: 13 digits that begin with 02 or 20 to 29 and
/// hold an article with its weight or its price.
#[derive(clap::Args)]
pub struct ScaleLayouts {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows them.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Takes them from a file, in place of those before.
    Set {
        #[command(flatten)]
        data: Data,
        /// JSON such as `[{"prefix":"21","item_digits":5,"carries":"weight"},
        /// {"prefix":"27","item_digits":4,"carries":"price","verifier":true}]`.
        file: PathBuf,
    },
}

impl ScaleLayouts {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = match self.what {
            What::List { data } => with(data).shop()?,
            What::Set { data, file } => {
                let text = std::fs::read_to_string(&file);
                let text =
                    text.map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
                let layouts: Vec<Layout> = serde_json::from_str(&text)
                    .map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
                let shop = with(data).shop()?;
                shop.set_scale_layouts(layouts)?;
                shop
            }
        };
        let layouts = shop.scale_layouts()?;
        let mut says: Vec<String> = layouts.as_slice().iter().map(told).collect();
        if says.is_empty() {
            says.push("The shop reads no codes of scales yet: see scale-layouts set.".to_owned());
        }
        Ok(Done::new(says.join("\n"), json!({ "layouts": layouts })))
    }
}

fn told(layout: &Layout) -> String {
    let carries = match layout.carries {
        Carries::Weight => "a weight in g",
        Carries::Price => "a price in minor units",
    };
    let verifier = if layout.verifier { ", a check digit" } else { "" };
    let one = if layout.one == 1 { String::new() } else { format!(" (times {})", layout.one) };
    let Layout { prefix, item_digits, .. } = layout;
    format!("{prefix}: {item_digits} digits of the article{verifier}, then {carries}{one}")
}
