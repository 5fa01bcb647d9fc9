//! A shop closes down: it takes no new orders, brings the open ones to their end, and then ends.
//!
//! **Invariants:** a new order is declined by a signed entry that says why, never left without an
//! answer; the shop does not end while an order is open; until it ends, it may open again.

use kirana_core::{
    order::{
        decide::Decision,
        facts::{DeclineReason, Declined},
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};

use super::{Shop, refusal::NotStored};
use crate::store::{
    orders,
    settings::{self, Setting},
};

/// How far a shop that closes down has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Closing {
    /// Since when no new orders are taken.
    #[n(0)]
    pub since: UnixMs,
    /// When the shop ended, if it did.
    #[n(1)]
    pub ended: Option<UnixMs>,
}

/// A shop's way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How far it has come; nothing while it is open as ever.
    pub closing: Option<Closing>,
    /// How many orders are open.
    pub open_orders: usize,
}

/// Why the shop does not close, end or open again; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    /// It has to be closed first.
    #[error("the shop takes orders: close it first")]
    Open,
    /// Something is still to be done.
    #[error("{0} orders are open: bring them to their end, or call them off")]
    OpenOrders(usize),
    /// It is over.
    #[error("this shop has ended: found another one")]
    Ended,
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

impl Shop {
    /// How far the shop is on its way to its end.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn closing(&self) -> Result<Standing, StoreError> {
        self.reader().read(standing)
    }

    /// Since when it takes no new orders; nothing while it is open as ever.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn closing_since(&self) -> Result<Option<UnixMs>, StoreError> {
        let closing: Option<Closing> =
            self.reader().read(|c| settings::get(c, Setting::Closing))?;
        Ok(closing.map(|closing| closing.since))
    }

    /// Takes no new orders from now on; once more changes nothing.
    ///
    /// # Errors
    /// [`NotClosed`].
    pub fn close(&self, now: UnixMs) -> Result<Standing, NotClosed> {
        self.step(move |closing, _| match closing {
            Some(Closing { ended: Some(_), .. }) => Err(NotClosed::Ended),
            Some(closing) => Ok(Some(closing)),
            None => Ok(Some(Closing { since: now, ended: None })),
        })
    }

    /// Takes orders again; once more changes nothing.
    ///
    /// # Errors
    /// [`NotClosed::Ended`] for a shop that has come to its end.
    pub fn reopen(&self) -> Result<Standing, NotClosed> {
        self.step(|closing, _| match closing {
            Some(Closing { ended: Some(_), .. }) => Err(NotClosed::Ended),
            Some(_) | None => Ok(None),
        })
    }

    /// Ends a shop that was closed and in which nothing is open any more; once more changes nothing.
    ///
    /// # Errors
    /// [`NotClosed::OpenOrders`] while there is something to be done.
    pub fn end(&self, now: UnixMs) -> Result<Standing, NotClosed> {
        self.step(move |closing, open_orders| match closing {
            None => Err(NotClosed::Open),
            Some(_) if open_orders > 0 => Err(NotClosed::OpenOrders(open_orders)),
            Some(Closing { since, ended }) => {
                Ok(Some(Closing { since, ended: Some(ended.unwrap_or(now)) }))
            }
        })
    }

    fn step(
        &self,
        next: impl Fn(Option<Closing>, usize) -> Result<Option<Closing>, NotClosed> + Send + 'static,
    ) -> Result<Standing, NotClosed> {
        let stored = self.writer().write(move |tx| {
            if let Some(why) = settings::get(tx, Setting::ReadOnly)? {
                return Err(Abort::Refused(NotClosed::ReadOnly(why)));
            }
            let before = standing(tx)?;
            let closing = next(before.closing, before.open_orders).map_err(Abort::Refused)?;
            match &closing {
                Some(closing) => settings::put(tx, Setting::Closing, closing)?,
                None => settings::clear(tx, Setting::Closing)?,
            }
            Ok(Standing { closing, ..before })
        });
        Ok(stored?)
    }
}

/// What a shop that is closing says to a new order; nothing while it takes orders.
pub(crate) fn declines(c: &Connection) -> Result<Option<Decision>, StoreError> {
    let closing: Option<Closing> = settings::get(c, Setting::Closing)?;
    let declined = Declined { reason: DeclineReason::Closed, lines: Vec::new() };
    Ok(closing.map(|_| Decision::Decline(declined)))
}

fn standing(c: &Connection) -> Result<Standing, StoreError> {
    let closing = settings::get(c, Setting::Closing)?;
    Ok(Standing { closing, open_orders: orders::open(c)?.len() })
}
