//! Starts a shop again from a copy of its data: a new generation, fresh keys, nothing assumed.
//!
//! **Invariant:** a restored shop writes in a generation of its own, adds nothing to an open order
//! before its customer was heard, and sells nothing counted until somebody confirms the stock; one that
//! moved whole (see [`super::moving`]) goes on at once.

use kirana_core::{
    planted::{Bug, is_planted},
    time::UnixMs,
};
use kirana_migrations::{Abort, Database, StoreError, Tx, WriteError};
use rand_core::CryptoRng;

use super::{
    Keys, Shop, Unopened,
    founding::certify_box,
    moving::{heard_from, is_moved},
    trust_revision,
};
use crate::store::{
    khata, known, offers, orders,
    settings::{self, Setting},
};

impl Shop {
    /// Opens a copy of a shop's data as a new box of the shop. `beyond` is the highest generation
    /// that is known to have been used elsewhere, such as on the disk that the copy replaces.
    ///
    /// The list of heads beside the database must have been cleared: it belongs to the old data.
    ///
    /// # Errors
    /// [`Unopened`] when there is no shop in it, or the owner's key is not among `keys`.
    pub fn restore(
        database: Database,
        keys: &Keys,
        beyond: u64,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Unopened> {
        if is_planted(Bug::RestoreWithoutNewGeneration) {
            return Self::open_unchecked(database, keys.clone());
        }
        let old = Self::open_as_any(database.clone(), keys.clone())?;
        let is_sure = beyond <= old.generation() && !old.known_now(now)?.expiry_suspended;
        let key = old.keys().node.signing.public();
        let (moved, heard_from) = database.reader.read(|c| {
            let moved = is_sure && is_moved(c, &old, &key, now)?;
            Ok::<_, StoreError>((moved, heard_from(c)?.unwrap_or(old.generation())))
        })?;
        let renewed = keys.renewed(rng);
        let number = old.generation().max(beyond) + 1;
        let generation = certify_box(old.identity(), &renewed, number, now, rng);
        let generation = generation.ok_or(Unopened::NoOwner)?;
        let begun = database.writer.write(move |tx: &Tx<'_>| -> Result<(), Abort<()>> {
            known::add_generation(tx, &generation)?;
            if !moved {
                orders::wait_for_heads(tx)?;
                khata::wait_for_heads(tx)?;
                offers::close_counted(tx)?;
                settings::put(tx, Setting::StockInDoubt, &true)?;
                tx.execute("DELETE FROM missing_anchor", [])?;
            }
            match moved {
                true => settings::put(tx, Setting::HeardFrom, &heard_from)?,
                false => settings::clear(tx, Setting::HeardFrom)?,
            }
            settings::clear(tx, Setting::Farewell)?;
            settings::clear(tx, Setting::ReadOnly)?;
            settings::clear(tx, Setting::NewerBox)?;
            let revision = trust_revision(tx)?;
            settings::put(tx, Setting::TrustRevision, &(revision + 1))?;
            // What waited for devices may have been sent and more: they ask by themselves.
            tx.execute("UPDATE outgoing SET posted = 0", [])?;
            Ok(())
        });
        begun.map_err(|e: WriteError<()>| {
            Unopened::Write(e.map(|()| "refused".to_owned()).to_string())
        })?;
        Self::open_unchecked(database, renewed)
    }
}
