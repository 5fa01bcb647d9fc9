//! How much mail waits for whom: for operators, who learn addresses, sizes and ages and no more.
//!
//! **Invariant (P4):** an address is a shop's id or the short name of a device's key; whose device
//! that is, the mailbox does not know.

use kirana_core::{mail::Address, time::UnixMs};

use super::{
    Error, Hub,
    policy::{Action, Actor},
};
use crate::store::mail::Queue;

impl Hub {
    /// The queues after an address, in the order of addresses.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn queues(
        &self,
        actor: &Actor,
        after: Option<Address>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Queue>, Error> {
        self.authorise(actor, Action::SeeQueues, "", now).await?;
        Ok(self.store().queues(after, limit).await?)
    }
}

/// An address as people and programs write it: `shop:` or `device:` and the id.
pub fn address_to_text(address: &Address) -> String {
    match address {
        Address::Shop(shop) => format!("shop:{shop}"),
        Address::Device(device) => format!("device:{device}"),
    }
}

/// Reads an address.
pub fn address_from_text(text: &str) -> Option<Address> {
    match text.split_once(':')? {
        ("shop", id) => id.parse().ok().map(Address::Shop),
        ("device", id) => id.parse().ok().map(Address::Device),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kirana_core::{id::ShopId, key::KeyId};

    #[test]
    fn an_address_survives_the_way_through_text() {
        let shop = Address::Shop(ShopId::new(UnixMs::new(1), [1; 10]));
        let device = Address::Device(KeyId::of(&[7; 32]));
        for address in [shop, device] {
            assert_eq!(address_from_text(&address_to_text(&address)), Some(address));
        }
        assert_eq!(address_from_text("shop:7"), None);
        assert_eq!(address_from_text("person:asha"), None);
    }
}
