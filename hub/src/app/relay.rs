//! Answers nodes: keeps their mail without knowing what it says, and points them to shops.
//!
//! **Invariants (P4, P7):** `Stored` is answered after the commit; what is kept and logged is for
//! whom, from which certified device, how big and until when, and nothing else.

use std::sync::Mutex;

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    key::PublicKey,
    mail::{Address, Mail},
    planted::{Bug, is_planted},
    time::UnixMs,
};
use kirana_migrations::WriteError;
use kirana_sync::{
    mailbox::{self, Limits, Readers},
    wire::{Code, Refused, Request, Response, limit},
};
use minicbor::bytes::ByteVec;

use super::{Error, Hub, lock};
use crate::store::mail::Giver;

/// What a relay remembers between requests; a restart loses it and callers greet again.
#[derive(Default)]
pub struct Callers(Mutex<Readers>);

/// How long somebody is asked to wait when the disk is full, in milliseconds.
const UNAVAILABLE_WAIT_MS: u64 = 30_000;

impl Hub {
    /// Answers one request of a peer whose key the transport proved.
    pub async fn answer(&self, peer: &PublicKey, request: Request, now: UnixMs) -> Response {
        let answered = match request {
            Request::Hello { certificates, lists } => {
                let plain = |parts: Vec<ByteVec>| parts.into_iter().map(Vec::from).collect();
                self.hello(peer, plain(certificates), plain(lists), now).await
            }
            Request::Put { mail } => self.keep(mail, Giver::Peer(peer.id()), now).await,
            Request::Forward { mail, hops } => self.take_over(peer, mail, hops, now).await,
            Request::List { address, after, limit } => {
                self.list(peer, &address, after, limit, now).await
            }
            Request::Delete { ids } => self.delete(peer, ids, now).await,
            Request::Publish { record } => self.publish(&record, now).await,
            Request::Look { shop } => self.look(shop, now).await,
            Request::Find { cells } => self.find(&cells, now).await,
            request @ (Request::Heads { .. }
            | Request::Chunks { .. }
            | Request::Snapshot { .. }) => self.hand_on(request),
            Request::Image { image, .. } => self.hand_out(image, now).await,
            Request::Batch { .. } => {
                Err(Refused::new(Code::NotHere, "a hub edits no catalogue; ask the shop").into())
            }
        };
        answered.unwrap_or_else(|no| Response::Refused(no.0))
    }

    async fn hello(
        &self,
        peer: &PublicKey,
        certificates: Vec<Vec<u8>>,
        lists: Vec<Vec<u8>>,
        now: UnixMs,
    ) -> Answer {
        self.admit_lists(&lists, now).await?;
        let trust = self.trust(now).await?;
        let now = self.known_now(now).await?;
        self.callers().hello(peer, &certificates, &trust, now)?;
        let lists = trust.lists().map(|list| list.bytes().to_vec());
        let lists = within(lists, limit::LISTS_BYTES_MAX).take(limit::LISTS_MAX);
        let roster = trust.roster().map(|roster| roster.bytes().to_vec());
        let certificate = self.store().setting(CERTIFICATE).await.map_err(Error::from)?;
        Ok(Response::Welcome {
            certificates: certificate.into_iter().map(Into::into).collect(),
            lists: lists.map(Into::into).collect(),
            roster: roster.map(Into::into),
        })
    }

    pub(super) async fn keep(&self, mail: Mail, from: Giver, now: UnixMs) -> Answer {
        let trust = self.trust(now).await?;
        let (limits, now) = (Limits::default(), self.known_now(now).await?);
        let accepted = mailbox::accept(&mail, &trust, now, &limits)?;
        if is_guest(&mail) {
            let reason = "guests hand their orders to the shop itself; no hub vouches for them";
            return Err(Refused::new(Code::NotCertified, reason).into());
        }
        let id = accepted.id;
        let stored = self.store().put_mail(mail, accepted, from, limits, now.at).await;
        match stored {
            // Planted: the sender hears of it whether or not it is there.
            Err(WriteError::Full | WriteError::Unknown | WriteError::Crowded)
                if is_planted(Bug::AcknowledgeBeforeStore) => {}
            stored => stored.map_err(No::from)?,
        }
        Ok(Response::Stored { id })
    }

    async fn list(
        &self,
        peer: &PublicKey,
        address: &Address,
        after: u64,
        limit: u16,
        now: UnixMs,
    ) -> Answer {
        let trust = self.trust(now).await?;
        let now = self.known_now(now).await?;
        self.callers().may_list(peer, address, &trust, now)?;
        let mails = self.store().mail(address, after, limit, now).await.map_err(Error::from)?;
        if let Address::Device(device) = address
            && let Err(error) = self.store().heard_here(*device).await
        {
            // Its mail goes the longer way for as long as the disk is full.
            tracing::warn!(error = %error, "where a device is heard could not be stored");
        }
        Ok(Response::mails(mails, limit))
    }

    async fn delete(
        &self,
        peer: &PublicKey,
        ids: Vec<kirana_core::hash::Hash>,
        now: UnixMs,
    ) -> Answer {
        let trust = self.trust(now).await?;
        let now = self.known_now(now).await?;
        let addresses = self.callers().addresses(peer, &trust, now);
        self.store().delete_mail(addresses, ids).await.map_err(Error::from)?;
        Ok(Response::Deleted)
    }

    /// Keeps the certificate by which a central hub vouches for this community hub.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_own_certificate(&self, certificate: Vec<u8>) -> Result<(), Error> {
        Ok(self.store().set(CERTIFICATE, certificate).await?)
    }

    /// The certificate by which a central hub vouches for this community hub.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn own_certificate(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.store().setting(CERTIFICATE).await?)
    }

    pub(super) fn callers(&self) -> std::sync::MutexGuard<'_, Readers> {
        lock(&self.0.callers.0)
    }
}

const CERTIFICATE: &str = "certificate";

/// An answer, or why not.
pub(super) type Answer = Result<Response, No>;

/// A refusal on the wire, whatever it came from.
pub(super) struct No(Refused);

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

impl From<Error> for No {
    fn from(error: Error) -> Self {
        // What went wrong inside is logged here and not told to a stranger.
        tracing::error!(error = %error, "a request of a node could not be answered");
        let reason = "nothing can be stored at the moment";
        Self(Refused::new(Code::Unavailable, reason).retry_after(UNAVAILABLE_WAIT_MS))
    }
}

impl From<WriteError<Refused>> for No {
    fn from(error: WriteError<Refused>) -> Self {
        match error {
            WriteError::Refused(refused) => Self(refused),
            other => Error::Unavailable(other.to_string()).into(),
        }
    }
}

fn is_guest(mail: &Mail) -> bool {
    let leaf = mail.certificates.first().map(|leaf| UnverifiedCertificate::parse(leaf));
    leaf.is_none_or(|leaf| leaf.is_ok_and(|leaf| leaf.claimed().standing == Standing::Guest))
}

/// The first parts that together have at most so many bytes.
pub(super) fn within(
    parts: impl Iterator<Item = Vec<u8>>,
    bytes_max: usize,
) -> impl Iterator<Item = Vec<u8>> {
    let mut left = bytes_max;
    parts.take_while(move |part| {
        let fits = part.len() <= left;
        left = left.saturating_sub(part.len());
        fits
    })
}
