//! Writes entries into books: signs, stores, notes what follows, and lets the holder's devices hear.
//!
//! **Invariant:** an entry is written upon an end whose signature was checked in the same transaction,
//! and never past the limit, with what is reserved for orders, unless the entry says so.

use kirana_core::{
    at_rest::seal,
    cbor,
    envelope::PersonalPart,
    hash::Hash,
    key::KeyId,
    khata::{
        PAGE_ENTRIES,
        act::{Act, Claimed},
        chain::{Khata, Tip},
    },
    money::Money,
    order::chain::Author,
    statement::{Party, SignedStatement},
};
use kirana_migrations::StoreError;

use super::{KhataRow, NotWritten, damaged};
use crate::{
    app::{access::By, desk::Desk},
    store::{
        khata::{self, NewEntry},
        pins,
        till::{self, Kind, Taking},
    },
};

impl Desk<'_, '_> {
    /// Stores a book that begins.
    pub(super) fn begin_khata(
        &mut self,
        first: &SignedStatement,
        wrapped_key: Option<Vec<u8>>,
    ) -> Result<KhataRow, NotWritten> {
        let author = Author::node(self.shop.identity.shop, self.shop.generation);
        let begun = Khata::begin(first.clone(), author);
        let begun = begun.map_err(|e| StoreError::damaged("a khata", e))?;
        let row = self.insert_khata(&begun, (wrapped_key, false))?;
        let (hash, generation) = (first.hash(), self.shop.generation);
        let bytes = first.bytes();
        let entry = NewEntry { seq: 0, hash, generation, bytes, for_entry: None };
        khata::put_entry(self.tx, row.n, entry)?;
        self.tell_holder(&row, 0)?;
        Ok(row)
    }

    /// Stores the row of a book, without its entries; beside another of its holder it stands aside.
    pub(super) fn insert_khata(
        &mut self,
        khata: &Khata,
        (wrapped_key, aside): (Option<Vec<u8>>, bool),
    ) -> Result<KhataRow, StoreError> {
        let mut row = KhataRow {
            n: 0,
            id: khata.book().id,
            holder: None,
            wrapped_key,
            personal: None,
            balance: 0,
            limit: 0,
            dues: Default::default(),
            opened_at: khata.book().opened_at,
            is_open: true,
            generation: 0,
            seq: 0,
            head: khata.head(),
            signed: None,
            disputed_at: None,
            reminded_at: None,
            claimed_at: None,
            waits_for_heads: false,
            aside,
        };
        row.follow(khata);
        if let Some(holder) = &row.holder {
            self.remember_customer(holder)?;
        }
        row.n = khata::insert(self.tx, &row)?;
        Ok(row)
    }

    /// The checked end of a book into which something may be written now.
    pub(super) fn end_of(&self, row: &KhataRow) -> Result<Tip, NotWritten> {
        if row.waits_for_heads {
            return Err(NotWritten::Waits(row.id));
        }
        khata::tip(self.tx, row, self.shop.identity.shop).map_err(|error| damaged(row, error))
    }

    /// Whether so much more may be taken; what is reserved for `but` is not counted.
    pub(super) fn check_room(
        &self,
        row: &KhataRow,
        amount: Money,
        but: Option<i64>,
    ) -> Result<(), NotWritten> {
        let held = khata::held_in(self.tx, row.n, but)?;
        Ok(self.end_of(row)?.after.has_room(held, amount.minor)?)
    }

    /// Signs and stores the next entry of a book; what is reserved for `but` leaves room for it.
    pub(super) fn write_in(
        &mut self,
        row: &mut KhataRow,
        act: &Act,
        but: Option<i64>,
    ) -> Result<Hash, NotWritten> {
        let tip = self.end_of(row)?;
        if let Act::Charged(charged) = act
            && !charged.beyond
        {
            // The amount itself is checked by what follows.
            let held = khata::held_in(self.tx, row.n, but)?;
            tip.after.has_room(held, charged.amount.minor.max(0))?;
        }
        let (generation, key) = (self.shop.generation, &self.shop.keys.node.signing);
        let signed = tip.next(generation, self.now.at, act, key)?;
        self.store_in(row, act, &signed)
    }

    /// Links a device to a book.
    pub(super) fn claim(
        &mut self,
        row: &mut KhataRow,
        holder: Party,
        by: Option<By>,
    ) -> Result<(), NotWritten> {
        if let Some(other) = khata::of_holder(self.tx, &holder)? {
            return Err(NotWritten::HasOne(other.id));
        }
        // What somebody holds is nobody else's to read.
        if row.holder.is_some() {
            return Err(NotWritten::HasOne(row.id));
        }
        if matches!(holder, Party::Shop(_)) {
            return Err(NotWritten::Nobody);
        }
        let tip = self.end_of(row)?;
        let (generation, key) = (self.shop.generation, &self.shop.keys.node.signing);
        let signed = tip.claim(holder, generation, self.now.at, key)?;
        self.remember_customer(&holder)?;
        let hash = self.store_in(row, &Act::Claimed(Claimed {}), &signed)?;
        self.tell_holder(row, 0)?;
        self.written_by(hash, by)
    }

    fn store_in(
        &mut self,
        row: &mut KhataRow,
        act: &Act,
        signed: &SignedStatement,
    ) -> Result<Hash, NotWritten> {
        let (shop, hash, at) = (self.shop.identity.shop, signed.hash(), self.now.at);
        let next = Tip::of(shop, signed).map_err(|e| StoreError::damaged("a khata", e))?;
        row.step(&next, act, at);
        let for_entry = act.of().and_then(kirana_core::khata::act::Of::order_entry);
        let (seq, generation, bytes) = (row.seq, row.generation, signed.bytes());
        khata::put_entry(self.tx, row.n, NewEntry { seq, hash, generation, bytes, for_entry })?;
        khata::note(self.tx, row)?;
        self.tell_holder(row, row.seq)?;
        Ok(hash)
    }

    /// Lets the holder's devices hear of the entries from `from_seq` on.
    pub(super) fn tell_holder(&self, row: &KhataRow, from_seq: u32) -> Result<(), StoreError> {
        let Some(holder) = &row.holder else { return Ok(()) };
        for device in self.devices_of(holder)? {
            self.tell_device(row, device, from_seq)?;
        }
        Ok(())
    }

    /// Lets one device hear of the entries from `from_seq` on.
    pub(super) fn tell_device(
        &self,
        row: &KhataRow,
        device: KeyId,
        from_seq: u32,
    ) -> Result<(), StoreError> {
        for page in from_seq / PAGE_ENTRIES..=row.seq / PAGE_ENTRIES {
            khata::page_waits(self.tx, device, row.n, page)?;
        }
        Ok(())
    }

    /// The devices that hold a customer's copy: those that are known, and those that ordered and that
    /// nobody in the shop has to be asked about.
    fn devices_of(&self, holder: &Party) -> Result<Vec<KeyId>, StoreError> {
        let mut devices = match holder {
            Party::Account(account) => {
                pins::keys_of(self.tx, *account)?.iter().map(|key| key.id()).collect()
            }
            Party::Guest(key) => vec![*key],
            Party::Shop(_) => Vec::new(),
        };
        for device in khata::devices_that_ordered(self.tx, holder)? {
            let doubted = pins::is_known(self.tx, device)? == Some(false);
            if !doubted && !devices.contains(&device) {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    /// A device that has become known hears of its customer's books.
    pub(crate) fn hand_on_khata(&self, holder: &Party, device: KeyId) -> Result<(), StoreError> {
        for row in khata::all_of(self.tx, holder)?.iter().filter(|row| row.is_open) {
            self.tell_device(row, device, 0)?;
        }
        Ok(())
    }

    /// Keeps what is personal about a book, unless the person was erased.
    pub(super) fn keep_khata_part(
        &mut self,
        row: &KhataRow,
        part: &PersonalPart,
    ) -> Result<(), StoreError> {
        let Some(wrapped) = &row.wrapped_key else { return Ok(()) };
        let key = self.shop.keys.unwrap(wrapped);
        let key = key.ok_or_else(|| StoreError::damaged("the key of khata", row.id))?;
        let sealed = seal(&key, self.draws.bytes(), &[], &cbor::to_vec(part));
        khata::put_part(self.tx, row.n, part.hash(), &sealed)
    }

    /// Writes down in the till what an entry of a book moved.
    pub(super) fn take_for_khata(
        &self,
        act: &Act,
        entry: Hash,
        who: Option<KeyId>,
    ) -> Result<(), NotWritten> {
        let Some((kind, means, minor)) = moved(act) else { return Ok(()) };
        let (at, order, movement, note) = (self.now.at, None, None, String::new());
        let taking = Taking { at, kind, means, minor, order, movement, who, note };
        Ok(till::put_of_khata(self.tx, &taking, entry)?)
    }
}

/// What money an entry of a book moves.
pub(super) fn moved(act: &Act) -> Option<(Kind, kirana_core::order::facts::Means, i64)> {
    match act {
        Act::Paid(paid) => Some((Kind::KhataPayment, paid.means, paid.amount.minor)),
        Act::PaidOut(out) => Some((Kind::KhataRefund, out.means, -out.amount.minor)),
        _ => None,
    }
}
