//! Makes up who is who in a seed: the root, the hubs, the shops with their owners, the households.

use std::collections::BTreeMap;

use kirana_core::{
    certificate::{Certificate, Holder, HubRole, Standing},
    id::{AccountId, ShopId},
    key::{KeyPair, SigningKey},
    roster::{HubEntry, Roster},
    time::UnixMs,
};

use crate::{dice::Dice, node::NodeId, plan::Scale};

/// A hub as the town knows it.
pub struct HubSeat {
    /// Its keys.
    pub keys: KeyPair,
    /// What it may do.
    pub role: HubRole,
    /// Its certificate, by the root.
    pub chain: Vec<Vec<u8>>,
}

/// A shop as the town knows it.
pub struct ShopSeat {
    /// Its name for ever.
    pub shop: ShopId,
    /// The owner's key, which makes its boxes and staff.
    pub owner: SigningKey,
    /// The owner's certificate by the central hub.
    pub vouched: Vec<u8>,
}

/// A device of a household or guest.
pub struct DeviceSeat {
    /// Its keys.
    pub keys: KeyPair,
    /// Whose it is; `None` for a guest.
    pub account: Option<AccountId>,
    /// Its certificates, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// Whether it is ever in the same Wi-Fi as the shops.
    pub is_near: bool,
    /// Whether it has the internet.
    pub is_online: bool,
}

/// Everybody.
pub struct Town {
    /// The offline key that signs the roster.
    pub root: SigningKey,
    /// The signed roster of hubs.
    pub roster: Vec<u8>,
    /// By number.
    pub hubs: Vec<HubSeat>,
    /// By number.
    pub shops: Vec<ShopSeat>,
    /// By number.
    pub devices: BTreeMap<NodeId, DeviceSeat>,
}

impl Town {
    /// Everybody of a seed, certified at `now`.
    pub fn found(scale: Scale, now: UnixMs, dice: &mut Dice) -> Self {
        let root = SigningKey::from_seed(dice.bytes());
        let hubs: Vec<_> = (0..scale.hubs).map(|n| hub(n, &root, now, dice)).collect();
        let entries = hubs.iter().map(|hub| HubEntry {
            key: hub.keys.signing.public(),
            sealing: hub.keys.sealing.public(),
            role: hub.role,
            url: None,
            p2p: Vec::new(),
        });
        let roster = Roster { number: 1, issued: now, hubs: entries.collect() };
        let roster = roster.sign(&root).bytes().to_vec();
        let shops = (0..scale.shops).map(|_| shop(&hubs[0], now, dice)).collect();
        let devices = (0..scale.devices).map(|n| (NodeId::Device(n), device(n, &hubs[0], now, dice)));
        let devices = devices.collect();
        Self { root, roster, hubs, shops, devices }
    }
}

fn hub(number: u16, root: &SigningKey, now: UnixMs, dice: &mut Dice) -> HubSeat {
    let keys = KeyPair::from_seed(dice.bytes());
    let role = if number == 0 { HubRole::Central } else { HubRole::Community };
    let certificate = certify(root, &keys, Standing::Hub { role }, now, dice);
    HubSeat { keys, role, chain: vec![certificate] }
}

fn shop(hub: &HubSeat, now: UnixMs, dice: &mut Dice) -> ShopSeat {
    let shop = ShopId::new(now, dice.bytes());
    let owner = KeyPair::from_seed(dice.bytes());
    let vouched = certify(&hub.keys.signing, &owner, Standing::Shop { shop }, now, dice);
    ShopSeat { shop, owner: owner.signing, vouched }
}

fn device(number: u16, hub: &HubSeat, now: UnixMs, dice: &mut Dice) -> DeviceSeat {
    let keys = KeyPair::from_seed(dice.bytes());
    // One in five is a guest, who uses no relay.
    let is_guest = number % 5 == 4;
    if is_guest {
        let certificate = certify(&keys.signing, &keys, Standing::Guest, now, dice);
        let chain = vec![certificate];
        return DeviceSeat { keys, account: None, chain, is_near: true, is_online: false };
    }
    let account = AccountId::new(now, dice.bytes());
    let standing = Standing::Device { account, hosted: false };
    let chain = vec![certify(&hub.keys.signing, &keys, standing, now, dice)];
    let (is_near, is_online) = match number % 5 {
        0 => (true, true),
        1 => (false, true),
        2 => (dice.permille(500), true),
        _ => (true, dice.permille(500)),
    };
    DeviceSeat { keys, account: Some(account), chain, is_near, is_online }
}

fn certify(
    issuer: &SigningKey,
    keys: &KeyPair,
    standing: Standing,
    now: UnixMs,
    dice: &mut Dice,
) -> Vec<u8> {
    let holder =
        Holder { key: keys.signing.public(), sealing: keys.sealing.public(), standing };
    Certificate::issue(issuer, &holder, now, dice.source()).bytes().to_vec()
}
