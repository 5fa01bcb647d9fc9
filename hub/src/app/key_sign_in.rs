//! Signing in by the key of a device that the account has, without a password.
//!
//! **Invariants:** such a session ends with its device, and never counts as one in which the
//! password was shown: whoever found a phone neither gets another device in, nor takes the account
//! over, nor does what administrators do.

use kirana_core::{
    certificate::Standing,
    challenge::{Door, Nonce},
    id::AccountId,
    time::UnixMs,
    trust::{Certified, Pins, Vouched},
};

use super::{
    Error, Hub,
    role::{roles_from_text, scopes_of, scopes_to_text},
    session::{Proved, Tokens, digest, fresh, narrowed},
    visitor::{Device, Visitor},
};
use crate::{
    clock::Rng,
    store::device::{KeyShown, NotOpened},
};

/// What a device shows to sign in.
pub struct ShownKey {
    /// Its certificates, leaf first: its own by this hub, or one by a device of the same account
    /// and then that device's.
    pub certificates: Vec<Vec<u8>>,
    /// The signed answer to a question of this door.
    pub answer: Vec<u8>,
    /// Fewer scopes than the account may have.
    pub scope: Option<String>,
}

/// Between a device and this hub stands one other device at most.
const CHAIN_MAX: usize = 2;
const NO_DEVICE: &str = "these are no certificates of a device that a household keeps itself";

impl Hub {
    /// Something fresh to sign, and the name of this door to sign beside it.
    ///
    /// # Errors
    /// [`Error::NotServedHere`] at a community hub.
    pub fn question(&self, now: UnixMs, rng: Rng<'_>) -> Result<(Nonce, String), Error> {
        self.central_only()?;
        let door = self.device_door();
        Ok((door.nonce(now, rng), door.audience().to_owned()))
    }

    /// Signs in whoever holds the key of a device of an account.
    ///
    /// # Errors
    /// [`Error::KeyRefused`] says why the key opens nothing; [`Error::Suspended`].
    pub async fn sign_in_by_key(
        &self,
        given: ShownKey,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Tokens, Device), Error> {
        self.central_only()?;
        let (account, shown) = self.key_shown(&given, now).await?;
        let stored = self.store().account(account).await?.ok_or_else(|| Error::KeyRefused {
            why: "the account of this device is gone".to_owned(),
        })?;
        if stored.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        let known = self.known_device(stored.login_digest, visitor).await?;
        let device = Device::of(known, rng);
        let proved = Proved { account: stored, factor: false, by_key: Some(shown.device) };
        let roles = roles_from_text(&proved.account.roles);
        let scopes = narrowed(&scopes_of(&roles, false), given.scope.as_deref())
            .ok_or(Error::Invalid { field: "scope", why: "names among scopes_supported" })?;
        let session = fresh(&proved, None, scopes_to_text(&scopes), now, rng);
        let tokens = self.tokens(&session, &session.scope, now, rng).await?;
        let digest = digest(&tokens.refresh_token);
        let arrival = self.arrival(&proved, &device, visitor, now, rng)?;
        let is_told = arrival.letter.is_some();
        self.store().open_session_by_key(session, digest, arrival, shown).await?;
        if is_told {
            self.call_post();
        }
        Ok((tokens, device))
    }

    /// Whose device answered, and what it answered with.
    async fn key_shown(
        &self,
        given: &ShownKey,
        now: UnixMs,
    ) -> Result<(AccountId, KeyShown), Error> {
        let refused = |why: &dyn std::fmt::Display| Error::KeyRefused { why: why.to_string() };
        if given.certificates.len() > CHAIN_MAX {
            return Err(refused(&"a device shows two certificates at most"));
        }
        let trust = self.trust(now).await?;
        let known = self.known_now(now).await?;
        let mut speakers = Pins::default();
        if let [_, above @ ..] = &given.certificates[..]
            && !above.is_empty()
        {
            // Whom this hub certified speaks for other devices of the same account.
            let speaker = trust.check(above, known).map_err(|e| refused(&e))?;
            let account = account_of(&speaker).ok_or_else(|| refused(&NO_DEVICE))?;
            speakers.add(account, *speaker.key());
        }
        let holder = trust.check_knowing(&speakers, &given.certificates, known);
        let holder = holder.map_err(|e| refused(&e))?;
        let account = account_of(&holder).ok_or_else(|| refused(&NO_DEVICE))?;
        let device = holder.key().id();
        let root = match holder.vouched() {
            Vouched::Countersigned(speaker) => speaker,
            _ => device,
        };
        let nonce = self.device_door().check(&given.answer, holder.key(), now);
        let nonce = nonce.map_err(|e| refused(&e))?;
        Ok((account, KeyShown { nonce, device, root }))
    }

    fn device_door(&self) -> Door {
        let issuer = &self.settings().issuer;
        Door::new(self.secrets().digest("questions at the door", issuer), issuer.clone())
    }
}

/// The account, unless this hub holds the key itself, or nobody vouches for it.
fn account_of(holder: &Certified) -> Option<AccountId> {
    match holder.standing() {
        Standing::Device { account, hosted: false } => Some(*account),
        _ => None,
    }
}

impl From<NotOpened> for Error {
    fn from(refusal: NotOpened) -> Self {
        Self::KeyRefused { why: refusal.to_string() }
    }
}
