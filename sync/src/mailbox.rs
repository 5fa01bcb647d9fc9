//! The rules of whoever keeps mail for others: what is taken, who may read and delete it.
//!
//! The keeper's store stays the caller's: it asks [`accept`] before it touches the store and
//! [`Accepted::fits`] inside the transaction that inserts the row.
//!
//! **Invariant (P4):** a keeper looks at recipient, deadline, size and the sender's certificate, at
//! nothing else; and mail is listed and deleted only for the address of the key that the transport
//! proved.

use std::collections::BTreeMap;

use kirana_core::{
    certificate::Standing,
    hash::Hash,
    id::ShopId,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    mail::{Address, Mail},
    stamp::{self, Unstamped},
    time::UnixMs,
    trust::{Distrust, Trust},
};

use crate::wire::{Code, Refused, limit};

/// What one keeper holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pieces from one sending device.
    pub sender_pieces: u64,
    /// Bytes from one sending device.
    pub sender_bytes: u64,
    /// Pieces for one recipient.
    pub recipient_pieces: u64,
    /// Bytes for one recipient.
    pub recipient_bytes: u64,
    /// How far ahead a deadline may lie, in milliseconds.
    pub keep_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sender_pieces: 2_000,
            sender_bytes: 16 * 1024 * 1024,
            recipient_pieces: 20_000,
            recipient_bytes: 256 * 1024 * 1024,
            keep_ms: stamp::KEPT_MS_MAX,
        }
    }
}

/// How much is held already of a sender or for a recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Pieces.
    pub pieces: u64,
    /// Bytes, as [`Accepted::bytes`] counts them.
    pub bytes: u64,
}

/// Mail whose stamp, size and deadline were checked.
///
/// Made only by [`accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its name, unique in the store: the same piece twice is kept once and answered `Stored`.
    pub id: Hash,
    /// The device whose stamp it carries.
    pub sender: KeyId,
    /// For whom.
    pub to: Address,
    /// When it is thrown away, by the known time.
    pub until: UnixMs,
    /// How much it counts.
    pub bytes: u64,
}

/// Looks at mail before the store is touched.
///
/// # Errors
/// [`Refused`] with `Malformed`, `NotCertified`, `Expired` or `TooLate`.
pub fn accept(
    mail: &Mail,
    trust: &Trust,
    now: KnownNow,
    limits: &Limits,
) -> Result<Accepted, Refused> {
    limit::check_mail(mail).map_err(|e| Refused::new(Code::Malformed, e.to_string()))?;
    let stamped = stamp::check(mail, trust, now).map_err(|e| refuse_stamp(&e))?;
    if mail.until > now.at.plus_ms(limits.keep_ms) && !now.expiry_suspended {
        let days = limits.keep_ms / kirana_core::time::DAY_MS;
        return Err(Refused::new(Code::TooLate, format!("mail is kept for {days} days at most")));
    }
    Ok(Accepted {
        id: stamped.id(),
        sender: stamped.sender().key().id(),
        to: mail.to,
        until: mail.until,
        bytes: limit::mail_bytes(mail) as u64,
    })
}

fn refuse_stamp(wrong: &Unstamped) -> Refused {
    let code = match wrong {
        Unstamped::Malformed(_) | Unstamped::ForOther | Unstamped::Forged(_) => Code::Malformed,
        Unstamped::Distrust(_) => Code::NotCertified,
        Unstamped::TooLate { .. } => Code::Expired,
        Unstamped::TooLong { .. } => Code::TooLate,
    };
    Refused::new(code, wrong.to_string())
}

/// How long somebody whose quota is full is asked to wait, in milliseconds.
pub const QUOTA_WAIT_MS: u64 = 60_000;

impl Accepted {
    /// Whether there is room for it, given what is held of its sender and for its recipient.
    ///
    /// # Errors
    /// [`Refused`] with `Quota` and a time to come again.
    pub fn fits(&self, limits: &Limits, sender: Usage, recipient: Usage) -> Result<(), Refused> {
        let full = |held: Usage, pieces, bytes| {
            held.pieces >= pieces || held.bytes.saturating_add(self.bytes) > bytes
        };
        let reason = if full(sender, limits.sender_pieces, limits.sender_bytes) {
            "this device has as much mail waiting here as is allowed"
        } else if full(recipient, limits.recipient_pieces, limits.recipient_bytes) {
            "as much mail is waiting for this recipient as is allowed"
        } else {
            return Ok(());
        };
        Err(Refused::new(Code::Quota, reason).retry_after(QUOTA_WAIT_MS))
    }
}

/// How many callers are remembered; others greet again.
pub const READERS_MAX: usize = 4096;

#[derive(Debug, Clone)]
struct Reader {
    chain: Vec<Vec<u8>>,
    /// The shop it speaks for, and in which generation, as of this revision of the trust.
    shop: Option<(ShopId, u64)>,
    is_hub: bool,
    revision: u64,
}

/// Who has greeted, and for whom each may read.
///
/// All of it is soft: after a restart callers are asked to greet again.
#[derive(Debug, Clone, Default)]
pub struct Readers {
    known: BTreeMap<KeyId, Reader>,
    generations: BTreeMap<ShopId, u64>,
}

impl Readers {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers that a shop has come to this generation, as its record or a greeting says.
    pub fn met(&mut self, shop: ShopId, generation: u64) {
        let newest = self.generations.entry(shop).or_default();
        *newest = generation.max(*newest);
    }

    /// Takes a greeting: `chain` are certificates, leaf first, of the key that the transport proved.
    ///
    /// # Errors
    /// [`Refused`] with `NotCertified` when they do not count here or are of another key. Nobody
    /// needs certificates to read what is addressed to the own device.
    pub fn hello<B: std::ops::Deref<Target: AsRef<[u8]>>>(
        &mut self,
        peer: &PublicKey,
        chain: &[B],
        trust: &Trust,
        now: KnownNow,
    ) -> Result<(), Refused> {
        if chain.is_empty() {
            return Ok(());
        }
        let chain = chain.iter().map(|link| (**link).as_ref().to_vec()).collect();
        let mut reader = Reader { chain, shop: None, is_hub: false, revision: 0 };
        reader.check(peer.id(), trust, now)?;
        if let Some((shop, generation)) = reader.shop {
            self.met(shop, generation);
        }
        if self.known.len() >= READERS_MAX && !self.known.contains_key(&peer.id()) {
            self.known.pop_first();
        }
        self.known.insert(peer.id(), reader);
        Ok(())
    }

    /// The addresses whose mail this caller may delete: its device's, and its shop's.
    pub fn addresses(&mut self, peer: &PublicKey, trust: &Trust, now: KnownNow) -> Vec<Address> {
        let mut addresses = vec![Address::Device(peer.id())];
        if let Ok(Some(shop)) = self.shop_of(peer.id(), trust, now) {
            addresses.push(Address::Shop(shop));
        }
        addresses
    }

    /// Whether this caller may list the mail of `address`.
    ///
    /// # Errors
    /// [`Refused`] with `HelloFirst`, `NotCertified`, `NotYours`, or `ReadOnly` for the box of a
    /// generation that has ended.
    pub fn may_list(
        &mut self,
        peer: &PublicKey,
        address: &Address,
        trust: &Trust,
        now: KnownNow,
    ) -> Result<(), Refused> {
        let not_yours = || Refused::new(Code::NotYours, "this mail is for somebody else");
        match address {
            Address::Device(device) if *device == peer.id() => Ok(()),
            Address::Device(_) => Err(not_yours()),
            Address::Shop(wanted) => match self.shop_of(peer.id(), trust, now)? {
                Some(shop) if shop == *wanted => Ok(()),
                _ => Err(not_yours()),
            },
        }
    }

    /// Whether this caller may hand on the mail of others: a hub of the roster, or one that a hub
    /// of the roster certified.
    ///
    /// # Errors
    /// [`Refused`] with `HelloFirst`, `NotCertified` or `NotYours`.
    pub fn may_forward(
        &mut self,
        peer: KeyId,
        trust: &Trust,
        now: KnownNow,
    ) -> Result<(), Refused> {
        if trust.roster().is_some_and(|signed| signed.roster().hub(peer).is_some()) {
            return Ok(());
        }
        match self.reader(peer, trust, now)?.is_hub {
            true => Ok(()),
            false => {
                Err(Refused::new(Code::NotYours, "only certified hubs hand on mail of others"))
            }
        }
    }

    fn reader(&mut self, peer: KeyId, trust: &Trust, now: KnownNow) -> Result<&Reader, Refused> {
        let Some(reader) = self.known.get_mut(&peer) else {
            return Err(Refused::new(Code::HelloFirst, "say first who you are"));
        };
        if reader.revision != trust.revision() {
            reader.check(peer, trust, now)?;
        }
        Ok(reader)
    }

    fn shop_of(
        &mut self,
        peer: KeyId,
        trust: &Trust,
        now: KnownNow,
    ) -> Result<Option<ShopId>, Refused> {
        let Some((shop, generation)) = self.reader(peer, trust, now)?.shop else { return Ok(None) };
        match self.generations.get(&shop) {
            Some(newest) if *newest > generation => Err(Refused::new(
                Code::ReadOnly,
                format!("this shop has moved on to generation {newest}"),
            )),
            _ => Ok(Some(shop)),
        }
    }
}

impl Reader {
    fn check(&mut self, peer: KeyId, trust: &Trust, now: KnownNow) -> Result<(), Refused> {
        let refused = |wrong: Distrust| Refused::new(Code::NotCertified, wrong.to_string());
        let certified = trust.check(&self.chain, now).map_err(refused)?;
        if certified.key().id() != peer {
            let reason = "these certificates are of another key than this connection's";
            return Err(Refused::new(Code::NotCertified, reason));
        }
        self.shop = certified.shop().zip(certified.generation());
        self.is_hub = matches!(certified.standing(), Standing::Hub { .. });
        self.revision = trust.revision();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
