//! Two of a shop's staff and their edits: each pulls the price list, sets a price apart from the
//! other, and sends the signed batch until the shop has admitted it.
//!
//! **Invariant:** prices change only through the shop's own admission; which prices must clash is
//! noted only when the shop has said of both batches that it admitted them.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        BucketNo,
        batch::Batch,
        conflict::{Conflict, Field, Value},
        document::{Author, Bucket},
        edit::Edit,
        head::Extent,
    },
    id::{ProductId, VariantId},
    key::KeyPair,
    money::Price,
    time::UnixMs,
};
use kirana_shop::app::{Shop, roles::Post, staff::Member};
use kirana_sync::{
    pull::{Effect, Pull},
    wire::Request,
};
use rand_chacha::ChaCha20Rng;

use crate::goods::Good;

/// A member of staff with a device.
struct Clerk {
    keys: KeyPair,
    chain: Vec<Vec<u8>>,
    /// Grows with every edit, as after each opening of the document.
    incarnation: u64,
}

/// The staff of one shop, and what they have done.
pub struct Books {
    clerks: [Clerk; 2],
    /// Batches that the shop has not admitted yet, by clerk.
    waiting: BTreeMap<usize, Vec<u8>>,
    /// What will clash once both are in.
    apart: Option<(VariantId, ProductId, BTreeSet<i64>)>,
    clashes: BTreeMap<VariantId, (ProductId, BTreeSet<i64>)>,
}

impl Books {
    /// Two people are taken on.
    ///
    /// # Errors
    /// In words, when the shop cannot certify them.
    pub fn open(
        shop: &Shop,
        keys: [KeyPair; 2],
        now: UnixMs,
        rng: &mut ChaCha20Rng,
    ) -> Result<Self, String> {
        let mut hire = |keys: KeyPair, label: &str| -> Result<Clerk, String> {
            let (key, sealing) = (keys.signing.public(), keys.sealing.public());
            let (post, label) = (Post::Staff, label.to_owned());
            let chain = shop.add_staff(Member { key, sealing, post, label }, now, rng);
            Ok(Clerk { keys, chain: chain.map_err(|e| e.to_string())?, incarnation: 0 })
        };
        let [one, two] = keys;
        let clerks = [hire(one, "Asha")?, hire(two, "Ravi")?];
        let (waiting, clashes) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { clerks, waiting, apart: None, clashes })
    }

    /// Both see the same list and set one price apart; says which clerks have a batch to send.
    /// While an earlier pair is under way nobody edits.
    ///
    /// # Errors
    /// In words, when the list cannot be pulled or a document refuses.
    pub fn edit_apart(
        &mut self,
        shop: &Shop,
        good: &Good,
        prices: [Price; 2],
        now: UnixMs,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<usize>, String> {
        if !self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        let (product, variant) = (good.product, good.variant);
        let documents = pull(shop, &self.clerks[0].keys, now, rng)?;
        let list = documents.values().find(|list| list.product(product).is_some());
        let list = list.ok_or("the price list lacks what is on sale")?;
        let now_sold = list.product(product).and_then(|of| of.variants.get(&variant)?.price);
        if now_sold.is_some_and(|price| prices.contains(&price)) {
            // Whoever sets the price that it has already changes nothing, and clashes with nobody.
            return Ok(Vec::new());
        }
        for (n, price) in prices.into_iter().enumerate() {
            let clerk = &mut self.clerks[n];
            clerk.incarnation += 1;
            let author = Author { key: clerk.keys.id(), incarnation: clerk.incarnation };
            let mut own =
                Bucket::load(shop.id(), list.number(), &list.save()).map_err(|e| e.to_string())?;
            let edit = Edit::SetPrice { product, variant, price: Some(price) };
            own.edit(&author, &edit, now).map_err(|e| e.to_string())?;
            let (key, known) = (&clerk.keys.signing, list.heads());
            let batch = Batch::sign(key, &author, &own, &known, clerk.chain.clone(), now);
            // The price may be what it was before: then there is nothing to send.
            self.waiting.extend(batch.map(|batch| (n, batch.to_vec())));
        }
        // Whoever sets a price sees the old clash, and ends it.
        self.clashes.remove(&variant);
        let values = prices.iter().map(|price| price.minor).collect();
        self.apart = (self.waiting.len() == 2).then_some((variant, product, values));
        Ok(self.waiting.keys().copied().collect())
    }

    /// The request that carries a clerk's batch, if it is not admitted yet.
    pub fn request(&self, clerk: usize) -> Option<Request> {
        let batch = self.waiting.get(&clerk)?.clone().into();
        Some(Request::Batch { batch, certificates: Vec::new() })
    }

    /// The key of a clerk's device.
    pub fn keys(&self, clerk: usize) -> Option<&KeyPair> {
        self.clerks.get(clerk).map(|clerk| &clerk.keys)
    }

    /// The shop says that it has admitted a clerk's batch.
    pub fn admitted(&mut self, clerk: usize) {
        self.waiting.remove(&clerk);
        if self.waiting.is_empty()
            && let Some((variant, product, values)) = self.apart.take()
        {
            self.clashes.insert(variant, (product, values));
        }
    }

    /// The shop came back from a backup: what was admitted since is the clerks' to make again.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.clashes.clear();
        self.apart = None;
    }

    /// The owner picks the first of the prices of everything that clashes.
    pub fn picks(&mut self, clashes: &[Conflict]) -> Vec<Edit> {
        let mut picks = Vec::new();
        for conflict in clashes {
            let (Some(variant), Some(claim)) = (conflict.variant, conflict.values.first()) else {
                continue;
            };
            // A pick whose answer is lost may or may not have been made.
            self.clashes.remove(&variant);
            // A batch may be in although its clerk has not heard so.
            self.apart = self.apart.take().filter(|(of, _, _)| *of != variant);
            let (product, field, value) = (conflict.product, Field::price(), claim.value.clone());
            picks.push(Edit::Settle { product, variant: Some(variant), field, value });
        }
        picks
    }

    /// What breaks P5: clashes that the shop does not show.
    pub fn hidden(&self, shown: &[Conflict]) -> Vec<String> {
        let mut faults = Vec::new();
        for (variant, (product, wanted)) in &self.clashes {
            let of_it = shown.iter().filter(|c| c.product == *product);
            let claims = of_it.filter(|c| c.variant == Some(*variant)).flat_map(|c| &c.values);
            let values: BTreeSet<i64> = claims
                .filter_map(|claim| match &claim.value {
                    Value::Price(price) => Some(price.minor),
                    _ => None,
                })
                .collect();
            if values != *wanted {
                faults.push(format!("{variant}: prices {wanted:?} clash, shown are {values:?}"));
            }
        }
        faults
    }
}

/// Pulls a shop's whole catalogue, as every reader does.
fn pull(
    shop: &Shop,
    reader: &KeyPair,
    now: UnixMs,
    rng: &mut ChaCha20Rng,
) -> Result<BTreeMap<BucketNo, Bucket>, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let trust = shop.trust().map_err(|e| words(&e))?;
    let known = shop.known_now(now).map_err(|e| words(&e))?;
    let mut pull = Pull::new(shop.id(), BTreeMap::new());
    let (mut documents, mut effects) = (BTreeMap::new(), vec![pull.start()]);
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Ask(request) => {
                let answer = shop.answer(reader.signing.public(), request, now, rng);
                effects.extend(pull.answer(known, &trust, answer).into_iter().rev());
            }
            Effect::Load(load) => {
                let head = load.head.head();
                let empty = || Bucket::new(shop.id(), head.bucket);
                let document = match head.extent {
                    Extent::Snapshot => Bucket::load(shop.id(), head.bucket, &load.bytes),
                    Extent::Chunk => {
                        let mut list = documents.remove(&head.bucket).unwrap_or_else(empty);
                        list.apply(&load.bytes).map(|_| list)
                    }
                };
                documents.insert(head.bucket, document.map_err(|e| words(&e))?);
                effects.extend(pull.loaded(load.head.head()).into_iter().rev());
            }
            Effect::Current | Effect::Availability(_) => {}
            other => return Err(format!("the catalogue cannot be pulled: {other:?}")),
        }
    }
    Ok(documents)
}
