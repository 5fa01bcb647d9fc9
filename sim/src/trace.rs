//! Digests all that was delivered and all that was left in the databases.
//!
//! **Invariant:** the same seed gives the same digest in any process.

use kirana_core::{hash::Hash, time::UnixMs};
use sha2::{Digest, Sha256};

use crate::node::NodeId;

/// The digest of a run so far.
#[derive(Default)]
pub struct Trace(Sha256);

impl Trace {
    /// Something was delivered.
    pub fn delivered(&mut self, at: UnixMs, from: NodeId, to: NodeId, bytes: &[u8]) {
        self.0.update(at.get().to_be_bytes());
        self.part(from.to_string().as_bytes());
        self.part(to.to_string().as_bytes());
        self.part(bytes);
    }

    /// What a node's database holds at the end.
    pub fn database(&mut self, node: NodeId, content: Hash) {
        self.part(node.to_string().as_bytes());
        self.part(content.as_bytes());
    }

    /// The digest of it all.
    pub fn finish(self) -> Hash {
        Hash::from_slice(&self.0.finalize()).expect("a SHA-256 digest has 32 bytes")
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}
