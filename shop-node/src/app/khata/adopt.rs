//! What a shop learns of its books from the copies that their holders have: after a restore, or where a
//! stored byte was changed.
//!
//! **Invariant:** only entries that boxes of this shop signed count, the higher generation wins, and what
//! loses is kept; a book is never made shorter.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    id::KhataId,
    khata::{
        act::{Act, Of},
        chain::{Khata, KhataFault, Tip},
        merge,
    },
    money::Money,
    order::{
        chain::{Author, Authored},
        wish::Said,
    },
    statement::Position,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};

use super::{KhataRow, NotWritten, desk::moved};
use crate::{
    app::{
        Undeliverable,
        desk::Desk,
        erased::{Erased, is_forgotten},
        reading::{By, Reading},
    },
    store::{
        khata::{self, NewEntry},
        orders::{self, OrderRow},
        till::{self, Taking},
    },
};

/// Orders of a customer that are read at once when a book may be written into again.
const ORDERS_AT_ONCE: u32 = 500;

impl Desk<'_, '_> {
    /// Takes over the shop's own entries of books that somebody brings back.
    pub(crate) fn adopt_books(
        &mut self,
        reading: &Reading,
        by_older_box: bool,
    ) -> Result<(), Abort<Undeliverable>> {
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
            let is_all = self.adopt_book(id, bag)?;
            // An older box writes no more, so what it has handed over whole is all that it knew.
            if is_all
                && by_older_box
                && let Some(mut row) = khata::find(self.tx, id)?
            {
                self.go_on_or_say(&mut row)?;
            }
        }
        Ok(())
    }

    /// Takes entries of one book over; whether none of them waits for one before it.
    fn adopt_book(&mut self, id: KhataId, bag: Vec<Authored>) -> Result<bool, StoreError> {
        let shop = self.shop.identity.shop;
        let row = khata::find(self.tx, id)?;
        if let Some(row) = &row
            && let Some(is_all) = self.follow_book(row, &bag)?
        {
            return Ok(is_all);
        }
        let ours = match &row {
            Some(row) => khata::sound(self.tx, row.n, shop)?,
            None => Vec::new(),
        };
        let merged = merge::merge(ours.into_iter().chain(bag));
        // Without its beginning a book proves nothing.
        let Some(book) = merged.khata else { return Ok(false) };
        let is_all = merged.waiting.is_empty();
        let row = match row {
            Some(row) => match khata::chain(self.tx, &row, shop) {
                Ok(ours) if ours.head() == book.head() && merged.lost.is_empty() => {
                    return Ok(is_all);
                }
                // What lost is kept, also where nothing else is new.
                Ok(_) => row,
                // What came reaches the end that was noted, so it mends what was damaged here.
                Err(StoreError::Damaged { .. }) if book.len() as u32 > row.seq => row,
                Err(StoreError::Damaged { .. }) => return Ok(false),
                Err(error) => return Err(error),
            },
            None => self.insert_returned(&book)?,
        };
        self.put_back_book(row, &book, &merged.lost)?;
        Ok(is_all)
    }

    /// Stores the row of a book that the backup did not know. Nothing is written into it before a
    /// device of its holder, or the owner, says that this is all of it.
    fn insert_returned(&mut self, book: &Khata) -> Result<KhataRow, StoreError> {
        let mut forgotten = Erased::Khata(book.book().id).is_noted(self.tx)?;
        let mut second = false;
        if let Some(holder) = &book.book().holder {
            forgotten = forgotten || is_forgotten(self.tx, holder)?;
            second = khata::of_holder(self.tx, holder)?.is_some();
        }
        let key: [u8; 32] = self.draws.bytes();
        let wrapped = self.shop.keys.wrap(&key, self.draws.bytes());
        // Who was forgotten stays so, although a device gives the sums back.
        let row = self.insert_khata(book, ((!forgotten).then_some(wrapped), second))?;
        Ok(KhataRow { waits_for_heads: true, ..row })
    }

    /// Takes in what follows the end of a book one by one, by that end alone: of a long book that
    /// comes page by page not all is checked with each. Whether all followed, or some waits for what
    /// is missing before it; nothing where something else is among it, which has to be merged.
    fn follow_book(
        &mut self,
        row: &KhataRow,
        bag: &[Authored],
    ) -> Result<Option<bool>, StoreError> {
        let mut tip = match khata::tip(self.tx, row, self.shop.identity.shop) {
            Ok(tip) => tip,
            Err(StoreError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(news) = self.news_of(row, bag)? else { return Ok(None) };
        let (mut fresh, mut steps, mut is_all) = (row.clone(), Vec::<Step<'_>>::new(), true);
        for authored in news {
            let mut fault = None;
            let next = tip.follow(&authored.entry, authored.author, |head| {
                let found = match steps.iter().find(|(_, end, _)| end.head == head) {
                    Some((_, end, _)) => Ok(Some(end.after.balance)),
                    None => self.balance_at(row, head),
                };
                found.unwrap_or_else(|why| {
                    fault = Some(why);
                    None
                })
            });
            match (fault, next) {
                (Some(why), _) => return Err(why),
                (None, Ok((next, line))) => {
                    fresh.step(&next, &line.act, authored.entry.statement().at);
                    steps.push((authored, next, line.act));
                    tip = next;
                }
                (None, Err(KhataFault::Gap { .. })) => {
                    is_all = false;
                    break;
                }
                (None, Err(_)) => return Ok(None),
            }
        }
        if !steps.is_empty() {
            self.put_steps(row, fresh, &steps)?;
        }
        Ok(Some(is_all))
    }

    /// Those entries that are not here yet, by their place; nothing where two are for one place, or
    /// one is stored otherwise.
    fn news_of<'b>(
        &self,
        row: &KhataRow,
        bag: &'b [Authored],
    ) -> Result<Option<Vec<&'b Authored>>, StoreError> {
        let mut news = BTreeMap::new();
        for authored in bag {
            let Position::Entry { seq, .. } = authored.entry.statement().position else {
                return Ok(None);
            };
            match khata::bytes_of(self.tx, row.n, authored.entry.hash())? {
                Some(bytes) if bytes[..] == *authored.entry.bytes() => {}
                Some(_) => return Ok(None),
                None => match news.insert(seq, authored) {
                    Some(before) if before.entry.hash() != authored.entry.hash() => {
                        return Ok(None);
                    }
                    _ => {}
                },
            }
        }
        Ok(Some(news.into_values().collect()))
    }

    /// Stores what follows the end of a book.
    fn put_steps(
        &mut self,
        row: &KhataRow,
        mut fresh: KhataRow,
        steps: &[Step<'_>],
    ) -> Result<(), StoreError> {
        self.stand_aside(&mut fresh)?;
        for (authored, end, act) in steps {
            let for_entry = act.of().and_then(Of::order_entry);
            let (seq, hash, generation) = (end.seq, end.head, end.generation);
            let bytes = authored.entry.bytes();
            let entry = NewEntry { seq, hash, generation, bytes, for_entry };
            khata::put_entry(self.tx, row.n, khata::once(self.tx, entry)?)?;
            self.take_again(act, (hash, authored.entry.statement().at))?;
        }
        khata::note(self.tx, &fresh)?;
        if !fresh.waits_for_heads {
            self.tell_holder(&fresh, row.seq + 1)?;
        }
        Ok(())
    }

    /// The balance after an entry of a book, its signature checked; nothing where it has none such.
    pub(super) fn balance_at(
        &self,
        row: &KhataRow,
        head: Hash,
    ) -> Result<Option<Money>, StoreError> {
        let shop = self.shop.identity.shop;
        let Some(seq) = khata::seq_of(self.tx, row.n, head)? else { return Ok(None) };
        let entry = khata::entry_at(self.tx, row, shop, seq)?;
        let tip = Tip::of(shop, &entry.entry);
        let tip = tip.map_err(|e| StoreError::damaged("an entry of a khata", e))?;
        Ok((tip.head == head).then_some(tip.after.balance))
    }

    /// A book whose holder turns out to have another one stands aside.
    fn stand_aside(&mut self, row: &mut KhataRow) -> Result<(), StoreError> {
        let Some(holder) = row.holder else { return Ok(()) };
        self.remember_customer(&holder)?;
        let other = khata::of_holder(self.tx, &holder)?;
        if row.is_open && other.is_some_and(|other| other.id != row.id) && !row.aside {
            tracing::warn!(khata.id = %row.id, "a second khata of one holder came back: join them");
            row.aside = true;
        }
        Ok(())
    }

    /// What an older box took in is money of this shop.
    fn take_again(&self, act: &Act, (entry, at): (Hash, UnixMs)) -> Result<(), StoreError> {
        let Some((kind, means, minor)) = moved(act) else { return Ok(()) };
        let (order, movement, who, note) = (None, None, None, String::new());
        let taking = Taking { at, kind, means, minor, order, movement, who, note };
        till::put_of_khata(self.tx, &taking, entry)
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
        let fork = khata::replace(self.tx, row.n, book, lost)?;
        row.follow(book);
        self.stand_aside(&mut row)?;
        khata::note(self.tx, &row)?;
        for entry in book.entries().iter().skip(fork as usize) {
            self.take_again(&entry.line().act, (entry.hash(), entry.at()))?;
        }
        if row.waits_for_heads { Ok(()) } else { self.tell_holder(&row, fork.min(row.seq)) }
    }

    /// [`Desk::go_on_with`] where nobody waits for the answer.
    pub(super) fn go_on_or_say(&mut self, row: &mut KhataRow) -> Result<(), StoreError> {
        match self.go_on_with(row) {
            Err(NotWritten::Store(error)) => Err(error),
            // What cannot be written now is told by `verify`.
            Err(why) => {
                tracing::warn!(khata.id = %row.id, %why, "an order is not in its khata");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The holder was heard, or the owner takes the word for it: the book may be written into, and what
    /// orders say that it lacks is written now. Where the book cannot be written into, it waits on.
    pub(super) fn go_on_with(&mut self, row: &mut KhataRow) -> Result<(), NotWritten> {
        if !row.waits_for_heads {
            return Ok(());
        }
        if let Err(StoreError::Damaged { .. }) = khata::tip(self.tx, row, self.shop.identity.shop) {
            return Err(NotWritten::Damaged(row.id));
        }
        row.waits_for_heads = false;
        khata::note(self.tx, row)?;
        let mut first_fault = None;
        if let Some(holder) = row.holder {
            let mut before = i64::MAX;
            loop {
                let page = orders::page(self.tx, Some(&holder), false, before, ORDERS_AT_ONCE)?;
                for order in &page {
                    before = order.n;
                    // One that does not fit keeps no other one out of the book.
                    match self.go_on_with_order(order) {
                        Err(NotWritten::Store(error)) => return Err(error.into()),
                        Err(why) => first_fault = first_fault.or(Some(why)),
                        Ok(()) => {}
                    }
                }
                if page.len() < ORDERS_AT_ONCE as usize {
                    break;
                }
            }
        }
        // What was written meanwhile stands in the row by now.
        if let Some(fresh) = khata::find(self.tx, row.id)? {
            *row = fresh;
        }
        match first_fault {
            Some(NotWritten::Damaged(id)) if id == row.id => {
                row.waits_for_heads = true;
                khata::note(self.tx, row)?;
                Err(NotWritten::Damaged(id))
            }
            Some(why) => {
                tracing::warn!(khata.id = %row.id, %why, "an order is not in its khata");
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn go_on_with_order(&mut self, order: &OrderRow) -> Result<(), NotWritten> {
        let Some(mut chain) = self.whole(order)? else { return Ok(()) };
        self.post_again(order, &chain)?;
        if !order.waits_for_heads {
            self.complete_if_done(order, &mut chain)?;
        }
        Ok(())
    }
}

/// An entry that follows, where the book ends then, and what it says.
type Step<'a> = (&'a Authored, Tip, Act);
