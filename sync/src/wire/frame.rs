//! Frames: one request or response each, as CBOR of at most [`FRAME_BYTES_MAX`] bytes.

use kirana_core::cbor::{self, Malformed};

use super::{Code, Refused, Request, Response, limit};

/// The longest frame, in bytes, without the four bytes of its length.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// What a list in a frame may take, so that the rest of the frame has room.
const LIST_ROOM: usize = FRAME_BYTES_MAX - 16 * 1024;

/// Bytes that are no frame this program understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAFrame {
    /// It is well formed, of a kind that has this number and that is not known here.
    #[error("this program does not know messages of kind {0}; a newer version may")]
    Unknown(u64),
    /// It is damaged or something in it is past a limit.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl From<&NotAFrame> for Refused {
    fn from(wrong: &NotAFrame) -> Self {
        let code = match wrong {
            NotAFrame::Unknown(_) => Code::Unknown,
            NotAFrame::Malformed(_) => Code::Malformed,
        };
        Self::new(code, wrong.to_string())
    }
}

/// The number that a frame starts with, if it is an array that starts with one.
fn number(frame: &[u8]) -> Option<u64> {
    let mut decoder = minicbor::Decoder::new(frame);
    decoder.array().ok()?;
    decoder.u64().ok()
}

/// Whether a frame is well-formed CBOR, whatever it says.
fn is_well_formed(frame: &[u8]) -> bool {
    let mut decoder = minicbor::Decoder::new(frame);
    decoder.skip().is_ok() && decoder.position() == frame.len()
}

fn read<'b, T: minicbor::Decode<'b, ()>>(
    what: &'static str,
    numbers: &[u64],
    frame: &'b [u8],
) -> Result<T, NotAFrame> {
    match number(frame) {
        Some(number)
            if !numbers.contains(&number)
                && frame.len() <= FRAME_BYTES_MAX
                && is_well_formed(frame) =>
        {
            Err(NotAFrame::Unknown(number))
        }
        _ => Ok(cbor::from_slice(what, frame, FRAME_BYTES_MAX)?),
    }
}

impl Request {
    const NUMBERS: &[u64] = &[0, 1, 2, 3, 4, 20, 21, 22, 40, 41, 42, 43, 44];

    /// The frame; the same request always gives the same bytes.
    pub fn to_frame(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`NotAFrame`], which says as a [`Refused`] what to answer.
    pub fn read(frame: &[u8]) -> Result<Self, NotAFrame> {
        let request = read("a request", Self::NUMBERS, frame)?;
        limit::check_request(&request)?;
        Ok(request)
    }
}

impl Response {
    const NUMBERS: &[u64] = &[0, 1, 2, 3, 4, 20, 21, 40, 41, 42, 43, 44];

    /// The frame; the same response always gives the same bytes.
    pub fn to_frame(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`NotAFrame`] when it is damaged, past a limit, or of an unknown kind.
    pub fn read(frame: &[u8]) -> Result<Self, NotAFrame> {
        let response = read("a response", Self::NUMBERS, frame)?;
        limit::check_response(&response)?;
        Ok(response)
    }
}

/// The first of `items`, at most `most` and as many as fit a frame, and whether some were left.
pub(super) fn fitting<T>(
    items: impl IntoIterator<Item = T>,
    most: usize,
    bytes: impl Fn(&T) -> usize,
) -> (Vec<T>, bool) {
    let (mut taken, mut room) = (Vec::new(), LIST_ROOM);
    for item in items {
        let size = bytes(&item);
        if taken.len() == most || size > room {
            return (taken, true);
        }
        room -= size;
        taken.push(item);
    }
    (taken, false)
}
