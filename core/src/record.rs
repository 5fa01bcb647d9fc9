//! Where a shop is and which hubs keep its mail: a signed, numbered, leased record for directories.
//!
//! **Invariant:** of two records of one shop the one of the higher generation, then of the higher
//! number, wins on every hub, in whatever order they come.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    cbor::{self, Malformed},
    geohash::{Cell, Place},
    id::ShopId,
    key::{PublicKey, SigningKey},
    known_time::KnownNow,
    sign1::{self, Forged, Purpose, Unverified},
    time::{DAY_MS, UnixMs},
    trust::{Certified, Distrust, Trust},
};

/// The longest record with its certificates, in bytes.
pub const RECORD_BYTES_MAX: usize = 8 * 1024;
/// The most hubs that keep a shop's mail.
pub const HUBS_MAX: usize = 3;
/// The most addresses of a shop or of one of its hubs.
pub const ADDRESSES_MAX: usize = 8;
/// The longest text in a record, in bytes.
pub const TEXT_BYTES_MAX: usize = 300;
/// The most languages.
pub const LANGUAGES_MAX: usize = 16;
/// The longest lease, in milliseconds: a record is published again long before it ends.
pub const LEASE_MS_MAX: u64 = 30 * DAY_MS;
/// How many characters the cells have that records are found by: about five kilometres wide.
pub const CELL_LEN: u8 = 5;

/// A hub that keeps a shop's mail.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HubContact {
    /// Its key.
    #[n(0)]
    pub key: PublicKey,
    /// Where it is, as libp2p addresses.
    #[n(1)]
    pub addresses: Vec<String>,
}

/// What a shop says about where it is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShopRecord {
    /// Which shop.
    #[n(0)]
    pub shop: ShopId,
    /// One more with every change; the known time in milliseconds will do.
    #[n(1)]
    pub number: u64,
    /// When the lease ends.
    #[n(2)]
    pub until: UnixMs,
    /// What it is called.
    #[n(3)]
    pub name: String,
    /// Where it stands.
    #[n(4)]
    pub place: Option<Place>,
    /// Where its node is, as libp2p addresses.
    #[n(5)]
    pub addresses: Vec<String>,
    /// The hubs that keep its mail, the preferred one first.
    #[n(6)]
    pub hubs: Vec<HubContact>,
    /// The languages spoken there, such as `hi`.
    #[n(7)]
    pub languages: Vec<String>,
    /// When it is open, in plain words.
    #[n(8)]
    pub hours: Option<String>,
    /// Since when it takes no new orders, because it closes down.
    #[n(9)]
    pub closing_since: Option<UnixMs>,
}

/// A record with its signature and the certificates that prove the signer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Posted {
    #[cbor(n(0), with = "minicbor::bytes")]
    record: Vec<u8>,
    #[n(1)]
    certificates: Vec<ByteVec>,
}

impl ShopRecord {
    /// Signs the record with the node's key; the result, with the node's certificates (leaf
    /// first), is what directories keep and hand out.
    ///
    /// # Errors
    /// [`RecordError`] when it is past a limit.
    pub fn sign(
        &self,
        key: &SigningKey,
        certificates: Vec<ByteVec>,
    ) -> Result<Vec<u8>, RecordError> {
        self.check()?;
        let record = sign1::sign(key, Purpose::Record, cbor::to_vec(self));
        let posted = cbor::to_vec(&Posted { record, certificates });
        match posted.len() {
            len if len > RECORD_BYTES_MAX => {
                Err(Malformed::TooLong { what: WHAT, len, max: RECORD_BYTES_MAX }.into())
            }
            _ => Ok(posted),
        }
    }

    /// The cell that the record is found by.
    pub fn cell(&self) -> Option<Cell> {
        self.place.map(|place| Cell::of(place, CELL_LEN))
    }

    fn check(&self) -> Result<(), RecordError> {
        let too_many = self.hubs.len() > HUBS_MAX || self.languages.len() > LANGUAGES_MAX;
        let mut lists = self.hubs.iter().map(|hub| &hub.addresses).chain([&self.addresses]);
        if too_many || lists.any(|addresses| addresses.len() > ADDRESSES_MAX) {
            return Err(RecordError::TooMany);
        }
        let hubs = self.hubs.iter().flat_map(|hub| &hub.addresses);
        let texts = hubs.chain(&self.addresses).chain(&self.languages).chain(&self.hours);
        let mut texts = texts.chain([&self.name]);
        if self.name.trim().is_empty() || texts.any(|text| is_unfit(text)) {
            return Err(RecordError::Text);
        }
        Ok(())
    }
}

fn is_unfit(text: &str) -> bool {
    text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control)
}

/// A record whose signature, signer and limits were checked.
///
/// Made only by [`SignedRecord::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    record: ShopRecord,
    node: Certified,
    certificates: Vec<ByteVec>,
    bytes: Vec<u8>,
}

impl SignedRecord {
    /// Reads a record and checks that the shop's certified node signed it, and that its lease runs.
    ///
    /// # Errors
    /// [`RecordError`] says what is wrong.
    pub fn verify(bytes: &[u8], trust: &Trust, now: KnownNow) -> Result<Self, RecordError> {
        Self::read(bytes, now, |chain| trust.check(chain, now))
    }

    /// As [`SignedRecord::verify`], for a shop that is met for the first time: see
    /// [`Trust::introduce`].
    ///
    /// # Errors
    /// [`RecordError`] says what is wrong.
    pub fn introduce(bytes: &[u8], trust: &Trust, now: KnownNow) -> Result<Self, RecordError> {
        Self::read(bytes, now, |chain| trust.introduce(chain, now).map(|met| met.node))
    }

    fn read(
        bytes: &[u8],
        now: KnownNow,
        check: impl FnOnce(&[ByteVec]) -> Result<Certified, Distrust>,
    ) -> Result<Self, RecordError> {
        let posted: Posted = cbor::from_slice(WHAT, bytes, RECORD_BYTES_MAX)?;
        let signed = Unverified::parse(WHAT, &posted.record, RECORD_BYTES_MAX)?;
        let node = check(&posted.certificates)?;
        let signed = signed.verify(node.key(), Purpose::Record)?;
        let record: ShopRecord = cbor::from_slice(WHAT, signed.payload(), RECORD_BYTES_MAX)?;
        if node.shop() != Some(record.shop) {
            return Err(RecordError::OtherShop);
        }
        record.check()?;
        if now.is_past(record.until) {
            return Err(RecordError::Ended { until: record.until });
        }
        if record.until > now.at.plus_ms(LEASE_MS_MAX) && !now.expiry_suspended {
            return Err(RecordError::TooFar { until: record.until });
        }
        Ok(Self { record, node, certificates: posted.certificates, bytes: bytes.to_vec() })
    }

    /// What a record says that was verified when it came: nothing is checked again.
    ///
    /// # Errors
    /// [`Malformed`] when these bytes are no record.
    pub fn read_again(bytes: &[u8]) -> Result<ShopRecord, Malformed> {
        let posted: Posted = cbor::from_slice(WHAT, bytes, RECORD_BYTES_MAX)?;
        let signed = Unverified::parse(WHAT, &posted.record, RECORD_BYTES_MAX)?;
        cbor::from_slice(WHAT, signed.payload(), RECORD_BYTES_MAX)
    }

    /// What it says.
    pub fn record(&self) -> &ShopRecord {
        &self.record
    }

    /// The node that signed it.
    pub fn node(&self) -> &Certified {
        &self.node
    }

    /// The node's certificates, leaf first.
    pub fn certificates(&self) -> &[ByteVec] {
        &self.certificates
    }

    /// The bytes, to be kept and handed out as they are.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What records of one shop are ordered by: generation, then number; the highest wins.
    pub fn rank(&self) -> (u64, u64) {
        (self.node.generation().unwrap_or_default(), self.record.number)
    }
}

/// Why a record is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its signer's certificates do not count here.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// It is not by the node that the certificates name.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It is about another shop than its signer's.
    #[error("the record is about another shop than the one that signed it")]
    OtherShop,
    /// More hubs, addresses or languages than a record may hold.
    #[error("a record names at most {HUBS_MAX} hubs, and {ADDRESSES_MAX} addresses of each")]
    TooMany,
    /// A text is empty, too long or holds control characters.
    #[error("a text in the record is empty, longer than {TEXT_BYTES_MAX} bytes or not plain")]
    Text,
    /// Its lease has ended.
    #[error("the record's lease ended at {until}")]
    Ended {
        /// The end.
        until: UnixMs,
    },
    /// Its lease is longer than any.
    #[error("the record's lease runs until {until}; thirty days are the most")]
    TooFar {
        /// The end.
        until: UnixMs,
    },
}

const WHAT: &str = "a directory record";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certificate::{Certificate, Holder, Serial, Standing},
        key::KeyPair,
    };

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    fn shop() -> ShopId {
        ShopId::new(NOW, [1; 10])
    }

    fn record(number: u64) -> ShopRecord {
        ShopRecord {
            shop: shop(),
            number,
            until: NOW.plus_ms(DAY_MS),
            name: "किराना Corner".to_owned(),
            place: Some("18.52,73.85".parse().expect("a place")),
            addresses: vec!["/ip4/192.168.1.4/tcp/4001".to_owned()],
            hubs: vec![HubContact {
                key: KeyPair::from_seed([9; 64]).signing.public(),
                addresses: vec![],
            }],
            languages: vec!["mr".to_owned(), "en".to_owned()],
            hours: None,
            closing_since: None,
        }
    }

    /// A box of the shop, certified by the pinned owner.
    fn node(seed: u8, generation: u64) -> (KeyPair, Vec<ByteVec>, Trust) {
        let owner = KeyPair::from_seed([1; 64]);
        let node = KeyPair::from_seed([seed; 64]);
        let (key, sealing) = (node.signing.public(), node.sealing.public());
        let standing = Standing::Node { shop: shop(), generation };
        let holder = Holder { key, sealing, standing };
        let serial = Serial::from_slice(&[seed; 16]).expect("sixteen");
        let until = NOW.plus_ms(300 * DAY_MS);
        let certificate = Certificate::issue_until(&owner.signing, &holder, NOW, until, serial);
        let mut trust = Trust::new();
        trust.pin_shop(shop(), owner.signing.public()).expect("first");
        (node, vec![ByteVec::from(certificate.bytes().to_vec())], trust)
    }

    #[test]
    fn a_signed_record_reads_back_and_is_found_by_its_cell() {
        let (node, chain, trust) = node(2, 1);
        let said = ShopRecord { closing_since: Some(NOW), ..record(4) };
        let bytes = said.sign(&node.signing, chain).expect("within limits");
        let read = SignedRecord::verify(&bytes, &trust, NOW.into()).expect("genuine");
        assert_eq!(read.record(), &said);
        assert_eq!(SignedRecord::read_again(&bytes).as_ref(), Ok(&said));
        assert_eq!(read.bytes(), bytes);
        assert_eq!(read.record().cell().map(Cell::len), Some(CELL_LEN));
    }

    #[test]
    fn a_higher_generation_outranks_a_higher_number() {
        let rank = |seed, generation, number| {
            let (node, chain, trust) = node(seed, generation);
            let bytes = record(number).sign(&node.signing, chain).expect("within limits");
            SignedRecord::verify(&bytes, &trust, NOW.into()).expect("genuine").rank()
        };
        assert!(rank(3, 2, 1) > rank(2, 1, 900));
        assert!(rank(2, 1, 5) > rank(2, 1, 4));
    }

    #[test]
    fn p6_a_record_by_a_stranger_or_about_another_shop_is_refused() {
        let (_, chain, trust) = node(2, 1);
        let thief = KeyPair::from_seed([7; 64]);
        let forged = record(1).sign(&thief.signing, chain.clone()).expect("within limits");
        let read = SignedRecord::verify(&forged, &trust, NOW.into());
        assert!(matches!(read, Err(RecordError::Forged(_))), "{read:?}");
        let (node, _, _) = node(2, 1);
        let other = ShopRecord { shop: ShopId::new(NOW, [2; 10]), ..record(1) };
        let other = other.sign(&node.signing, chain).expect("within limits");
        let read = SignedRecord::verify(&other, &trust, NOW.into());
        assert_eq!(read, Err(RecordError::OtherShop));
        let unknown = SignedRecord::verify(&forged, &Trust::new(), NOW.into());
        assert!(matches!(unknown, Err(RecordError::Distrust(_))));
    }

    #[test]
    fn a_lease_that_ended_or_is_too_long_is_refused() {
        let (node, chain, trust) = node(2, 1);
        let until = |until| {
            let record = ShopRecord { until, ..record(1) };
            let bytes = record.sign(&node.signing, chain.clone()).expect("within limits");
            SignedRecord::verify(&bytes, &trust, NOW.into()).map(|_| ())
        };
        assert_eq!(until(NOW), Err(RecordError::Ended { until: NOW }));
        assert_eq!(until(NOW.plus_ms(LEASE_MS_MAX)), Ok(()));
        let far = NOW.plus_ms(LEASE_MS_MAX + 1);
        assert_eq!(until(far), Err(RecordError::TooFar { until: far }));
    }

    #[test]
    fn a_record_one_past_a_limit_is_refused() {
        let (node, _, _) = node(2, 1);
        let sign = |record: ShopRecord| record.sign(&node.signing, vec![]).map(|_| ());
        let hub = record(1).hubs[0].clone();
        let hubs = |n| ShopRecord { hubs: vec![hub.clone(); n], ..record(1) };
        assert_eq!(sign(hubs(HUBS_MAX)), Ok(()));
        assert_eq!(sign(hubs(HUBS_MAX + 1)), Err(RecordError::TooMany));
        let addresses = |n| ShopRecord { addresses: vec!["/ip4/1.2.3.4".into(); n], ..record(1) };
        assert_eq!(sign(addresses(ADDRESSES_MAX)), Ok(()));
        assert_eq!(sign(addresses(ADDRESSES_MAX + 1)), Err(RecordError::TooMany));
        let languages = |n| ShopRecord { languages: vec!["hi".into(); n], ..record(1) };
        assert_eq!(sign(languages(LANGUAGES_MAX)), Ok(()));
        assert_eq!(sign(languages(LANGUAGES_MAX + 1)), Err(RecordError::TooMany));
        let name = |n| ShopRecord { name: "x".repeat(n), ..record(1) };
        assert_eq!(sign(name(TEXT_BYTES_MAX)), Ok(()));
        assert_eq!(sign(name(TEXT_BYTES_MAX + 1)), Err(RecordError::Text));
        assert_eq!(sign(name(0)), Err(RecordError::Text));
    }
}
