//! Customers' devices that this shop knows: what a hub alone says of a further one is asked about.
//!
//! **Invariant (P6):** a device that only a hub adds to an account which is known here by another
//! device gets nothing decided before a person in the shop has accepted an order of it.

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    id::AccountId,
    key::KeyId,
    known_time::KnownNow,
    mail::Mail,
    order::HEADS_MAX,
    stamp::{self, Stamped},
    statement::Party,
    time::UnixMs,
    trust::{CHAIN_MAX, Certified, Distrust, Honour, Trust, Vouched},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{
    Shop, Undeliverable,
    desk::Desk,
    staff::{NotStaffed, may_staff},
};
use crate::store::{
    known,
    orders::{self, OrderRow},
    outgoing, pins,
    settings::{self, Setting},
};

/// [`Trust::check`] with the devices of that one account that are known here.
pub(crate) fn check(
    c: &Connection,
    trust: &Trust,
    chain: &[Vec<u8>],
    now: KnownNow,
) -> Result<Certified, Undeliverable> {
    let refused = match trust.check(chain, now) {
        Ok(certified) => return Ok(certified),
        Err(refused) => refused,
    };
    let leaf = chain.first().and_then(|leaf| UnverifiedCertificate::parse(leaf).ok());
    let Some(Standing::Device { account, .. }) = leaf.map(|leaf| leaf.claimed().standing.clone())
    else {
        return Err(refused.into());
    };
    let pins = pins::of(c, account)?;
    match trust.check_knowing(&pins, chain, now) {
        // The shop may have met the countersigner itself.
        Err(Distrust::NoCountersigner { issuer }) => {
            let above = known::chain(c, issuer)?.unwrap_or_default();
            let mut whole = chain[..1].to_vec();
            whole.extend(above.into_iter().take(CHAIN_MAX - 1));
            Ok(trust.check_knowing(&pins, &whole, now)?)
        }
        checked => Ok(checked?),
    }
}

impl Shop {
    /// Checks certificates that somebody shows, leaf first.
    pub(crate) fn check_chain(
        &self,
        chain: &[Vec<u8>],
        now: UnixMs,
    ) -> Result<Certified, Undeliverable> {
        let (trust, known) = (self.trust()?, self.known_now(now)?);
        self.reader().read(|c| check(c, &trust, chain, known))
    }
}

impl Shop {
    /// Checks who stamped a piece of mail, with the devices of that account that are known here.
    pub(crate) fn stamped(
        &self,
        mail: &Mail,
        trust: &Trust,
        now: UnixMs,
    ) -> Result<Stamped, Undeliverable> {
        let known = self.known_now(now)?;
        let refused = match stamp::check(mail, trust, known) {
            Ok(stamped) => return Ok(stamped),
            Err(refused) => refused,
        };
        let leaf =
            mail.certificates.first().and_then(|leaf| UnverifiedCertificate::parse(leaf).ok());
        let Some(Standing::Device { account, .. }) = leaf.map(|l| l.claimed().standing.clone())
        else {
            return Err(refused.into());
        };
        let mut knowing = trust.clone();
        let keys = self.reader().read(|c| pins::keys_of(c, account))?;
        keys.into_iter().for_each(|key| knowing.pin_device(account, key));
        Ok(stamp::check(mail, &knowing, known)?)
    }

    /// For how long expired certificates of people that the shop knows go on counting.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn honours_expired(&self) -> Result<Honour, StoreError> {
        self.reader().read(super::founding::honoured)
    }

    /// Chooses for how long they go on counting; that counts at once.
    ///
    /// # Errors
    /// [`NotStaffed`] when this box changes nothing any more, or nothing can be stored.
    pub fn honour_expired(&self, chosen: Honour) -> Result<(), NotStaffed> {
        let stored = self.writer().write(move |tx| -> Result<(), Abort<NotStaffed>> {
            may_staff(tx)?;
            settings::put(tx, Setting::HonourExpired, &chosen.to_string())?;
            Ok(super::trust_changed(tx)?)
        });
        Ok(stored?)
    }
}

impl Desk<'_, '_> {
    /// Takes note of the device that placed an order.
    pub(crate) fn meet(&self, device: &Certified) -> Result<(), StoreError> {
        let Standing::Device { account, hosted } = device.certificate().standing else {
            return Ok(());
        };
        let (key, id) = (device.key(), device.key().id());
        if pins::is_known(self.tx, id)? == Some(true) {
            return Ok(());
        }
        let by_hub_alone = matches!(device.vouched(), Vouched::Hub(_));
        let asks = by_hub_alone && pins::knows_other(self.tx, account, id)?;
        // Whose key a hub keeps trusts the hub: such a device speaks for no other.
        if asks || !hosted {
            pins::put(self.tx, account, key, !asks, self.now.at)?;
        }
        if asks || hosted { Ok(()) } else { self.hand_on_open_orders(account, id) }
    }

    /// Takes note of a device that another one of its account countersigned, before it orders.
    pub(crate) fn meet_countersigned(&self, device: &Certified) -> Result<(), StoreError> {
        match device.vouched() {
            Vouched::Countersigned(_) => self.meet(device),
            _ => Ok(()),
        }
    }

    /// Whether only a hub says that a device is its account's, where the shop knows the account by
    /// another one: such a device hears and signs nothing of what that one has.
    pub(crate) fn is_doubted(&self, device: &Certified) -> Result<bool, StoreError> {
        let Standing::Device { account, .. } = device.certificate().standing else {
            return Ok(false);
        };
        let id = device.key().id();
        match pins::is_known(self.tx, id)? {
            Some(known) => Ok(!known),
            None => Ok(matches!(device.vouched(), Vouched::Hub(_))
                && pins::knows_other(self.tx, account, id)?),
        }
    }

    /// A device that has just become known hears of what others of its account have ordered: they
    /// may be lost.
    fn hand_on_open_orders(&self, account: AccountId, device: KeyId) -> Result<(), StoreError> {
        let open = orders::open_of(self.tx, &Party::Account(account), HEADS_MAX as u32)?;
        for row in open.iter().filter(|row| row.device.id() != device) {
            outgoing::waits_again(self.tx, device, row.n)?;
        }
        self.hand_on_khata(&Party::Account(account), device)
    }

    /// Whether a person has to be asked about the device that placed an order.
    pub(crate) fn is_asked_about(&self, row: &OrderRow) -> Result<bool, StoreError> {
        Ok(pins::is_known(self.tx, row.device.id())? == Some(false))
    }

    /// A person has accepted an order: its device is the customer's.
    pub(crate) fn know_device_of(&self, row: &OrderRow) -> Result<(), StoreError> {
        match (row.customer, pins::is_known(self.tx, row.device.id())?) {
            (Party::Account(account), Some(false)) => {
                pins::put(self.tx, account, &row.device, true, self.now.at)?;
                self.hand_on_open_orders(account, row.device.id())
            }
            _ => Ok(()),
        }
    }
}
