//! The shelf as it was at a moment, to tell which labels say something else now.
//!
//! **Invariant:** where what stood then is not known any more, that is said, never guessed.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{catalogue::product::Product, id::ProductId, time::UnixMs};
use kirana_migrations::{StoreError, catalogue::chunks, rusqlite::Connection};

use crate::app::Inner;

/// What was on the shelf.
pub(super) struct Past {
    moment: UnixMs,
    products: BTreeMap<ProductId, Product>,
    /// Products of which nothing is known.
    unknown: BTreeSet<ProductId>,
}

impl Past {
    /// Reads the shop's documents back to a moment, by what its node had signed until then.
    pub(super) fn open(c: &Connection, inner: &Inner, moment: UnixMs) -> Result<Self, StoreError> {
        let (mut products, mut unknown) = (BTreeMap::new(), BTreeSet::new());
        let shop = inner.identity.shop;
        for (bucket, reached) in &chunks::reached(c, shop)? {
            let document = inner.documents.load(c, shop, *bucket, Some(reached))?;
            let heads = chunks::heads_at(c, shop, *bucket, moment)?;
            match heads.and_then(|heads| document.at(&heads)) {
                Some(then) => products.extend(then.products().into_iter().map(|p| (p.id, p))),
                None => unknown.extend(document.products().iter().map(|product| product.id)),
            }
        }
        Ok(Self { moment, products, unknown })
    }

    pub(super) fn moment(&self) -> UnixMs {
        self.moment
    }

    /// A product as it was: `None` where that is not known, `Some(None)` where it was not there.
    pub(super) fn product(&self, id: ProductId) -> Option<Option<&Product>> {
        (!self.unknown.contains(&id)).then(|| self.products.get(&id).filter(|p| !p.delisted))
    }
}
