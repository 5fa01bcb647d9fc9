//! Complaints: what customers say after the goods came, and what the shop answers.
//!
//! **Invariant (P4):** words stand in no entry, only their salted hash; they are kept encrypted under
//! the customer's key and travel sealed beside the entry, so that erasing a person breaks no chain.

use kirana_core::{
    at_rest::{open, seal},
    cbor,
    envelope::{PHOTO_BYTES_MAX, Parcel, PersonalPart},
    hash::Hash,
    order::{
        axes::Complaint,
        chain::Chain,
        entry::{Body, Kind},
        facts::{
            ComplaintAnswered, ComplaintFollowed, ComplaintOpened, ComplaintSettled, Settlement,
            Side,
        },
        wish::{Complain, ComplaintStep, RefusalCode},
    },
    statement::{Party, UnverifiedStatement},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use serde::Serialize;

use super::{
    Inner, Shop,
    desk::{AppendError, Desk},
    orders::{self, NotDone, Which},
};
use crate::store::{
    orders::{OrderRow, entry_bytes},
    people,
};

/// How long a shop has to answer a complaint, in milliseconds: three days.
pub const COMPLAINT_ANSWER_MS: u64 = 3 * DAY_MS;
/// Photos that may come with the complaints about one order.
pub const PHOTOS_MAX: usize = 8;
/// The longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 2_000;

/// What somebody wrote about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Which side.
    pub by: Side,
    /// When.
    pub at: UnixMs,
    /// The words; nothing where they were erased or never came.
    pub says: Option<String>,
    /// By what name the customer's photo can be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
}

impl Shop {
    /// What both sides wrote about an order, oldest first.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order, or something is stored that cannot be read.
    pub fn messages(&self, which: Which) -> Result<Vec<Message>, NotDone> {
        self.reader().read(|c| {
            let row = orders::one(c, which).map_err(orders::plain)?;
            let chain = orders::whole(c, &row).map_err(orders::plain)?;
            let mut messages = Vec::new();
            for entry in chain.entries() {
                let (named, photo) = (entry.body().message(), entry.body().photo());
                let (by, part) = match (named, photo) {
                    (Some((by, hash)), _) => (by, self.inner.message(c, &row.customer, hash)?),
                    (None, Some(_)) => (Side::Customer, None),
                    (None, None) => continue,
                };
                let says = part.map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
                messages.push(Message { by, at: entry.at(), says, photo });
            }
            Ok(messages)
        })
    }

    /// The photo of this name that came with an order's complaint, as it came; `None` where it was erased
    /// or never came.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order, or something is stored that cannot be read.
    pub fn photo(&self, which: Which, photo: Hash) -> Result<Option<Vec<u8>>, NotDone> {
        self.reader().read(|c| {
            let row = orders::one(c, which).map_err(orders::plain)?;
            let chain = orders::whole(c, &row).map_err(orders::plain)?;
            let named = chain.entries().iter().any(|entry| entry.body().photo() == Some(photo));
            let part = match named {
                true => self.inner.message(c, &row.customer, photo)?,
                false => None,
            };
            Ok(part.map(|part| part.bytes))
        })
    }
}

impl Inner {
    /// The words with this hash, with their salt.
    pub(super) fn message(
        &self,
        c: &Connection,
        customer: &Party,
        hash: Hash,
    ) -> Result<Option<PersonalPart>, StoreError> {
        let (Some(wrapped), Some(sealed)) =
            (people::wrapped_key(c, customer)?, people::part(c, hash)?)
        else {
            return Ok(None);
        };
        let damaged = || StoreError::damaged("a message of", customer);
        let key = self.keys.unwrap(&wrapped).ok_or_else(damaged)?;
        let plain = open(&key, &[], &sealed).ok_or_else(damaged)?;
        let part: PersonalPart =
            cbor::from_slice("a message", &plain, 2 * PHOTO_BYTES_MAX).map_err(|_| damaged())?;
        if part.hash() == hash { Ok(Some(part)) } else { Err(damaged()) }
    }

    /// The words that the entries of an order name, to travel beside them. Photos do not travel back: the
    /// device that took one has it.
    pub(super) fn messages_of(
        &self,
        c: &Connection,
        row: &OrderRow,
    ) -> Result<Vec<PersonalPart>, StoreError> {
        let mut parts = Vec::new();
        for bytes in entry_bytes(c, row.n)? {
            let read = UnverifiedStatement::parse(&bytes);
            let read = read.map_err(|e| StoreError::damaged("an entry of order", e))?;
            let kind = Kind::from_number(read.claimed().kind);
            if !kind.is_some_and(Kind::is_of_complaint) {
                continue;
            }
            let body = Body::decode(read.claimed().kind, &read.claimed().body);
            let body = body.map_err(|e| StoreError::damaged("an entry of order", e))?;
            if let Some((_, hash)) = body.message() {
                parts.extend(self.message(c, &row.customer, hash)?);
            }
        }
        Ok(parts)
    }
}

impl Desk<'_, '_> {
    /// A customer complains, says more, accepts, or goes to the hub; says why not.
    pub(super) fn hear_complaint(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        request: Hash,
        (complain, parcel): (&Complain, &Parcel),
    ) -> Result<Option<RefusalCode>, StoreError> {
        let (message, answer_by) = (complain.message, self.now.at.plus_ms(COMPLAINT_ANSWER_MS));
        let part = message.map(|hash| parcel.personal_part(hash));
        if part.is_some_and(|part| part.is_none_or(|part| part.bytes.len() > MESSAGE_BYTES_MAX)) {
            return Ok(Some(RefusalCode::NoMessage));
        }
        let photo = complain.photo;
        let shown = photo.map(|hash| parcel.personal_part(hash));
        let before = chain.entries().iter().filter(|entry| entry.body().photo().is_some()).count();
        if photo.is_some() && before >= PHOTOS_MAX {
            return Ok(Some(RefusalCode::NotNow));
        }
        if shown.is_some_and(|part| part.is_none_or(|part| !is_jpeg(&part.bytes))) {
            return Ok(Some(RefusalCode::NoMessage));
        }
        let followed = ComplaintFollowed { request, message, answer_by, photo };
        let body = match (complain.step, chain.order().complaint) {
            (ComplaintStep::Open, _) => Body::ComplaintOpened(ComplaintOpened {
                request,
                about: complain.about,
                lines: complain.lines.clone(),
                message,
                answer_by,
                photo,
            }),
            (ComplaintStep::More, _) => Body::ComplaintContinued(followed),
            (ComplaintStep::Escalate, _) => Body::ComplaintEscalated(followed),
            (ComplaintStep::Accept, Complaint::Answered { offer: Some(settlement), .. }) => {
                let (by, request, message) = (Side::Customer, Some(request), None);
                Body::ComplaintSettled(ComplaintSettled { settlement, by, request, message })
            }
            _ => return Ok(Some(RefusalCode::NotNow)),
        };
        match self.append(row, chain, &body) {
            Ok(_) => {}
            Err(AppendError::Chain(_)) => return Ok(Some(RefusalCode::NotNow)),
            Err(AppendError::Store(error)) => return Err(error),
        }
        for part in [part, shown].into_iter().flatten().flatten() {
            self.keep_message(&row.customer, part)?;
        }
        // What was taken off may have been all that was left to pay.
        let before = chain.entries().len();
        self.complete_if_done(row, chain)?;
        self.issue_for(row, chain, before)?;
        Ok(None)
    }

    /// The shop answers, with an offer or without.
    pub(super) fn answer_complaint(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        says: Option<&str>,
        offer: Option<Settlement>,
    ) -> Result<(), Abort<NotDone>> {
        let message = self.say(&row.customer, says)?;
        let body = Body::ComplaintAnswered(ComplaintAnswered { message, offer });
        self.append(row, chain, &body)?;
        Ok(())
    }

    /// The shop says how it ends.
    pub(super) fn settle_complaint(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        says: Option<&str>,
        settlement: Settlement,
    ) -> Result<(), Abort<NotDone>> {
        let message = self.say(&row.customer, says)?;
        let (by, request) = (Side::Shop, None);
        let settled = ComplaintSettled { settlement, by, request, message };
        self.append(row, chain, &Body::ComplaintSettled(settled))?;
        Ok(self.complete_if_done(row, chain)?)
    }

    /// Keeps the shop's own words, and gives the hash by which an entry names them.
    fn say(
        &mut self,
        customer: &Party,
        says: Option<&str>,
    ) -> Result<Option<Hash>, Abort<NotDone>> {
        let Some(says) = says.map(str::trim).filter(|says| !says.is_empty()) else {
            return Ok(None);
        };
        if says.len() > MESSAGE_BYTES_MAX {
            return Err(Abort::Refused(NotDone::MessageTooLong));
        }
        let part = PersonalPart { salt: self.draws.bytes(), bytes: says.as_bytes().to_vec() };
        self.keep_message(customer, &part)?;
        Ok(Some(part.hash()))
    }

    /// Keeps words, unless the customer was erased.
    fn keep_message(&mut self, customer: &Party, part: &PersonalPart) -> Result<(), StoreError> {
        let Some(wrapped) = people::wrapped_key(self.tx, customer)? else { return Ok(()) };
        let key = self.shop.keys.unwrap(&wrapped);
        let key = key.ok_or_else(|| StoreError::damaged("the key of customer", customer))?;
        let sealed = seal(&key, self.draws.bytes(), &[], &cbor::to_vec(part));
        people::put_part(self.tx, part.hash(), customer, &sealed)
    }
}

/// Whether bytes begin as a JPEG does; what else is in them is looked at before they are shown.
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF]) && bytes.len() <= PHOTO_BYTES_MAX
}
