//! Closes the shop down, opens it again, or ends it and writes its books.
//!
//! **Invariant:** the books are on the disk before the shop has ended.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::{
        Shop,
        closing::{NotClosed, Standing},
    },
    clock,
    home::{Home, write_synced},
    join,
};

/// Closes the shop down: new orders are declined, open ones can be brought to their end.
#[derive(clap::Args)]
pub struct Close {
    #[command(flatten)]
    data: Data,
    /// Takes orders again; possible until the shop has ended.
    #[arg(long, conflicts_with = "end")]
    reopen: bool,
    /// Ends the shop, once no order is open, and writes orders, audit and stock as CSV files there.
    #[arg(long, value_name = "DIR")]
    end: Option<PathBuf>,
    /// Tells the hub that the shop has ended: the owner's sign-in name there. The password comes
    /// from KIRANA_PASSWORD or a prompt, the code of a second factor from KIRANA_OTP.
    #[arg(long, requires = "end")]
    login: Option<String>,
    /// The hub's address; the one named at `init` if left out.
    #[arg(long, value_name = "URL", requires = "login")]
    hub: Option<String>,
}

impl Close {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        if self.reopen {
            let standing = shop.reopen()?;
            return Ok(Done::new("The shop takes orders again.", shown(&standing)));
        }
        let Some(folder) = self.end else {
            let standing = shop.close(clock::now())?;
            let says = format!(
                "The shop takes no new orders. {} are open: bring them to their end, then `kirana-shop \
                 close --end DIR`. `--reopen` opens it again.",
                standing.open_orders
            );
            return Ok(Done::new(says, shown(&standing)));
        };
        let standing = end(&shop, &folder)?;
        let told = match &self.login {
            Some(login) => Some(tell(&shop, self.hub, login)?),
            None => None,
        };
        let says = format!("The shop has ended. Its books are in {}.", folder.display());
        let mut shown = shown(&standing);
        shown["books"] = json!(folder);
        shown["hub_says"] = json!(told);
        Ok(Done::new(says, shown))
    }
}

fn end(shop: &Shop, folder: &Path) -> Result<Standing, Failure> {
    let standing = shop.closing()?;
    if standing.closing.is_none() {
        return Err(NotClosed::Open.into());
    }
    if standing.open_orders > 0 {
        return Err(NotClosed::OpenOrders(standing.open_orders).into());
    }
    let cannot = |e| Failure::of(format!("{} cannot be written: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    for table in shop.books()? {
        write_synced(&folder.join(table.name), &table.csv).map_err(cannot)?;
    }
    Ok(shop.end(clock::now())?)
}

fn tell(shop: &Shop, hub: Option<String>, login: &str) -> Result<String, Failure> {
    let hub = hub.or_else(|| shop.identity().hub.clone());
    let hub = hub.ok_or_else(|| Failure::usage("name the hub with --hub"))?;
    let password = match std::env::var("KIRANA_PASSWORD") {
        Ok(password) => password,
        Err(_) => rpassword::prompt_password("Password: ").map_err(Failure::of)?,
    };
    let otp = std::env::var("KIRANA_OTP").ok();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::of)?;
    Ok(runtime.block_on(join::close(shop, &hub, (login, &password, otp.as_deref())))?)
}

fn shown(standing: &Standing) -> serde_json::Value {
    json!({
        "closed_since": standing.closing.map(|closing| closing.since.to_string()),
        "ended_at": standing.closing.and_then(|c| c.ended).map(|at| at.to_string()),
        "open_orders": standing.open_orders,
    })
}

impl From<NotClosed> for Failure {
    fn from(error: NotClosed) -> Self {
        let name = match &error {
            NotClosed::OpenOrders(_) => "orders-open",
            NotClosed::Open => "not-closed",
            NotClosed::Ended => "ended",
            NotClosed::ReadOnly(_) => "read-only",
            NotClosed::NotStored(_) | NotClosed::Store(_) => "data",
        };
        Self { code: 1, name, says: error.to_string() }
    }
}
