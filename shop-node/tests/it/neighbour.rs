//! A shop in memory, a customer next door, and what they send each other.

use kirana_core::{
    certificate::{Certificate, Holder, HubRole, Standing},
    envelope::{self, Parcel, PersonalPart},
    id::{AccountId, OrderId, ProductId, ShopId, VariantId},
    key::{KeyPair, SigningKey},
    mail::{Address, Mail},
    money::{Currency, Price},
    order::{
        Order,
        chain::{Author, Chain},
        placed::{Handover, Method, Placed, WantedLine},
        wish::Wish,
    },
    quantity::{Quantity, Unit},
    roster::{HubEntry, Roster},
    stamp,
    statement::{Party, SignedStatement, UnverifiedStatement},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, Database, Location, Schema};
use kirana_shop::{
    app::{
        Delivered, Founding, Keys, Shop, Undeliverable,
        counter::{Entry, What},
    },
    store::{
        offers::{self, Shelf},
        settings::{self, Setting},
    },
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

pub fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub fn rupees() -> Currency {
    "INR".parse().expect("a currency")
}

/// A shop in memory with a hub that vouches for devices.
pub struct Neighbourhood {
    pub shop: Shop,
    pub hub: SigningKey,
}

impl Neighbourhood {
    pub fn new() -> Self {
        Self::at(Location::Memory)
    }

    pub fn at(location: Location) -> Self {
        Self::founded(location, None)
    }

    /// In memory, with a place on the map.
    pub fn in_bengaluru() -> Self {
        Self::founded(Location::Memory, Some("12.97,77.59".to_owned()))
    }

    fn founded(location: Location, place: Option<String>) -> Self {
        let database = Database::open(Schema::Shop, location).expect("it opens");
        let mut rng = rng(1);
        let founding = Founding { name: "Corner".into(), currency: rupees(), place, hub: None };
        let keys = Keys::draw(&mut rng);
        let shop = Shop::found(database, keys, founding, NOW, &mut rng).expect("it is founded");
        let hub = SigningKey::from_seed([40; 32]);
        let root = SigningKey::from_seed([41; 32]);
        let sealing = KeyPair::from_seed([42; 64]).sealing.public();
        let entry = HubEntry {
            key: hub.public(),
            sealing,
            role: HubRole::Central,
            url: None,
            p2p: Vec::new(),
        };
        let roster = Roster { number: 1, issued: NOW, hubs: vec![entry] }.sign(&root);
        let bytes = minicbor::bytes::ByteVec::from(roster.bytes().to_vec());
        let met = shop.database().writer.write(move |tx| -> Result<(), Abort<()>> {
            settings::put(tx, Setting::Root, &root.public())?;
            settings::put(tx, Setting::Roster, &bytes)?;
            Ok(settings::put(tx, Setting::TrustRevision, &1u64)?)
        });
        met.expect("it is stored");
        Self { shop, hub }
    }

    pub fn stock(&self, n: u8, price_minor: i64, amount: u64) -> VariantId {
        self.shelve(n, (price_minor, amount), None)
    }

    /// Goods that are sold from an age on.
    pub fn stock_from_age(&self, n: u8, price_minor: i64, amount: u64, age: u8) -> VariantId {
        self.shelve(n, (price_minor, amount), Some(age))
    }

    fn shelve(&self, n: u8, (price_minor, amount): (i64, u64), age_min: Option<u8>) -> VariantId {
        let variant = VariantId::new(NOW, [n; 10]);
        let shelf = Shelf {
            variant,
            product: ProductId::new(NOW, [n; 10]),
            price: Price { currency: rupees(), minor: price_minor, per: 1 },
            tax_bp: 500,
            unit: Unit::Piece,
            counted: true,
            safety: 0,
            schedule: kirana_core::catalogue::pricing::Schedule::default(),
            version: 1,
            closed: false,
            age_min,
        };
        let put = self
            .shop
            .database()
            .writer
            .write(move |tx| -> Result<(), Abort<()>> { Ok(offers::put(tx, &shelf)?) });
        put.expect("it is stored");
        if amount > 0 {
            self.enter(variant, What::Receipt(amount));
        }
        variant
    }

    pub fn enter(&self, variant: VariantId, what: What) -> Vec<OrderId> {
        let entry = Entry { variant, location: None, what, note: String::new() };
        let by = self.shop.keys().node.id();
        self.shop.enter(entry, by, NOW, &mut rng(2)).expect("it is entered").shortened
    }

    pub fn balance(&self, variant: VariantId) -> (u64, u64) {
        let location = self.shop.identity().location;
        let balance = self
            .shop
            .database()
            .reader
            .read(|c| kirana_shop::store::stock::balance(c, variant, location))
            .expect("it is read");
        (balance.on_hand, balance.reserved)
    }

    pub fn deliver(&self, mail: &Mail) -> Result<Delivered, Undeliverable> {
        self.shop.deliver(mail, NOW, &mut rng(3))
    }
}

/// A household's device.
pub struct Customer {
    pub keys: KeyPair,
    pub party: Party,
    pub certificate: Vec<u8>,
    pub now: UnixMs,
    shop: ShopId,
}

impl Customer {
    pub fn new(neighbourhood: &Neighbourhood, n: u8) -> Self {
        let keys = KeyPair::from_seed([n; 64]);
        let account = AccountId::new(NOW, [n; 10]);
        let holder = Holder {
            key: keys.signing.public(),
            sealing: keys.sealing.public(),
            standing: Standing::Device { account, hosted: false },
        };
        let certificate = Certificate::issue(&neighbourhood.hub, &holder, NOW, &mut rng(n));
        let (party, shop) = (Party::Account(account), neighbourhood.shop.id());
        Self { keys, party, certificate: certificate.bytes().to_vec(), now: NOW, shop }
    }

    pub fn guest(neighbourhood: &Neighbourhood, n: u8) -> Self {
        let keys = KeyPair::from_seed([n; 64]);
        let certificate =
            Certificate::of_guest(&keys.signing, keys.sealing.public(), NOW, &mut rng(n));
        let (party, shop) = (Party::Guest(keys.id()), neighbourhood.shop.id());
        Self { keys, party, certificate: certificate.bytes().to_vec(), now: NOW, shop }
    }

    pub fn wants(&self, lines: &[(VariantId, u64, i64)]) -> Placed {
        let line = |(variant, amount, minor): &(VariantId, u64, i64)| {
            let product = ProductId::new(NOW, [1; 10]);
            let quantity = Quantity::new(*amount, Unit::Piece).expect("a quantity");
            let seen = Price { currency: rupees(), minor: *minor, per: 1 };
            WantedLine::new(product, *variant, quantity, seen)
        };
        Placed {
            customer: self.party,
            currency: rupees(),
            lines: lines.iter().map(line).collect(),
            handover: Handover::Pickup { slot: None },
            payment: Method::OnDelivery,
            partial_ok: false,
            personal: None,
            anchors: Vec::new(),
            generation: 1,
            fee: None,
            of_age: None,
        }
    }

    pub fn sign(&self, n: u8, placed: Placed) -> SignedStatement {
        let order = OrderId::new(NOW, [n; 10]);
        let until = self.now.plus_ms(DAY_MS);
        placed.sign(order, self.shop, self.now, until, &self.keys.signing).expect("it is valid")
    }

    pub fn wish(&self, n: u8, wish: &Wish) -> SignedStatement {
        wish.sign(OrderId::new(NOW, [n; 10]), self.shop, NOW, [n; 16], &self.keys.signing)
    }

    pub fn parcel(&self, statements: &[&SignedStatement]) -> Parcel {
        Parcel {
            statements: statements.iter().map(|s| s.bytes().to_vec().into()).collect(),
            certificates: vec![self.certificate.clone().into()],
            ..Parcel::default()
        }
    }

    pub fn mail(&self, neighbourhood: &Neighbourhood, parcel: &Parcel) -> Mail {
        let to = neighbourhood.shop.keys().node.sealing.public();
        let sealed = envelope::seal(parcel, &to, &mut rng(9)).expect("it is sealed");
        let certificates = vec![self.certificate.clone().into()];
        let address = Address::Shop(neighbourhood.shop.id());
        stamp::post(&self.keys.signing, certificates, address, self.now.plus_ms(DAY_MS), sealed)
    }

    /// Opens a reply and walks the chain of the order in it.
    pub fn read(&self, neighbourhood: &Neighbourhood, reply: &Mail) -> (Vec<Vec<u8>>, Order) {
        let parcel =
            envelope::open(&reply.sealed, std::slice::from_ref(&self.keys.sealing)).expect("ours");
        let statements: Vec<Vec<u8>> = parcel.statements.iter().map(|s| s.to_vec()).collect();
        let node = neighbourhood.shop.keys().node.signing.public();
        let mut entries = statements.iter().map(|s| UnverifiedStatement::parse(s).expect("parses"));
        let first = entries.next().expect("one").verify(&self.keys.signing.public());
        let mut chain = Chain::begin(first.expect("ours"), Author::customer(self.party))
            .expect("it begins an order");
        for entry in entries {
            let author = Author::node(self.shop, neighbourhood.shop.generation());
            let _ = chain.push(entry.verify(&node).expect("the shop's"), author).expect("it fits");
        }
        (statements, chain.order().clone())
    }
}

pub fn address_of_somebody() -> PersonalPart {
    PersonalPart::new(b"14 Second Cross Street".to_vec(), &mut rng(7))
}
