//! Khata, a shop's credit book for one customer: what was taken on credit, what was paid, what is owed.
//!
//! A book is a chain of entries like an order's: the shop's node alone writes it, both sides hold the
//! same bytes, and the customer countersigns how far it is right. Whoever has no device has a book too;
//! its entries are addressed to the shop itself until a device is linked.
//!
//! **Invariant:** each entry states the balance and the limit after it, and the fold of all entries
//! comes to the same; a charge never takes the balance past the limit unless the entry says that the
//! owner wanted it so.
//!
//! ```
//! use kirana_core::{
//!     id::{AccountId, KhataId, ShopId}, key::SigningKey, khata::{act::{Act, Charged, Opened}, chain::{Khata, Tip}},
//!     money::{Currency, Money}, order::chain::Author, statement::Party, time::UnixMs,
//! };
//! # let (node, now) = (SigningKey::from_seed([2; 32]), UnixMs::new(1_000));
//! # let meena = Party::Account(AccountId::new(now, [1; 10]));
//! # let (shop, id) = (ShopId::new(now, [2; 10]), KhataId::new(now, [3; 10]));
//! let rupees = |whole: i64| Money::new(whole * 100, Currency::INR);
//! let opened = Opened { opening: rupees(120), limit: rupees(500), personal: None };
//! let first = Tip::begin(id, shop, Some(meena), 1, now, opened, &node)?;
//! let mut khata = Khata::begin(first, Author::node(shop, 1))?;
//! let milk = Act::Charged(Charged::by_hand(rupees(60)));
//! khata.append(1, now, &milk, &node)?;
//! assert_eq!(khata.book().balance, rupees(180));
//! let feast = Act::Charged(Charged::by_hand(rupees(400)));
//! assert!(khata.append(1, now, &feast, &node).is_err(), "it would pass the limit");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod act;
pub mod book;
pub mod chain;
pub mod dues;
mod exposure;
pub mod merge;

use crate::id::{KhataId, OrderId};

pub use exposure::{exposure, exposure_if, most_of};

/// The most entries of one book: a dozen a day for ten years.
pub const ENTRIES_MAX: usize = 50_000;
/// How many of them are kept for payments, for what is given up and for the end.
pub const ENTRIES_RESERVED: usize = 100;
/// The largest sum of one entry or limit, in minor units: ten thousand million rupees.
pub const MINOR_MAX: i64 = 1_000_000_000_000;
/// Entries that travel together: a piece of mail for each page.
pub const PAGE_ENTRIES: u32 = 32;
/// The numbers of kinds that belong to books, also those of later versions.
pub const KINDS: std::ops::RangeInclusive<u16> = 70..=99;

impl KhataId {
    /// The id as statements carry it: in the place of an order's, which no order has.
    pub fn as_order(self) -> OrderId {
        OrderId::from_slice(self.as_bytes()).expect("an id has sixteen bytes")
    }

    /// The book that a statement is about, where its kind says that it is about one.
    pub fn from_order(order: OrderId) -> Self {
        Self::from_slice(order.as_bytes()).expect("an id has sixteen bytes")
    }
}
