//! `catalogue category`: the tree of categories that comes with kirana, and the shop's own.

use std::{collections::BTreeMap, str::FromStr};

use kirana_core::catalogue::{
    category::{CategoryId, NotACategory},
    product::Language,
};
use kirana_migrations::catalogue::categories::listed::Listed;
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::categories::{CategoryAmendment, NewCategory},
    clock,
    home::Home,
};

/// What to do with categories.
#[derive(clap::Subcommand)]
pub enum Category {
    /// Shows them, each with how many products stand on it and below.
    List {
        #[command(flatten)]
        data: Data,
        /// In which language: `en`, `hi`…
        #[arg(long, default_value = "en")]
        language: Language,
        /// Those without products and hidden ones too.
        #[arg(long)]
        all: bool,
    },
    /// Adds one of the shop's own.
    Add {
        #[command(flatten)]
        data: Data,
        /// What it is called, in English unless a language stands before it: `Sweets`, `hi=मिठाई`.
        #[arg(required = true)]
        names: Vec<Name>,
        /// Below which category; at the top if left out.
        #[arg(long)]
        parent: Option<CategoryId>,
        /// Its id; made of its name if left out.
        #[arg(long)]
        id: Option<CategoryId>,
        /// Its place among its siblings: lower comes first.
        #[arg(long)]
        order: Option<u32>,
    },
    /// Names, moves, orders, hides or shows one.
    Set {
        #[command(flatten)]
        data: Data,
        /// Which: its id.
        id: CategoryId,
        /// What it is called: `Sweets`, `hi=मिठाई`.
        names: Vec<Name>,
        /// Below which category it stands from now on; only the shop's own move.
        #[arg(long, conflicts_with = "top")]
        parent: Option<CategoryId>,
        /// It stands at the top from now on.
        #[arg(long)]
        top: bool,
        /// Its place among its siblings: lower comes first.
        #[arg(long)]
        order: Option<u32>,
        /// Nobody sees it any more: its products stand on the next shelf above.
        #[arg(long, conflicts_with = "show")]
        hide: bool,
        /// It is seen again.
        #[arg(long)]
        show: bool,
    },
    /// Takes one of the shop's own away, once nothing stands there.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Which: its id.
        id: CategoryId,
    },
}

/// A name and its language.
#[derive(Debug, Clone)]
pub struct Name(Language, String);

impl FromStr for Name {
    type Err = NotACategory;

    fn from_str(text: &str) -> Result<Self, NotACategory> {
        let known = text.split_once('=').and_then(|(code, name)| Some((code.parse().ok()?, name)));
        let (language, name) = known.unwrap_or((Language::ENGLISH, text));
        Ok(Self(language, name.to_owned()))
    }
}

impl Category {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let (now, mut rng) = (clock::now(), clock::rng());
        match self {
            Self::List { data, language, all } => {
                let shop = with(data).shop()?;
                let mut listed = shop.categories(all).map_err(Failure::of)?;
                listed.retain(|category| all || category.products > 0);
                Ok(told(&listed, language))
            }
            Self::Add { data, names, parent, id, order } => {
                let shop = with(data).shop()?;
                let names: BTreeMap<_, _> =
                    names.into_iter().map(|name| (name.0, name.1)).collect();
                let new = NewCategory { id, parent, names, order, hidden: false };
                let by = shop.keys().node.id();
                let id = shop.add_category(new, by, now, &mut rng).map_err(Failure::of)?;
                Ok(Done::new(format!("There is {id} now."), json!({ "id": id })))
            }
            Self::Set { data, id, names, parent, top, order, hide, show } => {
                let shop = with(data).shop()?;
                let names = names.into_iter().map(|name| (name.0, Some(name.1))).collect();
                let parent = if top { Some(None) } else { parent.map(Some) };
                let hidden = (hide || show).then_some(hide);
                let order = order.map(Some);
                let amendment = CategoryAmendment { parent, names, order, hidden };
                let by = shop.keys().node.id();
                let done = shop.amend_category(&id, amendment, by, now, &mut rng);
                done.map_err(Failure::of)?;
                Ok(Done::new(format!("{id} is so now."), json!({ "id": id })))
            }
            Self::Remove { data, id } => {
                let shop = with(data).shop()?;
                let by = shop.keys().node.id();
                shop.remove_category(&id, by, now, &mut rng).map_err(Failure::of)?;
                Ok(Done::new(format!("{id} is gone."), json!({ "id": id })))
            }
        }
    }
}

fn told(listed: &[Listed], language: Language) -> Done {
    let above =
        |category: &Listed| listed.iter().find(|other| Some(&other.id) == category.parent.as_ref());
    let line = |category: &Listed| {
        let depth = std::iter::successors(above(category), |category| above(category)).count();
        let (name, hidden) = (category.name(language), category.hidden);
        let hidden = if hidden { ", hidden" } else { "" };
        let Listed { id, products, .. } = category;
        format!("{}{name}  {products} ({id}{hidden})", "  ".repeat(depth))
    };
    let says = listed.iter().map(line).collect::<Vec<_>>().join("\n");
    let items = listed.iter().map(|category| {
        json!({
            "id": category.id, "parent": category.parent, "name": category.name(language),
            "names": category.names, "hidden": category.hidden,
            "own": !category.shops.is_empty(), "products": category.products,
        })
    });
    Done::new(says, json!({ "items": items.collect::<Vec<_>>() }))
}
