//! Orders of the account's other devices: a new phone goes on with what a lost one ordered.
//!
//! **Invariant (P6):** an order of another device is taken in only from its shop, which has signed
//! on it, and only where a hub certified that device, or a certified one another, for this account.

use kirana_core::{
    certificate::{Certificate, Standing, UnverifiedCertificate},
    id::{AccountId, OrderId},
    key::{KeyId, PublicKey},
    order::{chain::Chain, merge},
    trust::Trust,
};
use kirana_migrations::{StoreError, Tx};
use minicbor::bytes::ByteVec;

use super::receive::{Brought, path_of};
use crate::store::{
    orders::{self, StoredOrder},
    shops, siblings,
};

/// Who is believed about devices of the account.
pub(super) struct Believed<'a> {
    pub(super) account: AccountId,
    /// Hubs of the roster.
    pub(super) trust: &'a Trust,
    /// This device's own certificates, leaf first: it may have been let in without any hub.
    pub(super) own: &'a [ByteVec],
}

impl Believed<'_> {
    /// The key of another device of the account, by the certificates that came along. That one of
    /// them was withdrawn or has ended since is no matter: the shop has signed on what the device
    /// signed.
    pub(super) fn certified(&self, signer: KeyId, certificates: &[ByteVec]) -> Option<PublicKey> {
        let (trust, let_in_by) = (self.trust.before_revocations(), self.let_in_by());
        let mut above: Option<PublicKey> = None;
        for bytes in path_of(certificates, signer).iter().rev() {
            let link = UnverifiedCertificate::parse(bytes).ok()?;
            let claimed = link.claimed().clone();
            if !self.is_of_account(&claimed) {
                above = None;
                continue;
            }
            let known = |id| let_in_by.iter().chain(&above).find(|key| key.id() == id).copied();
            above = match (known(claimed.key.id()), known(claimed.issuer)) {
                (Some(key), _) => Some(key),
                (None, Some(issuer)) => link.verify(&issuer).ok().map(|_| claimed.key),
                (None, None) => {
                    let checked = trust.check(std::slice::from_ref(bytes), claimed.not_before);
                    checked.ok().map(|holder| *holder.key())
                }
            };
        }
        above.filter(|key| key.id() == signer)
    }

    /// This device, the one that let it in, the one that let that one in, and so on.
    fn let_in_by(&self) -> Vec<PublicKey> {
        let links = self.own.iter().map(|bytes| UnverifiedCertificate::parse(bytes));
        let Ok(links) = links.collect::<Result<Vec<_>, _>>() else { return Vec::new() };
        let mut keys: Vec<PublicKey> =
            links.first().map(|link| link.claimed().key).into_iter().collect();
        for pair in links.windows(2) {
            let above = pair[1].claimed();
            if !self.is_of_account(above) || pair[0].clone().verify(&above.key).is_err() {
                break;
            }
            keys.push(above.key);
        }
        keys
    }

    fn is_of_account(&self, claimed: &Certificate) -> bool {
        matches!(claimed.standing, Standing::Device { account, .. } if account == self.account)
    }
}

/// Makes room for an order that another device of the account placed; whether it is one.
pub(super) fn take_over(tx: &Tx<'_>, id: OrderId, brought: &Brought) -> Result<bool, StoreError> {
    let (Some(first), Some(device)) = (&brought.first, &brought.sibling) else { return Ok(false) };
    let Ok(begun) = Chain::begin(first.entry.clone(), first.author) else { return Ok(false) };
    let chain = merge::merge(&begun, brought.entries.clone()).chain;
    let order = chain.order();
    // Without the shop's word anybody who has the key of a lost device could go on ordering.
    if chain.intake().is_none() || shops::get(tx, order.shop)?.is_none() {
        return Ok(false);
    }
    siblings::put(tx, device)?;
    let (placed_at, open) = (order.placed_at, order.is_open());
    orders::add(tx, &StoredOrder { id, shop: order.shop, placed_at, open }, None)?;
    Ok(true)
}
