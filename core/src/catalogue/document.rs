//! One bucket of a shop's catalogue as an Automerge document.
//!
//! **Invariant:** the same edits by the same author at the same times give the same bytes on every
//! machine: actor ids, times and orders come from the arguments, never from Automerge's own
//! randomness.

use std::collections::BTreeSet;

use automerge::{
    ActorId, Author as AutomergeAuthor, Automerge, ChangeHash, ObjId, ObjType, PatchAction,
    PatchLog, Prop, ROOT, ReadDoc, SaveOptions, ScalarValue, ValueRef,
    transaction::{CommitOptions, Transactable, Transaction},
};

use super::{
    BucketNo,
    category::Category,
    conflict::{self, Conflict},
    edit::{Edit, EditError},
    fields::{self, Fields},
    product::Product,
};
use crate::{
    hash::Hash,
    id::{ProductId, ShopId, VariantId},
    key::KeyId,
    time::UnixMs,
};

/// Who edits: a device key, and which opening of the document this is.
///
/// A process draws a new incarnation whenever it opens the catalogue, so that a restored or
/// doubled process never repeats a sequence number of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The device's or node's signing key.
    pub key: KeyId,
    /// 64 random bits, drawn at every opening.
    pub incarnation: u64,
}

impl Author {
    /// The Automerge actor that this author's changes carry.
    pub fn actor(&self) -> ActorId {
        let incarnation = self.incarnation.to_be_bytes();
        let digest = Hash::of_parts(&[b"kirana actor 1", self.key.as_bytes(), &incarnation]);
        ActorId::from(&digest.as_bytes()[..16])
    }
}

/// Automerge's heads, sorted: a state of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heads(Vec<ChangeHash>);

impl Heads {
    /// Takes hashes that [`Heads::hashes`] gave.
    pub fn new(hashes: impl IntoIterator<Item = Hash>) -> Self {
        let mut heads: Vec<_> =
            hashes.into_iter().map(|hash| ChangeHash(*hash.as_bytes())).collect();
        heads.sort_unstable();
        heads.dedup();
        Self(heads)
    }

    /// As digests, to be signed and stored.
    pub fn hashes(&self) -> Vec<Hash> {
        self.0.iter().filter_map(|head| Hash::from_slice(&head.0)).collect()
    }

    pub(crate) fn of(doc: &Automerge) -> Self {
        Self(doc.get_heads())
    }

    pub(crate) fn as_slice(&self) -> &[ChangeHash] {
        &self.0
    }
}

/// Products of one shop that are edited and merged together.
#[derive(Debug, Clone)]
pub struct Bucket {
    shop: ShopId,
    number: BucketNo,
    doc: Automerge,
}

impl Bucket {
    /// A bucket without products.
    pub fn new(shop: ShopId, number: BucketNo) -> Self {
        Self { shop, number, doc: Automerge::new().with_actor(ActorId::from(&[0; 16])) }
    }

    /// Opens what [`Bucket::save`] gave, or a snapshot whose signed head was checked.
    ///
    /// # Errors
    /// [`NotABucket`] when the bytes are damaged.
    pub fn load(shop: ShopId, number: BucketNo, bytes: &[u8]) -> Result<Self, NotABucket> {
        let doc = Automerge::load(bytes).map_err(|why| NotABucket::Damaged(why.to_string()))?;
        let doc = doc.with_actor(ActorId::from(&[0; 16]));
        let bucket = Self { shop, number, doc };
        bucket.check(&bucket.product_ids()?)?;
        Ok(bucket)
    }

    /// Whose products.
    pub fn shop(&self) -> ShopId {
        self.shop
    }

    /// Which bucket.
    pub fn number(&self) -> BucketNo {
        self.number
    }

    /// The whole document; the same state gives the same bytes.
    pub fn save(&self) -> Vec<u8> {
        self.doc.save_with_options(SaveOptions { deflate: true, retain_orphans: false })
    }

    /// Where the document stands.
    pub fn heads(&self) -> Heads {
        Heads::of(&self.doc)
    }

    /// The changes that came after `heads`, to be appended by [`Bucket::apply`].
    pub fn since(&self, heads: &Heads) -> Vec<u8> {
        self.doc.save_after(heads.as_slice())
    }

    /// The changes that came after `heads`, one by one and not compressed, for a staff batch.
    pub fn changes_since(&self, heads: &Heads) -> Vec<Vec<u8>> {
        let changes = self.doc.get_changes(heads.as_slice());
        changes.iter().map(|change| change.raw_bytes().to_vec()).collect()
    }

    /// Applies a chunk whose signed head was checked; says which products changed.
    ///
    /// Applying it again changes nothing.
    ///
    /// # Errors
    /// [`NotABucket`]; the document may then hold a part of the chunk and has to be read again.
    pub fn apply(&mut self, chunk: &[u8]) -> Result<BTreeSet<ProductId>, NotABucket> {
        let mut log = PatchLog::active();
        let damaged = |why: automerge::AutomergeError| NotABucket::Damaged(why.to_string());
        self.doc.load_incremental_log_patches(chunk, &mut log).map_err(damaged)?;
        self.settled(&mut log)
    }

    /// Applies changes that a batch's admission has measured; as [`Bucket::apply`].
    pub(super) fn apply_changes(
        &mut self,
        changes: Vec<automerge::Change>,
    ) -> Result<BTreeSet<ProductId>, NotABucket> {
        let mut log = PatchLog::active();
        let damaged = |why: automerge::AutomergeError| NotABucket::Damaged(why.to_string());
        self.doc.apply_changes_log_patches(changes, &mut log).map_err(damaged)?;
        self.settled(&mut log)
    }

    fn settled(&self, log: &mut PatchLog) -> Result<BTreeSet<ProductId>, NotABucket> {
        if !self.doc.get_missing_deps(&[]).is_empty() {
            return Err(NotABucket::Gap);
        }
        let patches = self.doc.make_patches(log);
        let changed = patches.iter().filter_map(|patch| {
            let root = patch.path.first().map(|(_, prop)| prop.clone());
            root.or_else(|| root_key(&patch.action)).map(|prop| prop.to_string())
        });
        let changed = changed
            .map(|key| key.parse().map_err(|_| NotABucket::NotAProduct(key)))
            .collect::<Result<BTreeSet<ProductId>, _>>()?;
        self.check(&changed)?;
        Ok(changed)
    }

    pub(super) fn check(&self, products: &BTreeSet<ProductId>) -> Result<(), NotABucket> {
        for id in products {
            let is_read = match self.number == BucketNo::INDEX {
                true => self.category(*id).is_some(),
                false => self.product(*id).is_some(),
            };
            if self.object(*id).is_some() && !is_read {
                return Err(NotABucket::NotAProduct(id.to_string()));
            }
        }
        Ok(())
    }

    /// Makes one edit as one commit; says whether anything changed.
    ///
    /// # Errors
    /// [`EditError`]; the document is then as before.
    pub fn edit(&mut self, author: &Author, edit: &Edit, now: UnixMs) -> Result<bool, EditError> {
        self.edit_all(author, std::slice::from_ref(edit), now).map(|made| !made.is_empty())
    }

    /// Makes several edits as one commit, all or none; says which products changed.
    ///
    /// # Errors
    /// [`EditError`] of the first edit that cannot be made; the document is then as before.
    pub fn edit_all(
        &mut self,
        author: &Author,
        edits: &[Edit],
        now: UnixMs,
    ) -> Result<BTreeSet<ProductId>, EditError> {
        let (mut changed, is_index) = (BTreeSet::new(), self.number == BucketNo::INDEX);
        let is_here = |edit: &Edit| match edit {
            Edit::PutCategory(_) => is_index,
            Edit::Settle { .. } => true,
            _ => !is_index,
        };
        if !edits.iter().all(is_here) {
            return Err(EditError::OtherDocument);
        }
        // The author goes into the actor's first change; naming it draws a random actor, which
        // the next line replaces by ours.
        self.doc.set_author(Some(AutomergeAuthor::from(author.key.as_bytes().to_vec())));
        self.doc.set_actor(author.actor());
        let mut tx = self.doc.transaction();
        for edit in edits {
            let before = tx.pending_ops();
            make(&mut tx, edit)?;
            let id = edit.product();
            if tx.pending_ops() > before {
                check(&tx, id, is_index)?;
                changed.insert(id);
            }
        }
        let time = i64::try_from(now.get()).unwrap_or(i64::MAX);
        tx.commit_with(CommitOptions::default().with_time(time));
        Ok(changed)
    }

    /// The bucket as it was at an earlier state; `None` when that state was never here.
    pub fn at(&self, heads: &Heads) -> Option<Self> {
        let doc = self.doc.fork_at(heads.as_slice()).ok()?;
        Some(Self { shop: self.shop, number: self.number, doc })
    }

    /// Makes edits upon an earlier state, as somebody did who saw no more: what others did since
    /// stays beside them, and where they differ is a clash. `None` when that state was never here.
    ///
    /// `author` needs an incarnation of its own for this, since its line parts from any other.
    pub fn edit_upon(
        &mut self,
        upon: &Heads,
        author: &Author,
        edits: &[Edit],
        now: UnixMs,
    ) -> Option<Result<BTreeSet<ProductId>, EditError>> {
        let mut apart = self.at(upon)?;
        let before = apart.heads();
        Some(apart.edit_all(author, edits, now).and_then(|changed| {
            let made = apart.doc.get_changes(before.as_slice());
            self.doc.apply_changes(made).map_err(document)?;
            Ok(changed)
        }))
    }

    /// What the shop says of a category under this entry; only the index document holds any.
    pub fn category(&self, entry: ProductId) -> Option<Category> {
        let object = self.object(entry).filter(|_| self.number == BucketNo::INDEX)?;
        fields::read_category(&self.doc, entry, &object)
    }

    /// All that the shop says of categories, in the order of the entries.
    pub fn categories(&self) -> Vec<Category> {
        let entries = self.product_ids().unwrap_or_default();
        entries.into_iter().filter_map(|entry| self.category(entry)).collect()
    }

    /// The product, if the bucket holds it.
    pub fn product(&self, id: ProductId) -> Option<Product> {
        if self.number == BucketNo::INDEX {
            return None;
        }
        fields::read_product(&self.doc, id, &self.object(id)?)
    }

    /// All products, in the order of their ids.
    pub fn products(&self) -> Vec<Product> {
        let ids = self.product_ids().unwrap_or_default();
        ids.into_iter().filter_map(|id| self.product(id)).collect()
    }

    /// How many products it holds, delisted ones too.
    pub fn len(&self) -> usize {
        self.doc.length(ROOT)
    }

    /// How many changes it remembers.
    pub fn changes(&self) -> usize {
        self.doc.get_changes_meta(&[]).len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which products differ between two states of the document.
    ///
    /// # Errors
    /// [`NotABucket`] when something else than a product differs.
    pub fn changed_between(&self, a: &Heads, b: &Heads) -> Result<BTreeSet<ProductId>, NotABucket> {
        let patches = self.doc.diff(a.as_slice(), b.as_slice());
        let keys = patches.iter().filter_map(|patch| {
            let root = patch.path.first().map(|(_, prop)| prop.clone());
            root.or_else(|| root_key(&patch.action)).map(|prop| prop.to_string())
        });
        keys.map(|key| key.parse().map_err(|_| NotABucket::NotAProduct(key))).collect()
    }

    /// Every field that two people set apart to different values.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let ids = self.product_ids().unwrap_or_default();
        ids.into_iter().flat_map(|id| self.conflicts_of(id)).collect()
    }

    /// The clashes of one product.
    pub fn conflicts_of(&self, id: ProductId) -> Vec<Conflict> {
        let Some(object) = self.object(id) else { return Vec::new() };
        let mut all = conflict::of_object(&self.doc, &object, id, None);
        let variants = self.product(id).map(|product| product.variants).unwrap_or_default();
        for variant in variants.into_keys() {
            if let Some(inner) = child(&self.doc, &object, &fields::variant_key(variant)) {
                all.extend(conflict::of_object(&self.doc, &inner, id, Some(variant)));
            }
        }
        all
    }

    pub(super) fn doc(&self) -> &Automerge {
        &self.doc
    }

    pub(super) fn doc_mut(&mut self) -> &mut Automerge {
        &mut self.doc
    }

    fn object(&self, id: ProductId) -> Option<ObjId> {
        object(&self.doc, id)
    }

    pub(super) fn product_ids(&self) -> Result<BTreeSet<ProductId>, NotABucket> {
        let keys = self.doc.keys(ROOT);
        keys.map(|key| key.parse().map_err(|_| NotABucket::NotAProduct(key))).collect()
    }
}

fn root_key(action: &PatchAction) -> Option<Prop> {
    match action {
        PatchAction::PutMap { key, .. } | PatchAction::DeleteMap { key } => {
            Some(Prop::Map(key.clone()))
        }
        PatchAction::Conflict { prop } | PatchAction::Increment { prop, .. } => Some(prop.clone()),
        _ => None,
    }
}

pub(super) fn object(doc: &impl ReadDoc, id: ProductId) -> Option<ObjId> {
    child(doc, &ROOT, &id.to_string())
}

fn child(doc: &impl ReadDoc, parent: &ObjId, key: &str) -> Option<ObjId> {
    let (value, id) = doc.get(parent, key).ok()??;
    value.is_object().then_some(id)
}

fn make(tx: &mut Transaction<'_>, edit: &Edit) -> Result<(), EditError> {
    let id = edit.product();
    match edit {
        Edit::PutProduct(product) => return put_product(tx, product),
        Edit::PutCategory(category) => return put_category(tx, category),
        _ => {}
    }
    let product = object(tx, id).ok_or(EditError::NoSuchProduct(id))?;
    match edit {
        Edit::PutProduct(_) | Edit::PutCategory(_) => Ok(()),
        Edit::SetPrice { variant, price, .. } => {
            let variant = variant_object(tx, id, &product, *variant)?;
            set(tx, &variant, fields::PRICE, price.map(fields::price_scalar))
        }
        Edit::Rename { language, name, .. } => {
            set(tx, &product, &fields::name_key(*language), name.as_deref().map(Into::into))
        }
        Edit::SetCounted { counted, .. } => {
            set(tx, &product, fields::COUNTED, Some((*counted).into()))
        }
        Edit::Delist { .. } => set(tx, &product, fields::DELISTED, Some(true.into())),
        Edit::Relist { .. } => set(tx, &product, fields::DELISTED, Some(false.into())),
        Edit::Settle { variant, field, value, .. } => {
            let object = match variant {
                Some(variant) => variant_object(tx, id, &product, *variant)?,
                None => product,
            };
            let scalar = fields::scalar_of(field, value);
            let scalar = scalar.ok_or_else(|| EditError::WrongKind(field.clone()))?;
            set(tx, &object, field.as_str(), Some(scalar))
        }
    }
}

/// Whether the product is within the limits now; if not, the whole commit is taken back.
fn check(tx: &Transaction<'_>, id: ProductId, is_index: bool) -> Result<(), EditError> {
    let object = object(tx, id).ok_or(EditError::NoSuchProduct(id))?;
    if is_index {
        let category = fields::read_category(tx, id, &object);
        return category.map(drop).ok_or_else(|| EditError::Document("unreadable".to_owned()));
    }
    let product = fields::parse_product(tx, id, &object);
    let product = product.ok_or_else(|| EditError::Document("unreadable".to_owned()))?;
    product.check().map_err(|why| EditError::Limits { product: id, why })
}

fn put_category(tx: &mut Transaction<'_>, category: &Category) -> Result<(), EditError> {
    category.check()?;
    let object = match object(tx, category.entry) {
        Some(object) => object,
        None => {
            let key = category.entry.to_string();
            tx.put_object(ROOT, key, ObjType::Map).map_err(document)?
        }
    };
    replace(tx, &object, &fields::of_category(category), &BTreeSet::new())
}

fn put_product(tx: &mut Transaction<'_>, product: &Product) -> Result<(), EditError> {
    let object = match object(tx, product.id) {
        Some(object) => object,
        None => {
            let key = product.id.to_string();
            tx.put_object(ROOT, key, ObjType::Map).map_err(document)?
        }
    };
    let mut variants = BTreeSet::new();
    for (id, variant) in &product.variants {
        let key = fields::variant_key(*id);
        let inner = match child(tx, &object, &key) {
            Some(inner) => inner,
            None => tx.put_object(&object, key.as_str(), ObjType::Map).map_err(document)?,
        };
        replace(tx, &inner, &fields::of_variant(variant), &BTreeSet::new())?;
        variants.insert(key);
    }
    replace(tx, &object, &fields::of_product(product), &variants)
}

/// Makes the known keys of a map be `wanted`, and writes only what differs.
fn replace(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    wanted: &Fields,
    kept: &BTreeSet<String>,
) -> Result<(), EditError> {
    let mut present = Fields::new();
    let mut gone = Vec::new();
    for item in tx.map_range(object, ..) {
        let key = item.key.to_string();
        if fields::is_known(&key) && !wanted.contains_key(&key) && !kept.contains(&key) {
            gone.push(key);
        } else if let ValueRef::Scalar(scalar) = item.value {
            present.insert(key, scalar.into());
        }
    }
    for key in gone {
        tx.delete(object, key).map_err(document)?;
    }
    for (key, value) in wanted.iter().filter(|(key, value)| present.get(*key) != Some(value)) {
        tx.put(object, key.as_str(), value.clone()).map_err(document)?;
    }
    Ok(())
}

/// Writes a register. Where people clash the value is written even if it holds already, since
/// only a write settles a clash.
fn set(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    key: &str,
    value: Option<ScalarValue>,
) -> Result<(), EditError> {
    let present = tx.get_all(object, key).map_err(document)?;
    match value {
        None if present.is_empty() => Ok(()),
        None => tx.delete(object, key).map_err(document),
        Some(value) => match present.as_slice() {
            [(only, _)] if only.as_scalar() == Some(&value) => Ok(()),
            _ => tx.put(object, key, value).map_err(document),
        },
    }
}

fn variant_object(
    tx: &Transaction<'_>,
    product: ProductId,
    object: &ObjId,
    variant: VariantId,
) -> Result<ObjId, EditError> {
    let inner = child(tx, object, &fields::variant_key(variant));
    inner.ok_or(EditError::NoSuchVariant { product, variant })
}

fn document(why: automerge::AutomergeError) -> EditError {
    EditError::Document(why.to_string())
}

/// Bytes that are no bucket of products.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotABucket {
    /// Automerge cannot read them.
    #[error("the catalogue document is damaged: {0}")]
    Damaged(String),
    /// Changes before these are missing.
    #[error("changes before these are missing")]
    Gap,
    /// Something in it is no product within the limits.
    #[error("the catalogue document holds something that is no product: {0}")]
    NotAProduct(String),
}
