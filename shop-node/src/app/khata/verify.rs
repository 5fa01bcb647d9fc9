//! Walks the books and says what does not hold: their chains, what is noted beside them, and whether
//! orders, till and books say the same of the same money.

use kirana_core::{
    hash::Hash,
    id::ShopId,
    khata::{
        act::{Act, Line, Of},
        chain::Khata,
        exposure,
    },
    order::{
        chain::Chain,
        placed::Method,
        wish::{Said, Wish},
    },
    statement::UnverifiedStatement,
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{KhataRow, desk::moved, orders::on_khata};
use crate::store::{khata, orders::OrderRow, till};

/// What does not hold in the books themselves, and how many entries were walked.
pub(in crate::app) fn faults(
    c: &Connection,
    shop: ShopId,
) -> Result<(Vec<String>, u64), StoreError> {
    let (mut faults, mut entries, mut moves) = (Vec::new(), 0, 0);
    for row in khata::all(c)? {
        let book = match khata::chain(c, &row, shop) {
            Ok(book) => book,
            Err(fault) => {
                faults.push(fault.to_string());
                continue;
            }
        };
        entries += book.len() as u64;
        let mut say = |why: String| faults.push(format!("khata {}: {why}", row.id));
        check_row(&row, &book, &mut say);
        for entry in book.entries() {
            let (act, hash, seq) = (&entry.line().act, entry.hash(), entry.seq());
            if khata::seq_of(c, row.n, hash)? != Some(seq) {
                say(format!("the noted digest of entry {seq} is another"));
            }
            check_receipt(c, act, &mut say)?;
            if let Some(Of::Order { entry, .. }) = act.of()
                && !khata::order_has(c, entry)?
                && !row.waits_for_heads
            {
                say(format!("entry {seq} is for an order's entry that is not here ({entry})"));
            }
            if let Some((.., minor)) = moved(act) {
                moves += 1;
                check_till(c, (hash, seq, minor), &mut say)?;
            }
        }
    }
    let rows = till::count_of_khatas(c)?;
    if rows != moves {
        faults.push(format!("the till has {rows} payments of khatas, the khatas say {moves}"));
    }
    Ok((faults, entries))
}

fn check_row(row: &KhataRow, book: &Khata, say: &mut dyn FnMut(String)) {
    let mut fresh = row.clone();
    fresh.follow(book);
    if fresh != *row {
        say("its row says other than its entries".to_owned());
    }
}

/// The shop holds what the customer signed, with that balance.
fn check_receipt(c: &Connection, act: &Act, say: &mut dyn FnMut(String)) -> Result<(), StoreError> {
    let Some(request) = act.answers() else { return Ok(()) };
    // After a restore it may have been the lost box that had it.
    let Some((key, bytes)) = khata::request(c, request)? else { return Ok(()) };
    let read = UnverifiedStatement::parse(&bytes).ok();
    let signed = read.and_then(|read| read.verify(&key).ok());
    let said = signed.as_ref().and_then(|signed| Said::of(signed.statement()).ok());
    let same = match (act, said) {
        (Act::Countersigned(entry), Some(Said::Wish(Wish::Countersign(wish)))) => {
            (entry.head, entry.balance) == (wish.head, wish.balance)
        }
        (Act::Disputed(entry), Some(Said::Wish(Wish::Dispute(wish)))) => {
            (entry.head, entry.words) == (wish.head, wish.message)
        }
        _ => false,
    };
    if !same || signed.is_none_or(|signed| signed.hash() != request) {
        say(format!("what the customer signed ({request}) is not what was signed"));
    }
    Ok(())
}

fn check_till(
    c: &Connection,
    (entry, seq, minor): (Hash, u32, i64),
    say: &mut dyn FnMut(String),
) -> Result<(), StoreError> {
    match till::of_khata_entry(c, entry)? {
        Some(taken) if taken == minor => {}
        Some(taken) => say(format!("entry {seq} moved {minor}, the till has {taken}")),
        None => say(format!("entry {seq} moved {minor}, the till has nothing of it")),
    }
    Ok(())
}

/// Where an order and the book that it stands in disagree.
pub(in crate::app) fn of_order(
    c: &Connection,
    row: &OrderRow,
    chain: &Chain,
) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    for (index, entry) in chain.entries().iter().enumerate() {
        let Some((id, act)) = on_khata(chain, index).filter(|_| entry.is_acted_on()) else {
            continue;
        };
        let Some((_, bytes)) = khata::for_order_entry(c, entry.hash())? else {
            let book = khata::find(c, id)?;
            // It is written once the book's holder was heard.
            if book.is_none_or(|book| !book.waits_for_heads) {
                faults.push(format!("entry {index} is on khata, and no khata has it"));
            }
            continue;
        };
        let read = UnverifiedStatement::parse(&bytes).ok();
        let line =
            read.and_then(|read| Line::decode(read.claimed().kind, &read.claimed().body).ok());
        if line.is_none_or(|line| amount(&line.act) != amount(&act)) {
            faults.push(format!("entry {index} and its khata say different sums"));
        }
    }
    if chain.order().placed.payment == Method::OnKhata {
        let most = exposure(chain.order()).map_or(0, |most| most.minor);
        let held = khata::held_for(c, row.n)?.map_or(0, |(_, minor)| minor);
        if held > most {
            faults.push(format!("{held} are kept free in a khata, but it may still take {most}"));
        }
    }
    Ok(faults)
}

fn amount(act: &Act) -> Option<(bool, i64)> {
    match act {
        Act::Charged(charged) => Some((true, charged.amount.minor)),
        Act::Credited(credited) => Some((false, credited.amount.minor)),
        _ => None,
    }
}
