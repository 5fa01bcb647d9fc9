//! `counts`: a stocktake while the shop sells, for people without a till.

use kirana_core::id::CountId;

use super::{
    Data, Done, Failure,
    counter::{amount, name_of, told_of, wanted},
    lists::place,
};
use crate::{
    app::{Shop, counts::Standing},
    clock,
    home::Home,
    http::counts::standing as shown,
};

/// Stocktakes, while selling goes on.
#[derive(clap::Args)]
pub struct Counts {
    #[command(subcommand)]
    what: CountsCommand,
}

#[derive(clap::Subcommand)]
enum CountsCommand {
    /// Begins one.
    Open {
        #[command(flatten)]
        data: Data,
        /// Where: the name of a place or its id; where the shop sells if left out.
        #[arg(long, value_name = "PLACE")]
        at: Option<String>,
    },
    /// Somebody begins to count this: what the ledger says now is noted.
    Look {
        #[command(flatten)]
        data: Data,
        /// The stocktake.
        id: CountId,
        /// What: its id, its barcode, or words that find only it.
        product: String,
    },
    /// So much was found, when somebody looked, or else now.
    Enter {
        #[command(flatten)]
        data: Data,
        /// The stocktake.
        id: CountId,
        /// What: its id, its barcode, or words that find only it.
        product: String,
        /// How much: `2`, `500g`, `1.5kg`, `750ml`, `2l`.
        amount: String,
    },
    /// Shows what was counted, and what nobody has counted yet.
    Show {
        #[command(flatten)]
        data: Data,
        /// The stocktake.
        id: CountId,
    },
    /// Ends it; what nobody counted stays as it is.
    End {
        #[command(flatten)]
        data: Data,
        /// The stocktake.
        id: CountId,
    },
}

impl Counts {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            CountsCommand::Open { data, at } => {
                let shop = with(data).shop()?;
                let at = at.as_deref().map(|at| place(&shop, at)).transpose()?;
                let by = shop.keys().node.id();
                let id = shop.open_count(None, at, by, clock::now(), &mut clock::rng())?;
                told(&shop, id)
            }
            CountsCommand::Look { data, id, product } => {
                let shop = with(data).shop()?;
                let (variant, _, _) = wanted(&shop, &product, "0")?;
                let by = shop.keys().node.id();
                shop.look_at(id, variant, by, clock::now(), &mut clock::rng())?;
                told(&shop, id)
            }
            CountsCommand::Enter { data, id, product, amount } => {
                let shop = with(data).shop()?;
                let (variant, named, amount) = wanted(&shop, &product, &amount)?;
                let (by, found) = (shop.keys().node.id(), (variant, amount));
                let now = clock::now();
                let entered = shop.enter_count(None, id, found, by, now, &mut clock::rng())?;
                told_of(&[named], &entered)
            }
            CountsCommand::Show { data, id } => told(&with(data).shop()?, id),
            CountsCommand::End { data, id } => {
                let shop = with(data).shop()?;
                shop.end_count(id, clock::now(), &mut clock::rng())?;
                told(&shop, id)
            }
        }
    }
}

fn told(shop: &Shop, id: CountId) -> Result<Done, Failure> {
    let found = shop.count(id)?;
    let found = found.ok_or_else(|| Failure::of(format!("there is no stocktake {id}")))?;
    Ok(Done::new(sentences(shop, &found)?, shown(&found)))
}

fn sentences(shop: &Shop, found: &Standing) -> Result<String, Failure> {
    let mut says = vec![format!("stocktake {}", found.count.id)];
    for look in &found.looks {
        let named = name_of(shop, look.variant)?;
        let book = amount(look.book.saturating_sub(look.outside), named.unit);
        let counted = match look.counted {
            Some(counted) => amount(counted, named.unit),
            None => "still counted".to_owned(),
        };
        says.push(format!("{}: {counted}, the ledger said {book}", named.name));
    }
    for variant in &found.not_counted {
        says.push(format!("{}: not counted yet", name_of(shop, *variant)?.name));
    }
    Ok(says.join("\n"))
}
