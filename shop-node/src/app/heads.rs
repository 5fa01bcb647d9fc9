//! What a shop learns from its own earlier entries, when customers or another box bring them.
//!
//! **Invariants:** a higher generation wins, and a box that meets one writes no more; an order that
//! is adopted is reserved again by the shortage rule, so nothing is promised twice (P2).

use std::collections::BTreeMap;

use kirana_core::{
    id::OrderId,
    key::PublicKey,
    order::{
        chain::{Author, Authored, Chain},
        entry::Body,
        facts::{Adopted, ShortLine},
        merge,
        wish::Said,
    },
    spoken::ShortNumber,
    statement::Party,
};
use kirana_migrations::{Abort, StoreError};

use super::{
    Undeliverable,
    desk::Desk,
    ledger,
    reading::{By, Read, Reading},
};
use crate::store::{
    known::{self, Generation},
    offers,
    orders::{self, OrderRow},
    settings::{self, Setting},
};

impl Desk<'_, '_> {
    /// Learns the boxes that came along; says why this one must stop, if one outranks it.
    pub(crate) fn meet_boxes(&self, reading: &Reading) -> Result<Option<String>, StoreError> {
        let (own, own_key) = (self.shop.generation, self.shop.keys.node.signing.public());
        for met in &reading.boxes {
            let n = met.generation;
            if n > own {
                let certificate = minicbor::bytes::ByteVec::from(met.certificate.clone());
                settings::put(self.tx, Setting::NewerBox, &certificate)?;
                return Ok(Some(format!("box {n} speaks for the shop now, this is box {own}")));
            }
            if n == own && met.key != own_key {
                return Ok(Some(format!("two boxes say that they are box {n}: restore one anew")));
            }
            if n < own {
                let (certificate, since) = (met.certificate.clone(), met.since);
                let generation = Generation { n, node: met.key, certificate, since };
                known::add_generation(self.tx, &generation)?;
            }
        }
        Ok(None)
    }

    /// Takes over the shop's own earlier entries that somebody brings back.
    pub(crate) fn adopt(&mut self, reading: &Reading) -> Result<(), Abort<Undeliverable>> {
        let mut brought: BTreeMap<(Party, OrderId), Vec<Authored>> = BTreeMap::new();
        for read in &reading.statements {
            if let (By::Node { generation }, Said::Entry(_)) = (&read.by, &read.said) {
                let statement = read.signed.statement();
                let author = Author::node(self.shop.identity.shop, *generation);
                let authored = Authored { entry: read.signed.clone(), author };
                brought.entry((statement.to, statement.order)).or_default().push(authored);
            }
        }
        for ((customer, id), bag) in brought {
            let row = orders::find(self.tx, &customer, id)?;
            let (ours, device) = match &row {
                Some(row) => match self.whole(row)? {
                    Some(chain) => (chain, row.device),
                    // What came did not mend it: there is nothing sound to go on from.
                    None => continue,
                },
                None => match first_of(reading, customer, id) {
                    Some((read, device)) => {
                        let chain = Chain::begin(read.signed.clone(), Author::customer(customer));
                        (chain.map_err(|e| Abort::Refused(Undeliverable::Chain(e)))?, device)
                    }
                    // Without its beginning a chain proves nothing.
                    None => return Err(Abort::Refused(Undeliverable::WrongAuthor)),
                },
            };
            self.adopt_order(row, &ours, &device, bag)?;
        }
        Ok(())
    }

    fn adopt_order(
        &mut self,
        row: Option<OrderRow>,
        ours: &Chain,
        device: &PublicKey,
        bag: Vec<Authored>,
    ) -> Result<(), StoreError> {
        let merged = merge::merge(ours, bag);
        if row.is_some() && merged.chain.head() == ours.head() && merged.lost.is_empty() {
            return Ok(());
        }
        let mut chain = merged.chain;
        let row = match row {
            Some(row) => {
                let same = ours.entries().iter().zip(chain.entries());
                let fork = same.take_while(|(o, t)| o.hash() == t.hash()).count() as u32;
                orders::lose_entries(self.tx, row.n, fork)?;
                orders::extend(self.tx, row.n, &chain, fork)?;
                orders::by_number(self.tx, row.n)?
            }
            None => {
                self.remember_customer(&chain.order().customer)?;
                let (shop, id) = (self.shop.identity.shop, chain.order().id);
                let n = orders::insert(
                    self.tx,
                    &chain,
                    device,
                    &ShortNumber::of(shop, id).to_string(),
                )?;
                orders::by_number(self.tx, n)?
            }
        };
        for lost in &merged.lost {
            let Author::Node { generation, .. } = lost.author else { continue };
            let seq = seq_of(lost);
            orders::keep_lost(self.tx, row.n, seq, &lost.entry, generation)?;
        }
        // What an older box took in is money of this shop.
        self.take_for_order(&row, &chain, 0, None)?;
        self.adopt_payment(&row, &chain)?;
        orders::stop_waiting(self.tx, row.n)?;
        self.reserve_again(&row, &mut chain)
    }

    /// Makes the ledger hold what an order promises that goes on after a restore, as far as it is there; what is not
    /// there is told as a shortage.
    pub(crate) fn reserve_again(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), StoreError> {
        self.release_all(row)?;
        let mut short = Vec::new();
        let promised: Vec<(u16, u64)> = chain.order().reserved().collect();
        let open = chain.order().is_open();
        for (line, amount) in promised.into_iter().filter(|_| open) {
            let Some(variant) = chain.order().held_variant(line) else { continue };
            let shelf = offers::get(self.tx, variant)?;
            if !shelf.as_ref().is_some_and(|shelf| shelf.counted) {
                continue;
            }
            let location = self.shop.identity.location;
            let free = crate::store::stock::balance(self.tx, variant, location)?.available(0);
            let granted = amount.min(free);
            if granted > 0 {
                self.reserve(row, line, variant, granted)?;
            }
            if granted < amount && chain.order().holds().any(|(held, _)| held == line) {
                short.push(ShortLine { line, granted });
            }
        }
        let (ledger_n, ledger_head) = ledger::head(self.tx, self.shop.identity.shop)?;
        if chain.generation() < self.shop.generation && open && chain.len() > 1 {
            let body = Body::Adopted(Adopted { ledger: ledger_head });
            self.append(row, chain, &body).map_err(|e| e.into_fault(row))?;
        }
        if !chain.order().stage.is_undecided() {
            orders::decided(self.tx, row.n, ledger_n)?;
        }
        if !short.is_empty() {
            self.tell_shortage(&orders::by_number(self.tx, row.n)?, short)?;
            *chain = orders::chain(self.tx, &orders::by_number(self.tx, row.n)?)?;
        }
        Ok(())
    }
}

fn first_of(reading: &Reading, customer: Party, id: OrderId) -> Option<(&Read, PublicKey)> {
    reading.statements.iter().find_map(|read| match (&read.by, &read.said) {
        (By::Customer(device), Said::Entry(Body::Placed(_)))
            if device.party == customer && read.signed.statement().order == id =>
        {
            Some((read, *device.certified.key()))
        }
        _ => None,
    })
}

fn seq_of(authored: &Authored) -> u32 {
    match authored.entry.statement().position {
        kirana_core::statement::Position::Entry { seq, .. } => seq,
        kirana_core::statement::Position::Request { .. } => 0,
    }
}
