//! Sends and fetches the mail of hosted devices, through this hub's own mailbox.
//!
//! **Invariant (P1):** what was placed waits in the household's outbox until the shop has answered;
//! mail is thrown away only after the household has stored what it says.

use kirana_core::{id::AccountId, mail::Address, time::UnixMs};
use kirana_customer::{
    app::{Household, HouseholdError},
    store::journal::Route,
};
use kirana_sync::wire::Response;

use super::on_disk;
use crate::{
    app::{Error, Hub},
    clock::Rng,
    store::mail::Giver,
};

/// Pieces of mail that are taken in at once.
const AT_ONCE: u16 = 64;

impl Hub {
    /// Puts what a household has to say into the shops' mailboxes.
    pub(super) async fn post(
        &self,
        account: AccountId,
        home: &Household,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let (all, known_now) = (on_disk(|| home.waiting())?, self.known_now(now).await?);
        self.homes().settle(account, &all.iter().map(|waiting| waiting.hash).collect());
        for waiting in all {
            if known_now.is_past(waiting.until) {
                on_disk(|| home.give_up(waiting.hash))?;
                continue;
            }
            let known = on_disk(|| home.known_shop(waiting.shop))?;
            let generation = known.map_or(0, |shop| shop.generation);
            let (is_due, before) = self.homes().due(waiting.hash, generation, now);
            if !is_due {
                continue;
            }
            let mail = match before {
                Some(mail) => Ok(Some(mail)),
                None => on_disk(|| home.mail_for(waiting.hash, rng)),
            };
            let mail = match mail {
                Ok(Some(mail)) => mail,
                Ok(None) => continue,
                // What cannot be sealed must not hold up the rest.
                Err(error) => {
                    tracing::warn!(%account, %error, "a statement of a hosted device waits");
                    continue;
                }
            };
            if self.put_for(account, home, mail.clone(), now).await {
                self.homes().posted(account, waiting.hash, generation, mail, now);
                on_disk(|| home.acknowledged(waiting.hash, Route::Hub, now))?;
            }
        }
        Ok(())
    }

    /// Takes in what shops have answered, and gives back what they ask for.
    pub(super) async fn fetch(
        &self,
        account: AccountId,
        home: &Household,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let (address, known_now) = (home.address(), self.known_now(now).await?);
        let mails = self.store().mail(&address, 0, AT_ONCE, known_now).await?;
        let (mut done, mut wanted) = (Vec::new(), Vec::new());
        for (_, mail) in mails {
            match on_disk(|| home.receive(&mail, now)) {
                Ok(received) => wanted.extend(received.wanted),
                Err(error) if error.is_of_the_disk() => return Err(error.into()),
                // What can never be read would come again for ever.
                Err(error) => tracing::warn!(%error, "mail for a hosted device was thrown away"),
            }
            done.push(mail.id());
        }
        if !done.is_empty() {
            let Address::Device(_) = address else { return Ok(()) };
            self.store().delete_mail(vec![address], done).await?;
        }
        for order in wanted {
            if let Some(mail) = on_disk(|| home.chain_mail(order, now, rng))? {
                self.put_for(account, home, mail, now).await;
            }
        }
        Ok(())
    }

    /// Whether a piece is in the mailbox now; else it is tried again later.
    pub(super) async fn put_for(
        &self,
        account: AccountId,
        home: &Household,
        mail: kirana_core::mail::Mail,
        now: UnixMs,
    ) -> bool {
        match self.keep(mail, Giver::Peer(home.keys().id()), now).await {
            Ok(Response::Stored { .. }) => true,
            Ok(_) => false,
            // It is in the outbox still, and is tried again.
            Err(_) => {
                tracing::warn!(%account, "mail of a hosted device waits");
                false
            }
        }
    }

    /// One round for all hosted devices that have something under way.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn serve_hosted(&self, greets: bool, now: UnixMs, rng: Rng<'_>) -> Result<(), Error> {
        for account in self.store().hosted_busy().await? {
            let served = match self.home(account, now, rng).await {
                Ok(home) => self.serve_one(account, &home, greets, now, rng).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::warn!(%account, %error, "the errands of a hosted device wait");
            }
        }
        Ok(())
    }

    async fn serve_one(
        &self,
        account: AccountId,
        home: &Household,
        greets: bool,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.post(account, home, now, rng).await?;
        self.fetch(account, home, now, rng).await?;
        // Letters must not stand in the way of the orders that they are about.
        if let Err(error) = self.tell_news(account, home, now, rng).await {
            tracing::warn!(%account, %error, "the news of a hosted account could not be written");
        }
        for shop in on_disk(|| home.known_shops())?.into_iter().filter(|_| greets) {
            if let Some(mail) = on_disk(|| home.heads_mail(shop.id, now, rng))? {
                self.put_for(account, home, mail, now).await;
            }
        }
        if on_disk(|| is_idle(home))? {
            self.store().hosted_waits(account, false).await?;
            // Something may have been placed between the two: then it is not forgotten.
            if !on_disk(|| is_idle(home))? {
                self.store().hosted_waits(account, true).await?;
            }
        }
        Ok(())
    }
}

/// Whether nothing is to be sent and no order is open.
fn is_idle(home: &Household) -> Result<bool, HouseholdError> {
    let open = home.order_ids()?.into_iter().map(|id| home.order_chain(id));
    let mut open = open.filter_map(Result::ok);
    Ok(home.waiting()?.is_empty() && !open.any(|chain| chain.order().is_open()))
}
