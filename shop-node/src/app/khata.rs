//! Khata, the shop's credit books: who may take on credit, up to what, who owes since when.
//!
//! **Invariant:** money moves once: a charge stands in the book in the transaction that signs the
//! order's entry or moves the goods, a payment in the till in the transaction that signs the book's.

use kirana_core::{
    cbor,
    envelope::{Parcel, PersonalPart},
    hash::Hash,
    id::{AccountId, KhataId},
    key::KeyId,
    khata::{
        act::{Act, Charged, Closed, Credited, GivenUp, LimitSet, Line, Moved, Opened, Reminded},
        book::Misstep,
        chain::{EntryShown, Tip},
    },
    money::Money,
    order::{facts::Means, personal::Personal},
    statement::{Party, UnverifiedStatement},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use rand_core::CryptoRng;

use super::{
    Inner, Once, Shop,
    access::By,
    desk::{Desk, Visit},
    erased::Erased,
    once::{Before, request_hash},
    refusal::NotStored,
};
use crate::store::{
    callers,
    khata::{self, KhataRow},
    staff,
};

mod adopt;
mod desk;
mod hear;
mod join;
mod orders;
mod paper;
mod reminders;
mod verify;

pub(super) use hear::HeardBooks;
pub use orders::OnCredit;
pub use paper::NotPrinted;
pub use reminders::Due;
pub(super) use verify::{faults, of_order};

/// The longest words about an entry, in bytes.
pub const WORDS_BYTES_MAX: usize = 500;
/// The longest name or phone number, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// A book as lists show it; sums in minor units of the shop's currency.
#[derive(Debug, Clone)]
pub struct KhataView {
    /// What is noted of it.
    pub row: KhataRow,
    /// What accepted orders may still take.
    pub held: i64,
    /// Who it is, where the shop wrote that down and was not made to forget.
    pub person: Option<Personal>,
    /// Whether a device of theirs hears of it: not where the shop itself keeps their key.
    pub by_device: bool,
    /// Whether nothing but the customer's own signature was written since that was given.
    pub signed_newest: bool,
}

impl KhataView {
    /// Whether more is owed than may be.
    pub fn is_over(&self) -> bool {
        self.row.balance > self.row.limit
    }

    /// What may still be taken.
    pub fn room(&self) -> i64 {
        let taken = self.row.balance.saturating_add(self.held);
        self.row.limit.saturating_sub(taken).max(0)
    }
}

/// A book with its entries.
#[derive(Debug, Clone)]
pub struct KhataBook {
    /// As lists show it.
    pub view: KhataView,
    /// Its entries, the opening first.
    pub entries: Vec<EntryView>,
    /// Entries that lost to those of a later box: kept, to be looked at.
    pub lost: usize,
}

/// An entry of a book.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// What it says.
    pub shown: EntryShown,
    /// The words that belong to it; nothing where they were erased or there are none.
    pub words: Option<String>,
    /// Who had it written.
    pub by: Option<(KeyId, Option<KeyId>)>,
}

/// A book to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKhata {
    /// Who holds the other copy; nobody while the person has no device.
    pub holder: Option<Party>,
    /// The person's name.
    pub name: String,
    /// The person's phone number.
    pub phone: String,
    /// What may be owed.
    pub limit: Money,
    /// What was owed before, by the notebook.
    pub opening: Money,
}

/// What a person writes into a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writing {
    /// Something was taken on credit; `beyond` with the owner's say past the limit.
    Charge {
        /// How much.
        amount: Money,
        /// What it was.
        words: String,
        /// Whether it may pass the limit.
        beyond: bool,
    },
    /// Money came in for it.
    Pay(Money, Means, String),
    /// Money that the shop owed goes back.
    PayOut(Money, Means, String),
    /// Less is owed, by the owner's word.
    Credit(Money, String),
    /// Another limit.
    Limit(Money),
    /// Money is given up.
    WriteOff(Money, String),
    /// The book ends.
    Close,
    /// The person has a device now.
    Claim(Party),
    /// The person is reminded; the words as they are sent.
    Remind(String),
    /// After a restore the owner goes on without hearing the holder.
    GoOn,
    /// What stands in a second book of one holder is brought into the first.
    Join,
    /// The person is forgotten, the sums stay.
    Forget,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// There is no such book.
    #[error("there is no such khata")]
    Unknown,
    /// The customer has none.
    #[error("this customer has no khata that is open")]
    NoKhata,
    /// It does not fit the book.
    #[error(transparent)]
    Misstep(#[from] Misstep),
    /// After a restore its holder has to be heard first.
    #[error("khata {0} waits until its holder's device was heard: it may know of more entries")]
    Waits(KhataId),
    /// Its stored entries are not what was signed.
    #[error("khata {0} is damaged: see `kirana-shop verify`")]
    Damaged(KhataId),
    /// The customer has one already.
    #[error("this customer has a khata already: {0}")]
    HasOne(KhataId),
    /// It was charged already.
    #[error(
        "this order stands in the khata by an entry of an earlier box: have its customer's device \
         bring its copy of the order first"
    )]
    ChargedBefore,
    /// An order stands in one book.
    #[error("a part of this order stands in another khata")]
    OtherKhata,
    /// It came back beside another book of its holder.
    #[error(
        "khata {0} came back beside another one of the same customer: look at both and join them \
         first"
    )]
    StandsAside(KhataId),
    /// It stands alone already.
    #[error("khata {0} stands beside no other one")]
    StandsAlone(KhataId),
    /// Orders will still be written into it.
    #[error("orders that were accepted are still to be written into khata {0}")]
    StillHeld(KhataId),
    /// Neither a device nor a name.
    #[error("a khata is for an account, a guest's device, or a person with a name")]
    Nobody,
    /// Words that are too long, or missing where somebody writes by hand.
    #[error("say what it is for, in up to {WORDS_BYTES_MAX} bytes")]
    Words,
    /// A name or number that is too long.
    #[error("a name or phone number has up to {NAME_CHARS_MAX} characters")]
    Name,
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request: take a fresh one")]
    KeyReused,
    /// This box changes nothing any more.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotWritten> for Abort<NotWritten> {
    fn from(why: NotWritten) -> Self {
        match why {
            NotWritten::Store(error) => Self::Store(error),
            refused => Self::Refused(refused),
        }
    }
}

impl Shop {
    /// All books, open ones first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn khatas(&self) -> Result<Vec<KhataView>, StoreError> {
        self.reader().read(|c| {
            let rows = khata::all(c)?.into_iter();
            rows.map(|row| self.inner.khata_view(c, row)).collect()
        })
    }

    /// The name of a book: its own, or its holder's account or device key.
    ///
    /// # Errors
    /// [`NotWritten::Unknown`].
    pub fn find_khata(&self, named: &str) -> Result<KhataId, NotWritten> {
        self.reader().read(|c| {
            if let Ok(id) = named.parse::<KhataId>()
                && khata::find(c, id)?.is_some()
            {
                return Ok(id);
            }
            let account = named.parse::<AccountId>().ok().map(Party::Account);
            let holder = account.or_else(|| named.parse::<KeyId>().ok().map(Party::Guest));
            let holder = holder.ok_or(NotWritten::Unknown)?;
            let open = khata::of_holder(c, &holder)?;
            let row = match open {
                Some(row) => Some(row),
                None => khata::all_of(c, &holder)?.pop(),
            };
            row.map(|row| row.id).ok_or(NotWritten::Unknown)
        })
    }

    /// A book with its entries, every signature checked.
    ///
    /// # Errors
    /// [`NotWritten::Unknown`], or [`NotWritten::Damaged`].
    pub fn khata(&self, id: KhataId) -> Result<KhataBook, NotWritten> {
        self.reader().read(|c| {
            let row = khata::find(c, id)?.ok_or(NotWritten::Unknown)?;
            let chain = khata::chain(c, &row, self.id()).map_err(|e| damaged(&row, e))?;
            let mut entries = Vec::new();
            for entry in chain.entries() {
                let words = match &entry.line().act {
                    Act::Opened(_) => None,
                    act => match act.words() {
                        Some(hash) => self.inner.khata_part(c, &row, hash)?,
                        None => None,
                    },
                };
                let words = words.map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
                let by = staff::entry_by(c, entry.hash())?;
                entries.push(EntryView { shown: entry.shown(), words, by });
            }
            let lost = khata::lost_bytes(c, row.n)?.len();
            Ok(KhataBook { view: self.inner.khata_view(c, row)?, entries, lost })
        })
    }

    /// Opens a book.
    ///
    /// # Errors
    /// [`NotWritten`]; nothing was changed.
    pub fn open_khata(
        &self,
        once: Option<Once>,
        new: NewKhata,
        by: Option<By>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<KhataView, NotWritten> {
        let request = request_hash(&("open khata", &new));
        self.at_the_book(once, request, now, rng, move |desk| desk.open_khata(&new, by))
    }

    /// Writes into a book, once for each key.
    ///
    /// # Errors
    /// [`NotWritten`]; nothing was changed.
    pub fn write_khata(
        &self,
        once: Option<Once>,
        (id, writing): (KhataId, Writing),
        by: Option<By>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<KhataView, NotWritten> {
        let request = request_hash(&("write khata", id, &writing));
        let forgets = writing == Writing::Forget;
        let written = self.at_the_book(once, request, now, rng, move |desk| {
            let mut row = khata::find(desk.tx, id)?.ok_or(NotWritten::Unknown)?;
            desk.put_down(&mut row, &writing, by)?;
            Ok(row.id)
        });
        if forgets {
            self.note_erased();
        }
        written
    }

    /// Does something about a book, once for each key, and shows it as it stands then.
    fn at_the_book(
        &self,
        once: Option<Once>,
        request: Hash,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        mut work: impl FnMut(&mut Desk<'_, '_>) -> Result<KhataId, NotWritten> + Send + 'static,
    ) -> Result<KhataView, NotWritten> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let written = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            let id = match desk.before(once.as_ref(), request)? {
                Before::New => {
                    if let Some(why) = desk.read_only()? {
                        return Err(Abort::Refused(NotWritten::ReadOnly(why)));
                    }
                    let id = work(&mut desk)?;
                    desk.remember(once.as_ref(), request, id.as_bytes())?;
                    id
                }
                Before::Other => return Err(Abort::Refused(NotWritten::KeyReused)),
                Before::Done(id) => KhataId::from_slice(&id)
                    .ok_or_else(|| StoreError::damaged("an answer", "no khata"))?,
            };
            let row = khata::find(tx, id)?.ok_or(NotWritten::Unknown)?;
            Ok(inner.khata_view(tx, row)?)
        });
        Ok(written?)
    }
}

impl Inner {
    fn khata_view(&self, c: &Connection, row: KhataRow) -> Result<KhataView, StoreError> {
        let held = khata::held_in(c, row.n, None)?;
        let person = match row.personal {
            Some(hash) => self.khata_part(c, &row, hash)?,
            None => None,
        };
        let person = person.and_then(|part| Personal::read(&part.bytes).ok());
        let by_device = match row.holder {
            Some(Party::Guest(key)) => callers::sealed(c, key)?.is_none(),
            holder => holder.is_some(),
        };
        let signed = row.signed.map(|(_, head, _)| khata::seq_of(c, row.n, head)).transpose()?;
        let signed_newest = signed.flatten().is_some_and(|seq| seq + 1 == row.seq);
        Ok(KhataView { row, held, person, by_device, signed_newest })
    }

    /// Puts a page of a book into a parcel, with the words that belong to it; says how many bytes.
    pub(super) fn put_khata_page(
        &self,
        c: &Connection,
        (n, page): (i64, u32),
        parcel: &mut Parcel,
    ) -> Result<usize, StoreError> {
        let (row, mut bytes) = (khata::by_number(c, n)?, 0);
        for entry in khata::page_bytes(c, n, page)? {
            let read = UnverifiedStatement::parse(&entry).ok();
            let line =
                read.and_then(|read| Line::decode(read.claimed().kind, &read.claimed().body).ok());
            // Name and phone are the shop's own note; the holder knows them.
            let words = line.filter(|line| !matches!(line.act, Act::Opened(_)));
            if let Some(hash) = words.and_then(|line| line.act.words()) {
                let part = self.khata_part(c, &row, hash)?;
                bytes += part.as_ref().map_or(0, |part| part.bytes.len());
                parcel.personal.extend(part);
            }
            bytes += entry.len();
            parcel.statements.push(entry.into());
        }
        Ok(bytes)
    }

    /// What is personal about a book, by its hash; nothing where it was erased or never came.
    pub(super) fn khata_part(
        &self,
        c: &Connection,
        row: &KhataRow,
        hash: Hash,
    ) -> Result<Option<PersonalPart>, StoreError> {
        let (Some(wrapped), Some(sealed)) = (&row.wrapped_key, khata::part(c, row.n, hash)?) else {
            return Ok(None);
        };
        let wrong = || StoreError::damaged("what is written about khata", row.id);
        let key = self.keys.unwrap(wrapped).ok_or_else(wrong)?;
        let plain = kirana_core::at_rest::open(&key, &[], &sealed).ok_or_else(wrong)?;
        let part: PersonalPart =
            cbor::from_slice("words", &plain, PART_BYTES_MAX).map_err(|_| wrong())?;
        if part.hash() == hash { Ok(Some(part)) } else { Err(wrong()) }
    }
}

/// The longest stored part, in bytes: far beyond what is written.
const PART_BYTES_MAX: usize = 16 * 1024;

fn damaged(row: &KhataRow, error: StoreError) -> NotWritten {
    match error {
        StoreError::Damaged { .. } => NotWritten::Damaged(row.id),
        error => NotWritten::Store(error),
    }
}

impl Desk<'_, '_> {
    fn open_khata(&mut self, new: &NewKhata, by: Option<By>) -> Result<KhataId, NotWritten> {
        let name = new.name.trim();
        if new.holder.is_none() && name.is_empty() || matches!(new.holder, Some(Party::Shop(_))) {
            return Err(NotWritten::Nobody);
        }
        let fits = |text: &str| text.chars().count() <= NAME_CHARS_MAX;
        if !fits(name) || !fits(&new.phone) || name.chars().any(char::is_control) {
            return Err(NotWritten::Name);
        }
        if let Some(holder) = &new.holder
            && let Some(row) = khata::of_holder(self.tx, holder)?
        {
            return Err(NotWritten::HasOne(row.id));
        }
        let key: [u8; 32] = self.draws.bytes();
        let wrapped = self.shop.keys.wrap(&key, self.draws.bytes());
        let person = Personal {
            name: name.to_owned(),
            phone: new.phone.trim().to_owned(),
            ..Personal::default()
        };
        let part = (person != Personal::default())
            .then(|| PersonalPart { salt: self.draws.bytes(), bytes: cbor::to_vec(&person) });
        let id = KhataId::new(self.now.at, self.draws.bytes());
        let personal = part.as_ref().map(PersonalPart::hash);
        let opened = Opened { opening: new.opening, limit: new.limit, personal };
        let (shop, generation) = (self.shop.identity.shop, self.shop.generation);
        if opened.opening.currency != self.shop.identity.currency {
            let (ours, theirs) = (self.shop.identity.currency, opened.opening.currency);
            return Err(Misstep::from(kirana_core::money::MoneyError::CurrenciesDiffer(
                ours, theirs,
            ))
            .into());
        }
        let node = &self.shop.keys.node.signing;
        let first = Tip::begin(id, shop, new.holder, generation, self.now.at, opened, node)?;
        let row = self.begin_khata(&first, Some(wrapped))?;
        if let Some(part) = part {
            self.keep_khata_part(&row, &part)?;
        }
        self.written_by(first.hash(), by)?;
        Ok(id)
    }

    /// Writes down what a person wants.
    pub(super) fn put_down(
        &mut self,
        row: &mut KhataRow,
        writing: &Writing,
        by: Option<By>,
    ) -> Result<(), NotWritten> {
        let needs_one = !matches!(writing, Writing::GoOn | Writing::Forget | Writing::Join);
        if row.aside && needs_one {
            return Err(NotWritten::StandsAside(row.id));
        }
        let act = match writing {
            Writing::Join => return self.join(row, by),
            Writing::GoOn => return self.go_on_with(row),
            Writing::Forget => {
                Erased::Khata(row.id).erase(self.tx)?;
                return Ok(());
            }
            Writing::Claim(holder) => return self.claim(row, *holder, by),
            Writing::Charge { amount, words, beyond } => {
                let words = self.words(row, words, true)?;
                Act::Charged(Charged { amount: *amount, of: None, words, beyond: *beyond })
            }
            Writing::Pay(amount, means, words) => {
                let words = self.words(row, words, false)?;
                Act::Paid(Moved { amount: *amount, means: *means, words })
            }
            Writing::PayOut(amount, means, words) => {
                let words = self.words(row, words, false)?;
                Act::PaidOut(Moved { amount: *amount, means: *means, words })
            }
            Writing::Credit(amount, words) => {
                let words = self.words(row, words, true)?;
                Act::Credited(Credited { amount: *amount, of: None, words })
            }
            Writing::WriteOff(amount, words) => {
                let words = self.words(row, words, true)?;
                Act::WrittenOff(GivenUp { amount: *amount, words })
            }
            Writing::Limit(limit) => Act::LimitSet(LimitSet { limit: *limit }),
            Writing::Remind(words) => {
                Act::Reminded(Reminded { words: self.words(row, words, true)? })
            }
            Writing::Close => {
                if khata::held_in(self.tx, row.n, None)? > 0 {
                    return Err(NotWritten::StillHeld(row.id));
                }
                Act::Closed(Closed {})
            }
        };
        let hash = self.write_in(row, &act, None)?;
        self.written_by(hash, by)?;
        self.take_for_khata(&act, hash, by.map(|by| by.who))
    }

    fn written_by(&self, entry: Hash, by: Option<By>) -> Result<(), NotWritten> {
        match by {
            Some(By { who, till }) => Ok(staff::put_entry_by(self.tx, entry, who, till)?),
            None => Ok(()),
        }
    }

    /// Keeps words, and gives the hash by which an entry names them.
    fn words(
        &mut self,
        row: &KhataRow,
        words: &str,
        needed: bool,
    ) -> Result<Option<Hash>, NotWritten> {
        let words = words.trim();
        if words.len() > WORDS_BYTES_MAX || needed && words.is_empty() {
            return Err(NotWritten::Words);
        }
        if words.is_empty() {
            return Ok(None);
        }
        let part = PersonalPart { salt: self.draws.bytes(), bytes: words.as_bytes().to_vec() };
        self.keep_khata_part(row, &part)?;
        Ok(Some(part.hash()))
    }
}
