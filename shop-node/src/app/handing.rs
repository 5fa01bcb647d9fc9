//! What is looked at when goods change hands: the customer's code, and an age where it matters.
//!
//! **Invariant:** an entry says `code` only where the right one was told; what is sold from an age
//! on is handed over only by somebody who says that the age was looked at.

use kirana_core::order::{
    Order,
    chain::Chain,
    facts::{HandedOver, Proof},
    handing::HandoverCode,
};
use kirana_core::time::UnixMs;
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{
    Shop,
    desk::Desk,
    orders::{NotDone, Which, one, plain, whole},
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
        let age = age_of(self.tx, chain.order(), Some(group))?;
        if let Some(age) = age.filter(|_| !seen.age_checked) {
            return Err(Abort::Refused(NotDone::AgeNotChecked(age)));
        }
        if !seen.by_staff && wrong_codes::count(self.tx, row.n)? >= WRONG_CODES_MAX {
            return Err(Abort::Refused(NotDone::CodeLocked(row.id)));
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

    /// Counts a wrong code. What was refused left nothing behind, so this is a write of its own.
    pub(super) fn count_wrong_code(&self, which: Which, now: UnixMs) -> Result<(), NotDone> {
        let counted = self.writer().write(move |tx| -> Result<(), Abort<NotDone>> {
            let row = one(tx, which)?;
            Ok(wrong_codes::add(tx, row.n, now)?)
        });
        Ok(counted?)
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
