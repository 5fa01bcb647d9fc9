//! The neighbourhood of the story: two hubs, two shops, four households, and what outsiders saw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use super::checker::{self, Evidence, Published, Shelf};
use super::door;
use super::story::Story;
use super::wait::until;
use crate::build::{self, Programs};

pub mod household;
pub mod hub;
pub mod shop;

use household::Household;
use hub::{Hub, Role};
use shop::{Shop, Ware};

/// Everybody, and the papers of outsiders.
#[derive(Debug)]
pub struct Town {
    pub hub: Hub,
    pub community: Hub,
    pub corner: Shop,
    pub lane: Shop,
    /// Three accounts of the hub; the last is a guest whom the hub never met.
    pub households: Vec<Household>,
    pub evidence: Evidence,
    /// What the administrator's authenticator app is fed with.
    authenticator: String,
    folder: TempDir,
}

impl Town {
    /// Sets everything up, telling how it goes.
    pub async fn set_up(story: &Story, programs: Option<&Path>) -> anyhow::Result<Self> {
        let programs = match programs {
            Some(folder) => Programs::within(folder),
            None => {
                story.say("Building the three programs.");
                Programs::build()?
            }
        };
        let folder = tempfile::Builder::new().prefix("kirana-demo-").tempdir()?;
        let client = door::client()?;
        let at = |name: &str| folder.path().join(name);

        let hub = Hub::start(&programs, &client, &at("hub"), Role::Central).await?;
        let authenticator = hub.add_admin().await?;
        let role = Role::Community { trusts: hub.url() };
        let community = Hub::start(&programs, &client, &at("community"), role).await?;
        story.say("A hub and a community hub are running.");

        let mut corner = Shop::found(&programs, &client, &at("corner"), "Corner Store").await?;
        let mut lane = Shop::found(&programs, &client, &at("lane"), "Lane Stores").await?;
        let mut on_shelf = Vec::new();
        for (shop, list) in [(&mut corner, "products_corner"), (&mut lane, "products_lane")] {
            let products =
                shop.import(&data(&format!("{list}.csv")), &data("products.map.json")).await?;
            let staples = shop.import(&data("staples.csv"), &data("staples.map.json")).await?;
            on_shelf.push(products + staples);
            hub.sign_up(list, shop.name).await?;
            shop.join(&hub.url(), list).await?;
            shop.use_hubs(&[hub.address()?, community.address()?]);
            shop.open().await?;
            story.say(&format!(
                "{} opens with {products} real products and {staples} staples; all prices are made up.",
                shop.name
            ));
        }
        let mut households = Vec::new();
        for name in NAMES {
            let url = hub.url();
            let known = (name != GUEST).then_some(url.as_str());
            let household = Household::found(&programs, &at(name), name, known).await?;
            if name != GUEST {
                let login = name.to_lowercase();
                hub.sign_up(&login, name).await?;
                household.sign_in(&hub.url(), &login).await?;
                household.use_hub(&community.address()?).await?;
            }
            household.choose(&corner.address()?).await?;
            household.choose(&lane.address()?).await?;
            save_catalogues(&household, [(&corner, on_shelf[0]), (&lane, on_shelf[1])]).await?;
            households.push(household);
        }
        story.say(&format!(
            "{} have accounts at the hub, {GUEST} is a guest; all have saved both catalogues.",
            NAMES[..NAMES.len() - 1].join(", ")
        ));
        let mut town = Self {
            hub,
            community,
            corner,
            lane,
            households,
            evidence: Evidence::default(),
            authenticator,
            folder,
        };
        town.write_down_the_opening_stock().await?;
        Ok(town)
    }

    /// Whether the hub never met this household.
    pub fn is_guest(&self, household: usize) -> bool {
        self.households[household].name == GUEST
    }

    /// A place for a file that is carried about.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Places an order and notes that the screen showed it as placed.
    pub async fn order(
        &mut self,
        household: usize,
        shop: Which,
        wares: &[(&Ware, u64)],
    ) -> anyhow::Result<String> {
        let id = self.households[household].order(self.shop(shop), wares).await?;
        self.evidence.shown_placed.insert(id.clone());
        Ok(id)
    }

    /// A walk-in buys; what the till says is what counts.
    pub async fn walk_in(&mut self, shop: Which, ware: &Ware, units: u64) -> anyhow::Result<bool> {
        let sold = self.shop(shop).sell(ware, units).await?;
        if sold {
            self.note_walk_in(shop, ware, units);
        }
        Ok(sold)
    }

    /// Notes what a walk-in took.
    pub fn note_walk_in(&mut self, shop: Which, ware: &Ware, units: u64) {
        let shelf = self.shelf(shop, ware);
        self.evidence.walk_out(shelf, units);
    }

    /// What a shop states about one shelf.
    pub async fn published(&self, shop: Which, ware: &Ware) -> anyhow::Result<Published> {
        let rows = self.shop(shop).stock().await?;
        let row = rows.into_iter().find(|(variant, _)| *variant == ware.variant);
        Ok(row
            .with_context(|| format!("{} has no shelf for {}", self.shop(shop).name, ware.name))?
            .1)
    }

    /// What nobody has been promised yet, as the shop states it.
    pub async fn on_shelf(&self, shop: Which, ware: &Ware) -> anyhow::Result<u64> {
        let published = self.published(shop, ware).await?;
        Ok(published.on_hand.saturating_sub(published.reserved))
    }

    /// What a person who counts would find on a shelf, by the outsiders' papers.
    pub fn lying_there(&self, shop: Which, ware: &Ware) -> u64 {
        let shelf = self.shelf(shop, ware);
        let at = |map: &BTreeMap<Shelf, u64>| map.get(&shelf).copied().unwrap_or_default();
        let fetched: u64 = self
            .evidence
            .journals
            .iter()
            .filter(|order| order.shop == shelf.shop)
            .filter_map(|order| order.handed_over.get(&ware.variant))
            .sum();
        at(&self.evidence.brought_in).saturating_sub(at(&self.evidence.walked_out) + fetched)
    }

    /// The households, and one shop to do something to meanwhile.
    pub fn households_and_shop(&mut self, which: Which) -> (&[Household], &mut Shop) {
        match which {
            Which::Corner => (&self.households, &mut self.corner),
            Which::Lane => (&self.households, &mut self.lane),
        }
    }

    fn shelf(&self, shop: Which, ware: &Ware) -> Shelf {
        Shelf { shop: self.shop(shop).name.to_owned(), variant: ware.variant.clone() }
    }

    /// One of the two shops.
    pub fn shop(&self, which: Which) -> &Shop {
        match which {
            Which::Corner => &self.corner,
            Which::Lane => &self.lane,
        }
    }

    /// Collects what everybody holds at the end.
    pub async fn gather(&mut self) -> anyhow::Result<()> {
        let shops: BTreeMap<String, String> =
            [&self.corner, &self.lane].map(|shop| (shop.id.clone(), shop.name.to_owned())).into();
        self.evidence.journals.clear();
        for household in &self.households {
            let read = checker::journal::read(&household.journal(), household.name, &shops)?;
            self.evidence.journals.extend(read);
        }
        for shop in [&self.corner, &self.lane] {
            self.evidence.listed.insert(shop.name.to_owned(), shop.orders().await?);
            for (variant, published) in shop.stock().await? {
                let shelf = Shelf { shop: shop.name.to_owned(), variant };
                self.evidence.published.insert(shelf, published);
            }
        }
        Ok(())
    }

    /// The orders whose households still wait for a verdict.
    pub fn undecided(&self) -> BTreeSet<String> {
        let open = self.evidence.journals.iter().filter(|order| order.is_open());
        open.map(|order| order.id.clone()).collect()
    }

    /// Says where everything is and how to sign in.
    pub fn show_doors(&self) -> anyhow::Result<()> {
        println!("\nHub             {}", self.hub.url());
        println!("                console: {}/console/", self.hub.url());
        println!("                sign in as {} with: {}", hub::ADMIN, household::PASSWORD);
        println!("                and the code of an authenticator app: {}", self.authenticator);
        println!("Community hub   {}", self.community.address()?);
        for shop in [&self.corner, &self.lane] {
            println!("{:<15} {}", shop.name, shop.url()?);
            println!("                {}", shop.check_command());
        }
        for household in &self.households {
            println!("{:<15} {}", household.name, household.command_line());
        }
        println!("\nTry: {} search doodh", self.households[0].command_line());
        println!("Ctrl-C ends it all.");
        Ok(())
    }

    /// What the running programs hold together, in MiB.
    pub fn memory_mib(&self) -> u64 {
        let held = [
            self.hub.memory_kib(),
            self.community.memory_kib(),
            self.corner.memory_kib(),
            self.lane.memory_kib(),
        ];
        held.into_iter().flatten().sum::<u64>() / 1024
    }

    /// Ends every program, and the folder goes with the town.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.corner.close().await?;
        self.lane.close().await?;
        self.hub.stop().await?;
        self.community.stop().await
    }

    async fn write_down_the_opening_stock(&mut self) -> anyhow::Result<()> {
        for shop in [&self.corner, &self.lane] {
            for (variant, published) in shop.stock().await? {
                let shelf = Shelf { shop: shop.name.to_owned(), variant };
                self.evidence.bring_in(shelf, published.on_hand);
            }
        }
        Ok(())
    }
}

/// One of the two shops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Corner,
    Lane,
}

/// Saves the shops' catalogues until every product is there.
async fn save_catalogues(household: &Household, shops: [(&Shop, u64); 2]) -> anyhow::Result<()> {
    until(&format!("{}'s copies of the catalogues", household.name), async || {
        household.sync(None).await?;
        for (shop, products) in shops {
            if household.products_saved(shop).await? < products {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

fn data(name: &str) -> PathBuf {
    build::root().join(Path::new("xtask/data")).join(name)
}

const NAMES: [&str; 4] = ["Asha", "Bilal", "Chitra", GUEST];
/// Somebody whom the hub never met.
const GUEST: &str = "Dev";
