//! Says where an order is, in the words that a person reads.

use kirana_core::{
    id::{OrderId, ShopId},
    known_time::KnownNow,
    money::Money,
    order::{
        Order,
        axes::Stage,
        chain::{Chain, Entry, EntryShown},
        facts::ToConfirm,
        handing::HandoverCode,
        totals::Totals,
        wish::RefusalCode,
    },
    time::UnixMs,
};
use serde::Serialize;

use super::{
    Household, HouseholdError,
    asking::Message,
    chain::{self, Held},
};
use crate::store::{
    journal::{self, JournalLine, Route},
    orders::{self, StoredOrder},
    shops,
};

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "where", rename_all = "snake_case")]
pub enum Whereabouts {
    /// It is on this device's disk and nowhere else yet.
    SavedHere,
    /// Somebody carries it to the shop.
    OnItsWay {
        /// By which route it first got away.
        via: Route,
    },
    /// The shop has it and has not decided.
    ReachedTheShop,
    /// The shop has decided.
    Decided,
    /// The shop would not look at it, with the number of the reason.
    Refused {
        /// See [`RefusalCode`].
        code: u16,
    },
    /// The time for an answer has passed and nothing was heard. Only the shop says that an order has
    /// expired: it may have got it, and may have decided.
    NobodyAnswered,
    /// What is stored of it is no longer what was signed.
    Damaged {
        /// Whether the shop is known to have it, so that its copy will come back.
        at_the_shop: bool,
    },
}

impl Whereabouts {
    /// A sentence for the screen.
    pub fn sentence(self) -> String {
        match self {
            Self::SavedHere => "saved on this device".to_owned(),
            Self::OnItsWay { via: Route::Direct } => "on its way to the shop".to_owned(),
            Self::OnItsWay { via: Route::Hub } => "on its way (via the internet)".to_owned(),
            Self::OnItsWay { via: Route::Community } => {
                "on its way (via the neighbourhood)".to_owned()
            }
            Self::OnItsWay { via: Route::File } => "on its way (as a file)".to_owned(),
            Self::ReachedTheShop => "reached the shop".to_owned(),
            Self::Decided => "decided".to_owned(),
            Self::Refused { code } => {
                format!("the shop refused it: {}", RefusalCode::from_number(code))
            }
            Self::NobodyAnswered => {
                "nobody answered in time; if the shop got it, it may still be decided: go there, or \
                 place it again"
                    .to_owned()
            }
            Self::Damaged { at_the_shop: true } => {
                "damaged on this device; the shop's copy replaces it at the next contact".to_owned()
            }
            Self::Damaged { at_the_shop: false } => {
                "damaged on this device; if the shop got it, its copy replaces this one at the next \
                 contact, else place it again"
                    .to_owned()
            }
        }
    }
}

/// An order as a person sees it.
#[derive(Debug, Clone, Serialize)]
pub struct OrderStatus {
    /// Its name for life.
    pub id: OrderId,
    /// At which shop.
    pub shop: ShopId,
    /// What the shop calls itself.
    pub shop_name: String,
    /// When it was placed.
    pub placed_at: UnixMs,
    /// Where it is.
    #[serde(flatten)]
    pub whereabouts: Whereabouts,
    /// The sentence for the screen.
    pub says: String,
    /// The stage that its entries say; `damaged` where they cannot all be read.
    pub stage: &'static str,
    /// What it costs as things stand.
    pub total: Option<Money>,
    /// What to tell whoever hands the goods over, once the shop has taken the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// By what a payment by card is confirmed, while the shop waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<ToConfirm>,
    /// What follows from its entries; nothing where not even the first can be read.
    pub order: Option<Order>,
    /// Its entries, as far as they can be read.
    pub entries: Vec<EntryShown>,
    /// What both sides wrote about it.
    pub messages: Vec<Message>,
    /// What the person was shown when.
    pub journal: Option<JournalLine>,
}

impl Household {
    /// One order as it stands, by this device's own clock `now`; a damaged one is shown as that.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when stored data cannot be read.
    pub fn order_status(&self, id: OrderId, now: UnixMs) -> Result<OrderStatus, HouseholdError> {
        let (own, now) = (self.own(), self.known_now(now));
        self.db.reader.read(|reader| {
            let row = orders::get(reader, id)?.ok_or(HouseholdError::UnknownOrder)?;
            let held = chain::look(reader, id, &own)?;
            let line = journal::get(reader, id)?;
            let refusals = orders::refusals(reader, id)?;
            let whereabouts = whereabouts(&row, &held, line.as_ref(), refusals.last(), now);
            let whole = held.sound.as_ref().filter(|_| held.is_whole()).map(Chain::order);
            let entries = held.sound.as_ref().map_or(&[][..], Chain::entries);
            let shop = shops::get(reader, row.shop)?;
            Ok(OrderStatus {
                id,
                shop: row.shop,
                shop_name: shop.map(|shop| shop.name).unwrap_or_default(),
                placed_at: row.placed_at,
                whereabouts,
                says: whereabouts.sentence(),
                stage: whole.map_or("damaged", |order| order.stage.label()),
                total: whole.and_then(|order| Totals::of(order).ok()).map(|totals| totals.sum),
                code: held.sound.as_ref().and_then(code),
                card: whole.and_then(Order::to_confirm),
                messages: self.messages(reader, entries)?,
                entries: entries.iter().map(Entry::shown).collect(),
                order: held.sound.as_ref().map(|chain| chain.order().clone()),
                journal: line,
            })
        })
    }

    /// The chain of an order, as it stands.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], [`HouseholdError::DamagedOrder`], or when the database
    /// cannot be read.
    pub fn order_chain(&self, id: OrderId) -> Result<Chain, HouseholdError> {
        let own = self.own();
        self.db.reader.read(|reader| chain::load(reader, id, &own))
    }

    /// The ids of all orders, newest first.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn order_ids(&self) -> Result<Vec<OrderId>, HouseholdError> {
        self.db
            .reader
            .read(|reader| Ok(orders::all(reader)?.into_iter().map(|order| order.id).collect()))
    }

    /// What the person was shown, order by order.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn journal(&self) -> Result<Vec<JournalLine>, HouseholdError> {
        self.db.reader.read(|reader| Ok(journal::all(reader)?))
    }
}

/// The code of an order of which something is still to be handed over.
fn code(chain: &Chain) -> Option<String> {
    let order = chain.order();
    let waits = order.groups.iter().any(|group| !group.stage.is_final());
    let is_taken = matches!(order.stage, Stage::Accepted { .. });
    (is_taken && waits).then(|| HandoverCode::of(chain).to_string())
}

fn whereabouts(
    row: &StoredOrder,
    held: &Held,
    line: Option<&JournalLine>,
    refusal: Option<&u16>,
    now: KnownNow,
) -> Whereabouts {
    if let (Some(code), false, 0..=1) = (refusal, row.open, held.stored) {
        return Whereabouts::Refused { code: *code };
    }
    let intake_is_noted = line.is_some_and(|line| line.intake_at.is_some());
    let at_the_shop = held.stored > 1 || intake_is_noted;
    let Some(chain) = held.sound.as_ref().filter(|_| held.is_whole()) else {
        return Whereabouts::Damaged { at_the_shop };
    };
    match (chain.intake(), line.and_then(|line| line.first_route)) {
        (Some(_), _) if chain.order().stage.is_undecided() => Whereabouts::ReachedTheShop,
        (Some(_), _) => Whereabouts::Decided,
        (None, _) if chain.order().answer_by.is_some_and(|by| now.is_past(by)) => {
            Whereabouts::NobodyAnswered
        }
        (None, Some(via)) => Whereabouts::OnItsWay { via },
        (None, None) => Whereabouts::SavedHere,
    }
}
