//! Makes the mail that carries this device's statements to a shop, sealed anew each time.
//!
//! **Invariant:** a statement goes on waiting until its shop has answered it; an acknowledgement
//! by whoever carries it is only noted.

use kirana_core::{
    certificate::UnverifiedCertificate,
    envelope::{self, Parcel, PersonalPart},
    hash::Hash,
    id::{OrderId, ShopId},
    key::SealingPublic,
    mail::{Address, Mail},
    order::{
        HEADS_MAX,
        wish::{Head, Heads, Wish},
    },
    stamp,
    time::{DAY_MS, UnixMs},
};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;
use rusqlite::Connection;

use super::{Household, HouseholdError, asking::REQUEST_KEPT_MS, chain, person, write};
use crate::store::{
    journal::{self, Route},
    orders, outbox,
    outbox::Waiting,
    shops,
};

impl Household {
    /// All statements that no shop has answered yet, oldest first.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, HouseholdError> {
        self.db.reader.read(|reader| Ok(outbox::all(reader)?))
    }

    /// The mail that carries a waiting statement, sealed to the shop's newest key; `None` when
    /// the shop has answered it meanwhile, or nothing whole is left of it.
    ///
    /// # Errors
    /// When stored data cannot be read or the shop's key is unusable.
    pub fn mail_for(
        &self,
        statement: Hash,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Mail>, HouseholdError> {
        let found = self.db.reader.read(|reader| {
            let Some(mut waiting) = outbox::get(reader, statement)? else { return Ok(None) };
            // An order's first entry is stored twice, so that one of the two may be damaged.
            if Hash::of(&waiting.bytes) != statement {
                let copy = orders::entry_bytes(reader, statement)?;
                let copy = copy.filter(|copy| Hash::of(copy) == statement);
                let Some(copy) = copy else { return Ok(None) };
                waiting.bytes = copy;
            }
            let personal = self.part(reader, waiting.order);
            let words = self.words_for(reader, &waiting.bytes)?;
            let parts: Vec<_> = personal.into_iter().chain(words).collect();
            Ok::<_, HouseholdError>(Some((waiting, parts)))
        })?;
        let Some((waiting, parts)) = found else { return Ok(None) };
        let parcel = Parcel {
            statements: vec![ByteVec::from(waiting.bytes)],
            personal: parts,
            ..Parcel::default()
        };
        self.seal(waiting.shop, parcel, waiting.until, rng).map(Some)
    }

    /// Notes that somebody on this route took the statement into custody.
    ///
    /// # Errors
    /// When it could not be stored.
    pub fn acknowledged(
        &self,
        statement: Hash,
        route: Route,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        write(&self.db, move |tx| {
            if let Some(waiting) = outbox::get(tx, statement)? {
                journal::acknowledged(tx, waiting.order, route, now)?;
            }
            Ok(())
        })
    }

    /// Stops sending a statement whose time has run out; its order is still followed.
    ///
    /// # Errors
    /// When it could not be stored.
    pub fn give_up(&self, statement: Hash) -> Result<(), HouseholdError> {
        write(&self.db, move |tx| Ok(outbox::settle(tx, statement).map(|_| ())?))
    }

    /// The mail that tells a shop how far each open order has come here; `None` when none is open.
    /// Of a damaged order, also of a closed one, it tells how far it still holds: the shop answers
    /// with its own copy.
    ///
    /// # Errors
    /// When stored data cannot be read or the shop's key is unusable.
    pub fn heads_mail(
        &self,
        shop: ShopId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Mail>, HouseholdError> {
        let asked = self.db.reader.read(|reader| {
            let open = orders::open_at(reader, shop)?.into_iter();
            let open = open.filter(|order| order.is_mentioned(reader));
            let damaged = orders::altered_at(reader, shop)?;
            let closed = orders::unconfirmed_at(reader, shop, HEADS_MAX as u32)?;
            let closed = closed.into_iter().map(|order| order.id);
            let closed = closed.filter(|order| !damaged.contains(order));
            let asked = open.map(|order| order.id).chain(damaged.iter().copied()).chain(closed);
            let books = self.khata_heads(reader, shop)?;
            let asked = asked.take(HEADS_MAX.saturating_sub(books.len()));
            Ok::<(Vec<OrderId>, Vec<Head>), HouseholdError>((asked.collect(), books))
        })?;
        let request = self.heads_request(shop, (&asked.0, asked.1), now, rng)?;
        let Some(request) = request else { return Ok(None) };
        let parcel = Parcel { statements: vec![request], ..Parcel::default() };
        self.seal(shop, parcel, now.plus_ms(DAY_MS), rng).map(Some)
    }

    /// The signed request that says how far these orders and khatas have come here; `None` for none.
    fn heads_request(
        &self,
        shop: ShopId,
        (asked, books): (&[OrderId], Vec<Head>),
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<ByteVec>, HouseholdError> {
        let own = self.own();
        let (heads, anchors) = self.db.reader.read(|reader| {
            let mut heads = books;
            for order in asked {
                heads.push(chain::look(reader, *order, &own)?.head());
            }
            let anchors: Vec<Hash> = shops::ledger(reader, shop)?.into_iter().collect();
            Ok::<_, HouseholdError>((heads, anchors))
        })?;
        let Some(first) = heads.first().map(|head| head.order) else { return Ok(None) };
        let known = self.known_shop(shop)?.ok_or(HouseholdError::UnknownShop)?;
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let wish = Wish::Heads(Heads { heads, anchors, generation: known.generation });
        let request = wish.sign(first, shop, now, id, &self.keys.signing);
        Ok(Some(ByteVec::from(request.bytes().to_vec())))
    }

    /// The mail that gives a shop its own entries back, for an order that it no longer holds whole. It says how far the order has come here, so that the shop knows that this is all.
    ///
    /// # Errors
    /// When stored data cannot be read or the shop's key is unusable.
    pub fn chain_mail(
        &self,
        order: OrderId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Mail>, HouseholdError> {
        if let Some(mail) = self.khata_mail(order, now, rng)? {
            return Ok(Some(mail));
        }
        let own = self.own();
        let (sound, personal) = self.db.reader.read(|reader| {
            let sound = chain::look(reader, order, &own)?.sound;
            Ok::<_, HouseholdError>((sound, self.part(reader, order)))
        })?;
        // Of a damaged order goes what still holds: one altered byte and the shop refuses it all.
        let Some(chain) = sound else { return Ok(None) };
        let shop = chain.order().shop;
        let heads = self.heads_request(shop, (&[order], Vec::new()), now, rng)?;
        let entries = chain.entries().iter().map(|entry| entry.signed().bytes().to_vec().into());
        let parcel = Parcel {
            statements: entries.chain(heads).collect(),
            personal: personal.into_iter().collect(),
            ..Parcel::default()
        };
        self.seal(shop, parcel, now.plus_ms(REQUEST_KEPT_MS), rng).map(Some)
    }

    /// [`Household::chain_mail`] for a khata; `None` where the name is no khata's.
    fn khata_mail(
        &self,
        order: OrderId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Mail>, HouseholdError> {
        let found = self.db.reader.read(|reader| {
            let Some((shop, entries)) = self.khata_to_give_back(reader, order)? else {
                return Ok(None);
            };
            Ok::<_, HouseholdError>(Some((shop, entries, self.khata_heads(reader, shop)?)))
        })?;
        let Some((shop, mut statements, heads)) = found else { return Ok(None) };
        statements.extend(self.heads_request(shop, (&[], heads), now, rng)?);
        let parcel = Parcel { statements, ..Parcel::default() };
        self.seal(shop, parcel, now.plus_ms(REQUEST_KEPT_MS), rng).map(Some)
    }

    /// Whether the shop refused an order before it looked at it, so that nobody waits for it.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn was_refused(&self, order: OrderId) -> Result<bool, HouseholdError> {
        self.db.reader.read(|reader| {
            let is_closed = orders::get(reader, order)?.is_some_and(|row| !row.open);
            Ok(is_closed && orders::entries(reader, order)?.len() == 1)
        })
    }

    /// Seals a parcel to a shop's newest key and stamps it with this device's.
    fn seal(
        &self,
        shop: ShopId,
        mut parcel: Parcel,
        until: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Mail, HouseholdError> {
        let known = self.known_shop(shop)?.ok_or(HouseholdError::UnknownShop)?;
        let to = sealing_key(&known.certificates)?;
        let own = self.certificates();
        parcel.certificates.extend(own.clone());
        // Old entries go with the certificates of the boxes that wrote them.
        if parcel.statements.len() > 1 {
            parcel.certificates.extend(known.certificates);
        }
        let sealed = envelope::seal(&parcel, &to, rng)?;
        Ok(stamp::post(&self.keys.signing, own, Address::Shop(shop), until, sealed))
    }

    /// The personal part of an order. One that is damaged stays here, and `verify` tells: better the
    /// shop has to ask for the address than that the order never comes.
    fn part(&self, reader: &Connection, order: OrderId) -> Option<PersonalPart> {
        person::part(reader, &self.disk, order).unwrap_or_default()
    }

    pub(super) fn own(&self) -> chain::Own {
        chain::Own { keys: self.keys.clone() }
    }
}

/// The key that mail to a shop is sealed to: its node's.
fn sealing_key(certificates: &[ByteVec]) -> Result<SealingPublic, HouseholdError> {
    let leaf = certificates.first().ok_or(HouseholdError::UnknownShop)?;
    Ok(UnverifiedCertificate::parse(leaf)?.claimed().sealing)
}
