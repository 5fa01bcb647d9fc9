//! The program of a shop: the shipped shop with its courier.

use std::collections::BTreeSet;

use kirana_core::{
    catalogue::{
        edit::Edit,
        product::{Language, Product},
    },
    money::Currency,
    time::UnixMs,
};
use kirana_migrations::Database;
use kirana_shop::app::{
    self, Founding, Keys, Unopened,
    counter::{Entry, What},
    courier::Courier,
};
use rand_chacha::ChaCha20Rng;

use crate::{device::patient, goods::Good, node::NodeId};

/// A running shop.
pub struct Shop {
    /// The shop.
    pub shop: app::Shop,
    /// What carries its mail to and from hubs.
    pub courier: Courier,
    /// To which hubs it has a connection.
    pub connected: BTreeSet<NodeId>,
}

impl Shop {
    /// Starts on what the database holds.
    ///
    /// # Errors
    /// [`Unopened`] says why it is not safe to work with it.
    pub fn start(database: Database, keys: Keys) -> Result<Self, Unopened> {
        Ok(Self::of(app::Shop::open(database, keys)?))
    }

    /// The shop that was just opened.
    pub fn of(shop: app::Shop) -> Self {
        let courier = Courier::new(&shop, patient());
        Self { shop, courier, connected: BTreeSet::new() }
    }

    /// Makes a new shop in an empty database.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn found(
        database: Database,
        keys: Keys,
        now: UnixMs,
        rng: &mut ChaCha20Rng,
    ) -> Result<app::Shop, Unopened> {
        let founding = Founding {
            name: "a corner shop".to_owned(),
            currency: Currency::INR,
            place: None,
            hub: None,
        };
        app::Shop::found(database, keys, founding, now, rng)
    }

    /// What `verify` finds.
    pub fn verify(&self) -> Vec<String> {
        match self.shop.verify() {
            Ok(found) => found.faults,
            Err(e) => vec![e.to_string()],
        }
    }

    /// When its next timer is due, by its own clock.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        self.courier.wakes_at()
    }
}

/// Puts goods on sale and on the shelf.
///
/// # Errors
/// What went wrong, in words.
pub fn stock_up(
    shop: &app::Shop,
    goods: &[Good],
    now: UnixMs,
    rng: &mut ChaCha20Rng,
) -> Result<(), String> {
    let by = shop.keys().node.id();
    let edits = goods.iter().zip(1..).flat_map(|(good, n)| on_sale(good, n)).collect();
    shop.edit_catalogue(edits, by, None, now, rng).map_err(|e| e.to_string())?;
    for good in goods.iter().filter(|good| good.is_counted) {
        let what = What::Receipt(good.opening);
        let entry = Entry { variant: good.variant, location: None, what, note: String::new() };
        shop.enter(entry, by, now, rng).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn on_sale(good: &Good, n: usize) -> [Edit; 2] {
    let name = format!("good {n}");
    let mut product = Product::new(good.product, Language::ENGLISH, &name, good.variant);
    product.counted = good.is_counted;
    let (product_id, variant, price) = (good.product, good.variant, Some(good.price));
    [Edit::PutProduct(Box::new(product)), Edit::SetPrice { product: product_id, variant, price }]
}
