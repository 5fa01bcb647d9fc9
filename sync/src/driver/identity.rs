//! One key, two names: the device's public key and libp2p's peer id.

use kirana_core::key::PublicKey;
use libp2p::{
    Multiaddr, PeerId,
    identity::{self, ed25519},
    multiaddr::Protocol,
};

/// The peer id of a key; `None` for a key that libp2p does not take, which none of ours is.
pub fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The key of a peer id; `None` when it is no Ed25519 key, or a weak one.
///
/// ```
/// use kirana_core::key::SigningKey;
/// use kirana_sync::driver::{peer_id, public_key};
/// let key = SigningKey::from_seed([7; 32]).public();
/// assert_eq!(public_key(&peer_id(&key).unwrap()), Some(key));
/// ```
pub fn public_key(peer: &PeerId) -> Option<PublicKey> {
    let hash = peer.as_ref();
    if hash.code() != 0 {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    PublicKey::from_bytes(&key.try_into_ed25519().ok()?.to_bytes()).ok()
}

/// The address with the peer's name at its end.
pub fn with_peer(address: &Multiaddr, key: &PublicKey) -> Multiaddr {
    match (peer_of(address), peer_id(key)) {
        (None, Some(peer)) => address.clone().with(Protocol::P2p(peer)),
        _ => address.clone(),
    }
}

/// The address of `key` through a relay, given the relay's address with its name at the end.
pub fn circuit(relay: &Multiaddr, key: &PublicKey) -> Multiaddr {
    let through = relay.clone().with(Protocol::P2pCircuit);
    match peer_id(key) {
        Some(peer) => through.with(Protocol::P2p(peer)),
        None => through,
    }
}

/// The key of the peer that an address ends in; `None` when it names none.
pub fn key_of(address: &Multiaddr) -> Option<PublicKey> {
    public_key(&peer_of(address)?)
}

/// The peer that an address ends in.
pub(super) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}
