//! Lists the migrations of each program in the order in which they are applied.
//!
//! **Invariant:** a migration that was released never changes; a new one is added at the end.

use rusqlite::Transaction;
use rusqlite_migration::{HookError, HookResult, M, Migrations};

use crate::{
    StoreError,
    catalogue::{categories, projection},
};

/// Whose data a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// One shop's node.
    Shop,
    /// One household's device.
    Customer,
    /// A hub, central or community.
    Hub,
    /// The catalogues that a hub gathered: all of it can be had again.
    Shelves,
}

/// To add one: put `migrations/<program>/NNN_name.sql` beside the others and name it here, last:
/// databases out there have had the first ones of each list, in this order.
fn shop() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("../shop/001_node.sql")),
        M::up(include_str!("../shop/002_orders.sql")),
        M::up(include_str!("../shared/catalogue.sql")),
        M::up(include_str!("../shop/003_imports.sql")),
        M::up(include_str!("../shop/004_offers_by_product.sql")),
        M::up(include_str!("../shop/005_damage.sql")),
        M::up(include_str!("../shop/006_staff.sql")),
        M::up(include_str!("../shop/007_terms.sql")),
        M::up_with_hook(include_str!("../shared/search.sql"), index),
        M::up(include_str!("../shop/008_imports.sql")),
        M::up(include_str!("../shop/009_batches.sql")),
        M::up(include_str!("../shop/010_reorder.sql")),
        M::up(include_str!("../shop/011_purchases.sql")),
        M::up(include_str!("../shop/012_counts.sql")),
        M::up(include_str!("../shop/013_images.sql")),
        M::up(include_str!("../shop/015_feeds.sql")),
        M::up(include_str!("../shop/016_lookups.sql")),
        M::up(include_str!("../shop/017_epochs.sql")),
        M::up(include_str!("../shared/signed.sql")),
        M::up_with_hook(include_str!("../shared/categories.sql"), shelve),
        M::up_with_hook(include_str!("../shared/product_image.sql"), images),
        M::up(include_str!("../shop/018_questions.sql")),
        M::up(include_str!("../shop/019_till.sql")),
        M::up(include_str!("../shop/020_invoices.sql")),
        M::up_with_hook(include_str!("../shop/022_slots.sql"), ages),
        M::up(include_str!("../shop/023_bank.sql")),
        M::up(include_str!("../shop/024_hand_ins.sql")),
        M::up(include_str!("../shop/025_callers.sql")),
        M::up(include_str!("../shop/021_khata.sql")),
        M::up(include_str!("../shop/030_margins.sql")),
        M::up(include_str!("../shop/031_suppliers.sql")),
        M::up(include_str!("../shared/turning_prices.sql")),
        M::up(include_str!("../shop/027_second_khata.sql")),
        M::up(include_str!("../shop/028_wrong_codes.sql")),
        M::up(include_str!("../shop/026_cards.sql")),
        M::up(include_str!("../shop/029_shelf_stock.sql")),
    ]
}

fn customer() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("../customer/001_household.sql")),
        M::up(include_str!("../shared/catalogue.sql")),
        M::up(include_str!("../customer/002_unconfirmed.sql")),
        M::up(include_str!("../shared/availability.sql")),
        M::up(include_str!("../customer/004_sealed.sql")),
        M::up_with_hook(include_str!("../shared/search.sql"), index),
        M::up(include_str!("../shared/signed.sql")),
        M::up_with_hook(include_str!("../shared/categories.sql"), shelve),
        M::up_with_hook(include_str!("../shared/product_image.sql"), images),
        M::up(include_str!("../shared/kept_pictures.sql")),
        M::up(include_str!("../customer/006_messages.sql")),
        M::up(include_str!("../customer/007_once.sql")),
        M::up(include_str!("../shared/terms.sql")),
        M::up(include_str!("../customer/008_khata.sql")),
        M::up(include_str!("../shared/turning_prices.sql")),
    ]
}

fn hub() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("../hub/001_hub.sql")),
        M::up(include_str!("../hub/002_forwarding.sql")),
        M::up(include_str!("../hub/003_oauth_clients.sql")),
        M::up(include_str!("../hub/004_factors.sql")),
        M::up(include_str!("../hub/005_accounts.sql")),
        M::up(include_str!("../hub/006_recovery.sql")),
        M::up(include_str!("../hub/007_shops.sql")),
        M::up(include_str!("../hub/008_console.sql")),
        M::up(include_str!("../hub/009_photos.sql")),
        M::up(include_str!("../hub/010_device_sessions.sql")),
        M::up(include_str!("../hub/011_hosted.sql")),
        M::up(include_str!("../hub/013_notices.sql")),
    ]
}

fn shelves() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("../shared/catalogue.sql")),
        M::up(include_str!("../shared/availability.sql")),
        M::up_with_hook(include_str!("../shared/search.sql"), index),
        M::up(include_str!("../shelves/001_gathered.sql")),
        M::up(include_str!("../shared/signed.sql")),
        M::up_with_hook(include_str!("../shared/categories.sql"), shelve),
        M::up_with_hook(include_str!("../shared/product_image.sql"), images),
        M::up(include_str!("../shared/kept_pictures.sql")),
        M::up(include_str!("../shared/terms.sql")),
        M::up(include_str!("../shared/turning_prices.sql")),
    ]
}

/// Puts the products that an older version had stored on their shelves.
fn shelve(tx: &Transaction<'_>) -> HookResult {
    hooked(categories::shelve_all(tx))
}

/// Indexes the products that an older version had stored.
fn index(tx: &Transaction<'_>) -> HookResult {
    hooked(projection::refresh(tx))
}

/// Notes the pictures of the products that an older version had stored.
fn images(tx: &Transaction<'_>) -> HookResult {
    hooked(projection::refresh_images(tx))
}

/// Notes from which age on the products that an older version had stored are sold.
fn ages(tx: &Transaction<'_>) -> HookResult {
    hooked(projection::refresh_ages(tx))
}

fn hooked(done: Result<(), StoreError>) -> HookResult {
    done.map_err(|error| match error {
        StoreError::Sqlite(error) => HookError::RusqliteError(error),
        damaged => HookError::Hook(damaged.to_string()),
    })
}

impl Schema {
    /// Every schema.
    pub const ALL: [Self; 4] = [Self::Shop, Self::Customer, Self::Hub, Self::Shelves];

    /// What a person calls such a database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Customer => "household",
            Self::Hub => "hub",
            Self::Shelves => "gathered catalogues",
        }
    }

    /// The number in the file's header that tells kirana's databases from others and from each other.
    pub fn application_id(self) -> i32 {
        match self {
            Self::Shop => i32::from_be_bytes(*b"krSh"),
            Self::Customer => i32::from_be_bytes(*b"krCu"),
            Self::Hub => i32::from_be_bytes(*b"krHu"),
            Self::Shelves => i32::from_be_bytes(*b"krSv"),
        }
    }

    /// How many migrations this program knows.
    pub fn version(self) -> usize {
        self.list().len()
    }

    pub(crate) fn migrations(self) -> Migrations<'static> {
        Migrations::new(self.list())
    }

    fn list(self) -> Vec<M<'static>> {
        match self {
            Self::Shop => shop(),
            Self::Customer => customer(),
            Self::Hub => hub(),
            Self::Shelves => shelves(),
        }
    }
}
