//! `cards`: at which provider the shop takes cards, and what of payments by card does not fit together.

use std::path::{Path, PathBuf};

use kirana_core::money::Money;
use serde_json::json;

use super::{Data, Done, Failure, feeds::Way, orders::find};
use crate::{
    app::{
        Shop,
        cards::{CardsReconciled, GivenAccount, NotByCard},
        orders::Deed,
    },
    cards, clock,
    home::Home,
    http::cards::{of, shown},
};

/// Payments by card through a provider that speaks Stripe's API.
#[derive(clap::Args)]
pub struct Cards {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows at which provider the shop takes cards; its secrets are not shown.
    Show {
        #[command(flatten)]
        data: Data,
    },
    /// Says at which provider the shop takes cards. Secrets come from files, or from the environment
    /// (KIRANA_CARDS_SECRET_KEY, KIRANA_CARDS_WEBHOOK_SECRET).
    Set(Box<Set>),
    /// Takes no more cards; what was begun is brought to its end.
    Off {
        #[command(flatten)]
        data: Data,
    },
    /// Shows how an order is paid by card.
    Order {
        #[command(flatten)]
        data: Data,
        /// The order's short number, such as `KR 4271-3`, or its id.
        order: String,
    },
    /// Asks an order's customer anew.
    Ask {
        #[command(flatten)]
        data: Data,
        /// The order's short number, such as `KR 4271-3`, or its id.
        order: String,
    },
    /// Lets go what is held for an order, so that it can be paid otherwise.
    LetGo {
        #[command(flatten)]
        data: Data,
        /// The order's short number, such as `KR 4271-3`, or its id.
        order: String,
    },
    /// Asks the provider for all that it took in the last weeks, makes the calls that wait, and shows
    /// what does not fit together.
    Check {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        way: Way,
    },
    /// Says why a payment at the provider is no money of an order here.
    SetAside {
        #[command(flatten)]
        data: Data,
        /// The provider's name of it, as `check` shows it: `ch_…`.
        charge: String,
        /// What it is instead.
        why: String,
    },
}

#[derive(clap::Args)]
struct Set {
    #[command(flatten)]
    data: Data,
    /// Where the API is called; Stripe's own if left out.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The shop's public key there.
    #[arg(long, value_name = "KEY", default_value = "")]
    publishable_key: String,
    /// A page on which customers confirm: it is opened with `#key=…&secret=…`.
    #[arg(long, value_name = "URL")]
    payment_page: Option<String>,
    /// A file with the secret key; what was given before if left out.
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// A file with the webhooks' signing secret; what was given before if left out.
    #[arg(long, value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Let it be a program on this machine.
    #[arg(long)]
    outside_allow_private: bool,
}

impl Cards {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            What::Show { data } => {
                let account = with(data).shop()?.cards()?;
                let shown = shown(account.as_ref());
                Ok(Done::new(format!("{shown:#}"), shown))
            }
            What::Set(set) => set.run(with),
            What::Off { data } => {
                let shop = with(data).shop()?;
                let Some(account) = shop.cards()? else {
                    return Ok(Done::new("The shop takes no cards.", shown(None)));
                };
                let given = GivenAccount {
                    on: false,
                    base: Some(account.base.to_string()),
                    publishable: account.publishable,
                    page: account.page,
                    secret: None,
                    webhook: None,
                };
                let account = shop.set_cards(given, true, &mut clock::rng())?;
                Ok(Done::new("The shop takes no more cards.", shown(Some(&account))))
            }
            What::Order { data, order } => {
                let shop = with(data).shop()?;
                let view = of(&shop.card_of(find(&shop, &order)?)?, false);
                Ok(Done::new(format!("{view:#}"), view))
            }
            What::Ask { data, order } => {
                let shop = with(data).shop()?;
                let which = find(&shop, &order)?;
                let view = shop.ask_for_card(which, clock::now(), &mut clock::rng())?;
                Ok(Done::new("The customer is asked when the shop is open.", of(&view, false)))
            }
            What::LetGo { data, order } => {
                let shop = with(data).shop()?;
                let which = find(&shop, &order)?;
                shop.act(which, Deed::LetCardGo, clock::now(), &mut clock::rng())?;
                let says = "It is let go; the provider is told when the shop is open.";
                Ok(Done::new(says, of(&shop.card_of(which)?, false)))
            }
            What::Check { data, way } => check(with(data).shop()?, &way),
            What::SetAside { data, charge, why } => {
                with(data).shop()?.set_charge_aside(&charge, &why)?;
                Ok(Done::new(format!("{charge} is set aside."), json!({ "id": charge })))
            }
        }
    }
}

impl Set {
    fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let given = GivenAccount {
            on: true,
            base: self.base_url,
            publishable: self.publishable_key,
            page: self.payment_page,
            secret: secret(self.secret_key_file.as_deref(), "KIRANA_CARDS_SECRET_KEY")?,
            webhook: secret(self.webhook_secret_file.as_deref(), "KIRANA_CARDS_WEBHOOK_SECRET")?,
        };
        let account = shop.set_cards(given, self.outside_allow_private, &mut clock::rng())?;
        Ok(Done::new("The shop takes cards.", shown(Some(&account))))
    }
}

fn secret(file: Option<&Path>, name: &str) -> Result<Option<String>, Failure> {
    match file {
        Some(file) => super::feeds::read(file).map(Some),
        None => Ok(std::env::var(name).ok().filter(|text| !text.is_empty())),
    }
}

fn check(shop: Shop, way: &Way) -> Result<Done, Failure> {
    let cards = cards::Cards::new(shop.clone(), way.out()?);
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::of)?;
    runtime.block_on(async {
        cards.round().await?;
        cards.sweep().await
    })?;
    let list = shop.cards_reconciled()?;
    let says = told(&shop, &list);
    let says =
        if says.is_empty() { "All of it fits together.".to_owned() } else { says.join("\n") };
    Ok(Done::new(says, json!(list)))
}

/// What of payments by card does not fit together, or waits, line by line.
pub(super) fn told(shop: &Shop, list: &CardsReconciled) -> Vec<String> {
    let sum = |minor| Money::new(minor, shop.identity().currency);
    let mut says = Vec::new();
    for held in &list.held {
        let until = held.until.map(|at| format!(" until {at}")).unwrap_or_default();
        says.push(format!("{}: {} held on a card{until}, not taken", held.number, sum(held.minor)));
    }
    for call in &list.waiting {
        let why = call.problem.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let (number, what, minor) = (&call.number, call.what.label(), sum(call.minor));
        says.push(format!("{number}: the provider is to be told: {what} {minor}{why}"));
    }
    says.extend(
        list.troubles.iter().map(|trouble| format!("{}: {}", trouble.number, trouble.says)),
    );
    for charge in &list.strangers {
        let (id, minor, currency) = (&charge.id, charge.minor, &charge.currency);
        says.push(format!("{id}: {minor} {currency} (minor units) at the provider: no order"));
    }
    says
}

impl From<NotByCard> for Failure {
    fn from(why: NotByCard) -> Self {
        Self { code: 1, name: "cards", says: why.to_string() }
    }
}
