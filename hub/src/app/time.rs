//! What time it is for this hub, whose own clock may be wrong.
//!
//! **Invariant (P1):** nothing is thrown away or refused as past its time while the own clock is in
//! doubt; what is known is read from the database each time, since an operator may confirm the clock
//! beside a running hub.

use kirana_core::{
    known_time::{KnownNow, KnownTime},
    time::UnixMs,
};

use super::{Error, Hub};

impl Hub {
    /// Reads the own clock against what was signed and read before.
    ///
    /// # Errors
    /// When the database cannot be read. One that cannot be written keeps the older reading.
    pub async fn known_now(&self, own: UnixMs) -> Result<KnownNow, Error> {
        let signed = self.trust(own).await?.newest_signed();
        let before = self.store().known_time().await?;
        let mut known = before.clone();
        let now = take(&mut known, signed, own);
        if !is_worth_storing(&before, &known) {
            return Ok(now);
        }
        match self
            .store()
            .change_known_time(move |known| {
                take(known, signed, own);
            })
            .await
        {
            Ok(()) if known.is_in_doubt() && !before.is_in_doubt() => tracing::warn!(
                "this machine's clock jumped by more than seven days: nothing expires until a newer \
                 signature bears it out, or `kirana-hub clock confirm` says that it is right"
            ),
            Ok(()) => {}
            // A full disk must not keep mail from being read; the next reading is stored instead.
            Err(error) => tracing::warn!(error = %error, "the time could not be stored"),
        }
        Ok(now)
    }

    /// The operator says that the own clock is right.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn confirm_clock(&self, own: UnixMs) -> Result<KnownNow, Error> {
        self.store()
            .change_known_time(move |known| {
                known.read(own);
                known.confirm();
            })
            .await?;
        self.known_now(own).await
    }

    /// Throws away what is certainly past its time.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sweep(&self, own: UnixMs) -> Result<(), Error> {
        let now = self.known_now(own).await?;
        match now.expiry_suspended {
            true => Ok(()),
            false => Ok(self.store().sweep(now.at).await?),
        }
    }
}

fn take(known: &mut KnownTime, signed: UnixMs, own: UnixMs) -> KnownNow {
    known.saw_signed(signed);
    known.read(own)
}

/// A reading a minute is enough to see a clock that jumped by days.
const STORED_EVERY_MS: u64 = 60_000;

fn is_worth_storing(before: &KnownTime, after: &KnownTime) -> bool {
    let (old, new) = (before.now(), after.now());
    let moved = new.at.since(old.at).max(old.at.since(new.at));
    moved > STORED_EVERY_MS || new.expiry_suspended != old.expiry_suspended
}
