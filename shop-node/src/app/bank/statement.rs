//! Reads a bank's statement: a table of text in whatever columns, date forms and encoding that bank
//! has.
//!
//! **Invariant:** a line that cannot be read is named with its number, and takes no other with it;
//! money that went out is no line of ours.

use std::{collections::BTreeMap, io::Cursor};

use jiff::civil::Date;
use kirana_core::{day::Day, hash::Hash, money::Currency};

use crate::app::import::{Locale, NotImported, price, text_table};
use crate::store::bank::Line;

/// The largest statement, in bytes.
pub const STATEMENT_BYTES_MAX: u64 = 1024 * 1024;
/// The longest text of a line that is kept, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// The fewest digits of a number that a bank gives to one line alone.
const REFERENCE_DIGITS_MIN: usize = 6;

/// What a column of a statement holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The day on which it was booked.
    Date,
    /// What came in.
    Credit,
    /// What came in where it is above zero, or is marked as such, and what went out otherwise.
    Amount,
    /// Whether a line came in (`CR`) or went out (`DR`).
    Sign,
    /// What the payer or the bank wrote.
    Text,
    /// The bank's own number of the line.
    Reference,
}

impl Column {
    /// The column of a word, as somebody maps it.
    pub fn named(word: &str) -> Option<Self> {
        let all = [
            ("date", Self::Date),
            ("credit", Self::Credit),
            ("amount", Self::Amount),
            ("sign", Self::Sign),
            ("text", Self::Text),
            ("reference", Self::Reference),
        ];
        all.into_iter().find(|(known, _)| *known == word).map(|(_, column)| column)
    }

    /// What banks call them, without blanks and points.
    fn guessed(header: &str) -> Option<Self> {
        let word: String = header.chars().filter(|c| c.is_alphanumeric()).collect();
        Some(match &*word.to_lowercase() {
            "date" | "txndate" | "transactiondate" | "valuedate" | "postingdate" | "trandate" => {
                Self::Date
            }
            "credit" | "creditamount" | "creditinr" | "deposit" | "deposits" | "depositamt"
            | "depositamount" | "depositamountinr" | "paidin" | "moneyin" => Self::Credit,
            "amount" | "amountinr" | "transactionamount" => Self::Amount,
            "crdr" | "drcr" | "type" | "transactiontype" => Self::Sign,
            "narration" | "description" | "particulars" | "remarks" | "details"
            | "transactionremarks" | "transactiondetails" => Self::Text,
            "reference" | "referenceno" | "refno" | "refnochequeno" | "chqrefno"
            | "chqrefnumber" | "utr" | "utrno" | "rrn" | "transactionid" | "tranid" => {
                Self::Reference
            }
            _ => return None,
        })
    }
}

/// A statement as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// What came in, from the first line to the last.
    pub lines: Vec<Line>,
    /// Lines that cannot be read, by their number in the file, and why.
    pub refused: Vec<(u64, String)>,
}

/// What is no statement.
#[derive(Debug, thiserror::Error)]
pub enum NotAStatement {
    /// It cannot be read as a table.
    #[error(transparent)]
    Table(#[from] NotImported),
    /// A column that is needed is not there.
    #[error(
        "no column of it is known to be the {0}: say which one is, as in {{\"Buchungstag\":\"date\"}}"
    )]
    NoColumn(&'static str),
    /// A mapping names something else.
    #[error("«{0}» is not what a column can hold: date, credit, amount, sign, text or reference")]
    NoSuchColumn(String),
}

/// Reads a statement; `map` says which column holds what, where the usual names do not.
///
/// # Errors
/// [`NotAStatement`].
pub fn read(
    bytes: &[u8],
    map: &BTreeMap<String, String>,
    locale: Locale,
    currency: Currency,
) -> Result<Statement, NotAStatement> {
    let (header, rows) = text_table(Cursor::new(bytes), STATEMENT_BYTES_MAX)?;
    let columns = columns(&header, map)?;
    let (mut statement, mut seen) = (Statement::default(), BTreeMap::<Hash, u32>::new());
    for (number, row) in rows {
        let cells = match row {
            Ok(cells) => cells,
            Err(why) => {
                statement.refused.push((number, why.to_string()));
                continue;
            }
        };
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let cell = |column| {
            let at: Option<&usize> = columns.get(&column);
            at.and_then(|at| cells.get(*at)).map_or("", |cell| cell.trim())
        };
        match line(&cell, (locale, currency), &mut seen) {
            Ok(line) => statement.lines.extend(line),
            Err(why) => statement.refused.push((number, why)),
        }
    }
    Ok(statement)
}

fn columns(
    header: &[String],
    map: &BTreeMap<String, String>,
) -> Result<BTreeMap<Column, usize>, NotAStatement> {
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        let column = match map.get(name.trim()) {
            Some(word) => {
                let known = Column::named(word);
                Some(known.ok_or_else(|| NotAStatement::NoSuchColumn(word.clone()))?)
            }
            None => Column::guessed(name),
        };
        // What somebody says counts before what a name looks like, and the first before others.
        if let Some(column) = column {
            let is_said = map.contains_key(name.trim());
            if is_said || !columns.contains_key(&column) {
                columns.insert(column, at);
            }
        }
    }
    if !columns.contains_key(&Column::Date) {
        return Err(NotAStatement::NoColumn("date"));
    }
    if !columns.contains_key(&Column::Credit) && !columns.contains_key(&Column::Amount) {
        return Err(NotAStatement::NoColumn("credit"));
    }
    Ok(columns)
}

fn line<'a>(
    cell: &impl Fn(Column) -> &'a str,
    (locale, currency): (Locale, Currency),
    seen: &mut BTreeMap<Hash, u32>,
) -> Result<Option<Line>, String> {
    let (credit, amount) = (cell(Column::Credit), cell(Column::Amount));
    let came_in = match &*cell(Column::Sign).to_lowercase() {
        "" => !amount.starts_with('-'),
        "c" | "cr" | "cr." | "credit" | "deposit" | "dep" | "+" => true,
        "d" | "dr" | "dr." | "db" | "debit" | "withdrawal" | "wdl" | "-" => false,
        other => {
            return Err(format!("«{other}» says neither that it came in nor that it went out"));
        }
    };
    if !came_in {
        return Ok(None);
    }
    let sum = if credit.is_empty() { amount } else { credit };
    let sum = sum.trim_start_matches('+').trim();
    if sum.is_empty() {
        return Ok(None);
    }
    let minor = price(sum, locale, currency).map_err(|_| format!("«{sum}» is no sum"))?;
    if minor == 0 {
        return Ok(None);
    }
    let date = cell(Column::Date);
    let day = day(date).ok_or_else(|| format!("«{date}» is no date"))?;
    let text: String = cell(Column::Text).chars().filter(|c| !c.is_control()).collect();
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let given = cell(Column::Reference);
    // Some banks write the same words or a dash beside every line: a number of its own has digits.
    let digits = given.trim_start_matches('0').chars().filter(char::is_ascii_digit).count();
    let reference = match digits >= REFERENCE_DIGITS_MIN {
        true => given.chars().filter(|c| !c.is_control()).take(120).collect(),
        false => {
            // Two payments of one sum on one day are two, in one file and in the next.
            let parts: [&[u8]; 3] =
                [text.as_bytes(), &minor.to_be_bytes(), &day.get().to_be_bytes()];
            let digest = Hash::of_parts(&parts);
            let count = seen.entry(digest).or_default();
            *count += 1;
            format!("~{digest}-{count}")
        }
    };
    Ok(Some(Line { reference, day, minor, text }))
}

/// A day, in the forms that banks write it: the day comes before the month, unless the year comes
/// first.
fn day(text: &str) -> Option<Day> {
    let first = text.split_whitespace().next()?;
    let forms = ["%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d-%b-%Y", "%d/%b/%Y"];
    let short = ["%d/%m/%y", "%d-%m-%y", "%d.%m.%y", "%d-%b-%y"];
    let words = ["%d %b %Y", "%d %B %Y"];
    let of = |form: &&str, text: &str| Date::strptime(form, text).ok();
    let date = forms
        .iter()
        .find_map(|form| of(form, first))
        .filter(|date| date.year() > 1970)
        .or_else(|| short.iter().find_map(|form| of(form, first)))
        .or_else(|| words.iter().find_map(|form| of(form, text)))?;
    date.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Statement {
        let read = read(text.as_bytes(), &BTreeMap::new(), Locale::INDIAN, Currency::INR);
        read.expect("a statement")
    }

    #[test]
    fn statements_of_several_banks_are_read_by_their_own_columns() {
        let hdfc = "Date,Narration,Chq./Ref.No.,Value Dt,Withdrawal Amt.,Deposit Amt.,Closing Balance\n\
                    01/12/26,UPI-MEENA-WD 5150-5,0000612345678901,01/12/26,,\"1,250.50\",9\n\
                    02/12/26,RENT,0000000000,02/12/26,5000.00,,4\n";
        let read = statement(hdfc);
        assert_eq!(read.refused, []);
        let [line] = &read.lines[..] else { panic!("{read:?}") };
        assert_eq!((line.minor, line.day.to_string().as_str()), (125_050, "2026-12-01"));
        assert_eq!(line.reference, "0000612345678901");
        let signed = "Transaction Date,Amount,CR/DR,Remarks\n\
                      01-Dec-2026,90.00,CR,a\n01-Dec-2026,80.00,DR,b\n2026-12-02,-3,,c\n";
        let minors: Vec<_> = statement(signed).lines.iter().map(|line| line.minor).collect();
        assert_eq!(minors, [9_000]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_the_others_are_taken() {
        let text = "Date,Credit,Description\n31/02/2026,5,a\n01/12/2026,five,b\n1/12/2026,5,c\n";
        let read = statement(text);
        assert_eq!(read.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(read.lines.len(), 1);
    }

    #[test]
    fn equal_lines_without_a_number_are_two_and_the_same_two_in_the_next_file() {
        let text = "Date,Credit,Description\n01/12/2026,5,tea\n01/12/2026,5,tea\n";
        let (first, again) = (statement(text).lines, statement(text).lines);
        assert_ne!(first[0].reference, first[1].reference);
        assert_eq!(first, again);
    }

    #[test]
    fn what_stands_beside_every_line_is_no_number_of_one_line() {
        let text = "Date,Credit,Narration,Ref No\n01/12/2026,90,WD 5150-5,-\n\
                    01/12/2026,90,WD 5151-1,-\n01/12/2026,90,WD 5152-8,TRANSFER FROM 4897\n";
        let lines = statement(text).lines;
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.reference.starts_with('~')), "{lines:?}");
        assert_ne!(lines[0].reference, lines[1].reference);
    }

    #[test]
    fn words_for_in_and_out_are_taken_as_they_are_and_others_are_named() {
        let text = "Date,Type,Amount\n01/12/2026,Deposit,5\n01/12/2026,Withdrawal,6\n\
                    01/12/2026,WDL,7\n01/12/2026,Dunno,8\n";
        let read = statement(text);
        assert_eq!(read.lines.iter().map(|line| line.minor).collect::<Vec<_>>(), [500]);
        assert_eq!(read.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn what_is_no_statement_says_what_is_missing() {
        let columns = |text: &str, map: &[(&str, &str)]| {
            let map = map.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            read(text.as_bytes(), &map, Locale::INDIAN, Currency::INR).map(|read| read.lines.len())
        };
        let german = "Buchungstag;Haben\n01.12.2026;5\n";
        assert!(matches!(columns(german, &[]), Err(NotAStatement::NoColumn("date"))));
        let map = [("Buchungstag", "date"), ("Haben", "credit")];
        assert_eq!(columns(german, &map).expect("it is mapped"), 1);
        let wrong = [("Haben", "money")];
        assert!(matches!(columns(german, &wrong), Err(NotAStatement::NoSuchColumn(_))));
        assert!(matches!(columns("", &[]), Err(NotAStatement::Table(_))));
        assert!(matches!(columns("PK\u{3}\u{4}zip", &[]), Err(NotAStatement::Table(_))));
    }
}
