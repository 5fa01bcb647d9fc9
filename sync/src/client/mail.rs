//! The client's mailbox: lists what keepers hold for us, has it stored, lets them delete it.

use std::collections::BTreeMap;

use kirana_core::{hash::Hash, key::KeyId, mail::Address, time::UnixMs};

use super::{Effect, Purpose, Run, is_due};
use crate::{
    inbox,
    peer::Role,
    wire::{Code, Refused, Request, Response, limit},
};

/// How many pieces are asked for at once.
const LIST_LIMIT: u16 = 32;

/// What is known of a peer in reach. All of it is soft: cursors start at 0 whenever a peer comes
/// into reach, since it may have been restored meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub role: Role,
    pub greeting: bool,
    pub next_list: UnixMs,
    pub next_heads: UnixMs,
    listing: u8,
    cursors: BTreeMap<Address, u64>,
    deletes: Vec<Hash>,
    deleting: bool,
}

impl Line {
    pub fn new(role: Role, now: UnixMs) -> Self {
        Self {
            role,
            greeting: true,
            next_list: now,
            next_heads: now,
            listing: 0,
            cursors: BTreeMap::new(),
            deletes: Vec::new(),
            deleting: false,
        }
    }
}

impl Run<'_> {
    /// Looks again soon where something was just stored: an answer may follow.
    pub(super) fn hurry(&mut self, peer: KeyId) {
        let soon = self.now.plus_ms(self.client.settings.poll_ms);
        if let Some(line) = self.client.lines.get_mut(&peer) {
            line.next_list = line.next_list.min(soon);
        }
    }

    pub(super) fn list_from_the_start(&mut self) {
        let later = self.now.plus_ms(self.client.settings.idle_poll_ms);
        for line in self.client.lines.values_mut() {
            line.cursors.clear();
            line.next_list = later;
        }
    }

    /// A keeper that restarted has forgotten who we are.
    pub(super) fn greet_if_asked(&mut self, peer: KeyId, refused: &Refused) {
        let line = self.client.lines.get_mut(&peer);
        if let Some(line) = line.filter(|line| refused.code == Code::HelloFirst && !line.greeting) {
            line.greeting = true;
            let id = self.pend(peer, Purpose::Greet);
            self.effects.push(Effect::Greet { id, peer });
        }
    }

    pub(super) fn look_for_mail(&mut self) {
        let settings = &self.client.settings;
        let (now, idle, heads_ms) = (self.now, settings.idle_poll_ms, settings.heads_ms);
        let is_waiting = !self.client.outbox.is_empty();
        let pause = if is_waiting { settings.poll_ms } else { idle };
        let own: Vec<Address> = settings.own.iter().copied().collect();
        let mut lists = Vec::new();
        for (peer, line) in &mut self.client.lines {
            if is_due(line.next_heads, now, heads_ms) {
                line.next_heads = now.plus_ms(heads_ms);
                if let Role::Shop(shop) = line.role {
                    self.effects.push(Effect::CompareHeads { shop });
                }
            }
            let may_list = line.listing == 0 && !line.greeting && !self.client.inbox.is_storing();
            if may_list && is_due(line.next_list, now, idle) {
                line.next_list = now.plus_ms(pause);
                for address in own.iter().filter(|address| holds(line.role, address)) {
                    line.listing += 1;
                    let after = line.cursors.get(address).copied().unwrap_or(0);
                    lists.push((*peer, *address, after));
                }
            }
        }
        for (peer, address, after) in lists {
            self.delete(peer);
            let request = Request::List { address, after, limit: LIST_LIMIT };
            self.request(peer, Purpose::List { address }, request);
        }
    }

    pub(super) fn listed(&mut self, peer: KeyId, address: Address, response: Option<Response>) {
        let settings = &self.client.settings;
        let (now, poll_ms, idle_poll_ms) = (self.now, settings.poll_ms, settings.idle_poll_ms);
        let Some(line) = self.client.lines.get_mut(&peer) else { return };
        line.listing = line.listing.saturating_sub(1);
        match response {
            Some(Response::Mails { items, more }) => {
                if let Some((cursor, _)) = items.last() {
                    line.cursors.insert(address, *cursor);
                    line.next_list = if more { now } else { now.plus_ms(poll_ms) };
                }
                // A keeper could hand over what was never meant for us: it is not even stored.
                let ours = items.into_iter().map(|(_, mail)| mail).filter(|m| m.to == address);
                ours.for_each(|mail| self.inbox(inbox::Input::Frame { peer, mail }));
            }
            Some(Response::Refused(refused)) => {
                // Whoever is shut out need not ask as often as somebody who waits for an answer.
                if !refused.code.is_passing() {
                    line.next_list = now.plus_ms(idle_poll_ms);
                }
                self.greet_if_asked(peer, &refused);
            }
            _ => {}
        }
    }

    pub(super) fn inbox(&mut self, input: inbox::Input) {
        for effect in self.client.inbox.handle(input) {
            match effect {
                inbox::Effect::Store { peer, mail } => {
                    self.effects.push(Effect::StoreMail { peer, mail });
                }
                inbox::Effect::Acknowledge { peer, ids } => {
                    if let Some(line) = self.client.lines.get_mut(&peer) {
                        line.deletes.extend(ids);
                        self.delete(peer);
                    }
                }
            }
        }
    }

    fn delete(&mut self, peer: KeyId) {
        let Some(line) = self.client.lines.get_mut(&peer) else { return };
        if line.deleting || line.deletes.is_empty() {
            return;
        }
        line.deleting = true;
        let rest = line.deletes.split_off(line.deletes.len().min(limit::DELETE_MAX));
        let ids = std::mem::replace(&mut line.deletes, rest);
        self.request(peer, Purpose::Delete { ids: ids.clone() }, Request::Delete { ids });
    }

    pub(super) fn deleted(&mut self, peer: KeyId, ids: Vec<Hash>, response: Option<Response>) {
        let Some(line) = self.client.lines.get_mut(&peer) else { return };
        line.deleting = false;
        match response {
            Some(Response::Deleted) => self.delete(peer),
            Some(Response::Refused(refused)) => {
                line.deletes.extend(ids);
                self.greet_if_asked(peer, &refused);
            }
            // They are named again when mail is looked for next.
            _ => line.deletes.extend(ids),
        }
    }
}

/// Whether a peer of this role may hold mail for one of our addresses: a hub for any of them, a
/// shop for devices, and nobody but itself for a shop.
fn holds(role: Role, address: &Address) -> bool {
    match role {
        Role::Shop(_) => matches!(address, Address::Device(_)),
        Role::Hub | Role::Community => true,
    }
}
