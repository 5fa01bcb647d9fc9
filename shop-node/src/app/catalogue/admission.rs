//! Admission of batches that staff devices made apart.

use std::sync::{Arc, OnceLock};

use kirana_core::{
    catalogue::{
        batch::{Batch, Refused as NotAdmitted, SignedBatch},
        document::NotABucket,
    },
    certificate::Standing,
    hash::Hash,
    policy::{Action, Policies, Resource},
    time::UnixMs,
};
use kirana_migrations::{Abort, catalogue::chunks};
use kirana_sync::wire::{Code, Refused};
use rand_core::CryptoRng;

use super::{NotEdited, NotStored, Shop, Visit, Written, epochs::admit_late, may_edit, write};

impl Shop {
    /// Takes a staff batch in: signature, role, authors and sizes are checked before anything of
    /// it is applied. The same batch again changes nothing and is admitted too.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed, and the device makes the batch again from its intents.
    pub fn admit_batch(
        &self,
        bytes: &[u8],
        chain: &[Vec<u8>],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, NotEdited> {
        let batch = self.verified(bytes, chain, now)?;
        let (inner, visit, own) = (self.inner.clone(), Visit::new(now, rng), bytes.to_vec());
        let written =
            self.writer().write(move |tx| -> Result<Option<Written>, Abort<NotEdited>> {
                may_edit(tx)?;
                let shop = inner.identity.shop;
                let reached = chunks::reached(tx, shop)?;
                let at = reached.get(&batch.bucket());
                let document = inner.documents.load(tx, shop, batch.bucket(), at)?;
                let before = document.heads();
                let (next, changed) = match document.admit(&batch) {
                    Err(NotAdmitted::Document(NotABucket::Gap)) => {
                        let mut next = document;
                        let late = admit_late(&inner, tx, &mut next, &batch, &own)?;
                        let changed = late.ok_or(NotAdmitted::Document(NotABucket::Gap));
                        (next, changed.map_err(NotEdited::from)?)
                    }
                    admitted => admitted.map_err(NotEdited::from)?,
                };
                if next.heads() == before {
                    return Ok(None);
                }
                Ok(Some(write(&inner, tx, next, &before, at, changed, visit.now)?))
            })?;
        self.inner.documents.keep(written);
        Ok(Hash::of(bytes))
    }

    fn verified(
        &self,
        bytes: &[u8],
        chain: &[Vec<u8>],
        now: UnixMs,
    ) -> Result<SignedBatch, NotEdited> {
        let malformed = |_| NotEdited::Batch(NotAdmitted::Unreadable);
        let batch = Batch::parse(bytes).map_err(malformed)?;
        let own: Vec<Vec<u8>> = batch.certificates().map(<[u8]>::to_vec).collect();
        let chain = if chain.is_empty() { own.as_slice() } else { chain };
        let holder = self.trust()?.check(chain, self.known_now(now)?);
        let holder = holder.map_err(|_| NotEdited::Forbidden)?;
        if !matches!(holder.standing(), Standing::Staff { shop, .. } if *shop == self.id()) {
            return Err(NotEdited::Forbidden);
        }
        // By what this certificate says, which the shop's own list may narrow since.
        let who = self.reader().read(|c| self.inner.principal_of(c, &holder))?;
        let who = who.ok_or(NotEdited::Forbidden)?;
        if !policies().is_some_and(|policies| {
            policies.is_allowed(&who, Action::EditCatalogue, &Resource::Shop(self.id()))
        }) {
            return Err(NotEdited::Forbidden);
        }
        Ok(batch.verify(holder.key())?)
    }
}

/// The program's own policies, parsed once; without them nobody may do anything.
fn policies() -> Option<Arc<Policies>> {
    static POLICIES: OnceLock<Option<Arc<Policies>>> = OnceLock::new();
    POLICIES.get_or_init(|| Policies::load().ok().map(Arc::new)).clone()
}

/// What a device is told whose batch was not admitted.
pub fn refused(error: &NotEdited) -> Refused {
    let code = match error {
        NotEdited::Forbidden => Code::NotCertified,
        NotEdited::ReadOnly(_) => Code::ReadOnly,
        NotEdited::NotStored(NotStored::Crowded | NotStored::Unknown) => Code::Busy,
        NotEdited::NotStored(_) | NotEdited::Store(_) => Code::Unavailable,
        _ => Code::Malformed,
    };
    match error {
        // What went wrong inside is for the shop's own log, not for peers.
        NotEdited::Store(_) => Refused::new(code, "the shop cannot answer now"),
        other => Refused::new(code, other.to_string()),
    }
}
