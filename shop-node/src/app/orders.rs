//! What people in the shop do with orders: accept, pack, hand over, take money, call off.
//!
//! **Invariant:** each deed is one entry in the order's chain, in one transaction with the stock
//! that it moves; a deed that does not fit the order changes nothing.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    id::{OrderId, VariantId},
    key::KeyId,
    money::Money,
    order::{
        Order,
        axes::LineState,
        chain::{Chain, ChainFault, EntryShown},
        decide::Judge,
        entry::Body,
        facts::{
            BackLine, CancelReason, Cancelled, Completed, DeclineReason, Declined, DeliveryFailed,
            Expired, FailReason, Means, OfGroup, Packed, Packing, Paid, Refunded, ReturnReason,
            Settlement, Side, WeighedLine,
        },
        step::Misstep,
        totals::Totals,
    },
    statement::Party,
    stock::batch::Earned,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{
    Shop,
    access::By,
    cards::NotByCard,
    complaints::MESSAGE_BYTES_MAX,
    desk::{AppendError, Desk, Visit},
    handing::Handing,
    khata::{NotWritten, OnCredit},
    ledger::NotMoved,
    once::{Before, Once, request_hash},
    packing::Swap,
    refusal::NotStored,
};
use crate::store::{
    offers,
    orders::{self, OrderRow},
    staff,
};

/// Which order: ids are the customers' own, so the customer belongs to the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Which {
    /// The order's id.
    pub id: OrderId,
    /// Whose; may be left out while only one customer has used the id.
    pub customer: Option<Party>,
}

/// What a person does with an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Takes an order that waited for a person.
    Accept,
    /// Does not take it.
    Decline(DeclineReason),
    /// Begins to pack a group, or some of its lines.
    Pack(Packing),
    /// Packed, with what was weighed.
    Packed(u8, Vec<WeighedLine>),
    /// It waits for the customer in the shop.
    Ready(u8),
    /// The customer has fetched it.
    Collected(u8, Handing),
    /// It leaves for the customer.
    Dispatch(u8),
    /// The customer has got it.
    Delivered(u8, Handing),
    /// The attempt did not succeed.
    DeliveryFailed(u8, FailReason),
    /// It came back.
    Returned(u8),
    /// Money came in.
    Pay(Money, Means),
    /// What is due, or a part of it, goes into a khata.
    OnKhata(OnCredit),
    /// It is called off.
    Cancel(CancelReason),
    /// Something else comes in the place of lines, as their customer allowed.
    Substitute(Vec<Swap>),
    /// The customer is asked whether something else may come.
    Ask {
        /// The group of lines.
        group: u8,
        /// What could come.
        swaps: Vec<Swap>,
        /// How long the customer has to answer.
        minutes: u32,
    },
    /// Less of a line is on the shelf than is kept for it.
    Miss {
        /// Index of the line.
        line: u16,
        /// How much was found, in base units.
        found: u64,
    },
    /// The customer brings goods back.
    TakeBack(Vec<BackLine>, ReturnReason),
    /// Money goes back.
    Refund(Money, Means),
    /// What is held on a card is let go, so that it can be paid otherwise.
    LetCardGo,
    /// The shop answers a complaint.
    AnswerComplaint {
        /// The words.
        says: Option<String>,
        /// What it offers.
        offer: Option<Settlement>,
    },
    /// The shop ends a complaint.
    SettleComplaint {
        /// The words.
        says: Option<String>,
        /// How it ends.
        settlement: Settlement,
    },
    /// The owner goes on with a restored order without having heard its customer.
    GoOn,
}

/// An order as it stands, with its entries.
#[derive(Debug, Clone)]
pub struct OrderView {
    /// The short number.
    pub number: String,
    /// Where it stands.
    pub order: Order,
    /// What it costs.
    pub totals: Totals,
    /// Its entries.
    pub entries: Vec<EntryShown>,
    /// Whether it waits for its customer after a restore.
    pub waits_for_heads: bool,
    /// Whether staff took it for somebody without a device.
    pub by_phone: bool,
}

/// Why a deed was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// There is no such order.
    #[error("there is no order {0} here")]
    Unknown(OrderId),
    /// Two customers have used one id.
    #[error("two customers have an order {0}: say whose")]
    Ambiguous(OrderId),
    /// It does not fit the order as it stands.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// Its stock is not as it must be.
    #[error(transparent)]
    Stock(#[from] kirana_core::stock::StockError),
    /// What is stored of it is not what was signed.
    #[error(
        "order {0} is damaged here; it is mended when the device that placed it is met, \
         see `kirana-shop verify`"
    )]
    Damaged(OrderId),
    /// The shop was restored and its customer was not heard yet.
    #[error("order {0} waits for its customer's device since the shop was restored")]
    WaitsForCustomer(OrderId),
    /// Something in it is closed until counted.
    #[error("something in order {0} is closed until somebody has counted it")]
    StockClosed(OrderId),
    /// What should come in a line's place is not sold, or not in that amount.
    #[error("{0} is not sold here, or not in that amount")]
    NotSold(VariantId),
    /// Too little is left of what should come in a line's place.
    #[error("there is not enough left of {0} to promise it")]
    NotEnough(VariantId),
    /// The code that was told is that of no such order.
    #[error("that is not the code of order {0}: ask the customer to read it out once more")]
    WrongCode(OrderId),
    /// Too many wrong codes were told for it.
    #[error(
        "a wrong code was told too often for order {0}: only the shop's staff hand it over now"
    )]
    CodeLocked(OrderId),
    /// Something in it is sold from an age on.
    #[error("something in it is sold from {0} years on: look how old the customer is, and say so")]
    AgeNotChecked(u8),
    /// It does not go into the khata.
    #[error(transparent)]
    Khata(#[from] NotWritten),
    /// It does not go by card.
    #[error(transparent)]
    Card(Box<NotByCard>),
    /// A message that is too long.
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes")]
    MessageTooLong,
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request: take a fresh one")]
    KeyReused,
    /// Orders are handed over to a newer box only.
    #[error(
        "this box still speaks for the shop: show it the newer one's profile first, see \
         `kirana-shop orders hand-over --help`"
    )]
    StillSpeaks,
    /// This box changes nothing any more.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AppendError> for Abort<NotDone> {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Chain(fault) => Self::Refused(fault.into()),
            AppendError::Store(error) => Self::Store(error),
        }
    }
}

impl From<NotMoved> for Abort<NotDone> {
    fn from(error: NotMoved) -> Self {
        match error {
            NotMoved::Stock(error) => Self::Refused(error.into()),
            NotMoved::Store(error) => Self::Store(error),
        }
    }
}

impl Shop {
    /// Does something with an order, and shows it as it stands then.
    ///
    /// # Errors
    /// [`NotDone`]; nothing was changed.
    pub fn act(
        &self,
        which: Which,
        deed: Deed,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<OrderView, NotDone> {
        self.act_once(None, which, deed, None, now, rng)
    }

    /// [`Shop::act`], once for each key, and with a note of who had it done.
    ///
    /// # Errors
    /// As there, and [`NotDone::KeyReused`].
    pub fn act_once(
        &self,
        once: Option<Once>,
        which: Which,
        deed: Deed,
        by: Option<By>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<OrderView, NotDone> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let request = request_hash(&("act", which, &deed));
        self.check_code(which, &deed, now)?;
        let view = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            match desk.before(once.as_ref(), request)? {
                Before::New => {}
                Before::Other => return Err(Abort::Refused(NotDone::KeyReused)),
                Before::Done(_) => {
                    let row = one(tx, which)?;
                    return Ok(view(&row, &whole(tx, &row)?)?);
                }
            }
            if let Some(why) = desk.read_only()? {
                return Err(Abort::Refused(NotDone::ReadOnly(why)));
            }
            let row = one(tx, which)?;
            if row.waits_for_heads && deed != Deed::GoOn {
                return Err(Abort::Refused(NotDone::WaitsForCustomer(row.id)));
            }
            let mut chain = whole(tx, &row)?;
            let before = chain.entries().len();
            desk.act(&row, &mut chain, (&deed, by.map(|by| by.who)))?;
            for entry in chain.entries().iter().skip(before) {
                if let Some(By { who, till }) = by {
                    staff::put_entry_by(tx, entry.hash(), who, till)?;
                }
            }
            desk.take_for_order(&row, &chain, before, by.map(|by| by.who))?;
            desk.issue_for(&row, &chain, before)?;
            desk.remember(once.as_ref(), request, &[])?;
            Ok(view(&orders::by_number(tx, row.n)?, &chain)?)
        });
        Ok(view?)
    }

    /// Shows one order.
    ///
    /// # Errors
    /// [`NotDone`] when there is none.
    pub fn order(&self, which: Which) -> Result<OrderView, NotDone> {
        self.reader().read(|c| {
            let row = one(c, which).map_err(plain)?;
            Ok(view(&row, &whole(c, &row).map_err(plain)?)?)
        })
    }

    /// Who had the entries of an order written, in their order, where that is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn done_by(&self, view: &OrderView) -> Result<Vec<(Hash, By)>, StoreError> {
        self.reader().read(|c| {
            let mut done = Vec::new();
            for entry in &view.entries {
                if let Some((who, till)) = staff::entry_by(c, entry.hash)? {
                    done.push((entry.hash, By { who, till }));
                }
            }
            Ok(done)
        })
    }

    /// A page of orders, newest first, whose signatures are checked once in the life of the process. One that is damaged is named and does not hide the others.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn orders(
        &self,
        customer: Option<Party>,
        open_only: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Listed, StoreError> {
        self.reader().read(|c| {
            let before = before.unwrap_or(i64::MAX);
            let rows = orders::page(c, customer.as_ref(), open_only, before, limit)?;
            self.listed(c, &rows, limit)
        })
    }

    /// The signed entries of an order, as they travel.
    ///
    /// # Errors
    /// [`NotDone`] when there is none.
    pub fn entries(&self, which: Which) -> Result<Vec<Vec<u8>>, NotDone> {
        self.reader().read(|c| {
            let row = one(c, which).map_err(plain)?;
            Ok(orders::entry_bytes(c, row.n)?)
        })
    }

    /// Ends orders whose customers wanted an answer before now; only the shop may, and only by
    /// known time. Says how many.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn expire(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<usize, NotDone> {
        let known = self.known_now(now)?;
        let overdue = self.reader().read(|c| orders::overdue(c, known.at, 1))?;
        if overdue.is_empty() || known.expiry_suspended {
            return Ok(0);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let expired = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.now.expiry_suspended || desk.read_only()?.is_some() {
                return Ok(0);
            }
            let mut count = 0;
            for row in orders::overdue(tx, desk.now.at, EXPIRED_AT_ONCE_MAX)? {
                let mut chain = match orders::chain(tx, &row) {
                    Ok(chain) => chain,
                    // `verify` names it; the others shall not wait for it.
                    Err(StoreError::Damaged { .. }) => continue,
                    Err(error) => return Err(error.into()),
                };
                if !row.waits_for_heads && chain.order().is_overdue(desk.now.at) {
                    match desk.append(&row, &mut chain, &Body::Expired(Expired {})) {
                        Ok(_) => count += 1,
                        // The others shall not wait for one that takes no more entries.
                        Err(AppendError::Chain(why)) => tracing::warn!(order.id = %row.id, %why),
                        Err(AppendError::Store(error)) => return Err(error.into()),
                    }
                }
            }
            Ok::<_, Abort<NotDone>>(count)
        });
        Ok(expired?)
    }
}

/// A page of orders.
#[derive(Debug)]
pub struct Listed {
    /// The orders, newest first.
    pub views: Vec<OrderView>,
    /// Those whose stored entries are not what was signed: see [`Shop::verify`].
    pub damaged: Vec<OrderId>,
    /// The number after which the next page goes on.
    pub next: Option<i64>,
}

/// Orders that are ended in one transaction.
const EXPIRED_AT_ONCE_MAX: u32 = 100;

impl Desk<'_, '_> {
    fn act(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        (deed, who): (&Deed, Option<KeyId>),
    ) -> Result<(), Abort<NotDone>> {
        let body = match deed {
            Deed::GoOn => return Ok(self.go_on(row, chain)?),
            Deed::Accept => return self.accept(row, chain),
            Deed::Substitute(swaps) => return self.substitute(row, chain, swaps),
            Deed::Ask { group, swaps, minutes } => {
                return self.ask(row, chain, (*group, *minutes), swaps);
            }
            Deed::Miss { line, found } => return self.miss(row, chain, *line, *found),
            Deed::TakeBack(lines, reason) => return self.take_back(row, chain, lines, *reason),
            Deed::AnswerComplaint { says, offer } => {
                return self.answer_complaint(row, chain, says.as_deref(), *offer);
            }
            Deed::SettleComplaint { says, settlement } => {
                return self.settle_complaint(row, chain, says.as_deref(), *settlement);
            }
            Deed::OnKhata(what) => return self.put_on_khata(row, chain, *what),
            Deed::Pay(amount, Means::Khata) => {
                let what = OnCredit { khata: None, amount: Some(*amount), beyond: false };
                return self.put_on_khata(row, chain, what);
            }
            Deed::LetCardGo => return self.let_card_go(row, chain),
            Deed::Refund(amount, means) => {
                if *means == Means::Card && self.send_back(row, chain, *amount, who)? {
                    return Ok(());
                }
                self.may_give_back(row, chain, *amount)?;
                let body = Body::Refunded(Refunded { amount: *amount, means: *means });
                self.may_refund_on_khata(row, chain, &body)?;
                body
            }
            Deed::Decline(reason) => {
                Body::Declined(Declined { reason: *reason, lines: Vec::new() })
            }
            Deed::Pack(packing) => Body::Packing(packing.clone()),
            Deed::Packed(group, weighed) => {
                Body::Packed(Packed { group: *group, weighed: weighed.clone() })
            }
            Deed::Ready(group) => Body::ReadyForPickup(OfGroup { group: *group }),
            Deed::Collected(group, seen) => {
                Body::Collected(self.handed_over((row, chain), *group, seen)?)
            }
            Deed::Dispatch(group) => Body::OutForDelivery(OfGroup { group: *group }),
            Deed::Delivered(group, seen) => {
                Body::Delivered(self.handed_over((row, chain), *group, seen)?)
            }
            Deed::DeliveryFailed(group, reason) => {
                Body::DeliveryFailed(DeliveryFailed { group: *group, reason: *reason })
            }
            Deed::Returned(group) => Body::ReturnedToShop(OfGroup { group: *group }),
            Deed::Pay(amount, means) => Body::Paid(Paid { amount: *amount, means: *means }),
            Deed::Cancel(reason) => Body::Cancelled(Cancelled {
                by: Side::Shop,
                reason: *reason,
                borne_by: Side::Shop,
                request: None,
            }),
        };
        let handed_over = match deed {
            Deed::Collected(group, _) | Deed::Delivered(group, _) => amounts(chain.order(), *group),
            _ => BTreeMap::new(),
        };
        self.append(row, chain, &body)?;
        self.hand_over(row, &handed_over)?;
        if let Deed::Cancel(_) = deed {
            self.release_all(row)?;
        }
        Ok(self.complete_if_done(row, chain)?)
    }

    /// A person takes the order, also what the ledger does not count.
    fn accept(&mut self, row: &OrderRow, chain: &mut Chain) -> Result<(), Abort<NotDone>> {
        let stage = chain.order().stage;
        if !stage.is_undecided() {
            let fault = Misstep::NotNow { stage: stage.label(), step: "accepted" };
            return Err(Abort::Refused(ChainFault::from(fault).into()));
        }
        for line in &chain.order().placed.lines {
            let shelf = offers::get(self.tx, line.variant)?;
            if shelf.is_some_and(|shelf| shelf.counted && shelf.closed) {
                return Err(Abort::Refused(NotDone::StockClosed(row.id)));
            }
        }
        self.may_accept_paid_so(chain)?;
        self.know_device_of(row)?;
        Ok(self.decide(row, chain, Judge::Person)?)
    }

    /// An order that is handed over and paid is completed by the program.
    pub(super) fn complete_if_done(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), StoreError> {
        self.settle_payment(row, chain)?;
        match self.append(row, chain, &Body::Completed(Completed {})) {
            // What came back to the shop is no longer kept for the customer.
            Ok(_) => self.release_all(row),
            Err(AppendError::Chain(ChainFault::Misstep(_))) => Ok(()),
            Err(error) => Err(error.into_fault(row)),
        }
    }
}

/// What of a group is handed over and what that brings in, line by line.
fn amounts(order: &Order, group: u8) -> BTreeMap<u16, (u64, Option<Earned>)> {
    let lines = order.groups.get(usize::from(group)).map(|group| group.lines.clone());
    let amount = |line: u16| {
        let of = order.lines.get(usize::from(line))?;
        let (LineState::Reserved { amount } | LineState::Weighed { amount, .. }) = of.state else {
            return None;
        };
        // The sums of an order always fit: see `Totals::of`.
        let earned = of.charge.and_then(|charge| {
            Some(Earned { sum: charge.price.of(amount).ok()?, tax_bp: charge.tax_bp })
        });
        Some((line, (amount, earned)))
    };
    lines.into_iter().flatten().filter_map(amount).collect()
}

pub(super) fn one(
    c: &kirana_migrations::rusqlite::Connection,
    which: Which,
) -> Result<OrderRow, Abort<NotDone>> {
    let unknown = Abort::Refused(NotDone::Unknown(which.id));
    match which.customer {
        Some(customer) => orders::find(c, &customer, which.id)?.ok_or(unknown),
        None => {
            let mut rows = orders::by_id(c, which.id)?;
            match (rows.pop(), rows.is_empty()) {
                (Some(row), true) => Ok(row),
                (Some(_), false) => Err(Abort::Refused(NotDone::Ambiguous(which.id))),
                (None, _) => Err(unknown),
            }
        }
    }
}

/// The checked chain of an order; one that is damaged is named.
pub(super) fn whole(
    c: &kirana_migrations::rusqlite::Connection,
    row: &OrderRow,
) -> Result<Chain, Abort<NotDone>> {
    orders::chain(c, row).map_err(|error| match error {
        StoreError::Damaged { .. } => Abort::Refused(NotDone::Damaged(row.id)),
        error => Abort::Store(error),
    })
}

pub(super) fn plain(abort: Abort<NotDone>) -> NotDone {
    match abort {
        Abort::Refused(refusal) => refusal,
        Abort::Store(error) => error.into(),
    }
}

pub(crate) fn view(row: &OrderRow, chain: &Chain) -> Result<OrderView, StoreError> {
    let totals = Totals::of(chain.order());
    Ok(OrderView {
        number: row.number.clone(),
        order: chain.order().clone(),
        totals: totals.map_err(|e| StoreError::damaged("the sums of order", e))?,
        entries: chain.entries().iter().map(|entry| entry.shown()).collect(),
        waits_for_heads: row.waits_for_heads,
        by_phone: row.by_phone,
    })
}
