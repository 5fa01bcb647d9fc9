//! Pulls a shop's catalogue from anybody: signed heads first, then only what those heads name.
//!
//! **Invariant:** bytes reach [`Effect::Load`] only after a head by the shop's certified node named
//! their hash; a peer that serves anything else is named in [`Effect::Bad`] and dropped.
//!
//! One request is under way at a time, so that the machine is a plain exchange of
//! [`Pull::start`] and [`Pull::answer`].

use std::collections::{BTreeMap, VecDeque};

use kirana_core::{
    availability::{SignedAvailability, UnverifiedAvailability},
    catalogue::{
        BucketNo,
        head::{Extent, Head, SNAPSHOT_BYTES_MAX, SignedHead, Step, UnverifiedHead},
    },
    hash::Hash,
    id::ShopId,
    key::PublicKey,
    known_time::KnownNow,
    terms::{SignedTerms, UnverifiedTerms},
    trust::Trust,
};
use minicbor::bytes::ByteVec;

mod told;

pub use told::Told;

use crate::wire::{Chunk, Code, Request, Response};

/// The most chunks that one pull takes of one document before it asks for a snapshot instead.
pub const CHUNKS_A_BUCKET_MAX: u64 = 512;
/// The most bytes that one pull takes together, in bytes.
pub const PULL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often a snapshot may change while it is fetched in parts.
const SNAPSHOT_TRIES: u8 = 4;

/// How far a reader has one document: the generation and number of what it loaded last.
pub type Known = BTreeMap<BucketNo, (u64, u64)>;

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the peer, and give its answer to [`Pull::answer`].
    Ask(Request),
    /// Load these bytes, whose signed head covers them, after those loaded before; then say
    /// [`Pull::loaded`], or [`Pull::not_loaded`].
    Load(Box<Load>),
    /// Numbered stock snapshots by the shop's node, whose signatures were checked; whether they are
    /// news is for the caller, who knows what was stored.
    Availability(Vec<SignedAvailability>),
    /// Terms by the shop's node, whose signature was checked; whether they are news is for the
    /// caller.
    Terms(Box<SignedTerms>),
    /// All that the heads named is loaded.
    Current,
    /// The peer does not have it, or not yet.
    Missing,
    /// The peer served what no honest peer serves.
    Bad(&'static str),
}

/// Bytes to be loaded, and what was signed about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The head that names them: a chunk to be applied or a snapshot to be loaded.
    pub head: SignedHead,
    /// The bytes.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Stage {
    Idle,
    Heads,
    Chunks { bucket: BucketNo },
    Snapshot { bucket: BucketNo, head: Option<ByteVec>, bytes: Vec<u8>, tries: u8 },
    Loading { bucket: BucketNo, left: usize },
}

/// The machine, for one shop.
#[derive(Debug, Clone)]
pub struct Pull {
    shop: ShopId,
    known: Known,
    node: Option<(PublicKey, u64)>,
    /// The certificates that came last, for an answer that leaves them out.
    certificates: Vec<ByteVec>,
    /// The name of the answer that is being taken in, and of the last one that was taken in whole.
    name: Option<Hash>,
    seen: Option<Hash>,
    /// Documents still to be brought up to these numbers.
    todo: VecDeque<(BucketNo, u64)>,
    stage: Stage,
    bytes: usize,
}

impl Pull {
    /// A pull of `shop`'s catalogue by a reader who has it as far as `known`.
    pub fn new(shop: ShopId, known: Known) -> Self {
        Self {
            shop,
            known,
            node: None,
            certificates: Vec::new(),
            name: None,
            seen: None,
            todo: VecDeque::new(),
            stage: Stage::Idle,
            bytes: 0,
        }
    }

    /// Whose catalogue it is.
    pub fn shop(&self) -> ShopId {
        self.shop
    }

    /// How far each document was loaded.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Whether an answer or a load is awaited.
    pub fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    /// Starts, or starts over after a peer went away.
    pub fn start(&mut self) -> Effect {
        self.todo.clear();
        self.bytes = 0;
        self.stage = Stage::Heads;
        // Whatever goes wrong from now on, all is asked for the next time.
        let seen = self.seen.take();
        Effect::Ask(Request::Heads { shop: self.shop, seen })
    }

    /// Gives up what is under way; [`Pull::start`] begins anew from what was loaded.
    pub fn stop(&mut self) {
        self.stage = Stage::Idle;
    }

    /// Takes the peer's answer to what was asked last.
    pub fn answer(&mut self, now: KnownNow, trust: &Trust, response: Response) -> Vec<Effect> {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        match (stage, response) {
            (Stage::Heads, Response::Heads { heads, certificates, availability, terms, name }) => {
                if !certificates.is_empty() {
                    self.certificates = certificates;
                }
                self.name = name;
                self.heads(now, trust, heads, (availability, terms))
            }
            (Stage::Chunks { bucket }, Response::Chunks { chunks, .. }) => {
                self.chunks(bucket, chunks)
            }
            (
                Stage::Snapshot { bucket, head, bytes, tries },
                Response::Snapshot { head: signed, total, part },
            ) => {
                if head.as_ref().is_some_and(|head| *head != signed) {
                    // The document went on meanwhile: begin again with its newer snapshot.
                    return self.ask_snapshot(bucket, tries + 1);
                }
                self.snapshot(bucket, tries, signed, total, bytes, &part)
            }
            (Stage::Chunks { bucket }, Response::Refused(refused))
                if matches!(refused.code, Code::Gone | Code::OtherGeneration) =>
            {
                self.ask_snapshot(bucket, 0)
            }
            (_, Response::Refused(_)) => vec![Effect::Missing],
            _ => vec![Effect::Bad("it answered something else")],
        }
    }

    /// Says that the oldest load under way is durable.
    pub fn loaded(&mut self, head: &Head) -> Vec<Effect> {
        self.known.insert(head.bucket, (head.generation, head.n));
        match &mut self.stage {
            Stage::Loading { bucket, left } if *bucket == head.bucket => {
                *left -= 1;
                if *left == 0 { self.next() } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    /// Forgets by what name the last answer went: another peer is asked next, whose answers have names of
    /// their own, and one that lies about a name must not keep from a reader what others would tell.
    pub fn forget_answer(&mut self) {
        (self.name, self.seen) = (None, None);
    }

    /// Says that a load failed, or that stock or terms were not kept: the disk is full, or the bytes do not
    /// load. All is told again at the next look.
    pub fn not_loaded(&mut self) -> Vec<Effect> {
        self.forget_answer();
        if matches!(self.stage, Stage::Loading { .. }) {
            self.stage = Stage::Idle;
        }
        Vec::new()
    }

    fn heads(
        &mut self,
        now: KnownNow,
        trust: &Trust,
        heads: Vec<ByteVec>,
        (availability, terms): (Vec<ByteVec>, Option<ByteVec>),
    ) -> Vec<Effect> {
        let node = trust.check(&self.certificates, now).ok();
        let node = node.filter(|node| node.shop() == Some(self.shop));
        let Some((key, generation)) = node.and_then(|node| Some((*node.key(), node.generation()?)))
        else {
            return vec![Effect::Bad("nobody known vouches for the node that signed")];
        };
        self.node = Some((key, generation));
        for bytes in heads {
            let Some(head) = self.verified(&bytes) else {
                return vec![Effect::Bad("a head is damaged or forged")];
            };
            let head = head.head();
            match head.after(self.known.get(&head.bucket).copied()) {
                Step::Stale => {}
                Step::Apply | Step::Gap | Step::Restart | Step::Load => {
                    self.todo.push_back((head.bucket, head.n));
                }
            }
        }
        let Some(snapshots) = self.snapshots(&availability) else {
            return vec![Effect::Bad("a stock snapshot is damaged or forged")];
        };
        let mut effects = Vec::new();
        if !snapshots.is_empty() {
            effects.push(Effect::Availability(snapshots));
        }
        // A relay may still keep terms of a box that is gone, and a newer program may say more than
        // this one understands: neither is a reason to go without the catalogue.
        if let Some(terms) = terms.and_then(|terms| self.terms(&terms)) {
            effects.push(Effect::Terms(Box::new(terms)));
        }
        effects.extend(self.next());
        effects
    }

    /// A head by the shop's node of its present generation.
    fn verified(&self, bytes: &[u8]) -> Option<SignedHead> {
        let (key, generation) = self.node?;
        let head = UnverifiedHead::parse(bytes).ok()?.verify(&key).ok()?;
        let of_this = head.head().shop == self.shop && head.head().generation == generation;
        of_this.then_some(head)
    }

    /// Stock snapshots by the shop's node of its present generation; `None` if one of them is not.
    fn snapshots(&self, all: &[ByteVec]) -> Option<Vec<SignedAvailability>> {
        let (key, generation) = self.node?;
        let verified = all.iter().map(|bytes| {
            let read = UnverifiedAvailability::parse(bytes).ok()?.verify(&key).ok()?;
            let said = read.said();
            let of_this = said.shop == self.shop && said.generation == generation;
            of_this.then_some(read)
        });
        verified.collect()
    }

    /// Terms by the shop's node of its present generation.
    fn terms(&self, bytes: &[u8]) -> Option<SignedTerms> {
        let (key, generation) = self.node?;
        let read = UnverifiedTerms::parse(bytes).ok()?.verify(&key).ok()?;
        let of_this = read.said().shop == self.shop && read.said().generation == generation;
        of_this.then_some(read)
    }

    /// Goes on with the next document that is behind.
    fn next(&mut self) -> Vec<Effect> {
        let Some((_, generation)) = self.node else { return vec![Effect::Missing] };
        while let Some((bucket, n)) = self.todo.front().copied() {
            match self.known.get(&bucket).copied() {
                Some((known, at)) if known == generation && at >= n => {
                    self.todo.pop_front();
                }
                Some((known, at)) if known == generation && n - at <= CHUNKS_A_BUCKET_MAX => {
                    return self.ask_chunks(bucket, at);
                }
                None if n <= CHUNKS_A_BUCKET_MAX => return self.ask_chunks(bucket, 0),
                _ => return self.ask_snapshot(bucket, 0),
            }
        }
        self.stage = Stage::Idle;
        self.seen = self.name.take();
        vec![Effect::Current]
    }

    fn ask_chunks(&mut self, bucket: BucketNo, after: u64) -> Vec<Effect> {
        let Some((_, generation)) = self.node else { return vec![Effect::Missing] };
        self.stage = Stage::Chunks { bucket };
        vec![Effect::Ask(Request::Chunks { shop: self.shop, bucket, generation, after })]
    }

    fn ask_snapshot(&mut self, bucket: BucketNo, tries: u8) -> Vec<Effect> {
        if tries >= SNAPSHOT_TRIES {
            return vec![Effect::Missing];
        }
        self.stage = Stage::Snapshot { bucket, head: None, bytes: Vec::new(), tries };
        vec![Effect::Ask(Request::Snapshot { shop: self.shop, bucket, offset: 0 })]
    }

    fn chunks(&mut self, bucket: BucketNo, chunks: Vec<Chunk>) -> Vec<Effect> {
        let mut at = self.known.get(&bucket).copied();
        let mut loads = Vec::new();
        for chunk in chunks {
            let Some(head) = self.verified(&chunk.head) else {
                return vec![Effect::Bad("the head of a chunk is damaged or forged")];
            };
            if head.head().bucket != bucket || head.head().extent != Extent::Chunk {
                return vec![Effect::Bad("a chunk is of another document")];
            }
            match head.head().after(at) {
                Step::Apply => {}
                Step::Stale => continue,
                _ => return vec![Effect::Bad("chunks are missing in between")],
            }
            if !head.covers(&chunk.bytes) {
                return vec![Effect::Bad("a chunk is not what its head names")];
            }
            at = Some((head.head().generation, head.head().n));
            loads.push((head, Vec::from(chunk.bytes)));
        }
        if loads.is_empty() {
            return vec![Effect::Missing];
        }
        self.load(bucket, loads)
    }

    fn snapshot(
        &mut self,
        bucket: BucketNo,
        tries: u8,
        signed: ByteVec,
        total: u32,
        mut bytes: Vec<u8>,
        part: &[u8],
    ) -> Vec<Effect> {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let is_wrong = part.is_empty() || bytes.len() + part.len() > total;
        if is_wrong || total > SNAPSHOT_BYTES_MAX {
            return vec![Effect::Bad("a snapshot is not as long as it says")];
        }
        bytes.extend_from_slice(part);
        if bytes.len() < total {
            let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.stage = Stage::Snapshot { bucket, head: Some(signed), bytes, tries };
            return vec![Effect::Ask(Request::Snapshot { shop: self.shop, bucket, offset })];
        }
        let Some(head) = self.verified(&signed) else {
            return vec![Effect::Bad("the head of a snapshot is damaged or forged")];
        };
        if head.head().bucket != bucket || head.head().extent != Extent::Snapshot {
            return vec![Effect::Bad("a snapshot is of another document")];
        }
        if !head.covers(&bytes) {
            return vec![Effect::Bad("a snapshot is not what its head names")];
        }
        match head.head().after(self.known.get(&bucket).copied()) {
            Step::Load => self.load(bucket, vec![(head, bytes)]),
            _ => vec![Effect::Missing],
        }
    }

    fn load(&mut self, bucket: BucketNo, loads: Vec<(SignedHead, Vec<u8>)>) -> Vec<Effect> {
        self.bytes += loads.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        if self.bytes > PULL_BYTES_MAX {
            return vec![Effect::Bad("the catalogue is larger than a catalogue may be")];
        }
        self.stage = Stage::Loading { bucket, left: loads.len() };
        let load = |(head, bytes)| Effect::Load(Box::new(Load { head, bytes }));
        loads.into_iter().map(load).collect()
    }
}

#[cfg(test)]
mod tests;
