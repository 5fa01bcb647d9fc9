//! Where a transaction works: the shop, its open transaction, the time and the drawn randomness.
//!
//! **Invariant:** what a desk appends to an order is signed, stored, anchored in `heads.log` and
//! queued for the customer's device together, with what it writes into a khata, or not at all.

use std::{cell::Cell, collections::BTreeMap};

use kirana_core::{
    hash::Hash,
    id::OrderId,
    key::KeyId,
    known_time::KnownNow,
    order::{
        chain::{Chain, ChainFault},
        decide::Decision,
        entry::Body,
        wish::{Answer, Refusal, RefusalCode},
    },
    statement::{Party, SignedStatement},
    stock,
    time::UnixMs,
};
use kirana_migrations::{StoreError, Tx};
use rand_core::CryptoRng;

use super::{Inner, Once, known_time};
use crate::store::{
    orders::{self, OrderRow},
    outgoing,
    settings::{self, Setting},
};

/// The inside of one transaction.
pub(crate) struct Desk<'a, 't> {
    pub(crate) shop: &'a Inner,
    pub(crate) tx: &'a Tx<'t>,
    pub(crate) now: KnownNow,
    /// The own clock, whatever is known of it: by it calls are tried again, and nothing expires.
    pub(crate) clock: UnixMs,
    pub(crate) draws: Draws,
    /// Decisions that were made before: only a planted bug fills it.
    pub(crate) decided_apart: BTreeMap<Hash, Decision>,
    /// Orders that were taken in, as they stand.
    pub(crate) taken: Vec<(OrderRow, Chain)>,
    /// Damaged orders that are whole again.
    pub(crate) mended: Vec<OrderId>,
    /// The end of the ledger, once it was read: nobody else writes to it meanwhile.
    pub(crate) ledger: Cell<Option<stock::Head>>,
    /// Whether the owner lets what is written into a khata now pass its limit.
    pub(crate) beyond: bool,
}

impl<'a, 't> Desk<'a, 't> {
    /// Takes a seat: reads the clock against what was signed before.
    pub(crate) fn open(shop: &'a Inner, tx: &'a Tx<'t>, visit: &Visit) -> Result<Self, StoreError> {
        let mut known = known_time(tx)?;
        let before = known.clone();
        visit.signed_times.iter().for_each(|at| known.saw_signed(*at));
        let now = known.read(visit.now);
        // A reading a minute is enough to see a clock that jumped by days.
        let (new, old) = (known.now().at, before.now().at);
        if new.since(old) > KNOWN_TIME_STORED_MS
            || known.is_in_doubt() != before.is_in_doubt()
            || old == UnixMs::default()
        {
            settings::put(tx, Setting::KnownTime, &known)?;
        }
        Ok(Self {
            shop,
            tx,
            now,
            clock: visit.now,
            draws: visit.draws.clone(),
            decided_apart: visit.decided_apart.clone(),
            taken: Vec::new(),
            mended: Vec::new(),
            ledger: Cell::new(None),
            beyond: false,
        })
    }

    /// Why nothing may be written any more, if so.
    pub(crate) fn read_only(&self) -> Result<Option<String>, StoreError> {
        settings::get(self.tx, Setting::ReadOnly)
    }

    /// Signs and stores the next entry of an order.
    pub(crate) fn append(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        body: &Body,
    ) -> Result<SignedStatement, AppendError> {
        let (generation, key) = (self.shop.generation, &self.shop.keys.node.signing);
        let signed = chain.append(generation, self.now.at, body, key)?;
        orders::extend(self.tx, row.n, chain, chain.last().seq())?;
        outgoing::order_changed(self.tx, row.device.id(), row.n)?;
        self.follow_on_khata(row, chain)?;
        Ok(signed)
    }

    /// Signs a refusal, and keeps it unless it may be granted later.
    pub(crate) fn refuse(
        &mut self,
        request: &SignedStatement,
        to: Party,
        device: KeyId,
        code: RefusalCode,
    ) -> Result<SignedStatement, StoreError> {
        let answer = Answer::Refusal(Refusal { answers: request.hash(), code, line: None });
        let signed = self.sign_answer(request, to, &answer);
        if !code.is_passing() {
            let bytes = signed.bytes();
            outgoing::put_answer(self.tx, device, request.hash(), bytes, self.now.at)?;
        }
        Ok(signed)
    }

    /// Signs an answer to a request.
    pub(crate) fn sign_answer(
        &mut self,
        request: &SignedStatement,
        to: Party,
        answer: &Answer,
    ) -> SignedStatement {
        let (order, id) = (request.statement().order, self.draws.bytes());
        answer.sign(order, to, self.now.at, id, &self.shop.keys.node.signing)
    }
}

/// What somebody brings into a transaction: the time, signed times, and drawn randomness.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) now: UnixMs,
    pub(crate) signed_times: Vec<UnixMs>,
    pub(crate) draws: Draws,
    pub(crate) decided_apart: BTreeMap<Hash, Decision>,
    /// The sender's own name for what it brings, and the digest of that.
    pub(crate) once: Option<(Once, Hash)>,
    /// Whether an older box of this shop hands over what it knows.
    pub(crate) by_older_box: bool,
}

impl Visit {
    pub(crate) fn new(now: UnixMs, rng: &mut dyn CryptoRng) -> Self {
        Self {
            now,
            signed_times: Vec::new(),
            draws: Draws::from(rng),
            decided_apart: BTreeMap::new(),
            once: None,
            by_older_box: false,
        }
    }
}

/// Randomness for a transaction that may run twice: the same each time.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    seed: [u8; 32],
    count: u64,
}

impl Draws {
    pub(crate) fn from(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self { seed, count: 0 }
    }

    /// The next bytes; at most 32.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32) };
        self.count += 1;
        let digest = Hash::of_parts(&[b"kirana draw", &self.seed, &self.count.to_be_bytes()]);
        let mut bytes = [0; N];
        bytes.copy_from_slice(&digest.as_bytes()[..N]);
        bytes
    }
}

/// Why an entry was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// It does not fit the order as it stands.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AppendError {
    /// For entries that the program works out itself, where a misfit is a fault of its own.
    pub(crate) fn into_fault(self, row: &OrderRow) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Chain(fault) => {
                StoreError::damaged("the next entry of order", format!("{}: {fault}", row.id))
            }
        }
    }
}

const KNOWN_TIME_STORED_MS: u64 = 60_000;
