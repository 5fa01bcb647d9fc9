//! Two books of one customer become one: after a restore a book may come back whose holder was given
//! another since.
//!
//! **Invariant:** no money appears or goes: what is taken off the one is written into the other in one
//! transaction, and what both charged for one order counts once.

use kirana_core::{
    khata::act::{Act, Charged, Closed, Credited, Line, Of},
    money::Money,
    statement::UnverifiedStatement,
};
use kirana_migrations::StoreError;

use super::{By, KhataRow, NotWritten};
use crate::{app::desk::Desk, store::khata};

impl Desk<'_, '_> {
    /// Brings what stands in a book that stands aside into the other one of its holder, and closes it.
    /// Where there is no other any more, it takes that one's place.
    pub(super) fn join(&mut self, row: &mut KhataRow, by: Option<By>) -> Result<(), NotWritten> {
        if !row.aside {
            return Err(NotWritten::StandsAlone(row.id));
        }
        let holder = row.holder.ok_or(NotWritten::Nobody)?;
        let Some(mut kept) = khata::of_holder(self.tx, &holder)? else {
            row.aside = false;
            return Ok(khata::note(self.tx, row)?);
        };
        let currency = self.shop.identity.currency;
        let twice = self.charged_twice(row)?;
        if twice > 0 {
            let words = format!("charged in khata {} as well", kept.id);
            self.bring(row, (Money::new(-twice, currency), &words), by)?;
        }
        let balance = row.balance;
        if balance != 0 {
            let words = format!("brought into khata {}", kept.id);
            self.bring(row, (Money::new(-balance, currency), &words), by)?;
            let words = format!("brought from khata {}", row.id);
            self.bring(&mut kept, (Money::new(balance, currency), &words), by)?;
        }
        khata::move_holds(self.tx, row.n, kept.n)?;
        let closed = self.write_in(row, &Act::Closed(Closed {}), None)?;
        self.written_by(closed, by)?;
        row.aside = false;
        Ok(khata::note(self.tx, row)?)
    }

    /// Writes a sum that comes from another book, or goes there, by the owner's word.
    fn bring(
        &mut self,
        row: &mut KhataRow,
        (sum, words): (Money, &str),
        by: Option<By>,
    ) -> Result<(), NotWritten> {
        let words = self.words(row, words, false)?;
        let amount = Money { minor: sum.minor.saturating_abs(), ..sum };
        let act = match sum.minor {
            0.. => Act::Charged(Charged { amount, of: None, words, beyond: true }),
            ..0 => Act::Credited(Credited { amount, of: None, words }),
        };
        let entry = self.write_in(row, &act, None)?;
        self.written_by(entry, by)
    }

    /// What a book charged for entries of orders that another book has charged as well.
    fn charged_twice(&self, row: &KhataRow) -> Result<i64, StoreError> {
        let mut sum: i64 = 0;
        for bytes in khata::entry_bytes(self.tx, row.n)? {
            let read = UnverifiedStatement::parse(&bytes).ok();
            let line =
                read.and_then(|read| Line::decode(read.claimed().kind, &read.claimed().body).ok());
            let (minor, of) = match line.map(|line| line.act) {
                Some(Act::Charged(Charged { amount, of, .. })) => (amount.minor, of),
                Some(Act::Credited(Credited { amount, of, .. })) => (-amount.minor, of),
                _ => continue,
            };
            let Some(entry) = of.and_then(Of::order_entry) else { continue };
            let there = khata::for_order_entry(self.tx, entry)?;
            if there.is_some_and(|(n, _)| n != row.n) {
                sum = sum.saturating_add(minor);
            }
        }
        Ok(sum)
    }
}
