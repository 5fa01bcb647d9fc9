//! Credit books of hosted accounts: as the shops' boxes signed them, kept by the household's own code, and
//! what the person says about them.
//!
//! **Invariant:** a book is shown to the account that holds it and to nobody else, and only as far as
//! its signatures and sums hold.

use kirana_core::{id::KhataId, time::UnixMs};
use kirana_customer::app::{Household, HouseholdError, khata::KhataStatus};

use super::on_disk;
use crate::{
    app::{Error, Hub, policy::Actor},
    clock::Rng,
    store::idempotency::Once,
};

/// After so long a shop is asked how far its copy of a book goes when somebody reads it.
const HEARD_AGAIN_MS: u64 = 60 * 60 * 1000;

/// What somebody says about a book.
#[derive(Debug, Clone)]
pub enum Saying {
    /// It is right up to its end.
    Countersign,
    /// It is not right: an entry by its place, or the newest; and in words.
    Dispute(Option<u32>, String),
}

impl Hub {
    /// The account's own books; the shops' answers are taken in first.
    ///
    /// # Errors
    /// [`Error::Declined`] where the account is not hosted.
    pub async fn own_khatas(
        &self,
        actor: &Actor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Vec<KhataStatus>, Error> {
        let home = self.home_of(actor, now, rng).await?;
        self.fetch(actor.account, &home, now, rng).await?;
        let books = on_disk(|| home.khatas())?;
        let is_old = |book: &&KhataStatus| now.since(book.heard_at) >= HEARD_AGAIN_MS;
        for book in books.iter().filter(is_old) {
            // A shop that was restored since learns only so of what it has lost.
            if let Some(mail) = on_disk(|| home.heads_mail(book.shop, now, rng))? {
                self.put_for(actor.account, &home, mail, now).await;
            }
        }
        Ok(books)
    }

    /// One of the account's own books.
    ///
    /// # Errors
    /// [`Error::NotFound`]; also for one of somebody else.
    pub async fn own_khata(
        &self,
        actor: &Actor,
        id: KhataId,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<KhataStatus, Error> {
        let books = self.own_khatas(actor, now, rng).await?;
        books.into_iter().find(|book| book.id == id).ok_or(Error::NotFound { what: "khata" })
    }

    /// Says something about one of the own books, once for each key, and shows it as it stands.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Declined`] where there is nothing to say.
    pub async fn say_about_khata(
        &self,
        actor: &Actor,
        id: KhataId,
        (saying, once): (Saying, Option<Once>),
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<KhataStatus, Error> {
        let home = self.home_of(actor, now, rng).await?;
        self.fetch(actor.account, &home, now, rng).await?;
        seen(&home, id)?;
        if let Some(once) = &once
            && self.store().noted(once).await??.is_some()
        {
            return seen(&home, id);
        }
        self.store().hosted_waits(actor.account, true).await?;
        match saying {
            Saying::Countersign => on_disk(|| home.countersign(id, now, rng))?,
            Saying::Dispute(entry, words) => {
                on_disk(|| home.dispute(id, (entry, &words), now, rng))?
            }
        };
        // Noted after it was said: said twice it is refused by the shop, not said at all it is lost.
        if let Some(once) = once {
            self.store().note_once(once, id.as_bytes().to_vec(), now).await?;
        }
        // A round that saw nothing open may have noted that since.
        self.store().hosted_waits(actor.account, true).await?;
        // It is stored, whatever becomes of the first try to send it.
        if let Err(error) = self.post(actor.account, &home, now, rng).await {
            tracing::warn!(%error, "a word of a hosted device is sent in the next round");
        }
        seen(&home, id)
    }
}

fn seen(home: &Household, id: KhataId) -> Result<KhataStatus, Error> {
    let books: Result<_, HouseholdError> = on_disk(|| home.khatas());
    let found = books?.into_iter().find(|book| book.id == id);
    found.ok_or(Error::NotFound { what: "khata" })
}
