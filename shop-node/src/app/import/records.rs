//! Splits a CSV file into records that know the physical line they start on.

use csv::{ReaderBuilder, StringRecord};

/// Reads the header and the records of a text.
pub struct Records<'t> {
    text: &'t str,
    reader: csv::Reader<&'t [u8]>,
    /// How far lines were counted: a byte and the line it is on.
    counted: (usize, u64),
}

impl<'t> Records<'t> {
    /// A reader of a text whose first record is the header; the separator is the comma, semicolon
    /// or tab that its first line has most of.
    pub fn new(text: &'t str) -> Self {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let count = |mark: &u8| first.bytes().filter(|b| b == mark).count();
        let mut separator = b',';
        for other in [b';', b'\t'] {
            if count(&other) > count(&separator) {
                separator = other;
            }
        }
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        Self { text, reader, counted: (0, 1) }
    }

    /// The physical line, from 1 on, of the record that is read next.
    fn line_at(&mut self, byte: usize) -> u64 {
        let bytes = self.text.as_bytes();
        let (mut at, mut line) = self.counted;
        let end_of_line = |at: usize| {
            let lone = bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            bytes[at] == b'\n' || lone
        };
        while at < byte.min(bytes.len()) {
            line += u64::from(end_of_line(at));
            at += 1;
        }
        self.counted = (at, line);
        // The reader passes over empty lines before a record.
        while at < bytes.len() && matches!(bytes[at], b'\n' | b'\r') {
            line += u64::from(end_of_line(at));
            at += 1;
        }
        line
    }
}

impl Iterator for Records<'_> {
    /// The line and the record, or the line on which something is no CSV.
    type Item = (u64, Option<StringRecord>);

    fn next(&mut self) -> Option<Self::Item> {
        let byte = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let line = self.line_at(byte);
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => Some((line, Some(record))),
            Ok(false) => None,
            Err(_) => Some((line, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, Vec<String>)> {
        Records::new(text)
            .map(|(line, record)| {
                (line, record.expect("a record").iter().map(str::to_owned).collect())
            })
            .collect()
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
    fn the_separator_is_the_one_that_the_header_uses() {
        assert_eq!(lines("a;b;c\n1,5;2;3")[1].1, ["1,5", "2", "3"]);
        assert_eq!(lines("a\tb\n1,2\t3")[1].1, ["1,2", "3"]);
    }
}
