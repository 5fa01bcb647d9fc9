//! Checks who wrote what is in a parcel, before anything of it is acted on.
//!
//! **Invariant (P6):** a [`Read`] comes only out of [`read`]: its signature was checked, and its
//! author's certificate counts here and was not withdrawn, as of now.

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    envelope::Parcel,
    id::ShopId,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    order::wish::Said,
    statement::{Party, SignedStatement, UnverifiedStatement},
    time::UnixMs,
    trust::{CHAIN_MAX, Certified, Distrust, Trust},
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{Undeliverable, checked::Against};
use crate::store::known;

/// Statements that one parcel may bring.
pub const STATEMENTS_MAX: usize = 64;

/// A statement whose author was checked.
#[derive(Debug, Clone)]
pub struct Read {
    /// What was signed.
    pub signed: SignedStatement,
    /// What it says.
    pub said: Said,
    /// Who says it.
    pub by: By,
}

/// Who wrote a statement.
#[derive(Debug, Clone)]
pub enum By {
    /// A customer's device.
    Customer(Box<Device>),
    /// A box of this very shop, of this generation.
    Node {
        /// Which.
        generation: u64,
    },
}

/// A device that was checked.
#[derive(Debug, Clone)]
pub struct Device {
    /// For whom it speaks.
    pub party: Party,
    /// What its certificate says.
    pub certified: Certified,
    /// Its certificates, leaf first.
    pub chain: Vec<Vec<u8>>,
}

/// A box of this shop that showed its certificate.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its generation.
    pub generation: u64,
    /// Its key.
    pub key: PublicKey,
    /// The owner's certificate for it.
    pub certificate: Vec<u8>,
    /// Since when it is certified.
    pub since: UnixMs,
}

/// All that a parcel says, checked.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The statements, in the order they came.
    pub statements: Vec<Read>,
    /// Boxes of this shop whose certificates came along.
    pub boxes: Vec<Node>,
    /// The state of the shop's trust that it was checked against.
    pub trust_revision: u64,
}

/// Checks a parcel for `shop`.
///
/// # Errors
/// [`Undeliverable`], at the first statement that does not hold; none is acted on then.
pub(crate) fn read(
    c: &Connection,
    parcel: &Parcel,
    shop: ShopId,
    against: &Against<'_>,
    now: KnownNow,
) -> Result<Reading, Undeliverable> {
    if parcel.statements.len() > STATEMENTS_MAX {
        let (count, max) = (parcel.statements.len(), STATEMENTS_MAX);
        return Err(Undeliverable::TooMany { count, max });
    }
    let certificates = parse(parcel)?;
    let boxes = boxes(&certificates, shop, against.trust, now);
    let mut statements = Vec::new();
    for bytes in &parcel.statements {
        let statement = UnverifiedStatement::parse(bytes)?;
        let read = match node_key(c, &statement, &boxes)? {
            Some((generation, key)) => {
                let signed = statement.verify(&key)?;
                let said = Said::of(signed.statement())?;
                Read { signed, said, by: By::Node { generation } }
            }
            None => by_customer(c, statement, &certificates, shop, against, now)?,
        };
        statements.push(read);
    }
    Ok(Reading { statements, boxes, trust_revision: 0 })
}

fn by_customer(
    c: &Connection,
    statement: UnverifiedStatement,
    certificates: &[(UnverifiedCertificate, Vec<u8>)],
    shop: ShopId,
    against: &Against<'_>,
    now: KnownNow,
) -> Result<Read, Undeliverable> {
    let to = statement.claimed().to;
    if to != Party::Shop(shop) {
        return Err(Undeliverable::StatementForOther { to });
    }
    let signer = statement.signer();
    let chain = match chain_of(signer, certificates) {
        Some(chain) => chain,
        None => known::chain(c, signer)?.ok_or(Undeliverable::NoCertificate { signer })?,
    };
    let certified = against.check(c, &chain, now)?;
    let signed = statement.verify(certified.key())?;
    let said = Said::of(signed.statement())?;
    let party = match certified.party() {
        Some(party @ (Party::Account(_) | Party::Guest(_))) => party,
        _ => return Err(Undeliverable::WrongAuthor),
    };
    let by = By::Customer(Box::new(Device { party, certified, chain }));
    Ok(Read { signed, said, by })
}

/// The certificates for a key among those that came along.
///
/// # Errors
/// [`Undeliverable::Malformed`] when one of them is damaged.
pub(crate) fn chain_shown(
    key: KeyId,
    parcel: &Parcel,
) -> Result<Option<Vec<Vec<u8>>>, Undeliverable> {
    Ok(chain_of(key, &parse(parcel)?))
}

fn parse(parcel: &Parcel) -> Result<Vec<(UnverifiedCertificate, Vec<u8>)>, Undeliverable> {
    let one = |bytes: &minicbor::bytes::ByteVec| {
        Ok((UnverifiedCertificate::parse(bytes)?, bytes.to_vec()))
    };
    parcel.certificates.iter().map(one).collect()
}

/// The certificates for a key, leaf first, out of those that came along; of several for one key
/// the one that lasts longest.
pub(crate) fn chain_of(
    key: KeyId,
    certificates: &[(UnverifiedCertificate, Vec<u8>)],
) -> Option<Vec<Vec<u8>>> {
    let for_key = |key: KeyId| {
        let held = certificates.iter().filter(move |(c, _)| c.claimed().key.id() == key);
        held.max_by_key(|(c, _)| c.claimed().expires)
    };
    let (leaf, bytes) = for_key(key)?;
    let (mut link, mut chain) = (leaf, vec![bytes.clone()]);
    while chain.len() < CHAIN_MAX && link.claimed().issuer != link.claimed().key.id() {
        let Some((next, bytes)) = for_key(link.claimed().issuer) else { break };
        chain.push(bytes.clone());
        link = next;
    }
    Some(chain)
}

/// The boxes of this shop that certificates of its own owner name; others are passed over.
fn boxes(
    certificates: &[(UnverifiedCertificate, Vec<u8>)],
    shop: ShopId,
    trust: &Trust,
    now: KnownNow,
) -> Vec<Node> {
    let node = |(certificate, bytes): &(UnverifiedCertificate, Vec<u8>)| {
        let Standing::Node { shop: named, generation } = certificate.claimed().standing else {
            return None;
        };
        let checked: Result<Certified, Distrust> = trust.check(&[bytes], now);
        let certified = checked.ok().filter(|_| named == shop)?;
        Some(Node {
            generation,
            key: *certified.key(),
            certificate: bytes.clone(),
            since: certified.certificate().not_before,
        })
    };
    certificates.iter().filter_map(node).collect()
}

/// The key and generation of the statement's author, if a box of this shop wrote it.
fn node_key(
    c: &Connection,
    statement: &UnverifiedStatement,
    boxes: &[Node],
) -> Result<Option<(u64, PublicKey)>, StoreError> {
    let signer = statement.signer();
    if let Some(known) = known::box_of(c, signer)? {
        return Ok(Some(known));
    }
    let shown = boxes.iter().find(|shown| shown.key.id() == signer);
    Ok(shown.map(|shown| (shown.generation, shown.key)))
}
