//! Enemies: they speak in others' names, use stolen devices, and fill hubs with their mail.

use kirana_core::{
    certificate::{Certificate, UnverifiedCertificate},
    envelope::{self, Parcel},
    id::OrderId,
    key::KeyPair,
    mail::Address,
    money::Currency,
    order::placed::{Handover, Method, Placed, WantedLine},
    quantity::Quantity,
    revocation::RevocationList,
    stamp,
    statement::Party,
    time::DAY_MS,
};
use kirana_sync::wire::{Request, Response};
use minicbor::bytes::ByteVec;

use super::World;
use crate::{
    enemy::renamed, fault::Fault, goods::Good, node::NodeId, plan::HOUR_MS, sometimes::Situation,
};

impl World {
    /// Orders in the name of a household that never asked: once under the enemy's own key, once
    /// with the victim's key written over it.
    pub(super) fn forge(&mut self, node: NodeId) {
        let accounts: Vec<(NodeId, Party)> = self
            .town
            .devices
            .iter()
            .filter_map(|(device, seat)| Some((*device, Party::Account(seat.account?))))
            .collect();
        let Some((victim, party)) = self.people.pick(&accounts).copied() else { return };
        let enemy = KeyPair::from_seed(self.people.bytes());
        for claims_the_key in [false, true] {
            let Some(parcel) = self.forged_order(node, victim, party, &enemy, claims_the_key)
            else {
                return;
            };
            self.deliver_forged(node, parcel, &enemy);
        }
    }

    fn forged_order(
        &mut self,
        node: NodeId,
        victim: NodeId,
        party: Party,
        enemy: &KeyPair,
        claims_the_key: bool,
    ) -> Option<Parcel> {
        let (shop, now) = (self.shop_id(node)?, self.now());
        let NodeId::Shop(n) = node else { return None };
        let good: Good = self.town.shops.get(usize::from(n))?.goods.first()?.clone();
        let quantity = Quantity::new(1, Good::UNIT).ok()?;
        let placed = Placed {
            customer: party,
            currency: Currency::INR,
            lines: vec![WantedLine::new(good.product, good.variant, quantity, good.price)],
            handover: Handover::Pickup { slot: None },
            payment: Method::OnDelivery,
            partial_ok: false,
            personal: None,
            anchors: Vec::new(),
            generation: 1,
            fee: None,
            of_age: None,
        };
        let order = OrderId::new(now, self.people.bytes());
        let until = now.plus_ms(DAY_MS);
        let signed = placed.sign(order, shop, now, until, &enemy.signing).ok()?;
        let seat = self.town.devices.get(&victim)?;
        let own = self.certificate_of(enemy);
        let (statement, certificates) = match claims_the_key {
            false => (signed.bytes().to_vec(), vec![own]),
            true => (renamed(signed.bytes(), enemy.id(), seat.keys.id()), seat.chain.clone()),
        };
        let statements = vec![ByteVec::from(statement)];
        Some(Parcel { statements, certificates, ..Parcel::default() })
    }

    fn certificate_of(&self, enemy: &KeyPair) -> ByteVec {
        let mut dice = crate::dice::Dice::new(0, "an enemy's certificate");
        let sealing = enemy.sealing.public();
        let guest = Certificate::of_guest(&enemy.signing, sealing, self.now(), dice.source());
        guest.bytes().to_vec().into()
    }

    fn deliver_forged(&mut self, node: NodeId, parcel: Parcel, enemy: &KeyPair) {
        let NodeId::Shop(n) = node else { return };
        let Some(seat) = self.town.shops.get(usize::from(n)) else { return };
        let (shop, to) = (seat.shop, seat.keys.node.sealing.public());
        let Ok(sealed) = envelope::seal(&parcel, &to, self.people.source()) else { return };
        let (own, until) = (vec![self.certificate_of(enemy)], self.now().plus_ms(DAY_MS));
        let mail = stamp::post(&enemy.signing, own, Address::Shop(shop), until, sealed);
        self.struck(Fault::Forgery, node);
        let peer = enemy.signing.public();
        if let Some(Response::Refused(_)) = self.shop_answers(node, &peer, Request::Put { mail }) {
            self.met(Situation::ForgeryRefused);
        }
        self.bury_the_dead(node);
    }

    /// A device is stolen: the hub revokes it, and whoever has it goes on ordering.
    pub(super) fn steal(&mut self, device: NodeId) {
        let now = self.now();
        let Some(seat) = self.town.devices.get_mut(&device) else { return };
        let (Some(account), Some(leaf)) = (seat.account, seat.chain.first()) else { return };
        let Ok(certificate) = UnverifiedCertificate::parse(leaf) else { return };
        seat.is_stolen = true;
        self.town.revoked.insert(certificate.claimed().serial);
        self.journal.stolen.insert(Party::Account(account));
        let list = RevocationList::next(0, now, self.town.revoked.clone());
        let Ok(list) = list else { return };
        let list = list.sign(&self.town.central).bytes().to_vec();
        for machine in self.hubs.values_mut() {
            let own = machine.clock.read(now);
            if let Some(program) = &machine.program {
                program.admit_list(&list, own);
            }
        }
        for shop in self.shops.keys().copied().collect::<Vec<_>>() {
            for hub in self.hubs.keys().copied().collect::<Vec<_>>() {
                self.hang_up(shop, hub);
            }
        }
    }

    /// A device has filled its share of a hub.
    pub(super) fn flood(&mut self, hub: NodeId) {
        let devices: Vec<NodeId> = self.devices.keys().copied().collect();
        let Some(device) = self.people.pick(&devices).copied() else { return };
        let Some(sender) = self.devices.get(&device).map(|machine| machine.key_id()) else {
            return;
        };
        let now = self.now();
        let until = i64::try_from(now.plus_ms(4 * HOUR_MS).get()).unwrap_or(i64::MAX);
        let Some(machine) = self.hubs.get(&hub) else { return };
        let written = machine.database.writer.write(move |tx| {
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT OR REPLACE INTO mail
                   (id, recipient, sender, size, until, stored_at, bytes)
                 SELECT CAST(printf('%032d', i) AS BLOB), x'00', ?1, 1, ?2, 0, x'' FROM n",
                (sender.as_bytes(), until),
            )?;
            Ok::<_, kirana_migrations::Abort<()>>(())
        });
        drop(written);
        self.bury_the_dead(hub);
    }

    /// Whoever filled hubs is told to stop.
    pub(super) fn drain(&mut self) {
        for machine in self.hubs.values() {
            let drained = machine.database.writer.write(|tx| {
                tx.execute("DELETE FROM mail WHERE recipient = x'00'", [])?;
                Ok::<_, kirana_migrations::Abort<()>>(())
            });
            drop(drained);
        }
    }
}
