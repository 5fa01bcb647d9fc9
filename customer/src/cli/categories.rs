//! `categories`: what the saved catalogues are sorted by.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{catalogue::product::Language, id::ShopId};
use serde::Serialize;

use super::{Desk, Failure, meant};

#[derive(Serialize)]
struct Categories {
    items: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: String,
    parent: Option<String>,
    name: String,
    names: BTreeMap<Language, String>,
    shops: BTreeSet<ShopId>,
    products: u32,
}

/// Lists the categories that have any product, each after the one above it.
pub(super) fn list(desk: &Desk, shop: Option<&str>, language: &str) -> Result<(), Failure> {
    let wrong = |_| Failure::Usage("a language is a code such as en or hi".to_owned());
    let language: Language = language.parse().map_err(wrong)?;
    let household = desk.household()?;
    let shop = shop.map(|shop| meant::shop(&household, shop)).transpose()?;
    let mut all = household.categories(shop)?;
    all.retain(|category| category.products > 0);
    let items = all.into_iter().map(|category| Line {
        name: category.name(language).to_owned(),
        id: category.id,
        parent: category.parent,
        names: category.names,
        shops: category.shops,
        products: category.products,
    });
    let found = Categories { items: items.collect() };
    desk.say(&found, || match found.items.is_empty() {
        true => "The saved catalogues have no categories.".to_owned(),
        false => {
            let lines = found.items.iter().map(|line| line.sentence(&found.items));
            lines.collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

impl Line {
    fn sentence(&self, all: &[Self]) -> String {
        let above = |line: &Self| all.iter().find(|other| Some(&other.id) == line.parent.as_ref());
        let depth = std::iter::successors(above(self), |line| above(line)).count();
        format!("{}{}  {} ({})", "  ".repeat(depth), self.name, self.products, self.id)
    }
}
