//! Looks a file through once before anything of it is taken in: what it is, in which encoding, and
//! the digest by which the same file is known again.
//!
//! **Invariant:** memory does not grow with the file.

use std::io::{self, Read, Seek, SeekFrom};

use encoding_rs::{CoderResult, DecoderResult, Encoding, UTF_8, WINDOWS_1252};
use kirana_core::hash::Hash;
use sha2::{Digest, Sha256};

use super::NotImported;

/// Bytes that are read at once.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What was found out about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// The digest of its bytes.
    pub(super) digest: Hash,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// How its text is encoded.
    pub(super) encoding: &'static Encoding,
    /// How many bytes at its beginning name the encoding.
    pub(super) mark_bytes: u64,
    /// The bytes were neither UTF-8 nor marked, so they are read as Windows-1252.
    pub(super) is_guessed: bool,
}

/// Reads a file from its first to its last byte.
///
/// # Errors
/// [`NotImported`] when it is longer than `bytes_max`, is no text, or is not the text that its first
/// bytes announce.
pub fn examine(file: &mut (impl Read + Seek), bytes_max: u64) -> Result<Examined, NotImported> {
    file.seek(SeekFrom::Start(0)).map_err(NotImported::Unreadable)?;
    let mut first = vec![0; PIECE_BYTES];
    let filled = fill(file, &mut first)?;
    first.truncate(filled);
    if let Some(kind) = kind_of(&first) {
        return Err(NotImported::OtherKind(kind));
    }
    let (encoding, mark) = Encoding::for_bom(&first).unwrap_or((UTF_8, 0));
    let mut check = Check { decoder: encoding.new_decoder_without_bom_handling(), is_sound: true };
    let (mut state, mut bytes, mut piece) = (Sha256::new(), 0u64, first);
    loop {
        bytes += piece.len() as u64;
        if bytes > bytes_max {
            return Err(NotImported::TooLong { bytes_max });
        }
        state.update(&piece);
        let skipped = if bytes == piece.len() as u64 { mark } else { 0 };
        let is_last = piece.len() < PIECE_BYTES;
        check.feed(&piece[skipped.min(piece.len())..], is_last);
        if is_last {
            break;
        }
        let filled = fill(file, &mut piece)?;
        piece.truncate(filled);
    }
    if bytes == 0 {
        return Err(NotImported::Empty);
    }
    if !check.is_sound && mark > 0 {
        return Err(NotImported::Encoding);
    }
    Ok(Examined {
        digest: Hash::from_slice(&state.finalize()).expect("a digest has 32 bytes"),
        bytes,
        encoding: if check.is_sound { encoding } else { WINDOWS_1252 },
        mark_bytes: mark as u64,
        is_guessed: !check.is_sound,
    })
}

/// Fills a buffer as far as the file goes.
fn fill(file: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, NotImported> {
    buffer.resize(PIECE_BYTES, 0);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(NotImported::Unreadable(e)),
        }
    }
    Ok(filled)
}

/// Whether all bytes are of an encoding.
struct Check {
    decoder: encoding_rs::Decoder,
    is_sound: bool,
}

impl Check {
    fn feed(&mut self, mut piece: &[u8], is_last: bool) {
        let mut text = [0; 16 * 1024];
        while self.is_sound {
            let decoder = &mut self.decoder;
            let (result, read, _) =
                decoder.decode_to_utf8_without_replacement(piece, &mut text, is_last);
            piece = &piece[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.is_sound = false,
            }
        }
    }
}

/// What a file is by its first bytes, where that is plainly no table of text.
fn kind_of(first: &[u8]) -> Option<&'static str> {
    let is_office = |part: &[u8]| first.windows(part.len()).any(|window| window == part);
    if first.starts_with(b"PK\x03\x04") && (is_office(b"[Content_Types].xml") || is_office(b"xl/"))
    {
        return Some("an Excel workbook (XLSX)");
    }
    if first.starts_with(b"PK\x03\x04") && is_office(b"application/vnd.oasis.opendocument") {
        return Some("a LibreOffice document");
    }
    let known = KINDS.iter().find(|(mark, _)| first.starts_with(mark));
    if let Some((_, kind)) = known {
        return Some(kind);
    }
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let is_json = matches!(text.first(), Some(b'{' | b'['));
    (is_json && serde_json_begins(text)).then_some("a JSON file")
}

/// Whether text that begins with a bracket goes on as JSON does: a column's name may begin so too.
fn serde_json_begins(text: &[u8]) -> bool {
    let rest = text[1..].trim_ascii_start();
    matches!(rest.first(), Some(b'"' | b'{' | b'[' | b'}' | b']') | None)
}

const KINDS: [(&[u8], &str); 13] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (XLS)"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
];

/// The text of an examined file as UTF-8, read piece by piece.
pub struct Decoded<R> {
    file: R,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// How far `raw` was decoded and `text` was read.
    at: (usize, usize),
    is_last: bool,
    is_done: bool,
    taken: u64,
}

impl<R: Read + Seek> Decoded<R> {
    /// Starts behind the mark of the encoding.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn new(mut file: R, examined: &Examined) -> io::Result<Self> {
        file.seek(SeekFrom::Start(examined.mark_bytes))?;
        let decoder = examined.encoding.new_decoder_without_bom_handling();
        Ok(Self {
            file,
            decoder,
            raw: Vec::new(),
            text: Vec::new(),
            at: (0, 0),
            is_last: false,
            is_done: false,
            taken: examined.mark_bytes,
        })
    }
}

impl<R> Decoded<R> {
    /// Bytes of the file that were read so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

impl<R: Read> Decoded<R> {
    fn decode_more(&mut self) -> io::Result<()> {
        if self.at.0 == self.raw.len() && !self.is_last {
            self.raw.resize(PIECE_BYTES, 0);
            let n = loop {
                match self.file.read(&mut self.raw) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.raw.truncate(n);
            self.at.0 = 0;
            self.taken += n as u64;
            self.is_last = n == 0;
        }
        self.text.resize(PIECE_BYTES, 0);
        let rest = &self.raw[self.at.0..];
        let (result, read, written, _) =
            self.decoder.decode_to_utf8(rest, &mut self.text, self.is_last);
        self.at = (self.at.0 + read, 0);
        self.text.truncate(written);
        self.is_done = self.is_last && result == CoderResult::InputEmpty;
        Ok(())
    }
}

impl<R: Read> io::BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at.1 == self.text.len() && !self.is_done {
            self.decode_more()?;
        }
        Ok(&self.text[self.at.1..])
    }

    fn consume(&mut self, amount: usize) {
        self.at.1 = (self.at.1 + amount).min(self.text.len());
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = io::BufRead::fill_buf(self)?;
        let n = text.len().min(buffer.len());
        buffer[..n].copy_from_slice(&text[..n]);
        io::BufRead::consume(self, n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn text_of(bytes: &[u8]) -> Result<(String, bool), NotImported> {
        let mut file = Cursor::new(bytes);
        let examined = examine(&mut file, u64::MAX)?;
        let mut text = String::new();
        Decoded::new(file, &examined).unwrap().read_to_string(&mut text).unwrap();
        Ok((text, examined.is_guessed))
    }

    fn utf16(text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        [mark, &text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat()
    }

    #[test]
    fn each_encoding_gives_the_same_text_across_pieces() {
        let text = "Crème, 45 €\n".repeat(20_000);
        let windows = b"Cr\xe8me, 45 \x80\n".repeat(20_000);
        for (bytes, is_guessed) in [
            (text.as_bytes().to_vec(), false),
            ([&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(), false),
            (utf16(&text, &[0xff, 0xfe], u16::to_le_bytes), false),
            (utf16(&text, &[0xfe, 0xff], u16::to_be_bytes), false),
            (windows, true),
        ] {
            let (read, guessed) = text_of(&bytes).unwrap();
            assert_eq!((read == text, guessed), (true, is_guessed));
        }
    }

    #[test]
    fn a_byte_at_the_end_of_a_long_file_decides_about_its_encoding() {
        let mut bytes = "x".repeat(3 * PIECE_BYTES).into_bytes();
        bytes.push(0xe8);
        let (text, is_guessed) = text_of(&bytes).unwrap();
        assert!(is_guessed && text.ends_with("xè"));
    }

    #[test]
    fn a_marked_file_that_is_damaged_is_refused() {
        for bytes in [&[0xef, 0xbb, 0xbf, 0xff][..], &[0xff, 0xfe, 0x00]] {
            assert!(matches!(text_of(bytes), Err(NotImported::Encoding)), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_named() {
        let cases: [(&[u8], &str); 6] = [
            (b"PK\x03\x04\x14\x00\x06\x00products.csv", "a zip archive"),
            (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "XLSX"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"%PDF-1.7\n", "PDF"),
            (b"\xef\xbb\xbf [{\"name\": 1}]", "JSON"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "XLS"),
        ];
        for (bytes, says) in cases {
            let refused = text_of(bytes).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        assert!(text_of(b"[x],name\n1,2\n").is_ok(), "a column may begin with a bracket");
    }

    #[test]
    fn one_byte_past_the_limit_is_too_long() {
        assert!(examine(&mut Cursor::new(b"a,b"), 3).is_ok());
        let refused = examine(&mut Cursor::new(b"a,b\n"), 3);
        assert!(matches!(refused, Err(NotImported::TooLong { bytes_max: 3 })));
    }
}
