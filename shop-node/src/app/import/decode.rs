//! Turns the bytes of a file into text: UTF-8, UTF-16 with its mark, or Windows-1252.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The text of a file, and whether its encoding had to be guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The bytes were neither UTF-8 nor marked, so they were read as Windows-1252.
    pub is_guessed: bool,
}

/// Reads the bytes; `None` when they are marked as one encoding and are not that.
pub fn decode(bytes: &[u8]) -> Option<Text> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        debug_assert!([UTF_8, UTF_16BE, UTF_16LE].contains(&encoding));
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..])?;
        return Some(Text { text: text.into_owned(), is_guessed: false });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(Text { text: text.to_owned(), is_guessed: false }),
        Err(_) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
            Some(Text { text: text.into_owned(), is_guessed: true })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_gives_the_same_text() {
        let marked = |mark: &[u8], units: Vec<u8>| [mark, units.as_slice()].concat();
        let text = "Crème, 45 €";
        let little = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let windows = b"Cr\xe8me, 45 \x80".to_vec();
        for (bytes, is_guessed) in [
            (text.as_bytes().to_vec(), false),
            (marked(&[0xef, 0xbb, 0xbf], text.as_bytes().to_vec()), false),
            (marked(&[0xff, 0xfe], little), false),
            (marked(&[0xfe, 0xff], big), false),
            (windows, true),
        ] {
            assert_eq!(decode(&bytes), Some(Text { text: text.to_owned(), is_guessed }));
        }
    }

    #[test]
    fn a_marked_file_that_is_damaged_is_refused() {
        assert_eq!(decode(&[0xef, 0xbb, 0xbf, 0xff]), None);
        assert_eq!(decode(&[0xff, 0xfe, 0x00]), None);
    }
}
