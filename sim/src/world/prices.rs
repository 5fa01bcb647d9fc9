//! Prices: staff edit apart, the owner settles, households read, and what breaks P5 is looked for.
//!
//! **Invariant:** everything goes through the shop's own admission and the households' own pull.

use kirana_core::{catalogue::product::Product, id::ShopId, money::Price};
use kirana_migrations::catalogue::{Filter, search::Query};
use kirana_sync::wire::{Code, Response};

use super::{Event, World};
use crate::{check::Broken, goods::Good, node::NodeId, plan::HOUR_MS, sometimes::Situation};

/// How long a clerk waits before a batch is sent again, in milliseconds.
const AGAIN_MS: u64 = 10 * 60_000;

impl World {
    pub(super) fn edit_apart(&mut self, node: NodeId) {
        let goods = self.goods(node);
        let Some(good) = self.people.pick(&goods).cloned() else { return };
        let raised = i64::try_from(self.people.between(1, 400)).unwrap_or(1);
        let price = |more| Price { minor: good.price.minor + more, ..good.price };
        let prices = [price(raised), price(-raised)];
        let now = self.now();
        let (Some(machine), Some(books)) = (self.shops.get(&node), self.books.get_mut(&node))
        else {
            return;
        };
        let Some(program) = machine.program.as_ref() else { return };
        let edited = books.edit_apart(&program.shop, &good, prices, now, self.people.source());
        match edited {
            Ok(clerks) => {
                for clerk in clerks {
                    // The second copy is the one that a clerk sends who did not hear the answer.
                    for _ in 0..2 {
                        let ms = self.people.below(2 * HOUR_MS);
                        self.schedule.after(ms, Event::BatchArrives { shop: node, clerk });
                    }
                }
            }
            Err(why) => self.broke("P5", format!("{node}: {why}")),
        }
    }

    pub(super) fn batch_arrives(&mut self, node: NodeId, clerk: usize) {
        let Some(books) = self.books.get(&node) else { return };
        let (Some(request), Some(keys)) = (books.request(clerk), books.keys(clerk)) else { return };
        let peer = keys.signing.public();
        let answer = match self.is_on(node) {
            true => self.serve(node, &peer, request),
            false => None,
        };
        match answer {
            Some(Response::Admitted { .. }) => {
                let books = self.books.get_mut(&node);
                books.into_iter().for_each(|books| books.admitted(clerk));
            }
            Some(Response::Refused(refused)) if is_final(refused.code) => {
                self.broke("P5", format!("{node}: a clerk's edit was refused: {}", refused.reason));
            }
            _ => self.schedule.after(AGAIN_MS, Event::BatchArrives { shop: node, clerk }),
        }
    }

    /// The owner picks.
    pub(super) fn settle_clashes(&mut self, node: NodeId) {
        let program = self.shops.get(&node).and_then(|machine| machine.program.as_ref());
        let Some(Ok(clashes)) = program.map(|program| program.shop.conflicts()) else { return };
        if !clashes.is_empty() {
            self.met(Situation::ClashShown);
        }
        let Some(books) = self.books.get_mut(&node) else { return };
        let picks = books.picks(&clashes);
        for pick in picks {
            let settled = self.at_the_counter(node, |shop, by, now, rng| {
                let edited = shop.edit_catalogue(vec![pick], by, None, now, rng);
                edited.map(|_| ()).map_err(|e| e.to_string())
            });
            if let Some(Ok(())) = settled {
                self.met(Situation::ClashSettled);
            }
        }
    }

    /// What a household saw last: in its saved catalogue, else on the shelf when somebody passed by.
    pub(super) fn price_seen(&self, device: NodeId, shop: NodeId, good: &Good) -> Price {
        let program = self.devices.get(&device).and_then(|machine| machine.program.as_ref());
        let saved = program.zip(self.shop_id(shop)).and_then(|(program, shop)| {
            let (shelved, _) = program.household.on_the_shelf(shop, good.variant).ok()??;
            shelved.product.variants.get(&good.variant)?.price
        });
        let seat = self.town.devices.get(&device);
        let seen = seat.and_then(|seat| seat.seen.get(&good.variant).copied());
        saved.or(seen).unwrap_or(good.price)
    }

    /// Somebody reads the prices on the shelf.
    pub(super) fn look_at_prices(&mut self, device: NodeId) {
        for node in self.shops_of(device) {
            for good in self.goods(node) {
                let program = self.shops.get(&node).and_then(|machine| machine.program.as_ref());
                let product =
                    program.and_then(|program| program.shop.product(good.product).ok()?);
                let price = product.and_then(|seen| {
                    seen.shelved.product.variants.get(&good.variant).and_then(|v| v.price)
                });
                if let (Some(price), Some(seat)) = (price, self.town.devices.get_mut(&device)) {
                    seat.seen.insert(good.variant, price);
                }
            }
        }
    }

    /// P5: clashes that the owner is not shown, and saved catalogues that differ from the shop's.
    pub(super) fn prices_hidden(&mut self) -> Vec<Broken> {
        let mut broken = Vec::new();
        let mut caught_up = 0;
        for (node, machine) in &self.shops {
            let (Some(program), Some(books)) = (&machine.program, self.books.get(node)) else {
                continue;
            };
            match program.shop.conflicts() {
                Ok(shown) => broken.extend(
                    books.hidden(&shown).into_iter().map(|why| ("P5", format!("{node}: {why}"))),
                ),
                Err(e) => broken.push(("P8", format!("{node}: {e}"))),
            }
            let shop = program.shop.id();
            let everything = Query { limit: PRODUCTS_MAX, ..Query::default() };
            let Ok(own) = program.shop.products(&everything) else { continue };
            let own = by_id(own);
            if own.is_empty() {
                broken.push(("P5", format!("{node} sells nothing, so nothing was compared")));
            }
            for device in self.readers_of(*node) {
                let saved = self.saved_by(device, shop);
                if saved == own {
                    caught_up += 1;
                    continue;
                }
                let prices = |list: &[Product]| {
                    let variants = list.iter().flat_map(|product| product.variants.values());
                    variants.map(|v| v.price.map(|p| p.minor)).collect::<Vec<_>>()
                };
                let (theirs, ours) = (prices(&saved), prices(&own));
                let what = format!("{device} saved {theirs:?} of {node}, which sells {ours:?}");
                broken.push(("P5", what));
            }
        }
        (0..caught_up).for_each(|_| self.met(Situation::CatalogueCaughtUp));
        broken
    }

    /// The devices that are in their shop's Wi-Fi, so that they follow its catalogue.
    fn readers_of(&self, shop: NodeId) -> Vec<NodeId> {
        let seats = self.town.devices.iter();
        let near = seats.filter(|(_, seat)| seat.is_near && seat.shops.contains(&shop));
        near.map(|(device, _)| *device).collect()
    }

    fn saved_by(&self, device: NodeId, shop: ShopId) -> Vec<Product> {
        let program = self.devices.get(&device).and_then(|machine| machine.program.as_ref());
        let filter = Filter { shop: Some(shop), ..Filter::default() };
        let query = Query { filter, limit: PRODUCTS_MAX, ..Query::default() };
        let page = program.and_then(|program| program.household.search(&query).ok());
        by_id(
            page.map_or_else(Vec::new, |page| page.items.into_iter().map(|i| i.product).collect()),
        )
    }
}

/// A shelf whose order says nothing of what is in stock just now.
fn by_id(mut products: Vec<Product>) -> Vec<Product> {
    products.sort_by_key(|product| product.id);
    products
}

/// More than any shop here sells.
const PRODUCTS_MAX: u16 = 50;

/// Whether the shop will never take this batch.
fn is_final(code: Code) -> bool {
    matches!(code, Code::NotCertified | Code::Malformed)
}
