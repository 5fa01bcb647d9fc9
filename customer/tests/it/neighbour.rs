//! A shop that holds keys and signs what a test tells it to.

use kirana_core::{
    certificate::{Certificate, Holder, Serial, Standing},
    envelope::{self, Parcel},
    hash::Hash,
    id::{OrderId, ProductId, ShopId, VariantId},
    key::{KeyPair, SealingPublic},
    mail::{Address, Mail},
    money::{Currency, Price},
    order::{
        chain::{Author, Chain},
        entry::Body,
        facts::{Accepted, GrantedLine},
        personal::Personal,
        placed::{Handover, Method, WantedLine},
    },
    quantity::{Quantity, Unit},
    stamp,
    statement::{Party, SignedStatement, UnverifiedStatement},
    time::{DAY_MS, UnixMs},
};
use kirana_customer::app::{Household, place::NewOrder, shop::Introduced};
use kirana_migrations::{Database, Location, Schema};
use minicbor::bytes::ByteVec;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn household(seed: u8) -> Household {
    let db = Database::open(Schema::Customer, Location::Memory).unwrap();
    Household::create(db, KeyPair::from_seed([seed; 64]), NOW, &mut rng(seed.into())).unwrap()
}

/// A shop whose box is of some generation.
pub struct Neighbour {
    pub id: ShopId,
    pub generation: u64,
    pub node: KeyPair,
    pub owner: KeyPair,
    shop_certificate: Vec<u8>,
    certificates: Vec<ByteVec>,
}

impl Neighbour {
    pub fn new() -> Self {
        let id = ShopId::new(NOW, [7; 10]);
        let owner = KeyPair::from_seed([70; 64]);
        let holder = Holder {
            key: owner.signing.public(),
            sealing: owner.sealing.public(),
            standing: Standing::Shop { shop: id },
        };
        let shop = Certificate::issue(&owner.signing, &holder, NOW, &mut rng(70));
        let shop_certificate = shop.bytes().to_vec();
        let node = KeyPair::from_seed([71; 64]);
        let certificates = Vec::new();
        let mut this = Self { id, generation: 0, node, owner, shop_certificate, certificates };
        this.next_generation(71);
        this
    }

    /// The box is lost; the owner signs for a fresh one.
    pub fn next_generation(&mut self, seed: u8) {
        self.generation += 1;
        self.node = KeyPair::from_seed([seed; 64]);
        let standing = Standing::Node { shop: self.id, generation: self.generation };
        let (key, sealing) = (self.node.signing.public(), self.node.sealing.public());
        let holder = Holder { key, sealing, standing };
        let node = Certificate::issue(&self.owner.signing, &holder, NOW, &mut rng(seed.into()));
        self.certificates =
            vec![node.bytes().to_vec().into(), self.shop_certificate.clone().into()];
    }

    /// The owner gives the shop away; the new one certifies a fresh box.
    pub fn next_owner(&mut self, next: KeyPair, node: u8) {
        let to = (next.signing.public(), next.sealing.public());
        let serial = Serial::random(&mut rng(node.into()));
        let consent = Certificate::of_next_owner(&self.owner.signing, self.id, to, NOW, serial);
        self.shop_certificate = consent.bytes().to_vec();
        self.owner = next;
        self.next_generation(node);
    }

    /// Somebody whom nobody gave the shop says that it is theirs.
    pub fn seized_by(&mut self, thief: KeyPair, node: u8) {
        self.owner = thief;
        let to = (self.owner.signing.public(), self.owner.sealing.public());
        let serial = Serial::random(&mut rng(node.into()));
        let own_word = Certificate::of_next_owner(&self.owner.signing, self.id, to, NOW, serial);
        self.shop_certificate = own_word.bytes().to_vec();
        self.next_generation(node);
    }

    /// The certificates of its box, leaf first.
    pub fn certificates(&self) -> Vec<ByteVec> {
        self.certificates.clone()
    }

    pub fn introduce_to(&self, household: &Household) {
        let introduced = Introduced {
            name: "Asha General Store".to_owned(),
            certificates: self.certificates.clone(),
            addresses: Vec::new(),
            hubs: Vec::new(),
        };
        household.choose_shop(introduced, NOW).unwrap();
    }

    /// Opens mail as the shop would and begins the order's chain.
    pub fn open(&self, mail: &Mail, household: &Household) -> Chain {
        let parcel =
            envelope::open(&mail.sealed, std::slice::from_ref(&self.node.sealing)).unwrap();
        let read = UnverifiedStatement::parse(&parcel.statements[0]).unwrap();
        let placed = read.verify(&household.keys().signing.public()).unwrap();
        Chain::begin(placed, Author::customer(household.party())).unwrap()
    }

    pub fn accept(&self, chain: &mut Chain) -> SignedStatement {
        let lines = chain.order().placed.lines.iter().enumerate();
        let lines = lines.map(|(line, wanted)| GrantedLine {
            line: line as u16,
            granted: wanted.quantity.amount(),
            price: wanted.seen,
            tax_bp: 500,
        });
        let body = Accepted {
            lines: lines.collect(),
            refused: Vec::new(),
            ledger: Hash::of(b"the ledger"),
            fee: None,
        };
        chain
            .append(self.generation, NOW.plus_ms(5_000), &Body::Accepted(body), &self.node.signing)
            .unwrap()
    }

    pub fn post(&self, statements: &[&SignedStatement], to: &SealingPublic, seed: u64) -> Mail {
        let parcel = Parcel {
            statements: statements.iter().map(|s| ByteVec::from(s.bytes().to_vec())).collect(),
            certificates: self.certificates.clone(),
            ..Parcel::default()
        };
        let sealed = envelope::seal(&parcel, to, &mut rng(seed)).unwrap();
        let address = Address::Device(self.node.id());
        let until = NOW.plus_ms(DAY_MS);
        stamp::post(&self.node.signing, self.certificates.clone(), address, until, sealed)
    }
}

pub fn two_kilos_of_rice(shop: ShopId) -> NewOrder {
    let product = ProductId::new(NOW, [1; 10]);
    let variant = VariantId::new(NOW, [2; 10]);
    let quantity = Quantity::new(2_000, Unit::Gram).unwrap();
    let seen = Price { minor: 6_800, per: 1_000, currency: Currency::INR };
    NewOrder {
        shop,
        currency: Currency::INR,
        lines: vec![WantedLine::new(product, variant, quantity, seen)],
        handover: Handover::Pickup { slot: None },
        payment: Method::OnDelivery,
        partial_ok: false,
        personal: Some(Personal { name: "Meena".to_owned(), ..Personal::default() }),
        answer_by: NOW.plus_ms(DAY_MS),
        fee: None,
        of_age: None,
    }
}

/// Places an order and hands its mail to the shop.
pub fn placed_at(shop: &Neighbour, household: &Household) -> (OrderId, Hash, Chain) {
    let order = two_kilos_of_rice(shop.id);
    let placed = household.place(order, NOW, &mut rng(1)).unwrap();
    let mail = household.mail_for(placed.entry, &mut rng(2)).unwrap().unwrap();
    (placed.id, placed.entry, shop.open(&mail, household))
}

pub fn is_guest(party: Party) -> bool {
    matches!(party, Party::Guest(_))
}
