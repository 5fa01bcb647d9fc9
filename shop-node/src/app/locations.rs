//! Rooms: the place from which the shop sells, and others where it keeps stock.
//!
//! **Invariant:** goods move only to places that somebody has named; a place is never removed, since
//! the ledger speaks of it.

use kirana_core::{id::LocationId, time::UnixMs};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use rand_core::CryptoRng;

use super::{
    Identity, Shop,
    counter::NotEntered,
    desk::{Desk, Visit},
};
use crate::store::locations;

/// The longest name of a place, in characters.
pub const NAME_CHARS_MAX: usize = 60;
/// Places that a shop may have.
pub const LOCATIONS_MAX: usize = 100;

impl Shop {
    /// The places for stock with their names; the first is the one from which the shop sells, by
    /// the shop's own name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn locations(&self) -> Result<Vec<(LocationId, String)>, StoreError> {
        let own = (self.identity().location, self.identity().name.clone());
        let others = self.reader().read(locations::all)?;
        Ok([own].into_iter().chain(others).collect())
    }

    /// Names a new place for stock, or gives one another name.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn name_location(
        &self,
        id: Option<LocationId>,
        name: &str,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<LocationId, NotEntered> {
        let name = name.trim().to_owned();
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return Err(NotEntered::Name);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let named = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            desk.may_enter()?;
            desk.name_location(id, &name)
        });
        Ok(named?)
    }
}

impl Desk<'_, '_> {
    fn name_location(
        &mut self,
        id: Option<LocationId>,
        name: &str,
    ) -> Result<LocationId, Abort<NotEntered>> {
        let new = LocationId::new(self.now.at, self.draws.bytes());
        let id = match id {
            Some(id) if !locations::exists(self.tx, id)? => {
                return Err(Abort::Refused(NotEntered::NoLocation(id)));
            }
            None if locations::all(self.tx)?.len() >= LOCATIONS_MAX => {
                return Err(Abort::Refused(NotEntered::TooMany(LOCATIONS_MAX)));
            }
            given => given.unwrap_or(new),
        };
        if locations::by_name(self.tx, name)?.is_some_and(|other| other != id) {
            return Err(Abort::Refused(NotEntered::NameTaken(name.to_owned())));
        }
        locations::put(self.tx, id, name, self.now.at)?;
        Ok(id)
    }
}

/// Whether goods can lie at a place.
pub(crate) fn check(
    c: &Connection,
    identity: &Identity,
    id: LocationId,
) -> Result<(), Abort<NotEntered>> {
    match id == identity.location || locations::exists(c, id)? {
        true => Ok(()),
        false => Err(Abort::Refused(NotEntered::NoLocation(id))),
    }
}
