//! Grants or refuses what customers ask about their orders: withdraw, cancel, change, answer a
//! question, complain, compare heads.
//!
//! **Invariant:** a request changes nothing by itself; it becomes an entry that names it, or gets a
//! signed refusal, and the same request again gets the same answer.

use kirana_core::{
    envelope::Parcel,
    order::{
        HEADS_MAX, Order,
        axes::{Fulfilment, Stage},
        chain::Chain,
        decide::Judge,
        entry::Body,
        facts::{Cancelled, Side, Withdrawn},
        wish::{Answer, HeadsReply, RefusalCode, Wish},
    },
    statement::SignedStatement,
};
use kirana_migrations::{Abort, StoreError};

use super::{
    Undeliverable,
    deliver::Outcome,
    desk::Desk,
    khata::HeardBooks,
    reading::{Device, Read},
};
use crate::store::{
    damage,
    orders::{self, OrderRow},
    outgoing,
};

/// Entries after which an order takes no more requests that would only add to it: the words of so
/// many fit one reply.
const ASKED_ENTRIES_MAX: usize = 40;

impl Desk<'_, '_> {
    /// Answers a customer's request.
    pub(crate) fn grant(
        &mut self,
        read: &Read,
        device: &Device,
        (wish, parcel): (&Wish, &Parcel),
    ) -> Result<Vec<Outcome>, Abort<Undeliverable>> {
        let request = &read.signed;
        if let Some(bytes) = outgoing::answer_to(self.tx, request.hash())? {
            return Ok(vec![Outcome::Answered { bytes }]);
        }
        if let Wish::Countersign(_) | Wish::Dispute(_) = wish {
            return Ok(self.hear_about_khata(read, device, (wish, parcel))?);
        }
        if let Wish::Heads(heads) = wish {
            return Ok(self.compare_heads(request, device, heads)?);
        }
        let doubted = self.is_doubted(&device.certified)?.then(|| device.certified.key().id());
        let row = orders::find(self.tx, &device.party, request.statement().order)?;
        let row = row.filter(|row| doubted.is_none_or(|key| row.device.id() == key));
        let code = match row {
            None => RefusalCode::UnknownOrder,
            Some(row) => match self.grant_about(&row, request, wish, parcel)? {
                None => return Ok(vec![Outcome::Order { n: row.n, id: row.id, new: false }]),
                Some(code) => code,
            },
        };
        let refusal = self.refuse(request, device.party, device.certified.key().id(), code)?;
        Ok(vec![Outcome::Answered { bytes: refusal.bytes().to_vec() }])
    }

    /// Appends the entry that grants the wish, or says why not.
    fn grant_about(
        &mut self,
        row: &OrderRow,
        request: &SignedStatement,
        wish: &Wish,
        parcel: &Parcel,
    ) -> Result<Option<RefusalCode>, StoreError> {
        let Some(mut chain) = self.whole(row)? else { return Ok(Some(RefusalCode::Recovering)) };
        if chain.entries().iter().any(|entry| entry.body().granted() == Some(request.hash())) {
            return Ok(None);
        }
        // The request may be older than the restore, so the head that it names proves nothing.
        if row.waits_for_heads {
            return Ok(Some(RefusalCode::Recovering));
        }
        let statement = request.statement();
        if statement.answer_by.is_some_and(|by| self.now.is_past(by)) {
            return Ok(Some(RefusalCode::Overdue));
        }
        let hash = request.hash();
        // What ends an order is always heard; the rest must leave the shop room to write.
        let ends = matches!(wish, Wish::Withdraw(_) | Wish::Cancel(_));
        if chain.len() >= ASKED_ENTRIES_MAX && !ends {
            return Ok(Some(RefusalCode::TooLate));
        }
        let body = match (wish, chain.order().stage) {
            (Wish::Change(wish), _) => {
                return self.change(row, &mut chain, hash, &wish.alteration);
            }
            (Wish::Approve(wish), _) => return self.take_answer(row, &mut chain, hash, wish),
            (Wish::Complain(wish), _) => {
                return self.hear_complaint(row, &mut chain, hash, (wish, parcel));
            }
            (Wish::Withdraw(_), stage) if stage.is_undecided() => {
                Body::Withdrawn(Withdrawn { request: request.hash() })
            }
            (Wish::Cancel(wish), Stage::Accepted { .. }) if is_early(chain.order()) => {
                Body::Cancelled(Cancelled {
                    by: Side::Customer,
                    reason: wish.reason,
                    borne_by: Side::Customer,
                    request: Some(request.hash()),
                })
            }
            _ => return Ok(Some(RefusalCode::TooLate)),
        };
        self.release_all(row)?;
        self.append(row, &mut chain, &body).map_err(|e| e.into_fault(row))?;
        self.settle_payment(row, &mut chain)?;
        Ok(None)
    }

    /// The customer was heard, or the owner takes the word for it: the order may go on, and one
    /// that nobody has decided is decided now.
    pub(crate) fn go_on(&mut self, row: &OrderRow, chain: &mut Chain) -> Result<(), StoreError> {
        if !row.waits_for_heads {
            return Ok(());
        }
        orders::stop_waiting(self.tx, row.n)?;
        match chain.len() {
            1 => self.decide(row, chain, Judge::Program),
            _ => self.reserve_again(row, chain),
        }
    }

    /// Compares what a device holds with what the shop holds, and says what the shop lacks.
    fn compare_heads(
        &mut self,
        request: &SignedStatement,
        device: &Device,
        theirs: &kirana_core::order::wish::Heads,
    ) -> Result<Vec<Outcome>, StoreError> {
        let key = device.certified.key().id();
        let (mut wanted, mut same, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        let is_fresh = theirs.generation >= self.shop.generation;
        let mut books = HeardBooks::default();
        // P6: a device that a hub alone added hears of nothing but what it placed itself.
        let is_doubted = self.is_doubted(&device.certified)?;
        let may = |row: &OrderRow| !is_doubted || row.device.id() == key;
        for head in &theirs.heads {
            let row = orders::find(self.tx, &device.party, head.order)?;
            if is_doubted && row.as_ref().is_none_or(|row| !may(row)) {
                continue;
            }
            let Some(row) = row else {
                if !self.compare_book(&device.party, key, (head, is_fresh), &mut books)? {
                    wanted.push(head.order);
                }
                continue;
            };
            let Some(mut chain) = self.whole(&row)? else {
                wanted.push(head.order);
                continue;
            };
            let has_all = chain.contains(head.hash);
            if row.waits_for_heads && has_all && !is_fresh {
                wanted.push(head.order);
            } else if has_all {
                same.push(head.order);
                self.go_on(&row, &mut chain)?;
                if orders::by_number(self.tx, row.n)?.head == head.hash {
                    outgoing::heard(self.tx, key, row.n)?;
                } else {
                    outgoing::order_changed(self.tx, key, row.n)?;
                    outcomes.push(Outcome::Order { n: row.n, id: row.id, new: false });
                }
            } else {
                wanted.push(head.order);
                outgoing::order_changed(self.tx, key, row.n)?;
                outcomes.push(Outcome::Order { n: row.n, id: row.id, new: false });
            }
        }
        if !is_doubted {
            self.tell_unnamed_books(&device.party, key, &theirs.heads)?;
        }
        wanted.extend(books.wanted);
        same.extend(books.same);
        // Also what is closed and so not compared any more may have been damaged since.
        for order in damage::of_customer(self.tx, &device.party)? {
            if !is_doubted && !wanted.contains(&order) && wanted.len() < HEADS_MAX {
                wanted.push(order);
            }
        }
        let open = orders::open_of(self.tx, &device.party, HEADS_MAX as u32)?;
        let open = open.iter().filter(|row| may(row)).map(OrderRow::wire_head);
        let heads = books.heads.into_iter().chain(open);
        let heads = heads.take(HEADS_MAX).collect();
        let lacks = !wanted.is_empty();
        let answer =
            Answer::HeadsReply(HeadsReply { answers: request.hash(), heads, wanted, same });
        let signed = self.sign_answer(request, device.party, &answer);
        // A device that lists its mail hears what the shop lacks also when this reply gets lost.
        if lacks {
            outgoing::put_answer(self.tx, key, request.hash(), signed.bytes(), self.now.at)?;
        }
        outcomes.push(Outcome::Answered { bytes: signed.bytes().to_vec() });
        Ok(outcomes)
    }
}

/// Whether nobody has packed anything yet, so that a customer may still call it off.
fn is_early(order: &Order) -> bool {
    let early = |stage| matches!(stage, Fulfilment::Pending | Fulfilment::Packing { .. });
    order.groups.iter().all(|group| early(group.stage))
}
