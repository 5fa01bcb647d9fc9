//! What customers say about their books: countersigned, not right, and how far their copies go.
//!
//! **Invariant:** what a customer signed is kept as it came, and becomes an entry only where the book has
//! that entry with that balance; the same request again gets the same answer.

use kirana_core::{
    envelope::Parcel,
    id::KhataId,
    khata::{
        PAGE_ENTRIES,
        act::{Act, Countersigned, Disputed},
    },
    order::{
        HEADS_MAX,
        wish::{Countersign, Dispute, Head, RefusalCode, Wish},
    },
    statement::Party,
};
use kirana_migrations::StoreError;

use super::{KhataRow, NotWritten, WORDS_BYTES_MAX};
use crate::{
    app::{
        deliver::Outcome,
        desk::Desk,
        reading::{Device, Read},
    },
    store::khata,
};

/// What was found about the heads that a device told.
#[derive(Debug, Default)]
pub(crate) struct HeardBooks {
    /// Books that the shop lacks entries of.
    pub(crate) wanted: Vec<kirana_core::id::OrderId>,
    /// Books of which the shop has all that the device has.
    pub(crate) same: Vec<kirana_core::id::OrderId>,
    /// How far the shop's copies go.
    pub(crate) heads: Vec<Head>,
}

impl Desk<'_, '_> {
    /// Answers what a customer says about a book.
    pub(crate) fn hear_about_khata(
        &mut self,
        read: &Read,
        device: &Device,
        (wish, parcel): (&Wish, &Parcel),
    ) -> Result<Vec<Outcome>, StoreError> {
        let request = &read.signed;
        let id = KhataId::from_order(request.statement().order);
        let row = khata::find(self.tx, id)?.filter(|row| row.holder == Some(device.party));
        let code = match row {
            // P6: a hub alone adds no device that may sign for its account.
            _ if self.is_doubted(&device.certified)? => RefusalCode::NotCertified,
            None => RefusalCode::NoKhata,
            Some(mut row) => match self.heard(&mut row, read, device, (wish, parcel))? {
                None => {
                    let page = row.seq / PAGE_ENTRIES;
                    return Ok(vec![Outcome::Khata { n: row.n, page }]);
                }
                Some(code) => code,
            },
        };
        let key = device.certified.key().id();
        let refusal = self.refuse(request, device.party, key, code)?;
        Ok(vec![Outcome::Answered { bytes: refusal.bytes().to_vec() }])
    }

    fn heard(
        &mut self,
        row: &mut KhataRow,
        read: &Read,
        device: &Device,
        (wish, parcel): (&Wish, &Parcel),
    ) -> Result<Option<RefusalCode>, StoreError> {
        let request = read.signed.hash();
        if khata::request(self.tx, request)?.is_some() {
            // It was heard before, and its answer got lost.
            self.tell_device(row, device.certified.key().id(), 0)?;
            return Ok(None);
        }
        let act = match wish {
            Wish::Countersign(Countersign { head, balance }) => {
                if row.signed.is_some_and(|(_, signed, _)| signed == *head) {
                    return Ok(Some(RefusalCode::NotNow));
                }
                let (head, balance) = (*head, *balance);
                Act::Countersigned(Countersigned { request, head, balance })
            }
            Wish::Dispute(Dispute { head, message }) => {
                let part = message.map(|hash| parcel.personal_part(hash));
                if part.is_some_and(|p| p.is_none_or(|p| p.bytes.len() > WORDS_BYTES_MAX)) {
                    return Ok(Some(RefusalCode::NoMessage));
                }
                if row.disputed_at.is_some() && row.head == *head {
                    return Ok(Some(RefusalCode::NotNow));
                }
                Act::Disputed(Disputed { request, head: *head, words: *message })
            }
            _ => return Ok(Some(RefusalCode::NotSupported)),
        };
        if !self.has_balance(row, &act)? {
            return Ok(Some(RefusalCode::KhataDiffers));
        }
        match self.write_in(row, &act, None) {
            Ok(_) => {
                // Words are kept beside the entry that names them, and with no other.
                if let Act::Disputed(Disputed { words: Some(words), .. }) = &act
                    && let Some(part) = parcel.personal_part(*words)
                {
                    self.keep_khata_part(row, part)?;
                }
            }
            Err(NotWritten::Store(error)) => return Err(error),
            Err(NotWritten::Waits(_) | NotWritten::Damaged(_)) => {
                return Ok(Some(RefusalCode::Recovering));
            }
            Err(_) => return Ok(Some(RefusalCode::NotNow)),
        }
        let (key, bytes) = (device.certified.key(), read.signed.bytes());
        khata::put_request(self.tx, row.n, request, key, bytes)?;
        Ok(None)
    }

    /// Whether the book has the entry that a customer names, with the balance that was signed.
    fn has_balance(&self, row: &KhataRow, act: &Act) -> Result<bool, StoreError> {
        let (head, balance) = match act {
            Act::Countersigned(signed) => (signed.head, Some(signed.balance)),
            Act::Disputed(disputed) => (disputed.head, None),
            _ => return Ok(true),
        };
        let was = self.balance_at(row, head)?;
        Ok(was.is_some_and(|was| balance.is_none_or(|balance| balance == was)))
    }

    /// Compares how far a device's copies of its books go; nothing where the name is no book's.
    pub(crate) fn compare_book(
        &mut self,
        party: &Party,
        device: kirana_core::key::KeyId,
        (head, is_fresh): (&Head, bool),
        heard: &mut HeardBooks,
    ) -> Result<bool, StoreError> {
        let id = KhataId::from_order(head.order);
        let Some(mut row) = khata::find(self.tx, id)? else { return Ok(false) };
        // Of a book that comes back page by page the entry that names its holder may still be missing.
        let comes_back = row.holder.is_none() && row.waits_for_heads;
        if row.holder != Some(*party) && !comes_back {
            return Ok(false);
        }
        let mut end = Some((row.seq, row.head));
        let is_whole = match self.shop_has(&row) {
            Ok(is_whole) => is_whole,
            Err(StoreError::Damaged { .. }) => {
                end = khata::sound_end(self.tx, row.n, self.shop.identity.shop)?;
                false
            }
            Err(error) => return Err(error),
        };
        // From its end on the device gives back what is missing here.
        heard.heads.extend(end.map(|(seq, hash)| Head { order: head.order, seq, hash }));
        if comes_back {
            heard.wanted.push(head.order);
            return Ok(true);
        }
        let has_all = khata::seq_of(self.tx, row.n, head.hash)? == Some(head.seq) && is_whole;
        if !has_all || row.waits_for_heads && !is_fresh {
            heard.wanted.push(head.order);
            if is_whole && !has_all {
                self.tell_device(&row, device, 0)?;
            }
            return Ok(true);
        }
        heard.same.push(head.order);
        self.go_on_or_say(&mut row)?;
        if row.head != head.hash {
            self.tell_device(&row, device, head.seq + 1)?;
        }
        Ok(true)
    }

    /// Whether the stored book holds; of a long one only its end is looked at, `verify` walks it.
    fn shop_has(&self, row: &KhataRow) -> Result<bool, StoreError> {
        let shop = self.shop.identity.shop;
        match row.seq < WALKED_MAX {
            true => khata::chain(self.tx, row, shop).map(|_| true),
            false => khata::tip(self.tx, row, shop).map(|_| true),
        }
    }

    /// A device that names no copy of a book that its customer holds hears of all of it.
    pub(crate) fn tell_unnamed_books(
        &self,
        party: &Party,
        device: kirana_core::key::KeyId,
        named: &[Head],
    ) -> Result<(), StoreError> {
        for row in khata::all_of(self.tx, party)?.iter().take(HEADS_MAX) {
            let is_named = named.iter().any(|head| head.order == row.id.as_order());
            if row.is_open && !is_named {
                self.tell_device(row, device, 0)?;
            }
        }
        Ok(())
    }
}

/// Entries of a book that are walked at each contact with its holder.
const WALKED_MAX: u32 = 200;
