//! Confirming that an email address is the person's own.
//!
//! **Invariant:** a code confirms the one address that it was sent to.

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};

use super::{
    Error, Hub,
    letter::Content,
    policy::{Action, Actor},
    reset::codes,
};
use crate::{
    clock::{Rng, draw},
    store::reset::Kind,
};

impl Hub {
    /// Sends a code to the own address; nothing is sent to one that is confirmed already.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is no address; [`Error::Throttled`].
    pub async fn send_email_code(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        let personal = self.person(&account)?.open(&account.personal)?;
        if personal.email_verified {
            return Ok(());
        }
        let why = "your profile has no email address that mail can be sent to";
        let address = personal.address().ok_or(Error::Conflict { why })?;
        self.throttle().letter(*Hash::of(account.id.as_bytes()).as_bytes(), now)?;
        let code = short_code(rng);
        let digests = vec![email_digest(account.id, address, &code)];
        let content = Content::EmailCode { code: &code };
        let letter = self.letter(&account, Some(address), content, now, rng)?;
        let sent = codes(account.id, Kind::Email, digests, Some(now));
        self.store().replace_codes(sent, letter, None).await?;
        self.call_post();
        Ok(())
    }

    /// Confirms the own address by the code that was sent to it.
    ///
    /// # Errors
    /// [`Error::CodeUnknown`]; [`Error::Throttled`].
    pub async fn confirm_email(
        &self,
        actor: &Actor,
        code: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        // By account, not by session: eight digits must not be guessed from many sessions at once.
        let key = Hash::of_parts(&[b"email code", account.id.as_bytes()]);
        self.throttle().guess_with(*key.as_bytes(), now)?;
        let person = self.person(&account)?;
        let mut personal = person.open(&account.personal)?;
        let address = personal.address().ok_or(Error::CodeUnknown)?.to_owned();
        let digest = email_digest(account.id, &address, code);
        personal.email = Some(address);
        personal.email_verified = true;
        let sealed = person.seal(&personal, draw(rng));
        match self.store().confirm_email(account.id, digest, sealed, now).await? {
            true => Ok(()),
            false => Err(Error::CodeUnknown),
        }
    }
}

/// Eight digits: enough where one guess in ten seconds is allowed for an hour.
fn short_code(rng: Rng<'_>) -> String {
    let number = u64::from_be_bytes(draw(rng)) % 100_000_000;
    format!("{number:08}")
}

fn email_digest(account: AccountId, address: &str, code: &str) -> [u8; 32] {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let parts =
        [b"kirana email code", &account.as_bytes()[..], address.as_bytes(), digits.as_bytes()];
    *Hash::of_parts(&parts).as_bytes()
}
