//! Names accounts, shops, orders and the rest by UUIDs of one type each, so that they cannot be mixed up.

use uuid::Uuid;

use crate::time::UnixMs;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A UUIDv7 (RFC 9562) of a moment and ten random bytes.
            pub fn new(at: UnixMs, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(at.get(), &random).into_uuid())
            }

            /// Takes sixteen bytes that were an id before; `None` for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// The sixteen bytes, as they are stored.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.0.as_bytes())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| minicbor::decode::Error::message("an id has sixteen bytes"))
            }
        }
    )*};
}

ids! {
    /// A person's account: one household's customer, or somebody who works in a shop.
    AccountId,
    /// A shop, for ever: its keys and boxes change, this does not.
    ShopId,
    /// An order, named by the device that placed it.
    OrderId,
    /// A product in one shop's catalogue.
    ProductId,
    /// A size or pack of a product: what has a price and a stock.
    VariantId,
    /// A place where a shop keeps stock.
    LocationId,
    /// Somebody from whom a shop buys.
    SupplierId,
    /// A supplier's list on the web, fetched on a schedule.
    FeedId,
    /// What a shop orders of a supplier at a time.
    PurchaseId,
    /// A stocktake: a time in which people count what lies in one place.
    CountId,
    /// A till from the float in the morning to the count in the evening.
    TillDayId,
    /// A shop's credit book for one customer.
    KhataId,
    /// A cart of a household.
    CartId,
    /// One item on a cart.
    LineId,
    /// A delivery address of a household.
    AddressId,
}

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct NotAnId;
