//! The shop's books as tables for a spreadsheet: orders, who did what with them, and stock.
//!
//! **Invariants:** no cell is a formula, whatever somebody typed; what is damaged is named in its
//! place and hides nothing else; no name, address or phone number of a customer is in it.

use kirana_core::{
    hash::Hash,
    money::Money,
    order::chain::Chain,
    statement::Party,
    stock::{Change, Movement},
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{Shop, cells::defused, orders::view};
use crate::store::{
    orders::{self, OrderRow},
    staff, stock,
};

/// A table: the name of its file, and the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Such as `orders.csv`.
    pub name: &'static str,
    /// CSV (RFC 4180), in UTF-8.
    pub csv: Vec<u8>,
}

/// Movements that are read at once.
const PAGE: u32 = 1_000;

const ORDERS: [&str; 13] = [
    "number",
    "order",
    "customer_kind",
    "customer",
    "stage",
    "placed_at",
    "currency",
    "sum_minor",
    "paid_minor",
    "refunded_minor",
    "owed_to_shop_minor",
    "owed_to_customer_minor",
    "last_entry",
];
const AUDIT: [&str; 10] = [
    "number",
    "order",
    "seq",
    "kind",
    "at",
    "generation",
    "hash",
    "hash_before",
    "done_by",
    "done_at_till",
];
const MOVEMENTS: [&str; 22] = [
    "seq",
    "at",
    "generation",
    "variant",
    "location",
    "kind",
    "amount",
    "reserved",
    "before",
    "counted",
    "moved_to",
    "entered_by",
    "order",
    "note",
    "lot",
    "best_before",
    "cost",
    "batches",
    "earned",
    "tax_bp",
    "of_sale",
    "hash",
];

impl Shop {
    /// All orders, the audit of their entries, and all movements of stock.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn books(&self) -> Result<Vec<Table>, StoreError> {
        self.reader().read(|c| {
            let (mut orders, mut audit) = (Sheet::new(&ORDERS), Sheet::new(&AUDIT));
            for n in orders::all_numbers(c)? {
                let row = orders::by_number(c, n)?;
                match orders::chain(c, &row) {
                    Ok(chain) => order(c, &row, &chain, (&mut orders, &mut audit))?,
                    Err(StoreError::Damaged { .. }) => orders.row(damaged(&row)),
                    Err(error) => return Err(error),
                }
            }
            let movements = movements(c)?;
            Ok(vec![
                orders.named("orders.csv"),
                audit.named("audit.csv"),
                movements.named("movements.csv"),
            ])
        })
    }
}

fn order(
    c: &Connection,
    row: &OrderRow,
    chain: &Chain,
    (orders, audit): (&mut Sheet, &mut Sheet),
) -> Result<(), StoreError> {
    let view = view(row, chain)?;
    let (totals, (kind, customer)) = (&view.totals, who(&row.customer));
    let due = totals.due.minor;
    orders.row(vec![
        row.number.clone(),
        row.id.to_string(),
        kind.to_owned(),
        customer,
        row.stage.clone(),
        row.placed_at.to_string(),
        totals.sum.currency.to_string(),
        totals.sum.minor.to_string(),
        totals.paid.minor.to_string(),
        totals.refunded.minor.to_string(),
        due.max(0).to_string(),
        due.min(0).unsigned_abs().to_string(),
        row.head.to_string(),
    ]);
    for entry in &view.entries {
        let done = staff::entry_by(c, entry.hash)?;
        audit.row(vec![
            row.number.clone(),
            row.id.to_string(),
            entry.seq.to_string(),
            entry.kind.to_owned(),
            entry.at.to_string(),
            entry.generation.to_string(),
            entry.hash.to_string(),
            text(entry.prev),
            text(done.map(|(who, _)| who)),
            text(done.and_then(|(_, till)| till)),
        ]);
    }
    Ok(())
}

fn damaged(row: &OrderRow) -> Vec<String> {
    let (kind, customer) = who(&row.customer);
    let mut cells = vec![row.number.clone(), row.id.to_string(), kind.to_owned(), customer];
    cells.extend(["damaged".to_owned(), row.placed_at.to_string()]);
    cells.resize(ORDERS.len(), String::new());
    cells
}

fn who(party: &Party) -> (&'static str, String) {
    match party {
        Party::Account(id) => ("account", id.to_string()),
        Party::Guest(key) => ("guest", key.to_string()),
        Party::Shop(id) => ("shop", id.to_string()),
    }
}

fn movements(c: &Connection) -> Result<Sheet, StoreError> {
    let (mut sheet, mut after) = (Sheet::new(&MOVEMENTS), 0);
    loop {
        let page = stock::movements(c, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(sheet) };
        after = *last;
        for (n, bytes) in page {
            let hash = Hash::of(&bytes).to_string();
            let n_signed = i64::try_from(n).unwrap_or(i64::MAX);
            match stock::parse(n_signed, &bytes) {
                Ok(movement) => sheet.row(movement_cells(&movement, hash)),
                Err(_) => {
                    let mut cells = vec![n.to_string()];
                    cells.resize(MOVEMENTS.len() - 1, String::new());
                    cells[5] = "damaged".to_owned();
                    cells.push(hash);
                    sheet.row(cells);
                }
            }
        }
    }
}

fn movement_cells(movement: &Movement, hash: String) -> Vec<String> {
    let (mut amount, mut reserved, mut counts, mut to) = (None, None, None, None);
    let lot = movement.lot.as_ref();
    let parts = movement.parts().iter();
    let batches: Vec<String> =
        parts.map(|part| format!("{}:{}", part.batch, part.amount)).collect();
    match movement.change {
        Change::Sale { amount: sold, reserved: kept } => {
            (amount, reserved) = (Some(sold), Some(kept))
        }
        Change::Stocktake { before, counted } => counts = Some((before, counted)),
        Change::Transfer { amount: moved, to: there } => (amount, to) = (Some(moved), Some(there)),
        Change::Receipt { amount: one }
        | Change::Reservation { amount: one }
        | Change::Release { amount: one }
        | Change::Wastage { amount: one }
        | Change::Return { amount: one } => amount = Some(one),
    }
    vec![
        movement.seq.to_string(),
        movement.at.to_string(),
        movement.generation.to_string(),
        movement.variant.to_string(),
        movement.location.to_string(),
        movement.change.label().to_owned(),
        text(amount),
        text(reserved),
        text(counts.map(|(before, _)| before)),
        text(counts.map(|(_, counted)| counted)),
        text(to),
        movement.by.to_string(),
        text(movement.order.map(|link| link.order)),
        movement.note.clone(),
        text(lot.and_then(|lot| lot.code.as_ref())),
        text(lot.and_then(|lot| lot.best_before)),
        text(lot.and_then(|lot| lot.cost).map(|cost| {
            let each = Money::new(cost.minor, cost.currency);
            format!("{each} for {}", cost.per)
        })),
        batches.join(" "),
        text(movement.earned.map(|earned| earned.sum)),
        text(movement.earned.map(|earned| earned.tax_bp)),
        text(movement.of_sale),
        hash,
    ]
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A table that is being written.
struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    fn new(head: &[&str]) -> Self {
        let mut sheet = Self(csv::Writer::from_writer(Vec::new()));
        sheet.row(head.iter().map(|name| (*name).to_owned()).collect());
        sheet
    }

    fn row(&mut self, cells: Vec<String>) {
        let cells = cells.into_iter().map(defused);
        self.0.write_record(cells).expect("rows of one length go into memory");
    }

    fn named(self, name: &'static str) -> Table {
        Table { name, csv: self.0.into_inner().expect("memory takes what is written") }
    }
}
