//! Who is who in a seed: the root, the hubs, the shops with their owners, the households.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    certificate::{Certificate, Holder, HubRole, Serial, Standing},
    id::{AccountId, LocationId, ShopId},
    key::{KeyId, KeyPair, PublicKey, SealingPublic, SigningKey},
    money::Price,
    roster::{HubEntry, Roster},
    time::UnixMs,
};
use kirana_shop::app::Keys;
use minicbor::bytes::ByteVec;

use crate::{dice::Dice, goods::Good, node::NodeId, plan::Scale};

/// A shop as the town knows it.
pub struct ShopSeat {
    /// Its name for ever.
    pub shop: ShopId,
    /// From where it sells.
    pub location: LocationId,
    /// The secrets of its box now, and the owner's.
    pub keys: Keys,
    /// What it sells.
    pub goods: Vec<Good>,
    /// Yesterday's copy of its database.
    pub backup: Option<Vec<u8>>,
}

/// A device of a household or guest.
pub struct DeviceSeat {
    /// Its keys.
    pub keys: KeyPair,
    /// Whose it is; `None` for a guest.
    pub account: Option<AccountId>,
    /// Its certificates by the hub, leaf first; none for a guest.
    pub chain: Vec<ByteVec>,
    /// Whether it is ever in the same Wi-Fi as its shops.
    pub is_near: bool,
    /// Whether it has the internet.
    pub is_online: bool,
    /// Where it shops.
    pub shops: Vec<NodeId>,
    /// The prices that it saw last.
    pub seen: BTreeMap<kirana_core::id::VariantId, Price>,
    /// Whether somebody stole it.
    pub is_stolen: bool,
}

/// Everybody.
pub struct Town {
    /// The offline key that signs the roster.
    pub root: SigningKey,
    /// The signed roster of hubs.
    pub roster: Vec<u8>,
    /// The keys of the hubs' sealed columns, by number.
    pub hub_secrets: Vec<[u8; 32]>,
    /// The central hub's key.
    pub central: SigningKey,
    /// By number.
    pub shops: Vec<ShopSeat>,
    /// By node.
    pub devices: BTreeMap<NodeId, DeviceSeat>,
    /// What the hub has revoked.
    pub revoked: BTreeSet<Serial>,
    /// Every key that a box of a shop ever had.
    pub boxes: BTreeMap<KeyId, PublicKey>,
}

impl Town {
    /// The town of these hubs, the central one first; nobody lives there yet.
    pub fn of_hubs(hubs: &[KeyPair], now: UnixMs, dice: &mut Dice) -> Self {
        let root = SigningKey::from_seed(dice.bytes());
        let entries = hubs.iter().enumerate().map(|(n, keys)| HubEntry {
            key: keys.signing.public(),
            sealing: keys.sealing.public(),
            role: if n == 0 { HubRole::Central } else { HubRole::Community },
            url: None,
            p2p: Vec::new(),
        });
        let roster = Roster { number: 1, issued: now, hubs: entries.collect() };
        let roster = roster.sign(&root).bytes().to_vec();
        let central = hubs[0].signing.clone();
        let revoked = BTreeSet::new();
        let (devices, boxes) = (BTreeMap::new(), BTreeMap::new());
        let (shops, hub_secrets) = (Vec::new(), Vec::new());
        Self { root, roster, central, hub_secrets, shops, devices, revoked, boxes }
    }

    /// The hub's certificate for a shop's owner.
    pub fn vouch(&self, shop: ShopId, owner: PublicKey, now: UnixMs, dice: &mut Dice) -> ByteVec {
        let sealing = SealingPublic::from_bytes(dice.bytes());
        let holder = Holder { key: owner, sealing, standing: Standing::Shop { shop } };
        certify(&self.central, &holder, now, dice)
    }

    /// People move in.
    pub fn settle(&mut self, scale: Scale, now: UnixMs, dice: &mut Dice) {
        for n in 0..scale.devices {
            let shops = chosen_shops(scale, dice);
            let seat = device(n, &self.central, shops, now, dice);
            self.devices.insert(NodeId::Device(n), seat);
        }
    }
}

/// Two or three shops, so that several households want the same goods.
fn chosen_shops(scale: Scale, dice: &mut Dice) -> Vec<NodeId> {
    let count = dice.between(2, 3).min(scale.shops.into());
    let first = dice.below(scale.shops.into());
    let shops = (0..count).map(|n| (first + n) % u64::from(scale.shops));
    shops.map(|n| NodeId::Shop(u16::try_from(n).unwrap_or_default())).collect()
}

fn device(
    number: u16,
    central: &SigningKey,
    shops: Vec<NodeId>,
    now: UnixMs,
    dice: &mut Dice,
) -> DeviceSeat {
    let keys = KeyPair::from_seed(dice.bytes());
    // One in five is a guest, who uses no relay.
    let (is_near, is_online) = match number % 5 {
        0 => (true, true),
        1 => (false, true),
        2 => (dice.permille(500), true),
        3 => (true, dice.permille(500)),
        _ => (true, false),
    };
    let account = (number % 5 != 4).then(|| AccountId::new(now, dice.bytes()));
    let chain = account.map(|account| {
        let standing = Standing::Device { account, hosted: false };
        let (key, sealing) = (keys.signing.public(), keys.sealing.public());
        certify(central, &Holder { key, sealing, standing }, now, dice)
    });
    let chain = chain.into_iter().collect();
    let (seen, is_stolen) = (BTreeMap::new(), false);
    DeviceSeat { keys, account, chain, is_near, is_online, shops, seen, is_stolen }
}

fn certify(issuer: &SigningKey, holder: &Holder, now: UnixMs, dice: &mut Dice) -> ByteVec {
    Certificate::issue(issuer, holder, now, dice.source()).bytes().to_vec().into()
}
