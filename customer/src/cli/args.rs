//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kirana_core::{geohash, id::OrderId};

use super::qr::{Photos, ShownAs};

/// What the exit codes mean, for scripts.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  it failed, or `verify` found a fault: stderr (or the list) says what to do
  2  it cannot be meant like this, nothing is set up here yet, or the passphrase is missing";

/// One household's orders, carts and saved catalogues; works with and without the internet.
#[derive(Debug, Parser)]
#[command(name = "kirana", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The household's folder.
    #[arg(long, global = true, env = "KIRANA_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Results as JSON on stdout, errors as problem details (RFC 9457) on stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up this device: keys and an empty household.
    Init {
        /// What people call you; goes onto orders unless an order says otherwise.
        #[arg(long, default_value = "")]
        name: String,
        /// Where neighbours meet: its list of who may vouch for whom is taken from there.
        #[arg(long, value_name = "URL")]
        hub: Option<String>,
    },
    /// Sign in, so that this device orders for your account; the password comes from
    /// KIRANA_PASSWORD or a prompt, the code of a second factor from KIRANA_OTP.
    Login {
        /// Where the account is.
        #[arg(long, value_name = "URL")]
        hub: String,
        /// The account: an email address, a phone number or a chosen name.
        #[arg(long)]
        login: String,
    },
    /// Devices of one account: a new one is let in by one that is there, without a hub.
    Device {
        /// Which part of it.
        #[command(subcommand)]
        command: Device,
    },
    /// The shops that this household chose.
    Shops {
        /// What to do with them; lists them if left out.
        #[command(subcommand)]
        command: Option<Shops>,
    },
    /// Places that carry orders while a shop is away.
    Hub {
        /// What to do with them.
        #[command(subcommand)]
        command: Hubs,
    },
    /// Look for products in the saved catalogues; needs no network.
    Search(Search),
    /// What the saved catalogues are sorted by: categories, and how many products each has.
    Categories {
        /// Of this shop only: its id, or how its name begins.
        #[arg(long)]
        shop: Option<String>,
        /// In which language they are called: `en`, `hi`…
        #[arg(long, default_value = "en")]
        language: String,
    },
    /// What a product looks like: fetched once, then kept and shown without a network.
    Picture(Picture),
    /// What is to be bought: one cart or several.
    Cart {
        /// Which cart, by its name; the one called `cart` if left out.
        #[arg(long, global = true, value_name = "NAME")]
        cart: Option<String>,
        /// What to do with it; shows it if left out.
        #[command(subcommand)]
        command: Option<Cart>,
    },
    /// When a shop is open, where it brings things and for how much, and which spans of time may be
    /// chosen; needs no network.
    Slots {
        /// Which: its id, or how its name begins.
        #[arg(long)]
        shop: String,
        /// For what you collect, rather than for what is brought.
        #[arg(long)]
        pickup: bool,
        /// For how many days from today on.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=31))]
        days: u16,
    },
    /// Where orders are brought.
    Address {
        /// What to do with them; lists them if left out.
        #[command(subcommand)]
        command: Option<Addresses>,
    },
    /// Orders.
    Order {
        /// What to do.
        #[command(subcommand)]
        command: Order,
    },
    /// Khata, what is taken on credit: each shop's book as it came to this device.
    Khata {
        /// What to do; shows the books if left out.
        #[command(subcommand)]
        command: Option<Khata>,
    },
    /// Send what waits, fetch answers and catalogues.
    Sync(Sync),
    /// What was shown when, one line an order.
    Journal,
    /// Check all that is stored here; ends with 1 and a line for each fault.
    Verify,
    /// What time it is as far as anybody can know.
    Clock {
        /// Say that this computer's clock is right, although it jumped.
        #[arg(long)]
        confirm: bool,
    },
}

/// What to do with shops.
#[derive(Debug, Subcommand)]
pub enum Shops {
    /// Show them.
    List,
    /// Choose one and remember who its owner is.
    Add {
        /// Its address (`/ip4/…/tcp/…/p2p/…`), its page (`http://…`), or its id.
        target: String,
        /// What to call it, where it does not say itself.
        #[arg(long)]
        name: Option<String>,
    },
    /// Look for shops around a place.
    Find {
        /// Latitude and longitude, such as `12.97,77.59`.
        #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
        near: String,
    },
}

/// What to do with carriers.
#[derive(Debug, Subcommand)]
pub enum Hubs {
    /// Show them.
    List,
    /// Use one more.
    Add {
        /// Its address: `/ip4/…/tcp/…/p2p/…`.
        address: String,
    },
}

/// A picture of a product.
#[derive(Debug, Args)]
pub struct Picture {
    /// Its digest, as searches name it, or the product's id.
    #[arg(required_unless_present = "mib_max")]
    pub what: Option<String>,
    /// Writes it into this file, a JPEG.
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Fetches nothing: only what is kept here.
    #[arg(long)]
    pub offline: bool,
    /// How many MiB pictures may have together from now on; 64 until somebody says so. Those that
    /// nobody looked at for longest go first.
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub mib_max: Option<u64>,
}

/// A search.
#[derive(Debug, Args)]
pub struct Search {
    /// Words in any order, their beginnings, or a barcode.
    pub words: Vec<String>,
    /// In this shop only: its id, or how its name begins.
    #[arg(long)]
    pub shop: Option<String>,
    /// In this category and those below it only: its id, or its name in some language.
    #[arg(long)]
    pub category: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 20)]
    pub limit: u16,
    /// Where the page before ended.
    #[arg(long)]
    pub cursor: Option<String>,
}

/// What to do with the cart.
#[derive(Debug, Subcommand)]
pub enum Cart {
    /// Show it by the newest saved catalogue: what is dearer or cheaper than when it was put in, what is
    /// gone, and which shop is closed.
    Show,
    /// Put something in.
    Add {
        /// From which shop: its id, or how its name begins.
        shop: String,
        /// Which size or pack of which product: its id, its barcode, or words that find only it.
        variant: String,
        /// How much: `2`, `500g`, `1.5kg`, `750ml`, `2l`.
        amount: String,
    },
    /// Take something out.
    Remove {
        /// From which shop: its id, or how its name begins.
        shop: String,
        /// Which size or pack of which product: its id, its barcode, or words that find only it.
        variant: String,
    },
    /// Take everything out.
    Clear,
    /// Write it as plain text, a list a shop, to be sent to somebody.
    Share,
    /// Put in what an earlier order was for, as far as it is sold.
    Again {
        /// Which order.
        order: OrderId,
    },
    /// Put in what is usually ordered: whatever at least two of the last ten orders were for, as much as the
    /// newest of them.
    Usual,
    /// Make another cart.
    New {
        /// What to call it.
        name: String,
    },
    /// Show all carts.
    List,
    /// Call a cart something else.
    Rename {
        /// What it is called.
        name: String,
        /// What to call it.
        new: String,
    },
    /// Throw a cart away with all that is in it.
    Drop {
        /// What it is called.
        name: String,
    },
}

/// What to do with khatas. A book is named by its id, or by its shop's id or how that one's name
/// begins; it may be left out while there is only one.
#[derive(Debug, Subcommand)]
pub enum Khata {
    /// Show the balance, the limit and each entry; needs no network.
    Show {
        /// Which; all if left out.
        khata: Option<String>,
    },
    /// Sign that a book is right as it stands here; the shop gets it as a receipt.
    Countersign {
        /// Which.
        khata: Option<String>,
    },
    /// Say that a book is not right.
    Dispute {
        /// What is wrong.
        words: String,
        /// Which book.
        #[arg(long)]
        khata: Option<String>,
        /// The number of the entry that is wrong, as `khata show` lists it; the newest if left out.
        #[arg(long)]
        entry: Option<u32>,
    },
}

/// What to do with addresses.
#[derive(Debug, Subcommand)]
pub enum Addresses {
    /// Show them.
    List,
    /// Add one; the first becomes the usual one.
    Add(NewAddress),
    /// Remove one.
    Remove {
        /// What you call it.
        label: String,
    },
}

/// An address to be added.
#[derive(Debug, Args)]
pub struct NewAddress {
    /// What you call it, such as `home`.
    pub label: String,
    /// Street, house, landmark.
    pub text: String,
    /// Where to call.
    #[arg(long, default_value = "")]
    pub phone: String,
    /// The town.
    #[arg(long, default_value = "")]
    pub city: String,
    /// The state or region.
    #[arg(long, default_value = "")]
    pub region: String,
    /// The PIN or postcode.
    #[arg(long, default_value = "")]
    pub postcode: String,
    /// The country, as two letters: `IN`.
    #[arg(long, default_value = "")]
    pub country: String,
    /// Where that is, `LATITUDE,LONGITUDE` in degrees: a shop that brings things within some radius
    /// decides by it.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    pub position: Option<geohash::Place>,
    /// Make it the usual one.
    #[arg(long)]
    pub default: bool,
}

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum Order {
    /// Place what is in a cart, or the given items, one order a shop.
    Place(Place),
    /// Show where one order is, or all.
    Status {
        /// Which; all if left out.
        id: Option<OrderId>,
    },
    /// Show all, newest first.
    List,
    /// Take an order back that the shop has not decided yet.
    Withdraw {
        /// Which.
        id: OrderId,
    },
    /// Ask the shop to cancel an order that it has accepted.
    Cancel {
        /// Which.
        id: OrderId,
    },
    /// Show how an order is paid: by card, where the shop waits for that, the page on which it is
    /// confirmed, or by what another app confirms it; else by UPI a link, and a code for the app on a
    /// phone. The shop says when the money has come.
    Pay {
        /// Which.
        id: OrderId,
        /// As what.
        #[command(flatten)]
        show: ShownAs,
    },
    /// Write an order into a file, to be carried to the shop by hand.
    Export {
        /// Which.
        id: OrderId,
        /// Where to.
        file: PathBuf,
    },
    /// Take in a file that the shop made for this device.
    Receive {
        /// Which.
        file: PathBuf,
    },
    /// Ask for more, less or other goods, as long as nothing is packed.
    Change(Change),
    /// Answer the shop's question whether something else may come.
    Approve(Approve),
    /// Complain, say more about a complaint, accept what the shop offers, or go to the hub.
    Complain(Complain),
}

/// What is wanted otherwise in an order.
#[derive(Debug, Args)]
pub struct Change {
    /// Which order.
    pub id: OrderId,
    /// How much of a line is wanted: `LINE=AMOUNT`, with the line's number as `order status` shows it.
    #[arg(long, value_name = "LINE=AMOUNT")]
    pub set: Vec<String>,
    /// A line that is not wanted any more, by its number.
    #[arg(long, value_name = "LINE")]
    pub remove: Vec<u16>,
    /// What is wanted too: `VARIANT=AMOUNT`, as for `order place`.
    #[arg(long, value_name = "VARIANT=AMOUNT")]
    pub add: Vec<String>,
    /// Come and collect it after all.
    #[arg(long)]
    pub pickup: bool,
    /// In another span of time, as `kirana slots` lists them.
    #[arg(long, value_name = "WHEN")]
    pub slot: Option<String>,
}

/// An answer to the shop's question.
#[derive(Debug, Args)]
pub struct Approve {
    /// Which order.
    pub id: OrderId,
    /// The lines for which the proposal may come, by their numbers; all of them if left out.
    pub lines: Vec<u16>,
    /// Nothing of it may come.
    #[arg(long, conflicts_with = "lines")]
    pub none: bool,
}

/// A complaint.
#[derive(Debug, Args)]
pub struct Complain {
    /// Which order.
    pub id: OrderId,
    /// What happened, in your words.
    #[arg(default_value = "")]
    pub says: String,
    /// About what: `missing`, `faulty`, `wrong`, `late`, `sum` or `else`.
    #[arg(long, default_value = "else")]
    pub about: String,
    /// About which lines, by their numbers; the whole order if left out.
    #[arg(long = "line", value_name = "LINE")]
    pub lines: Vec<u16>,
    /// A photo (PNG, JPEG or WebP) for the shop; where and by what it was taken is left out.
    #[arg(long, value_name = "FILE")]
    pub photo: Option<std::path::PathBuf>,
    /// Accept what the shop offers.
    #[arg(long, conflicts_with = "escalate")]
    pub accept: bool,
    /// Take it to the hub: when the shop let its time pass, or said its word.
    #[arg(long)]
    pub escalate: bool,
}

/// An order to be placed.
#[derive(Debug, Args)]
pub struct Place {
    /// At this shop only: its id, or how its name begins.
    #[arg(long)]
    pub shop: Option<String>,
    /// Instead of the cart: `VARIANT=AMOUNT`, several times; needs --shop. VARIANT is an id, a
    /// barcode, or words that find only one.
    #[arg(long = "item", value_name = "VARIANT=AMOUNT", requires = "shop")]
    pub items: Vec<String>,
    /// What is in this cart; in the one called `cart` if left out.
    #[arg(long, value_name = "NAME", conflicts_with = "items")]
    pub cart: Option<String>,
    /// Come and collect it, rather than have it brought.
    #[arg(long)]
    pub pickup: bool,
    /// How it is paid.
    #[arg(long, value_enum, default_value = "on-delivery")]
    pub pay: Pay,
    /// Take a part of a line if there is not enough of it.
    #[arg(long)]
    pub partial: bool,
    /// For how many hours an answer is any use.
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=2160))]
    pub answer_within: u32,
    /// For whom; the name given at `init` if left out.
    #[arg(long)]
    pub name: Option<String>,
    /// Which of the addresses, by its label; the usual one if left out.
    #[arg(long)]
    pub to: Option<String>,
    /// What else the shop should know.
    #[arg(long, default_value = "")]
    pub note: String,
    /// In which span of time, as `kirana slots` lists them; a part of it will do: `"Sa 10:00"`.
    #[arg(long, value_name = "WHEN")]
    pub slot: Option<String>,
    /// How old you are at least, in years: some goods are sold from an age on, and whoever hands them
    /// over looks.
    #[arg(long, value_name = "YEARS")]
    pub of_age: Option<u8>,
    /// Only show what it comes to: nothing is placed.
    #[arg(long)]
    pub preview: bool,
}

/// A way of paying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pay {
    /// When the goods change hands.
    OnDelivery,
    /// Written into the khata at that shop, to be paid later.
    Khata,
    /// By UPI to the shop's own address: see `order pay`.
    Upi,
    /// By card: a sum is held when the shop takes the order, see `order pay`, and what it comes to is
    /// taken with the goods.
    Card,
}

/// A round of sending and fetching.
#[derive(Debug, Args)]
pub struct Sync {
    /// One round, which is also what happens when nothing is said.
    #[arg(long, conflicts_with = "seconds")]
    pub once: bool,
    /// Go on for so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<u32>,
    /// One way only.
    #[arg(long)]
    pub only: Option<Way>,
}

/// A way that orders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Straight to the shop.
    Direct,
    /// By the internet.
    Hub,
    /// By the neighbourhood.
    Community,
}

/// Letting another device in.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Shows this device, to be let in by another one of the account.
    Show {
        /// As what.
        #[command(flatten)]
        show: ShownAs,
    },
    /// Lets a new device in: it orders for your account from then on, at shops that know this one.
    Add {
        /// What the new device shows: `kirana-enrol:…`.
        request: Option<String>,
        /// Or a picture of it.
        #[command(flatten)]
        photos: Photos,
        /// How the answer is shown.
        #[command(flatten)]
        show: ShownAs,
        /// The ten digits that the new device shows; asked for if left out.
        #[arg(long, value_name = "DIGITS")]
        compare: Option<String>,
        /// Where carts, addresses and saved shops go, sealed to the new device.
        #[arg(long, value_name = "FILE")]
        snapshot: Option<PathBuf>,
    },
    /// Takes the answer of the device that let this one in.
    Import {
        /// `kirana-device:…`
        answer: Option<String>,
        /// Or a picture of it.
        #[command(flatten)]
        photos: Photos,
        /// The file that the other device wrote.
        #[arg(long, value_name = "FILE")]
        snapshot: Option<PathBuf>,
    },
}
