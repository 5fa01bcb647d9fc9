//! Nodes to test with.

use std::{sync::Arc, time::Duration};

use kirana_core::{hash::Hash, key::PublicKey};
use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Multiaddr, Node, NodeHandle},
    wire::{Code, Request, Response},
};

/// Long enough for a slow machine; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Answers a `Delete` of one name with `Stored` of the same, a `Look` with the caller's key, a
/// `Find` never, and a `List` with `limit` KiB of mail.
pub struct Echo;

impl Handler for Echo {
    fn answer(&self, peer: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            match request {
                Request::Delete { ids } => match ids.first() {
                    Some(id) => Response::Stored { id: *id },
                    None => Response::Deleted,
                },
                Request::Look { .. } => Response::refused(Code::NotFound, peer.to_string()),
                Request::Find { .. } => std::future::pending().await,
                Request::Publish { .. } => {
                    Response::Records { records: vec![vec![7; 8000].into(); 25] }
                }
                _ => Response::refused(Code::Unknown, "this is a test"),
            }
        })
    }
}

pub async fn spawn(config: Config) -> NodeHandle {
    Node::spawn(config, Arc::new(Echo)).await.expect("it starts")
}

pub fn loopback() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().expect("an address")
}

/// A node that listens on loopback.
pub async fn listening(n: u8) -> NodeHandle {
    spawn(Config::new([n; 32]).listening_on(loopback())).await
}

/// A node that listens nowhere.
pub async fn asking(n: u8) -> NodeHandle {
    spawn(Config::new([n; 32])).await
}

/// Has `node` know where `other` is.
pub async fn introduce(node: &NodeHandle, other: &NodeHandle) {
    node.know(&other.key(), other.addresses()).await.expect("it runs");
}

pub fn ping(n: u64) -> (Request, Response) {
    let id = Hash::of(&n.to_be_bytes());
    (Request::Delete { ids: vec![id] }, Response::Stored { id })
}
