//! Second factors: codes of an authenticator app (TOTP, RFC 6238), and recovery codes in their place.
//!
//! **Invariant:** a code counts once, and a password that was right counts for nothing alone where
//! the account has a confirmed factor.

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};
use totp_rs::{Builder, Secret, Totp};

use super::{
    Error, Hub,
    password::{Beside, Password},
    policy::{Action, Actor},
    role::needs_factor,
    session::uuid,
};
use crate::{
    clock::{Rng, draw},
    store::{
        account,
        factor::{FactorId, Stored},
    },
};

/// Authenticators that an account may have.
pub const FACTORS_MAX: usize = 8;
/// Recovery codes that are given with the first one.
pub const RECOVERY_CODES: usize = 10;
/// Letters that are not mistaken for digits or for each other when written down.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A factor that waits for its first code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub id: FactorId,
    /// What the authenticator needs, in base32; shown once.
    pub secret: String,
    /// The same as a link, to be shown as a picture.
    pub otpauth_uri: String,
}

impl Hub {
    /// Begins a factor: nothing changes at sign-in before it was confirmed. A sign-in that is not
    /// fresh needs the password once more.
    ///
    /// # Errors
    /// [`Error::SignInTooOld`] or [`Error::BadCredentials`];
    /// [`Error::Conflict`] when the account has enough of them.
    pub async fn begin_factor(
        &self,
        actor: &Actor,
        password: Option<&str>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Begun, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        // Whoever found a token that lay about must not lock its owner out.
        match password {
            Some(typed) => self.check_password_here(actor, &account, typed, now).await?,
            None => actor.proved_lately(now)?,
        }
        let confirmed = self.confirmed(actor.account).await?.len();
        if confirmed >= FACTORS_MAX {
            return Err(Error::Conflict { why: "there are enough second factors: remove one" });
        }
        let (stored, begun) = self.fresh_factor(&account, now, rng)?;
        self.store().begin_factor(stored).await?;
        Ok(begun)
    }

    /// A factor that counts at once, with its recovery codes: whoever runs the machine hands both
    /// to a new administrator.
    pub(super) async fn given_factor(
        &self,
        account: &account::Stored,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Begun, Vec<String>), Error> {
        let (stored, begun) = self.fresh_factor(account, now, rng)?;
        let (codes, digests) = recovery_codes(account.id, rng);
        self.store().begin_factor(stored.clone()).await?;
        // Before any step of today, so that the first code counts.
        self.store().confirm_factor(stored, 1, digests, now).await?;
        Ok((begun, codes))
    }

    fn fresh_factor(
        &self,
        account: &account::Stored,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Stored, Begun), Error> {
        let (id, secret): (_, [u8; 20]) = (uuid(now, rng), draw(rng));
        let begun = begun(id, &secret, &self.login_of(account)?)?;
        let sealed = self.secrets().seal(&id, &secret, draw(rng));
        let account = account.id;
        let stored = Stored { id, account, secret: sealed, created_at: now, confirmed_at: None };
        Ok((stored, begun))
    }

    /// A factor that waits for its first code, to be shown again while it waits; none when it is
    /// gone, since another was begun.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn begun_factor(
        &self,
        actor: &Actor,
        id: FactorId,
        now: UnixMs,
    ) -> Result<Option<Begun>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        let factors = self.store().factors(actor.account).await?;
        let is_meant = |factor: &Stored| factor.id == id && factor.confirmed_at.is_none();
        let Some(waiting) = factors.into_iter().find(is_meant) else { return Ok(None) };
        begun(id, &self.secret(&waiting)?, &self.login_of(&account)?).map(Some)
    }

    /// Confirms a factor by a code of it; the account's first gives recovery codes, shown once.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::FactorWrong`] for another code or one that was used.
    pub async fn confirm_factor(
        &self,
        actor: &Actor,
        id: FactorId,
        code: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<String>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        self.guess_here("factor", actor, now)?;
        let factors = self.store().factors(actor.account).await?;
        let factor = factors.into_iter().find(|factor| factor.id == id);
        let factor = factor.ok_or(Error::NotFound { what: "second factor" })?;
        let step = self.step(&factor, code, now)?.ok_or(Error::FactorWrong)?;
        let (codes, digests) = recovery_codes(actor.account, rng);
        let (taken, first) = self.store().confirm_factor(factor, step, digests, now).await?;
        if !taken {
            return Err(Error::FactorWrong);
        }
        self.store().note_factor(actor.session).await?;
        Ok(if first { codes } else { Vec::new() })
    }

    /// The own factors, oldest first; those that were never confirmed too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factors(&self, actor: &Actor, now: UnixMs) -> Result<Vec<Stored>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        Ok(self.store().factors(actor.account).await?)
    }

    /// Removes a factor, for whoever knows the password; the last one only where the password is
    /// long enough to stand alone.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] or [`Error::NotFound`]; [`Error::Conflict`] for an administrator's
    /// last one, and where the password is too short.
    pub async fn remove_factor(
        &self,
        actor: &Actor,
        id: FactorId,
        password: &str,
        now: UnixMs,
    ) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.check_password_here(actor, &account, password, now).await?;
        let left = self.confirmed(actor.account).await?.iter().filter(|one| one.id != id).count();
        let long = Password::new(password).check_length(Beside::Alone);
        if left == 0 && needs_factor(&actor.roles) {
            return Err(Error::Conflict { why: "administrators keep one second factor at least" });
        }
        if left == 0 && long.is_err() {
            let why = "your password is too short to stand alone: set one of 15 characters first";
            return Err(Error::Conflict { why });
        }
        match self.store().remove_factor(actor.account, id).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "second factor" }),
        }
    }

    /// Looks at the second factor of somebody whose password was right; says whether there is one.
    ///
    /// # Errors
    /// [`Error::FactorNeeded`] without a code, [`Error::FactorWrong`] for one that does not count.
    pub(super) async fn check_factor(
        &self,
        account: &account::Stored,
        code: Option<&str>,
        now: UnixMs,
    ) -> Result<bool, Error> {
        let confirmed = self.confirmed(account.id).await?;
        if confirmed.is_empty() {
            return Ok(false);
        }
        let code = code.map(str::trim).filter(|code| !code.is_empty());
        let code = code.ok_or(Error::FactorNeeded)?;
        for factor in &confirmed {
            if let Some(step) = self.step(factor, code, now)? {
                let taken = self.store().use_step(factor.id, step).await?;
                return if taken { Ok(true) } else { Err(Error::FactorWrong) };
            }
        }
        match self.store().use_recovery_code(account.id, digest(account.id, code)).await? {
            true => Ok(true),
            false => Err(Error::FactorWrong),
        }
    }

    /// What a password of this account stands beside.
    pub(super) async fn beside(&self, account: AccountId) -> Result<Beside, Error> {
        let is_alone = self.confirmed(account).await?.is_empty();
        Ok(if is_alone { Beside::Alone } else { Beside::Factor })
    }

    async fn confirmed(&self, account: AccountId) -> Result<Vec<Stored>, Error> {
        let mut factors = self.store().factors(account).await?;
        factors.retain(|factor| factor.confirmed_at.is_some());
        Ok(factors)
    }

    /// The step of which this is the code, if it is one of about now.
    fn step(&self, factor: &Stored, code: &str, now: UnixMs) -> Result<Option<u64>, Error> {
        Ok(totp(&self.secret(factor)?, "")?.check(code, now.get() / 1000))
    }

    fn secret(&self, factor: &Stored) -> Result<[u8; 20], Error> {
        let damaged = || kirana_migrations::StoreError::damaged("the secret of", "a second factor");
        let secret = self.secrets().open(&factor.id, &factor.secret).ok_or_else(damaged)?;
        Ok(secret.try_into().map_err(|_| damaged())?)
    }
}

fn begun(id: FactorId, secret: &[u8; 20], login: &str) -> Result<Begun, Error> {
    let totp = totp(secret, login)?;
    let otpauth_uri = totp.to_url().map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(Begun { id, secret: totp.secret().to_base32(), otpauth_uri })
}

/// Six digits every thirty seconds; one step to either side counts, since clocks differ.
fn totp(secret: &[u8; 20], login: &str) -> Result<Totp, Error> {
    let name = login.replace(':', " ");
    let builder = Builder::new().with_secret(Secret::from(*secret)).with_issuer(Some("kirana"));
    let built = builder.with_account_name(name).build();
    built.map_err(|error| Error::Unavailable(error.to_string()))
}

/// Fresh recovery codes, and what is kept of them.
fn recovery_codes(account: AccountId, rng: Rng<'_>) -> (Vec<String>, Vec<[u8; 32]>) {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(draw(rng))).collect();
    let digests = codes.iter().map(|code| digest(account, code)).collect();
    (codes, digests)
}

/// Sixteen letters in groups of four: 80 bits.
pub(super) fn recovery_code(random: [u8; 16]) -> String {
    let letters: Vec<u8> = random.iter().map(|byte| LETTERS[usize::from(byte & 31)]).collect();
    let groups = letters.chunks(4).map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join("-")
}

/// What is kept of a recovery code; small letters, blanks and dashes make no difference.
fn digest(account: AccountId, code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_uppercase();
    let parts = [b"kirana recovery code", &account.as_bytes()[..], plain.as_bytes()];
    *Hash::of_parts(&parts).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // The RFC's test key, appendix B: the last six of its eight digits.
        let totp = totp(b"12345678901234567890", "").expect("a key of the right length");
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(totp.check(code, seconds), Some(seconds / 30), "{seconds}");
        }
        assert_eq!(totp.check("287083", 59), None);
    }

    #[test]
    fn a_recovery_code_is_read_as_people_write_it() {
        let account = AccountId::new(UnixMs::new(1), [1; 10]);
        let code = recovery_code([7, 31, 250, 3, 9, 64, 77, 200, 1, 2, 3, 4, 5, 6, 7, 8]);
        let typed = code.to_lowercase().replace('-', " ");
        assert_eq!(digest(account, &code), digest(account, &typed));
        let other = AccountId::new(UnixMs::new(1), [2; 10]);
        assert_ne!(digest(account, &code), digest(other, &code));
    }
}
