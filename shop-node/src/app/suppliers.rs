//! From whom the shop buys: who they are, and how they sell what the shop sells.
//!
//! **Invariant (P4):** how somebody is reached lies sealed; their names are those of firms.

use kirana_core::{
    id::{SupplierId, VariantId},
    money::Price,
    quantity::Quantity,
    stock::batch::Lot,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{
    Inner, Shop,
    counter::NotEntered,
    desk::{Desk, Visit},
    locations::NAME_CHARS_MAX,
};
pub use crate::store::suppliers::Article;
use crate::store::{offers, suppliers};

/// The longest contact, in characters.
pub const CONTACT_CHARS_MAX: usize = 300;
/// The longest that goods may need, in days.
pub const LEAD_DAYS_MAX: u32 = 365;
/// Suppliers that a shop may have.
pub const SUPPLIERS_MAX: usize = 1_000;

/// Somebody from whom the shop buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplier {
    /// Its name for ever.
    pub id: SupplierId,
    /// What people call it.
    pub name: String,
    /// How it is reached, in the shop's own words; may be empty.
    pub contact: String,
    /// How many days goods need after they were ordered, where that is known.
    pub lead_days: Option<u32>,
    /// Since when the shop no longer buys there, if so.
    pub retired: Option<UnixMs>,
}

impl Supplier {
    fn opened(inner: &Inner, stored: suppliers::Supplier) -> Result<Self, StoreError> {
        let suppliers::Supplier { id, name, contact, lead_days, retired } = stored;
        let contact = inner.keys.open(&place(id), &contact);
        let contact = contact.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        let contact = contact.ok_or_else(|| StoreError::damaged("the contact of supplier", id))?;
        Ok(Self { id, name, contact, lead_days, retired })
    }

    fn sealed(&self, inner: &Inner, nonce: [u8; 12]) -> suppliers::Supplier {
        let contact = inner.keys.seal(&place(self.id), self.contact.as_bytes(), nonce);
        let Self { id, name, lead_days, retired, .. } = self;
        let (name, lead_days, retired) = (name.clone(), *lead_days, *retired);
        suppliers::Supplier { id: *id, name, contact, lead_days, retired }
    }
}

fn place(id: SupplierId) -> Vec<u8> {
    [b"supplier ", &id.as_bytes()[..]].concat()
}

/// What is to be noted of a supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What people call it.
    pub name: String,
    /// How it is reached; may be empty.
    pub contact: String,
    /// How many days goods need, where that is known.
    pub lead_days: Option<u32>,
}

impl Shop {
    /// A page of the suppliers from whom the shop buys, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn suppliers(
        &self,
        after: Option<SupplierId>,
        limit: u32,
    ) -> Result<Vec<Supplier>, StoreError> {
        self.reader().read(|c| {
            let page = suppliers::page(c, after, limit)?.into_iter();
            page.map(|stored| Supplier::opened(&self.inner, stored)).collect()
        })
    }

    /// A supplier with what it sells; `None` when there is none of that id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn supplier(&self, id: SupplierId) -> Result<Option<(Supplier, Vec<Article>)>, StoreError> {
        self.reader().read(|c| match suppliers::get(c, id)? {
            Some(stored) => {
                let supplier = Supplier::opened(&self.inner, stored)?;
                Ok(Some((supplier, suppliers::articles(c, id)?)))
            }
            None => Ok(None),
        })
    }

    /// The supplier of this name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn supplier_named(&self, name: &str) -> Result<Option<Supplier>, StoreError> {
        self.reader().read(|c| {
            let stored = suppliers::by_name(c, name.trim())?;
            stored.map(|stored| Supplier::opened(&self.inner, stored)).transpose()
        })
    }

    /// Notes a new supplier, or something else about one.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn put_supplier(
        &self,
        id: Option<SupplierId>,
        about: About,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Supplier, NotEntered> {
        let About { name, contact, lead_days } = about;
        let (name, contact) = (name.trim().to_owned(), contact.trim().to_owned());
        let is_plain = |text: &str, max| {
            text.chars().count() <= max && !text.chars().any(|c| c.is_control() && c != '\n')
        };
        if name.is_empty() || !is_plain(&name, NAME_CHARS_MAX) {
            return Err(NotEntered::Name);
        }
        let is_known = lead_days.is_none_or(|days| days <= LEAD_DAYS_MAX);
        if !is_plain(&contact, CONTACT_CHARS_MAX) || !is_known {
            return Err(NotEntered::About);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            desk.may_enter()?;
            let new = SupplierId::new(desk.now.at, desk.draws.bytes());
            let (name, contact) = (name.clone(), contact.clone());
            let id = match id {
                Some(id) => Some(id),
                // One that was given up comes back by its name.
                None => {
                    suppliers::by_name(tx, &name)?.filter(|o| o.retired.is_some()).map(|o| o.id)
                }
            };
            let of = id.unwrap_or(new);
            let supplier = Supplier { id: of, name, contact, lead_days, retired: None };
            desk.put_supplier(supplier, id.is_none())
        });
        Ok(stored?)
    }

    /// The shop no longer buys of a supplier: how they are reached and what they ask for it goes, and
    /// their name stays beside what was bought there.
    ///
    /// # Errors
    /// [`NotEntered`]; [`NotEntered::StillSupplies`] while goods are awaited or a feed is fetched.
    pub fn retire_supplier(
        &self,
        id: SupplierId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            desk.may_enter()?;
            let known = desk.known_supplier(id)?;
            if suppliers::supplies(tx, id)? {
                return Err(Abort::Refused(NotEntered::StillSupplies(known.name)));
            }
            let gone = Supplier { contact: String::new(), ..known };
            let contact = gone.sealed(&inner, desk.draws.bytes()).contact;
            Ok(suppliers::retire(tx, id, &contact, desk.now.at)?)
        });
        Ok(stored?)
    }

    /// Says how a supplier sells a variant; `None`: not any more.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn set_article(
        &self,
        id: SupplierId,
        variant: VariantId,
        article: Option<Article>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let stored = self.writer().write(move |tx| {
            let desk = Desk::open(&inner, tx, &visit)?;
            desk.may_enter()?;
            desk.known_supplier(id)?;
            let Some(article) = &article else {
                suppliers::remove_article(tx, id, variant)?;
                return Ok(());
            };
            if offers::get(tx, variant)?.is_none() {
                return Err(Abort::Refused(NotEntered::NotSold(variant)));
            }
            if !(1..=Quantity::MAX).contains(&article.pack) {
                return Err(Abort::Refused(NotEntered::Pack));
            }
            // A code and a cost are held to the same rules as those of a batch.
            let lot = Lot { code: article.code.clone(), cost: article.cost, ..Lot::default() };
            desk.lot(&lot)?;
            Ok(suppliers::put_article(tx, id, article)?)
        });
        Ok(stored?)
    }
}

impl Desk<'_, '_> {
    fn put_supplier(&mut self, one: Supplier, is_new: bool) -> Result<Supplier, Abort<NotEntered>> {
        match is_new {
            false if suppliers::get(self.tx, one.id)?.is_none() => {
                return Err(Abort::Refused(NotEntered::NoSupplier(one.id)));
            }
            false => {}
            true if suppliers::page(self.tx, None, u32::MAX)?.len() >= SUPPLIERS_MAX => {
                return Err(Abort::Refused(NotEntered::TooMany(SUPPLIERS_MAX)));
            }
            true => {}
        }
        if suppliers::by_name(self.tx, &one.name)?.is_some_and(|other| other.id != one.id) {
            return Err(Abort::Refused(NotEntered::NameTaken(one.name)));
        }
        let stored = one.sealed(self.shop, self.draws.bytes());
        suppliers::put(self.tx, &stored, self.now.at)?;
        Ok(one)
    }

    pub(crate) fn known_supplier(&self, id: SupplierId) -> Result<Supplier, Abort<NotEntered>> {
        let stored = suppliers::get(self.tx, id)?;
        let stored = stored.filter(|stored| stored.retired.is_none());
        let stored = stored.ok_or(Abort::Refused(NotEntered::NoSupplier(id)))?;
        Ok(Supplier::opened(self.shop, stored)?)
    }

    /// What a supplier usually asks for a variant.
    pub(crate) fn usual_cost(
        &self,
        id: SupplierId,
        variant: VariantId,
    ) -> Result<Option<Price>, StoreError> {
        Ok(suppliers::article_of(self.tx, id, variant)?.and_then(|article| article.cost))
    }
}
