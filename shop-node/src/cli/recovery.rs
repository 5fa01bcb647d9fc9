//! The printed recovery code: by it an owner gets in again, whatever device or passphrase is lost.
//!
//! **Invariant:** the code opens the box's own keys without a backup; nothing is changed before it
//! has opened them.

use kirana_core::{
    enrolment::{Enrolment, Request},
    key::KeyId,
    vault,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Data, Done, Failure, qr::Photos};
use crate::{
    app::{
        Shop,
        roles::Post,
        staff::{Member, NotStaffed},
    },
    clock,
    home::{Home, HomeError},
};

/// The printed code that keeps an owner from being locked out.
#[derive(clap::Args)]
pub struct Recovery {
    #[command(subcommand)]
    what: RecoveryCommand,
}

#[derive(clap::Subcommand)]
enum RecoveryCommand {
    /// Shows the code, to be written down and kept away from this computer.
    Print {
        #[command(flatten)]
        data: Data,
        /// Draws another one: the old one opens only backups that were made before.
        #[arg(long)]
        new: bool,
    },
    /// Gets an owner in again by the code, from KIRANA_RECOVERY_CODE or a prompt. Where the box's
    /// passphrase was forgotten, KIRANA_PASSPHRASE becomes the new one.
    Use {
        #[command(flatten)]
        data: Data,
        /// What the owner's new device shows: `kirana-enrol:…`.
        request: Option<String>,
        #[command(flatten)]
        photos: Photos,
        /// A name for the new device.
        #[arg(long, default_value = "owner")]
        name: String,
        /// A device that was lost: it is shut out. Several may be named.
        #[arg(long, value_name = "DEVICE")]
        shut_out: Vec<KeyId>,
        /// Shuts out every other device of an owner.
        #[arg(long)]
        shut_out_all: bool,
    },
}

impl Recovery {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            RecoveryCommand::Print { data, new } => print(&with(data), new),
            RecoveryCommand::Use { data, request, photos, name, shut_out, shut_out_all } => {
                let (home, request) = (with(data), photos.or(request)?);
                let asked = request.as_deref().map(Request::read).transpose();
                let asked = asked.map_err(|e| Failure::usage(e.to_string()))?;
                let shop = let_in(&home)?;
                let added =
                    asked.map(|asked| welcome(&shop, &asked.enrolment, name)).transpose()?;
                let lost = match shut_out_all {
                    true => other_owners(&shop, added)?,
                    false => shut_out,
                };
                for device in &lost {
                    shop.revoke_staff(*device, true, clock::now(), &mut clock::rng())?;
                }
                let says = match added {
                    Some(device) => format!("{device} is the owner's; {} shut out.", lost.len()),
                    None => format!("The keys are open again; {} shut out.", lost.len()),
                };
                Ok(Done::new(says, json!({ "device": added, "shut_out": lost })))
            }
        }
    }
}

fn print(home: &Home, new: bool) -> Result<Done, Failure> {
    let (mut keys, mut rng) = (home.keys()?, clock::rng());
    if new || keys.recovery_code.is_none() {
        keys.recovery_code = Some(Zeroizing::new(vault::to_code(&clock::draw(&mut rng))));
    }
    // Also where the code stays: a box of an earlier version has nothing yet that it opens.
    home.keep_keys(&keys, &mut rng)?;
    let code = keys.recovery_code.unwrap_or_default();
    let says = format!(
        "Recovery code: {}\n\nWrite it down and keep it away from this computer: it opens the \
         backups, and `kirana-shop recovery use` lets an owner in again by it.",
        *code
    );
    Ok(Done::new(says, json!({ "recovery_code": *code, "new": new })))
}

/// Opens the shop by the code, and puts the keys back where they cannot be opened otherwise.
fn let_in(home: &Home) -> Result<Shop, Failure> {
    let code = match std::env::var("KIRANA_RECOVERY_CODE") {
        Ok(code) => code,
        Err(_) => rpassword::prompt_password("Recovery code: ").map_err(Failure::of)?,
    };
    let keys = home.keys_by_code(&code)?;
    match home.keys() {
        Ok(_) => {}
        Err(HomeError::PassphraseNeeded) => {
            return Err(Failure::usage(
                "the keys were behind a passphrase: give a new one in KIRANA_PASSPHRASE",
            ));
        }
        Err(HomeError::NotMade | HomeError::Shut(_) | HomeError::Damaged { .. }) => {
            home.keep_keys(&keys, &mut clock::rng())?;
        }
        Err(other) => return Err(other.into()),
    }
    Ok(home.shop()?)
}

fn welcome(shop: &Shop, asked: &Enrolment, label: String) -> Result<KeyId, Failure> {
    if asked.shop != Some(shop.id()) || asked.account.is_some() {
        return Err(Failure::usage("the device asks for another shop"));
    }
    let Enrolment { key, sealing, .. } = *asked;
    let member = Member { key, sealing, post: Post::Owner, label };
    shop.add_staff(member, clock::now(), &mut clock::rng())?;
    Ok(key.id())
}

fn other_owners(shop: &Shop, but: Option<KeyId>) -> Result<Vec<KeyId>, NotStaffed> {
    let owners = shop.staff()?.into_iter();
    let owners = owners.filter(|l| !l.revoked && l.role == "owner" && Some(l.device) != but);
    Ok(owners.map(|listed| listed.device).collect())
}
