//! Says where an order is, in the words that a person reads.

use kirana_core::{
    id::{OrderId, ShopId},
    money::Money,
    order::{
        Order,
        chain::{Chain, EntryShown},
        totals::Totals,
        wish::RefusalCode,
    },
    time::UnixMs,
};
use serde::Serialize;

use super::{Household, HouseholdError, chain};
use crate::store::{
    journal::{self, JournalLine, Route},
    orders, shops,
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
    /// The stage that its entries say.
    pub stage: &'static str,
    /// What it costs as things stand.
    pub total: Option<Money>,
    /// What follows from its entries.
    pub order: Order,
    /// Its entries.
    pub entries: Vec<EntryShown>,
    /// What the person was shown when.
    pub journal: Option<JournalLine>,
}

impl Household {
    /// One order as it stands.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when stored data cannot be read.
    pub fn order_status(&self, id: OrderId) -> Result<OrderStatus, HouseholdError> {
        let own = self.own();
        self.db.reader.read(|reader| {
            let row = orders::get(reader, id)?.ok_or(HouseholdError::UnknownOrder)?;
            let chain = chain::load(reader, id, &own)?.ok_or(HouseholdError::UnknownOrder)?;
            let line = journal::get(reader, id)?;
            let refusals = orders::refusals(reader, id)?;
            let whereabouts = whereabouts(&chain, line.as_ref(), row.open, refusals.last());
            let shop = shops::get(reader, row.shop)?;
            Ok(OrderStatus {
                id,
                shop: row.shop,
                shop_name: shop.map(|shop| shop.name).unwrap_or_default(),
                placed_at: row.placed_at,
                whereabouts,
                says: whereabouts.sentence(),
                stage: chain.order().stage.label(),
                total: Totals::of(chain.order()).ok().map(|totals| totals.sum),
                order: chain.order().clone(),
                entries: chain
                    .entries()
                    .iter()
                    .map(kirana_core::order::chain::Entry::shown)
                    .collect(),
                journal: line,
            })
        })
    }

    /// The chain of an order, as it stands.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownOrder`], or when stored data cannot be read.
    pub fn order_chain(&self, id: OrderId) -> Result<Chain, HouseholdError> {
        let own = self.own();
        self.db
            .reader
            .read(|reader| chain::load(reader, id, &own)?.ok_or(HouseholdError::UnknownOrder))
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

fn whereabouts(
    chain: &Chain,
    line: Option<&JournalLine>,
    open: bool,
    refusal: Option<&u16>,
) -> Whereabouts {
    let undecided = chain.order().stage.is_undecided();
    match (chain.intake(), refusal) {
        (Some(_), _) if undecided => Whereabouts::ReachedTheShop,
        (Some(_), _) => Whereabouts::Decided,
        (None, Some(code)) if !open => Whereabouts::Refused { code: *code },
        (None, _) => match line.and_then(|line| line.first_route) {
            Some(via) => Whereabouts::OnItsWay { via },
            None => Whereabouts::SavedHere,
        },
    }
}
