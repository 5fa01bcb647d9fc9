//! What a box does once a newer one speaks for the shop: it writes no more, and hands its open orders
//! over for decision.
//!
//! **Invariant (P1, P2):** the older box is read-only before it hands anything over, so what it hands
//! over is all that it ever said; the newer one alone goes on from there.

use kirana_core::{
    certificate::UnverifiedCertificate,
    envelope::{self, Parcel},
    key::SealingPublic,
    mail::{Address, Mail},
    stamp,
    time::UnixMs,
    trust::Certified,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{
    Shop, Undeliverable, deliver::Outcome, desk::Desk, mailing::REPLY_KEPT_MS, orders::NotDone,
};
use crate::store::{
    khata, known,
    orders::{self, OrderRow},
    settings::{self, Setting},
};

/// Entries of a khata that travel to the newer box together.
const KHATA_ENTRIES_MAX: usize = 60;

/// Open orders of an older box, sealed to the newer one.
#[derive(Debug)]
pub struct HandedOver {
    /// One piece of mail for each order.
    pub mails: Vec<Mail>,
    /// Orders that stay, since they are damaged or nobody knows their device any more.
    pub left: Vec<kirana_core::id::OrderId>,
}

impl Shop {
    /// Why nothing may be written here any more, if so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn read_only(&self) -> Result<Option<String>, StoreError> {
        self.reader().read(|c| settings::get(c, Setting::ReadOnly))
    }

    /// Learns of another box of this shop by its certificates; one of a higher generation makes
    /// this one read-only. Says why nothing may be written any more, if so.
    ///
    /// # Errors
    /// [`Undeliverable`] when they cannot be read, or nothing can be stored.
    pub fn meet_box(
        &self,
        certificates: &[Vec<u8>],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<String>, Undeliverable> {
        let certificates = certificates.iter().cloned().map(ByteVec::from).collect();
        let parcel = Parcel { certificates, ..Parcel::default() };
        self.meet(self.keys().node.id(), &parcel, now, rng)?;
        Ok(self.read_only()?)
    }

    /// All open orders, each sealed to the newer box that was met. It is told what this box knows
    /// and may be told again.
    ///
    /// # Errors
    /// [`NotDone::StillSpeaks`] before a newer box was met, or when the database cannot be read.
    pub fn hand_over(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<HandedOver, NotDone> {
        let (to, parcels, left) = self.reader().read(|c| {
            let to = newer_box(c)?.ok_or(NotDone::StillSpeaks)?;
            let (mut parcels, mut left) = (Vec::new(), Vec::new());
            for row in orders::open(c)? {
                match parcel(c, &row)? {
                    Some(parcel) => parcels.push(parcel),
                    None => left.push(row.id),
                }
            }
            for book in khata::all(c)? {
                let all = khata::entry_bytes(c, book.n)?;
                let last = all.last().cloned();
                for entries in all.chunks(KHATA_ENTRIES_MAX) {
                    // The end comes with each part, so that the newer box knows that more is to come.
                    let end = last.as_ref().filter(|end| entries.last() != Some(*end));
                    parcels.push(of_khata(c, entries.iter().chain(end))?);
                }
            }
            Ok::<_, NotDone>((to, parcels, left))
        })?;
        let above: Vec<ByteVec> = self.chain()?.into_iter().map(ByteVec::from).collect();
        let until = self.known_now(now)?.at.plus_ms(REPLY_KEPT_MS);
        let (key, address) = (&self.keys().node.signing, Address::Shop(self.id()));
        let mut mails = Vec::new();
        for parcel in &parcels {
            let sealed = envelope::seal(parcel, &to, rng)
                .map_err(|e| StoreError::damaged("an order to hand over", e))?;
            mails.push(stamp::post(key, above.clone(), address, until, sealed));
        }
        Ok(HandedOver { mails, left })
    }

    /// Whether mail was stamped by an older box of this very shop.
    pub(crate) fn is_older_box(&self, sender: &Certified) -> bool {
        sender.shop() == Some(self.id())
            && sender.generation().is_some_and(|generation| generation < self.generation())
    }
}

impl Desk<'_, '_> {
    /// An older box that writes no more has said all that it knows: what waited for that goes on,
    /// and what nobody has decided is decided now.
    pub(crate) fn go_on_from_older_box(
        &mut self,
        outcomes: &[Outcome],
    ) -> Result<(), Abort<Undeliverable>> {
        for outcome in outcomes {
            let Outcome::Order { n, .. } = outcome else { continue };
            let row = orders::by_number(self.tx, *n)?;
            if let Some(mut chain) = self.whole(&row)? {
                self.go_on(&row, &mut chain)?;
            }
        }
        Ok(())
    }
}

/// What mail to the newest box that was met is sealed to.
fn newer_box(c: &Connection) -> Result<Option<SealingPublic>, StoreError> {
    let Some(bytes) = settings::get::<ByteVec>(c, Setting::NewerBox)? else { return Ok(None) };
    let read = UnverifiedCertificate::parse(&bytes);
    let read = read.map_err(|e| StoreError::damaged("the certificate of the newer box", e))?;
    Ok(Some(read.claimed().sealing))
}

/// An order as it travels to the newer box: its whole chain, with the certificates of its authors.
/// Its personal part stays encrypted here; the newer box gets it from the customer.
fn parcel(c: &Connection, row: &OrderRow) -> Result<Option<Parcel>, StoreError> {
    let chain = match orders::chain(c, row) {
        Ok(chain) => chain,
        Err(StoreError::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(device) = known::chain(c, row.device.id())? else { return Ok(None) };
    let boxes = known::generations(c)?.into_iter().map(|generation| generation.certificate);
    let above = super::chain(c)?.into_iter().skip(1);
    Ok(Some(Parcel {
        statements: chain.entries().iter().map(|e| e.signed().bytes().to_vec().into()).collect(),
        certificates: device.into_iter().chain(boxes).chain(above).map(Into::into).collect(),
        ..Parcel::default()
    }))
}

/// Some entries of a khata as they travel to the newer box. Name, phone and words stay here.
fn of_khata<'a>(
    c: &Connection,
    entries: impl Iterator<Item = &'a Vec<u8>>,
) -> Result<Parcel, StoreError> {
    let boxes = known::generations(c)?.into_iter().map(|generation| generation.certificate);
    let above = super::chain(c)?.into_iter().skip(1);
    Ok(Parcel {
        statements: entries.cloned().map(ByteVec::from).collect(),
        certificates: boxes.chain(above).map(Into::into).collect(),
        ..Parcel::default()
    })
}
