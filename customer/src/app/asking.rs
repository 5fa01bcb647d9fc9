//! What a household asks of a shop about an order that was placed: changes, answers, complaints.
//!
//! **Invariant (P1):** a request is stored with the words that it names before it counts as made, and
//! waits until the shop has answered it.

use kirana_core::{
    cbor,
    envelope::{PHOTO_BYTES_MAX, PersonalPart},
    hash::Hash,
    id::OrderId,
    order::{
        chain::Entry,
        entry::Body,
        facts::{CancelReason, Grievance, Question, Side},
        placed::Alteration,
        wish::{Approve, Cancel, Change, Complain, ComplaintStep, Dispute, Said, Wish, Withdraw},
    },
    statement::UnverifiedStatement,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::StoreError;
use rand_core::CryptoRng;
use rusqlite::Connection;
use serde::Serialize;

use super::{Household, HouseholdError, chain, write};
use crate::store::{
    messages, once,
    outbox::{self, Waiting},
    shops,
};

/// The longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 2_000;

/// What somebody wrote about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Which side.
    pub by: Side,
    /// When the shop wrote it down.
    pub at: UnixMs,
    /// The words; nothing where they did not come along.
    pub says: Option<String>,
    /// The photo that went with them, by its salted hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
}

/// What a customer says about a complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaining {
    /// What is done.
    pub step: ComplaintStep,
    /// About what.
    pub about: Grievance,
    /// About which lines.
    pub lines: Vec<u16>,
    /// The words; may be empty.
    pub says: String,
    /// A photo: a JPEG of at most [`PHOTO_BYTES_MAX`].
    pub photo: Option<Vec<u8>>,
}

impl Household {
    /// Asks the shop to forget an order: it may, as long as it has not decided.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when it could not be stored.
    pub fn withdraw(
        &self,
        order: OrderId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        self.ask_once(order, (Vec::new(), None), now, rng, |head, anchors| {
            Wish::Withdraw(Withdraw { head: Some(head), anchors })
        })
    }

    /// Asks the shop to cancel an order that it has accepted.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when it could not be stored.
    pub fn cancel(
        &self,
        order: OrderId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        self.ask_once(order, (Vec::new(), None), now, rng, |head, anchors| {
            let reason = CancelReason::NotWanted;
            Wish::Cancel(Cancel { reason, head: Some(head), anchors })
        })
    }

    /// Asks the shop for something else than was ordered, as long as nothing is packed; once for
    /// each key.
    ///
    /// # Errors
    /// [`HouseholdError::NoOrderLikeThat`] when it would make an order that cannot be, or as for
    /// [`Household::cancel`].
    pub fn change(
        &self,
        order: OrderId,
        (alteration, once): (Alteration, Option<Hash>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        alteration.apply(&self.order_chain(order)?.order().placed)?;
        self.ask_once(order, (Vec::new(), once), now, rng, |head, anchors| {
            Wish::Change(Change { alteration, head: Some(head), anchors })
        })
    }

    /// Answers the question that stands: for these lines the proposal may come, for the others that
    /// were asked about nothing comes.
    ///
    /// # Errors
    /// [`HouseholdError::NobodyAsks`] when no question stands or it is not about these lines, or as
    /// for [`Household::cancel`].
    pub fn approve(
        &self,
        order: OrderId,
        taken: Vec<u16>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        let chain = self.order_chain(order)?;
        let stands = |asked: &Question| {
            chain.order().groups.iter().any(|group| {
                group.stage.label() == "awaiting_answer" && group.question.as_ref() == Some(asked)
            })
        };
        let is_about = |asked: &Question| {
            taken.iter().all(|line| asked.proposals.iter().any(|p| p.line == *line))
        };
        let asked = chain.entries().iter().rev().filter_map(question);
        let mut asked = asked.filter(|(_, asked)| stands(asked) && is_about(asked));
        let (question, _) = asked.next().ok_or(HouseholdError::NobodyAsks)?;
        self.ask_once(order, (Vec::new(), None), now, rng, |head, anchors| {
            Wish::Approve(Approve { question, taken, head: Some(head), anchors })
        })
    }

    /// Complains, says more about a complaint, accepts an offer, or takes it to the hub.
    ///
    /// # Errors
    /// [`HouseholdError::MessageTooLong`], or as for [`Household::cancel`].
    pub fn complain(
        &self,
        order: OrderId,
        (complaining, once): (Complaining, Option<Hash>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, HouseholdError> {
        let Complaining { step, about, lines, says, photo } = complaining;
        let is_too_long = photo.as_ref().is_some_and(|photo| photo.len() > PHOTO_BYTES_MAX);
        if says.len() > MESSAGE_BYTES_MAX || is_too_long {
            return Err(HouseholdError::MessageTooLong);
        }
        let words = (!says.is_empty()).then(|| PersonalPart::new(says.into_bytes(), rng));
        let photo = photo.map(|photo| PersonalPart::new(photo, rng));
        let message = words.as_ref().map(PersonalPart::hash);
        let shown = photo.as_ref().map(PersonalPart::hash);
        let parts = words.into_iter().chain(photo).collect();
        self.ask_once(order, (parts, once), now, rng, |head, anchors| {
            let (head, photo) = (Some(head), shown);
            Wish::Complain(Complain { step, about, lines, message, head, anchors, photo })
        })
    }

    /// Stores a request, once for each key: the same key again within a day asks for nothing more.
    fn ask_once(
        &self,
        order: OrderId,
        (words, once): (Vec<PersonalPart>, Option<Hash>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        wish: impl FnOnce(Hash, Vec<Hash>) -> Wish,
    ) -> Result<Hash, HouseholdError> {
        let own = self.own();
        let (shop, head, anchors) = self.db.reader.read(|reader| {
            let chain = chain::load(reader, order, &own)?;
            let shop = chain.order().shop;
            let anchors: Vec<Hash> = shops::ledger(reader, shop)?.into_iter().collect();
            Ok::<_, HouseholdError>((shop, chain.head(), anchors))
        })?;
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let request = wish(head, anchors).sign(order, shop, now, id, &self.keys.signing);
        let hash = request.hash();
        let until = now.plus_ms(REQUEST_KEPT_MS);
        let bytes = request.bytes().to_vec();
        let waiting = Waiting { hash, shop, order, bytes, until, queued_at: now };
        let words = words.iter().map(|part| (part.hash(), self.seal_message(part)));
        let words: Vec<_> = words.collect();
        write(&self.db, move |tx| {
            if let Some(key) = once
                && !once::note(tx, key, now)?
            {
                return Ok(());
            }
            for (named, sealed) in &words {
                messages::put(tx, *named, order, sealed)?;
            }
            Ok(outbox::put(tx, &waiting)?)
        })?;
        Ok(hash)
    }

    /// What both sides wrote about an order, oldest first.
    pub(super) fn messages(
        &self,
        reader: &Connection,
        entries: &[Entry],
    ) -> Result<Vec<Message>, StoreError> {
        let mut all = Vec::new();
        for entry in entries {
            let (named, photo) = (entry.body().message(), entry.body().photo());
            let (by, part) = match (named, photo) {
                (Some((by, hash)), _) => (by, self.message(reader, hash)?),
                (None, Some(_)) => (Side::Customer, None),
                (None, None) => continue,
            };
            let says = part.map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
            all.push(Message { by, at: entry.at(), says, photo });
        }
        Ok(all)
    }

    /// The words and the photo that a waiting request names, as they go along with it.
    pub(super) fn words_for(
        &self,
        reader: &Connection,
        statement: &[u8],
    ) -> Result<Vec<PersonalPart>, StoreError> {
        let Ok(read) = UnverifiedStatement::parse(statement) else { return Ok(Vec::new()) };
        let named = match Said::of(read.claimed()) {
            Ok(Said::Wish(Wish::Complain(Complain { message, photo, .. }))) => [message, photo],
            Ok(Said::Wish(Wish::Dispute(Dispute { message, .. }))) => [message, None],
            _ => [None, None],
        };
        let parts = named.into_iter().flatten().map(|hash| self.message(reader, hash));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub(super) fn message(
        &self,
        reader: &Connection,
        hash: Hash,
    ) -> Result<Option<PersonalPart>, StoreError> {
        let Some(sealed) = messages::get(reader, hash)? else { return Ok(None) };
        let damaged = || StoreError::damaged("a message", hash);
        let plain = self.disk.open(MESSAGE, &sealed).ok_or_else(damaged)?;
        let part: PersonalPart =
            cbor::from_slice("a message", &plain, STORED_BYTES_MAX).map_err(|_| damaged())?;
        if part.hash() == hash { Ok(Some(part)) } else { Err(damaged()) }
    }

    /// Encrypts words with their salt, as they are stored.
    pub(super) fn seal_message(&self, part: &PersonalPart) -> Vec<u8> {
        self.disk.seal(MESSAGE, &cbor::to_vec(part))
    }
}

/// The question that an entry asks, with the entry's hash.
fn question(entry: &Entry) -> Option<(Hash, &Question)> {
    match entry.body() {
        Body::Question(question) => Some((entry.hash(), question)),
        _ => None,
    }
}

const MESSAGE: &str = "a message about an order";
/// The longest stored message, in bytes: far beyond what may be sent.
const STORED_BYTES_MAX: usize = 2 * PHOTO_BYTES_MAX;
/// How long a request is worth sending: thirty days.
pub(super) const REQUEST_KEPT_MS: u64 = 30 * DAY_MS;
