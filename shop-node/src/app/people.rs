//! People who take turns at a till: who they are, their PINs, and the turns that are open.
//!
//! **Invariants (P6):** a turn ends when nobody used it for a quarter of an hour, and at once with
//! the till, the PIN, the role or the person; it permits what both the person and the till may do.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use kirana_core::{key::KeyId, time::UnixMs};
use kirana_migrations::{Abort, StoreError, Tx};
use rand_core::CryptoRng;

use super::{
    Shop,
    pin::{self, Obvious, Pin},
    roles::Post,
    staff::{NotStaffed, may_staff},
};
use crate::store::staff::{self, Person};

/// The longest name of a person, in letters.
pub const PERSON_NAME_MAX: usize = 80;
/// People that a shop may have.
pub const PEOPLE_MAX: usize = 1_000;
/// How long a turn lasts that nobody uses, in milliseconds.
pub const IDLE_MS: u64 = 15 * 60_000;
/// Turns that are open at once; beyond that the one that was unused for longest ends.
pub const TURNS_MAX: usize = 512;

/// Why a PIN opens nothing, or was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The name or the PIN is wrong, or none was set.
    #[error("the name or the PIN is wrong")]
    Wrong,
    /// Too many wrong ones.
    #[error("too many wrong PINs at this till: wait {} s, or use another till", wait_ms.div_ceil(1000))]
    Wait {
        /// How long, in milliseconds.
        wait_ms: u64,
    },
    /// The new one is too easy.
    #[error(transparent)]
    Obvious(#[from] Obvious),
    /// It cannot be stored.
    #[error(transparent)]
    NotStaffed(#[from] NotStaffed),
}

impl From<StoreError> for NotOpened {
    fn from(error: StoreError) -> Self {
        Self::NotStaffed(error.into())
    }
}

/// A number of a turn at a till.
pub(crate) type TurnNo = [u8; 16];

/// Somebody's turn at a till.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) person: KeyId,
    pub(crate) till: KeyId,
    /// The person's version when it was opened.
    pub(crate) version: u64,
    last: UnixMs,
}

/// The turns that are open in this process: a restart ends all of them.
#[derive(Default)]
pub(crate) struct Turns(Mutex<BTreeMap<TurnNo, Turn>>);

impl Turns {
    pub(crate) fn open(&self, number: TurnNo, person: &Person, till: KeyId, now: UnixMs) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, turn| !turn.is_idle(now));
        if open.len() >= TURNS_MAX
            && let Some(oldest) = open.iter().min_by_key(|(_, turn)| turn.last).map(|(no, _)| *no)
        {
            open.remove(&oldest);
        }
        open.insert(number, Turn { person: person.id, till, version: person.version, last: now });
    }

    /// The turn of this number, used now; none where it has ended.
    pub(crate) fn use_now(&self, number: TurnNo, now: UnixMs) -> Option<Turn> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = open.get_mut(&number)?;
        if turn.is_idle(now) {
            open.remove(&number);
            return None;
        }
        turn.last = turn.last.max(now);
        Some(turn.clone())
    }

    pub(crate) fn end(&self, number: TurnNo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

impl Turn {
    fn is_idle(&self, now: UnixMs) -> bool {
        now.since(self.last) > IDLE_MS
    }
}

impl Shop {
    /// Everybody who may take a turn at a till, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.reader().read(staff::everybody)
    }

    /// Takes somebody in, without a PIN yet.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn add_person(
        &self,
        name: &str,
        post: Post,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Person, NotStaffed> {
        let name = name.trim().to_owned();
        let plain = !name.is_empty() && !name.chars().any(char::is_control);
        if !plain || name.chars().count() > PERSON_NAME_MAX {
            return Err(NotStaffed::Name);
        }
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let role = post.label().to_owned();
        let person =
            Person { id: KeyId::from_bytes(id), name, role, pin: None, version: 1, since: now };
        let stored = self.writer().write(move |tx| -> Result<Person, Abort<NotStaffed>> {
            may_staff(tx)?;
            if staff::everybody(tx)?.len() >= PEOPLE_MAX {
                return Err(Abort::Refused(NotStaffed::TooMany));
            }
            has_role(tx, &post)?;
            put(tx, &person)?;
            Ok(person.clone())
        });
        Ok(stored?)
    }

    /// Gives somebody another role; their turns end.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn give_role(&self, who: KeyId, post: Post) -> Result<Person, NotStaffed> {
        self.change_person(who, move |tx, person| {
            has_role(tx, &post)?;
            post.label().clone_into(&mut person.role);
            Ok(())
        })
    }

    /// Sets somebody's PIN, as the owner may; their turns end, and old waits with them.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn set_pin(
        &self,
        who: KeyId,
        pin: &Pin,
        rng: &mut dyn CryptoRng,
    ) -> Result<Person, NotStaffed> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let hashed = pin.hash(self.keys(), salt);
        self.change_person(who, move |tx, person| {
            person.pin = Some(hashed.clone());
            Ok(staff::forgive(tx, who, None)?)
        })
    }

    /// Forgets somebody: their turns end at once.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn remove_person(&self, who: KeyId) -> Result<(), NotStaffed> {
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            match staff::remove_person(tx, who)? {
                true => Ok(super::trust_changed(tx)?),
                false => Err(Abort::Refused(NotStaffed::Unknown(who))),
            }
        });
        Ok(stored?)
    }

    /// The person of this name, if the PIN is theirs. The attempt is noted before the PIN is looked
    /// at, so that many at once cannot guess more than one after the other.
    ///
    /// # Errors
    /// [`NotOpened`]; an unknown name takes as long as a known one.
    pub fn by_pin(
        &self,
        name: &str,
        pin: &Pin,
        till: KeyId,
        now: UnixMs,
    ) -> Result<Person, NotOpened> {
        let found = self.reader().read(|c| staff::named(c, name.trim()))?;
        self.proved(found, pin, till, now)
    }

    /// Whether the PIN is this person's, in the same way.
    ///
    /// # Errors
    /// As [`Shop::by_pin`].
    pub fn proves_pin(
        &self,
        who: KeyId,
        pin: &Pin,
        till: KeyId,
        now: UnixMs,
    ) -> Result<(), NotOpened> {
        let found = self.reader().read(|c| staff::person(c, who))?;
        self.proved(found, pin, till, now).map(|_| ())
    }

    fn proved(
        &self,
        found: Option<Person>,
        pin: &Pin,
        till: KeyId,
        now: UnixMs,
    ) -> Result<Person, NotOpened> {
        let Some(person) = found else {
            let _ = pin.is(None, self.keys());
            return Err(NotOpened::Wrong);
        };
        let who = person.id;
        let attempt = move |tx: &Tx<'_>| -> Result<u64, Abort<NotStaffed>> {
            may_staff(tx)?;
            let (failures, until) = staff::failures(tx, who, till)?;
            let left = pin::left_ms(until, now);
            if left == 0 {
                let until = now.plus_ms(pin::wait_ms(failures.saturating_add(1)));
                staff::fail(tx, who, till, failures.saturating_add(1), until)?;
            }
            Ok(left)
        };
        let wait_ms = self.writer().write(attempt).map_err(NotStaffed::from)?;
        if wait_ms > 0 {
            return Err(NotOpened::Wait { wait_ms });
        }
        if !pin.is(person.pin.as_deref(), self.keys()) {
            return Err(NotOpened::Wrong);
        }
        let forgiven = self.writer().write(move |tx| -> Result<(), Abort<NotStaffed>> {
            Ok(staff::forgive(tx, who, Some(till))?)
        });
        forgiven.map_err(NotStaffed::from)?;
        Ok(person)
    }

    fn change_person(
        &self,
        who: KeyId,
        mut change: impl FnMut(&Tx<'_>, &mut Person) -> Result<(), Abort<NotStaffed>> + Send + 'static,
    ) -> Result<Person, NotStaffed> {
        let stored = self.writer().write(move |tx| -> Result<Person, Abort<NotStaffed>> {
            may_staff(tx)?;
            let person = staff::person(tx, who)?;
            let mut person = person.ok_or(Abort::Refused(NotStaffed::Unknown(who)))?;
            change(tx, &mut person)?;
            person.version += 1;
            put(tx, &person)?;
            Ok(person)
        });
        Ok(stored?)
    }
}

fn put(tx: &Tx<'_>, person: &Person) -> Result<(), Abort<NotStaffed>> {
    match staff::put_person(tx, person)? {
        true => Ok(super::trust_changed(tx)?),
        false => Err(Abort::Refused(NotStaffed::Name)),
    }
}

fn has_role(tx: &Tx<'_>, post: &Post) -> Result<(), Abort<NotStaffed>> {
    match post.exists(tx)? {
        true => Ok(()),
        false => Err(Abort::Refused(NotStaffed::NoRole(post.label().to_owned()))),
    }
}
