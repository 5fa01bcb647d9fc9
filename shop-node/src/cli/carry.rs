//! Orders that are carried to the shop by hand, as files.

use std::path::PathBuf;

use kirana_core::{
    cbor,
    mail::{Mail, SEALED_BYTES_MAX},
};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{app::Outcome, clock, home::Home};

/// Takes in a carried order.
#[derive(clap::Args)]
pub struct Receive {
    #[command(flatten)]
    data: Data,
    /// The file that `kirana order export` wrote.
    file: PathBuf,
    /// Where to write the reply, to be carried back.
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
}

impl Receive {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let bytes = read(&self.file)?;
        let mail: Mail = cbor::from_slice("a carried order", &bytes, FILE_BYTES_MAX)
            .map_err(|error| Failure { code: 1, name: "malformed", says: error.to_string() })?;
        let shop = with(self.data).shop()?;
        let delivered = shop
            .deliver(&mail, clock::now(), &mut clock::rng())
            .map_err(|error| Failure { code: 1, name: "refused", says: error.to_string() })?;
        let orders: Vec<_> = delivered.outcomes.iter().filter_map(order_of).collect();
        let reply = match (delivered.reply, self.reply) {
            (Some(reply), Some(path)) => {
                let written = crate::home::write_synced(&path, &cbor::to_vec(&reply));
                written.map_err(|error| {
                    Failure::of(format!("{} cannot be written: {error}", path.display()))
                })?;
                Some(path)
            }
            _ => None,
        };
        let says = match orders.len() {
            0 => "Taken in; there was no order in it.".to_owned(),
            1 => "One order was taken in.".to_owned(),
            n => format!("{n} orders were taken in."),
        };
        Ok(Done::new(says, json!({ "orders": orders, "reply": reply })))
    }
}

fn order_of(outcome: &Outcome) -> Option<serde_json::Value> {
    match outcome {
        Outcome::Order { id, new, .. } => Some(json!({ "id": id, "new": new })),
        _ => None,
    }
}

/// Reads no more than a file of this kind can hold.
fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let cannot = |error| Failure::of(format!("{} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// The longest carried file, in bytes: the seal and what stands outside it.
const FILE_BYTES_MAX: usize = SEALED_BYTES_MAX + 8 * 1024;
