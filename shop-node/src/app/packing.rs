//! What packers do when a line cannot come as it was ordered: put something else in its place, ask
//! the customer, or write down that it is not on the shelf.
//!
//! **Invariant (P2):** what is proposed or put in a line's place is reserved in the transaction that
//! says so, and what was kept for the line before is released in the same one.

use kirana_core::{
    catalogue::pricing,
    hash::Hash,
    id::VariantId,
    order::{
        Order,
        axes::{Fulfilment, LineState},
        chain::Chain,
        entry::Body,
        facts::{Answered, Question, Replacement, ShortLine, Substitute, Substituted},
        step::Misstep,
        wish::{Approve, RefusalCode},
    },
    quantity::Quantity,
    stock::{Change, Draft, walk::Slot},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{AppendError, Desk, Visit},
    ledger::NOTHING_LEFT,
    orders::NotDone,
    place::offer_of,
};
use crate::store::{
    offers,
    orders::{self, OrderRow},
    stock,
};

/// How long a customer has to answer a question, where the packer names no time.
pub const ANSWER_MINUTES: u32 = 30;
/// The longest time that a packer can give, in minutes: two days.
pub const ANSWER_MINUTES_MAX: u32 = 2 * 24 * 60;
/// Questions that are answered in one transaction when their time is over.
const LAPSED_AT_ONCE_MAX: u32 = 100;

/// What a packer puts in the place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// Index of the line.
    pub line: u16,
    /// What comes.
    pub variant: VariantId,
    /// How much of it, in its base unit.
    pub amount: u64,
}

impl Shop {
    /// Goes on with the packing where customers were asked and did not answer in time: what they had
    /// allowed beforehand comes, the rest does not. Says of how many orders.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn lapse_questions(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<usize, NotDone> {
        let known = self.known_now(now)?;
        let due = self.reader().read(|c| orders::questions_due(c, known.at, 1))?;
        if due.is_empty() || known.expiry_suspended {
            return Ok(0);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let lapsed = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.now.expiry_suspended || desk.read_only()?.is_some() {
                return Ok(0);
            }
            let mut count = 0;
            for row in orders::questions_due(tx, desk.now.at, LAPSED_AT_ONCE_MAX)? {
                let mut chain = match orders::chain(tx, &row) {
                    Ok(chain) => chain,
                    // `verify` names it; the others shall not wait for it.
                    Err(StoreError::Damaged { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                if !row.waits_for_heads {
                    count += desk.lapse(&row, &mut chain)?;
                }
            }
            Ok::<_, Abort<NotDone>>(count)
        });
        Ok(lapsed?)
    }
}

impl Desk<'_, '_> {
    /// Something else comes, as the customer allowed beforehand.
    pub(super) fn substitute(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        swaps: &[Swap],
    ) -> Result<(), Abort<NotDone>> {
        let lines = self.keep_instead(row, chain.order(), swaps)?;
        let ledger = self.ledger()?.hash;
        self.append(row, chain, &Body::Substituted(Substituted { lines, ledger }))?;
        Ok(())
    }

    /// The customer is asked whether something else may come.
    pub(super) fn ask(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        (group, minutes): (u8, u32),
        swaps: &[Swap],
    ) -> Result<(), Abort<NotDone>> {
        let proposals = self.keep_instead(row, chain.order(), swaps)?;
        let minutes = u64::from(minutes.clamp(1, ANSWER_MINUTES_MAX));
        let (deadline, ledger) = (self.now.at.plus_ms(minutes * 60_000), self.ledger()?.hash);
        self.append(row, chain, &Body::Question(Question { group, proposals, deadline, ledger }))?;
        Ok(())
    }

    /// Reserves what comes in the place of lines, for the price of now.
    fn keep_instead(
        &mut self,
        row: &OrderRow,
        order: &Order,
        swaps: &[Swap],
    ) -> Result<Vec<Replacement>, Abort<NotDone>> {
        let mut replacements = Vec::new();
        for Swap { line, variant, amount } in swaps.iter().copied() {
            if order.lines.get(usize::from(line)).is_none() {
                return Err(misstep(Misstep::NoSuchLine { line }));
            }
            let not_sold = || Abort::Refused(NotDone::NotSold(variant));
            let shelf = offers::get(self.tx, variant)?.ok_or_else(not_sold)?;
            let offer = offer_of(self.tx, &shelf, self.shop, self.now.at)?;
            let quantity = Quantity::new(amount, offer.unit).map_err(|_| not_sold())?;
            if offer.counted && offer.available < amount {
                return Err(Abort::Refused(NotDone::NotEnough(variant)));
            }
            self.release_line(row, line)?;
            if offer.counted {
                self.reserve(row, line, variant, amount)?;
            }
            replacements.push(Replacement {
                line,
                substitute: Substitute { product: shelf.product, variant, quantity },
                price: pricing::best(offer.price, offer.deals.iter().copied(), amount),
                tax_bp: offer.tax_bp,
            });
        }
        Ok(replacements)
    }

    /// The customer answers the question that stands; says why not.
    pub(super) fn take_answer(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        request: Hash,
        approve: &Approve,
    ) -> Result<Option<RefusalCode>, StoreError> {
        let asked = chain.entries().iter().find(|entry| entry.hash() == approve.question);
        let question = match asked.map(|entry| entry.body()) {
            Some(Body::Question(question)) if awaits(chain.order(), question) => question.clone(),
            _ => return Ok(Some(RefusalCode::TooLate)),
        };
        let is_asked = |line: &u16| question.proposals.iter().any(|p| p.line == *line);
        if !approve.taken.iter().all(is_asked) {
            return Ok(Some(RefusalCode::NotNow));
        }
        let (group, taken) = (question.group, approve.taken.clone());
        let ledger = self.ledger()?.hash;
        let answered = Answered { group, taken, request: Some(request), ledger };
        // The question stands on: room may be made, or it lapses to what was allowed beforehand.
        if !self.has_room_for_answer(row, chain.order(), answered)? {
            return Ok(Some(RefusalCode::KhataLimit));
        }
        self.go_on_packing(row, chain, &question, approve.taken.clone(), Some(request))?;
        Ok(None)
    }

    /// Nobody answered in time.
    fn lapse(&mut self, row: &OrderRow, chain: &mut Chain) -> Result<usize, StoreError> {
        let order = chain.order();
        let over = |stage| match stage {
            Fulfilment::AwaitingAnswer { deadline } => deadline <= self.now.at,
            _ => false,
        };
        let lapsed = order.groups.iter().filter(|group| over(group.stage));
        let lapsed: Vec<Question> = lapsed.filter_map(|group| group.question.clone()).collect();
        for question in &lapsed {
            let allowed = |p: &&Replacement| chain.order().allows_instead(p).unwrap_or(false);
            let taken = question.proposals.iter().filter(allowed).map(|p| p.line).collect();
            self.go_on_packing(row, chain, question, taken, None)?;
        }
        Ok(usize::from(!lapsed.is_empty()))
    }

    fn go_on_packing(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        question: &Question,
        taken: Vec<u16>,
        request: Option<Hash>,
    ) -> Result<(), StoreError> {
        for proposal in question.proposals.iter().filter(|p| !taken.contains(&p.line)) {
            self.release_line(row, proposal.line)?;
        }
        let (group, ledger) = (question.group, self.ledger()?.hash);
        let body = Body::Answered(Answered { group, taken, request, ledger });
        self.append(row, chain, &body).map_err(|e| e.into_fault(row))?;
        self.call_off_if_empty(row, chain, NOTHING_LEFT)
    }

    /// A packer finds less on the shelf than is kept for a line: what is missing leaves the stock,
    /// and what nobody has reserved is taken not to be there either.
    pub(super) fn miss(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        line: u16,
        found: u64,
    ) -> Result<(), Abort<NotDone>> {
        let of = chain.order().lines.get(usize::from(line)).cloned();
        let of = of.ok_or_else(|| misstep(Misstep::NoSuchLine { line }))?;
        let amount = match of.state {
            LineState::Reserved { amount } if found < amount => amount,
            _ => return Err(misstep(Misstep::LineNotHeld { line })),
        };
        let granted = if chain.order().placed.partial_ok { found } else { 0 };
        let held = stock::reserved_for(self.tx, row.n)?;
        let held = held.into_iter().find(|held| held.line == line);
        if let Some(held) = held.filter(|held| held.amount >= amount) {
            self.release(row, &held, amount - granted)?;
            let slot = Slot { variant: held.variant, location: held.location };
            let balance = stock::balance(self.tx, slot.variant, slot.location)?;
            let counted = balance.reserved + (found - granted);
            let change = Change::Stocktake { before: balance.on_hand, counted };
            let note = "not on the shelf while packing".to_owned();
            let draft = Draft::new(slot.variant, slot.location, change, self.node_id());
            self.move_stock(Draft { note, ..draft })?;
            self.settle_shortage(slot)?;
        }
        self.tell_shortage(row, vec![ShortLine { line, granted }])?;
        *chain = orders::chain(self.tx, &orders::by_number(self.tx, row.n)?)?;
        Ok(())
    }
}

/// Whether this very question stands.
fn awaits(order: &Order, question: &Question) -> bool {
    let group = order.groups.get(usize::from(question.group));
    group.is_some_and(|group| {
        matches!(group.stage, Fulfilment::AwaitingAnswer { .. })
            && group.question.as_ref() == Some(question)
    })
}

fn misstep(why: Misstep) -> Abort<NotDone> {
    AppendError::Chain(why.into()).into()
}
