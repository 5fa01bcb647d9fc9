//! Signs operators in at the console, in a browser, for minutes or hours.
//!
//! A browser that is signed in at the OAuth pages is not signed in here: those pages are reached by
//! links of other sites, so their cookie has to travel with such links, and they ask customers for
//! no second factor. The console's cookie is its own and travels with the console's pages alone.
//!
//! **Invariants:** only who keeps the hub running comes in, and before a second factor was shown
//! one can be enrolled and nothing else done; what ends an account's sessions ends these at once.

use kirana_core::{id::AccountId, time::UnixMs};

use super::{
    Error, Hub,
    authorize::{BROWSER_MS, digest, fresh_cookie},
    policy::{Action, Actor},
    role::{roles_from_text, scopes_of},
    seen::AsOf,
    session::{Proved, uuid},
    visitor::{Device, Visitor},
};
use crate::{
    clock::Rng,
    store::{console::Visit, factor::FactorId},
};

/// How exactly it is remembered when a browser was last used, in milliseconds.
const USED_STEP_MS: u64 = 60_000;

/// Who is present at the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Present {
    /// An operator who showed a second factor.
    Operator(Actor),
    /// An operator who has to enrol one first, with the one that was begun in this browser.
    Enrolling(Actor, Option<FactorId>),
}

impl Hub {
    /// Who is signed in at the console in a browser, by its cookie.
    ///
    /// # Errors
    /// [`Error::NotServedHere`] at a community hub, or when the database cannot be read.
    pub async fn console(&self, cookie: &str, now: UnixMs) -> Result<Option<Present>, Error> {
        self.central_only()?;
        let digest = digest("console", cookie);
        let Some(visit) = self.store().console(digest).await? else { return Ok(None) };
        let (idle_ms, whole_ms) = BROWSER_MS;
        if now.since(visit.used_at) >= idle_ms || now.since(visit.signed_in) >= whole_ms {
            return Ok(None);
        }
        let actor = actor(&visit);
        let is_closed = visit.account.suspended_at.is_some();
        // Whoever came in by the password alone stays outside once the owner has a factor.
        let has_factor = self.has_factor(visit.account.id).await?;
        if is_closed || visit.proved != has_factor || !self.permits(&actor, Action::OpenConsole) {
            return Ok(None);
        }
        if now.since(visit.used_at) >= USED_STEP_MS
            && let Err(error) = self.store().touch_console(digest, now).await
        {
            // A full disk must not keep an operator from looking; the session ends earlier.
            tracing::warn!(error = %error, "the use of the console could not be stored");
        }
        Ok(Some(match visit.proved {
            true => Present::Operator(actor),
            false => Present::Enrolling(actor, visit.factor),
        }))
    }

    /// Signs a browser in and gives its new cookie; the one before is worth nothing from then on.
    /// Where the account has no second factor yet, one is begun.
    ///
    /// # Errors
    /// As [`Hub::sign_in`]; [`Error::Forbidden`] for everybody but operators and administrators.
    pub async fn sign_in_console(
        &self,
        typed: (&str, &str),
        otp: &str,
        before: &str,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(String, Device), Error> {
        let (known, device) = self.prove(typed, Some(otp), visitor, now, rng).await?;
        let arrival = self.arrival(&known, &device, visitor, now, rng)?;
        let Proved { account, factor: proved, .. } = known;
        let id = uuid(now, rng);
        let visit = Visit { id, account, proved, factor: None, signed_in: now, used_at: now };
        let actor = actor(&visit);
        // Who has no second factor yet comes in to add one.
        if proved || !self.permits(&actor, Action::OpenConsole) {
            self.authorise(&actor, Action::OpenConsole, "", now).await?;
        }
        let act = actor.act(Action::OpenConsole, "", "signed in", now);
        let cookie = fresh_cookie(rng);
        let digests = [&*cookie, before].map(|cookie| digest("console", cookie));
        self.store().open_console(digests[0], digests[1], visit, (act, arrival)).await?;
        self.call_post();
        if !proved {
            self.begin_at_console(&actor, now, rng).await?;
        }
        Ok((cookie, device))
    }

    /// Begins the first second factor of an operator, in place of any other that waits.
    ///
    /// # Errors
    /// As [`Hub::begin_factor`].
    pub async fn begin_at_console(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let begun = self.begin_factor(actor, None, now, rng).await?;
        Ok(self.store().begin_console_factor(actor.session, begun.id).await?)
    }

    /// Confirms the first second factor of an operator: gives the recovery codes, which are shown
    /// once, and the browser's new cookie.
    ///
    /// # Errors
    /// As [`Hub::confirm_factor`].
    pub async fn enrol_at_console(
        &self,
        actor: &Actor,
        factor: FactorId,
        otp: &str,
        cookie: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Vec<String>, String), Error> {
        let codes = self.confirm_factor(actor, factor, otp.trim(), now, rng).await?;
        // No codes: another factor was confirmed elsewhere, and that one has to be shown.
        if codes.is_empty() {
            return Err(Error::NotSignedIn);
        }
        let fresh = fresh_cookie(rng);
        let digests = [cookie, &*fresh].map(|cookie| digest("console", cookie));
        self.store().prove_console(digests[0], digests[1], now).await?;
        Ok((codes, fresh))
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn sign_out_console(&self, cookie: &str) -> Result<(), Error> {
        Ok(self.store().close_console(digest("console", cookie)).await?)
    }

    async fn has_factor(&self, account: AccountId) -> Result<bool, Error> {
        let factors = self.store().factors(account).await?;
        Ok(factors.iter().any(|factor| factor.confirmed_at.is_some()))
    }
}

fn actor(visit: &Visit) -> Actor {
    let roles = roles_from_text(&visit.account.roles);
    Actor {
        account: visit.account.id,
        session: visit.id,
        scopes: scopes_of(&roles, visit.proved),
        roles,
        factor: visit.proved,
        device: None,
        proved_at: Some(visit.signed_in),
        as_of: AsOf::default(),
    }
}
