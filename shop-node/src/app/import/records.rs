//! Splits the text of a CSV file (RFC 4180) into records that know the physical line they start on.
//!
//! **Invariants:** memory holds one record, of [`ROW_BYTES_MAX`] at most; a line that is broken, by a
//! quote that is never closed or by its length, takes no other line with it.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The longest record, in bytes of UTF-8.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// The longest cell, in bytes of UTF-8.
pub const CELL_BYTES_MAX: usize = 512 * 1024;
/// The most cells of a record.
pub const CELLS_MAX: usize = 2_000;
/// The most records that are broken by a quote: each is read again line by line.
pub const BROKEN_MAX: u32 = 200;

/// A record's cells.
pub type Cells = Vec<String>;

/// Why a line is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The closing quote is nowhere.
    #[error("a quote is opened here and never closed")]
    Quote,
    /// Longer than a record may be.
    #[error("the line is longer than {ROW_BYTES_MAX} bytes")]
    RowTooLong,
    /// A cell is longer than cells may be.
    #[error("a cell is longer than {CELL_BYTES_MAX} bytes")]
    CellTooLong,
    /// More cells than a table has columns.
    #[error("the line has more than {CELLS_MAX} cells")]
    Cells,
}

impl Broken {
    /// The stable word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::RowTooLong => "row-too-long",
            Self::CellTooLong => "cell-too-long",
            Self::Cells => "columns",
        }
    }
}

/// A record and the physical line on which it starts, from 1 on.
pub type Numbered = (u64, Result<Cells, Broken>);

/// Reads records one by one.
pub struct Records<R> {
    lines: Lines<R>,
    reader: Reader,
    /// Lines that are read again after a broken record.
    again: VecDeque<Line>,
    broken: u32,
}

impl<R: BufRead> Records<R> {
    /// A reader whose separator is the comma, semicolon or tab that the first line has most of. With
    /// `is_bare`, quotes in a file with tabs are letters like others.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(text: R, is_bare: bool) -> io::Result<Self> {
        let mut lines = Lines { text, number: 0 };
        let mut first = lines.next()?;
        while first.as_ref().is_some_and(|line| line.text.trim_ascii().is_empty()) {
            first = lines.next()?;
        }
        let separator = first.as_ref().map_or(b',', |line| separator_of(&line.text));
        let mut builder = ReaderBuilder::new();
        builder.delimiter(separator).quoting(!(is_bare && separator == b'\t'));
        let (reader, again) = (builder.build(), first.into_iter().collect());
        Ok(Self { lines, reader, again, broken: 0 })
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read, or has more than [`BROKEN_MAX`] quotes that are never closed.
    pub fn next(&mut self) -> io::Result<Option<Numbered>> {
        let mut parts: Vec<Line> = Vec::new();
        let (mut cells, mut bytes) = (Building::default(), 0);
        self.reader.reset();
        loop {
            let next = match self.again.pop_front() {
                Some(line) => Some(line),
                None => self.lines.next()?,
            };
            let Some(line) = next else {
                return if parts.is_empty() { Ok(None) } else { self.broken(parts, Broken::Quote) };
            };
            if parts.is_empty() && line.text.is_empty() && !line.is_cut {
                continue;
            }
            bytes += line.text.len() + 1;
            let is_cut = line.is_cut;
            parts.push(line);
            if is_cut || bytes > ROW_BYTES_MAX {
                let alone = parts.len() == 1;
                let why = if alone { Broken::RowTooLong } else { Broken::Quote };
                return self.broken(parts, why);
            }
            let line = parts.last().expect("it was pushed");
            if cells.feed(&mut self.reader, &line.text) {
                let number = parts[0].number;
                return Ok(Some((number, cells.finish())));
            }
        }
    }

    /// The first line is no record; those after it are looked at again by themselves.
    fn broken(&mut self, parts: Vec<Line>, why: Broken) -> io::Result<Option<Numbered>> {
        self.broken += 1;
        if self.broken > BROKEN_MAX {
            let says = format!("more than {BROKEN_MAX} lines hold a quote that is never closed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, says));
        }
        let mut parts = parts.into_iter();
        let number = parts.next().map_or(0, |line| line.number);
        for line in parts.rev() {
            self.again.push_front(line);
        }
        Ok(Some((number, Err(why))))
    }

    /// What the records are read from.
    pub fn text(&self) -> &R {
        &self.lines.text
    }
}

/// The mark that stands most often between the cells of a line.
fn separator_of(line: &[u8]) -> u8 {
    let count = |mark: u8| line.iter().filter(|byte| **byte == mark).count();
    let mut separator = b',';
    for other in [b';', b'\t'] {
        if count(other) > count(separator) {
            separator = other;
        }
    }
    separator
}

/// The cells of a record of which not all lines were seen.
#[derive(Default)]
struct Building {
    text: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
    ended: usize,
}

impl Building {
    /// Takes a line with its end; says whether the record is complete.
    fn feed(&mut self, reader: &mut Reader, line: &[u8]) -> bool {
        // No bytes at all would mean the end of the file to the reader.
        !line.is_empty() && self.read(reader, line) || self.read(reader, b"\n")
    }

    fn read(&mut self, reader: &mut Reader, mut input: &[u8]) -> bool {
        loop {
            // Unescaping never makes text longer.
            let room = self.written + input.len() + 1;
            self.text.resize(room.max(self.text.len()), 0);
            if self.ends.len() <= self.ended {
                self.ends.resize(self.ended + 256, 0);
            }
            let (result, read, written, ended) = reader.read_record(
                input,
                &mut self.text[self.written..],
                &mut self.ends[self.ended..],
            );
            input = &input[read..];
            self.written += written;
            self.ended += ended;
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => return true,
                ReadRecordResult::InputEmpty if input.is_empty() => return false,
                _ => {}
            }
        }
    }

    fn finish(self) -> Result<Cells, Broken> {
        if self.ended > CELLS_MAX {
            return Err(Broken::Cells);
        }
        let mut begin = 0;
        let mut cells = Vec::with_capacity(self.ended);
        for end in &self.ends[..self.ended] {
            let cell = self.text.get(begin..*end).unwrap_or_default();
            if cell.len() > CELL_BYTES_MAX {
                return Err(Broken::CellTooLong);
            }
            // The text was decoded, and separators are no part of a longer letter.
            cells.push(String::from_utf8_lossy(cell).into_owned());
            begin = *end;
        }
        Ok(cells)
    }
}

/// A physical line without its end.
struct Line {
    number: u64,
    text: Vec<u8>,
    /// Longer than [`ROW_BYTES_MAX`]: its rest was thrown away.
    is_cut: bool,
}

/// Splits text at CR, LF, or both.
struct Lines<R> {
    text: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { number: self.number + 1, text: Vec::new(), is_cut: false };
        let mut is_something = false;
        loop {
            let there = self.text.fill_buf()?;
            if there.is_empty() {
                break;
            }
            is_something = true;
            let end = there.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &there[..end.unwrap_or(there.len())];
            let room = ROW_BYTES_MAX.saturating_sub(line.text.len());
            line.is_cut |= part.len() > room;
            line.text.extend_from_slice(&part[..part.len().min(room)]);
            let (used, is_return) = (part.len(), end.is_some_and(|at| there[at] == b'\r'));
            self.text.consume(used + usize::from(end.is_some()));
            if is_return && self.text.fill_buf()?.first() == Some(&b'\n') {
                self.text.consume(1);
            }
            if end.is_some() {
                break;
            }
        }
        self.number += u64::from(is_something);
        Ok(is_something.then_some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Numbered> {
        let mut records = Records::new(text.as_bytes(), false).unwrap();
        std::iter::from_fn(|| records.next().unwrap()).collect()
    }

    fn lines(text: &str) -> Vec<(u64, Cells)> {
        all(text).into_iter().map(|(line, cells)| (line, cells.expect("a record"))).collect()
    }

    fn numbers(text: &str) -> Vec<u64> {
        lines(text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn a_record_is_on_the_line_where_it_starts() {
        assert_eq!(numbers("a,b\n1,2\n3,4\n"), [1, 2, 3]);
        assert_eq!(numbers("a,b\r\n\"1\r\n\r\nx\",2\r\n3,4"), [1, 2, 5]);
        assert_eq!(numbers("a,b\n\n\n1,2\n\n3,4\n"), [1, 4, 6]);
        assert_eq!(numbers("\n\na,b\n1,2"), [3, 4]);
        assert_eq!(numbers("a,b\r1,2\r3,4"), [1, 2, 3]);
    }

    #[test]
    fn cells_are_read_as_rfc_4180_writes_them() {
        let read = lines("a,b\n\"1\r\n2\",\"say \"\"hi\"\"\"\n5\" pipe,\n");
        assert_eq!(read[1].1, ["1\n2", "say \"hi\""]);
        assert_eq!(read[2].1, ["5\" pipe", ""]);
    }

    #[test]
    fn the_separator_is_the_one_that_the_header_uses() {
        assert_eq!(lines("a;b;c\n1,5;2;3")[1].1, ["1,5", "2", "3"]);
        assert_eq!(lines("a\tb\n1,2\t3")[1].1, ["1,2", "3"]);
    }

    #[test]
    fn bare_tables_with_tabs_have_no_quotes() {
        let text = "a\tb\n\"Crème\t2\n3\t4\n";
        let mut records = Records::new(text.as_bytes(), true).unwrap();
        let read = std::iter::from_fn(|| records.next().unwrap());
        assert_eq!(read.last().unwrap().1.unwrap(), ["3", "4"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_no_other_line_with_it() {
        let read = all("a,b\n1,\"2\n3,4\n5,6\n");
        assert_eq!(read[1], (2, Err(Broken::Quote)));
        assert_eq!(read[2], (3, Ok(vec!["3".into(), "4".into()])));
        assert_eq!(read.len(), 4);
    }

    #[test]
    fn a_line_past_the_limit_is_refused_and_the_next_is_read() {
        let fits = "x".repeat(CELL_BYTES_MAX);
        let text = format!("a,b\n{fits},1\n{fits}x,1\n{fits},{fits}\n1,2\n");
        let read: Vec<_> = all(&text).into_iter().map(|(n, cells)| (n, cells.err())).collect();
        let expected = [
            (1, None),
            (2, None),
            (3, Some(Broken::CellTooLong)),
            (4, Some(Broken::RowTooLong)),
            (5, None),
        ];
        assert_eq!(read, expected);
        let wide = format!("a\n{}\n1\n", ",".repeat(CELLS_MAX));
        assert_eq!(all(&wide)[1], (2, Err(Broken::Cells)));
    }
}
