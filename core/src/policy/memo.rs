//! Remembers what the policies answered, by what an answer can depend on.
//!
//! **Invariant:** a question holds each role, each permission, and of each id whether it is there
//! and whether it is the resource's own: policies name nobody, so ids can only be compared with
//! one another. Two cases with one question therefore have one answer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Action, Principal, Resource};
use crate::{mail::Address, statement::Party};

/// Answers that are kept at most; one more, and all are forgotten.
pub const ANSWERS_MAX: usize = 4_096;

/// What a policy can see of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    action: Action,
    thing: Thing,
    /// One bit for each role.
    roles: u8,
    /// One bit for each action.
    permissions: u64,
    account: Tie,
    party: Option<Kind>,
    party_is_own: bool,
    device: Tie,
    shops: Shops,
}

/// The kind of a resource, with what a policy reads of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Shop,
    Order { customer: Kind, delivery: bool },
    Account,
    ShopMailbox,
    DeviceMailbox,
    Hub,
}

/// What a person's id has to do with the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    None,
    Own,
    Other,
}

/// As what somebody orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Shop,
    Account,
    Guest,
}

/// Where somebody has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shops {
    /// In the shop of the resource.
    here: bool,
    /// In any other.
    elsewhere: bool,
}

impl Question {
    pub(super) fn of(who: &Principal, action: Action, what: &Resource) -> Self {
        let (thing, shop) = match what {
            Resource::Shop(shop) => (Thing::Shop, Some(shop)),
            Resource::Order { shop, customer, delivery } => {
                (Thing::Order { customer: kind(customer), delivery: *delivery }, Some(shop))
            }
            Resource::Account(_) => (Thing::Account, None),
            Resource::Mailbox(Address::Shop(shop)) => (Thing::ShopMailbox, Some(shop)),
            Resource::Mailbox(Address::Device(_)) => (Thing::DeviceMailbox, None),
            Resource::Hub => (Thing::Hub, None),
        };
        let account = |id| matches!(what, Resource::Account(own) if *own == id);
        let device = |id| matches!(what, Resource::Mailbox(Address::Device(own)) if *own == id);
        let here = shop.is_some_and(|shop| who.shops.contains(shop));
        Self {
            action,
            thing,
            roles: who.roles.iter().fold(0, |bits, role| bits | 1 << *role as u8),
            permissions: who.permissions.iter().fold(0, |bits, action| bits | 1 << *action as u64),
            account: tie(who.account, account),
            party: who.party.as_ref().map(kind),
            party_is_own: matches!(
                what, Resource::Order { customer, .. } if who.party == Some(*customer)
            ),
            device: tie(who.device, device),
            shops: Shops { here, elsewhere: who.shops.len() > usize::from(here) },
        }
    }
}

fn tie<T>(id: Option<T>, is_own: impl Fn(T) -> bool) -> Tie {
    match id.map(is_own) {
        None => Tie::None,
        Some(true) => Tie::Own,
        Some(false) => Tie::Other,
    }
}

fn kind(party: &Party) -> Kind {
    match party {
        Party::Shop(_) => Kind::Shop,
        Party::Account(_) => Kind::Account,
        Party::Guest(_) => Kind::Guest,
    }
}

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<BTreeMap<Question, bool>>);

impl Memo {
    /// The answer of before, or else that of `ask`, which is kept.
    pub(super) fn answer(&self, question: Question, ask: impl FnOnce() -> bool) -> bool {
        // Nothing can be half written here, so a poisoned lock guards a sound map.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = lock().get(&question) {
            return *answer;
        }
        let answer = ask();
        let mut answers = lock();
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(question, answer);
        answer
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

const _: () = assert!(Action::ALL.len() <= 64 && super::Role::ALL.len() <= 8, "one bit for each");
