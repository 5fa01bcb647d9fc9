//! Single values by name: who this shop is, how its clock stands, what the owner has set.

use kirana_core::cbor;
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};
use minicbor::{Decode, Encode};

/// The names of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// [`crate::app::Identity`].
    Identity,
    /// [`kirana_core::known_time::KnownTime`].
    KnownTime,
    /// Counts changes of what the shop trusts, so that other processes read it again.
    TrustRevision,
    /// The roster of hubs, as signed.
    Roster,
    /// The hub's root key.
    Root,
    /// Whether a restored stock still has to be recounted or confirmed.
    StockInDoubt,
    /// A higher generation or a twin was met: nothing is written any more.
    ReadOnly,
    /// The certificate of the newer box that was met.
    NewerBox,
    /// [`kirana_core::farewell::Farewell`], signed: the shop moves to another box.
    Farewell,
    /// The shop moved here: the first box of which all is known that it and the next ones said.
    HeardFrom,
    /// The shop's own certificates, leaf first.
    Chain,
    /// The mail cursors at the shop's hubs.
    HubCursors,
    /// For how long expired certificates of known people count: see [`kirana_core::trust::Honour`].
    HonourExpired,
    /// The number of the newest stock snapshot that was signed.
    Availability,
    /// By what a hub knows this box at the owner's next sign-in: hub, login, token. It opens nothing.
    HubDevice,
    /// How the shop came to its owner: [`crate::app::succession::Step`], the newest first.
    Steps,
    /// [`crate::app::closing::Closing`], while the shop takes no orders.
    Closing,
    /// [`kirana_core::scale::Layouts`]: how the codes of the shop's scales are read.
    ScaleLayouts,
    /// [`crate::app::invoices::Seller`]: who sells, as it stands on invoices.
    Seller,
    /// [`kirana_core::terms::Published`]: on which terms goods are handed over.
    Terms,
    /// [`crate::app::cards::Account`]: at which provider the shop takes cards.
    Cards,
    /// When the provider was asked last for all that it took.
    CardsSwept,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::KnownTime => "known_time",
            Self::TrustRevision => "trust_revision",
            Self::Roster => "roster",
            Self::Root => "root",
            Self::StockInDoubt => "stock_in_doubt",
            Self::ReadOnly => "read_only",
            Self::NewerBox => "newer_box",
            Self::Farewell => "farewell",
            Self::HeardFrom => "heard_from",
            Self::Chain => "chain",
            Self::HubCursors => "hub_cursors",
            Self::HonourExpired => "honour_expired",
            Self::Availability => "availability",
            Self::HubDevice => "hub_device",
            Self::Steps => "steps",
            Self::Closing => "closing",
            Self::ScaleLayouts => "scale_layouts",
            Self::Seller => "seller",
            Self::Terms => "terms",
            Self::Cards => "cards",
            Self::CardsSwept => "cards_swept",
        }
    }
}

/// Reads a value, if it was ever set.
pub fn get<T: for<'b> Decode<'b, ()>>(
    c: &Connection,
    setting: Setting,
) -> Result<Option<T>, StoreError> {
    let sql = "SELECT value FROM setting WHERE name = ?1";
    let bytes: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([setting.name()], |row| row.get(0)).optional()?;
    let read = |bytes: Vec<u8>| {
        cbor::from_slice(setting.name(), &bytes, SETTING_BYTES_MAX)
            .map_err(|e| StoreError::damaged("the setting", e))
    };
    bytes.map(read).transpose()
}

/// Sets a value.
pub fn put<T: Encode<()>>(tx: &Tx<'_>, setting: Setting, value: &T) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.prepare_cached(sql)?.execute((setting.name(), cbor::to_vec(value)))?;
    Ok(())
}

/// Forgets a value.
pub fn clear(tx: &Tx<'_>, setting: Setting) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([setting.name()])?;
    Ok(())
}

/// A roster of hubs is the largest.
const SETTING_BYTES_MAX: usize = 128 * 1024;
