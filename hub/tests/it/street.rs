//! People of a neighbourhood, as the tests of its hubs play them.

use std::{sync::Arc, time::Duration};

use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    id::ShopId,
    key::{KeyPair, PublicKey, SigningKey},
    mail::{Address, Mail},
    record::{HubContact, ShopRecord},
    stamp,
    time::{DAY_MS, UnixMs},
};
use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Node, NodeHandle, key_of},
    wire::{Code, Refused, Request, Response},
};
use minicbor::bytes::ByteVec;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{program::Running, relay::listed};

/// Long enough for a slow machine; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn pair(n: u8) -> KeyPair {
    KeyPair::from_seed([n; 64])
}

/// Answers nobody.
pub struct Nothing;

impl Handler for Nothing {
    fn answer(&self, _: PublicKey, _: Request) -> BoxFuture<'_, Response> {
        Box::pin(async { Response::Refused(Refused::new(Code::NotHere, "a test asks only")) })
    }
}

pub fn certified(issuer: &SigningKey, holder: &KeyPair, standing: Standing, at: UnixMs) -> ByteVec {
    let (key, sealing) = (holder.signing.public(), holder.sealing.public());
    let holder = Holder { key, sealing, standing };
    let mut rng = ChaCha20Rng::from_seed(*key.as_bytes());
    Certificate::issue(issuer, &holder, at, &mut rng).bytes().to_vec().into()
}

/// A shop's box whose owner a hub vouches for.
pub struct Shop {
    pub id: ShopId,
    pub node: KeyPair,
    pub chain: Vec<ByteVec>,
}

impl Shop {
    pub fn new(n: u8, central: &SigningKey, at: UnixMs) -> Self {
        let (id, owner, node) = (ShopId::new(at, [n; 10]), pair(n), pair(n + 1));
        let box_of = Standing::Node { shop: id, generation: 1 };
        let chain = vec![
            certified(&owner.signing, &node, box_of, at),
            certified(central, &owner, Standing::Shop { shop: id }, at),
        ];
        Self { id, node, chain }
    }

    /// What it says of itself in a directory.
    pub fn said(&self, number: u64, hubs: Vec<HubContact>, at: UnixMs) -> ShopRecord {
        ShopRecord {
            shop: self.id,
            number,
            until: at.plus_ms(DAY_MS),
            name: "Corner".to_owned(),
            place: Some("12.9716,77.5946".parse().expect("a place")),
            addresses: vec![],
            hubs,
            languages: vec![],
            hours: None,
            closing_since: None,
        }
    }

    pub fn signed(&self, record: &ShopRecord) -> Vec<u8> {
        record.sign(&self.node.signing, self.chain.clone()).expect("within limits")
    }

    pub fn record(&self, number: u64, hubs: Vec<HubContact>, at: UnixMs) -> Request {
        Request::Publish { record: self.signed(&self.said(number, hubs, at)).into() }
    }

    pub fn hello(&self) -> Request {
        Request::Hello { certificates: self.chain.clone(), lists: vec![] }
    }

    pub fn list(&self) -> Request {
        Request::List { address: Address::Shop(self.id), after: 0, limit: 10 }
    }

    pub fn mail_to(&self, device: &KeyPair, at: UnixMs) -> Mail {
        let to = Address::Device(device.id());
        let (until, sealed) = (at.plus_ms(DAY_MS), b"an answer".to_vec());
        stamp::post(&self.node.signing, self.chain.clone(), to, until, sealed)
    }
}

pub fn contact(hub: &Running) -> HubContact {
    let address = hub.p2p.parse().expect("a multiaddr");
    let key = key_of(&address).expect("it names the hub");
    HubContact { key, addresses: vec![hub.p2p.clone()] }
}

/// Somebody who reaches these hubs only.
pub struct Caller(NodeHandle);

impl Caller {
    pub async fn reaching(keys: &KeyPair, hubs: &[&Running]) -> Self {
        let node = Node::spawn(Config::new(keys.signing.to_seed()), Arc::new(Nothing)).await;
        let node = node.expect("it starts");
        for hub in hubs {
            let address = hub.p2p.parse().expect("a multiaddr");
            node.know(&contact(hub).key, vec![address]).await.expect("it runs");
        }
        Self(node)
    }

    pub async fn ask(&self, hub: &Running, request: Request) -> Response {
        self.0.request(&contact(hub).key, request, PATIENCE).await.expect("answered")
    }

    /// Asks until there is mail.
    pub async fn mail(&self, hub: &Running, list: Request) -> Vec<Mail> {
        let asking = async {
            loop {
                let mail = listed(self.ask(hub, list.clone()).await);
                if !mail.is_empty() {
                    return mail;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the mail comes")
    }
}

/// Why something was refused.
pub fn refusal(answer: Response) -> Code {
    match answer {
        Response::Refused(refused) => refused.code,
        other => panic!("{other:?}"),
    }
}
