//! Places an order: it is on this device's disk before anybody is told that it is placed.

use kirana_core::{
    envelope::PersonalPart,
    hash::Hash,
    household::Household as Document,
    id::{CartId, OrderId, ShopId},
    key::KeyId,
    money::{Currency, Money},
    order::{
        personal::Personal,
        placed::{Handover, Method, Placed, WantedLine},
    },
    planted::{self, Bug},
    statement::{Party, SignedStatement},
    time::UnixMs,
};
use rand_core::CryptoRng;

use super::{Household, HouseholdError, person, write};
use crate::store::{journal, order_head, orders, orders::StoredOrder, outbox, outbox::Waiting};

/// What a household wants from one shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// From which shop.
    pub shop: ShopId,
    /// In which currency the shop's prices are.
    pub currency: Currency,
    /// What.
    pub lines: Vec<WantedLine>,
    /// Brought or collected.
    pub handover: Handover,
    /// Paid how.
    pub payment: Method,
    /// Whether a part of it is better than nothing.
    pub partial_ok: bool,
    /// Name, address, phone, note: sealed for the shop alone.
    pub personal: Option<Personal>,
    /// Until when the shop's answer is wanted.
    pub answer_by: UnixMs,
    /// The most that is paid for having it brought: what a [`Quote`](super::terms::Quote) says.
    pub fee: Option<Money>,
    /// How old the customer says to be, at least.
    pub of_age: Option<u8>,
}

impl NewOrder {
    /// What is going to be signed, for working out what it comes to.
    pub(super) fn draft(&self) -> Placed {
        Placed {
            customer: Party::Guest(KeyId::of(&[0; 32])),
            currency: self.currency,
            lines: self.lines.clone(),
            handover: self.handover,
            payment: self.payment,
            partial_ok: self.partial_ok,
            personal: None,
            anchors: Vec::new(),
            generation: 0,
            fee: self.fee,
            of_age: self.of_age,
        }
    }
}

/// An order that is on this device's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedOrder {
    /// Its name for life.
    pub id: OrderId,
    /// The name of its first entry.
    pub entry: Hash,
}

impl Household {
    /// Places an order. When this returns, the order survives a power cut.
    ///
    /// # Errors
    /// [`HouseholdError`]; nothing was placed then, unless it says that this is unknown.
    pub fn place(
        &self,
        order: NewOrder,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<PlacedOrder, HouseholdError> {
        self.place_from(None, order, now, rng)
    }

    /// [`Household::place`] of what stands in a cart, which is taken out of it in the same transaction.
    ///
    /// # Errors
    /// As there, and when the cart holds something else from this shop by now.
    pub fn place_from(
        &self,
        cart: Option<CartId>,
        order: NewOrder,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<PlacedOrder, HouseholdError> {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        self.place_as(OrderId::new(now, random), (order, cart), now, rng)
    }

    /// [`Household::place`] under an id that somebody drew before; an order that is here under that
    /// id stays as it is. What it takes out of a cart is taken out in the same transaction, and the cart
    /// has to hold just that from this shop.
    ///
    /// # Errors
    /// As there.
    pub fn place_as(
        &self,
        id: OrderId,
        (order, cart): (NewOrder, Option<CartId>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<PlacedOrder, HouseholdError> {
        let there = self.db.reader.read(|reader| orders::entries(reader, id))?;
        if let Some(first) = there.first() {
            return Ok(PlacedOrder { id, entry: first.hash });
        }
        if order.answer_by <= now {
            return Err(HouseholdError::TooLate);
        }
        let shop = order.shop;
        let lines = order.lines.iter();
        let ordered: Vec<_> = lines.map(|line| (line.variant, line.quantity)).collect();
        let known = self.known_shop(shop)?.ok_or(HouseholdError::UnknownShop)?;
        if order.personal.as_ref().is_some_and(Personal::is_too_long) {
            return Err(HouseholdError::PersonalTooLong);
        }
        let personal = order.personal.as_ref().map(|person| person.part(rng));
        let answer_by = order.answer_by;
        let entry = self.first_entry(id, order, personal.as_ref(), known.generation, now)?;
        let placed = PlacedOrder { id, entry: entry.hash() };
        let sealed = personal.as_ref().map(|part| person::seal_part(&self.disk, id, part));
        let emptied = cart.map(|cart| (cart, self.pen(rng)));
        let stored = write(&self.db, move |tx| {
            let row = StoredOrder { id, shop, placed_at: now, open: true };
            orders::add(tx, &row, sealed.as_deref())?;
            orders::put_entry(tx, &entry, false)?;
            let bytes = entry.bytes().to_vec();
            let hash = entry.hash();
            let waiting =
                Waiting { hash, shop, order: id, bytes, until: answer_by, queued_at: now };
            outbox::put(tx, &waiting)?;
            journal::open(tx, id, now)?;
            if let Some((cart, pen)) = &emptied {
                let edit =
                    |document: &mut Document| document.take_ordered(*cart, (shop, &ordered), now);
                pen.edit(tx, edit)?;
            }
            tx.note_head(order_head(id, 1, hash));
            Ok(())
        });
        if !planted::is_planted(Bug::PlaceBeforeCommit) {
            stored?;
        }
        Ok(placed)
    }

    /// Whether an order could be placed as it is; nothing is placed.
    ///
    /// # Errors
    /// As [`Household::place`].
    pub fn could_place(&self, order: &NewOrder, now: UnixMs) -> Result<(), HouseholdError> {
        if order.answer_by <= now {
            return Err(HouseholdError::TooLate);
        }
        if order.personal.as_ref().is_some_and(Personal::is_too_long) {
            return Err(HouseholdError::PersonalTooLong);
        }
        let known = self.known_shop(order.shop)?.ok_or(HouseholdError::UnknownShop)?;
        let id = OrderId::new(now, [0; 10]);
        self.first_entry(id, order.clone(), None, known.generation, now).map(drop)
    }

    fn first_entry(
        &self,
        id: OrderId,
        order: NewOrder,
        personal: Option<&PersonalPart>,
        generation: u64,
        now: UnixMs,
    ) -> Result<SignedStatement, HouseholdError> {
        let placed = Placed {
            customer: self.party(),
            personal: personal.map(PersonalPart::hash),
            generation,
            ..order.draft()
        };
        Ok(placed.sign(id, order.shop, now, order.answer_by, &self.keys.signing)?)
    }
}
