//! Reads the items of a product feed in XML: RSS 2.0 or Atom with Google's fields.
//!
//! **Invariants:** memory holds one item, of [`ROW_BYTES_MAX`] at most; entities that a document
//! declares itself are never expanded, and nothing outside the file is read.

use std::io::{self, BufRead};

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesRef, Event},
};

use super::records::{Broken, CELL_BYTES_MAX, Cells, Numbered, ROW_BYTES_MAX};

/// The fields of an item that are read, in the order of the cells of a row.
pub(super) const FIELDS: [&str; 15] = [
    "id",
    "title",
    "description",
    "price",
    "gtin",
    "brand",
    "product_type",
    "google_product_category",
    "item_group_id",
    "color",
    "size",
    "pattern",
    "material",
    "availability",
    "mpn",
];

/// Reads items one by one.
pub(super) struct Items<R> {
    reader: Reader<Watched<R>>,
    buffer: Vec<u8>,
}

impl<R: BufRead> Items<R> {
    pub(super) fn new(text: R) -> Self {
        let watched = Watched { text, line: 1, since: 0 };
        let reader = Reader::from_reader(watched);
        Self { reader, buffer: Vec::new() }
    }

    /// What the items are read from.
    pub(super) fn text(&self) -> &R {
        &self.reader.get_ref().text
    }

    /// The next item as a row, with the line on which it starts.
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(None),
                Event::Start(tag) if matches!(tag.local_name().as_ref(), "item" | "entry") => {
                    let line = self.reader.get_ref().line;
                    return Ok(Some((line, self.item()?)));
                }
                _ => {}
            }
        }
    }

    fn event(&mut self) -> io::Result<Event<'static>> {
        self.buffer.clear();
        self.reader.get_mut().since = 0;
        match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => Ok(event.into_owned()),
            Err(quick_xml::Error::Io(why)) => Err(io::Error::new(why.kind(), why.to_string())),
            Err(why) => {
                let line = self.reader.get_ref().line;
                let says = format!("it is no XML from line {line} on: {why}");
                Err(io::Error::new(io::ErrorKind::InvalidData, says))
            }
        }
    }

    fn item(&mut self) -> io::Result<Result<Cells, Broken>> {
        let mut cells = vec![String::new(); FIELDS.len()];
        let (mut depth, mut bytes) = (1u32, 0usize);
        // Which cell is being read, and whether an earlier element filled it.
        let mut open: Option<(usize, bool)> = None;
        let mut broken = None;
        while depth > 0 {
            let mut piece = None;
            match self.event()? {
                Event::Eof => {
                    let says = "it ends inside an item";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, says));
                }
                Event::Start(tag) => {
                    depth += 1;
                    let name = tag.local_name();
                    let name: &str = name.as_ref();
                    // What lies deeper is about something else: the price of a shipping.
                    open = match FIELDS.iter().position(|field| *field == name) {
                        Some(at) if depth == 2 => Some((at, !cells[at].is_empty())),
                        _ if depth == 2 => None,
                        _ => open.filter(|_| depth > 2),
                    };
                }
                Event::End(_) => {
                    depth -= 1;
                    open = open.filter(|_| depth > 1);
                }
                Event::Text(text) => piece = Some(text.xml10_content().into_owned()),
                Event::CData(text) => piece = Some(text.xml10_content().into_owned()),
                Event::GeneralRef(name) => piece = named(&name),
                _ => {}
            }
            if let (Some((at, false)), Some(piece)) = (open, piece) {
                bytes += piece.len();
                match () {
                    () if bytes > ROW_BYTES_MAX => broken = Some(Broken::RowTooLong),
                    () if cells[at].len() + piece.len() > CELL_BYTES_MAX => {
                        broken = broken.or(Some(Broken::CellTooLong));
                    }
                    () => cells[at].push_str(&piece),
                }
            }
        }
        Ok(broken.map_or(Ok(cells), Err))
    }
}

/// What a reference stands for: a letter by its number or one of the five names that XML has.
fn named(name: &BytesRef<'_>) -> Option<String> {
    if let Ok(Some(letter)) = name.resolve_char_ref() {
        return Some(letter.to_string());
    }
    resolve_predefined_entity(&name.xml10_content()).map(str::to_owned)
}

/// Counts lines, and stops at a piece that is longer than an item may be.
struct Watched<R> {
    text: R,
    line: u64,
    since: usize,
}

impl<R: BufRead> io::Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let n = there.len().min(buffer.len());
        buffer[..n].copy_from_slice(&there[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > ROW_BYTES_MAX {
            let says = format!("line {} is part of something too long", self.line);
            return Err(io::Error::new(io::ErrorKind::InvalidData, says));
        }
        self.text.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Ok(there) = self.text.fill_buf() {
            let used = &there[..amount.min(there.len())];
            self.line += used.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        self.since += amount;
        self.text.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(xml: &str) -> Vec<(u64, Vec<(&'static str, String)>)> {
        let mut items = Items::new(xml.as_bytes());
        let read = std::iter::from_fn(|| items.next().expect("XML"));
        let filled = |cells: Cells| {
            let named = FIELDS.into_iter().zip(cells);
            named.filter(|(_, cell)| !cell.trim().is_empty()).collect()
        };
        read.map(|(line, cells)| (line, filled(cells.expect("an item")))).collect()
    }

    #[test]
    fn items_are_read_with_their_lines_and_no_more_than_their_own_fields() {
        let xml = "<?xml version=\"1.0\"?>\n<rss xmlns:g=\"http://base.google.com/ns/1.0\"><channel>\n\
                   <title>Shop</title>\n<item>\n<g:id>T1</g:id><title>Tea &amp; &#x20b9;</title>\n\
                   <g:price>45.00 INR</g:price>\n<g:shipping><g:price>9 INR</g:price></g:shipping>\n\
                   <description><![CDATA[<b>fine</b>]]></description></item>\n<item><g:id>T2</g:id>\
                   </item></channel></rss>";
        let read = items(xml);
        assert_eq!(read[0].0, 4);
        let expected = [
            ("id", "T1"),
            ("title", "Tea & ₹"),
            ("description", "<b>fine</b>"),
            ("price", "45.00 INR"),
        ];
        assert_eq!(read[0].1, expected.map(|(name, cell)| (name, cell.to_owned())));
        assert_eq!((read[1].0, read[1].1.len()), (9, 1));
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let xml = "<!DOCTYPE r [<!ENTITY a \"boom\">]><r><item><title>x&a;y</title></item></r>";
        assert_eq!(items(xml)[0].1, [("title", "xy".to_owned())]);
    }

    #[test]
    fn what_is_too_long_or_cut_is_said() {
        let long = "x".repeat(CELL_BYTES_MAX + 1);
        let xml = format!("<r><item><title>{long}</title></item><item><id>1</id></item></r>");
        let mut items = Items::new(xml.as_bytes());
        assert_eq!(items.next().unwrap(), Some((1, Err(Broken::CellTooLong))));
        assert!(items.next().unwrap().unwrap().1.is_ok());
        let endless = format!("<r><item><title>{}", "x".repeat(3 * ROW_BYTES_MAX));
        assert!(Items::new(endless.as_bytes()).next().is_err());
        assert!(Items::new(&b"<r><item><title>Tea"[..]).next().is_err());
    }
}
