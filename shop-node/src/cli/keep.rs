//! Setting up, checking, keeping and bringing back a shop.

use std::path::{Path, PathBuf};

use kirana_core::{
    money::Currency,
    vault::{self, Cost},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Data, Done, Failure};
use crate::{
    app::{Founding, Keys, Shop, backup::NoBackup, moving::NoMove},
    clock,
    home::{Home, HomeError},
};

/// Sets up a new shop.
#[derive(clap::Args)]
pub struct Init {
    #[command(flatten)]
    data: Data,
    /// What people call the shop.
    #[arg(long, default_value = "Our shop")]
    name: String,
    /// What it sells in.
    #[arg(long, default_value = "INR")]
    currency: Currency,
    /// Where it stands: latitude and longitude in degrees.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    place: Option<kirana_core::geohash::Place>,
    /// The hub that it will ask to vouch for it.
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
}

impl Init {
    pub(super) fn run(self, passphrase: Option<String>) -> Result<Done, Failure> {
        let protected = passphrase.is_some();
        let home = Home::at(&self.data.data, passphrase);
        if home.is_made() {
            return Err(HomeError::AlreadyMade { path: home.folder().to_owned() }.into());
        }
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_CHARS_MAX {
            let says = format!("a shop's name has between 1 and {NAME_CHARS_MAX} characters");
            return Err(Failure { code: 2, name: "usage", says });
        }
        let mut rng = clock::rng();
        let mut keys = Keys::draw(&mut rng);
        let code = vault::to_code(&clock::draw(&mut rng));
        keys.recovery_code = Some(Zeroizing::new(code.clone()));
        let database = home.database()?;
        // Keys first: a shop in the database whose keys are gone could never be opened.
        home.keep_keys(&keys, &mut rng)?;
        let founding = Founding {
            name: self.name,
            currency: self.currency,
            place: self.place.map(|place| place.to_string()),
            hub: self.hub,
        };
        let shop =
            Shop::found(database, keys, founding, clock::now(), &mut rng).map_err(Failure::of)?;
        let mut says = format!(
            "{} is set up.\nIts id is {}.\n\nRecovery code: {code}\n\nWrite the code down and keep it \
             away from this computer: only it opens the backups, and it lets an owner in again.",
            shop.identity().name,
            shop.id(),
        );
        if !protected {
            says.push_str(
                "\n\nThe keys lie in a file that only you can read. That does not protect them \
                 from somebody who takes the computer: set KIRANA_PASSPHRASE for that.",
            );
        }
        let shown = json!({
            "shop_id": shop.id(), "name": shop.identity().name, "recovery_code": code,
            "owner_key": shop.identity().owner.to_string(), "keys_protected": protected,
        });
        Ok(Done::new(says, shown))
    }
}

const NAME_CHARS_MAX: usize = 100;

/// Checks everything that is stored.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    data: Data,
}

impl Verify {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop_unchecked()?;
        let found = shop.verify().map_err(Failure::of)?;
        let mut says = String::new();
        for fault in found.faults.iter().chain(&found.mended) {
            says.push_str(fault);
            says.push('\n');
        }
        says.push_str(&format!(
            "{} orders with {} entries and {} movements of stock: {}",
            found.orders,
            found.entries,
            found.movements,
            match found.faults.len() {
                0 => "every chain and every sum holds.".to_owned(),
                1 => "1 fault.".to_owned(),
                n => format!("{n} faults."),
            }
        ));
        let shown = json!({
            "orders": found.orders, "entries": found.entries, "movements": found.movements,
            "faults": found.faults, "mended": found.mended, "ok": found.faults.is_empty(),
        });
        let code = u8::from(!found.faults.is_empty());
        Ok(Done { code, ..Done::new(says, shown) })
    }
}

/// Writes a backup.
#[derive(clap::Args)]
pub struct Backup {
    #[command(flatten)]
    data: Data,
    /// Where to write it; an older backup there is replaced once the new one is whole.
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let bytes = written(&shop, &self.file)?;
        let says = format!("{} holds the shop, {bytes} bytes.", self.file.display());
        Ok(Done::new(says, json!({ "file": self.file, "bytes": bytes })))
    }
}

/// Moves the shop to another box: this one writes no more, and FILE is what the other one opens, within a
/// week, by `kirana-shop restore FILE`. Unlike a backup it goes on there at once: open it once, on one box
/// (on this one too, if the shop stays after all), and throw it away then.
#[derive(clap::Args)]
pub struct Move {
    #[command(flatten)]
    data: Data,
    /// Where to write it.
    file: PathBuf,
}

impl Move {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let file = self.file;
        if shop.keys().recovery_code.is_none() {
            return Err(NoBackup::NoCode.into());
        }
        // A mistyped path closes no shop.
        let probe = file.with_extension("unfinished");
        std::fs::File::create(&probe).map_err(NoBackup::Io)?;
        shop.say_farewell(clock::now(), &mut clock::rng())?;
        let bytes = written(&shop, &file).inspect_err(|_| {
            tracing::warn!("this box is closed and the file is not written: say move again");
        })?;
        let says = format!(
            "{} holds the shop, {bytes} bytes; this box writes no more. On the other one, within a week: \
             kirana-shop restore {}",
            file.display(),
            file.display(),
        );
        Ok(Done::new(says, json!({ "file": file, "bytes": bytes, "moved": true })))
    }
}

impl From<NoMove> for Failure {
    fn from(error: NoMove) -> Self {
        Self { code: 1, name: "move", says: error.to_string() }
    }
}

/// Writes a whole backup, in the place of an older one once it is there.
fn written(shop: &Shop, file: &Path) -> Result<u64, Failure> {
    let fresh = file.with_extension("unfinished");
    // Left by a backup that a power cut ended: never whole, so never missed.
    let _ = std::fs::remove_file(&fresh);
    shop.backup(&fresh, Cost::STANDARD, &mut clock::rng())?;
    std::fs::rename(&fresh, file).map_err(Failure::of)?;
    Ok(std::fs::metadata(file).map_err(Failure::of)?.len())
}

/// Makes a new box out of a backup.
#[derive(clap::Args)]
pub struct Restore {
    #[command(flatten)]
    data: Data,
    /// The backup.
    file: PathBuf,
    /// The list `erased.txt` of a folder that was lost: whoever was forgotten stays so.
    #[arg(long, value_name = "FILE")]
    erased: Option<PathBuf>,
}

impl Restore {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let code = match std::env::var("KIRANA_RECOVERY_CODE") {
            Ok(code) => code,
            Err(_) => rpassword::prompt_password("Recovery code: ").map_err(Failure::of)?,
        };
        let home = with(self.data);
        let shop = home.restore(
            &self.file,
            (&code, self.erased.as_deref()),
            clock::now(),
            &mut clock::rng(),
        )?;
        let moved = shop.has_moved().map_err(Failure::of)?;
        let (name, n) = (&shop.identity().name, shop.generation());
        let says = match moved {
            true => {
                format!("{name} moved here, as box {n}, and goes on where the other one ended.")
            }
            false => format!(
                "{name} is back, as box {n}. Open orders wait until their customers' devices were \
                 heard; counted goods are closed to sale until the stock is confirmed.",
            ),
        };
        let shown = json!({ "shop_id": shop.id(), "generation": n, "moved": moved });
        Ok(Done::new(says, shown))
    }
}

impl From<NoBackup> for Failure {
    fn from(error: NoBackup) -> Self {
        Self { code: 1, name: "backup", says: error.to_string() }
    }
}
