//! Which shops close down: each says so itself, in the record that its box signs.
//!
//! **Invariant:** the hub decides nothing here; a shop that says that it opens again is open again.

use std::collections::BTreeMap;

use kirana_core::id::ShopId;
use kirana_migrations::StoreError;

use crate::{app::Hub, store::shop::Shop};

impl Hub {
    /// Notes on shops since when they close down, where they do.
    pub(super) async fn note_closing(
        &self,
        shops: impl Iterator<Item = &mut Shop>,
    ) -> Result<(), StoreError> {
        let mut shops: BTreeMap<ShopId, &mut Shop> = shops.map(|shop| (shop.id, shop)).collect();
        let closing = self.store().closing_since(shops.keys().copied().collect()).await?;
        for (id, shop) in &mut shops {
            shop.closing_since = closing.get(id).copied();
        }
        Ok(())
    }
}
