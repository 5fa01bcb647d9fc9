//! Open orders that go from an older box of the shop to the newer one, as a file.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{cbor, mail::Mail};
use serde::Deserialize;
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::Outcome,
    clock,
    home::{Home, write_synced},
};

/// At the older box: writes its open orders to a file that only the newer box can read. From then
/// on the older box changes nothing any more.
#[derive(clap::Args)]
pub struct HandOver {
    #[command(flatten)]
    data: Data,
    /// What the newer box answers at /v1/profile, as a file; not needed once it was met.
    #[arg(long, value_name = "FILE")]
    newer: Option<PathBuf>,
    /// Where to write them.
    file: PathBuf,
}

/// At the newer box: takes such a file in; what nobody has decided is decided now.
#[derive(clap::Args)]
pub struct TakeOver {
    #[command(flatten)]
    data: Data,
    /// What `hand-over` wrote.
    file: PathBuf,
}

impl HandOver {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        hand_over(&with(self.data), self.newer.as_deref(), &self.file)
    }
}

impl TakeOver {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        take_over(&with(self.data), &self.file)
    }
}

fn hand_over(home: &Home, newer: Option<&Path>, file: &Path) -> Result<Done, Failure> {
    let (shop, mut rng) = (home.shop()?, clock::rng());
    if let Some(newer) = newer {
        let met = shop.meet_box(&certificates(newer)?, clock::now(), &mut rng);
        met.map_err(Failure::of)?;
    }
    let handed = shop.hand_over(clock::now(), &mut rng).map_err(Failure::of)?;
    let (count, left) = (handed.mails.len(), handed.left);
    write_synced(file, &cbor::to_vec(&handed.mails))
        .map_err(|error| Failure::of(format!("{} cannot be written: {error}", file.display())))?;
    let mut says = format!(
        "{count} open orders are in {}. Carry it to the newer box and run `kirana-shop orders \
         take-over` there. This box changes nothing any more.",
        file.display()
    );
    for order in &left {
        says.push_str(&format!("\norder {order} stays: it is damaged, or its device is unknown"));
    }
    let code = u8::from(!left.is_empty());
    Ok(Done { code, ..Done::new(says, json!({ "handed_over": count, "left": left })) })
}

fn take_over(home: &Home, file: &Path) -> Result<Done, Failure> {
    let bytes = read(file)?;
    let mails: Vec<Mail> = cbor::from_slice("orders of an older box", &bytes, FILE_BYTES_MAX)
        .map_err(|error| Failure { code: 1, name: "malformed", says: error.to_string() })?;
    let shop = home.shop()?;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for mail in &mails {
        match shop.deliver(mail, clock::now(), &mut clock::rng()) {
            Ok(delivered) => taken.extend(delivered.outcomes.into_iter().filter_map(|o| match o {
                Outcome::Order { id, .. } => Some(id),
                _ => None,
            })),
            Err(error) => refused.push(error.to_string()),
        }
    }
    let mut says = format!("{} orders were taken over.", taken.len());
    for why in &refused {
        says.push_str(&format!("\none was refused: {why}"));
    }
    let code = u8::from(!refused.is_empty());
    Ok(Done { code, ..Done::new(says, json!({ "orders": taken, "refused": refused })) })
}

#[derive(Deserialize)]
struct Profile {
    certificates: Vec<String>,
}

/// The certificates in what a box says of itself.
fn certificates(profile: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let malformed = || Failure {
        code: 1,
        name: "malformed",
        says: format!("{} is not what a box answers at /v1/profile", profile.display()),
    };
    let profile: Profile = serde_json::from_slice(&read(profile)?).map_err(|_| malformed())?;
    let bytes = profile.certificates.iter().map(|text| STANDARD.decode(text));
    bytes.collect::<Result<_, _>>().map_err(|_| malformed())
}

/// Reads no more than a file of this kind can hold.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let cannot = |error| Failure::of(format!("{} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// The longest file of orders, in bytes.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;
