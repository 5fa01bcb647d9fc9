//! What hubs do, honest and not, and what an outsider notes of the mail that passes.
//!
//! **Invariant (P7):** what a hub said it has stored is there until its recipient deletes it or its
//! time has passed; a recipient deletes only what it has stored itself.

use std::collections::BTreeMap;

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    envelope,
    key::PublicKey,
    mail::{Address, Mail},
    statement::UnverifiedStatement,
    time::UnixMs,
};
use kirana_sync::wire::{Code, Request, Response};

use super::World;
use crate::{
    claim::Entry, fault::Fault, journal::Kept, node::NodeId, sometimes::Situation, view::read,
};

/// What a dishonest hub is up to, and the mail that it once saw.
#[derive(Debug, Default)]
pub struct Mischief {
    /// Until when it throws away mail that it says it stored.
    pub drops_until: UnixMs,
    /// Until when it changes what it hands out.
    pub mutates_until: UnixMs,
    /// How many more times it hands out old mail.
    pub replays: u32,
    seen: BTreeMap<Address, Vec<Mail>>,
}

/// Old mail that a dishonest hub keeps per recipient.
const SEEN_MAX: usize = 12;

impl World {
    pub(super) fn hub_answers(
        &mut self,
        hub: NodeId,
        peer: &PublicKey,
        request: Request,
    ) -> Option<Response> {
        let truth = self.schedule.now();
        if let Request::Put { mail } = &request {
            let mischief = self.mischief.entry(hub).or_default();
            let seen = mischief.seen.entry(mail.to).or_default();
            if seen.len() < SEEN_MAX {
                seen.push(mail.clone());
            }
            if truth < mischief.drops_until && self.people.permille(500) {
                self.struck(Fault::RelayDrop, hub);
                if let Some(device) = self.node_of(peer.id()) {
                    let orders = self.journal.under_way_of(device);
                    self.journal.dropped_orders.extend(orders);
                }
                return Some(Response::Stored { id: mail.id() });
            }
        }
        let machine = self.hubs.get_mut(&hub)?;
        let now = machine.clock.read(truth);
        let program = machine.program.as_ref()?;
        let mut response = program.answer(now, peer, request.clone());
        self.note_hub(hub, &request, &response);
        if let (Request::List { address, .. }, Response::Mails { items, .. }) =
            (&request, &mut response)
        {
            self.spoil(hub, address, items);
        }
        Some(response)
    }

    fn note_hub(&mut self, hub: NodeId, request: &Request, response: &Response) {
        match (request, response) {
            (Request::Put { mail }, Response::Stored { id }) => {
                let kept = Kept { to: mail.to, until: mail.until };
                self.journal.kept_by.entry(hub).or_default().insert(*id, kept);
            }
            // Whoever asked for it needs the mail no more, whatever became of the answer.
            (Request::Delete { ids }, _) => {
                if let Some(kept) = self.journal.kept_by.get_mut(&hub) {
                    kept.retain(|id, _| !ids.contains(id));
                }
            }
            (Request::Put { .. }, Response::Refused(refused)) if refused.code == Code::Quota => {
                self.met(Situation::QuotaRefused);
            }
            (Request::Put { .. }, Response::Refused(refused))
                if refused.code == Code::NotCertified =>
            {
                self.met(Situation::RevokedRefused);
            }
            _ => {}
        }
    }

    /// A dishonest hub changes mail, or hands out what was deleted long ago.
    fn spoil(&mut self, hub: NodeId, address: &Address, items: &mut Vec<(u64, Mail)>) {
        let truth = self.schedule.now();
        let Some(mischief) = self.mischief.get_mut(&hub) else { return };
        let mutates = truth < mischief.mutates_until;
        let replays = mischief.replays > 0;
        let old = mischief.seen.get(address).cloned().unwrap_or_default();
        if replays && !old.is_empty() {
            mischief.replays -= 1;
            let last = items.last().map_or(0, |(cursor, _)| *cursor);
            let room = kirana_sync::wire::limit::MAILS_MAX.saturating_sub(items.len());
            for (n, mail) in (1..).zip(old.into_iter().take(room.min(4))) {
                items.push((last + n, mail));
            }
            self.struck(Fault::RelayReplay, hub);
        }
        for (_, mail) in items.iter_mut().filter(|_| mutates) {
            let at = self.people.below(mail.sealed.len() as u64);
            if let Some(byte) = mail.sealed.get_mut(usize::try_from(at).unwrap_or_default()) {
                *byte ^= 1 << self.people.below(8);
            }
            self.faults.count(Fault::RelayMutate, true);
            self.met.count(Situation::MutationRefused);
        }
    }

    /// Looks at what a box is about to say: nobody may delete what it has not stored.
    pub(super) fn look_at_request(&mut self, client: NodeId, request: &Request) {
        let Request::Delete { ids } = request else { return };
        let Some(machine) = self.devices.get(&client) else { return };
        for id in ids {
            let Some(entries) = self.journal.handed_to.get(&(client, *id)) else { continue };
            for (order, hash) in entries {
                if read::device_lacks(&machine.database, *order, *hash) {
                    let what =
                        format!("{client}: entry {hash} of {order} was acknowledged, not kept");
                    self.broken.push(("P7", what));
                }
            }
        }
    }

    /// Looks at what a box is about to hear: every entry that a shop ever signed is noted.
    pub(super) fn look_at_response(&mut self, client: NodeId, response: &Response) {
        let Some(seat) = self.town.devices.get(&client) else { return };
        let secrets = [seat.keys.sealing.clone()];
        if let Response::Welcome { certificates, .. } = response {
            self.saw_boxes(client, certificates);
        }
        let Response::Mails { items, .. } = response else { return };
        for (_, mail) in items {
            let Ok(parcel) = envelope::open(&mail.sealed, &secrets) else { continue };
            self.saw_boxes(client, &parcel.certificates);
            let mut entries = Vec::new();
            for bytes in &parcel.statements {
                let Some(entry) = self.genuine(bytes) else { continue };
                entries.push((entry.statement.order, entry.hash));
                self.saw(&entry);
            }
            self.journal.handed_to.insert((client, mail.id()), entries);
        }
    }

    /// Notes which boxes showed themselves to a device.
    fn saw_boxes(&mut self, device: NodeId, certificates: &[minicbor::bytes::ByteVec]) {
        for bytes in certificates {
            let Ok(read) = UnverifiedCertificate::parse(bytes) else { continue };
            let Standing::Node { shop, generation, .. } = read.claimed().standing else { continue };
            let heard = self.journal.heard.entry((device, shop)).or_default();
            *heard = generation.max(*heard);
        }
    }

    /// An entry, if one of the shops' boxes truly signed it.
    fn genuine(&self, bytes: &[u8]) -> Option<Entry> {
        let read = UnverifiedStatement::parse(bytes).ok()?;
        let key = self.town.boxes.get(&read.signer())?;
        read.verify(key).ok()?;
        Entry::read(bytes).ok()
    }

    /// Notes an entry that was seen outside of the shop that signed it.
    pub(super) fn saw(&mut self, entry: &Entry) {
        match self.journal.saw(entry) {
            Ok(true) => self.met(Situation::EntrySentAgain),
            Ok(false) => {}
            Err(clash) => self.broke("P1", clash),
        }
    }
}
