//! The shop gets another owner: what the new one, then the old one, then the new one types.
//!
//! **Invariant:** a key of an owner is never printed and never an argument; what goes from hand to
//! hand is a request and a consent, which anybody may read.

use std::path::{Path, PathBuf};

use kirana_core::{
    enrolment::{Enrolment, Request},
    id::ShopId,
    key::KeyPair,
    vault::{self, Cost},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Data, Done, Failure,
    qr::{Photos, ShownAs},
};
use crate::{
    app::{Shop, succession::NotHandedOver},
    clock,
    home::{Home, write_synced},
    serve,
};

/// Gives the shop to another owner, without any hub: `request`, `hand-over`, `take-over`.
#[derive(clap::Args)]
pub struct Owner {
    #[command(subcommand)]
    what: OwnerCommand,
}

#[derive(clap::Subcommand)]
enum OwnerCommand {
    /// The new owner: draws a key into a file, and shows the request that the old owner answers. With
    /// KIRANA_OWNER_PASSPHRASE the file is locked.
    Request {
        /// The shop's id.
        #[arg(long)]
        shop: ShopId,
        /// Where the new owner's key goes; if it is there already, it is asked for once more.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        show: ShownAs,
    },
    /// The old owner, at the shop's box: consents to the key that the request shows.
    #[command(allow_missing_positional = true)]
    HandOver {
        #[command(flatten)]
        data: Data,
        /// What `request` showed: `kirana-enrol:…`.
        request: Option<String>,
        #[command(flatten)]
        photos: Photos,
        /// Where the consent goes.
        file: PathBuf,
        /// Ten digits that the new owner's screen shows beside the request.
        #[arg(long, value_name = "DIGITS")]
        compare: String,
        /// Consents by the printed recovery code, from KIRANA_RECOVERY_CODE or a prompt.
        #[arg(long)]
        by_code: bool,
    },
    /// The old owner: takes a consent back by which nobody took over yet.
    Withdraw {
        #[command(flatten)]
        data: Data,
        /// What `hand-over` wrote.
        file: PathBuf,
    },
    /// The new owner, at the shop's box while it is closed: takes over. Staff and tills are certified
    /// anew afterwards. KIRANA_NEW_PASSPHRASE is the box's from then on.
    TakeOver {
        #[command(flatten)]
        data: Data,
        /// What `hand-over` wrote.
        file: PathBuf,
        /// The new owner's key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

impl Owner {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            OwnerCommand::Request { shop, key, show } => request(shop, &key, &show),
            OwnerCommand::HandOver { data, request, photos, file, compare, by_code } => {
                let why = "give what `request` showed, or --from-picture with a photo of it";
                let request = photos.or(request)?.ok_or_else(|| Failure::usage(why))?;
                let home = with(data);
                let shop = if by_code { by_printed_code(&home)? } else { home.shop()? };
                hand_over(&shop, &request, &compare, &file)
            }
            OwnerCommand::Withdraw { data, file } => {
                let (shop, consent) = (with(data).shop()?, read(&file)?);
                shop.withdraw_consent(&consent, clock::now(), &mut clock::rng())?;
                Ok(Done::new("The consent counts no more.", json!({ "withdrawn": true })))
            }
            OwnerCommand::TakeOver { data, file, key } => take_over(&with(data), &file, &key),
        }
    }
}

fn request(shop: ShopId, file: &Path, show: &ShownAs) -> Result<Done, Failure> {
    let keys = match file.exists() {
        true => key_in(file)?,
        false => {
            let mut rng = clock::rng();
            let seed = Zeroizing::new(clock::draw::<64>(&mut rng));
            let kept = match owner_passphrase() {
                Some(passphrase) => vault::lock(&*seed, &passphrase, Cost::STANDARD, &mut rng),
                None => seed.to_vec(),
            };
            write_synced(file, &Zeroizing::new(kept)).map_err(|e| unusable(file, e))?;
            KeyPair::from_seed(*seed)
        }
    };
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let asked = Enrolment { account: None, shop: Some(shop), key, sealing };
    let request = Request::new(asked, &keys.signing);
    let compare = request.comparison();
    let pictures = show.pictures(&request.to_string())?;
    let says = format!(
        "Show this to the shop's owner:\n\n{pictures}{request}\n\nand read these digits out: {compare}\n\nThe \
         key lies in {}. Keep that file: it will own the shop.",
        file.display()
    );
    Ok(Done::new(says, json!({ "request": request.to_string(), "compare": compare })))
}

fn hand_over(shop: &Shop, request: &str, compare: &str, file: &Path) -> Result<Done, Failure> {
    let request = Request::read(request).map_err(|e| Failure::usage(e.to_string()))?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if digits(compare) != digits(&request.comparison()) {
        return Err(Failure::usage("the digits differ: this is not what the new owner showed"));
    }
    let consent = shop.consent_to(&request.enrolment, clock::now(), &mut clock::rng())?;
    write_synced(file, &consent).map_err(|e| unusable(file, e))?;
    let key = request.enrolment.key.id();
    let says = format!(
        "{key} may take the shop over, with the file {}, at this box. Until then nothing changes, \
         and `kirana-shop owner withdraw` takes it back.",
        file.display()
    );
    Ok(Done::new(says, json!({ "to": key, "file": file })))
}

fn take_over(home: &Home, consent: &Path, key: &Path) -> Result<Done, Failure> {
    let (consent, keys) = (read(consent)?, key_in(key)?);
    // A shop that is open would go on in the old owner's name.
    let _alone = serve::alone(home)?;
    let passphrase = std::env::var("KIRANA_NEW_PASSPHRASE").ok();
    let (now, mut rng) = (clock::now(), clock::rng());
    let shop = home.take_over(&keys.signing, &consent, passphrase, now, &mut rng)?;
    let code = shop.keys().recovery_code.clone().unwrap_or_default();
    let says = format!(
        "The shop is yours. Everybody who works here needs a new certificate: `kirana-shop staff \
         add`.\n\nRecovery code: {}\n\nWrite it down and keep it away from this computer. The old \
         code opens only the backups of the owner before.",
        *code
    );
    let owner = shop.identity().owner.to_string();
    let shown = json!({
        "owner_key": owner, "generation": shop.generation(), "recovery_code": *code,
    });
    Ok(Done::new(says, shown))
}

/// The shop with what the printed code opens, whatever became of the passphrase.
fn by_printed_code(home: &Home) -> Result<Shop, Failure> {
    let code = match std::env::var("KIRANA_RECOVERY_CODE") {
        Ok(code) => code,
        Err(_) => rpassword::prompt_password("Recovery code: ").map_err(Failure::of)?,
    };
    Shop::open(home.database()?, home.keys_by_code(&code)?).map_err(Failure::of)
}

fn key_in(file: &Path) -> Result<KeyPair, Failure> {
    let kept = Zeroizing::new(read(file)?);
    let opened = match owner_passphrase() {
        Some(passphrase) if kept.len() != 64 => {
            vault::unlock(&kept, &passphrase).map_err(Failure::of)?
        }
        _ => kept,
    };
    let seed: Result<[u8; 64], _> = opened.as_slice().try_into();
    let why = "this file holds no owner's key, or KIRANA_OWNER_PASSPHRASE is missing";
    Ok(KeyPair::from_seed(*Zeroizing::new(seed.map_err(|_| Failure::usage(why))?)))
}

fn owner_passphrase() -> Option<Zeroizing<String>> {
    std::env::var("KIRANA_OWNER_PASSPHRASE").ok().map(Zeroizing::new)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| unusable(file, e))
}

fn unusable(file: &Path, error: std::io::Error) -> Failure {
    Failure::of(format!("{} cannot be used: {error}", file.display()))
}

impl From<NotHandedOver> for Failure {
    fn from(error: NotHandedOver) -> Self {
        Self { code: 1, name: "not-handed-over", says: error.to_string() }
    }
}
