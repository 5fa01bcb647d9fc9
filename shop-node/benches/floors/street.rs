//! A shop with goods on its shelves, and guests who have signed their orders beforehand.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use kirana_core::{
    certificate::Certificate,
    envelope::Parcel,
    id::{OrderId, VariantId},
    key::KeyPair,
    money::Currency,
    order::placed::{Handover, Method, Placed, WantedLine},
    quantity::{Quantity, Unit},
    statement::Party,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError, backup};
use kirana_shop::{
    app::{Founding, Keys, Shop, place::OPEN_ORDERS_OF_GUEST_MAX},
    clock,
    home::{DATABASE, Home, KEYS},
    store::{
        known,
        offers::{self, Shelf},
    },
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::Rng;

/// Different goods that are ordered.
const GOODS_MAX: usize = 500;
/// Lines of an order.
const LINES: usize = 3;

/// The shop before anybody ordered; every measurement begins with a copy of it.
pub struct Street {
    /// The shop's folder.
    pub folder: PathBuf,
    /// The shop's secrets.
    pub keys: Keys,
    /// Who orders, and what.
    pub guests: Vec<Guest>,
}

/// Somebody who orders without an account.
pub struct Guest {
    /// The device's keys.
    pub keys: KeyPair,
    /// The certificate that the device gave itself.
    pub certificate: Vec<u8>,
    /// Signed orders, no more than one guest may have open.
    pub orders: Vec<Vec<u8>>,
}

/// An order and the signature of its customer that the floors check.
pub struct Signed<'s> {
    /// Who ordered.
    pub guest: &'s Guest,
    /// The order as it is sent.
    pub order: &'s [u8],
    /// A signature over these bytes.
    pub signature: [u8; 64],
}

impl Street {
    /// Founds the shop, has somebody fill its shelves, and has the guests sign.
    pub fn set_up(
        folder: &Path,
        guests: usize,
        fill: impl FnOnce(&Home, &Shop) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let now = clock::now();
        let (home, keys) = (Home::at(folder, None), Keys::draw(&mut rng));
        let database = home.database()?;
        home.keep_keys(&keys, &mut rng)?;
        let founding =
            Founding { name: "Corner".into(), currency: rupees()?, place: None, hub: None };
        let shop = Shop::found(database, keys.clone(), founding, now, &mut rng)?;
        fill(&home, &shop)?;
        let goods = goods(&shop)?;
        let guests = (0..guests).map(|_| Guest::new(&shop, &goods, now, &mut rng));
        let guests = guests.collect::<anyhow::Result<Vec<_>>>()?;
        meet(&shop, &guests, now)?;
        Ok(Self { folder: folder.to_owned(), keys, guests })
    }

    /// A fresh copy of the shop before anybody ordered.
    pub fn copy_to(&self, folder: &Path) -> anyhow::Result<Home> {
        copy_shop(&self.folder, folder)
    }

    /// The first orders, one of each guest in turn, as they come in at a busy hour.
    pub fn orders(&self) -> impl Iterator<Item = Signed<'_>> {
        let turns = 0..OPEN_ORDERS_OF_GUEST_MAX as usize;
        turns.flat_map(|turn| {
            self.guests.iter().filter_map(move |guest| {
                let order = guest.orders.get(turn)?;
                Some(Signed { guest, order, signature: guest.keys.signing.sign(order) })
            })
        })
    }
}

/// Copies a shop's database and keys into another folder.
pub fn copy_shop(from: &Path, to: &Path) -> anyhow::Result<Home> {
    let home = Home::at(to, None);
    home.make()?;
    backup::copy(&from.join(DATABASE), &to.join(DATABASE)).context("the shop was not copied")?;
    std::fs::copy(from.join(KEYS), to.join(KEYS))?;
    Ok(home)
}

impl Guest {
    fn new(
        shop: &Shop,
        goods: &[Shelf],
        now: UnixMs,
        rng: &mut ChaCha20Rng,
    ) -> anyhow::Result<Self> {
        let keys = KeyPair::from_seed(draw(rng));
        let certificate = Certificate::of_guest(&keys.signing, keys.sealing.public(), now, rng);
        let mut orders = Vec::new();
        for _ in 0..OPEN_ORDERS_OF_GUEST_MAX {
            let placed = wanted(Party::Guest(keys.id()), goods, rng)?;
            let (id, until) = (OrderId::new(now, draw(rng)), now.plus_ms(DAY_MS));
            let signed = placed.sign(id, shop.id(), now, until, &keys.signing)?;
            orders.push(signed.bytes().to_vec());
        }
        Ok(Self { keys, certificate: certificate.bytes().to_vec(), orders })
    }

    /// An order as it comes in.
    pub fn parcel(&self, order: &[u8]) -> Parcel {
        Parcel {
            statements: vec![order.to_vec().into()],
            certificates: vec![self.certificate.clone().into()],
            ..Parcel::default()
        }
    }
}

fn wanted(customer: Party, goods: &[Shelf], rng: &mut ChaCha20Rng) -> anyhow::Result<Placed> {
    let first = rng.next_u32() as usize;
    let mut lines = Vec::new();
    for n in 0..LINES {
        // Far apart on the shelf, and never the same twice in one order.
        let good = &goods[(first + n * (goods.len() / LINES)) % goods.len()];
        let one = Quantity::new(1, Unit::Piece)?;
        lines.push(WantedLine::new(good.product, good.variant, one, good.price));
    }
    Ok(Placed {
        customer,
        currency: rupees()?,
        lines,
        handover: Handover::Pickup { slot: None },
        payment: Method::OnDelivery,
        partial_ok: false,
        personal: None,
        anchors: Vec::new(),
        generation: 1,
        fee: None,
        of_age: None,
    })
}

/// Remembers the guests' certificates, as signing in does: over HTTP they have signed in before they
/// order, and what is recorded shall begin where they begin.
fn meet(shop: &Shop, guests: &[Guest], now: UnixMs) -> anyhow::Result<()> {
    for guest in guests {
        let (id, chain) = (guest.keys.id(), vec![guest.certificate.clone()]);
        let put = shop.database().writer.write(move |tx| -> Result<(), Abort<std::fmt::Error>> {
            Ok(known::put_chain(tx, id, &chain, now)?)
        });
        put?;
    }
    Ok(())
}

/// Goods from all over the shelves.
fn goods(shop: &Shop) -> anyhow::Result<Vec<Shelf>> {
    let goods = shop.database().reader.read(|c| -> Result<Vec<Shelf>, StoreError> {
        let mut ids = c.prepare("SELECT variant FROM offer ORDER BY variant")?;
        let ids = ids.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let apart = (ids.len() / GOODS_MAX).max(1);
        let some = ids.iter().step_by(apart).take(GOODS_MAX);
        let shelf = |id: &Vec<u8>| offers::get(c, VariantId::from_slice(id)?).transpose();
        some.filter_map(shelf).collect()
    })?;
    ensure!(goods.len() > LINES, "there are only {} goods", goods.len());
    Ok(goods)
}

fn rupees() -> anyhow::Result<Currency> {
    Ok("INR".parse()?)
}

fn draw<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
