//! Answers peers: takes mail in, hands out what waits for their device, says who the shop is.
//!
//! **Invariant (P1):** `Stored` is answered only after the order was decided and committed.

use kirana_core::{
    hash::Hash,
    id::ShopId,
    key::{KeyId, PublicKey},
    mail::Address,
    stamp::Unstamped,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx};
use kirana_sync::wire::{Code, Refused, Request, Response, limit};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{
    Shop, Undeliverable,
    checked::Against,
    desk::{Desk, Visit},
    reading,
    refusal::NotStored,
    succession::{STEPS_MAX, Step},
};
use crate::store::{
    known, outgoing,
    settings::{self, Setting},
};

/// How long a peer waits before it asks a busy shop again, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

impl Shop {
    /// Answers one request of a peer whose key the transport has proved.
    pub fn answer(
        &self,
        peer: PublicKey,
        request: Request,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Response {
        let answered = match request {
            Request::Hello { certificates, lists } => {
                self.welcome(peer.id(), &certificates, &lists, now, rng)
            }
            Request::Put { mail } => {
                self.deliver(&mail, now, rng).map(|_| Response::Stored { id: mail.id() })
            }
            Request::List { address, after, limit } => {
                self.list(peer.id(), address, after, limit, now, rng)
            }
            Request::Delete { ids } => self.forget_mail(peer.id(), &ids),
            Request::Batch { batch, certificates } => {
                let chain: Vec<Vec<u8>> = certificates.into_iter().map(Vec::from).collect();
                Ok(match self.admit_batch(&batch, &chain, now, rng) {
                    Ok(id) => Response::Admitted { id },
                    Err(error) => Response::Refused(super::catalogue::admission::refused(&error)),
                })
            }
            pull @ (Request::Heads { .. } | Request::Chunks { .. } | Request::Snapshot { .. }) => {
                self.serve_pull(pull, now).map_err(Undeliverable::from)
            }
            Request::Image { shop, image } => self.hand_out(shop, image),
            other => {
                let reason = format!("a shop does not answer {}", other.name());
                Ok(Response::refused(Code::Unknown, reason))
            }
        };
        answered.unwrap_or_else(|error| Response::Refused(refused(&error)))
    }

    /// A picture of the shelf, for anybody: it is as public as the shelf.
    fn hand_out(&self, shop: ShopId, image: Hash) -> Result<Response, Undeliverable> {
        let jpeg = if shop == self.id() { self.image(image)? } else { None };
        Ok(match jpeg {
            Some(jpeg) => Response::Image { jpeg: jpeg.into() },
            None => Response::refused(Code::NotHere, "no product of this shop names that picture"),
        })
    }

    fn welcome(
        &self,
        peer: KeyId,
        certificates: &[ByteVec],
        lists: &[ByteVec],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Response, Undeliverable> {
        let parcel = kirana_core::envelope::Parcel {
            certificates: certificates.to_vec(),
            lists: lists.to_vec(),
            ..Default::default()
        };
        self.meet(peer, &parcel, now, rng)?;
        self.reader().read(|c| {
            let certificates = super::chain(c)?.into_iter().map(Into::into).collect();
            let mut lists: Vec<ByteVec> = known::lists(c)?.into_iter().map(Into::into).collect();
            lists.truncate(limit::LISTS_MAX);
            let roster = settings::get(c, Setting::Roster)?;
            Ok(Response::Welcome { certificates, lists, roster })
        })
    }

    /// Remembers a peer's certificates, if they count and are its own, and takes lists in.
    pub(crate) fn meet(
        &self,
        peer: KeyId,
        parcel: &kirana_core::envelope::Parcel,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Undeliverable> {
        if parcel.certificates.is_empty() && parcel.lists.is_empty() {
            return Ok(());
        }
        let trust = self.trust_with(parcel)?;
        let known_now = self.known_now(now)?;
        let chain = reading::chain_shown(peer, parcel)?;
        let shown = chain.and_then(|chain| {
            let checked =
                self.reader().read(|c| super::devices::check(c, &trust, &chain, known_now));
            Some((checked.ok()?, chain))
        });
        let (device, chain) = shown.unzip();
        let against = Against { trust: &trust, before: None };
        let reading =
            self.reader().read(|c| reading::read(c, parcel, self.id(), &against, known_now))?;
        let known = self.reader().read(|c| known::chain(c, peer))?;
        let is_news = chain.is_some() && chain != known;
        if !is_news && parcel.lists.is_empty() && reading.boxes.is_empty() {
            return Ok(());
        }
        let (inner, visit, parcel) = (self.inner.clone(), Visit::new(now, rng), parcel.clone());
        let met = self.writer().write(move |tx| {
            let desk = Desk::open(&inner, tx, &visit)?;
            desk.take_lists(&parcel)?;
            if let Some(chain) = &chain {
                known::put_chain(tx, peer, chain, desk.now.at)?;
            }
            if let Some(device) = &device {
                desk.meet_countersigned(device)?;
            }
            if let Some(why) = desk.meet_boxes(&reading)? {
                settings::put(tx, Setting::ReadOnly, &why)?;
            }
            Ok::<_, Abort<Undeliverable>>(())
        });
        Ok(met?)
    }

    fn list(
        &self,
        peer: KeyId,
        address: Address,
        after: u64,
        limit: u16,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Response, Undeliverable> {
        if address != Address::Device(peer) {
            return Ok(Response::refused(Code::NotYours, "a device lists its own mail only"));
        }
        if self.known_device(peer, now)?.is_none() {
            return Ok(Response::refused(Code::HelloFirst, "show your certificate first"));
        }
        let at_most = u32::from(limit).min(limit::MAILS_MAX as u32);
        let mails = self.mail_for(peer, after, at_most, now, rng)?;
        let more = mails.len() as u32 == at_most;
        self.inner.remember_sealed(&mails);
        let mut response = Response::mails(mails, limit);
        if let Response::Mails { more: cut, .. } = &mut response {
            *cut |= more;
        }
        Ok(response)
    }

    /// The device has stored these: they need not be listed again. What this process did not seal
    /// is listed once more, which does no harm.
    fn forget_mail(&self, peer: KeyId, ids: &[Hash]) -> Result<Response, Undeliverable> {
        let numbers = self.inner.take_sealed(ids);
        if !numbers.is_empty() {
            let forgotten = self.writer().write(move |tx| {
                for n in &numbers {
                    outgoing::forget(tx, peer, *n)?;
                }
                Ok::<_, Abort<Undeliverable>>(())
            });
            forgotten?;
        }
        Ok(Response::Deleted)
    }

    /// The roster and root that the shop goes by, set by its owner.
    ///
    /// # Errors
    /// [`Undeliverable`] when the roster is not by the root, or nothing can be stored.
    pub fn trust_hubs(&self, root: PublicKey, roster: Vec<u8>) -> Result<(), Undeliverable> {
        kirana_core::roster::SignedRoster::verify(&roster, &root)
            .map_err(|e| StoreError::damaged("the roster of hubs", e))?;
        let stored = self.writer().write(move |tx| {
            may_change(tx)?;
            settings::put(tx, Setting::Root, &root)?;
            settings::put(tx, Setting::Roster, &ByteVec::from(roster.clone()))?;
            let revision = super::trust_revision(tx)?;
            Ok::<_, Abort<Undeliverable>>(settings::put(
                tx,
                Setting::TrustRevision,
                &(revision + 1),
            )?)
        });
        Ok(stored?)
    }

    /// By what a hub knows this box when the owner signs in there, if it was told.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn known_at(&self, hub: &str, login: &str) -> Result<Option<String>, StoreError> {
        let kept: Option<(String, String, String)> =
            self.reader().read(|c| settings::get(c, Setting::HubDevice))?;
        Ok(kept.filter(|(at, by, _)| at == hub && by == login).map(|(.., token)| token))
    }

    /// Keeps by what a hub will know this box.
    ///
    /// # Errors
    /// [`Undeliverable`] when nothing can be stored.
    pub fn be_known_at(&self, hub: &str, login: &str, token: String) -> Result<(), Undeliverable> {
        let kept = (hub.to_owned(), login.to_owned(), token);
        let stored = self.writer().write(move |tx| {
            Ok::<_, Abort<Undeliverable>>(settings::put(tx, Setting::HubDevice, &kept)?)
        });
        Ok(stored?)
    }

    /// Puts the certificate in which a hub vouches for the shop in the place of its own word.
    ///
    /// # Errors
    /// [`Undeliverable`] when it is of another shop or owner, or nothing can be stored.
    pub fn vouched_by(&self, certificate: Vec<u8>) -> Result<(), Undeliverable> {
        let read = kirana_core::certificate::UnverifiedCertificate::parse(&certificate)?;
        let claimed = read.claimed();
        let ours = kirana_core::certificate::Standing::Shop { shop: self.id() };
        if claimed.standing != ours || claimed.key != self.identity().owner {
            return Err(Undeliverable::WrongAuthor);
        }
        let stored = self.writer().write(move |tx| {
            may_change(tx)?;
            let steps: Vec<Step> = settings::get(tx, Setting::Steps)?.unwrap_or_default();
            let consents = steps.into_iter().take(STEPS_MAX).map(|step| step.consent);
            let hub = std::iter::once(ByteVec::from(certificate.clone()));
            let above: Vec<ByteVec> = consents.chain(hub).collect();
            Ok::<_, Abort<Undeliverable>>(settings::put(tx, Setting::Chain, &above)?)
        });
        Ok(stored?)
    }
}

fn may_change(tx: &Tx<'_>) -> Result<(), Abort<Undeliverable>> {
    match settings::get(tx, Setting::ReadOnly)? {
        Some(why) => Err(Abort::Refused(Undeliverable::ReadOnly { why })),
        None => Ok(()),
    }
}

/// What a peer is told when nothing was taken in.
pub fn refused(error: &Undeliverable) -> Refused {
    let code = match error {
        Undeliverable::NotForUs { .. } => Code::NotHere,
        Undeliverable::StatementForOther { .. } => Code::NotHere,
        Undeliverable::Unstamped(Unstamped::TooLate { .. }) => Code::Expired,
        Undeliverable::Unstamped(Unstamped::TooLong { .. }) => Code::TooLate,
        Undeliverable::Unstamped(Unstamped::Malformed(_))
        | Undeliverable::Unopenable(_)
        | Undeliverable::Malformed(_)
        | Undeliverable::Said(_)
        | Undeliverable::Empty
        | Undeliverable::KeyReused
        | Undeliverable::TooMany { .. } => Code::Malformed,
        Undeliverable::Unstamped(_)
        | Undeliverable::Forged(_)
        | Undeliverable::Distrust(_)
        | Undeliverable::NoCertificate { .. }
        | Undeliverable::WrongAuthor
        | Undeliverable::Chain(_) => Code::NotCertified,
        Undeliverable::ReadOnly { .. } => Code::ReadOnly,
        Undeliverable::NotStored(NotStored::Crowded | NotStored::Unknown) => Code::Busy,
        Undeliverable::NotStored(NotStored::Full | NotStored::Stopped) => Code::Unavailable,
        Undeliverable::Store(_) => Code::Unavailable,
    };
    // What went wrong inside is for the shop's own log, not for peers.
    let reason = match error {
        Undeliverable::Store(_) => "the shop cannot answer now".to_owned(),
        other => other.to_string(),
    };
    let refused = Refused::new(code, reason);
    match code {
        Code::Busy | Code::Unavailable => refused.retry_after(RETRY_AFTER_MS),
        _ => refused,
    }
}
