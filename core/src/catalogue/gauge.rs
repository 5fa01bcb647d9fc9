//! Measures an Automerge change without unpacking it: how many operations it would cost.
//!
//! **Invariant:** the work done here grows with the bytes alone. Run lengths are added up, never
//! expanded, since a run of a billion operations fits into ten bytes.
//!
//! The format is that of Automerge's change chunks. Staff send them not compressed, so that the
//! limit on bytes is a limit on memory too; a compressed one is refused by its type.

/// The longest change, in bytes.
pub const CHANGE_BYTES_MAX: usize = 64 * 1024;
/// The most operations of one change.
pub const CHANGE_OPERATIONS_MAX: u64 = 4_096;
/// The most changes that one change may follow directly, and the most actors it may name.
const NAMES_MAX: u64 = 64;
/// The longest actor id or commit message, in bytes.
const NAME_BYTES_MAX: u64 = 64;
/// The longest key of a map, in bytes; a run of keys is one key in the bytes but many in memory.
const KEY_BYTES_MAX: u64 = 1_024;

/// What a change would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    /// How many operations it holds.
    pub operations: u64,
}

/// Measures one change chunk.
///
/// # Errors
/// [`Unacceptable`] names the first reason why it is not even to be unpacked.
pub fn gauge(change: &[u8]) -> Result<Gauge, Unacceptable> {
    if change.len() > CHANGE_BYTES_MAX {
        return Err(Unacceptable::Bytes(change.len()));
    }
    let mut read = Reader(change);
    if read.take(4)? != MAGIC {
        return Err(Unacceptable::Damaged);
    }
    let checksum = read.take(4)?;
    // Automerge does not look at the checksum of a lone change.
    let sound = crate::hash::Hash::of(read.0).as_bytes()[..4] == *checksum;
    if read.take(1)? != [CHANGE_CHUNK] {
        return Err(Unacceptable::Compressed);
    }
    if read.unsigned()? != read.0.len() as u64 {
        return Err(Unacceptable::Damaged);
    }
    let followed = read.unsigned_at_most(NAMES_MAX)?;
    read.take(32 * followed)?;
    read.name()?;
    read.unsigned()?; // The sequence number.
    read.unsigned()?; // The first operation's number.
    read.signed()?; // The time.
    read.name()?; // The message.
    let actors = read.unsigned_at_most(NAMES_MAX)?;
    (0..actors).try_for_each(|_| read.name().map(drop))?;
    let gauge = columns(&mut read, actors)?;
    if sound { Ok(gauge) } else { Err(Unacceptable::Damaged) }
}

/// Walks the columns of operations. All of them are bounded, since the decoder asks each of them
/// for every operation.
fn columns(read: &mut Reader<'_>, actors: u64) -> Result<Gauge, Unacceptable> {
    let count = read.unsigned_at_most(COLUMNS_MAX)?;
    let mut shapes = Vec::new();
    for _ in 0..count {
        shapes.push((read.unsigned()?, read.unsigned()?));
    }
    let mut gauge = Gauge { operations: 0 };
    for (kind, len) in shapes {
        let mut column = Reader(read.take(len)?);
        match kind {
            ACTION => {
                gauge.operations = column.runs(Item::Unsigned, |n, action| {
                    matches!(action, MAKE_MAP | SET | DELETE) && n > 0
                })?
            }
            OBJECT_ACTOR | PREDECESSOR_ACTOR => {
                column.runs(Item::Unsigned, |_, actor| actor <= actors)?;
            }
            // A group's values say how many predecessors each operation names.
            PREDECESSORS => {
                let mut sum = 0_u64;
                column.runs(Item::Unsigned, |n, each| {
                    sum = sum.saturating_add(n.saturating_mul(each));
                    sum <= CHANGE_OPERATIONS_MAX
                })?;
            }
            OBJECT_COUNTER => drop(column.runs(Item::Unsigned, |_, n| n <= COUNTER_MAX)?),
            VALUE_SHAPE => drop(column.runs(Item::Unsigned, |_, _| true)?),
            PREDECESSOR_COUNTER => drop(column.runs(Item::Signed, |_, _| true)?),
            KEY => drop(column.runs(Item::Text, |_, bytes| bytes <= KEY_BYTES_MAX)?),
            INSERT => column.all_false()?,
            VALUE => {}
            // Keys of lists, marks and expansions: the catalogue is made of maps only.
            _ if len == 0 => {}
            _ => return Err(Unacceptable::Foreign),
        }
    }
    if gauge.operations == 0 {
        return Err(Unacceptable::Damaged);
    }
    Ok(gauge)
}

enum Item {
    Unsigned,
    Signed,
    Text,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: u64) -> Result<&'a [u8], Unacceptable> {
        let len = usize::try_from(len).map_err(|_| Unacceptable::Damaged)?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Unacceptable::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned LEB128 number.
    fn unsigned(&mut self) -> Result<u64, Unacceptable> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        // A tenth byte means 2^63 or more: nothing here is that large.
        Err(Unacceptable::Damaged)
    }

    /// A signed LEB128 number.
    fn signed(&mut self) -> Result<i64, Unacceptable> {
        let mut value = 0_i64;
        for shift in (0..63).step_by(7) {
            let byte = self.take(1)?[0];
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64 - (shift + 7);
                return Ok(value << unused >> unused);
            }
        }
        Err(Unacceptable::Damaged)
    }

    fn unsigned_at_most(&mut self, max: u64) -> Result<u64, Unacceptable> {
        match self.unsigned()? {
            n if n <= max => Ok(n),
            n => Err(Unacceptable::Operations(n)),
        }
    }

    fn name(&mut self) -> Result<&'a [u8], Unacceptable> {
        let len = self.unsigned_at_most(NAME_BYTES_MAX)?;
        self.take(len)
    }

    /// Adds up the run lengths of a column; `fits` is asked about each run's length and value (for
    /// text its length).
    fn runs(
        &mut self,
        item: Item,
        mut fits: impl FnMut(u64, u64) -> bool,
    ) -> Result<u64, Unacceptable> {
        let mut total = 0_u64;
        while !self.0.is_empty() {
            let length = self.signed()?;
            let (count, values) = match length {
                0 => (self.unsigned()?, 0),
                run if run > 0 => (run.unsigned_abs(), 1),
                literal => (literal.unsigned_abs(), literal.unsigned_abs()),
            };
            total = total.saturating_add(count);
            if total > CHANGE_OPERATIONS_MAX {
                return Err(Unacceptable::Operations(total));
            }
            for _ in 0..values {
                let value = self.value(&item)?;
                if !fits(if length > 0 { count } else { 1 }, value) {
                    return Err(Unacceptable::Foreign);
                }
            }
        }
        Ok(total)
    }

    fn value(&mut self, item: &Item) -> Result<u64, Unacceptable> {
        match item {
            Item::Unsigned => self.unsigned(),
            Item::Signed => self.signed().map(i64::unsigned_abs),
            Item::Text => {
                let len = self.unsigned()?;
                self.take(len).map(|_| len)
            }
        }
    }

    /// Booleans are run lengths that alternate from false on.
    fn all_false(&mut self) -> Result<(), Unacceptable> {
        let run = if self.0.is_empty() { 0 } else { self.unsigned()? };
        if run > CHANGE_OPERATIONS_MAX {
            return Err(Unacceptable::Operations(run));
        }
        if self.0.is_empty() { Ok(()) } else { Err(Unacceptable::Foreign) }
    }
}

/// A change that is refused before it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// Longer than [`CHANGE_BYTES_MAX`].
    #[error("a change of {0} bytes is too long; at most {max} are allowed", max = CHANGE_BYTES_MAX)]
    Bytes(usize),
    /// More operations, or names, than one change may have.
    #[error("a change of {0} operations is too large; at most {max} are allowed", max = CHANGE_OPERATIONS_MAX)]
    Operations(u64),
    /// Not a plain change chunk.
    #[error("changes are sent one by one and not compressed")]
    Compressed,
    /// Operations that no catalogue has: lists, marks, counters.
    #[error("the change holds operations that no catalogue has")]
    Foreign,
    /// The bytes do not follow the format.
    #[error("the change is damaged")]
    Damaged,
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;
const COLUMNS_MAX: u64 = 16;
/// Automerge counts operations in 32 bits.
const COUNTER_MAX: u64 = u32::MAX as u64;

// Columns: their number times sixteen, plus their kind.
const OBJECT_ACTOR: u64 = 0x01;
const OBJECT_COUNTER: u64 = 0x02;
const KEY: u64 = 0x15;
const INSERT: u64 = 0x34;
const ACTION: u64 = 0x42;
const VALUE_SHAPE: u64 = 0x56;
const VALUE: u64 = 0x57;
const PREDECESSORS: u64 = 0x70;
const PREDECESSOR_ACTOR: u64 = 0x71;
const PREDECESSOR_COUNTER: u64 = 0x73;

// Actions.
const MAKE_MAP: u64 = 0;
const SET: u64 = 1;
const DELETE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::{Automerge, ObjType, ROOT, transaction::Transactable};

    fn change(fill: impl FnOnce(&mut automerge::transaction::Transaction<'_>)) -> Vec<u8> {
        let mut doc = Automerge::new();
        let mut tx = doc.transaction();
        fill(&mut tx);
        tx.commit();
        doc.get_last_local_change().expect("a change").raw_bytes().to_vec()
    }

    #[test]
    fn the_count_is_that_of_automerge_itself() {
        for n in [1_u64, 2, 100, CHANGE_OPERATIONS_MAX - 1] {
            let bytes = change(|tx| {
                let map = tx.put_object(ROOT, "m", ObjType::Map).expect("a map");
                (1..n).for_each(|i| tx.put(&map, format!("k{}", i % 7), i).expect("a value"));
            });
            let read = automerge::Change::from_bytes(bytes.clone()).expect("a change");
            assert_eq!(gauge(&bytes).map(|g| g.operations), Ok(read.len() as u64));
        }
    }

    #[test]
    fn one_operation_past_the_limit_is_refused() {
        let of = |n| change(|tx| (0..n).for_each(|i| tx.put(ROOT, "k", i).expect("a value")));
        assert!(gauge(&of(CHANGE_OPERATIONS_MAX)).is_ok());
        let past = gauge(&of(CHANGE_OPERATIONS_MAX + 1));
        assert!(matches!(past, Err(Unacceptable::Operations(_))), "{past:?}");
    }

    #[test]
    fn lists_text_and_counters_are_foreign() {
        let list = change(|tx| drop(tx.put_object(ROOT, "l", ObjType::List).expect("a list")));
        assert_eq!(gauge(&list), Err(Unacceptable::Foreign));
        let text = change(|tx| {
            let text = tx.put_object(ROOT, "t", ObjType::Text).expect("a text");
            tx.splice_text(&text, 0, 0, "rice").expect("letters");
        });
        assert_eq!(gauge(&text), Err(Unacceptable::Foreign));
    }

    #[test]
    fn a_bomb_of_run_lengths_is_counted_and_never_expanded() {
        // One column of actions with a run of 2^60 deletions.
        let mut body = vec![0, 1, 9, 1, 1, 0, 0, 0];
        let run = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x03];
        body.extend([1, 0x42, run.len() as u8]);
        body.extend(run);
        let mut bytes = MAGIC.to_vec();
        bytes.extend([0, 0, 0, 0, CHANGE_CHUNK, body.len() as u8]);
        bytes.extend(body);
        assert_eq!(gauge(&bytes), Err(Unacceptable::Operations(1 << 60)));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = change(|tx| tx.put(ROOT, "key", "value").expect("a value"));
        for len in 0..good.len() {
            assert!(gauge(&good[..len]).is_err());
        }
        for place in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[place] ^= flip;
                let _ = gauge(&bytes);
            }
        }
    }

    #[test]
    fn a_compressed_change_is_refused_by_its_type() {
        let mut doc = Automerge::new();
        let mut tx = doc.transaction();
        tx.put(ROOT, "key", "rice ".repeat(1000)).expect("a value");
        tx.commit();
        let mut change = doc.get_last_local_change().expect("a change");
        assert_eq!(gauge(&change.bytes()), Err(Unacceptable::Compressed));
    }
}
