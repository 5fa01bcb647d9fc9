//! What somebody scans at the counter: a barcode on a pack, or what a scale printed.
//!
//! **Invariant (P2):** a label that says a price costs that price; the weight worked out of it leaves
//! the stock, and what was paid stands beside it in the ledger, so that no sum is made up later.
//!
//! A code is a pack's own barcode before it is a scale's. The article of a scale's code is the one
//! whose barcode is the code with zeros in place of the weight or price, as tills have kept such
//! articles since there are these codes; else the one whose SKU is the digits of the article as they
//! are printed, or without the zeros before them.

use kirana_core::{
    catalogue::pricing::best,
    gtin::Gtin,
    id::VariantId,
    money::Money,
    quantity::{Quantity, Unit},
    scale::{Label, Layout, Layouts, Measured, NotALabel, amount_for},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};

use super::{
    Shop,
    counter::{NotEntered, SaleLine},
    desk::Desk,
};
use crate::store::{
    catalogue as shelves,
    offers::{self, Shelf},
    settings::{self, Setting},
};

/// One line of a sale as it was rung up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rung {
    /// Somebody chose it.
    Chosen(SaleLine),
    /// Somebody scanned it.
    Scanned {
        /// The code, as the scanner gave it.
        code: String,
        /// How much, where somebody says it: else one piece, or what the label says.
        quantity: Option<Quantity>,
        /// Of this batch, whatever its date.
        batch: Option<u64>,
    },
}

/// A line of which is known what is sold.
pub(crate) struct Line {
    pub(crate) sale: SaleLine,
    /// What its label says it costs.
    pub(crate) label: Option<Money>,
    pub(crate) warnings: Vec<Warned>,
}

/// Something about a label that a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Warned {
    /// A deal holds, and what the scale printed is charged all the same.
    #[n(0)]
    DealNotTaken,
    /// The price is younger than a day: an older label's weight was worked out wrongly.
    #[n(1)]
    PricedLately {
        /// Since when it holds.
        #[n(0)]
        since: UnixMs,
    },
    /// So much costs another sum now; what the label says is charged.
    #[n(2)]
    PriceChanged {
        /// What it would cost now, in minor units.
        #[n(0)]
        now: i64,
    },
}

impl Warned {
    /// A stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DealNotTaken => "deal-not-taken",
            Self::PricedLately { .. } => "priced-lately",
            Self::PriceChanged { .. } => "price-changed",
        }
    }
}

impl std::fmt::Display for Warned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DealNotTaken => "a deal holds for this, and the label's price is charged",
            Self::PricedLately { .. } => {
                "the price was set within a day: where the label is older, weigh it again"
            }
            Self::PriceChanged { .. } => {
                "so much costs another sum now, and the label's price is charged"
            }
        })
    }
}

/// Why a scan is no line of a sale; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotScanned {
    /// It cannot be read.
    #[error(transparent)]
    Label(#[from] NotALabel),
    /// Nothing has this barcode.
    #[error("the shop has nothing with the code {0}")]
    NoArticle(String),
    /// It is not clear which.
    #[error("several articles have the number {0}: mend the catalogue, or choose one by its id")]
    Several(String),
    /// Weighed goods with a code that says no weight.
    #[error("{0} is sold by weight or volume: say how much")]
    HowMuch(VariantId),
    /// Its label says a weight.
    #[error("{variant} is sold by {sold_by}, and the label says a weight")]
    NotByWeight {
        /// What.
        variant: VariantId,
        /// The unit that it is sold in.
        sold_by: Unit,
    },
    /// The label says how much it is.
    #[error("the label says how much it weighs: leave the quantity out")]
    QuantityTwice,
    /// No quantity of it costs that.
    #[error("no whole number of {variant} costs {sum}: its price is another one now")]
    PriceOfNone {
        /// What.
        variant: VariantId,
        /// What the label says.
        sum: Money,
    },
}

impl From<NotScanned> for Abort<NotEntered> {
    fn from(why: NotScanned) -> Self {
        Self::Refused(why.into())
    }
}

impl Shop {
    /// How the codes of the shop's scales are to be read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn scale_layouts(&self) -> Result<Layouts, StoreError> {
        self.reader().read(layouts)
    }

    /// Says how the codes of the shop's scales are to be read, in place of what was said before.
    ///
    /// # Errors
    /// [`NotEntered::Layout`], or when that cannot be stored.
    pub fn set_scale_layouts(&self, given: Vec<Layout>) -> Result<(), NotEntered> {
        let layouts = Layouts::new(given)?;
        let set = self.writer().write(move |tx| -> Result<(), Abort<NotEntered>> {
            if let Some(why) = settings::get(tx, Setting::ReadOnly)? {
                return Err(Abort::Refused(NotEntered::ReadOnly(why)));
            }
            Ok(settings::put(tx, Setting::ScaleLayouts, &layouts)?)
        });
        Ok(set?)
    }

    /// Which variant a scale's code is of; `None` where it is no label of this shop's scales, or of
    /// nothing that the shop sells.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn of_a_scale(&self, scanned: &str) -> Result<Option<VariantId>, StoreError> {
        self.reader().read(|c| {
            let Ok(label) = layouts(c)?.read(scanned) else { return Ok(None) };
            Ok(article(c, self.inner.identity.shop, &label)?.ok())
        })
    }
}

fn layouts(c: &Connection) -> Result<Layouts, StoreError> {
    Ok(settings::get(c, Setting::ScaleLayouts)?.unwrap_or_default())
}

/// Which variant is meant, if exactly one is.
fn article(
    c: &Connection,
    shop: kirana_core::id::ShopId,
    label: &Label,
) -> Result<Result<VariantId, NotScanned>, StoreError> {
    let printed = label.item();
    let bare = printed.trim_start_matches('0');
    let mut found = shelves::variants_by_gtin(c, shop, label.gtin())?;
    for sku in [printed, bare] {
        if found.is_empty() && !sku.is_empty() {
            found = shelves::variants_by_sku(c, shop, sku)?;
        }
    }
    Ok(only(found, printed))
}

fn only(found: Vec<VariantId>, what: &str) -> Result<VariantId, NotScanned> {
    match found.as_slice() {
        [] => Err(NotScanned::NoArticle(what.to_owned())),
        [one] => Ok(*one),
        _ => Err(NotScanned::Several(what.to_owned())),
    }
}

impl Desk<'_, '_> {
    /// What is sold by a line.
    pub(crate) fn line(&self, rung: &Rung) -> Result<Line, Abort<NotEntered>> {
        let (code, quantity, batch) = match rung {
            Rung::Chosen(sale) => {
                return Ok(Line { sale: *sale, label: None, warnings: Vec::new() });
            }
            Rung::Scanned { code, quantity, batch } => (code, *quantity, *batch),
        };
        let shop = self.shop.identity.shop;
        if let Ok(gtin) = code.parse::<Gtin>() {
            let found = shelves::variants_by_gtin(self.tx, shop, gtin)?;
            if !found.is_empty() {
                return self.pack(only(found, code)?, quantity, batch);
            }
        }
        let label = match layouts(self.tx)?.read(code) {
            Ok(label) => label,
            Err(NotALabel::Other) => return Err(NotScanned::NoArticle(code.clone()).into()),
            Err(why) => return Err(NotScanned::from(why).into()),
        };
        let variant = article(self.tx, shop, &label)??;
        self.weighed(variant, &label, quantity, batch)
    }

    /// A pack with its own barcode.
    fn pack(
        &self,
        variant: VariantId,
        quantity: Option<Quantity>,
        batch: Option<u64>,
    ) -> Result<Line, Abort<NotEntered>> {
        let sold_by = self.on_the_shelf(variant)?.unit;
        let (amount, unit) = match quantity {
            Some(quantity) => (quantity.amount(), quantity.unit()),
            None if sold_by == Unit::Piece => (1, Unit::Piece),
            None => return Err(NotScanned::HowMuch(variant).into()),
        };
        let sale = SaleLine { variant, amount, unit, batch };
        Ok(Line { sale, label: None, warnings: Vec::new() })
    }

    /// What a scale has labelled.
    fn weighed(
        &self,
        variant: VariantId,
        label: &Label,
        quantity: Option<Quantity>,
        batch: Option<u64>,
    ) -> Result<Line, Abort<NotEntered>> {
        let shelf = self.on_the_shelf(variant)?;
        let unit = shelf.unit;
        let minor = match label.measured() {
            Measured::Grams(_) if quantity.is_some() => {
                return Err(NotScanned::QuantityTwice.into());
            }
            Measured::Grams(amount) if unit == Unit::Gram => {
                let sale = SaleLine { variant, amount, unit, batch };
                return Ok(Line { sale, label: None, warnings: Vec::new() });
            }
            Measured::Grams(_) => {
                return Err(NotScanned::NotByWeight { variant, sold_by: unit }.into());
            }
            Measured::Minor(minor) => minor,
        };
        let sum = Money::new(minor, self.shop.identity.currency);
        let (amount, unit, warnings) = match quantity {
            Some(q) => (q.amount(), q.unit(), self.weighed_again(&shelf, q, sum)?),
            None => (self.amount_of(&shelf, sum)?, unit, self.doubts(&shelf)?),
        };
        let sale = SaleLine { variant, amount, unit, batch };
        Ok(Line { sale, label: Some(sum), warnings })
    }

    fn on_the_shelf(&self, variant: VariantId) -> Result<Shelf, Abort<NotEntered>> {
        let shelf = offers::get(self.tx, variant)?;
        shelf.ok_or(Abort::Refused(NotEntered::NotSold(variant)))
    }

    /// How much costs what the label says, by the price without any deal: a scale knows no deals.
    fn amount_of(&self, shelf: &Shelf, sum: Money) -> Result<u64, Abort<NotEntered>> {
        let price = shelf.schedule.price_at(shelf.price, self.now.at);
        let amount = amount_for(sum, price);
        // Half a piece is sold to nobody.
        let is_whole = |amount: &u64| {
            shelf.unit != Unit::Piece || price.of(*amount).is_ok_and(|costs| costs == sum)
        };
        let none = NotScanned::PriceOfNone { variant: shelf.variant, sum };
        amount.filter(is_whole).ok_or_else(|| none.into())
    }

    /// What may be wrong with an amount that was worked out of a price.
    fn doubts(&self, shelf: &Shelf) -> Result<Vec<Warned>, StoreError> {
        let now = self.now.at;
        let mut warnings = Vec::new();
        if !shelf.schedule.deals_at(shelf.unit, now).is_empty() {
            warnings.push(Warned::DealNotTaken);
        }
        let set = shelves::priced_at(self.tx, self.shop.identity.shop, shelf)?;
        let planned = shelf.schedule.planned.iter();
        let planned = planned.flat_map(|(from, terms)| [Some(*from), terms.until]).flatten();
        let since = planned.chain(set).filter(|at| *at <= now).max();
        if let Some(since) = since.filter(|since| now.since(*since) < DAY_MS) {
            warnings.push(Warned::PricedLately { since });
        }
        Ok(warnings)
    }

    /// Whether so much still costs what the label says.
    fn weighed_again(
        &self,
        shelf: &Shelf,
        quantity: Quantity,
        sum: Money,
    ) -> Result<Vec<Warned>, Abort<NotEntered>> {
        let price = shelf.schedule.price_at(shelf.price, self.now.at);
        let deals = shelf.schedule.deals_at(shelf.unit, self.now.at);
        let amount = quantity.amount();
        let costs = best(price, deals, amount).of(amount);
        let costs = costs.map_err(|why| Abort::Refused(NotEntered::Money(why)))?;
        let changed = Warned::PriceChanged { now: costs.minor };
        Ok((costs != sum).then_some(changed).into_iter().collect())
    }
}
