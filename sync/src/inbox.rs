//! Mail that arrives: stored first, acknowledged after, the same piece once however often it comes.
//!
//! **Invariant (P7):** only [`Input::Stored`], which the caller gives after its commit, yields
//! [`Effect::Acknowledge`]; before that, whoever handed the mail over goes on keeping it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kirana_core::{
    hash::Hash,
    key::KeyId,
    mail::Mail,
    planted::{Bug, is_planted},
};

/// How many names of stored mail are remembered; older ones go to the store again, which knows
/// them too.
pub const REMEMBERED_MAX: usize = 4096;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A peer handed over a piece of mail.
    Frame {
        /// Who.
        peer: KeyId,
        /// The mail.
        mail: Mail,
    },
    /// The piece, or what it says, is durable here; also when it was damaged and is of no use.
    Stored {
        /// Its name.
        id: Hash,
    },
    /// The piece could not be stored; it will be asked for again.
    Failed {
        /// Its name.
        id: Hash,
    },
    /// A peer can no longer be reached.
    Down {
        /// Which.
        peer: KeyId,
    },
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Store the piece, or act on it, durably; then say `Stored` or `Failed`.
    Store {
        /// Who handed it over.
        peer: KeyId,
        /// The mail.
        mail: Mail,
    },
    /// Tell the peer that it may delete these.
    Acknowledge {
        /// Whom.
        peer: KeyId,
        /// The names of the pieces.
        ids: Vec<Hash>,
    },
}

/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Inbox {
    /// What is being stored, and who handed it over.
    storing: BTreeMap<Hash, BTreeSet<KeyId>>,
    stored: BTreeSet<Hash>,
    oldest: VecDeque<Hash>,
}

impl Inbox {
    /// An inbox that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether pieces are being stored.
    pub fn is_storing(&self) -> bool {
        !self.storing.is_empty()
    }

    /// Takes one input and says what to do, in order.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Frame { peer, mail } => self.frame(peer, mail),
            Input::Stored { id } => self.done(id),
            Input::Failed { id } => {
                self.storing.remove(&id);
                Vec::new()
            }
            Input::Down { peer } => {
                self.storing.values_mut().for_each(|peers| {
                    peers.remove(&peer);
                });
                Vec::new()
            }
        }
    }

    fn frame(&mut self, peer: KeyId, mail: Mail) -> Vec<Effect> {
        let id = mail.id();
        if self.stored.contains(&id) {
            return vec![Effect::Acknowledge { peer, ids: vec![id] }];
        }
        if let Some(peers) = self.storing.get_mut(&id) {
            peers.insert(peer);
            return Vec::new();
        }
        self.storing.insert(id, BTreeSet::from([peer]));
        let mut effects = Vec::new();
        if is_planted(Bug::AcknowledgeBeforeStore) {
            effects.push(Effect::Acknowledge { peer, ids: vec![id] });
        }
        effects.push(Effect::Store { peer, mail });
        effects
    }

    fn done(&mut self, id: Hash) -> Vec<Effect> {
        let Some(peers) = self.storing.remove(&id) else { return Vec::new() };
        if self.stored.insert(id) {
            self.oldest.push_back(id);
        }
        while self.oldest.len() > REMEMBERED_MAX {
            self.oldest.pop_front().map(|oldest| self.stored.remove(&oldest));
        }
        peers.into_iter().map(|peer| Effect::Acknowledge { peer, ids: vec![id] }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kirana_core::{mail::Address, time::UnixMs};

    fn key(n: u8) -> KeyId {
        KeyId::of(&[n; 32])
    }

    fn mail(n: u8) -> Mail {
        let to = Address::Device(key(200));
        Mail { to, until: UnixMs::new(9), sealed: vec![n; 40], stamp: vec![], certificates: vec![] }
    }

    fn acknowledge(peer: u8, n: u8) -> Effect {
        Effect::Acknowledge { peer: key(peer), ids: vec![mail(n).id()] }
    }

    #[test]
    fn p7_mail_is_acknowledged_only_after_it_is_stored() {
        let mut inbox = Inbox::new();
        let arrived = inbox.handle(Input::Frame { peer: key(1), mail: mail(1) });
        assert_eq!(arrived, [Effect::Store { peer: key(1), mail: mail(1) }]);
        assert_eq!(inbox.handle(Input::Stored { id: mail(1).id() }), [acknowledge(1, 1)]);
    }

    #[test]
    fn p1_the_same_mail_over_three_paths_is_stored_once_and_acknowledged_to_each() {
        let mut inbox = Inbox::new();
        inbox.handle(Input::Frame { peer: key(1), mail: mail(1) });
        for peer in [1, 2, 3, 2] {
            let again = inbox.handle(Input::Frame { peer: key(peer), mail: mail(1) });
            assert_eq!(again, [], "it is being stored already");
        }
        let done = inbox.handle(Input::Stored { id: mail(1).id() });
        assert_eq!(done.len(), 3);
        let late = inbox.handle(Input::Frame { peer: key(4), mail: mail(1) });
        assert_eq!(late, [acknowledge(4, 1)]);
    }

    #[test]
    fn p7_mail_that_could_not_be_stored_is_not_acknowledged_and_may_come_again() {
        let mut inbox = Inbox::new();
        inbox.handle(Input::Frame { peer: key(1), mail: mail(1) });
        assert_eq!(inbox.handle(Input::Failed { id: mail(1).id() }), []);
        assert_eq!(inbox.handle(Input::Stored { id: mail(1).id() }), [], "nobody asked");
        let again = inbox.handle(Input::Frame { peer: key(1), mail: mail(1) });
        assert!(matches!(again[..], [Effect::Store { .. }]));
    }

    #[test]
    fn a_peer_that_went_away_is_not_told() {
        let mut inbox = Inbox::new();
        inbox.handle(Input::Frame { peer: key(1), mail: mail(1) });
        inbox.handle(Input::Down { peer: key(1) });
        assert_eq!(inbox.handle(Input::Stored { id: mail(1).id() }), []);
    }

    #[test]
    fn only_so_many_names_are_remembered() {
        let mut inbox = Inbox::new();
        for n in 0..REMEMBERED_MAX + 10 {
            let mut piece = mail(1);
            piece.sealed.extend(n.to_be_bytes());
            let id = piece.id();
            inbox.handle(Input::Frame { peer: key(1), mail: piece });
            inbox.handle(Input::Stored { id });
        }
        assert_eq!(inbox.stored.len(), REMEMBERED_MAX);
        assert!(!inbox.is_storing());
    }
}
