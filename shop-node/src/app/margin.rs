//! What the shop earns with what it sells: what sales brought in and kept, less what those goods had cost.
//!
//! Tax is left out on both sides. Money is in minor units of the shop's currency.

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    id::VariantId,
    money::{Money, Price},
    quantity::Unit,
    stock::{Change, Movement, batch::Earned, margin::Out},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{Shop, counter::NotEntered, desk::Desk};
pub use crate::store::margin::Sum;
use crate::store::{batches, margin, stock};

/// What was earned from one day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earnings {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub until: Day,
    /// By variant.
    pub rows: Vec<Sum>,
}

/// What was sold from one day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoldOf {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub until: Day,
    /// By variant, what brought in most first.
    pub rows: Vec<ProductSold>,
}

/// What was sold of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductSold {
    /// Which.
    pub variant: VariantId,
    /// What it is called, size and all; empty where the catalogue no longer has it.
    pub name: String,
    /// In what it is counted.
    pub unit: Option<Unit>,
    /// How much was sold, in base units.
    pub amount: u64,
    /// How much of that came back.
    pub returned: u64,
    /// What it brought in and kept, tax left out.
    pub sales: Money,
}

/// How many days a report goes back where nobody says it.
pub const USUAL_DAYS: u32 = 30;

impl Shop {
    /// What was earned from the beginning of one day to the end of another; of the last
    /// [`USUAL_DAYS`] where nothing is said.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn earnings(
        &self,
        from: Option<Day>,
        until: Option<Day>,
        now: UnixMs,
    ) -> Result<Earnings, StoreError> {
        self.reader().read(|c| {
            let until = match until {
                Some(until) => until,
                None => self.inner.today(c, now)?,
            };
            let usual = Day::new(until.get().saturating_sub(USUAL_DAYS - 1));
            let from = from.unwrap_or(usual);
            let (begin, end) = (self.inner.begin_of(from), self.inner.begin_of(until.plus(1)));
            Ok(Earnings { from, until, rows: margin::sums(c, begin, end)? })
        })
    }
}

impl Shop {
    /// What was sold of each product, as [`Shop::earnings`] but without what it had cost.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sold(
        &self,
        from: Option<Day>,
        until: Option<Day>,
        now: UnixMs,
    ) -> Result<SoldOf, StoreError> {
        let Earnings { from, until, rows } = self.earnings(from, until, now)?;
        let currency = self.identity().currency;
        let mut sold = Vec::new();
        for Sum { variant, sold: out, returned, .. } in &rows {
            // What is only thrown away is nothing that was sold.
            if out.amount == 0 && returned.amount == 0 {
                continue;
            }
            let product = self.product_of(*variant)?;
            let kind = product.as_ref().and_then(|product| product.variants.get(variant));
            let label = kind.and_then(|kind| kind.label.as_deref());
            let name = product.as_ref().map(|product| product.name(Language::ENGLISH));
            let name = [name, label].into_iter().flatten().collect::<Vec<_>>().join(", ");
            sold.push(ProductSold {
                variant: *variant,
                name,
                unit: kind.map(|kind| kind.unit),
                amount: out.amount,
                returned: returned.amount,
                sales: Money::new(out.less(returned).net, currency),
            });
        }
        sold.sort_by(|a, b| b.sales.minor.cmp(&a.sales.minor).then(a.variant.cmp(&b.variant)));
        Ok(SoldOf { from, until, rows: sold })
    }
}

impl Desk<'_, '_> {
    /// What is given back for goods of a sale that was rung up: their share of what it came to.
    pub(crate) fn back_from(
        &self,
        sale: u64,
        variant: VariantId,
        amount: u64,
    ) -> Result<(u64, Earned), Abort<NotEntered>> {
        let unknown = || Abort::Refused(NotEntered::NoSale(sale));
        let movement = stock::movement(self.tx, sale)?.ok_or_else(unknown)?;
        let (Change::Sale { amount: sold, .. }, Some(earned)) = (movement.change, movement.earned)
        else {
            return Err(unknown());
        };
        // What was ordered comes back by its order, whose customer hears of it.
        if movement.variant != variant || movement.order.is_some() {
            return Err(unknown());
        }
        let back = margin::returned_of(self.tx, sale)?;
        let left = sold.saturating_sub(back);
        if amount > left {
            return Err(Abort::Refused(NotEntered::MoreThanSold { sale, left }));
        }
        let whole = Price { minor: earned.sum.minor, per: sold, currency: earned.sum.currency };
        // In parts it comes to what it does at once.
        let sum = whole.of(back + amount).and_then(|all| all.checked_sub(whole.of(back)?));
        let sum = sum.map_err(|why| Abort::Refused(NotEntered::Money(why)))?;
        Ok((sale, Earned { sum, ..earned }))
    }

    /// Keeps what a movement brought in and had cost, where it says so.
    pub(crate) fn note_margin(&self, movement: &Movement) -> Result<(), StoreError> {
        match out_of(self.tx, movement)? {
            Some(out) => margin::put(self.tx, movement, &out),
            None => Ok(()),
        }
    }
}

/// What a movement says, with the costs of its batches.
pub(crate) fn out_of(c: &Connection, movement: &Movement) -> Result<Option<Out>, StoreError> {
    let mut costs = std::collections::BTreeMap::new();
    for part in movement.parts() {
        costs.insert(part.batch, batches::cost(c, part.batch)?);
    }
    let sale = movement.of_sale.map(|sale| margin::get(c, sale)).transpose()?.flatten();
    Ok(Out::of(movement, |batch| costs.get(&batch).copied().flatten(), |_| sale))
}
