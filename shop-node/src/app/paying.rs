//! The ways in which an order is paid: each answers the same few questions, here and nowhere else.
//!
//! On delivery money changes hands with the goods; by UPI it comes to the shop's own address, and the
//! shop says so; on khata it is written into the book; by card it is held first and taken in the end.
//! What is common stands in the order itself: entries that say what moved, a row of the till each.
//!
//! **Invariant:** whoever adds a way of paying has to answer every question: each is one `match` over
//! [`Method`] without a last arm for the rest.

use kirana_core::{
    order::{
        Order,
        chain::Chain,
        decide::{Decision, Judge},
        facts::{DeclineReason, Declined, Fee},
        placed::{Alteration, Method, Placed},
    },
    terms::Published,
};
use kirana_migrations::{Abort, StoreError};

use super::{
    cards::{self, NotByCard},
    desk::Desk,
    orders::NotDone,
};
use crate::store::{
    orders::OrderRow,
    settings::{self, Setting},
};

impl Desk<'_, '_> {
    /// Whether the shop is paid so at all, and for so much: what becomes of a decision by it.
    pub(super) fn may_be_paid(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        (decision, fee): (Decision, Option<Fee>),
        judge: Judge,
    ) -> Result<Decision, StoreError> {
        let Decision::Accept { .. } = &decision else { return Ok(decision) };
        let is_taken = match chain.order().placed.payment {
            Method::OnDelivery => true,
            Method::OnKhata => return self.within_khata(row, chain, (decision, fee), judge),
            Method::Upi => self.has_payee()?,
            Method::Card => cards::is_on(self.tx, chain.order().placed.currency)?,
            Method::Other(_) => false,
        };
        let reason = DeclineReason::NoSuchPayment;
        match is_taken {
            true => Ok(decision),
            false => Ok(Decision::Decline(Declined { reason, lines: Vec::new() })),
        }
    }

    fn has_payee(&self) -> Result<bool, StoreError> {
        let said: Option<Published> = settings::get(self.tx, Setting::Terms)?;
        Ok(said.is_some_and(|said| said.terms.upi.is_some()))
    }

    /// Whether a person may take an order that is to be paid so.
    pub(super) fn may_accept_paid_so(&self, chain: &Chain) -> Result<(), Abort<NotDone>> {
        match chain.order().placed.payment {
            Method::OnKhata => self.may_accept_on_khata(chain),
            Method::OnDelivery | Method::Upi | Method::Card | Method::Other(_) => Ok(()),
        }
    }

    /// What begins with the decision that takes an order.
    pub(super) fn begin_payment(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
    ) -> Result<(), StoreError> {
        match chain.order().placed.payment {
            Method::Card => match self.want_card(row, chain) {
                Err(NotByCard::Store(error)) => Err(error),
                // Of an order that was not taken nothing is held.
                _ => Ok(()),
            },
            Method::OnDelivery | Method::OnKhata | Method::Upi | Method::Other(_) => Ok(()),
        }
    }

    /// Whether a change of an order is within what may be paid so.
    pub(super) fn may_change_paid_so(
        &self,
        row: &OrderRow,
        order: &Order,
        change: (&Alteration, &Placed),
    ) -> Result<bool, StoreError> {
        match order.placed.payment {
            Method::OnKhata => self.has_room_for_change(row, order, change),
            // More than is held on a card is asked for anew: see `cards::course`.
            Method::OnDelivery | Method::Upi | Method::Card | Method::Other(_) => Ok(true),
        }
    }

    /// What of an order's money settles itself once the goods are handed over. A card's sum is taken
    /// by the provider, who is told apart from this.
    pub(super) fn settle_payment(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), StoreError> {
        // What stands in a book is settled there, however the order was to be paid.
        self.settle_on_khata(row, chain)
    }

    /// Takes up after a restore what an order says of its money.
    pub(super) fn adopt_payment(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
    ) -> Result<(), StoreError> {
        self.adopt_on_khata(row, chain)?;
        self.adopt_card(row, chain)?;
        if chain.order().card.is_none() {
            return self.begin_payment(row, chain);
        }
        Ok(())
    }
}
