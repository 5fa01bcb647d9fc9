//! What an outsider can read off a device or a shop: signed bytes, movements, and what `verify`
//! says; the checkers see nothing else.

use std::collections::BTreeSet;

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId, VariantId},
    statement::Party,
};

use crate::node::NodeId;

pub mod read;

/// One order as one side holds it.
#[derive(Debug, Clone)]
pub struct HeldOrder {
    /// Its id.
    pub order: OrderId,
    /// Who buys.
    pub customer: Party,
    /// The chain that counts here, byte for byte.
    pub chain: Vec<Vec<u8>>,
    /// Whether a device still tries to send something of it.
    pub is_waiting: bool,
    /// Whether a restored shop still waits to hear of it from its customer.
    pub is_unheard: bool,
}

/// A household's device.
#[derive(Debug, Clone)]
pub struct DeviceView {
    /// Which box.
    pub node: NodeId,
    /// Its orders, by shop.
    pub orders: Vec<(ShopId, HeldOrder)>,
    /// Statements that their shop refused for good, by its own signature.
    pub refused: BTreeSet<Hash>,
    /// What its own verification found.
    pub faults: Vec<String>,
}

/// One row of a shop's stock ledger.
#[derive(Debug, Clone)]
pub struct Movement {
    /// Of what.
    pub variant: VariantId,
    /// Change of what lies there, in base units.
    pub on_hand: i64,
    /// Change of what is promised, in base units.
    pub reserved: i64,
    /// For which order.
    pub order: Option<(Party, OrderId)>,
    /// Whether it promises or sells, so that there must be enough: a count may find less than was
    /// promised, and releases follow.
    pub promises: bool,
}

/// A shop.
#[derive(Debug, Clone)]
pub struct ShopView {
    /// Which box.
    pub node: NodeId,
    /// The shop.
    pub shop: ShopId,
    /// Its orders; one that is there twice stands here twice.
    pub orders: Vec<HeldOrder>,
    /// Its ledger, oldest first.
    pub movements: Vec<Movement>,
    /// What `verify` found.
    pub faults: Vec<String>,
}
