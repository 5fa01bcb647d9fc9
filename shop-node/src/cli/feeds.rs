//! `feeds`: suppliers' lists on the web, for the owner at the box.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::feeds::{About, Feed, NotFed, Terms},
    clock, feeds,
    home::Home,
    http::feeds::shown,
    imports::Imports,
    outside::{NotFetched, Outside, Secret},
};

/// Suppliers' lists on the web, fetched on a schedule while the shop is open.
#[derive(clap::Args)]
pub struct Feeds {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows them, with what came of each.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Notes one, or something else about the one of that name.
    Add(Box<Add>),
    /// Forgets one; the products that it brought stay.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Its name or id.
        feed: String,
    },
    /// Fetches one now and takes it in.
    Fetch {
        #[command(flatten)]
        data: Data,
        /// Its name or id.
        feed: String,
        #[command(flatten)]
        way: Way,
    },
}

/// How far this box may reach.
#[derive(clap::Args)]
pub(super) struct Way {
    /// Let it reach the shop's own network too.
    #[arg(long)]
    outside_allow_private: bool,
    /// Authorities (PEM) that are trusted beside those of the system.
    #[arg(long, value_name = "FILE")]
    outside_ca: Option<PathBuf>,
}

impl Way {
    pub(super) fn out(&self) -> Result<Outside, Failure> {
        Ok(Outside::of(self.outside_allow_private, self.outside_ca.as_deref())?)
    }
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    data: Data,
    /// What people call it.
    name: String,
    /// Where it is: https only.
    url: String,
    /// `csv`, `shopify`, `google` or `off`.
    #[arg(long, default_value = "csv")]
    format: String,
    /// The supplier's name under which a mapping is kept: see `mapping`.
    #[arg(long, value_name = "SUPPLIER")]
    mapping: Option<String>,
    /// Whose it is: a supplier's name.
    #[arg(long, value_name = "SUPPLIER")]
    supplier: Option<String>,
    /// How numbers are written, such as `en-IN` or `de`.
    #[arg(long)]
    locale: Option<String>,
    /// After how many hours it is fetched again.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    every: u32,
    /// A file with the token that the server asks for.
    #[arg(long, value_name = "FILE", conflicts_with = "basic_file")]
    bearer_file: Option<PathBuf>,
    /// A file with `NAME:PASSWORD` that the server asks for.
    #[arg(long, value_name = "FILE")]
    basic_file: Option<PathBuf>,
}

impl Feeds {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            What::List { data } => {
                let feeds = with(data).shop()?.feeds()?;
                let says: Vec<String> = feeds.iter().map(told).collect();
                let items: Vec<_> = feeds.iter().map(shown).collect();
                Ok(Done::new(says.join("\n"), json!({ "items": items, "next_cursor": null })))
            }
            What::Add(add) => add.run(with),
            What::Remove { data, feed } => {
                let shop = with(data).shop()?;
                let feed = shop.feed_named(&feed)?;
                shop.remove_feed(feed.id)?;
                Ok(Done::new("Forgotten; its products stay.", json!({ "id": feed.id })))
            }
            What::Fetch { data, feed, way } => {
                let home = with(data);
                let (shop, outside) = (home.shop()?, way.out()?);
                let id = shop.feed_named(&feed)?.id;
                let imports = Imports::at(home.folder(), crate::app::import::IMPORT_BYTES_MAX);
                let by = shop.keys().node.id();
                let feeds = feeds::Feeds::new(shop, imports, outside);
                let runtime = tokio::runtime::Runtime::new().map_err(Failure::of)?;
                let fetched = runtime.block_on(feeds.fetch(id, by))?;
                let code = u8::from(fetched.state.failures > 0);
                Ok(Done { code, ..Done::new(told(&fetched), shown(&fetched)) })
            }
        }
    }
}

impl Add {
    fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let secret = match (&self.bearer_file, &self.basic_file) {
            (Some(file), _) => Some(Secret::Bearer(read(file)?)),
            (None, Some(file)) => {
                let text = read(file)?;
                let split = text.split_once(':');
                let (name, word) =
                    split.ok_or_else(|| Failure::usage("the file holds NAME:PASSWORD"))?;
                Some(Secret::Basic(name.to_owned(), word.to_owned()))
            }
            (None, None) => None,
        };
        let supplier = match &self.supplier {
            Some(name) => {
                let known = shop.supplier_named(name)?;
                let known = known.ok_or_else(|| NotFed::NoSupplier(name.clone()))?;
                Some(known.id.to_string())
            }
            None => None,
        };
        let terms = Terms {
            supplier,
            format: self.format,
            mapping: self.mapping,
            locale: self.locale,
            every_hours: self.every,
        };
        let known = shop.feeds()?.into_iter().find(|f| f.name.eq_ignore_ascii_case(&self.name));
        let about = About { name: self.name, url: self.url, secret, terms };
        let known = known.map(|feed| feed.id);
        let feed = shop.put_feed(known, about, clock::now(), &mut clock::rng())?;
        Ok(Done::new(told(&feed), shown(&feed)))
    }
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn told(feed: &Feed) -> String {
    let shown = shown(feed);
    let last = match &feed.state.last {
        None => "not fetched yet".to_owned(),
        Some(last) => {
            let why = last.problem.as_ref().map_or(String::new(), |why| format!(" ({why})"));
            let outcome = shown["last"]["outcome"].as_str().unwrap_or_default();
            format!("{outcome}{why}")
        }
    };
    let missing = match feed.missing {
        0 => String::new(),
        some => format!("; {some} products on the shelf are no longer in it"),
    };
    format!("{}  {}: {last}{missing}; next at {}", feed.id, feed.name, feed.next)
}

impl From<NotFed> for Failure {
    fn from(why: NotFed) -> Self {
        Self { code: 1, name: "feed", says: why.to_string() }
    }
}

impl From<NotFetched> for Failure {
    fn from(why: NotFetched) -> Self {
        Self { code: 1, name: "not-fetched", says: why.to_string() }
    }
}
