//! Refusals: a number that programs act on, a sentence that people read, and when to come again.

use minicbor::{Decode, Encode};

/// Why a request was refused; numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The request is of a kind that this program does not know, or does not serve.
    Unknown,
    /// The frame or something in it is damaged or past a limit.
    Malformed,
    /// Say `Hello` with certificates first.
    HelloFirst,
    /// No valid certificate covers what was asked, or it was revoked.
    NotCertified,
    /// The mail or the record belongs to somebody else.
    NotYours,
    /// The sender or the recipient has as much stored here as is allowed.
    Quota,
    /// Its deadline has passed.
    Expired,
    /// Its deadline is further away than mail is kept here.
    TooLate,
    /// This program does not keep mail for that recipient.
    NotHere,
    /// No such shop, record or document.
    NotFound,
    /// A record with a higher number is known.
    Older,
    /// The chunks asked for are counted in another generation: take a snapshot.
    OtherGeneration,
    /// The chunks asked for are no longer kept: take a snapshot.
    Gone,
    /// Too much at once: come again.
    Busy,
    /// Nothing can be stored at the moment: the disk is full or the program is stopping.
    Unavailable,
    /// This box met a higher generation of its shop and is read-only.
    ReadOnly,
    /// A number that a later version gave out.
    Other(u16),
}

const NUMBERED: &[(u16, Code)] = &[
    (1, Code::Unknown),
    (2, Code::Malformed),
    (3, Code::HelloFirst),
    (4, Code::NotCertified),
    (5, Code::NotYours),
    (6, Code::Quota),
    (7, Code::Expired),
    (8, Code::TooLate),
    (9, Code::NotHere),
    (10, Code::NotFound),
    (11, Code::Older),
    (12, Code::OtherGeneration),
    (13, Code::Gone),
    (14, Code::Busy),
    (15, Code::Unavailable),
    (16, Code::ReadOnly),
];

impl Code {
    /// Its number on the wire.
    pub fn number(self) -> u16 {
        if let Self::Other(number) = self {
            return number;
        }
        NUMBERED.iter().find(|(_, code)| *code == self).map_or(0, |(number, _)| *number)
    }

    /// The code of a number.
    pub fn from_number(number: u16) -> Self {
        let known = NUMBERED.iter().find(|(known, _)| *known == number);
        known.map_or(Self::Other(number), |(_, code)| *code)
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Quota | Self::HelloFirst)
    }
}

impl<C> Encode<C> for Code {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u16(self.number())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Code {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.u16().map(Self::from_number)
    }
}

/// A typed refusal: nothing of what was asked was done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// What programs act on.
    #[n(0)]
    pub code: Code,
    /// What people read: what was wrong and what to do; at most
    /// [`super::limit::REASON_BYTES_MAX`] bytes.
    #[n(1)]
    pub reason: String,
    /// When to come again, in milliseconds from now.
    #[n(2)]
    pub retry_after_ms: Option<u64>,
}

impl Refused {
    /// A refusal without a time to come again; a reason that is too long is cut.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let mut end = reason.len().min(super::limit::REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        reason.truncate(end);
        Self { code, reason, retry_after_ms: None }
    }

    /// The same, with a time to come again.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}
