//! Categories as people see them in a list: of one shop, or of all that are kept here.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        category::{CategoryId, Node, Tree},
        product::Language,
    },
    id::ShopId,
};
use rusqlite::Connection;

use super::{counts, shops, tree};
use crate::StoreError;

/// Words of no tree that are listed at most: imports bring thousands.
pub const WORDS_MAX: usize = 500;

/// A category in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What a product says to stand there, and a search to find it.
    pub id: String,
    /// The category above it.
    pub parent: Option<String>,
    /// What it is called; a word of no tree has only itself.
    pub names: BTreeMap<Language, String>,
    /// Whether its shop does not show it.
    pub hidden: bool,
    /// Whose own it is; nobody's where it comes with kirana or is a word of no tree.
    pub shops: BTreeSet<ShopId>,
    /// Listed products on it and below.
    pub products: u32,
}

impl Listed {
    /// The name in `language`, else in English, else in any, else the id.
    pub fn name(&self, language: Language) -> &str {
        let wanted = self.names.get(&language).or_else(|| self.names.get(&Language::ENGLISH));
        wanted.or_else(|| self.names.values().next()).unwrap_or(&self.id)
    }

    fn of(tree: &Tree, id: &CategoryId, node: &Node, shop: Option<ShopId>) -> Self {
        Self {
            id: id.as_str().to_owned(),
            parent: tree.parent(node).map(|parent| parent.as_str().to_owned()),
            names: node.names.clone(),
            hidden: node.hidden,
            shops: shop.filter(|_| node.own).into_iter().collect(),
            products: 0,
        }
    }
}

/// The categories of one shop, each after the one above it; then the words of no tree, those with
/// the most products first.
///
/// # Errors
/// [`StoreError`].
pub fn of_shop(c: &Connection, shop: ShopId) -> Result<Vec<Listed>, StoreError> {
    let tree = tree(c, shop)?;
    let nodes = tree.nodes();
    let nodes = nodes.into_iter().map(|(id, node)| Listed::of(&tree, id, node, Some(shop)));
    Ok(counted(nodes.collect(), counts(c, Some(shop))?))
}

/// The categories of all shops that are kept here. What comes with kirana is called as it comes;
/// own categories of one id are one, and name their shops.
///
/// # Errors
/// [`StoreError`].
pub fn of_all(c: &Connection) -> Result<Vec<Listed>, StoreError> {
    let usual = Tree::built_in();
    let mut nodes: Vec<Listed> =
        usual.nodes().into_iter().map(|(id, node)| Listed::of(usual, id, node, None)).collect();
    for shop in shops(c)? {
        let tree = tree(c, shop)?;
        for (id, node) in tree.nodes().into_iter().filter(|(_, node)| node.own && !node.hidden) {
            match nodes.iter_mut().find(|listed| listed.id == id.as_str()) {
                Some(known) => drop(known.shops.insert(shop)),
                None => nodes.push(Listed::of(&tree, id, node, Some(shop))),
            }
        }
    }
    Ok(counted(nodes, counts(c, None)?))
}

fn counted(mut nodes: Vec<Listed>, mut counts: BTreeMap<String, u32>) -> Vec<Listed> {
    for node in &mut nodes {
        node.products = counts.remove(&node.id).unwrap_or(0);
    }
    let mut words: Vec<(String, u32)> = counts.into_iter().collect();
    words.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    let word = |(id, products)| Listed {
        id,
        parent: None,
        names: BTreeMap::new(),
        hidden: false,
        shops: BTreeSet::new(),
        products,
    };
    nodes.extend(words.into_iter().take(WORDS_MAX).map(word));
    nodes
}
