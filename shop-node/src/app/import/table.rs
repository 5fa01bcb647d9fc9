//! A file as a table with a header, whatever it is written in.

use std::io::{self, BufRead, Read, Seek};

use super::{
    Format, NotImported,
    examine::{Decoded, Examined},
    feed::{FIELDS, Items},
    records::{Numbered, Records},
};

/// An open file, read row by row.
pub(super) enum Table<F> {
    /// Records with separators between their cells.
    Text(Box<Records<Decoded<F>>>),
    /// A feed in XML.
    Feed(Box<Items<Decoded<F>>>),
}

/// Opens an examined file and reads its header.
pub(super) fn open<F: Read + Seek>(
    file: F,
    examined: &Examined,
    format: Format,
) -> Result<(Vec<String>, Table<F>), NotImported> {
    let mut text = Decoded::new(file, examined).map_err(NotImported::Unreadable)?;
    let is_markup = begins_as_markup(&mut text).map_err(NotImported::Unreadable)?;
    match (format, is_markup) {
        (Format::Google, true) => {
            let header = FIELDS.map(str::to_owned).to_vec();
            return Ok((header, Table::Feed(Box::new(Items::new(text)))));
        }
        (_, true) => return Err(NotImported::OtherKind("XML or a web page")),
        (_, false) => {}
    }
    // The dump of Open Food Facts is separated by tabs and quotes nothing.
    let is_bare = format == Format::OpenFoodFacts;
    let mut records = Records::new(text, is_bare).map_err(NotImported::Unreadable)?;
    match records.next().map_err(NotImported::Unreadable)? {
        Some((_, header)) => Ok((header?, Table::Text(Box::new(records)))),
        None => Err(NotImported::Empty),
    }
}

fn begins_as_markup(text: &mut impl BufRead) -> io::Result<bool> {
    let first = text.fill_buf()?.trim_ascii_start();
    let begins = |mark: &str| {
        first.get(..mark.len()).is_some_and(|it| it.eq_ignore_ascii_case(mark.as_bytes()))
    };
    Ok(["<?xml", "<!doctype", "<html", "<rss", "<feed"].iter().any(|mark| begins(mark)))
}

impl<F: Read> Table<F> {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read to its end.
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        match self {
            Self::Text(records) => records.next(),
            Self::Feed(items) => items.next(),
        }
    }

    /// Bytes of the file that were read so far.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::Text(records) => records.text().taken(),
            Self::Feed(items) => items.text().taken(),
        }
    }
}
