//! Keeps the personal parts of customers encrypted, each under a key of that customer.
//!
//! **Invariant:** nothing personal is stored readable; erasing a person forgets the key.

use kirana_core::{
    at_rest::{open, seal},
    envelope::{PERSONAL_BYTES_MAX, PersonalPart},
    hash::Hash,
    order::{Order, personal::Personal},
    statement::Party,
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{Inner, Shop, desk::Desk, erased};
use crate::store::people;

impl Desk<'_, '_> {
    /// Remembers a customer, with a fresh key for what is personal; who was forgotten gets none.
    pub(crate) fn remember_customer(&mut self, customer: &Party) -> Result<(), StoreError> {
        let key: [u8; 32] = self.draws.bytes();
        let wrapped = self.shop.keys.wrap(&key, self.draws.bytes());
        let wrapped = (!erased::is_forgotten(self.tx, customer)?).then_some(&*wrapped);
        people::remember(self.tx, customer, wrapped, self.now.at)
    }

    /// Keeps a personal part, unless the customer was erased.
    pub(crate) fn keep_personal_part(
        &mut self,
        customer: &Party,
        hash: Hash,
        part: &PersonalPart,
    ) -> Result<(), StoreError> {
        // Only photos may be longer, and an order's own part is none.
        if part.bytes.len() > PERSONAL_BYTES_MAX {
            return Ok(());
        }
        let Some(wrapped) = people::wrapped_key(self.tx, customer)? else { return Ok(()) };
        let key = self.shop.keys.unwrap(&wrapped);
        let key = key.ok_or_else(|| StoreError::damaged("the key of customer", customer))?;
        let sealed = seal(&key, self.draws.bytes(), &[], &part.bytes);
        people::put_part(self.tx, hash, customer, &sealed)
    }
}

impl Shop {
    /// Who an order is for and where it goes; `None` when that never came, was erased, or is not
    /// what a household writes.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn person(&self, order: &Order) -> Result<Option<Personal>, StoreError> {
        let Some(hash) = order.placed.personal else { return Ok(None) };
        let Some(bytes) = self.personal_part(&order.customer, hash)? else { return Ok(None) };
        let read = Personal::read(&bytes);
        if let Err(why) = &read {
            tracing::warn!(order.id = %order.id, %why, "who this order is for cannot be read");
        }
        Ok(read.ok())
    }

    /// The personal part of an order's customer, readable; `None` when it never came or was erased.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn personal_part(
        &self,
        customer: &Party,
        hash: Hash,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader().read(|c| self.inner.personal_part(c, customer, hash))
    }
}

impl Inner {
    /// [`Shop::personal_part`], in whatever state of the database it is asked.
    pub(crate) fn personal_part(
        &self,
        c: &Connection,
        customer: &Party,
        hash: Hash,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (Some(wrapped), Some(sealed)) =
            (people::wrapped_key(c, customer)?, people::part(c, hash)?)
        else {
            return Ok(None);
        };
        opened(self, customer, &wrapped, &sealed).map(Some)
    }
}

fn opened(
    shop: &Inner,
    customer: &Party,
    wrapped: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::damaged("the personal part of", customer);
    let key = shop.keys.unwrap(wrapped).ok_or_else(damaged)?;
    open(&key, &[], sealed).map(|plain| plain.to_vec()).ok_or_else(damaged)
}
