//! Takes in mail and parcels: opens, checks, acts in one transaction, and seals the reply.
//!
//! **Invariant (P1):** the reply is made of what was committed; the same mail again gets the same
//! signed entries, and what is refused leaves nothing behind.

use std::sync::Arc;

use kirana_core::{
    envelope::{self, Parcel},
    hash::Hash,
    id::OrderId,
    key::KeyId,
    mail::{Address, Mail},
    order::{chain::Chain, entry::Body, wish::Said},
    planted::{Bug, is_planted},
    revocation::SignedList,
    time::UnixMs,
    trust::{Certified, Trust},
};
use kirana_migrations::{Abort, StoreError, Tx, rusqlite::Connection};
use rand_core::CryptoRng;

use super::{
    Inner, Once, Shop, Undeliverable,
    checked::Against,
    desk::{Desk, Visit},
    once::{Before, request_hash},
    orders::{OrderView, view},
    reading::{self, By, Reading},
};
use crate::store::{
    known,
    orders::{self, OrderRow},
    outgoing,
    settings::{self, Setting},
    stock,
};

/// What became of a delivery.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// One for each statement, in the order they came.
    pub outcomes: Vec<Outcome>,
    /// The sealed reply to the device that wrote, if a device wrote.
    pub reply: Option<Mail>,
}

/// What became of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The order is here, with its entries.
    Order {
        /// Its number in this database.
        n: i64,
        /// Its id.
        id: OrderId,
        /// Whether it was not here before.
        new: bool,
    },
    /// It was answered with this signed refusal or reply.
    Answered {
        /// The answer.
        bytes: Vec<u8>,
    },
    /// It stands in a khata, on this page.
    Khata {
        /// Its number in this database.
        n: i64,
        /// The page of entries that tells.
        page: u32,
    },
    /// It was kept or known already, and asks for nothing.
    Noted,
}

/// What is remembered of a key under which an order came for the first time.
const WAS_NEW: &[u8] = b"new";

impl Shop {
    /// Takes in a piece of mail for this shop, as it came from anybody.
    ///
    /// # Errors
    /// [`Undeliverable`]; then nothing was changed.
    pub fn deliver(
        &self,
        mail: &Mail,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Delivered, Undeliverable> {
        if mail.to != Address::Shop(self.id()) {
            return Err(Undeliverable::NotForUs { to: mail.to });
        }
        // Asked first: what only the newer box can open is not for this one to throw away.
        if let Some(why) = self.read_only()? {
            return Err(Undeliverable::ReadOnly { why });
        }
        let parcel = envelope::open(&mail.sealed, &self.keys().openers())?;
        // A list inside may be what tells that the sender was shut out.
        let trust = self.trust_with(&parcel)?;
        let stamped = self.stamped(mail, &trust, now)?;
        let by_older_box = self.is_older_box(stamped.sender());
        self.take_in_by(Brought { by_older_box, ..Brought::default() }, parcel, now, rng)
    }

    /// Takes in an opened parcel, such as one that a device posts over HTTP.
    ///
    /// # Errors
    /// [`Undeliverable`]; then nothing was changed.
    pub fn take_in(
        &self,
        parcel: &Parcel,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Delivered, Undeliverable> {
        self.take_in_by(Brought::default(), parcel.clone(), now, rng)
    }

    fn take_in_by(
        &self,
        how: Brought,
        parcel: Parcel,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Delivered, Undeliverable> {
        let Acted { outcomes, device, .. } = self.act_on(parcel, how, now, rng)?;
        let reply = match device {
            Some(device) => Some(self.reply(&outcomes, &device, now, rng)?),
            None => None,
        };
        Ok(Delivered { outcomes, reply })
    }

    /// [`Shop::take_in`] for a device that waits at the door, as far as nothing is written: the rest
    /// is [`Shop::take_in_at_the_door`].
    ///
    /// # Errors
    /// As there.
    pub fn check_at_the_door(
        &self,
        once: Option<Once>,
        parcel: Parcel,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Checked, Undeliverable> {
        self.check(parcel, Brought { once, ..Brought::default() }, now, rng)
    }

    /// Takes in what was checked: nothing is sealed for the device, and a new order is shown as it
    /// stands. Under a key that was used before, an order that was new then is said to be new again.
    ///
    /// # Errors
    /// As [`Shop::take_in`], and [`Undeliverable::KeyReused`].
    pub async fn take_in_at_the_door(
        &self,
        checked: Checked,
    ) -> Result<(Vec<Outcome>, Option<OrderView>), Undeliverable> {
        let (device, job) = checked.job(self.inner.clone());
        let acted = Acted::of(self.writer().write_async(job).await?, device)?;
        let shown = acted.taken.first().map(|(row, chain)| view(row, chain)).transpose()?;
        Ok((acted.outcomes, shown))
    }

    /// [`Shop::take_in`] where the shop itself wrote, so that nobody waits for a reply, with what is written
    /// down beside new orders, in the same transaction.
    pub(super) fn take_in_with(
        &self,
        parcel: Parcel,
        beside: Beside,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), Undeliverable> {
        let how = Brought { beside: Some(beside), ..Brought::default() };
        self.act_on(parcel, how, now, rng).map(drop)
    }

    fn act_on(
        &self,
        parcel: Parcel,
        how: Brought,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Acted, Undeliverable> {
        let (device, job) = self.check(parcel, how, now, rng)?.job(self.inner.clone());
        Acted::of(self.writer().write(job)?, device)
    }

    fn check(
        &self,
        parcel: Parcel,
        how: Brought,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Checked, Undeliverable> {
        let (reading, trust) = self.reader().read(|c| self.read(c, &parcel, now))?;
        if reading.statements.is_empty() && parcel.lists.is_empty() {
            return Err(Undeliverable::Empty);
        }
        let mut visit = Visit::new(now, rng);
        visit.signed_times = signed_times(&reading, &trust);
        visit.by_older_box = how.by_older_box;
        visit.once = how.once.map(|once| (once, request_hash(&("bring", &parcel))));
        if is_planted(Bug::SplitTheDecision) {
            self.reserve_apart(&reading, &mut visit)?;
        }
        Ok(Checked { parcel, reading, visit, beside: how.beside })
    }

    /// Checks a parcel against one committed state: whom the shop trusts in it, and its clock.
    fn read(
        &self,
        c: &Connection,
        parcel: &Parcel,
        now: UnixMs,
    ) -> Result<(Reading, Arc<Trust>), Undeliverable> {
        let (trust_revision, trust) = self.inner.trust_in(c)?;
        let known = super::known_time(c)?.read(now);
        let trust = with_lists(trust, parcel);
        let before = parcel.lists.is_empty().then_some((&self.inner.checked, trust_revision));
        let against = Against { trust: &trust, before };
        let reading = reading::read(c, parcel, self.id(), &against, known)?;
        Ok((Reading { trust_revision, ..reading }, trust))
    }

    /// The trust as it will be once the parcel's lists are taken in.
    pub(crate) fn trust_with(&self, parcel: &Parcel) -> Result<Arc<Trust>, StoreError> {
        Ok(with_lists(self.trust()?, parcel))
    }
}

fn with_lists(trust: Arc<Trust>, parcel: &Parcel) -> Arc<Trust> {
    if parcel.lists.is_empty() {
        return trust;
    }
    let mut trust = Trust::clone(&trust);
    for list in &parcel.lists {
        // A stranger's list changes nothing, and its bearer may know no better.
        let _ = trust.admit_list(list);
    }
    Arc::new(trust)
}

/// How a parcel comes.
#[derive(Default)]
struct Brought {
    /// The sender's own name for it.
    once: Option<Once>,
    /// An older box of this shop hands it over.
    by_older_box: bool,
    /// What is written down beside new orders.
    beside: Option<Beside>,
}

/// What is written down beside new orders, in the transaction that takes them in.
pub(super) type Beside =
    Box<dyn FnMut(&Tx<'_>, &[(OrderRow, Chain)]) -> Result<(), StoreError> + Send>;

/// A parcel whose signatures hold, and that nobody acted on.
pub struct Checked {
    parcel: Parcel,
    reading: Reading,
    visit: Visit,
    beside: Option<Beside>,
}

impl Checked {
    /// The device that brought it, if a device did, and what is to be done in one transaction.
    fn job(
        self,
        shop: Arc<Inner>,
    ) -> (Option<Certified>, impl FnMut(&Tx<'_>) -> Result<Ended, Abort<Undeliverable>> + Send)
    {
        let Self { parcel, reading, visit, mut beside } = self;
        let device = reading.statements.iter().find_map(|read| match &read.by {
            By::Customer(device) => Some(device.certified.clone()),
            By::Node { .. } => None,
        });
        let job = move |tx: &Tx<'_>| {
            let ended = shop.act(tx, &reading, &parcel, &visit)?;
            if let (Ended::Done { taken, .. }, Some(beside)) = (&ended, &mut beside) {
                beside(tx, taken)?;
            }
            Ok(ended)
        };
        (device, job)
    }
}

/// What was done about a parcel, and for whom.
struct Acted {
    outcomes: Vec<Outcome>,
    /// New orders, as they stand.
    taken: Vec<(OrderRow, Chain)>,
    device: Option<Certified>,
}

impl Acted {
    fn of(ended: Ended, device: Option<Certified>) -> Result<Self, Undeliverable> {
        match ended {
            Ended::Done { outcomes, taken, mended } => {
                for order in mended {
                    tracing::warn!(order.id = %order, "a damaged order was mended by its customer");
                }
                Ok(Self { outcomes, taken, device })
            }
            Ended::Stopped(why) => Err(Undeliverable::ReadOnly { why }),
        }
    }
}

/// How a transaction about a parcel ended.
enum Ended {
    Done {
        outcomes: Vec<Outcome>,
        taken: Vec<(OrderRow, Chain)>,
        mended: Vec<OrderId>,
    },
    /// A box was met that outranks this one; that is stored, and nothing else is.
    Stopped(String),
}

impl Inner {
    /// Acts on a parcel in one transaction.
    fn act(
        &self,
        tx: &Tx<'_>,
        reading: &Reading,
        parcel: &Parcel,
        visit: &Visit,
    ) -> Result<Ended, Abort<Undeliverable>> {
        let mut desk = Desk::open(self, tx, visit)?;
        desk.take_lists(parcel)?;
        desk.check_again(reading)?;
        if let Some(why) = desk.read_only()? {
            return Err(Abort::Refused(Undeliverable::ReadOnly { why }));
        }
        if let Some(why) = desk.meet_boxes(reading)? {
            settings::put(tx, Setting::ReadOnly, &why)?;
            return Ok(Ended::Stopped(why));
        }
        let before = desk.brought_before(visit)?;
        desk.mend(reading)?;
        desk.adopt(reading)?;
        desk.adopt_books(reading, visit.by_older_box)?;
        let mut outcomes = Vec::new();
        for read in &reading.statements {
            let By::Customer(device) = &read.by else { continue };
            let key = device.certified.key().id();
            known::put_chain(tx, key, &device.chain, desk.now.at)?;
            desk.meet_countersigned(&device.certified)?;
            match &read.said {
                Said::Entry(Body::Placed(placed)) => desk.check_anchors(&placed.anchors)?,
                Said::Wish(wish) => desk.check_anchors(wish.anchors())?,
                _ => {}
            }
            let new = match &read.said {
                Said::Entry(Body::Placed(placed)) => desk.place(read, device, (placed, parcel))?,
                Said::Wish(wish) => desk.grant(read, device, (wish, parcel))?,
                Said::Entry(_) | Said::Khata(_) | Said::Answer(_) => {
                    return Err(Abort::Refused(Undeliverable::WrongAuthor));
                }
                // From a later version: neither acted on nor refused for ever.
                Said::Unknown { .. } => vec![Outcome::Noted],
            };
            if let ([Outcome::Order { n, new: false, .. }, ..], Said::Entry(_)) =
                (&new[..], &read.said)
            {
                desk.keep_personal_parts(*n, parcel)?;
            }
            outcomes.extend(new);
        }
        if visit.by_older_box {
            desk.go_on_from_older_box(&outcomes)?;
        }
        desk.remember_brought(visit, before, &mut outcomes)?;
        Ok(Ended::Done { outcomes, taken: desk.taken, mended: desk.mended })
    }
}

impl Desk<'_, '_> {
    /// What is known of the key under which something is brought: whether its order was new then.
    /// Taking it in again has no effect of its own, so that is done, key or not.
    fn brought_before(&self, visit: &Visit) -> Result<Option<bool>, Abort<Undeliverable>> {
        let Some((once, request)) = &visit.once else { return Ok(None) };
        match self.before(Some(once), *request)? {
            Before::New => Ok(None),
            Before::Done(answer) => Ok(Some(answer == WAS_NEW)),
            Before::Other => Err(Abort::Refused(Undeliverable::KeyReused)),
        }
    }

    fn remember_brought(
        &self,
        visit: &Visit,
        before: Option<bool>,
        outcomes: &mut [Outcome],
    ) -> Result<(), StoreError> {
        let Some((once, request)) = &visit.once else { return Ok(()) };
        match (before, outcomes.first_mut()) {
            (Some(was_new), Some(Outcome::Order { new, .. })) => *new = was_new,
            (Some(_), _) => {}
            (None, first) => {
                let is_new = matches!(first, Some(Outcome::Order { new: true, .. }));
                let answer = if is_new { WAS_NEW } else { &[] };
                self.remember(Some(once), *request, answer)?;
            }
        }
        Ok(())
    }

    pub(crate) fn take_lists(&self, parcel: &Parcel) -> Result<(), StoreError> {
        if parcel.lists.is_empty() {
            return Ok(());
        }
        let mut trust = super::founding::trust_from(self.tx, &self.shop.identity)?;
        let mut news = false;
        for bytes in &parcel.lists {
            if trust.admit_list(bytes) != Ok(true) {
                continue;
            }
            for list in trust.lists().filter(|list| list.bytes() == &bytes[..]) {
                news |= self.keep_list(list)?;
            }
        }
        if news { self.trust_changed() } else { Ok(()) }
    }

    /// P8: a chain cannot see its own missing end, but customers were told where it was. After a
    /// restore they may rightly know of an end that is gone.
    fn check_anchors(&self, anchors: &[Hash]) -> Result<(), StoreError> {
        for anchor in anchors.iter().filter(|_| self.shop.generation == 1) {
            if !stock::has_hash(self.tx, self.shop.identity.shop, *anchor)? {
                stock::put_missing_anchor(self.tx, *anchor, self.now.at)?;
            }
        }
        Ok(())
    }

    pub(crate) fn keep_list(&self, list: &SignedList) -> Result<bool, StoreError> {
        let (issuer, number) = (list.issuer(), list.list().number);
        known::put_list(self.tx, issuer, number, list.bytes(), self.now.at)
    }

    /// Tells this and other processes to read again whom the shop trusts.
    pub(crate) fn trust_changed(&self) -> Result<(), StoreError> {
        super::trust_changed(self.tx)
    }

    /// P6: what counts is whether a key is shut out now, in this transaction, not when it signed.
    fn check_again(&self, reading: &Reading) -> Result<(), Abort<Undeliverable>> {
        if super::trust_revision(self.tx)? == reading.trust_revision {
            return Ok(());
        }
        let trust = super::founding::trust_from(self.tx, &self.shop.identity)?;
        for read in &reading.statements {
            if let By::Customer(device) = &read.by {
                let checked = super::devices::check(self.tx, &trust, &device.chain, self.now);
                checked.map_err(|error| match error {
                    Undeliverable::Store(error) => Abort::Store(error),
                    refused => Abort::Refused(refused),
                })?;
            }
        }
        Ok(())
    }

    fn keep_personal_parts(&mut self, n: i64, parcel: &Parcel) -> Result<(), StoreError> {
        if parcel.personal.is_empty() {
            return Ok(());
        }
        let row = orders::by_number(self.tx, n)?;
        let Some(chain) = self.whole(&row)? else { return Ok(()) };
        let Some(hash) = chain.order().placed.personal else { return Ok(()) };
        match parcel.personal_part(hash) {
            Some(part) => self.keep_personal_part(&row.customer, hash, part),
            None => Ok(()),
        }
    }
}

fn signed_times(reading: &Reading, trust: &Trust) -> Vec<UnixMs> {
    let certified = reading.statements.iter().filter_map(|read| match &read.by {
        By::Customer(device) => Some(device.certified.signed_at()),
        By::Node { .. } => None,
    });
    certified.chain([trust.newest_signed()]).collect()
}

/// What a reply to a device is made of.
pub(crate) struct ReplyTo {
    pub(crate) device: KeyId,
    pub(crate) orders: Vec<i64>,
    pub(crate) answers: Vec<Vec<u8>>,
    /// Pages of khatas.
    pub(crate) pages: Vec<(i64, u32)>,
}

impl ReplyTo {
    pub(crate) fn of(device: KeyId, outcomes: &[Outcome]) -> Self {
        let (orders, answers, pages) = (Vec::new(), Vec::new(), Vec::new());
        let mut reply = Self { device, orders, answers, pages };
        for outcome in outcomes {
            match outcome {
                Outcome::Order { n, .. } => reply.orders.push(*n),
                Outcome::Answered { bytes } => reply.answers.push(bytes.clone()),
                Outcome::Khata { n, page } => reply.pages.push((*n, *page)),
                Outcome::Noted => {}
            }
        }
        reply.orders.sort_unstable();
        reply.orders.dedup();
        reply
    }

    pub(crate) fn from_waiting(device: KeyId, what: &outgoing::What) -> Self {
        let (orders, answers, pages) = match what {
            outgoing::What::Order(n) => (vec![*n], Vec::new(), Vec::new()),
            outgoing::What::Answer(bytes) => (Vec::new(), vec![bytes.clone()], Vec::new()),
            outgoing::What::Khata { n, page } => (Vec::new(), Vec::new(), vec![(*n, *page)]),
        };
        Self { device, orders, answers, pages }
    }
}
