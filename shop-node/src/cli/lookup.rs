//! `lookup`: what an open product database knows of a barcode.

use kirana_core::gtin::Gtin;

use super::{Data, Done, Failure, feeds::Way};
use crate::{
    app::lookup::{LICENCE, NotLookedUp},
    home::Home,
    http::lookup::shown,
    lookup::Lookups,
    outside,
};

/// Looks a barcode up in an open product database of the shape of Open Food Facts; nothing is saved.
#[derive(clap::Args)]
pub struct Lookup {
    #[command(flatten)]
    data: Data,
    /// The barcode.
    gtin: String,
    /// Where to ask, such as https://world.openfoodfacts.org; it learns which barcode is asked for.
    #[arg(long, value_name = "URL")]
    lookup_url: Option<String>,
    #[command(flatten)]
    way: Way,
}

impl Lookup {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let gtin: Gtin = self.gtin.parse().map_err(Failure::of)?;
        let base = self.lookup_url.as_deref().map(outside::checked).transpose()?;
        let (shop, lookups) = (with(self.data).shop()?, Lookups::new(self.way.out()?, base));
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::of)?;
        let draft = runtime.block_on(lookups.look_up(&shop, gtin))?;
        let names = draft.names.values().cloned().collect::<Vec<_>>().join(", ");
        let brand = draft.brand.as_ref().map_or(String::new(), |brand| format!(", {brand}"));
        let source = lookups.source().unwrap_or_default();
        let says = format!("{names}{brand}\nNot saved. From {source}: {LICENCE}.");
        Ok(Done::new(says, shown(&draft, lookups.source())))
    }
}

impl From<NotLookedUp> for Failure {
    fn from(why: NotLookedUp) -> Self {
        let name = match why {
            NotLookedUp::Off => "lookup-off",
            NotLookedUp::Unknown(_) => "barcode-unknown",
            NotLookedUp::NotFetched(_) => "not-fetched",
            _ => "lookup",
        };
        Self { code: 1, name, says: why.to_string() }
    }
}
