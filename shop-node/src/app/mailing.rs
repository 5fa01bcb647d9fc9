//! Seals what devices are to hear, when it is sent: stored are signed entries, never sealed mail.

use kirana_core::{
    envelope::{self, PARCEL_ITEMS_MAX, Parcel},
    key::KeyId,
    mail::{Address, Mail},
    stamp,
    time::{DAY_MS, UnixMs},
    trust::Certified,
};
use kirana_migrations::{StoreError, rusqlite::Connection};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{
    Inner, Shop, Undeliverable,
    deliver::{Outcome, ReplyTo},
};
use crate::store::{
    damage, known, orders,
    outgoing::{self, Waiting},
};

/// How long relays may keep a reply, in milliseconds.
pub const REPLY_KEPT_MS: u64 = 60 * DAY_MS;
/// Bytes of statements in one parcel; the rest follows in further mail.
const STATEMENT_BYTES_MAX: usize = 96 * 1024;
/// Bytes of statements and words beside them in one parcel.
const WORDS_BYTES_MAX: usize = 112 * 1024;

impl Shop {
    /// The sealed reply to a device about what it brought.
    pub(crate) fn reply(
        &self,
        outcomes: &[Outcome],
        device: &Certified,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Mail, StoreError> {
        let reply = ReplyTo::of(device.key().id(), outcomes);
        self.seal_for(&reply, device, now, rng)
    }

    /// What waits for a device after `after`, sealed; each with its number.
    ///
    /// # Errors
    /// [`Undeliverable`] when the device is not known or was shut out.
    pub fn mail_for(
        &self,
        device: KeyId,
        after: u64,
        limit: u32,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<(u64, Mail)>, Undeliverable> {
        let Some(certified) = self.known_device(device, now)? else { return Ok(Vec::new()) };
        let waiting = self.reader().read(|c| outgoing::for_device(c, device, after, limit))?;
        self.seal_waiting(&waiting, &certified, now, rng)
    }

    /// A device that wrote before, if its certificate still counts.
    pub(crate) fn known_device(
        &self,
        device: KeyId,
        now: UnixMs,
    ) -> Result<Option<Certified>, Undeliverable> {
        let Some(chain) = self.reader().read(|c| known::chain(c, device))? else {
            return Ok(None);
        };
        self.check_chain(&chain, now).map(Some)
    }

    pub(crate) fn seal_waiting(
        &self,
        waiting: &[Waiting],
        device: &Certified,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<(u64, Mail)>, Undeliverable> {
        let seal = |waiting: &Waiting| {
            let reply = ReplyTo::from_waiting(waiting.device, &waiting.what);
            Ok((waiting.n, self.seal_for(&reply, device, now, rng)?))
        };
        waiting.iter().map(seal).collect()
    }

    fn seal_for(
        &self,
        reply: &ReplyTo,
        device: &Certified,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Mail, StoreError> {
        let parcel = self.reader().read(|c| parcel(&self.inner, c, reply))?;
        let sealed = envelope::seal(&parcel, device.sealing(), rng)
            .map_err(|e| StoreError::damaged("a reply", e))?;
        let key = &self.keys().node.signing;
        let until = self.known_now(now)?.at.plus_ms(REPLY_KEPT_MS);
        Ok(stamp::post(key, parcel.certificates, Address::Device(reply.device), until, sealed))
    }
}

fn parcel(shop: &Inner, c: &Connection, reply: &ReplyTo) -> Result<Parcel, StoreError> {
    let mut parcel = Parcel::default();
    let (mut bytes, mut authors) = (0, Vec::new());
    for answer in &reply.answers {
        bytes += answer.len();
        parcel.statements.push(answer.clone().into());
    }
    for (n, page) in &reply.pages {
        bytes += shop.put_khata_page(c, (*n, *page), &mut parcel)?;
    }
    for n in &reply.orders {
        // What is damaged is asked for, not said.
        if damage::is_marked(c, *n)? {
            continue;
        }
        let entries = orders::entry_bytes(c, *n)?;
        bytes += entries.iter().map(Vec::len).sum::<usize>();
        if bytes > STATEMENT_BYTES_MAX && !parcel.statements.is_empty() {
            break;
        }
        parcel.statements.extend(entries.into_iter().map(Into::into));
        let row = orders::by_number(c, *n)?;
        // A complaint comes after the decision at the earliest.
        if row.seq > 1 {
            // The newest words first, as far as there is room: a reply that fits no envelope would
            // keep all others from being sent.
            for part in shop.messages_of(c, &row)?.into_iter().rev() {
                bytes += part.bytes.len();
                if bytes > WORDS_BYTES_MAX || parcel.personal.len() >= PARCEL_ITEMS_MAX {
                    break;
                }
                parcel.personal.push(part);
            }
        }
        let author = row.device.id();
        if author != reply.device && !authors.contains(&author) {
            authors.push(author);
        }
    }
    // Boxes of earlier generations signed the older entries, so their certificates come along.
    let own = known::generations(c)?;
    let older = own.iter().rev().skip(1).take(OLDER_BOXES_MAX).map(|g| g.certificate.clone());
    let chain = super::chain(c)?;
    parcel.certificates = chain.into_iter().chain(older).map(Into::into).collect();
    // Another device of the account placed it: this one has to see whose entry begins it.
    for author in authors {
        let shown = known::chain(c, author)?.unwrap_or_default().into_iter().map(ByteVec::from);
        let unseen: Vec<_> = shown.filter(|link| !parcel.certificates.contains(link)).collect();
        parcel.certificates.extend(unseen);
    }
    let mut lists = Vec::new();
    for list in known::lists(c)? {
        bytes += list.len();
        if bytes < STATEMENT_BYTES_MAX {
            lists.push(list.into());
        }
    }
    parcel.lists = lists;
    Ok(parcel)
}

/// Certificates of earlier boxes that come along.
const OLDER_BOXES_MAX: usize = 8;
