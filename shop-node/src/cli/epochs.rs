//! The epochs of the catalogue, from the command line.

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{app::catalogue::epochs::Epoch, clock, home::Home};

/// Shows since when each part of the catalogue remembers every change; a shop that serves begins
/// each anew after a year.
#[derive(clap::Args)]
pub struct Epochs {
    #[command(flatten)]
    data: Data,
    /// Begin every part anew now. Products, prices and clashes stay as they are, the history is
    /// kept, and what staff devices still send waits among the clashes.
    #[arg(long)]
    close: bool,
}

impl Epochs {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        if self.close {
            for epoch in shop.epochs()? {
                let closed = shop.close_epoch(epoch.bucket, clock::now(), &mut clock::rng());
                closed.map_err(Failure::of)?;
            }
        }
        let epochs = shop.epochs()?;
        let lines: Vec<String> = epochs.iter().map(line).collect();
        let says = match lines.is_empty() {
            true => "There is nothing in the catalogue yet.".to_owned(),
            false => lines.join("\n"),
        };
        Ok(Done::new(says, json!({ "items": epochs })))
    }
}

fn line(epoch: &Epoch) -> String {
    let since = epoch.since.map_or("not noted yet".to_owned(), |since| since.to_string());
    format!("part {}: epoch {} since {since}, {} changes", epoch.bucket, epoch.epoch, epoch.changes)
}
