//! Where a person signed in from, and who tried to.
//!
//! **Invariants:** from where and with what is sealed under the person's key; how long a refusal
//! takes does not depend on whether there was anybody to note it for.

use std::net::IpAddr;

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Error, Hub,
    letter::Content,
    lock,
    person::Person,
    policy::{Action, Actor},
    session::{Proved, uuid},
    visitor::{Device, Visitor},
};
use crate::{
    clock::{Rng, draw},
    store::{
        account::Stored,
        sign_in::{Arrival, Try},
    },
};

/// How a try to sign in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Somebody was let in.
    SignedIn,
    /// The password was wrong.
    WrongPassword,
    /// The password was right, and the second factor was not shown.
    FactorMissing,
    /// The password was right, and the second factor was wrong.
    WrongFactor,
}

/// What is sealed of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    client: String,
    network: String,
    outcome: Outcome,
    second_factor: bool,
    new: bool,
    #[serde(default)]
    by_key: bool,
}

/// A try to sign in, as the owner of the account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SignInItem {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: UnixMs,
    /// The kind of program.
    client: String,
    /// The part of the network: the first 24 bits of an address, or 48 in IPv6.
    network: String,
    /// How it ended.
    outcome: Outcome,
    /// Whether a second factor was shown.
    second_factor: bool,
    /// Whether the device was never seen at this account before.
    new: bool,
    /// Whether the device's key opened the account, without a password.
    by_key: bool,
}

/// Refusals that wait to be noted; what comes on top is not noted.
const REFUSALS_MAX: usize = 1_000;
/// The longest name of a program, in characters.
const CLIENT_CHARS_MAX: usize = 40;

impl Hub {
    /// What is kept of somebody who is let in, and told to the owner where the device is new.
    pub(super) fn arrival(
        &self,
        proved: &Proved,
        device: &Device,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Arrival, Error> {
        let Proved { account, factor, by_key } = proved;
        let seen = Seen {
            client: client(visitor.agent.as_deref()),
            network: network(visitor.from),
            outcome: Outcome::SignedIn,
            second_factor: *factor,
            new: device.fresh.is_some(),
            by_key: by_key.is_some(),
        };
        let key = Hash::of_parts(&[b"new device", account.id.as_bytes()]);
        let is_told = seen.new && self.throttle().letter(*key.as_bytes(), now).is_ok();
        let letter = match is_told {
            true => {
                let personal = self.person(account)?.open(&account.personal)?;
                let said = format!("{now}, {}, {}", seen.client, seen.network);
                let content = Content::NewDevice { seen: &said };
                self.letter(account, personal.address(), content, now, rng)?
            }
            false => None,
        };
        let noted = self.noted(account, &seen, now, rng)?;
        Ok(Arrival { device: device.digest, factor: *factor, noted, letter })
    }

    /// Notes a refusal at an account, later and elsewhere.
    pub(super) fn note_refusal(
        &self,
        account: &Stored,
        visitor: &Visitor,
        outcome: Outcome,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let noted = self.noted(account, &seen_refused(visitor, outcome), now, rng)?;
        let mut refusals = lock(&self.0.refusals);
        if refusals.len() < REFUSALS_MAX {
            refusals.push(noted);
        }
        drop(refusals);
        self.call_post();
        Ok(())
    }

    /// Does what noting a refusal takes, where there is nobody to note it for.
    pub(super) fn note_nobodys_refusal(
        &self,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let seen = seen_refused(visitor, Outcome::WrongPassword);
        let nobody = &self.0.nobody;
        let person = self.person_of(nobody.id, Some(&nobody.person_key))?;
        drop(noted(nobody.id, &person, &seen, now, rng));
        self.call_post();
        Ok(())
    }

    /// Stores the refusals that wait.
    ///
    /// # Errors
    /// When the database cannot be written; these are lost then.
    pub async fn store_refusals(&self) -> Result<(), Error> {
        let refusals = std::mem::take(&mut *lock(&self.0.refusals));
        match refusals.is_empty() {
            true => Ok(()),
            false => Ok(self.store().note_tries(refusals).await?),
        }
    }

    fn noted(&self, account: &Stored, seen: &Seen, at: UnixMs, rng: Rng<'_>) -> Result<Try, Error> {
        Ok(noted(account.id, &self.person(account)?, seen, at, rng))
    }

    /// Tries to sign in at the own account, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sign_ins(&self, actor: &Actor, now: UnixMs) -> Result<Vec<SignInItem>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.history(&account).await
    }

    pub(super) async fn history(&self, account: &Stored) -> Result<Vec<SignInItem>, Error> {
        let person = self.person(account)?;
        let read = |noted: Try| {
            let plain = person.secrets().open(&place(noted.id), &noted.sealed)?;
            let Seen { client, network, outcome, second_factor, new, by_key } =
                serde_json::from_slice(&plain).ok()?;
            let at = noted.at;
            Some(SignInItem { at, client, network, outcome, second_factor, new, by_key })
        };
        let damaged = || kirana_migrations::StoreError::damaged("a sign-in of", account.id).into();
        let noted = self.store().sign_ins(account.id).await?.into_iter();
        noted.map(|noted| read(noted).ok_or_else(damaged)).collect()
    }
}

fn noted(account: AccountId, person: &Person, seen: &Seen, at: UnixMs, rng: Rng<'_>) -> Try {
    let plain = serde_json::to_vec(seen).expect("texts and marks always make JSON");
    let id = uuid(at, rng);
    let sealed = person.secrets().seal(&place(id), &plain, draw(rng));
    let refused = seen.outcome != Outcome::SignedIn;
    Try { id, account, at, refused, sealed }
}

fn seen_refused(visitor: &Visitor, outcome: Outcome) -> Seen {
    let (client, network) = (client(visitor.agent.as_deref()), network(visitor.from));
    Seen { client, network, outcome, second_factor: false, new: false, by_key: false }
}

fn place(id: [u8; 16]) -> Vec<u8> {
    [b"sign-in ", &id[..]].concat()
}

/// The part of the network that an address belongs to: enough to know one's own town by.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let start = std::net::Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80);
            format!("{start}/48")
        }
    }
}

/// The kind of program behind a `User-Agent`: a browser and its system by name, any other program
/// by the first word, in plain letters.
fn client(agent: Option<&str>) -> String {
    let agent = agent.unwrap_or_default();
    let find = |names: &[&'static str]| names.iter().find(|name| agent.contains(**name)).copied();
    // Each names those before it too, so the more particular come first.
    if let Some(browser) = find(&["Firefox", "Edg", "OPR", "Chrome", "Safari"]) {
        let system = find(&["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"]);
        return format!("{browser}, {}", system.unwrap_or("unknown system"));
    }
    let word = agent.split_whitespace().next().unwrap_or_default();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/.-_".contains(*c);
    let word: String = word.chars().filter(is_plain).take(CLIENT_CHARS_MAX).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_its_part_of_the_network() {
        for (address, kept) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(network(address.parse().expect("an address")), kept);
        }
    }

    #[test]
    fn a_program_is_kept_by_its_kind() {
        let phone = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/125.0 Safari/537.36";
        for (agent, kept) in [
            (Some(phone), "Chrome, Android"),
            (Some("Mozilla/5.0 (X11; Linux x86_64; rv:1) Gecko/1 Firefox/1"), "Firefox, Linux"),
            (Some("kirana/0.1.0 (Asha's laptop)"), "kirana/0.1.0"),
            (Some("<script>alert(1)</script>"), "scriptalert1/script"),
            (Some(&*"x".repeat(500)), &*"x".repeat(40)),
            (Some("  "), "unknown"),
            (None, "unknown"),
        ] {
            assert_eq!(client(agent), kept);
        }
    }
}
