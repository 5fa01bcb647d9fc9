//! Orders and sales on credit: room is reserved at the decision, the book is charged once, and what
//! comes back is credited.
//!
//! **Invariant:** an order's entry that says "on khata" and the book's entry for it are one
//! transaction; two orders never take the same room.

use kirana_core::{
    hash::Hash,
    id::KhataId,
    key::KeyId,
    khata::{
        act::{Act, Charged, Credited, Line, Of},
        exposure, exposure_if, most_of,
    },
    money::Money,
    order::{
        Order,
        axes::Stage,
        chain::Chain,
        decide::{Decision, Judge},
        entry::Body,
        facts::{Answered, DeclineReason, Declined, Fee, Means, OnKhata, Refunded},
        personal::Personal,
        placed::{Alteration, Method, Placed},
        step::{self, Misstep},
        totals::Totals,
    },
    statement::UnverifiedStatement,
    stock::Head,
};
use kirana_migrations::{Abort, StoreError};

use super::{KhataRow, NewKhata, NotWritten};
use crate::{
    app::{
        counter::{Entered, NotEntered},
        desk::Desk,
        orders::NotDone,
    },
    store::{khata, orders::OrderRow, staff},
};

/// Into which book, how much, and whether the owner lets it pass the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnCredit {
    /// Which; the customer's own if not given.
    pub khata: Option<KhataId>,
    /// How much; all that is due if not given.
    pub amount: Option<Money>,
    /// Whether it may pass the limit.
    pub beyond: bool,
}

impl Desk<'_, '_> {
    /// What becomes of a decision about an order that is to be paid on khata: it stands where the
    /// customer's book has room for all that it may come to.
    pub(crate) fn within_khata(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        (decision, fee): (Decision, Option<Fee>),
        judge: Judge,
    ) -> Result<Decision, StoreError> {
        let order = chain.order();
        let Decision::Accept { .. } = &decision else { return Ok(decision) };
        if order.placed.payment != Method::OnKhata {
            return Ok(decision);
        }
        let decline = |reason| Decision::Decline(Declined { reason, lines: Vec::new() });
        let Some(book) = khata::of_holder(self.tx, &row.customer)? else {
            return Ok(decline(DeclineReason::NoKhata));
        };
        let ledger = Head::start(self.shop.identity.shop).hash;
        let accepted = decision.clone().into_body(ledger, fee);
        // What does not fit is refused by the chain itself.
        let Ok(then) = step::step(order, self.now.at, &accepted) else { return Ok(decision) };
        let most = exposure(&then).map_err(|e| StoreError::damaged("the sums of order", e))?;
        match self.check_room(&book, most, Some(row.n)) {
            Ok(()) => Ok(decision),
            Err(NotWritten::Store(error)) => Err(error),
            Err(NotWritten::Misstep(_)) => Ok(decline(DeclineReason::KhataLimit)),
            // A book that cannot be written into now may be one that was closed to the program only.
            Err(_) if judge == Judge::Program => Ok(Decision::Wait),
            Err(_) => Ok(decline(DeclineReason::NoKhata)),
        }
    }

    /// Whether a person may take an order that is to be paid on khata.
    pub(crate) fn may_accept_on_khata(&self, chain: &Chain) -> Result<(), Abort<NotDone>> {
        let order = chain.order();
        if order.placed.payment != Method::OnKhata {
            return Ok(());
        }
        let book = khata::of_holder(self.tx, &order.customer)?;
        let book = book.ok_or_else(|| refused(NotWritten::NoKhata))?;
        let most = most_of(&order.placed).map_err(|e| StoreError::damaged("an order", e))?;
        self.check_room(&book, most, None).map_err(refused)
    }

    /// Whether a change of an order that is to be paid on khata finds room.
    pub(crate) fn has_room_for_change(
        &self,
        row: &OrderRow,
        order: &Order,
        (asked, next): (&Alteration, &Placed),
    ) -> Result<bool, StoreError> {
        if order.placed.payment != Method::OnKhata || !matches!(order.stage, Stage::Accepted { .. })
        {
            return Ok(true);
        }
        let Some(book) = self.book_of(row)? else { return Ok(false) };
        let Ok(most) = exposure_if(order, asked, next) else { return Ok(false) };
        match self.check_room(&book, most, Some(row.n)) {
            Ok(()) => Ok(true),
            Err(NotWritten::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Whether what a customer takes in a line's place finds room, where the order is to be paid on
    /// khata. What was reserved already is promised.
    pub(crate) fn has_room_for_answer(
        &self,
        row: &OrderRow,
        order: &Order,
        answered: Answered,
    ) -> Result<bool, StoreError> {
        if order.placed.payment != Method::OnKhata || !matches!(order.stage, Stage::Accepted { .. })
        {
            return Ok(true);
        }
        // What does not fit is refused by the chain itself.
        let Ok(then) = step::step(order, self.now.at, &Body::Answered(answered)) else {
            return Ok(true);
        };
        let most = exposure(&then).map_err(|e| StoreError::damaged("the sums of order", e))?;
        let held = khata::held_for(self.tx, row.n)?.map_or(0, |(_, minor)| minor);
        if most.minor <= held {
            return Ok(true);
        }
        let Some(book) = self.book_of(row)? else { return Ok(false) };
        match self.check_room(&book, most, Some(row.n)) {
            Ok(()) => Ok(true),
            Err(NotWritten::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The book that an order is reserved in, or its customer's.
    fn book_of(&self, row: &OrderRow) -> Result<Option<KhataRow>, StoreError> {
        match khata::held_for(self.tx, row.n)? {
            Some((n, _)) => khata::by_number(self.tx, n).map(Some),
            None => khata::of_holder(self.tx, &row.customer),
        }
    }

    /// A book by its name; where it was closed since, the one that its order's customer has now.
    fn open_book(&self, row: &OrderRow, id: KhataId) -> Result<Option<KhataRow>, StoreError> {
        match khata::find(self.tx, id)? {
            Some(book) if book.is_open && !book.aside => Ok(Some(book)),
            _ => khata::of_holder(self.tx, &row.customer),
        }
    }

    /// Follows the newest entry of an order into the book: charges or credits it, and keeps what the
    /// order may still take.
    pub(crate) fn follow_on_khata(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
    ) -> Result<(), StoreError> {
        let entry = chain.last().hash();
        if let Some((book, act)) = on_khata(chain, chain.len() - 1) {
            self.post(row, (book, entry), act).map_err(|why| fault(row, why))?;
            self.take_for_order(row, chain, chain.len() - 1, None)?;
        }
        self.keep_hold(row, chain)
    }

    fn keep_hold(&mut self, row: &OrderRow, chain: &Chain) -> Result<(), StoreError> {
        let order = chain.order();
        if order.placed.payment != Method::OnKhata {
            return Ok(());
        }
        let most = exposure(order).map_err(|e| StoreError::damaged("the sums of order", e))?;
        let book = match last_book(chain) {
            Some(id) => self.open_book(row, id)?,
            None => self.book_of(row)?,
        };
        match book {
            Some(book) if book.is_open => khata::hold(self.tx, row.n, book.n, most.minor),
            _ => khata::hold(self.tx, row.n, 0, 0),
        }
    }

    /// Writes an order's entry into a book, once.
    fn post(
        &mut self,
        row: &OrderRow,
        (id, entry): (KhataId, Hash),
        act: Act,
    ) -> Result<(), NotWritten> {
        if khata::has_for(self.tx, entry)? {
            return Ok(());
        }
        let mut book = self.open_book(row, id)?.ok_or(NotWritten::Unknown)?;
        let order = row.id;
        let of = Some(Of::Order { order, entry });
        let act = match act {
            Act::Charged(charged) => {
                // What was reserved at the decision stays promised, whatever the limit is now.
                let held = khata::held_for(self.tx, row.n)?;
                let promised =
                    held.is_some_and(|(n, minor)| n == book.n && minor >= charged.amount.minor);
                let fits = self.check_room(&book, charged.amount, Some(row.n)).is_ok();
                let beyond = !fits && (promised || self.beyond);
                Act::Charged(Charged { of, beyond, ..charged })
            }
            Act::Credited(credited) => Act::Credited(Credited { of, ..credited }),
            other => other,
        };
        self.write_in(&mut book, &act, Some(row.n)).map(drop)
    }

    /// Writes into the book what of an order no book holds yet, such as after a restore.
    pub(super) fn post_again(&mut self, row: &OrderRow, chain: &Chain) -> Result<(), NotWritten> {
        let promised = std::mem::replace(&mut self.beyond, true);
        for (index, entry) in chain.entries().iter().enumerate() {
            if let Some((book, act)) = on_khata(chain, index)
                && entry.is_acted_on()
            {
                self.post(row, (book, entry.hash()), act)?;
            }
        }
        self.beyond = promised;
        Ok(())
    }

    /// What was adopted after a restore is written into the book as far as that may be written into.
    pub(crate) fn adopt_on_khata(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
    ) -> Result<(), StoreError> {
        match self.post_again(row, chain) {
            Err(NotWritten::Store(error)) => Err(error),
            // It is written once the book's holder was heard.
            _ => self.keep_hold(row, chain),
        }
    }

    /// An order that is handed over is written into the book, and what the shop owes for one that
    /// stands there is taken off again.
    pub(crate) fn settle_on_khata(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), StoreError> {
        let order = chain.order();
        let totals = Totals::of(order).map_err(|e| StoreError::damaged("the sums of order", e))?;
        let body = if totals.due.minor < 0 && totals.on_khata.minor > 0 {
            let minor = (-totals.due.minor).min(totals.on_khata.minor);
            let amount = Money { minor, ..totals.due };
            Body::Refunded(Refunded { amount, means: Means::Khata })
        } else if order.placed.payment == Method::OnKhata && totals.due.minor > 0 {
            let done = Body::Completed(kirana_core::order::facts::Completed {});
            let Err(Misstep::NotSettled { due }) = step::step(order, self.now.at, &done) else {
                return Ok(());
            };
            // What stands in one book is not spread over two: money that goes back finds its place.
            let book = match last_book(chain) {
                Some(id) => self.open_book(row, id)?,
                None => self.book_of(row)?,
            };
            let Some(book) = book else { return Ok(()) };
            Body::OnKhata(OnKhata { khata: book.id, amount: due })
        } else {
            return Ok(());
        };
        self.book_for_refund(row, chain, &body)?;
        if !self.may_post(row, chain, &body)? {
            return Ok(());
        }
        self.append(row, chain, &body).map(drop).map_err(|e| e.into_fault(row))
    }

    /// What goes back after the book was closed stands in a fresh one, in which nothing can be taken
    /// on credit: the shop owes it there, until it is paid out or the customer has a limit again.
    fn book_for_refund(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        body: &Body,
    ) -> Result<(), StoreError> {
        let (Body::Refunded(Refunded { means: Means::Khata, .. }), Some(id)) =
            (body, last_book(chain))
        else {
            return Ok(());
        };
        let Some(closed) = khata::find(self.tx, id)?.filter(|book| !book.is_open) else {
            return Ok(());
        };
        if self.open_book(row, id)?.is_some() {
            return Ok(());
        }
        let person = match closed.personal {
            Some(hash) => self.shop.khata_part(self.tx, &closed, hash)?,
            None => None,
        };
        let person = person.and_then(|part| Personal::read(&part.bytes).ok()).unwrap_or_default();
        let zero = Money::zero(self.shop.identity.currency);
        let (name, phone) = (person.name, person.phone);
        let holder = Some(row.customer);
        let new = NewKhata { holder, name, phone, limit: zero, opening: zero };
        match self.open_khata(&new, None) {
            Ok(_) => Ok(()),
            Err(NotWritten::Store(error)) => Err(error),
            Err(why) => Err(StoreError::damaged("a khata", why)),
        }
    }

    /// Whether the book can take the entry now; else it waits, and a person settles it.
    fn may_post(&self, row: &OrderRow, chain: &Chain, body: &Body) -> Result<bool, StoreError> {
        let book = match body {
            Body::OnKhata(written) => Some(written.khata),
            _ => last_book(chain),
        };
        let book = book.map(|id| self.open_book(row, id)).transpose()?.flatten();
        let Some(book) = book else { return Ok(false) };
        let fits = match body {
            Body::OnKhata(_) if self.is_charged_before(&book, row)? => return Ok(false),
            Body::OnKhata(written) => {
                let held = khata::held_for(self.tx, row.n)?;
                let promised = held.is_some_and(|(_, minor)| minor >= written.amount.minor);
                match promised {
                    true => self.end_of(&book).map(drop),
                    false => self.check_room(&book, written.amount, Some(row.n)),
                }
            }
            _ => self.end_of(&book).map(drop),
        };
        match fits {
            Ok(()) => Ok(true),
            Err(NotWritten::Store(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Whether a box of before charged the order by an entry that this one does not have: after a
    /// restore the book may come back by one device, and the order by another, or never.
    fn is_charged_before(&self, book: &KhataRow, row: &OrderRow) -> Result<bool, StoreError> {
        for bytes in khata::of_others(self.tx, book.n, row.n)? {
            let read = UnverifiedStatement::parse(&bytes).ok();
            let line =
                read.and_then(|read| Line::decode(read.claimed().kind, &read.claimed().body).ok());
            if let Some(Act::Charged(Charged { of: Some(Of::Order { order, .. }), .. })) =
                line.map(|line| line.act)
                && order == row.id
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A person puts an order into a book.
    pub(crate) fn put_on_khata(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        what: OnCredit,
    ) -> Result<(), Abort<NotDone>> {
        let book = match what.khata {
            Some(id) => khata::find(self.tx, id)?.ok_or_else(|| refused(NotWritten::Unknown))?,
            None => self.book_of(row)?.ok_or_else(|| refused(NotWritten::NoKhata))?,
        };
        if book.aside {
            return Err(refused(NotWritten::StandsAside(book.id)));
        }
        if last_book(chain).is_some_and(|other| other != book.id) {
            return Err(refused(NotWritten::OtherKhata));
        }
        if self.is_charged_before(&book, row)? {
            return Err(refused(NotWritten::ChargedBefore));
        }
        let totals = Totals::of(chain.order());
        let due = totals.map_err(|e| StoreError::damaged("the sums of order", e))?.due;
        let amount = what.amount.unwrap_or(due);
        let tip = self.end_of(&book).map_err(refused)?;
        if tip.closed {
            return Err(refused(kirana_core::khata::book::Misstep::IsClosed.into()));
        }
        if !what.beyond && amount.minor > 0 {
            self.check_room(&book, amount, Some(row.n)).map_err(refused)?;
        }
        self.beyond = what.beyond;
        self.append(row, chain, &Body::OnKhata(OnKhata { khata: book.id, amount }))?;
        self.beyond = false;
        Ok(self.complete_if_done(row, chain)?)
    }

    /// What a person gives back of an order in its book.
    pub(crate) fn may_refund_on_khata(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        body: &Body,
    ) -> Result<(), Abort<NotDone>> {
        self.book_for_refund(row, chain, body)?;
        match body {
            Body::Refunded(Refunded { means: Means::Khata, .. })
                if !self.may_post(row, chain, body)? =>
            {
                Err(refused(NotWritten::NoKhata))
            }
            _ => Ok(()),
        }
    }

    /// A sale at the counter goes into a book.
    pub(crate) fn charge_for_sale(
        &mut self,
        sold: &Entered,
        (id, beyond): (KhataId, bool),
        by: KeyId,
    ) -> Result<(), Abort<NotEntered>> {
        let currency = self.shop.identity.currency;
        let minor = sold.sold.iter().map(|line| line.sum.minor).fold(0, i64::saturating_add);
        let book = khata::find(self.tx, id)?;
        let mut book = book.ok_or(Abort::Refused(NotEntered::Khata(NotWritten::Unknown)))?;
        if book.aside {
            return Err(Abort::Refused(NotEntered::Khata(NotWritten::StandsAside(id))));
        }
        let of = sold.movements.first().map(|movement| Of::Sale { movement: *movement });
        let amount = Money::new(minor, currency);
        let act = Act::Charged(Charged { amount, of, words: None, beyond });
        let hash = self.write_in(&mut book, &act, None).map_err(|why| match why {
            NotWritten::Store(error) => Abort::Store(error),
            why => Abort::Refused(NotEntered::Khata(why)),
        })?;
        Ok(staff::put_entry_by(self.tx, hash, by, None)?)
    }
}

/// What an entry of an order says to a book: which, and what is to be written there.
pub(super) fn on_khata(chain: &Chain, index: usize) -> Option<(KhataId, Act)> {
    match chain.entries().get(index)?.body() {
        Body::OnKhata(OnKhata { khata, amount }) => {
            Some((*khata, Act::Charged(Charged::by_hand(*amount))))
        }
        Body::Refunded(Refunded { amount, means: Means::Khata }) => {
            let before = chain.entries().iter().take(index).rev();
            let mut books = before.filter_map(|entry| match entry.body() {
                Body::OnKhata(written) => Some(written.khata),
                _ => None,
            });
            let (of, words) = (None, None);
            Some((books.next()?, Act::Credited(Credited { amount: *amount, of, words })))
        }
        _ => None,
    }
}

fn last_book(chain: &Chain) -> Option<KhataId> {
    chain.entries().iter().rev().find_map(|entry| match entry.body() {
        Body::OnKhata(written) => Some(written.khata),
        _ => None,
    })
}

fn refused(why: NotWritten) -> Abort<NotDone> {
    match why {
        NotWritten::Store(error) => Abort::Store(error),
        why => Abort::Refused(NotDone::Khata(why)),
    }
}

fn fault(row: &OrderRow, why: NotWritten) -> StoreError {
    match why {
        NotWritten::Store(error) => error,
        why => StoreError::damaged("the khata of order", format!("{}: {why}", row.id)),
    }
}
