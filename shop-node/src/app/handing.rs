//! What is looked at when goods change hands: the customer's code, and an age where it matters.
//!
//! **Invariant:** an entry says `code` only where the right one was told; what is sold from an age
//! on is handed over only by somebody who says that the age was looked at.

use kirana_core::{
    id::OrderId,
    order::{
        Order,
        chain::Chain,
        facts::{HandedOver, Proof},
        handing::HandoverCode,
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{
    Shop,
    desk::Desk,
    orders::{Deed, NotDone, Which, one, plain, whole},
};
use crate::store::{offers, orders::OrderRow, wrong_codes};

/// What somebody saw who hands goods over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handing {
    /// The code that the customer told.
    pub code: Option<String>,
    /// What else shows that it is in the right hands.
    pub proof: Option<Proof>,
    /// Whether somebody looked how old the customer is.
    pub age_checked: bool,
    /// Whether somebody of the shop's staff says so, who may also where a code was guessed at.
    pub by_staff: bool,
}

/// Wrong codes of one order after which only staff hand it over: whoever guesses finds one of a million
/// by then with less than one in a hundred thousand.
pub const WRONG_CODES_MAX: u32 = 5;

impl Desk<'_, '_> {
    /// What stands in the entry about goods that change hands.
    pub(super) fn handed_over(
        &self,
        (row, chain): (&OrderRow, &Chain),
        group: u8,
        seen: &Handing,
    ) -> Result<HandedOver, Abort<NotDone>> {
        if is_locked(self.tx, row, seen)? {
            return Err(Abort::Refused(NotDone::CodeLocked(row.id)));
        }
        let age = age_of(self.tx, chain.order(), Some(group))?;
        if let Some(age) = age.filter(|_| !seen.age_checked) {
            return Err(Abort::Refused(NotDone::AgeNotChecked(age)));
        }
        let proof = match &seen.code {
            Some(code) if HandoverCode::of(chain).is(code) => Some(Proof::Code),
            Some(_) => return Err(Abort::Refused(NotDone::WrongCode(chain.order().id))),
            None => seen.proof.filter(|proof| *proof != Proof::Code),
        };
        Ok(HandedOver { group, proof })
    }
}

impl Shop {
    /// How often a wrong code was told for an order.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order.
    pub fn wrong_codes(&self, which: Which) -> Result<u32, NotDone> {
        self.reader().read(|c| {
            let row = one(c, which).map_err(plain)?;
            Ok(wrong_codes::count(c, row.n)?)
        })
    }

    /// Refuses a wrong code and counts it in one transaction that stays: what is refused later leaves
    /// nothing behind, and many guesses at once would each be compared before any was counted.
    pub(super) fn check_code(&self, which: Which, deed: &Deed, now: UnixMs) -> Result<(), NotDone> {
        let (Deed::Collected(_, seen) | Deed::Delivered(_, seen)) = deed else { return Ok(()) };
        let Some(code) = seen.code.clone() else { return Ok(()) };
        let seen = seen.clone();
        let wrong = self.writer().write(move |tx| -> Result<Option<OrderId>, Abort<NotDone>> {
            let row = one(tx, which)?;
            // Where nobody may tell a code any more, none is compared: the deed itself is refused.
            if is_locked(tx, &row, &seen)? || HandoverCode::of(&whole(tx, &row)?).is(&code) {
                return Ok(None);
            }
            wrong_codes::add(tx, row.n, now)?;
            Ok(Some(row.id))
        });
        match wrong? {
            Some(id) => Err(NotDone::WrongCode(id)),
            None => Ok(()),
        }
    }

    /// From which age on what is in an order is sold; nothing where it does not matter.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn age_for(&self, order: &Order) -> Result<Option<u8>, StoreError> {
        self.reader().read(|c| age_of(c, order, None))
    }

    /// What a courier without a network may compare a customer's code with.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order.
    pub fn code_hint(&self, which: Which) -> Result<u8, NotDone> {
        self.reader().read(|c| {
            let row = one(c, which).map_err(plain)?;
            Ok(HandoverCode::of(&whole(c, &row).map_err(plain)?).hint())
        })
    }
}

/// Whether only staff hand an order over by now.
fn is_locked(c: &Connection, row: &OrderRow, seen: &Handing) -> Result<bool, StoreError> {
    Ok(!seen.by_staff && wrong_codes::count(c, row.n)? >= WRONG_CODES_MAX)
}

/// From which age on the goods of a group, or of all groups, are sold.
fn age_of(c: &Connection, order: &Order, group: Option<u8>) -> Result<Option<u8>, StoreError> {
    let groups = order.groups.iter().enumerate();
    let wanted = groups.filter(|(n, _)| group.is_none_or(|group| usize::from(group) == *n));
    let mut oldest = None;
    for line in wanted.flat_map(|(_, group)| &group.lines) {
        let Some(line) = order.lines.get(usize::from(*line)) else { continue };
        if line.state.charged_amount().is_some() {
            let age = offers::get(c, line.variant())?.and_then(|shelf| shelf.age_min);
            oldest = oldest.max(age);
        }
    }
    Ok(oldest)
}
