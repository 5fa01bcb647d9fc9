//! The tree of one shop: the built-in nodes with what the shop says of them.
//!
//! **Invariant:** whatever two people did apart, it is a tree again: of two entries about one node
//! the later made holds, a circle is cut at its smallest id, a node whose parent is gone stands at
//! the top, and nobody stands deeper than [`DEPTH_MAX`].

use std::{collections::BTreeMap, sync::LazyLock};

use super::{Category, CategoryId, Language};
use crate::text;

/// How many nodes a way from the top to the bottom has at most.
pub const DEPTH_MAX: usize = 5;
/// Of how many nodes a shop says something at most.
pub const NODES_MAX: usize = 500;

/// A node as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Under which node it stands.
    pub parent: Option<CategoryId>,
    /// What it is called.
    pub names: BTreeMap<Language, String>,
    /// Its place among its siblings.
    pub order: u32,
    /// Whether it is not shown.
    pub hidden: bool,
    /// Whether it is the shop's own.
    pub own: bool,
    /// Taken away: it is there only to say where its products and children stand now.
    removed: bool,
}

impl Node {
    /// The name in `language`, else in English, else in any.
    pub fn name(&self, language: Language) -> &str {
        let wanted = self.names.get(&language).or_else(|| self.names.get(&Language::ENGLISH));
        wanted.or_else(|| self.names.values().next()).map_or("", String::as_str)
    }

    fn is_shown(&self) -> bool {
        !self.hidden && !self.removed
    }
}

/// A tree of categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<CategoryId, Node>,
    said: usize,
}

impl Tree {
    /// The tree that comes with kirana.
    pub fn built_in() -> &'static Self {
        &BUILT_IN.tree
    }

    /// The built-in tree with what a shop says of it.
    pub fn of(said: impl IntoIterator<Item = Category>) -> Self {
        let mut said: Vec<Category> = said.into_iter().collect();
        said.sort_by_key(|category| category.entry);
        let mut tree = Self { said: said.len(), ..Self::built_in().clone() };
        for category in said {
            tree.take(category);
        }
        tree.straighten();
        tree
    }

    fn take(&mut self, said: Category) {
        let node = self.nodes.entry(said.id).or_insert_with(|| Node {
            parent: None,
            names: BTreeMap::new(),
            order: u32::MAX,
            hidden: false,
            own: true,
            removed: false,
        });
        node.names.extend(said.names);
        node.order = said.order.unwrap_or(node.order);
        node.hidden = said.hidden;
        if node.own {
            (node.parent, node.removed) = (said.parent, said.removed);
        }
    }

    /// Cuts circles and ways that are too long.
    fn straighten(&mut self) {
        let own: Vec<CategoryId> =
            self.nodes.iter().filter(|(_, node)| node.own).map(|(id, _)| id.clone()).collect();
        for id in &own {
            let is_there = |parent: &CategoryId| self.nodes.contains_key(parent);
            let stays = self.nodes[id].parent.as_ref().is_none_or(is_there);
            let way = self.way(id);
            let is_first = || way.iter().all(|other| id <= *other);
            let circles = stays && self.closes(id, &way) && is_first();
            if (!stays || circles)
                && let Some(node) = self.nodes.get_mut(id)
            {
                node.parent = None;
            }
        }
        // From the top down, so that who stands too deep moves up beside its parent once.
        let mut own: Vec<(usize, CategoryId)> =
            own.into_iter().map(|id| (self.way(&id).len(), id)).collect();
        own.sort();
        for (_, id) in own {
            let way = self.way(&id);
            if way.len() > DEPTH_MAX {
                let parent = way.get(way.len() + 1 - DEPTH_MAX).copied().cloned();
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.parent = parent;
                }
            }
        }
    }

    /// The node and all above it, from the bottom up; in a circle each once.
    fn way<'a>(&'a self, id: &'a CategoryId) -> Vec<&'a CategoryId> {
        let (mut way, mut at) = (Vec::new(), Some(id));
        while let Some(id) = at.filter(|id| !way.contains(id)) {
            let Some(node) = self.nodes.get(id) else { break };
            way.push(id);
            at = node.parent.as_ref();
        }
        way
    }

    /// Whether a way leads back to where it began.
    fn closes(&self, id: &CategoryId, way: &[&CategoryId]) -> bool {
        way.last().is_some_and(|last| self.nodes[*last].parent.as_ref() == Some(id))
    }

    /// A node that is there, shown or not.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(id).filter(|node| !node.removed)
    }

    /// The nodes that are there, each after its parent and beside its siblings in their order.
    pub fn nodes(&self) -> Vec<(&CategoryId, &Node)> {
        let mut below: BTreeMap<Option<&CategoryId>, Vec<(&CategoryId, &Node)>> = BTreeMap::new();
        for (id, node) in self.nodes.iter().filter(|(_, node)| !node.removed) {
            below.entry(self.parent(node)).or_default().push((id, node));
        }
        for siblings in below.values_mut() {
            siblings.sort_by_key(|(id, node)| (node.order, *id));
        }
        let (mut all, mut left) = (Vec::new(), below.remove(&None).unwrap_or_default());
        left.reverse();
        while let Some((id, node)) = left.pop() {
            all.push((id, node));
            left.extend(below.remove(&Some(id)).unwrap_or_default().into_iter().rev());
        }
        all
    }

    /// The next node above that was not taken away.
    pub fn parent<'a>(&'a self, node: &'a Node) -> Option<&'a CategoryId> {
        let mut at = node.parent.as_ref();
        while let Some(id) = at.filter(|id| self.nodes.get(*id).is_some_and(|node| node.removed)) {
            at = self.nodes[id].parent.as_ref();
        }
        at
    }

    /// The shelves on which a product of a category stands, from the top down: the node and all
    /// above it as far as they are shown. A word of no tree is a shelf of its own.
    pub fn shelves<'a>(&'a self, category: &'a str) -> Vec<&'a str> {
        let Some((id, _)) = self.nodes.get_key_value(category) else { return vec![category] };
        let shown = self.way(id).into_iter().filter(|id| self.nodes[*id].is_shown());
        let mut shelves: Vec<&str> = shown.map(CategoryId::as_str).collect();
        shelves.reverse();
        shelves
    }

    /// The ids of which the shelves are others than in the built-in tree.
    pub fn differing(&self) -> impl Iterator<Item = &CategoryId> {
        let usual = Self::built_in();
        self.nodes.keys().filter(|id| self.shelves(id.as_str()) != usual.shelves(id.as_str()))
    }

    /// The node that a word means: its id, its name in some language, or what others call it.
    pub fn meant(&self, word: &str) -> Option<&CategoryId> {
        if let Some((id, node)) = self.nodes.get_key_value(word.trim()) {
            return Some(id).filter(|_| !node.removed);
        }
        let word = text::searchable([word]);
        let is_called =
            |node: &Node| node.names.values().any(|name| text::searchable([name.as_str()]) == word);
        let there = || self.nodes.iter().filter(|(_, node)| !node.removed);
        let own = there().find(|(_, node)| node.own && is_called(node)).map(|(id, _)| id);
        let known = || BUILT_IN.words.get(&word).and_then(|id| self.nodes.get_key_value(*id));
        let is_usual = |id: &CategoryId, node: &Node| {
            Self::built_in().nodes.get(id).is_some_and(|usual| usual.names == node.names)
        };
        let renamed = || {
            let mut renamed = there().filter(|(id, node)| !node.own && !is_usual(id, node));
            renamed.find(|(_, node)| is_called(node)).map(|(id, _)| id)
        };
        own.or_else(|| known().map(|(id, _)| id)).or_else(renamed).filter(|_| !word.is_empty())
    }

    /// Whether the tree takes what is to be said of a node, in place of what `said` before.
    ///
    /// # Errors
    /// [`NotATree`] says why not.
    pub fn takes(&self, said: &Category, is_new: bool) -> Result<(), NotATree> {
        let id = &said.id;
        let known = self.node(id.as_str());
        if is_new && known.is_some() {
            return Err(NotATree::Known(id.clone()));
        }
        if !is_new && known.is_none() {
            return Err(NotATree::Unknown(id.clone()));
        }
        let is_own = known.is_none_or(|node| node.own);
        if !is_own && (said.parent.is_some() || said.removed) {
            return Err(NotATree::BuiltIn(id.clone()));
        }
        if is_own && said.names.is_empty() {
            return Err(NotATree::NoName(id.clone()));
        }
        let Some(parent) = said.parent.as_ref().filter(|_| is_own) else { return Ok(()) };
        if self.node(parent.as_str()).is_none() {
            return Err(NotATree::Unknown(parent.clone()));
        }
        let above = self.way(parent);
        if above.contains(&id) {
            return Err(NotATree::Circle(id.clone(), parent.clone()));
        }
        if above.len() + self.height(id) > DEPTH_MAX {
            return Err(NotATree::TooDeep);
        }
        Ok(())
    }

    /// Whether there is room for one more node of which the shop says something.
    ///
    /// # Errors
    /// [`NotATree::TooMany`].
    pub fn has_room(&self) -> Result<(), NotATree> {
        if self.said < NODES_MAX { Ok(()) } else { Err(NotATree::TooMany) }
    }

    /// Whether nothing stands below a node.
    pub fn is_leaf(&self, id: &CategoryId) -> bool {
        !self.nodes.values().any(|node| !node.removed && self.parent(node) == Some(id))
    }

    /// How many nodes the longest way down from a node has, itself included.
    fn height(&self, id: &CategoryId) -> usize {
        let below = self.nodes.keys().filter_map(|other| {
            self.way(other).iter().position(|above| *above == id).map(|deep| deep + 1)
        });
        below.max().unwrap_or(1)
    }
}

/// What makes no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATree {
    /// The id is taken.
    #[error("there is a category {0} already")]
    Known(CategoryId),
    /// No such node.
    #[error("there is no category {0}")]
    Unknown(CategoryId),
    /// It comes with kirana.
    #[error("{0} comes with kirana: it can be renamed, ordered and hidden, not moved or removed")]
    BuiltIn(CategoryId),
    /// Nobody could call it anything.
    #[error("the category {0} needs a name")]
    NoName(CategoryId),
    /// It would be above itself.
    #[error("{0} cannot stand below {1}, which stands below it")]
    Circle(CategoryId, CategoryId),
    /// Deeper than [`DEPTH_MAX`].
    #[error("categories are at most {DEPTH_MAX} deep")]
    TooDeep,
    /// More than [`NODES_MAX`].
    #[error("a shop says something of at most {NODES_MAX} categories")]
    TooMany,
}

struct BuiltIn {
    tree: Tree,
    /// Names, and what others call a node.
    words: BTreeMap<String, &'static str>,
}

/// One node to a line, its parts with tabs between them: id, English, Hindi, and with bars between
/// them what others call it, such as Open Food Facts.
static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
    let (mut nodes, mut words) = (BTreeMap::new(), BTreeMap::new());
    let lines = include_str!("categories.tsv").lines();
    for (line, order) in lines.zip(0u32..) {
        let mut parts = line.split('\t');
        let mut next = || parts.next().unwrap_or_default();
        let (id, english, hindi, others) = (next(), next(), next(), next());
        let parent = id.rsplit_once('/').map(|(parent, _)| CategoryId(parent.to_owned()));
        let names = [(Language::ENGLISH, english), (Language::HINDI, hindi)];
        let names = names.map(|(language, name)| (language, name.to_owned()));
        let node = Node {
            parent,
            names: BTreeMap::from(names),
            order: order * 10,
            hidden: false,
            own: false,
            removed: false,
        };
        nodes.insert(CategoryId(id.to_owned()), node);
        for word in [english, hindi].into_iter().chain(others.split('|')) {
            words.entry(text::searchable([word])).or_insert(id);
        }
    }
    words.remove("");
    BuiltIn { tree: Tree { nodes, said: 0 }, words }
});

#[cfg(test)]
mod tests;
