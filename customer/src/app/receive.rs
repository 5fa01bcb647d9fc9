//! Takes in what a shop sent: its entries, its refusals, and what it asks for.
//!
//! **Invariant:** whatever comes, however often and in whatever order, is stored before it counts,
//! and one set of entries gives one state.

use std::collections::BTreeMap;

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    envelope::{self, Parcel},
    hash::Hash,
    id::{AccountId, KhataId, OrderId, ShopId},
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    mail::Mail,
    order::{
        chain::{Author, Authored, Chain},
        entry::Body,
        merge,
        wish::{Answer, Refusal, Said},
    },
    statement::{Party, Position, SignedStatement, UnverifiedStatement},
    time::UnixMs,
    trust::{Certified, Distrust, Trust},
};
use kirana_migrations::{Abort, StoreError, Tx};
use minicbor::bytes::ByteVec;
use rusqlite::Connection;

use super::{Household, HouseholdError, chain, khata, sibling, write};
use crate::store::{
    journal, messages, order_head, orders, outbox,
    shops::{self, KnownShop},
    siblings,
    signers::{self, NodeKey},
};

/// What came of a piece of mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Orders about which something new is known.
    pub changed: Vec<OrderId>,
    /// Statements that need not be sent any more.
    pub settled: Vec<Hash>,
    /// Orders that the shop does not hold whole: it wants [`Household::chain_mail`] of each.
    pub wanted: Vec<OrderId>,
    /// Khatas about which something new is known.
    pub khatas: Vec<KhataId>,
    /// Khatas of which the shop has come further, or less far, than it said before.
    pub moved: Vec<OrderId>,
    /// Statements that were not believed, with the reason.
    pub doubted: Vec<String>,
}

impl Household {
    /// Opens mail for this device and stores what it says.
    ///
    /// # Errors
    /// When it is not for this device, damaged, or could not be stored. Nothing counts then.
    pub fn receive(&self, mail: &Mail, now: UnixMs) -> Result<Received, HouseholdError> {
        let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&self.keys.sealing))?;
        self.take_in(parcel, now)
    }

    /// Stores what a parcel says, however it came.
    ///
    /// # Errors
    /// As [`Household::receive`].
    pub fn take_in(&self, parcel: Parcel, now: UnixMs) -> Result<Received, HouseholdError> {
        self.admit_lists(&parcel.lists)?;
        let known_now = self.known_now(now);
        let own = self.own();
        let mut sorted = Sorted::default();
        self.db.reader.read(|reader| {
            let account = match self.party() {
                Party::Account(account) => Some(account),
                _ => None,
            };
            let (trust, certificates) = (&self.trust(), &self.certificates());
            let witness =
                Witness { reader, trust, own: &own, account, certificates, now: known_now };
            witness.meet_nodes(&parcel.certificates, &mut sorted)?;
            for bytes in &parcel.statements {
                witness.sort(bytes, &parcel.certificates, &mut sorted)?;
            }
            Ok::<_, HouseholdError>(())
        })?;
        for (order, hash) in sorted.named_messages() {
            let sealed = parcel.personal_part(hash).map(|part| self.seal_message(part));
            sorted.messages.extend(sealed.map(|sealed| (hash, order, sealed)));
        }
        sorted.books.complete(self, &parcel);
        let doubted = std::mem::take(&mut sorted.doubted);
        let met: Vec<_> = sorted.shops.values().map(|shop| (shop.id, shop.owner)).collect();
        let received = write(&self.db, move |tx| sorted.store(tx, &own, now))?;
        self.follow_owners(met);
        Ok(Received { doubted, ..received })
    }
}

/// Statements whose authors are known, ready to be stored.
#[derive(Default)]
struct Sorted {
    orders: BTreeMap<OrderId, Brought>,
    answers: Vec<(SignedStatement, Answer, NodeKey)>,
    nodes: Vec<NodeKey>,
    shops: BTreeMap<ShopId, KnownShop>,
    /// Entries of khatas.
    books: khata::Books,
    /// What was written about the orders, encrypted.
    messages: Vec<(Hash, OrderId, Vec<u8>)>,
    doubted: Vec<String>,
}

/// What came about one order.
#[derive(Default)]
pub(super) struct Brought {
    /// The first entry, by this device or another one of the account: shops send it back with theirs.
    pub(super) first: Option<Authored>,
    /// The other device that signed the first entry, if one did.
    pub(super) sibling: Option<PublicKey>,
    /// The shop's entries.
    pub(super) entries: Vec<Authored>,
}

impl Brought {
    fn begin_anew(&self, held: &chain::Held) -> Option<Chain> {
        held.begun_anew(self.first.as_ref()?)
    }
}

/// Finds out who wrote what came.
struct Witness<'a> {
    reader: &'a Connection,
    trust: &'a Trust,
    own: &'a chain::Own,
    account: Option<AccountId>,
    /// This device's own, leaf first.
    certificates: &'a [ByteVec],
    now: KnownNow,
}

impl Witness<'_> {
    fn sort(
        &self,
        bytes: &[u8],
        certificates: &[ByteVec],
        sorted: &mut Sorted,
    ) -> Result<(), HouseholdError> {
        let read = match UnverifiedStatement::parse(bytes) {
            Ok(read) => read,
            Err(damage) => return doubt(sorted, damage),
        };
        if read.signer() == self.own.keys.id() {
            if let Some(first) = self.own.first_entry(read) {
                let order = first.entry.statement().order;
                sorted.orders.entry(order).or_default().first = Some(first);
            }
            return Ok(());
        }
        if let Some((account, key)) = self.sibling(read.signer(), certificates)? {
            let first = chain::first_entry(read, &key);
            let own = Author::customer(Party::Account(account));
            if let Some(first) = first.filter(|first| first.author == own) {
                let brought = sorted.orders.entry(first.entry.statement().order).or_default();
                (brought.first, brought.sibling) = (Some(first), Some(key));
            }
            return Ok(());
        }
        let node = match self.node(read.signer(), certificates, sorted)? {
            Ok(node) => node,
            Err(distrust) => return doubt(sorted, distrust),
        };
        let entry = match read.verify(&node.key) {
            Ok(entry) => entry,
            Err(forged) => return doubt(sorted, forged),
        };
        match Said::of(entry.statement()) {
            Ok(Said::Answer(answer)) => sorted.answers.push((entry, answer, node)),
            Ok(Said::Khata(_)) => {
                let author = Author::node(node.shop, node.generation);
                sorted.books.push(Authored { entry, author });
            }
            Ok(Said::Entry(_)) | Ok(Said::Unknown { .. }) => {
                if matches!(entry.statement().position, Position::Entry { .. }) {
                    let author = Author::node(node.shop, node.generation);
                    let order = entry.statement().order;
                    let brought = sorted.orders.entry(order).or_default();
                    brought.entries.push(Authored { entry, author });
                }
            }
            Ok(Said::Wish(_)) => return doubt(sorted, "a shop does not ask like a customer"),
            Err(wrong) => return doubt(sorted, wrong),
        }
        sorted.nodes.push(node);
        Ok(())
    }

    /// Another device of the account, and its key: as it is known, or by the certificates that came.
    fn sibling(
        &self,
        signer: KeyId,
        certificates: &[ByteVec],
    ) -> Result<Option<(AccountId, PublicKey)>, StoreError> {
        let Some(account) = self.account else { return Ok(None) };
        let key = match siblings::get(self.reader, signer)? {
            Some(key) => Some(key),
            None => {
                let (trust, own) = (self.trust, self.certificates);
                sibling::Believed { account, trust, own }.certified(signer, certificates)
            }
        };
        Ok(key.map(|key| (account, key)))
    }

    /// The shop's node behind a key: by the certificates that came along, or as it is known.
    fn node(
        &self,
        signer: KeyId,
        certificates: &[ByteVec],
        sorted: &mut Sorted,
    ) -> Result<Result<NodeKey, Distrust>, HouseholdError> {
        let path = path_of(certificates, signer);
        let known = signers::get(self.reader, signer)?;
        let certified = match (self.trust.check(&path, self.now), known) {
            (Ok(certified), _) => certified,
            (Err(Distrust::Empty), Some(node)) => return Ok(Ok(node)),
            (Err(distrust), _) => return Ok(Err(distrust)),
        };
        let (Some(shop), Some(generation)) = (certified.shop(), certified.generation()) else {
            return Ok(Err(Distrust::NotAShop));
        };
        self.note_newer_node(shop, &certified, path, sorted)?;
        Ok(Ok(NodeKey { key: *certified.key(), shop, generation }))
    }

    /// A box of a shop shows itself in every mail, also where older boxes signed all that it says.
    fn meet_nodes(
        &self,
        certificates: &[ByteVec],
        sorted: &mut Sorted,
    ) -> Result<(), HouseholdError> {
        for bytes in certificates {
            let Ok(read) = UnverifiedCertificate::parse(bytes) else { continue };
            if !matches!(read.claimed().standing, Standing::Node { .. }) {
                continue;
            }
            // Whoever is not believed here is doubted with what it signed.
            let _ = self.node(read.claimed().key.id(), certificates, sorted)?;
        }
        Ok(())
    }

    /// A shop that came back from a backup, or has another owner, shows a node of the next
    /// generation; the pin follows where the owner who was pinned has consented.
    fn note_newer_node(
        &self,
        shop: ShopId,
        node: &Certified,
        path: Vec<ByteVec>,
        sorted: &mut Sorted,
    ) -> Result<(), HouseholdError> {
        let known = match sorted.shops.get(&shop) {
            Some(known) => Some(known.clone()),
            None => shops::get(self.reader, shop)?,
        };
        let generation = node.generation().unwrap_or_default();
        if let Some(known) = known.filter(|known| known.generation < generation) {
            let owner = node.owner().unwrap_or(known.owner);
            sorted.shops.insert(shop, KnownShop { generation, owner, certificates: path, ..known });
        }
        Ok(())
    }
}

fn doubt(sorted: &mut Sorted, why: impl std::fmt::Display) -> Result<(), HouseholdError> {
    sorted.doubted.push(why.to_string());
    Ok(())
}

/// The certificates that lead from a key to its issuers, leaf first: of a shop's owner all, since
/// one may be a hub's and one the consent of the owner before.
pub(super) fn path_of(certificates: &[ByteVec], signer: KeyId) -> Vec<ByteVec> {
    let read: Vec<_> = certificates
        .iter()
        .filter_map(|bytes| Some((bytes, UnverifiedCertificate::parse(bytes).ok()?)))
        .collect();
    let mut path: Vec<ByteVec> = Vec::new();
    let mut wanted = vec![signer];
    while path.len() < kirana_core::trust::CHAIN_MAX {
        let Some((bytes, certificate)) = read.iter().find(|(bytes, certificate)| {
            let is_leaf = path.is_empty() || certificate.claimed().key.id() != signer;
            is_leaf && wanted.contains(&certificate.claimed().key.id()) && !path.contains(bytes)
        }) else {
            break;
        };
        path.push((*bytes).clone());
        wanted.push(certificate.claimed().issuer);
    }
    path
}

impl Sorted {
    /// The words that the shop's entries name, which may have come along.
    fn named_messages(&self) -> Vec<(OrderId, Hash)> {
        let mut named = Vec::new();
        for (order, brought) in &self.orders {
            for Authored { entry, .. } in &brought.entries {
                let body = Body::decode(entry.statement().kind, &entry.statement().body);
                named.extend(body.ok().and_then(|body| body.message()).map(|(_, m)| (*order, m)));
            }
        }
        named
    }

    fn store(
        &self,
        tx: &Tx<'_>,
        own: &chain::Own,
        now: UnixMs,
    ) -> Result<Received, Abort<HouseholdError>> {
        let mut received = Received::default();
        for node in &self.nodes {
            signers::put(tx, node)?;
        }
        for shop in self.shops.values() {
            super::shop::keep(tx, shop)?;
        }
        for (hash, order, sealed) in &self.messages {
            if orders::get(tx, *order)?.is_some() {
                messages::put(tx, *hash, *order, sealed)?;
            }
        }
        for (order, brought) in &self.orders {
            store_entries(tx, *order, brought, own, now, &mut received)?;
        }
        self.books.store(tx, now, &mut received)?;
        for (statement, answer, node) in &self.answers {
            store_answer(tx, statement, answer, (node, own), &mut received)?;
            if let Answer::HeadsReply(reply) = answer {
                let named = (&reply.heads[..], &reply.wanted[..]);
                received.moved.extend(khata::heard(tx, named, now)?);
            }
        }
        Ok(received)
    }
}

fn store_entries(
    tx: &Tx<'_>,
    id: OrderId,
    brought: &Brought,
    own: &chain::Own,
    now: UnixMs,
    received: &mut Received,
) -> Result<(), Abort<HouseholdError>> {
    // An entry about an order that no device of the account placed is nobody's business here.
    if orders::get(tx, id)?.is_none() && !sibling::take_over(tx, id, brought)? {
        return Ok(());
    }
    let held = chain::look(tx, id, own)?;
    let Some(ours) = held.sound.clone().or_else(|| brought.begin_anew(&held)) else {
        return Ok(());
    };
    let mut bag = brought.entries.clone();
    for bytes in orders::lost_entries(tx, id)? {
        bag.extend(chain::author(tx, &bytes, own)?);
    }
    for (_, bytes) in orders::early(tx, id)? {
        bag.extend(chain::author(tx, &bytes, own)?);
    }
    let merged = merge::merge(&ours, bag);
    let is_news = merged.chain != ours || held.sound.is_none();
    let is_all = merged.lost.is_empty() && merged.waiting.is_empty();
    if !is_news && is_all && held.faults.is_empty() {
        return settle(tx, &merged.chain, received);
    }
    for lost in &merged.lost {
        orders::mark_lost(tx, id, lost.entry.hash())?;
        orders::put_entry(tx, &lost.entry, true)?;
    }
    for entry in merged.chain.entries() {
        orders::put_entry(tx, entry.signed(), false)?;
        orders::forget_early(tx, id, entry.hash())?;
    }
    if !held.is_whole() {
        orders::drop_overtaken(tx, id, merged.chain.len(), merged.chain.generation())?;
    }
    for early in &merged.waiting {
        orders::put_early(tx, id, early.entry.hash(), early.entry.bytes())?;
    }
    let order = merged.chain.order();
    orders::put_right(tx, order)?;
    let newest = shops::get(tx, order.shop)?.map_or(0, |shop| shop.generation);
    if !order.is_open() && merged.chain.generation() < newest {
        orders::unconfirm(tx, id)?;
    }
    if let Some(ledger) = order.ledger {
        shops::set_ledger(tx, order.shop, ledger)?;
    }
    if merged.chain.intake().is_some() {
        journal::answered(tx, id, !order.stage.is_undecided(), now)?;
    }
    tx.note_head(order_head(id, merged.chain.len(), merged.chain.head()));
    if is_news {
        received.changed.push(id);
    }
    settle(tx, &merged.chain, received)
}

/// Takes out of the outbox what the shop's entries answer.
fn settle(
    tx: &Tx<'_>,
    chain: &Chain,
    received: &mut Received,
) -> Result<(), Abort<HouseholdError>> {
    if chain.intake().is_none() {
        return Ok(());
    }
    let requests = chain.entries().iter().filter_map(|entry| entry.body().granted());
    for answered in std::iter::once(chain.first().hash()).chain(requests) {
        if outbox::settle(tx, answered)? {
            received.settled.push(answered);
        }
    }
    Ok(())
}

fn store_answer(
    tx: &Tx<'_>,
    statement: &SignedStatement,
    answer: &Answer,
    (node, own): (&NodeKey, &chain::Own),
    received: &mut Received,
) -> Result<(), Abort<HouseholdError>> {
    match answer {
        Answer::HeadsReply(reply) => {
            received.wanted.extend(&reply.wanted);
            // What an older box had says nothing about the one that came after it.
            let newest =
                shops::get(tx, node.shop)?.is_some_and(|s| s.generation == node.generation);
            for order in reply.same.iter().filter(|_| newest) {
                orders::confirm(tx, node.shop, *order)?;
            }
            for order in &reply.same {
                put_right(tx, *order, own)?;
            }
        }
        Answer::Refusal(refusal) => store_refusal(tx, statement, refusal, received)?,
    }
    Ok(())
}

/// Writes the rows of an order anew whose entries all hold, where what was noted beside them does
/// not: the shop has nothing to send then.
fn put_right(tx: &Tx<'_>, id: OrderId, own: &chain::Own) -> Result<(), StoreError> {
    let held = chain::look(tx, id, own)?;
    let Some(chain) = held.sound.as_ref().filter(|_| held.is_whole()) else { return Ok(()) };
    for entry in chain.entries().iter().filter(|_| !held.faults.is_empty()) {
        orders::put_entry(tx, entry.signed(), false)?;
    }
    Ok(())
}

/// A refusal for good of a request ends its sending; of an order, it ends the order, also where
/// this device had given up sending it.
fn store_refusal(
    tx: &Tx<'_>,
    statement: &SignedStatement,
    refusal: &Refusal,
    received: &mut Received,
) -> Result<(), StoreError> {
    let order = statement.statement().order;
    let waits = outbox::get(tx, refusal.answers)?.is_some_and(|waiting| waiting.order == order);
    let entries = orders::entries(tx, order)?;
    let is_of_order = matches!(&entries[..], [first] if first.hash == refusal.answers);
    if refusal.code.is_passing() || !(waits || is_of_order) {
        return Ok(());
    }
    orders::put_refusal(tx, statement, refusal.code.number())?;
    let mut settled = vec![refusal.answers];
    if is_of_order {
        orders::set_open(tx, order, false)?;
        settled.extend(outbox::of_order(tx, order)?);
    }
    for hash in settled {
        if outbox::settle(tx, hash)? {
            received.settled.push(hash);
        }
    }
    received.changed.push(order);
    Ok(())
}
