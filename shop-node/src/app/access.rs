//! Who stands at the shop's door: sign-in by certificate, tokens, and what the policies allow.
//!
//! **Invariants (P6):** a token of a hub or of another shop opens nothing here; a certificate that
//! was revoked meanwhile closes the door at once, also for a token that has not ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use kirana_core::{
    certificate::Standing,
    challenge::{self, Nonce},
    hash::Hash,
    id::ShopId,
    key::{KeyId, KeyPair},
    policy::{Action, BadPolicies, Policies, Principal, Resource, Role},
    statement::Party,
    time::UnixMs,
    token::{self, Claims, TOKEN_LIFETIME_MS},
    trust::Certified,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use rand_core::CryptoRng;

use super::{
    Shop, Undeliverable,
    people::{NotOpened, TurnNo, Turns},
    pin::Pin,
    refusal::NotStored,
    roles::Post,
    staff::{Member, NotStaffed, Station},
};
use crate::store::{known, staff};

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// For the policies.
    pub principal: Principal,
    /// The key of the device that it speaks from.
    pub device: KeyId,
    /// Whose turn it is at the till, where the device is one and somebody gave their PIN.
    pub turn: Option<AtTill>,
}

/// Somebody at a till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtTill {
    /// Who.
    pub person: KeyId,
    /// What the till itself may do: nobody may do more there.
    pub till: Principal,
}

impl Visitor {
    /// Who is written beside whatever is done: the person at the till, or else the device.
    pub fn who(&self) -> KeyId {
        self.turn.as_ref().map_or(self.device, |turn| turn.person)
    }

    /// Who, and at which till.
    pub fn by(&self) -> By {
        By { who: self.who(), till: self.turn.as_ref().map(|_| self.device) }
    }
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// The person or the device.
    pub who: KeyId,
    /// The till, where a person took a turn there.
    pub till: Option<KeyId>,
}

/// How a till proves itself when somebody gives their PIN there.
#[derive(Debug, Clone)]
pub enum AtDoor {
    /// By a certificate and a signed nonce, as at any sign-in.
    Answer {
        /// The certificates, leaf first.
        chain: Vec<Vec<u8>>,
        /// The signed nonce.
        answer: Vec<u8>,
    },
    /// By a token that it holds already.
    Token(String),
}

/// A fresh access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// RFC 9068.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// The key that it was given to.
    pub device: KeyId,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The token does not count here.
    #[error(transparent)]
    Token(#[from] token::Refused),
    /// The token names nobody that a shop knows.
    #[error("the token names nobody that this shop knows")]
    Nobody,
    /// The certificates do not count here, or no longer.
    #[error(transparent)]
    Distrust(#[from] kirana_core::trust::Distrust),
    /// The answer to the nonce does not hold.
    #[error(transparent)]
    Unproven(#[from] challenge::Unproven),
    /// The answer was shown before.
    #[error("this answer was used before: ask for another nonce")]
    Again,
    /// The name or the PIN opens nothing.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// PINs count at a till only.
    #[error("a PIN counts only at a till or another device of the shop")]
    NotATill,
    /// Somebody could not be certified.
    #[error(transparent)]
    NotStaffed(#[from] NotStaffed),
    /// The policies say no.
    #[error("this is not for you to do")]
    Forbidden,
    /// The owner's key is not on this box.
    #[error("the owner's key is not on this box")]
    NoOwner,
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Undeliverable> for Closed {
    fn from(why: Undeliverable) -> Self {
        match why {
            Undeliverable::Distrust(distrust) => distrust.into(),
            Undeliverable::NotStored(not_stored) => not_stored.into(),
            Undeliverable::Store(error) => error.into(),
            _ => Self::Nobody,
        }
    }
}

/// The shop's door; cheap to clone.
#[derive(Clone)]
pub struct Access {
    shop: Shop,
    policies: Arc<Policies>,
    tokens: Arc<token::Door>,
    challenges: Arc<challenge::Door>,
    /// Tokens whose signatures held, by the digest of the whole token.
    genuine: Arc<Mutex<BTreeMap<Hash, Arc<token::Genuine>>>>,
    /// Devices whose certificates held at a revision of the trust, until some moment.
    seen: Arc<Mutex<BTreeMap<KeyId, (u64, UnixMs)>>>,
    /// Devices that work here, likewise.
    stations: Arc<Mutex<Stations>>,
    /// Whose turn it is at which till.
    turns: Arc<Turns>,
}

/// Devices that work here, each as of a revision of the trust and until some moment.
type Stations = BTreeMap<KeyId, (u64, UnixMs, Station)>;

/// Tokens that are remembered as genuine; beyond that all are forgotten.
const GENUINE_MAX: usize = 4096;
/// Devices that are remembered as checked; beyond that they are checked again each time.
const SEEN_MAX: usize = 4096;
/// How long a checked certificate is not looked at again, in milliseconds.
const SEEN_MS: u64 = 60_000;
/// How long a turn at a till lasts that is used all the time, in milliseconds: a long shift.
const TURN_LIFETIME_MS: u64 = 12 * 3_600_000;

impl Access {
    /// A door for an open shop; `secret` is 32 random bytes, new at every start.
    ///
    /// # Errors
    /// When the program's own policies do not parse.
    pub fn new(shop: Shop, secret: [u8; 32]) -> Result<Self, BadPolicies> {
        let issuer = issuer(shop.id());
        let keys = vec![shop.keys().node.signing.public()];
        let tokens = token::Door { issuer: issuer.clone(), audience: issuer.clone(), keys };
        Ok(Self {
            policies: Arc::new(Policies::load()?),
            tokens: Arc::new(tokens),
            challenges: Arc::new(challenge::Door::new(secret, issuer)),
            genuine: Arc::default(),
            seen: Arc::default(),
            stations: Arc::default(),
            turns: Arc::default(),
            shop,
        })
    }

    /// The shop behind the door.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// The name that visitors sign together with the nonce.
    pub fn audience(&self) -> &str {
        self.challenges.audience()
    }

    /// Something fresh to sign.
    pub fn nonce(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Nonce {
        self.challenges.nonce(now, rng)
    }

    /// Opens a session for the holder of a certificate who signed a nonce of this door.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn sign_in(
        &self,
        chain: Vec<Vec<u8>>,
        answer: &[u8],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Session, Closed> {
        let holder = self.prove(chain, answer, now)?;
        let (subject, roles) = self.subject_of(&holder, now)?;
        let device = holder.key().id();
        Ok(self.session(subject, roles, device, None, now, rng))
    }

    /// Whoever signed a nonce of this door and shows certificates that count here.
    fn prove(&self, chain: Vec<Vec<u8>>, answer: &[u8], now: UnixMs) -> Result<Certified, Closed> {
        let holder = self.shop.check_chain(&chain, now)?;
        let nonce = self.challenges.check(answer, holder.key(), now)?;
        let device = holder.key().id();
        if matches!(holder.standing(), Standing::Staff { .. }) {
            self.shop.remember_staff(&holder, &chain)?;
        }
        self.shop.writer().write(move |tx| -> Result<(), Abort<Closed>> {
            if !known::use_nonce(tx, &nonce, now)? {
                return Err(Abort::Refused(Closed::Again));
            }
            Ok(known::put_chain(tx, device, &chain, now)?)
        })?;
        Ok(holder)
    }

    /// Opens somebody's turn at a till, by their name and PIN.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn take_turn(
        &self,
        door: AtDoor,
        name: &str,
        pin: &Pin,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Session, Closed> {
        let till = match door {
            AtDoor::Answer { chain, answer } => self.prove(chain, &answer, now)?.key().id(),
            AtDoor::Token(token) => {
                let till = self.visitor(&token, now)?;
                till.turn.is_none().then_some(till.device).ok_or(Closed::NotATill)?
            }
        };
        self.station(till, now).map_err(|_| Closed::NotATill)?;
        let person = self.shop.by_pin(name, pin, till, now)?;
        let mut number: TurnNo = [0; 16];
        rng.fill_bytes(&mut number);
        self.turns.open(number, &person, till, now);
        let subject = format!("person:{}", person.id);
        let roles = BTreeSet::from([person.role]);
        Ok(self.session(subject, roles, till, Some(number), now, rng))
    }

    /// Ends the turn that a token is for; whether it was for one.
    ///
    /// # Errors
    /// [`Closed`] when the token does not count.
    pub fn end_turn(&self, token: &str, now: UnixMs) -> Result<bool, Closed> {
        let granted = self.genuine(token)?.at(now)?;
        let number = granted.claims().sid.as_deref().and_then(turn_number);
        if let Some(number) = number {
            self.turns.end(number);
        }
        Ok(number.is_some())
    }

    /// A session for whoever holds the box itself: the owner at the command line.
    ///
    /// # Errors
    /// [`Closed::NoOwner`] when the owner's key lives elsewhere.
    pub fn owner_session(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<Session, Closed> {
        let owner = self.shop.keys().owner.as_ref().ok_or(Closed::NoOwner)?;
        let subject = format!("owner:{}", owner.id());
        let roles = BTreeSet::from([Role::Owner.label().to_owned()]);
        Ok(self.session(subject, roles, owner.id(), None, now, rng))
    }

    /// Certifies a fresh key for somebody who works here and opens a session for it.
    ///
    /// # Errors
    /// [`Closed::NoOwner`], or when nothing could be stored.
    pub fn staff_session(
        &self,
        post: Post,
        label: String,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Session, Closed> {
        let mut seed = [0; 64];
        rng.fill_bytes(&mut seed);
        let keys = KeyPair::from_seed(seed);
        let (key, sealing) = (keys.signing.public(), keys.sealing.public());
        let chain = self.shop.add_staff(Member { key, sealing, post, label }, now, rng)?;
        let holder = self.shop.trust()?.check(&chain, self.shop.known_now(now)?)?;
        let (subject, roles) = self.subject_of(&holder, now)?;
        Ok(self.session(subject, roles, keys.id(), None, now, rng))
    }

    fn session(
        &self,
        subject: String,
        roles: BTreeSet<String>,
        device: KeyId,
        turn: Option<TurnNo>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Session {
        let mut number = [0; 16];
        rng.fill_bytes(&mut number);
        // A turn ends by itself when nobody uses it, long before its token does.
        let lifetime_ms = if turn.is_some() { TURN_LIFETIME_MS } else { TOKEN_LIFETIME_MS };
        let hex = |bytes: &[u8; 16]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let claims = Claims {
            iss: self.tokens.issuer.clone(),
            sub: subject,
            aud: self.tokens.audience.clone(),
            exp: now.plus_ms(lifetime_ms).seconds(),
            iat: now.seconds(),
            jti: hex(&number),
            client_id: device.to_string(),
            scope: "shop".to_owned(),
            roles,
            sid: turn.as_ref().map(hex),
        };
        let access_token = token::issue(&self.shop.keys().node.signing, &claims);
        Session { access_token, expires_in: lifetime_ms / 1000, device }
    }

    /// Whom a token stands for, if it still counts.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn visitor(&self, token: &str, now: UnixMs) -> Result<Visitor, Closed> {
        let granted = self.genuine(token)?.at(now)?;
        let claims = granted.claims();
        let device: KeyId = claims.client_id.parse().map_err(|_| Closed::Nobody)?;
        let mut principal = match claims.sub.split_once(':') {
            Some(("account", id)) => {
                Principal::customer(Party::Account(id.parse().map_err(|_| Closed::Nobody)?))
            }
            Some(("guest", key)) => {
                Principal::customer(Party::Guest(key.parse().map_err(|_| Closed::Nobody)?))
            }
            Some(("owner", _)) => Principal::in_shop(Role::Owner, self.shop.id()),
            Some(("staff", _)) => {
                let principal = self.station(device, now)?.principal;
                return Ok(Visitor { principal, device, turn: None });
            }
            Some(("person", _)) => {
                let turn = claims.sid.as_deref().and_then(turn_number).ok_or(Closed::Nobody)?;
                return self.at_till(turn, device, now);
            }
            _ => return Err(Closed::Nobody),
        };
        principal.device = Some(device);
        if principal.party.is_some() {
            self.still_certified(device, now)?;
        }
        Ok(Visitor { principal, device, turn: None })
    }

    /// Whose turn it is, if both the person and the till still count.
    fn at_till(&self, turn: TurnNo, device: KeyId, now: UnixMs) -> Result<Visitor, Closed> {
        let till = self.station(device, now)?.principal;
        let open = self.turns.use_now(turn, now).filter(|open| open.till == device);
        let open = open.ok_or(Closed::Nobody)?;
        let found = self.shop.reader().read(|c| {
            let Some(person) = staff::person(c, open.person)? else { return Ok(None) };
            let post = person.role.parse::<Post>().ok().filter(|_| person.version == open.version);
            let may = post.map(|post| post.principal(c, self.shop.id())).transpose()?;
            Ok::<_, StoreError>(may)
        })?;
        let Some(mut principal) = found else {
            self.turns.end(turn);
            return Err(Closed::Nobody);
        };
        principal.device = Some(device);
        let turn = Some(AtTill { person: open.person, till });
        Ok(Visitor { principal, device, turn })
    }

    /// What a device that works here may do now.
    fn station(&self, device: KeyId, now: UnixMs) -> Result<Station, Closed> {
        let (revision, trust) = self.shop.trust_and_revision()?;
        let mut held = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, until, station)) = held.get(&device)
            && *at == revision
            && now < *until
        {
            return Ok(station.clone());
        }
        let known = self.shop.known_now(now)?;
        let read = |c: &Connection| self.shop.inner.station(c, &trust, device, known);
        let station = self.shop.reader().read(read).map_err(|e| match e {
            Abort::Refused(Some(distrust)) => Closed::Distrust(distrust),
            Abort::Refused(None) => Closed::Nobody,
            Abort::Store(error) => Closed::Store(error),
        })?;
        if held.len() >= SEEN_MAX {
            held.clear();
        }
        held.insert(device, (revision, now.plus_ms(SEEN_MS), station.clone()));
        Ok(station)
    }

    /// A token that this box signed, whatever the time: what of it stays true is checked once.
    fn genuine(&self, token: &str) -> Result<Arc<token::Genuine>, Closed> {
        let name = Hash::of(token.as_bytes());
        let held = self.genuine.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(genuine) = held {
            return Ok(genuine);
        }
        let genuine = Arc::new(self.tokens.read(token)?);
        let mut held = self.genuine.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= GENUINE_MAX {
            held.clear();
        }
        held.insert(name, genuine.clone());
        Ok(genuine)
    }

    fn still_certified(&self, device: KeyId, now: UnixMs) -> Result<(), Closed> {
        let (revision, _) = self.shop.trust_and_revision()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&device).is_some_and(|(at, until)| *at == revision && now < *until) {
            return Ok(());
        }
        self.shop.known_device(device, now)?.ok_or(Closed::Nobody)?;
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(device, (revision, now.plus_ms(SEEN_MS)));
        Ok(())
    }

    /// Asks the policies.
    ///
    /// # Errors
    /// [`Closed::Forbidden`].
    pub fn allow(
        &self,
        visitor: &Visitor,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Closed> {
        let may = |who: &Principal| self.policies.is_allowed(who, action, resource);
        match may(&visitor.principal) && visitor.turn.as_ref().is_none_or(|turn| may(&turn.till)) {
            true => Ok(()),
            false => {
                tracing::info!(action = action.label(), "a visitor was refused by the policies");
                Err(Closed::Forbidden)
            }
        }
    }

    /// The shop as the thing that is asked for.
    pub fn here(&self) -> Resource {
        Resource::Shop(self.shop.id())
    }
}

impl Access {
    /// Whom a certificate stands for at a shop's door.
    fn subject_of(
        &self,
        holder: &Certified,
        now: UnixMs,
    ) -> Result<(String, BTreeSet<String>), Closed> {
        let customer = BTreeSet::from([Role::Customer.label().to_owned()]);
        match (holder.standing(), holder.party()) {
            (Standing::Staff { .. }, _) => {
                let device = holder.key().id();
                let role = self.station(device, now)?.post.label().to_owned();
                Ok((format!("staff:{device}"), BTreeSet::from([role])))
            }
            (_, Some(Party::Account(id))) => Ok((format!("account:{id}"), customer)),
            (_, Some(Party::Guest(key))) => Ok((format!("guest:{key}"), customer)),
            _ => Err(Closed::Nobody),
        }
    }
}

/// The number of a turn as its token names it.
fn turn_number(sid: &str) -> Option<TurnNo> {
    // A key's name is as long and written the same way.
    Some(*sid.parse::<KeyId>().ok()?.as_bytes())
}

/// The name of a shop as the issuer of its tokens: the same on every box and at every address.
pub fn issuer(shop: ShopId) -> String {
    format!("urn:kirana:shop:{shop}")
}
