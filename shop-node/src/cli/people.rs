//! Who works here: certifying, shutting out, and tokens for the shop's own door.

use kirana_core::{certificate::StaffRole, key::KeyId};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::access::{Access, Closed, Session},
    clock,
    home::Home,
};

/// A role of somebody who works in the shop.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleName {
    /// The owner, with the key on this box.
    Owner,
    /// Sells, packs, edits the catalogue.
    Staff,
    /// Carries orders to doors.
    Courier,
}

impl RoleName {
    fn standing(self) -> StaffRole {
        match self {
            Self::Owner => StaffRole::Owner,
            Self::Staff => StaffRole::Staff,
            Self::Courier => StaffRole::Courier,
        }
    }
}

/// Prints an access token for this shop's own door.
#[derive(clap::Args)]
pub struct Token {
    #[command(flatten)]
    data: Data,
    /// For whom; staff gets a key and a certificate of their own.
    #[arg(long, default_value = "owner")]
    role: RoleName,
    /// A name for the owner's list, such as "till 2".
    #[arg(long, default_value = "")]
    name: String,
}

impl Token {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let access = door(&with(self.data))?;
        let (now, mut rng) = (clock::now(), clock::rng());
        let session = match self.role {
            RoleName::Owner if self.name.is_empty() => access.owner_session(now, &mut rng)?,
            role => access.staff_session(role.standing(), self.name, now, &mut rng)?,
        };
        let Session { access_token, expires_in, device } = session;
        let shown = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": expires_in,
            "device": device,
        });
        Ok(Done::new(access_token, shown))
    }
}

/// People who work here.
#[derive(clap::Args)]
pub struct Staff {
    #[command(subcommand)]
    what: StaffCommand,
}

#[derive(clap::Subcommand)]
enum StaffCommand {
    /// Shuts a device out, at once and without any hub.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// The device, as `token` named it.
        device: KeyId,
    },
}

impl Staff {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let StaffCommand::Revoke { data, device } = self.what;
        let shop = with(data).shop()?;
        shop.revoke_staff(device, clock::now(), &mut clock::rng()).map_err(Failure::of)?;
        let says = format!("{device} is shut out, from now on.");
        Ok(Done::new(says, json!({ "device": device, "revoked": true })))
    }
}

fn door(home: &Home) -> Result<Access, Failure> {
    let secret = clock::draw(&mut clock::rng());
    Access::new(home.shop()?, secret).map_err(Failure::of)
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self { code: 1, name: "closed", says: closed.to_string() }
    }
}
