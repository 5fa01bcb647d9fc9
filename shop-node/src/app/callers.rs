//! Orders that the shop's staff take for people without a device: on the phone, or at the counter.
//!
//! **Invariants:** such an order has the form of any other and is decided like any other; its
//! customer is a guest whose key the shop keeps, and the certificate says so (`GuestOf` this shop).

use kirana_core::{
    cbor,
    certificate::Certificate,
    envelope::Parcel,
    hash::Hash,
    id::{OrderId, VariantId},
    key::{KeyId, KeyPair},
    money::Money,
    order::{
        decide,
        facts::DeclineReason,
        personal::Personal,
        placed::{Invalid, Method, Placed, Slot, Substitution, WantedLine},
    },
    quantity::Quantity,
    statement::Party,
    terms::Way,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use serde::Serialize;

use super::{
    Once, Shop, Undeliverable,
    access::By,
    deliver::Beside,
    erased::Erased,
    orders::{NotDone, OrderView, Which},
    place::offer_of,
};
use crate::store::{callers, offers, staff};

/// The most people who are listed.
const LISTED_MAX: u32 = 5_000;
/// The longest record of one, in bytes.
const CALLER_BYTES_MAX: usize = 4 * 1024;
const PLACE: &[u8] = b"caller";

/// Somebody without a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The short name of the key that the shop keeps for them.
    pub id: KeyId,
    /// Who that is.
    pub person: Personal,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Kept {
    #[cbor(n(0), with = "minicbor::bytes")]
    seed: Vec<u8>,
    #[n(1)]
    person: Personal,
}

/// What somebody wants who has no device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who; somebody new if left out.
    pub caller: Option<KeyId>,
    /// Name, address, phone and note, as they are for this order.
    pub person: Personal,
    /// What, and how much in base units.
    pub lines: Vec<(VariantId, u64)>,
    /// Brought or collected, and when.
    pub way: Way,
    /// In which span of time.
    pub slot: Option<Slot>,
    /// Whether a part of a line is better than nothing.
    pub partial_ok: bool,
    /// What to do with a line of which there is none left.
    pub substitution: Substitution,
    /// How old the person says to be.
    pub of_age: Option<u8>,
}

/// Why an order was not taken; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There is no such person.
    #[error("nobody of that name is written down here")]
    UnknownCaller,
    /// Nobody could be asked for.
    #[error("a name or a phone number belongs to it")]
    Nameless,
    /// More about the person than an order carries.
    #[error("name, address, phone and note together are too long: shorten the note")]
    TooLong,
    /// It is not sold.
    #[error("the shop does not sell {0} now")]
    NotSold(VariantId),
    /// The order cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The shop's own terms do not allow it.
    #[error("{0}")]
    Terms(DeclineReason),
    /// It was not taken in.
    #[error(transparent)]
    Undeliverable(#[from] Undeliverable),
    /// It was not stored, or not found again.
    #[error(transparent)]
    Order(#[from] NotDone),
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        Self::Order(error.into())
    }
}

impl Shop {
    /// People for whom orders were taken whose name, phone or address holds these words.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn callers(&self, words: &str) -> Result<Vec<Caller>, StoreError> {
        let wanted = words.to_lowercase();
        let all = self.reader().read(|c| callers::all(c, LISTED_MAX))?;
        let mut found = Vec::new();
        for (id, sealed) in all {
            let person = self.opened(id, &sealed)?.person;
            let text = format!("{} {} {}", person.name, person.phone, person.address);
            if wanted.split_whitespace().all(|word| text.to_lowercase().contains(word)) {
                found.push(Caller { id, person });
            }
        }
        Ok(found)
    }

    /// Forgets who somebody is; their orders stay, without name and address.
    ///
    /// # Errors
    /// [`NotTaken::UnknownCaller`], or when nothing could be stored.
    pub fn forget_caller(&self, id: KeyId) -> Result<(), NotTaken> {
        let erased = self
            .writer()
            .write(move |tx| -> Result<bool, Abort<NotDone>> { Ok(Erased::Caller(id).erase(tx)?) });
        let erased = erased.map_err(NotDone::from)?;
        self.note_erased();
        match erased {
            true => Ok(()),
            false => Err(NotTaken::UnknownCaller),
        }
    }

    /// Takes an order for somebody without a device, once for each key; it is decided as any other.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing was placed then.
    pub fn take_call(
        &self,
        once: Option<Once>,
        call: Call,
        by: By,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(KeyId, OrderView), NotTaken> {
        let Personal { name, phone, .. } = &call.person;
        if name.trim().is_empty() && phone.trim().is_empty() {
            return Err(NotTaken::Nameless);
        }
        if call.person.is_too_long() {
            return Err(NotTaken::TooLong);
        }
        let keys = match (call.caller, &once) {
            (Some(id), _) => self.keys_of(id)?,
            // The same request again comes from the same person.
            (None, Some(once)) => KeyPair::from_seed(*self.keys().caller_seed(once)),
            (None, None) => {
                let mut seed = [0; 64];
                rng.fill_bytes(&mut seed);
                KeyPair::from_seed(seed)
            }
        };
        let party = Party::Guest(keys.id());
        let placed = self.placed(&call, party, now)?;
        let part = call.person.part(rng);
        let placed = Placed { personal: Some(part.hash()), ..placed };
        let id = self.order_id(once.as_ref(), keys.id(), now, rng);
        match self.order(Which { id, customer: Some(party) }) {
            Ok(view) if self.is_of(&view, &call)? => {
                self.note_taker(&view, by)?;
                return Ok((keys.id(), view));
            }
            Ok(_) => return Err(NotDone::KeyReused.into()),
            Err(NotDone::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let signed = placed.sign(id, self.id(), now, now.plus_ms(DAY_MS), &keys.signing)?;
        let sealed = self.sealed(&keys, &call.person, rng);
        let sealing = keys.sealing.public();
        let certificate = Certificate::of_guest_at(self.id(), &keys.signing, sealing, now, rng);
        let mut parcel = Parcel::default();
        parcel.statements.push(signed.bytes().to_vec().into());
        parcel.certificates.push(certificate.bytes().to_vec().into());
        parcel.personal.push(part);
        // The person, the order and who took it are one transaction.
        let device = keys.id();
        let beside: Beside = Box::new(move |tx, taken| {
            let Some((_, chain)) = taken.first() else { return Ok(()) };
            callers::put(tx, device, &sealed, now)?;
            staff::put_entry_by(tx, chain.first().hash(), by.who, by.till)
        });
        self.take_in_with(parcel, beside, now, rng)?;
        let view = self.order(Which { id, customer: Some(party) })?;
        Ok((keys.id(), view))
    }

    /// Writes down who took an order that an older version of the program took in without that.
    fn note_taker(&self, view: &OrderView, by: By) -> Result<(), NotTaken> {
        let Some(entry) = view.entries.first().map(|entry| entry.hash) else { return Ok(()) };
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotDone>> {
            Ok(staff::put_entry_by(tx, entry, by.who, by.till)?)
        });
        Ok(noted.map_err(NotDone::from)?)
    }

    /// Whether an order is what was asked for.
    fn is_of(&self, view: &OrderView, call: &Call) -> Result<bool, NotTaken> {
        let placed = &view.order.placed;
        let lines = placed.lines.iter().map(|line| (line.variant, line.quantity.amount()));
        let is_same = lines.eq(call.lines.iter().copied())
            && placed.handover == call.way.at(call.slot)
            && (placed.of_age, placed.partial_ok) == (call.of_age, call.partial_ok);
        Ok(is_same && self.person(&view.order)?.as_ref() == Some(&call.person))
    }

    /// The order of a request keeps its id when the request comes again.
    fn order_id(
        &self,
        once: Option<&Once>,
        caller: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> OrderId {
        let mut random = [0; 10];
        match once {
            Some(once) => {
                let (device, key) = once.parts();
                let parts: [&[u8]; 4] = [b"kirana call 1", caller.as_bytes(), device, key];
                random.copy_from_slice(&Hash::of_parts(&parts).as_bytes()[..10]);
                // Its time is not known then; it only keeps ids in order.
                OrderId::new(UnixMs::new(0), random)
            }
            None => {
                rng.fill_bytes(&mut random);
                OrderId::new(now, random)
            }
        }
    }

    /// The order at the prices of the shelf, with the fee that the terms ask.
    fn placed(&self, call: &Call, customer: Party, now: UnixMs) -> Result<Placed, NotTaken> {
        let known = self.known_now(now)?.at;
        let lines = self.reader().read(|c| {
            call.lines
                .iter()
                .map(|(variant, amount)| {
                    let sold = || NotTaken::NotSold(*variant);
                    let shelf = offers::get(c, *variant)?.ok_or_else(sold)?;
                    let offer = offer_of(c, &shelf, &self.inner, known)?;
                    let quantity = Quantity::new(*amount, shelf.unit).map_err(|_| sold())?;
                    let price = kirana_core::catalogue::pricing::best(
                        offer.price,
                        offer.deals.iter().copied(),
                        *amount,
                    );
                    let line = WantedLine::new(shelf.product, *variant, quantity, price);
                    Ok(WantedLine { substitution: call.substitution, ..line })
                })
                .collect::<Result<Vec<_>, NotTaken>>()
        })?;
        let placed = Placed {
            customer,
            currency: self.identity().currency,
            lines,
            handover: call.way.at(call.slot),
            payment: Method::OnDelivery,
            partial_ok: call.partial_ok,
            personal: None,
            anchors: Vec::new(),
            generation: self.generation(),
            fee: None,
            of_age: call.of_age,
        };
        placed.check()?;
        let Some(said) = self.terms()? else { return Ok(placed) };
        let goods = decide::goods(&placed, &Default::default(), |_, line| Some(line.seen));
        let there = said.place.zip(call.person.place);
        let distance_m = there.map(|(shop, there)| shop.distance_m(there));
        let fee = said.terms.fee(call.way, goods, distance_m).map_err(NotTaken::Terms)?;
        let fee: Option<Money> = fee.map(|fee| fee.amount);
        Ok(Placed { fee, ..placed })
    }

    fn keys_of(&self, id: KeyId) -> Result<KeyPair, NotTaken> {
        let sealed = self.reader().read(|c| callers::sealed(c, id))?;
        let kept = self.opened(id, &sealed.ok_or(NotTaken::UnknownCaller)?)?;
        let damaged = |_| StoreError::damaged("a caller", id);
        let seed: [u8; 64] = kept.seed.as_slice().try_into().map_err(damaged)?;
        Ok(KeyPair::from_seed(seed))
    }

    fn opened(&self, id: KeyId, sealed: &[u8]) -> Result<Kept, StoreError> {
        let damaged = || StoreError::damaged("a caller", id);
        let plain = self.keys().open(PLACE, sealed).ok_or_else(damaged)?;
        cbor::from_slice("a caller", &plain, CALLER_BYTES_MAX).map_err(|_| damaged())
    }

    /// What is kept of a person, under the box's key.
    fn sealed(&self, keys: &KeyPair, person: &Personal, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let seed = keys.to_seed().to_vec();
        // What belongs to this order alone is not kept of the person.
        let person = Personal { note: String::new(), ..person.clone() };
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        self.keys().seal(PLACE, &cbor::to_vec(&Kept { seed, person }), nonce)
    }
}
