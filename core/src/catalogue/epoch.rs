//! Yearly epochs: a document begins anew with what it holds, so that its history has a beginning.
//!
//! The new document has a *skeleton*, one change that makes the maps of all products, and after it
//! a line of changes that fill them, each by who set these fields last and when. What somebody made
//! upon the closed document is carried over as changes upon the skeleton. They stand apart from all
//! that came since: where they differ from what holds they are a clash that somebody settles (P5).
//!
//! **Invariants:** what holds and what clashes is the same before and after. A value that is carried
//! over holds by itself only where there is no other.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{
    Author as AutomergeAuthor, Automerge, Change, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    ValueRef,
    transaction::{CommitOptions, Transactable},
};

use super::document::{Author, Bucket, Heads, NotABucket};
use crate::{hash::Hash, id::ProductId, key::KeyId, time::UnixMs};

/// A document that began anew.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The new document.
    pub document: Bucket,
    /// Its state with all products and without any field: what is carried over stands upon this.
    pub skeleton: Heads,
    /// Its state with all that the closed document held.
    pub begun: Heads,
}

/// What differs between two states of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Maps that are only in the second state, outer ones first.
    maps: BTreeSet<Path>,
    /// What held in the first and in the second state.
    fields: BTreeMap<Path, (Option<ScalarValue>, Option<ScalarValue>)>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty() && self.fields.is_empty()
    }
}

/// The keys that lead to a map or a field, from the root inwards.
type Path = Vec<String>;

/// One of the values of a field, and who set it when.
#[derive(Debug, Clone)]
struct Claim {
    value: ScalarValue,
    author: Option<KeyId>,
    at: UnixMs,
}

/// All maps and fields of a document; of several values of a field the last one holds.
#[derive(Debug, Default)]
struct Content {
    maps: BTreeSet<Path>,
    fields: BTreeMap<Path, Vec<Claim>>,
}

impl Bucket {
    /// Begins anew with what the document holds, clashes included.
    ///
    /// # Errors
    /// [`NotABucket`] when the document holds what no edit of ours writes.
    pub fn renew(&self, author: &Author, now: UnixMs) -> Result<Renewed, NotABucket> {
        let content = Content::of(self.doc())?;
        let mut document = Self::new(self.shop(), self.number());
        let doc = document.doc_mut();
        commit(doc, author, now, content.maps.iter().map(|path| (path, None)))?;
        let skeleton = Heads::of(doc);
        let bare = doc.clone();
        // The first operation after the skeleton loses against none that is carried over later:
        // so it is one that holds nothing.
        let mut first = content.fields.keys().take(1);
        commit(doc, author, now, first.by_ref().map(|path| (path, Some(&ScalarValue::Null))))?;
        fill(doc, author, &content)?;
        let mut apart = Vec::new();
        for (n, (path, claim)) in content.overruled().enumerate() {
            let by = claim.by(author, n as u64 + 1);
            apart.extend(aside(&bare, &by, claim.at, path, &claim.value)?);
        }
        join(doc, author, now, apart)?;
        let begun = Heads::of(doc);
        document.check(&document.product_ids()?)?;
        Ok(Renewed { document, skeleton, begun })
    }

    /// What differs between two states; `None` when one of them was never here.
    ///
    /// # Errors
    /// [`NotABucket`] when the document holds what no edit of ours writes.
    pub fn difference(&self, from: &Heads, to: &Heads) -> Result<Option<Difference>, NotABucket> {
        let at = |heads: &Heads| self.doc().fork_at(heads.as_slice()).ok();
        let (Some(from), Some(to)) = (at(from), at(to)) else { return Ok(None) };
        let (before, after) = (Content::of(&from)?, Content::of(&to)?);
        let maps = after.maps.difference(&before.maps).cloned().collect();
        let paths: BTreeSet<&Path> = before.fields.keys().chain(after.fields.keys()).collect();
        let both = paths.into_iter().map(|path| (path, (before.holds(path), after.holds(path))));
        let fields = both.filter(|(_, (before, after))| before != after);
        let fields = fields.map(|(path, values)| (path.clone(), values)).collect();
        Ok(Some(Difference { maps, fields }))
    }

    /// Carries over what somebody made upon the document that this one began with; says which
    /// products changed or clash now. A field that was cleared there is cleared if it still has
    /// the value that was seen.
    ///
    /// `author` needs an incarnation of its own for this. What holds here already is not carried.
    ///
    /// # Errors
    /// [`NotABucket`] when the skeleton is not this document's, or something would be no product;
    /// the document may then hold a part and has to be read again.
    pub fn carry_over(
        &mut self,
        skeleton: &Heads,
        difference: &Difference,
        author: &Author,
        now: UnixMs,
    ) -> Result<BTreeSet<ProductId>, NotABucket> {
        let doc = self.doc_mut();
        let bare = doc.fork_at(skeleton.as_slice()).map_err(|_| NotABucket::Gap)?;
        let (mut apart, mut changed) = (Vec::new(), BTreeSet::new());
        let is_new = |path: &Path| difference.maps.contains(path) && object(doc, path).is_none();
        let new: Vec<&Path> = difference.maps.iter().filter(|path| is_new(path)).collect();
        let parent = |path: &Path| path[..path.len() - 1].to_vec();
        let with_them = |path: &&Path| new.contains(&&parent(path));
        let mut cleared = Vec::new();
        for (n, (path, (before, after))) in difference.fields.iter().enumerate() {
            let holds = value(doc, path);
            if with_them(&path) || holds == *after {
                continue;
            }
            match after {
                Some(after) => {
                    let by = Author { incarnation: derived(author, n as u64 + 1), ..*author };
                    let upon = made_with(doc, &bare, &parent(path))?;
                    apart.extend(aside(&upon, &by, now, path, after)?);
                }
                None if holds == *before => cleared.push(path.clone()),
                None => continue,
            }
            changed.insert(product_of(path)?);
        }
        for path in &new {
            changed.insert(product_of(path)?);
        }
        let fields = difference.fields.iter().filter(|(path, _)| with_them(path));
        let fields = fields.filter_map(|(path, (_, after))| Some((path, Some(after.as_ref()?))));
        let made = new.iter().map(|path| (*path, None)).chain(fields);
        apart.extend(beside(&bare, author, now, made)?);
        clear(doc, author, now, &cleared)?;
        join(doc, author, now, apart)?;
        self.check(&changed)?;
        Ok(changed)
    }
}

impl Content {
    fn of(doc: &Automerge) -> Result<Self, NotABucket> {
        let (mut content, mut left) = (Self::default(), vec![(Path::new(), ROOT)]);
        while let Some((path, object)) = left.pop() {
            for item in doc.map_range(&object, ..) {
                let mut path = path.clone();
                path.push(item.key.to_string());
                match &item.value {
                    ValueRef::Object(ObjType::Map) => {
                        content.maps.insert(path.clone());
                        left.push((path, item.id()));
                    }
                    ValueRef::Object(_) => return Err(NotABucket::NotAProduct(path.join(" "))),
                    ValueRef::Scalar(_) => {
                        let claims = claims(doc, &object, &item.key)?;
                        content.fields.insert(path, claims);
                    }
                }
            }
        }
        Ok(content)
    }

    fn holds(&self, path: &Path) -> Option<ScalarValue> {
        self.fields.get(path)?.last().map(|claim| claim.value.clone())
    }

    /// The values that do not hold, but differ from the one that does.
    fn overruled(&self) -> impl Iterator<Item = (&Path, &Claim)> {
        self.fields.iter().flat_map(|(path, claims)| {
            let (holds, others) = match claims.split_last() {
                Some((holds, others)) => (Some(holds), others),
                None => (None, claims.as_slice()),
            };
            let differ = move |claim: &&Claim| holds.is_some_and(|it| it.value != claim.value);
            others.iter().filter(differ).map(move |claim| (path, claim))
        })
    }
}

impl Claim {
    /// Whoever set it, as an author in the new document; 0 is the line in which all others are.
    fn by(&self, renewing: &Author, n: u64) -> Author {
        let incarnation = if n == 0 { renewing.incarnation } else { derived(renewing, n) };
        Author { key: self.author.unwrap_or(renewing.key), incarnation }
    }
}

fn claims(doc: &Automerge, object: &ObjId, key: &str) -> Result<Vec<Claim>, NotABucket> {
    let all = doc.get_all(object, key).map_err(damaged)?;
    let claim = |(value, operation): (automerge::Value<'_>, ObjId)| {
        let value = value.as_scalar()?.clone();
        let change = doc.hash_for_opid(&operation)?;
        let at = doc.get_change_meta_by_hash(&change)?.timestamp;
        let author = match &operation {
            ObjId::Id(_, actor, _) => doc.get_author_for_actor(actor),
            ObjId::Root => None,
        };
        let author = author.and_then(|author| KeyId::from_slice(author.as_bytes()));
        Some(Claim { value, author, at: UnixMs::new(u64::try_from(at).unwrap_or(0)) })
    };
    Ok(all.into_iter().filter_map(claim).collect())
}

/// Writes what holds, in the order in which it was set; what somebody else set otherwise comes last.
fn fill(doc: &mut Automerge, author: &Author, content: &Content) -> Result<(), NotABucket> {
    let mut line: Vec<(bool, UnixMs, Option<KeyId>, &Path, &ScalarValue)> = Vec::new();
    for (path, claims) in &content.fields {
        if let Some(claim) = claims.last() {
            line.push((claims.len() > 1, claim.at, claim.author, path, &claim.value));
        }
    }
    line.sort_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
    for together in line.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
        let (_, at, key, ..) = together[0];
        let by = Author { key: key.unwrap_or(author.key), ..*author };
        let fields = together.iter().map(|(.., path, value)| (*path, Some(*value)));
        commit(doc, &by, at, fields)?;
    }
    Ok(())
}

/// Makes maps and sets fields as one change; nothing if there is nothing to do.
fn commit<'a>(
    doc: &mut Automerge,
    author: &Author,
    at: UnixMs,
    items: impl Iterator<Item = (&'a Path, Option<&'a ScalarValue>)>,
) -> Result<(), NotABucket> {
    write_as(doc, author);
    let mut tx = doc.transaction();
    for (path, value) in items {
        let (Some(key), Some(outer)) = (path.last(), object(&tx, &path[..path.len() - 1])) else {
            return Err(NotABucket::Gap);
        };
        match value {
            Some(value) => tx.put(&outer, key.as_str(), value.clone()).map_err(damaged)?,
            None => drop(tx.put_object(&outer, key.as_str(), ObjType::Map).map_err(damaged)?),
        }
    }
    tx.commit_with(moment(at));
    Ok(())
}

fn clear(
    doc: &mut Automerge,
    author: &Author,
    at: UnixMs,
    paths: &[Path],
) -> Result<(), NotABucket> {
    if paths.is_empty() {
        return Ok(());
    }
    let incarnation = derived(author, 0);
    write_as(doc, &Author { incarnation, ..*author });
    let mut tx = doc.transaction();
    for path in paths {
        let (Some(key), Some(outer)) = (path.last(), object(&tx, &path[..path.len() - 1])) else {
            return Err(NotABucket::Gap);
        };
        tx.delete(&outer, key.as_str()).map_err(damaged)?;
    }
    tx.commit_with(moment(at));
    Ok(())
}

/// One field, set by somebody who saw no more than `bare`.
fn aside(
    bare: &Automerge,
    author: &Author,
    at: UnixMs,
    path: &Path,
    value: &ScalarValue,
) -> Result<Vec<Change>, NotABucket> {
    beside(bare, author, at, std::iter::once((path, Some(value))))
}

fn beside<'a>(
    bare: &Automerge,
    author: &Author,
    at: UnixMs,
    items: impl Iterator<Item = (&'a Path, Option<&'a ScalarValue>)>,
) -> Result<Vec<Change>, NotABucket> {
    let mut apart = bare.clone();
    commit(&mut apart, author, at, items)?;
    Ok(apart.get_changes(&bare.get_heads()))
}

/// Takes changes in that were made apart, and leaves one head.
fn join(
    doc: &mut Automerge,
    author: &Author,
    now: UnixMs,
    apart: Vec<Change>,
) -> Result<(), NotABucket> {
    if apart.is_empty() {
        return Ok(());
    }
    doc.apply_changes(apart).map_err(damaged)?;
    if doc.get_heads().len() > 1 {
        write_as(doc, author);
        doc.empty_commit(moment(now));
    }
    Ok(())
}

/// The document with this map and without what was set in it: the skeleton, or for a product that
/// came later the change that made it.
fn made_with(doc: &Automerge, bare: &Automerge, map: &[String]) -> Result<Automerge, NotABucket> {
    if object(bare, map).is_some() {
        return Ok(bare.clone());
    }
    let made = object(doc, map).and_then(|object| doc.hash_for_opid(&object));
    doc.fork_at(&[made.ok_or(NotABucket::Gap)?]).map_err(damaged)
}

fn object(doc: &impl ReadDoc, path: &[String]) -> Option<ObjId> {
    let mut object = ROOT;
    for key in path {
        let (value, inner) = doc.get(&object, key.as_str()).ok()??;
        object = Some(inner).filter(|_| value.is_object())?;
    }
    Some(object)
}

fn value(doc: &Automerge, path: &[String]) -> Option<ScalarValue> {
    let (key, outer) = path.split_last()?;
    let (value, _) = doc.get(object(doc, outer)?, key.as_str()).ok()??;
    value.as_scalar().cloned()
}

fn product_of(path: &[String]) -> Result<ProductId, NotABucket> {
    let key = path.first().map(String::as_str).unwrap_or_default();
    key.parse().map_err(|_| NotABucket::NotAProduct(key.to_owned()))
}

fn write_as(doc: &mut Automerge, author: &Author) {
    doc.set_author(Some(AutomergeAuthor::from(author.key.as_bytes().to_vec())));
    doc.set_actor(author.actor());
}

/// A further incarnation, for a line that parts from the author's own.
fn derived(author: &Author, n: u64) -> u64 {
    let parts = [b"kirana aside 1".as_slice(), &author.incarnation.to_be_bytes(), &n.to_be_bytes()];
    let digest = Hash::of_parts(&parts);
    digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn moment(at: UnixMs) -> CommitOptions {
    CommitOptions::default().with_time(i64::try_from(at.get()).unwrap_or(i64::MAX))
}

fn damaged(why: automerge::AutomergeError) -> NotABucket {
    NotABucket::Damaged(why.to_string())
}

#[cfg(test)]
mod tests;
