//! The shop's own tree of categories: nodes are added, named, moved, hidden and taken away.
//!
//! **Invariant:** what the tree does not take is refused in the transaction that would store it;
//! what two devices did apart is a tree again all the same.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        category::{Category, CategoryId, ID_BYTES_MAX, NotATree, Tree},
        edit::Edit,
        product::Language,
    },
    id::{ProductId, ShopId},
    key::KeyId,
    text,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError,
    catalogue::categories::{self, listed::Listed},
    rusqlite::Connection,
};
use rand_core::CryptoRng;
use serde::Deserialize;

use super::{Shop, catalogue::NotEdited};

/// A category that the shop adds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    /// Its id; made of its name and the category above it if left out.
    #[serde(default)]
    pub id: Option<CategoryId>,
    /// The category above it; none at the top.
    #[serde(default)]
    pub parent: Option<CategoryId>,
    /// What it is called, by language; at least one.
    pub names: BTreeMap<Language, String>,
    /// Its place among its siblings.
    #[serde(default)]
    pub order: Option<u32>,
    /// Whether it is not shown.
    #[serde(default)]
    pub hidden: bool,
}

/// What is to be different about a category; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CategoryAmendment {
    /// The category above it; `null` for the top.
    #[serde(deserialize_with = "present")]
    pub parent: Option<Option<CategoryId>>,
    /// Names by language; `null` takes one away.
    pub names: BTreeMap<Language, Option<String>>,
    /// Its place among its siblings; `null` for the usual one.
    #[serde(deserialize_with = "present")]
    pub order: Option<Option<u32>>,
    /// Whether it is not shown.
    pub hidden: Option<bool>,
}

/// Tells a `null` from a field that is not there.
fn present<'de, T, D>(d: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(d).map(Some)
}

impl Shop {
    /// The shop's categories with how many products stand on each; hidden ones where `all` are
    /// wanted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn categories(&self, all: bool) -> Result<Vec<Listed>, StoreError> {
        let mut listed = self.reader().read(|c| categories::listed::of_shop(c, self.id()))?;
        listed.retain(|category| all || !category.hidden);
        Ok(listed)
    }

    /// One category.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn category(&self, id: &CategoryId) -> Result<Option<Listed>, StoreError> {
        let all = self.categories(true)?;
        Ok(all.into_iter().find(|category| category.id == id.as_str()))
    }

    /// The id of the category that an entry of the index document is about.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn category_of(&self, entry: ProductId) -> Result<Option<CategoryId>, StoreError> {
        let said = self.reader().read(|c| categories::said(c, self.id()))?;
        Ok(said.into_iter().find(|said| said.entry == entry).map(|said| said.id))
    }

    /// Adds a category.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn add_category(
        &self,
        new: NewCategory,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<CategoryId, NotEdited> {
        let said = self.reader().read(|c| categories::said(c, self.id()))?;
        let tree = Tree::of(said.clone());
        let id = match new.id {
            Some(id) => id,
            None => drawn(&tree, new.parent.as_ref(), &new.names, rng)?,
        };
        if tree.node(id.as_str()).is_some() {
            return Err(NotATree::Known(id).into());
        }
        // Who was taken away comes back under its own entry.
        let gone = said.iter().rfind(|said| said.id == id && said.removed);
        let entry = gone.map_or_else(|| self.draw_ids(now, rng).0, |said| said.entry);
        let NewCategory { parent, names, order, hidden, .. } = new;
        let category =
            Category { parent, names, order, hidden, ..Category::new(entry, id.clone()) };
        self.put_category(category, by, now, rng)?;
        Ok(id)
    }

    /// Changes a category: one of the shop's own, or what one that comes with kirana is called,
    /// where it stands among its siblings, and whether it is shown.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn amend_category(
        &self,
        id: &CategoryId,
        amendment: CategoryAmendment,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        let mut category = self.said_of(id, now, rng)?;
        category.parent = amendment.parent.unwrap_or(category.parent);
        category.order = amendment.order.unwrap_or(category.order);
        category.hidden = amendment.hidden.unwrap_or(category.hidden);
        for (language, name) in amendment.names {
            match name {
                Some(name) => drop(category.names.insert(language, name)),
                None => drop(category.names.remove(&language)),
            }
        }
        self.put_category(category, by, now, rng)
    }

    /// Takes one of the shop's own categories away. One that has products, or categories below
    /// it, stays.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn remove_category(
        &self,
        id: &CategoryId,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        let category = Category { removed: true, ..self.said_of(id, now, rng)? };
        self.put_category(category, by, now, rng)
    }

    /// What the shop says of a category so far.
    fn said_of(
        &self,
        id: &CategoryId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Category, NotEdited> {
        let said = self.reader().read(|c| categories::said(c, self.id()))?;
        if Tree::of(said.clone()).node(id.as_str()).is_none() {
            return Err(NotATree::Unknown(id.clone()).into());
        }
        let known = said.into_iter().rfind(|said| said.id == *id);
        Ok(known.unwrap_or_else(|| Category::new(self.draw_ids(now, rng).0, id.clone())))
    }

    fn put_category(
        &self,
        category: Category,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        let edit = Edit::PutCategory(Box::new(category));
        self.edit_catalogue(vec![edit], by, None, now, rng).map(drop)
    }
}

/// Whether the tree takes what is to be said, as it is now.
pub(super) fn check(c: &Connection, shop: ShopId, category: &Category) -> Result<(), NotEdited> {
    let said = categories::said(c, shop)?;
    let is_known = said.iter().any(|said| (said.entry, &said.id) == (category.entry, &category.id));
    let tree = Tree::of(said);
    let node = tree.node(category.id.as_str());
    let is_new =
        Tree::built_in().node(category.id.as_str()).is_none() && (!is_known || node.is_none());
    tree.takes(category, is_new)?;
    if !is_known {
        tree.has_room()?;
    }
    if category.removed {
        let products = categories::named(c, shop, category.id.as_str())?;
        if products > 0 || !tree.is_leaf(&category.id) {
            return Err(NotEdited::CategoryInUse { id: category.id.clone(), products });
        }
    }
    Ok(())
}

/// An id made of a name and the category above it; of random digits where the name has no Latin
/// letters, or the id is taken.
fn drawn(
    tree: &Tree,
    parent: Option<&CategoryId>,
    names: &BTreeMap<Language, String>,
    rng: &mut dyn CryptoRng,
) -> Result<CategoryId, NotEdited> {
    let name = names.get(&Language::ENGLISH).or_else(|| names.values().next());
    let words = name.map(|name| text::tokens(name)).unwrap_or_default();
    let words: Vec<String> = words.into_iter().filter(|word| word.is_ascii()).collect();
    let path = |last: &str| match parent {
        Some(parent) => format!("{parent}/{last}"),
        None => last.to_owned(),
    };
    let of_name = path(&words.join("-"));
    let is_free = of_name.len() <= ID_BYTES_MAX && tree.node(&of_name).is_none();
    match of_name.parse() {
        Ok(id) if is_free => Ok(id),
        _ => {
            let digits = format!("own-{:08x}", rng.next_u32());
            let shorter = path(&digits).parse().or_else(|_| digits.parse());
            Ok(shorter.map_err(kirana_core::catalogue::edit::EditError::from)?)
        }
    }
}
