//! Orders carried as files: the same sealed mail that relays carry, on a stick or in a message.

use kirana_core::{
    cbor,
    id::OrderId,
    mail::{Mail, SEALED_BYTES_MAX},
    time::UnixMs,
};
use rand_core::CryptoRng;

use super::{Household, HouseholdError, receive::Received, write};
use crate::store::journal::{self, Route};

/// The longest file that is read, in bytes: the longest sealed mail, with its stamp and its
/// sender's certificates.
pub const FILE_BYTES_MAX: usize = SEALED_BYTES_MAX + 8 * 1024;

impl Household {
    /// The file that carries an order to its shop: the first entry while the shop has not answered
    /// it, else the whole chain as it stands here.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when stored data cannot be read.
    pub fn export(
        &self,
        order: OrderId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, HouseholdError> {
        let first = self.order_chain(order)?.first().hash();
        let mail = match self.mail_for(first, rng)? {
            Some(mail) => mail,
            None => self.chain_mail(order, now, rng)?.ok_or(HouseholdError::UnknownOrder)?,
        };
        Ok(cbor::to_vec(&mail))
    }

    /// Takes in a file that a shop made for this device.
    ///
    /// # Errors
    /// As [`Household::receive`].
    pub fn receive_file(&self, file: &[u8], now: UnixMs) -> Result<Received, HouseholdError> {
        let mail: Mail = cbor::from_slice("a file with an order", file, FILE_BYTES_MAX)?;
        if mail.to != self.address() {
            return Err(HouseholdError::ForSomebodyElse);
        }
        let received = self.receive(&mail, now)?;
        let changed = received.changed.clone();
        write(&self.db, move |tx| {
            for order in &changed {
                // Only the first way that brought an acknowledgement is noted.
                journal::acknowledged(tx, *order, Route::File, now)?;
            }
            Ok(())
        })?;
        Ok(received)
    }
}
