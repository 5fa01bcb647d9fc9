//! Categories: a grocer's tree that comes with kirana, and what a shop says of it: further nodes,
//! names of its own, an order, what it does not lead.
//!
//! What a shop says lies in the index document of its catalogue, one entry a node. An entry has a
//! fresh id, so that no edit vanishes behind another's map, and names its node.
//!
//! **Invariant:** a product names a category by a word; a word that is in no tree is a node of its
//! own at the top, so that nothing that was imported is lost from sight.

use std::{collections::BTreeMap, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::product::{Language, PARTS_MAX, TEXT_CHARS_MAX};
use crate::id::ProductId;

mod tree;

pub use tree::{DEPTH_MAX, NODES_MAX, Node, NotATree, Tree};

/// The longest id of a node, in bytes.
pub const ID_BYTES_MAX: usize = 100;
/// The highest place in an order.
pub const ORDER_MAX: u32 = 1_000_000;

/// A node's name for ever: small Latin letters, digits and hyphens, such as `dairy/milk`. What the
/// slash says held when the node was made; where it stands now is its parent's matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct CategoryId(String);

impl CategoryId {
    /// The id as a product names it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CategoryId {
    type Err = NotACategory;

    fn from_str(text: &str) -> Result<Self, NotACategory> {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        match text.len() <= ID_BYTES_MAX && text.split('/').all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotACategory::Id),
        }
    }
}

impl std::borrow::Borrow<str> for CategoryId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CategoryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for CategoryId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CategoryId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a shop says of one node: one of its own, or one of the built-in tree.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Category {
    /// Under which the index document keeps it: all documents name what they hold by such ids.
    #[n(0)]
    pub entry: ProductId,
    /// Which node.
    #[n(1)]
    pub id: CategoryId,
    /// Under which node an own one stands; none at the top. A built-in one stays where it is.
    #[n(2)]
    pub parent: Option<CategoryId>,
    /// What the shop calls it; other languages are called as in the built-in tree.
    #[n(3)]
    pub names: BTreeMap<Language, String>,
    /// Its place among its siblings: lower comes first. None: as built in, own ones last.
    #[n(4)]
    pub order: Option<u32>,
    /// Whether it is not shown: its products stand at the next node above that is.
    #[n(5)]
    pub hidden: bool,
    /// Whether it was taken away again.
    #[n(6)]
    pub removed: bool,
}

impl Category {
    /// Says nothing of a node yet.
    pub fn new(entry: ProductId, id: CategoryId) -> Self {
        let names = BTreeMap::new();
        Self { entry, id, parent: None, names, order: None, hidden: false, removed: false }
    }

    /// Whether each part keeps its limits. Whether the tree takes it is for [`Tree`].
    ///
    /// # Errors
    /// [`NotACategory`] names the first that does not.
    pub fn check(&self) -> Result<(), NotACategory> {
        if self.names.len() > PARTS_MAX {
            return Err(NotACategory::Names);
        }
        let is_name = |name: &String| {
            !name.trim().is_empty()
                && !name.chars().any(char::is_control)
                && name.chars().count() <= TEXT_CHARS_MAX
        };
        if !self.names.values().all(is_name) {
            return Err(NotACategory::Name);
        }
        if self.order.is_some_and(|order| order > ORDER_MAX) {
            return Err(NotACategory::Order);
        }
        Ok(())
    }
}

/// What is no category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACategory {
    /// The id.
    #[error(
        "a category's id is up to {ID_BYTES_MAX} small letters, digits and hyphens, with slashes \
         between its parts"
    )]
    Id,
    /// One of the names.
    #[error("a category's name has 1 to {TEXT_CHARS_MAX} characters, none of them control")]
    Name,
    /// Too many of them.
    #[error("a category has names in at most {PARTS_MAX} languages")]
    Names,
    /// The place among its siblings.
    #[error("a category's place is a number up to {ORDER_MAX}")]
    Order,
}
