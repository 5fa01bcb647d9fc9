//! Reads a household's journal and its copies of the signed entries, straight from its file.
//!
//! **Invariant:** what is counted follows from signed bytes whose links were checked here; the
//! household's own summaries are not used.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use anyhow::{Context, bail, ensure};
use kirana_core::hash::Hash;
use kirana_core::order::entry::Body;
use kirana_core::order::placed::Placed;
use kirana_core::statement::{Position, UnverifiedStatement};
use rusqlite::{Connection, OpenFlags};

use super::{OrderSeen, Path, Verdict};

/// All orders in the journal of `household`; `shops` translates shop ids into the story's names.
///
/// # Errors
/// When the file cannot be read or an entry does not follow the one before.
pub fn read(
    file: &FilePath,
    household: &str,
    shops: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<OrderSeen>> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("{household}'s journal cannot be opened"))?;
    let mut select = database.prepare(
        "SELECT journal.order_id, shop_id, first_path FROM journal JOIN customer_order USING (order_id)
         ORDER BY journal.order_id",
    )?;
    let rows = select.query_map([], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    let mut orders = Vec::new();
    for row in rows {
        let (order, shop, path) = row?;
        let id = name(&order)?;
        let shop = name(&shop)?;
        let account =
            Account::of(&entries(&database, &order)?).with_context(|| format!("order {id}"))?;
        let turned_away = is_refused(&database, &order)?;
        let seen = account.into_seen(
            id,
            household,
            shops.get(&shop).cloned().unwrap_or(shop),
            path.as_deref().map(route).transpose()?,
        );
        orders.push(OrderSeen { turned_away: turned_away && !seen.taken_in, ..seen });
    }
    Ok(orders)
}

fn name(id: &[u8]) -> anyhow::Result<String> {
    Ok(uuid::Uuid::from_slice(id)?.hyphenated().to_string())
}

fn route(name: &str) -> anyhow::Result<Path> {
    let known = Path::ALL.into_iter().find(|path| path.name() == name);
    known.with_context(|| format!("a journal knows a path {name:?}"))
}

/// The entries of the chain that holds, first to last.
fn entries(database: &Connection, order: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut select = database
        .prepare_cached("SELECT bytes FROM entry WHERE order_id = ?1 AND lost = 0 ORDER BY seq")?;
    let rows = select.query_map([order], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the shop's signed refusal about the order is kept.
fn is_refused(database: &Connection, order: &[u8]) -> anyhow::Result<bool> {
    let mut select =
        database.prepare_cached("SELECT EXISTS (SELECT 1 FROM refusal WHERE order_id = ?1)")?;
    Ok(select.query_row([order], |row| row.get(0))?)
}

/// What an order's entries add up to, kept line by line.
#[derive(Debug, Default)]
struct Account {
    taken_in: bool,
    verdicts: Vec<Verdict>,
    completed: bool,
    lines: Vec<Line>,
    /// Lines that are packed and handed over together.
    groups: Vec<Vec<u16>>,
}

#[derive(Debug)]
struct Line {
    variant: String,
    granted: u64,
    handed_over: bool,
}

impl Account {
    fn of(entries: &[Vec<u8>]) -> anyhow::Result<Self> {
        let mut account = Self::default();
        let mut before: Option<Hash> = None;
        for bytes in entries {
            let entry = UnverifiedStatement::parse(bytes)?;
            let Position::Entry { prev, .. } = entry.claimed().position else {
                bail!("a request stands among the entries");
            };
            ensure!(prev == before, "an entry does not follow the one before");
            before = Some(entry.hash());
            account.add(&Body::decode(entry.claimed().kind, &entry.claimed().body)?)?;
        }
        Ok(account)
    }

    fn add(&mut self, body: &Body) -> anyhow::Result<()> {
        self.taken_in |= !matches!(body, Body::Placed(_));
        match body {
            Body::Placed(placed) => self.place(placed)?,
            Body::Accepted(accepted) => {
                self.verdicts.push(Verdict::Accepted);
                for granted in &accepted.lines {
                    self.line(granted.line)?.granted = granted.granted;
                }
            }
            Body::Declined(_) => self.verdicts.push(Verdict::Declined),
            Body::Withdrawn(_) => self.verdicts.push(Verdict::Withdrawn),
            Body::Expired(_) => self.verdicts.push(Verdict::Expired),
            Body::Cancelled(_) => self.lines.iter_mut().for_each(|line| line.granted = 0),
            Body::Packing(packing) if !packing.lines.is_empty() => self.split(&packing.lines),
            Body::Packed(packed) => {
                for weighed in &packed.weighed {
                    self.line(weighed.line)?.granted = weighed.amount;
                }
            }
            Body::Collected(of) | Body::Delivered(of) => {
                for line in self.group(of.group) {
                    self.line(line)?.handed_over = true;
                }
            }
            Body::ReturnedToShop(of) => {
                for line in self.group(of.group) {
                    self.line(line)?.granted = 0;
                }
            }
            Body::Shortage(shortage) => {
                for short in &shortage.lines {
                    self.line(short.line)?.granted = short.granted;
                }
            }
            Body::Changed(changed) => {
                for granted in &changed.lines {
                    self.line(granted.line)?.granted = granted.granted;
                }
                for refused in &changed.refused {
                    self.line(refused.line)?.granted = 0;
                }
            }
            Body::Completed(_) => self.completed = true,
            _ => {}
        }
        Ok(())
    }

    fn place(&mut self, placed: &Placed) -> anyhow::Result<()> {
        ensure!(self.lines.is_empty(), "an order was placed twice in one chain");
        for wanted in &placed.lines {
            let variant = wanted.variant.to_string();
            self.lines.push(Line { variant, granted: 0, handed_over: false });
        }
        let all = (0..placed.lines.len()).map(u16::try_from).collect::<Result<_, _>>()?;
        self.groups = vec![all];
        Ok(())
    }

    fn split(&mut self, leaving: &[u16]) {
        self.groups.iter_mut().for_each(|group| group.retain(|line| !leaving.contains(line)));
        self.groups.push(leaving.to_vec());
    }

    fn group(&self, number: u8) -> Vec<u16> {
        self.groups.get(usize::from(number)).cloned().unwrap_or_default()
    }

    fn line(&mut self, index: u16) -> anyhow::Result<&mut Line> {
        self.lines.get_mut(usize::from(index)).context("an entry names a line that is not there")
    }

    fn into_seen(self, id: String, household: &str, shop: String, path: Option<Path>) -> OrderSeen {
        let units = |lines: &mut dyn Iterator<Item = &Line>| {
            let mut sum: BTreeMap<String, u64> = BTreeMap::new();
            for line in lines.filter(|line| line.granted > 0) {
                *sum.entry(line.variant.clone()).or_default() += line.granted;
            }
            sum
        };
        OrderSeen {
            id,
            household: household.to_owned(),
            shop,
            path,
            taken_in: self.taken_in,
            turned_away: false,
            verdicts: self.verdicts,
            completed: self.completed,
            promised: units(&mut self.lines.iter()),
            handed_over: units(&mut self.lines.iter().filter(|line| line.handed_over)),
        }
    }
}
