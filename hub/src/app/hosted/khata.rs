//! Credit books of hosted accounts: as the shops' boxes signed them, kept by the household's own code, and
//! what the person says about them.
//!
//! **Invariant:** a book is shown to the account that holds it and to nobody else, and only as far as
//! its signatures and sums hold.

use kirana_core::{
    id::{AccountId, KhataId, ShopId},
    time::UnixMs,
};
use kirana_customer::app::{Household, HouseholdError, khata::KhataStatus};

use super::{Homes, on_disk};
use crate::{
    app::{Error, Hub, lock, policy::Actor},
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

impl Homes {
    /// Whether a shop is asked now, which is noted: whoever looks often asks no more often.
    fn asks(&self, account: AccountId, shop: ShopId, now: UnixMs) -> bool {
        let mut asked = lock(&self.asked);
        asked.retain(|_, at| now.since(*at) < HEARD_AGAIN_MS);
        if asked.contains_key(&(account, shop)) {
            return false;
        }
        asked.insert((account, shop), now);
        true
    }
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
            if !self.homes().asks(actor.account, book.shop, now) {
                continue;
            }
            // A shop that was restored since learns only so of what it has lost. Its answer lies in the
            // mailbox, and so is fetched in the next round although nobody looks again.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_often_at_a_book_asks_the_shop_once_an_hour() {
        let (homes, now) = (Homes::default(), UnixMs::new(1_790_000_000_000));
        let (account, shop) = (AccountId::new(now, [1; 10]), ShopId::new(now, [2; 10]));
        assert!(homes.asks(account, shop, now));
        let soon = now.plus_ms(HEARD_AGAIN_MS - 1);
        assert!(!homes.asks(account, shop, soon));
        assert!(homes.asks(account, ShopId::new(now, [3; 10]), soon), "another shop");
        assert!(homes.asks(AccountId::new(now, [4; 10]), shop, soon), "another account");
        assert!(homes.asks(account, shop, now.plus_ms(HEARD_AGAIN_MS)));
    }
}
