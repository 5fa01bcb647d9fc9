//! The counter and the store room: sales to walk-ins, receipts, counts, losses and moves.
//!
//! **Invariant (P2):** a walk-in cannot buy what is kept for an order; a count or a loss that
//! leaves too little releases by rule in the same transaction.

use kirana_core::{
    catalogue::pricing::best,
    cbor,
    hash::Hash,
    id::{CountId, KhataId, LocationId, OrderId, PurchaseId, SupplierId, VariantId},
    key::KeyId,
    money::{Currency, Money, MoneyError},
    order::facts::Means,
    planted::{Bug, is_planted},
    quantity::Unit,
    scale::BadLayout,
    stock::{
        Balance, Change, Draft, StockError,
        batch::{Earned, Lot},
        count::corrected,
        walk::Slot,
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{Desk, Visit},
    khata::NotWritten,
    ledger::NotMoved,
    locations::{self, NAME_CHARS_MAX},
    once::{Before, Once, request_hash},
    refusal::NotStored,
    reorder::LEVEL_MAX,
    scan::{NotScanned, Rung, Warned},
};
use crate::store::{
    offers::{self, Shelf},
    settings,
    settings::Setting,
    stock,
};

/// The answer to a sale of [`SALE_LINES_MAX`] lines, with the orders that it shortened.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Lines that one counter sale may have.
pub const SALE_LINES_MAX: usize = 200;

/// Something that a person enters about stock; amounts are base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of what.
    pub variant: VariantId,
    /// Where; the place from which the shop sells if not given.
    pub location: Option<LocationId>,
    /// What happened.
    pub what: What,
    /// Why, in the person's own words; may be empty.
    pub note: String,
}

/// What a person says happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Goods came in.
    Receipt(u64),
    /// Goods came in of which something is known: they are a batch, by the number of the movement.
    Batch(u64, Lot),
    /// Something happened to goods of this batch.
    Of(u64, OfBatch),
    /// Goods are spoilt, broken or stolen.
    Wastage(u64),
    /// So many lie in the shop.
    Counted(u64),
    /// So many lay in the shop when somebody looked.
    CountedThen {
        /// How many.
        counted: u64,
        /// How many were on hand by the ledger then.
        book: u64,
        /// How many of these were on their way to customers then.
        outside: u64,
    },
    /// Goods went to another place of the shop.
    Transfer(u64, LocationId),
    /// A customer brought goods back that can be sold again.
    Return(u64),
    /// The same, of the sale with this number.
    ReturnOf(u64, u64),
}

/// What happens to goods of a batch that somebody names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfBatch {
    /// They are spoilt, broken or stolen.
    Wastage(u64),
    /// They went to another place of the shop.
    Transfer(u64, LocationId),
    /// A customer brought them back, and they can be sold again.
    Return(u64),
}

/// What an entry led to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entered {
    /// The numbers of the movements in the ledger, one for each line.
    #[n(0)]
    pub movements: Vec<u64>,
    /// The balances after it, one for each line.
    #[n(1)]
    pub balances: Vec<After>,
    /// Orders that lost something by the shortage rule.
    #[n(2)]
    pub shortened: Vec<OrderId>,
    /// What was sold for how much, in the order in which it was rung up; nothing but a sale has any.
    #[n(3)]
    #[cbor(default)]
    pub sold: Vec<Sold>,
}

/// A line of a sale, as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sold {
    /// What.
    #[n(0)]
    pub variant: VariantId,
    /// How much, in base units.
    #[n(1)]
    pub amount: u64,
    /// Of which unit.
    #[n(2)]
    pub unit: Unit,
    /// What the customer pays for it.
    #[n(3)]
    pub sum: Money,
    /// What somebody should know about its label.
    #[n(4)]
    pub warnings: Vec<Warned>,
}

/// A balance after a movement, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct After {
    /// What is on hand.
    #[n(0)]
    pub on_hand: u64,
    /// What of it is kept for orders.
    #[n(1)]
    pub reserved: u64,
}

impl From<Balance> for After {
    fn from(Balance { on_hand, reserved }: Balance) -> Self {
        Self { on_hand, reserved }
    }
}

/// One line of a sale at the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleLine {
    /// What.
    pub variant: VariantId,
    /// How much, in base units.
    pub amount: u64,
    /// Of which unit: the one that it is sold in.
    pub unit: Unit,
    /// Of this batch, whatever its date; else of those that should go first.
    pub batch: Option<u64>,
}

/// Why something was not entered; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// It cannot have happened.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The shop does not sell this.
    #[error("the shop has no product {0}")]
    NotSold(VariantId),
    /// It is sold in another unit.
    #[error("{variant} is sold by {sold_by}, not by {given}")]
    OtherUnit {
        /// What.
        variant: VariantId,
        /// The unit that it is sold in.
        sold_by: Unit,
        /// The unit that was given.
        given: Unit,
    },
    /// A cost in a currency that the shop does not count in.
    #[error("this shop counts in {0}")]
    OtherCurrency(Currency),
    /// A level that cannot be.
    #[error("up_to is at least the level, and at most {LEVEL_MAX}")]
    Level,
    /// A contact, a note or a number of days that cannot be.
    #[error("a contact has up to 300 characters, a note 200 bytes, and goods need up to 365 days")]
    About,
    /// No pack.
    #[error("a pack holds at least one base unit")]
    Pack,
    /// No such supplier.
    #[error("there is no supplier {0}")]
    NoSupplier(SupplierId),
    /// No sale of this.
    #[error("movement {0} is no sale of this product")]
    NoSale(u64),
    /// More comes back than was sold.
    #[error("of sale {sale} at most {left} can come back")]
    MoreThanSold {
        /// Which.
        sale: u64,
        /// How much of it did not come back yet, in base units.
        left: u64,
    },
    /// Something is awaited from it, or fetched.
    #[error("goods are still awaited from {0}, or a feed of theirs is fetched: end these first")]
    StillSupplies(String),
    /// No such stocktake.
    #[error("there is no stocktake {0}")]
    NoCount(CountId),
    /// Nobody counts any more.
    #[error("stocktake {0} has ended: begin another one")]
    CountEnded(CountId),
    /// No such purchase.
    #[error("there is no purchase {0}")]
    NoPurchase(PurchaseId),
    /// Nothing more is awaited of it.
    #[error("nothing more is awaited of purchase {0}: enter what came as goods of their own")]
    PurchaseEnded(PurchaseId),
    /// It was not ordered.
    #[error("{0} is no part of this purchase")]
    NotOrdered(VariantId),
    /// Twice in one purchase, nothing, or too much.
    #[error("{0} is ordered once in a purchase, and at least 1 of it")]
    Line(VariantId),
    /// A sum that does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// No name.
    #[error("a name has up to {NAME_CHARS_MAX} characters")]
    Name,
    /// Somebody or something else is called so.
    #[error("there is another «{0}»")]
    NameTaken(String),
    /// No such place.
    #[error("the shop keeps no stock at {0}: see the list of its places")]
    NoLocation(LocationId),
    /// One more than a shop may have.
    #[error("a shop has at most {0} of these")]
    TooMany(usize),
    /// Nobody knows how much there is.
    #[error("stock of {0} is closed until somebody has counted it")]
    Closed(VariantId),
    /// It cannot be told from a scan what is sold.
    #[error(transparent)]
    Scan(#[from] NotScanned),
    /// No layout of a scale's codes.
    #[error(transparent)]
    Layout(#[from] BadLayout),
    /// A till is open.
    #[error("the till is open: close it first")]
    TillOpen,
    /// No such till, or it is closed.
    #[error("there is no such till that is open")]
    NoTill,
    /// Less than nothing, nothing, or in another currency.
    #[error("the amount is below what it can be, or in another currency than the shop's")]
    Amount,
    /// A note that is too long.
    #[error("a note has at most 200 bytes, none of them control characters")]
    TillNote,
    /// It does not go into the khata.
    #[error(transparent)]
    Khata(#[from] NotWritten),
    /// Too many lines, or none.
    #[error("a sale has between 1 and {SALE_LINES_MAX} lines")]
    Lines,
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request: take a fresh one")]
    KeyReused,
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

impl From<NotMoved> for Abort<NotEntered> {
    fn from(error: NotMoved) -> Self {
        match error {
            NotMoved::Stock(error) => Self::Refused(error.into()),
            NotMoved::Store(error) => Self::Store(error),
        }
    }
}

impl Shop {
    /// Enters what somebody says about stock.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn enter(
        &self,
        entry: Entry,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        self.enter_once(None, entry, by, now, rng)
    }

    /// [`Shop::enter`], once for each key.
    ///
    /// # Errors
    /// As there, and [`NotEntered::KeyReused`].
    pub fn enter_once(
        &self,
        once: Option<Once>,
        entry: Entry,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        let request = request_hash(&("enter", &entry));
        self.at_the_counter(once, request, now, rng, move |desk| desk.enter(&entry, by))
    }

    /// Sells to somebody at the counter; all lines or none.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn sell(
        &self,
        lines: Vec<SaleLine>,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        let lines = lines.into_iter().map(Rung::Chosen).collect();
        self.ring_up(None, (lines, Means::Cash), by, now, rng)
    }

    /// [`Shop::sell`], of what was chosen or scanned, paid by some means, once for each key.
    ///
    /// # Errors
    /// As there, [`NotEntered::Scan`] and [`NotEntered::KeyReused`].
    pub fn ring_up(
        &self,
        once: Option<Once>,
        (lines, means): (Vec<Rung>, Means),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        if lines.is_empty() || lines.len() > SALE_LINES_MAX {
            return Err(NotEntered::Lines);
        }
        if means == Means::Khata {
            return Err(NotEntered::Khata(NotWritten::NoKhata));
        }
        let request = request_hash(&("sell", &lines, means.label()));
        self.at_the_counter(once, request, now, rng, move |desk| {
            let sold = desk.sell(&lines, by)?;
            desk.take_for_sale(&sold, means, by)?;
            Ok(sold)
        })
    }

    /// [`Shop::ring_up`], written into a khata; `beyond` with the owner's say past its limit.
    ///
    /// # Errors
    /// As there, and [`NotEntered::Khata`].
    pub fn ring_up_on_khata(
        &self,
        once: Option<Once>,
        (lines, khata, beyond): (Vec<Rung>, KhataId, bool),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        if lines.is_empty() || lines.len() > SALE_LINES_MAX {
            return Err(NotEntered::Lines);
        }
        let request = request_hash(&("sell on khata", &lines, khata, beyond));
        self.at_the_counter(once, request, now, rng, move |desk| {
            let sold = desk.sell(&lines, by)?;
            desk.charge_for_sale(&sold, (khata, beyond), by)?;
            desk.take_for_sale(&sold, Means::Khata, by)?;
            Ok(sold)
        })
    }

    /// Does something about goods, once for each key.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub(crate) fn at_the_counter<T>(
        &self,
        once: Option<Once>,
        request: Hash,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        mut work: impl FnMut(&mut Desk<'_, '_>) -> Result<T, Abort<NotEntered>> + Send + 'static,
    ) -> Result<T, NotEntered>
    where
        T: Encode<()> + for<'b> Decode<'b, ()> + Send + 'static,
    {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let entered = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            match desk.before(once.as_ref(), request)? {
                Before::New => {}
                Before::Other => return Err(Abort::Refused(NotEntered::KeyReused)),
                Before::Done(answer) => {
                    let entered = cbor::from_slice("an answer", &answer, ANSWER_BYTES_MAX);
                    return entered.map_err(|e| StoreError::damaged("an answer", e).into());
                }
            }
            desk.may_enter()?;
            let entered = work(&mut desk)?;
            desk.remember(once.as_ref(), request, &cbor::to_vec(&entered))?;
            Ok(entered)
        });
        Ok(entered?)
    }

    /// Somebody says that the stock is as the ledger says, after a restore: it is sold again.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn confirm_stock(&self) -> Result<(), NotEntered> {
        let confirmed = self.writer().write(|tx| -> Result<(), Abort<NotEntered>> {
            if let Some(why) = settings::get(tx, Setting::ReadOnly)? {
                return Err(Abort::Refused(NotEntered::ReadOnly(why)));
            }
            offers::reopen(tx, None)?;
            settings::clear(tx, Setting::StockInDoubt)?;
            Ok(())
        });
        Ok(confirmed?)
    }
}

impl Desk<'_, '_> {
    pub(crate) fn may_enter(&self) -> Result<(), Abort<NotEntered>> {
        match self.read_only()? {
            Some(why) => Err(Abort::Refused(NotEntered::ReadOnly(why))),
            None => Ok(()),
        }
    }

    pub(crate) fn enter(&mut self, entry: &Entry, by: KeyId) -> Result<Entered, Abort<NotEntered>> {
        let variant = entry.variant;
        let shelf = offers::get(self.tx, variant)?;
        let shelf = shelf.ok_or(Abort::Refused(NotEntered::NotSold(variant)))?;
        let location = entry.location.unwrap_or(self.shop.identity.location);
        let slot = Slot { variant, location };
        locations::check(self.tx, &self.shop.identity, location)?;
        let (mut lot, mut named, mut back) = (None, None, None);
        let change = match &entry.what {
            What::Receipt(amount) => Change::Receipt { amount: *amount },
            What::Batch(amount, of) => {
                lot = self.lot(of)?;
                Change::Receipt { amount: *amount }
            }
            What::Of(batch, of) => {
                named = Some(*batch);
                match *of {
                    OfBatch::Wastage(amount) => Change::Wastage { amount },
                    OfBatch::Transfer(amount, to) => Change::Transfer { amount, to },
                    OfBatch::Return(amount) => Change::Return { amount },
                }
            }
            What::Wastage(amount) => Change::Wastage { amount: *amount },
            What::Transfer(amount, to) => Change::Transfer { amount: *amount, to: *to },
            What::Return(amount) => Change::Return { amount: *amount },
            What::ReturnOf(sale, amount) => {
                back = Some(self.back_from(*sale, variant, *amount)?);
                Change::Return { amount: *amount }
            }
            What::Counted(counted) => {
                let before = stock::balance(self.tx, variant, location)?.on_hand;
                let counted = counted.saturating_add(self.outside(slot)?);
                Change::Stocktake { before, counted }
            }
            What::CountedThen { counted, book, outside } => {
                let before = stock::balance(self.tx, variant, location)?.on_hand;
                let counted = corrected(before, *book, counted.saturating_add(*outside));
                Change::Stocktake { before, counted }
            }
        };
        if let Change::Transfer { to, .. } = change {
            locations::check(self.tx, &self.shop.identity, to)?;
        }
        let note = entry.note.clone();
        let (of_sale, earned) = (back.map(|(sale, _)| sale), back.map(|(_, earned)| earned));
        let new = Draft::new(variant, location, change, by);
        let draft = Draft { note, lot, of_sale, earned, ..new };
        let written = self.move_of(draft, named)?;
        if shelf.closed && matches!(change, Change::Stocktake { .. }) {
            offers::reopen(self.tx, Some(variant))?;
        }
        let shortened = self.settle_shortage(slot)?;
        Ok(Entered {
            movements: vec![written.movement.seq],
            balances: vec![stock::balance(self.tx, variant, location)?.into()],
            shortened,
            sold: Vec::new(),
        })
    }

    /// What is said of a batch, if anything is, as far as it can be kept.
    pub(crate) fn lot(&self, lot: &Lot) -> Result<Option<Lot>, Abort<NotEntered>> {
        lot.check().map_err(|why| Abort::Refused(why.into()))?;
        let currency = self.shop.identity.currency;
        if lot.cost.is_some_and(|cost| cost.currency != currency) {
            return Err(Abort::Refused(NotEntered::OtherCurrency(currency)));
        }
        Ok((!lot.is_empty()).then(|| lot.clone()))
    }

    fn sell(&mut self, rung: &[Rung], by: KeyId) -> Result<Entered, Abort<NotEntered>> {
        let location = self.shop.identity.location;
        let mut entered = Entered::default();
        for rung in rung {
            let line = self.line(rung)?;
            let SaleLine { variant, amount, unit, batch } = line.sale;
            let shelf = offers::get(self.tx, variant)?;
            let shelf = shelf.ok_or(Abort::Refused(NotEntered::NotSold(variant)))?;
            if shelf.unit != unit {
                let (sold_by, given) = (shelf.unit, unit);
                return Err(Abort::Refused(NotEntered::OtherUnit { variant, sold_by, given }));
            }
            let sum = match line.label {
                Some(sum) => sum,
                None => self.costs(&shelf, amount)?,
            };
            let warnings = line.warnings;
            entered.sold.push(Sold { variant, amount, unit, sum, warnings });
            if !shelf.counted {
                continue;
            }
            if shelf.closed {
                return Err(Abort::Refused(NotEntered::Closed(variant)));
            }
            let change = Change::Sale { amount, reserved: 0 };
            let earned = Some(Earned { sum, tax_bp: shelf.tax_bp });
            let draft = Draft { earned, ..Draft::new(variant, location, change, by) };
            let written = self.move_of(draft, batch)?;
            entered.movements.push(written.movement.seq);
            if !is_planted(Bug::SellReserved) {
                entered.shortened.extend(self.settle_shortage(Slot { variant, location })?);
            }
            entered.balances.push(stock::balance(self.tx, variant, location)?.into());
        }
        Ok(entered)
    }

    /// What so much costs now, with the best deal.
    fn costs(&self, shelf: &Shelf, amount: u64) -> Result<Money, Abort<NotEntered>> {
        let deals = shelf.schedule.deals_at(shelf.unit, self.now.at);
        let price = shelf.schedule.price_at(shelf.price, self.now.at);
        let sum = best(price, deals, amount).of(amount);
        sum.map_err(|why| Abort::Refused(NotEntered::Money(why)))
    }

    /// What is on its way to customers: it is on hand by the ledger, but nobody finds it in the
    /// shop when counting.
    pub(crate) fn outside(&mut self, slot: Slot) -> Result<u64, StoreError> {
        let mut outside = 0;
        for held in stock::reserved_of(self.tx, slot)? {
            let row = crate::store::orders::by_number(self.tx, held.order_n)?;
            // What cannot be read any more is taken to be here: so nothing is promised too much.
            let Some(chain) = self.whole(&row)? else { continue };
            if !chain.order().holds().any(|(line, _)| line == held.line) {
                outside += held.amount;
            }
        }
        Ok(outside)
    }
}
