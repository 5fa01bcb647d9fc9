//! Stocktakes while selling goes on: whoever begins to count something has the ledger's word noted,
//! and what they find is compared with that.
//!
//! **Invariant:** what was sold, came in or left since somebody looked is neither lost nor found by
//! their count; a look that another count has overtaken counts for nothing.

use kirana_core::{
    id::{CountId, LocationId, VariantId},
    key::KeyId,
    stock::{StockError, count::is_count_of, walk::Slot},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{
    Once, Shop,
    counter::{Entered, Entry, NotEntered, What},
    desk::Desk,
    locations,
    once::request_hash,
};
pub use crate::store::counts::{Count, Look};
use crate::store::{counts, offers, stock};

/// How many of the things that nobody has counted are named.
pub const NOT_COUNTED_MAX: u32 = 1_000;

/// A stocktake as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where, since when, by whom.
    pub count: Count,
    /// What was looked at or counted.
    pub looks: Vec<Look>,
    /// What lies there by the ledger and nobody has counted; at most [`NOT_COUNTED_MAX`].
    pub not_counted: Vec<VariantId>,
}

/// The answer to opening a count: its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Opened {
    #[n(0)]
    id: CountId,
}

impl Shop {
    /// A page of the stocktakes, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self, before: Option<CountId>, limit: u32) -> Result<Vec<Count>, StoreError> {
        self.reader().read(|c| counts::page(c, before, limit))
    }

    /// One stocktake as it stands, if there is one of that id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self, id: CountId) -> Result<Option<Standing>, StoreError> {
        self.reader().read(|c| {
            let Some(count) = counts::get(c, id)? else { return Ok(None) };
            let looks = counts::looks(c, id)?;
            let not_counted = counts::not_counted(c, &count, NOT_COUNTED_MAX)?;
            Ok(Some(Standing { count, looks, not_counted }))
        })
    }

    /// Begins a stocktake in a place, where the shop sells if none is given; the ledger's position is
    /// noted.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn open_count(
        &self,
        once: Option<Once>,
        location: Option<LocationId>,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<CountId, NotEntered> {
        let request = request_hash(&("count", location));
        let opened = self.at_the_counter(once, request, now, rng, move |desk| {
            let location = location.unwrap_or(desk.shop.identity.location);
            locations::check(desk.tx, &desk.shop.identity, location)?;
            let id = CountId::new(desk.now.at, desk.draws.bytes());
            let (position, opened) = (desk.ledger()?.seq, desk.now.at);
            let count = Count { id, location, position, opened, who: by, ended: None };
            counts::put(desk.tx, &count)?;
            Ok(Opened { id })
        });
        Ok(opened?.id)
    }

    /// Somebody begins to count something: what the ledger says is noted.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn look_at(
        &self,
        id: CountId,
        variant: VariantId,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let request = request_hash(&("look", id, variant));
        let looked = self.at_the_counter(None, request, now, rng, move |desk| {
            let count = desk.open_count(id)?;
            let look = desk.look(&count, variant, by)?;
            counts::put_look(desk.tx, id, &look)?;
            Ok(Opened { id })
        });
        looked.map(|_| ())
    }

    /// Enters what somebody found: compared with what the ledger said when they looked, or with what
    /// it says now where they entered it at once.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn enter_count(
        &self,
        once: Option<Once>,
        id: CountId,
        found: (VariantId, u64),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        let request = request_hash(&("found", id, found));
        self.at_the_counter(once, request, now, rng, move |desk| desk.enter_count(id, found, by))
    }

    /// Ends a stocktake; what nobody counted stays as the ledger has it.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn end_count(
        &self,
        id: CountId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let request = request_hash(&("end of count", id));
        let ended = self.at_the_counter(None, request, now, rng, move |desk| {
            desk.open_count(id)?;
            counts::end(desk.tx, id, desk.now.at)?;
            Ok(Opened { id })
        });
        ended.map(|_| ())
    }
}

impl Desk<'_, '_> {
    fn open_count(&self, id: CountId) -> Result<Count, Abort<NotEntered>> {
        let found = counts::get(self.tx, id)?;
        let found = found.ok_or(Abort::Refused(NotEntered::NoCount(id)))?;
        match found.ended {
            None => Ok(found),
            Some(_) => Err(Abort::Refused(NotEntered::CountEnded(id))),
        }
    }

    /// What the ledger says of something now.
    fn look(
        &mut self,
        count: &Count,
        variant: VariantId,
        by: KeyId,
    ) -> Result<Look, Abort<NotEntered>> {
        if offers::get(self.tx, variant)?.is_none() {
            return Err(Abort::Refused(NotEntered::NotSold(variant)));
        }
        let slot = Slot { variant, location: count.location };
        Ok(Look {
            variant,
            looked: self.ledger()?.seq,
            book: stock::balance(self.tx, variant, count.location)?.on_hand,
            outside: self.outside(slot)?,
            counted: None,
            movement: None,
            who: by,
        })
    }

    fn enter_count(
        &mut self,
        id: CountId,
        (variant, counted): (VariantId, u64),
        by: KeyId,
    ) -> Result<Entered, Abort<NotEntered>> {
        let count = self.open_count(id)?;
        let slot = Slot { variant, location: count.location };
        let noted = counts::look(self.tx, id, variant)?.filter(|look| look.counted.is_none());
        let look = match noted {
            Some(look) => look,
            None => self.look(&count, variant, by)?,
        };
        self.check_look(&look, slot)?;
        let what = What::CountedThen { counted, book: look.book, outside: look.outside };
        let location = Some(count.location);
        let entered = self.enter(&Entry { variant, location, what, note: String::new() }, by)?;
        let movement = entered.movements.first().copied();
        let look = Look { counted: Some(counted), movement, who: by, ..look };
        counts::put_look(self.tx, id, &look)?;
        Ok(entered)
    }

    /// Refuses a look at goods that somebody else has counted since.
    fn check_look(&self, look: &Look, slot: Slot) -> Result<(), Abort<NotEntered>> {
        for (n, bytes) in stock::movements(self.tx, look.looked, u32::MAX)? {
            let movement = stock::parse(i64::try_from(n).unwrap_or(i64::MAX), &bytes)?;
            if is_count_of(&movement, slot) {
                let on_hand = stock::balance(self.tx, slot.variant, slot.location)?.on_hand;
                let why = StockError::CountedMeanwhile { before: look.book, on_hand };
                return Err(Abort::Refused(why.into()));
            }
        }
        Ok(())
    }
}
