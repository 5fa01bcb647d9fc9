//! Encodes and decodes the project's CBOR (RFC 8949) within limits.
//!
//! Structs derive minicbor's codecs as maps with numbered keys, written in ascending order, so
//! that one value has one encoding (section 4.2.1); bytes that were signed or hashed are stored as
//! they came and never encoded again.

use minicbor::{Decode, Encode};

/// Bytes that are not the CBOR that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are longer than this kind of message may be.
    #[error("{what} is {len} bytes long; at most {max} are allowed")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// Length found, in bytes.
        len: usize,
        /// Limit, in bytes.
        max: usize,
    },
    /// The bytes do not decode, or something follows the value.
    #[error("{what} is damaged or of another kind: {why}")]
    Unreadable {
        /// What was being read.
        what: &'static str,
        /// The decoder's reason.
        why: String,
    },
}

/// Encodes `value`; the same value always yields the same bytes.
pub fn to_vec<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory cannot fail")
}

/// Decodes exactly one value of at most `max` bytes; trailing bytes are an error.
///
/// # Errors
/// [`Malformed`] when the input is too long, damaged, or followed by more bytes.
///
/// ```
/// let bytes = kirana_core::cbor::to_vec(&7u32);
/// assert_eq!(kirana_core::cbor::from_slice::<u32>("a number", &bytes, 16), Ok(7));
/// assert!(kirana_core::cbor::from_slice::<u32>("a number", &[7, 7], 16).is_err());
/// ```
pub fn from_slice<'b, T: Decode<'b, ()>>(
    what: &'static str,
    bytes: &'b [u8],
    max: usize,
) -> Result<T, Malformed> {
    if bytes.len() > max {
        return Err(Malformed::TooLong { what, len: bytes.len(), max });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|e| Malformed::Unreadable { what, why: e.to_string() })?;
    if decoder.position() != bytes.len() {
        return Err(Malformed::Unreadable { what, why: "bytes follow the value".to_owned() });
    }
    Ok(value)
}
