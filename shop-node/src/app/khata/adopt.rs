//! What a shop learns of its books from the copies that their holders have: after a restore, or where a
//! stored byte was changed.
//!
//! **Invariant:** only entries that boxes of this shop signed count, the higher generation wins, and what
//! loses is kept; a book is never made shorter.

use std::collections::BTreeMap;

use kirana_core::{
    id::KhataId,
    khata::{chain::Khata, merge},
    order::{
        chain::{Author, Authored},
        wish::Said,
    },
};
use kirana_migrations::{Abort, StoreError};

use super::{KhataRow, NotWritten, desk::moved};
use crate::{
    app::{
        Undeliverable,
        desk::Desk,
        reading::{By, Reading},
    },
    store::{
        khata,
        orders::{self},
        till::{self, Taking},
    },
};

/// The orders of a customer that are looked through when a book may be written into again.
const ORDERS_MAX: u32 = 500;

impl Desk<'_, '_> {
    /// Takes over the shop's own entries of books that somebody brings back.
    pub(crate) fn adopt_books(&mut self, reading: &Reading) -> Result<(), Abort<Undeliverable>> {
        let mut brought: BTreeMap<KhataId, Vec<Authored>> = BTreeMap::new();
        for read in &reading.statements {
            if let (By::Node { generation }, Said::Khata(_)) = (&read.by, &read.said) {
                let author = Author::node(self.shop.identity.shop, *generation);
                let authored = Authored { entry: read.signed.clone(), author };
                let id = KhataId::from_order(read.signed.statement().order);
                brought.entry(id).or_default().push(authored);
            }
        }
        for (id, bag) in brought {
            self.adopt_book(id, bag)?;
        }
        Ok(())
    }

    fn adopt_book(&mut self, id: KhataId, bag: Vec<Authored>) -> Result<(), StoreError> {
        let shop = self.shop.identity.shop;
        let row = khata::find(self.tx, id)?;
        let ours = match &row {
            Some(row) => khata::sound(self.tx, row.n, shop)?,
            None => Vec::new(),
        };
        let merged = merge::merge(ours.into_iter().chain(bag));
        // Without its beginning a book proves nothing.
        let Some(book) = merged.khata else { return Ok(()) };
        let row = match row {
            Some(row) => match khata::chain(self.tx, &row, shop) {
                Ok(ours) if ours.head() == book.head() && merged.lost.is_empty() => return Ok(()),
                // What lost is kept, also where nothing else is new.
                Ok(_) => row,
                // What came reaches the end that was noted, so it mends what was damaged here.
                Err(StoreError::Damaged { .. }) if book.len() as u32 > row.seq => row,
                Err(StoreError::Damaged { .. }) => return Ok(()),
                Err(error) => return Err(error),
            },
            None => {
                let key: [u8; 32] = self.draws.bytes();
                let wrapped = self.shop.keys.wrap(&key, self.draws.bytes());
                if let Some(holder) = &book.book().holder
                    && let Some(other) = khata::of_holder(self.tx, holder)?
                {
                    tracing::warn!(khata.id = %other.id, "a second khata of one holder is not kept");
                    return Ok(());
                }
                self.insert_khata(&book, Some(wrapped))?
            }
        };
        self.put_back_book(row, &book, &merged.lost)
    }

    fn put_back_book(
        &mut self,
        mut row: KhataRow,
        book: &Khata,
        lost: &[Authored],
    ) -> Result<(), StoreError> {
        if book.last().generation() < row.generation {
            return Ok(());
        }
        khata::replace(self.tx, row.n, book, lost)?;
        row.follow(book);
        khata::note(self.tx, &row)?;
        // What an older box took in is money of this shop.
        for entry in book.entries() {
            let Some((kind, means, minor)) = moved(&entry.line().act) else { continue };
            let (at, order, movement, who) = (entry.at(), None, None, None);
            let note = String::new();
            let taking = Taking { at, kind, means, minor, order, movement, who, note };
            till::put_of_khata(self.tx, &taking, entry.hash())?;
        }
        self.tell_holder(&row, 0)
    }

    /// The holder was heard, or the owner takes the word for it: the book may be written into, and what
    /// orders say that it lacks is written now.
    pub(super) fn go_on_with(&mut self, row: &mut KhataRow) -> Result<(), NotWritten> {
        if !row.waits_for_heads {
            return Ok(());
        }
        row.waits_for_heads = false;
        khata::note(self.tx, row)?;
        let Some(holder) = row.holder else { return Ok(()) };
        for order in orders::page(self.tx, Some(&holder), false, i64::MAX, ORDERS_MAX)? {
            let Some(mut chain) = self.whole(&order)? else { continue };
            self.post_again(&order, &chain)?;
            if !order.waits_for_heads {
                self.complete_if_done(&order, &mut chain)?;
            }
        }
        // What was written meanwhile stands in the row by now.
        if let Some(fresh) = khata::find(self.tx, row.id)? {
            *row = fresh;
        }
        Ok(())
    }
}
