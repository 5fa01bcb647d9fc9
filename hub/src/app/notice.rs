//! Letters about orders, for those who want them: news of an order where the hub keeps the device, else only
//! that something waits for a device that did not fetch it.
//!
//! **Invariant (P4):** of an order whose device is the person's own a hub cannot know more than that mail
//! lies here, and says no more. No letter names goods, prices or an address.

use std::collections::BTreeMap;

use kirana_core::{
    id::{AccountId, OrderId},
    order::{
        Order,
        axes::{Fulfilment, Stage},
    },
    spoken::ShortNumber,
    time::UnixMs,
};
use kirana_customer::app::Household;

use super::{
    Error, Hub,
    hosted::on_disk,
    letter::Content,
    policy::{Action, Actor},
};
use crate::clock::Rng;

/// How long mail may lie before its person is written to, in milliseconds.
const RESTS_MS: u64 = 10 * 60_000;
/// How often a person is written to about mail that waits, in milliseconds.
const AGAIN_MS: u64 = 6 * 60 * 60_000;

/// What a person may want to hear of an order, the most pressing of what is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The shop has not decided.
    Undecided,
    /// The shop takes it.
    Accepted,
    /// The shop asks what to do.
    Asks,
    /// It can be collected.
    Ready,
    /// It is on its way.
    Underway,
    /// Nobody was met.
    NotMet,
    /// The goods are handed over.
    HandedOver,
    /// The shop does not take it.
    Declined,
    /// It was called off.
    Cancelled,
    /// The person took it back, or nobody answered in time.
    Over,
}

impl News {
    /// What is new of an order.
    pub fn of(order: &Order) -> Self {
        match order.stage {
            Stage::Placed | Stage::Received { .. } => Self::Undecided,
            Stage::Declined { .. } => Self::Declined,
            Stage::Withdrawn { .. } | Stage::Expired { .. } => Self::Over,
            Stage::Cancelled { .. } => Self::Cancelled,
            Stage::Completed { .. } => {
                // What all came back to the shop is completed too.
                let is_there = order.groups.iter().any(|group| group.stage.is_handed_over());
                if is_there { Self::HandedOver } else { Self::Over }
            }
            Stage::Accepted { .. } => {
                let stages = || order.groups.iter().map(|group| group.stage);
                let pressing = [
                    ("awaiting_answer", Self::Asks),
                    ("delivery_failed", Self::NotMet),
                    ("ready_for_pickup", Self::Ready),
                    ("out_for_delivery", Self::Underway),
                ];
                let is = |label: &str| stages().any(|stage| stage.label() == label);
                let all_there = stages().count() > 0 && stages().all(Fulfilment::is_handed_over);
                let rest = if all_there { Self::HandedOver } else { Self::Accepted };
                let found = pressing.into_iter().find(|(label, _)| is(label));
                found.map_or(rest, |(_, news)| news)
            }
        }
    }

    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Accepted => "accepted",
            Self::Asks => "asks",
            Self::Ready => "ready",
            Self::Underway => "underway",
            Self::NotMet => "not_met",
            Self::HandedOver => "handed_over",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Over => "over",
        }
    }

    /// Whether the person is written to, after they were told something else: what they did themselves they
    /// know, and that the shop goes on after it asked, or tried in vain, is no news.
    fn is_told(self, before: Option<&str>) -> bool {
        match self {
            Self::Undecided | Self::Over => false,
            Self::Accepted => before.is_none_or(|before| before == Self::Undecided.label()),
            _ => true,
        }
    }

    /// A sentence, in English or Hindi.
    pub const fn sentence(self, hindi: bool) -> &'static str {
        match (self, hindi) {
            (Self::Undecided, false) => "The shop has not decided yet.",
            (Self::Undecided, true) => "दुकान ने अभी तय नहीं किया है।",
            (Self::Accepted, false) => "The shop takes your order.",
            (Self::Accepted, true) => "दुकान ने आपका ऑर्डर ले लिया है।",
            (Self::Asks, false) => {
                "The shop asks what to do: answer soon, or it goes by what you \
                                    allowed when you ordered."
            }
            (Self::Asks, true) => {
                "दुकान आपसे कुछ पूछ रही है: जल्दी जवाब दें, नहीं तो वह आपकी पहले दी हुई अनुमति से चलेगी।"
            }
            (Self::Ready, false) => "Your order is ready: come and collect it.",
            (Self::Ready, true) => "आपका ऑर्डर तैयार है: आकर ले जाएँ।",
            (Self::Underway, false) => "Your order is on its way to you.",
            (Self::Underway, true) => "आपका ऑर्डर रास्ते में है।",
            (Self::NotMet, false) => "Nobody was met when your order was brought.",
            (Self::NotMet, true) => "ऑर्डर पहुँचाते समय कोई नहीं मिला।",
            (Self::HandedOver, false) => "Your order was handed over.",
            (Self::HandedOver, true) => "आपका ऑर्डर सौंप दिया गया है।",
            (Self::Declined, false) => {
                "The shop does not take your order. Look why, and where else \
                                        it can be had."
            }
            (Self::Declined, true) => "दुकान आपका ऑर्डर नहीं ले रही है। कारण देखें, और कहीं और मँगाएँ।",
            (Self::Cancelled, false) => "Your order was called off.",
            (Self::Cancelled, true) => "आपका ऑर्डर रद्द हो गया है।",
            (Self::Over, false) => "Nothing more becomes of your order.",
            (Self::Over, true) => "आपके ऑर्डर में अब कुछ नहीं होगा।",
        }
    }
}

impl Hub {
    /// Whether the account of whoever asks gets letters about orders.
    ///
    /// # Errors
    /// [`Error`] when it cannot be read.
    pub async fn gets_notices(&self, actor: &Actor, now: UnixMs) -> Result<bool, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        Ok(self.store().notice(actor.account).await?.is_some())
    }

    /// Turns letters about orders on or off.
    ///
    /// # Errors
    /// [`Error::Conflict`] where no address was confirmed to which they could go.
    pub async fn set_notices(
        &self,
        actor: &Actor,
        on: bool,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        if !on {
            return Ok(self.store().set_notice(actor.account, None, now).await?);
        }
        let account = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        let personal = self.person(&account)?.open(&account.personal)?;
        if !personal.email_verified || personal.address().is_none() {
            let why = "confirm your email address first: see /v1/me/email/confirmation";
            return Err(Error::Conflict { why });
        }
        // What happened before is no news.
        let known = match self.store().hosted_keys(actor.account).await? {
            None => BTreeMap::new(),
            Some(_) => {
                let home = self.home(actor.account, now, rng).await?;
                on_disk(|| news(&home))?.into_iter().map(|(id, news)| (id, news.label())).collect()
            }
        };
        Ok(self.store().set_notice(actor.account, Some(known), now).await?)
    }

    /// Writes to the person of a hosted account what is new of their orders.
    pub(super) async fn tell_news(
        &self,
        account: AccountId,
        home: &Household,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        if self.store().notice(account).await?.is_none() {
            return Ok(());
        }
        let told = self.store().orders_told(account).await?;
        for (id, news) in on_disk(|| news(home))? {
            if told.get(&id).map(String::as_str) == Some(news.label()) {
                continue;
            }
            let before = told.get(&id).map(String::as_str);
            let letter = match news.is_told(before) {
                true => {
                    let status = on_disk(|| home.order_status(id, now))?;
                    let number = ShortNumber::of(status.shop, id).to_string();
                    let shop = status.shop_name;
                    self.notice_letter(
                        account,
                        &Content::News { shop: &shop, number: &number, news },
                        now,
                        rng,
                    )
                    .await?
                }
                false => None,
            };
            self.store().tell_of_order(account, id, news.label(), letter).await?;
            self.call_post();
        }
        Ok(())
    }

    /// Writes to those whose devices have not fetched their mail.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn tell_of_waiting(&self, now: UnixMs, rng: Rng<'_>) -> Result<(), Error> {
        for (account, told) in self.store().noticed(now.minus_ms(AGAIN_MS)).await? {
            // What is wrong with one account is no matter of the others.
            if let Err(error) = self.tell_one_of_waiting(account, told, now, rng).await {
                tracing::warn!(%account, %error, "who has mail waiting could not be written to");
            }
        }
        Ok(())
    }

    async fn tell_one_of_waiting(
        &self,
        account: AccountId,
        told: UnixMs,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(), Error> {
        let devices = self.store().devices(account, now).await?;
        let devices: Vec<_> = devices.iter().map(|device| device.key).collect();
        if self.store().mail_rests(&devices, told, now.minus_ms(RESTS_MS)).await? {
            let letter = self.notice_letter(account, &Content::Waiting, now, rng).await?;
            self.store().tell_of_mail(account, letter, now).await?;
            self.call_post();
        }
        Ok(())
    }

    async fn notice_letter(
        &self,
        account: AccountId,
        content: &Content<'_>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Option<crate::store::letter::Letter>, Error> {
        let Some(stored) = self.store().account(account).await? else { return Ok(None) };
        let personal = self.person(&stored)?.open(&stored.personal)?;
        let to = personal.address().filter(|_| personal.email_verified);
        self.letter(&stored, to, *content, now, rng)
    }
}

/// What is new of each order of a household.
fn news(home: &Household) -> Result<BTreeMap<OrderId, News>, kirana_customer::app::HouseholdError> {
    let ids = home.order_ids()?.into_iter();
    // One that is damaged says nothing until its shop has sent it again.
    let sound = ids.filter_map(|id| Some((id, home.order_chain(id).ok()?)));
    Ok(sound.map(|(id, chain)| (id, News::of(chain.order()))).collect())
}
