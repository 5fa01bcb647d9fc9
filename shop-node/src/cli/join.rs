//! Asks a hub to vouch for the shop, so that strangers need not take its own word.

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    home::Home,
    join::{self, NotJoined, Owner},
};

/// Applies to a hub; run it again once the hub has approved.
#[derive(clap::Args)]
pub struct Join {
    #[command(flatten)]
    data: Data,
    /// The hub's address, such as https://hub.example.org; the one named at `init` if left out.
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    /// The owner's sign-in name at the hub; the password comes from KIRANA_PASSWORD or a
    /// prompt, the code of a second factor from KIRANA_OTP.
    #[arg(long)]
    login: String,
}

impl Join {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let hub = self.hub.or_else(|| shop.identity().hub.clone());
        let hub = hub.ok_or_else(|| missing("name the hub with --hub"))?;
        let place = shop.identity().place.clone();
        let place = place.ok_or_else(|| missing("the shop has no place: `init` takes --place"))?;
        let password = match std::env::var("KIRANA_PASSWORD") {
            Ok(password) => password,
            Err(_) => rpassword::prompt_password("Password: ").map_err(Failure::of)?,
        };
        let otp = std::env::var("KIRANA_OTP").ok();
        let (login, otp) = (self.login.as_str(), otp.as_deref());
        let owner = Owner { login, password: &password, otp, place: &place };
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::of)?;
        let joined = runtime.block_on(join::join(&shop, hub.trim_end_matches('/'), owner))?;
        let says = match joined.state.as_str() {
            "approved" => "The hub vouches for the shop.",
            _ => "The hub has the application. Run this again once it was approved.",
        };
        Ok(Done::new(says, json!(joined)))
    }
}

impl From<NotJoined> for Failure {
    fn from(error: NotJoined) -> Self {
        Self { code: 1, name: "not-joined", says: error.to_string() }
    }
}

fn missing(says: &str) -> Failure {
    Failure { code: 2, name: "usage", says: says.to_owned() }
}
