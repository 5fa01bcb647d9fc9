//! What two programs say to each other: requests and responses, as CBOR frames within limits.
//!
//! **Invariant:** a frame is read once, whole, within [`FRAME_BYTES_MAX`] and the limits of
//! [`limit`]; what is not understood is answered by a [`Refused`] with a code, never by silence.
//!
//! A request and a response are arrays (RFC 8949) whose first element is a number that is never
//! given to anything else; elements that a later version appends are skipped by this one.
//!
//! ```
//! use kirana_sync::wire::{Protocol, Request};
//! let request = Request::Delete { ids: vec![kirana_core::hash::Hash::of(b"a sealed envelope")] };
//! assert_eq!(request.protocol(), Protocol::Mailbox);
//! assert_eq!(Request::read(&request.to_frame()), Ok(request));
//! ```

use kirana_core::{
    catalogue::BucketNo,
    hash::Hash,
    id::ShopId,
    mail::{Address, Mail},
};
use minicbor::{Decode, Encode, bytes::ByteVec};

mod frame;
pub mod limit;
mod refused;

pub use frame::{FRAME_BYTES_MAX, NotAFrame};
pub use refused::{Code, Refused};

/// The protocols, by the names that libp2p negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Mail: put, list, delete.
    Mailbox,
    /// Who is where: records of shops.
    Directory,
    /// Catalogues: signed heads, chunks, snapshots, and batches of staff.
    Catalogue,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mailbox, Self::Directory, Self::Catalogue];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mailbox => "/kirana/mailbox/1",
            Self::Directory => "/kirana/directory/1",
            Self::Catalogue => "/kirana/catalogue/1",
        }
    }
}

/// What one party asks of another; every request may be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Request {
    /// Says who calls, beyond the key that the transport proved; answered by `Welcome`.
    #[n(0)]
    Hello {
        /// The caller's certificates, leaf first, each a CWT; empty for a guest.
        #[n(0)]
        certificates: Vec<ByteVec>,
        /// The newest revocation lists the caller holds.
        #[n(1)]
        lists: Vec<ByteVec>,
    },
    /// Hands over one piece of mail; answered by `Stored` once it is durable.
    #[n(1)]
    Put {
        /// The mail.
        #[n(0)]
        mail: Mail,
    },
    /// Asks for the mail of an address, by the one whose address it is; answered by `Mails`.
    #[n(2)]
    List {
        /// Whose mail.
        #[n(0)]
        address: Address,
        /// Only what stands after this cursor; 0 for all.
        #[n(1)]
        after: u64,
        /// At most so many; the answer may hold fewer.
        #[n(2)]
        limit: u16,
    },
    /// Says that mail is stored elsewhere now and may go; answered by `Deleted`.
    #[n(3)]
    Delete {
        /// The names of the pieces: [`Mail::id`].
        #[n(0)]
        ids: Vec<Hash>,
    },
    /// Hands over a piece of mail on its way, between hubs alone; answered by `Stored` once it is
    /// durable, or refused with [`Code::NotHere`] by a hub that does not keep this shop's mail.
    #[n(4)]
    Forward {
        /// The mail, under its sender's own stamp.
        #[n(0)]
        mail: Mail,
        /// How many hubs had it before: see [`crate::forward`].
        #[n(1)]
        hops: u8,
    },
    /// Puts a record into the directory; answered by `Published`.
    #[n(20)]
    Publish {
        /// The signed record: [`kirana_core::record`].
        #[n(0)]
        record: ByteVec,
    },
    /// Asks for a shop's record; answered by `Records` with one or none.
    #[n(21)]
    Look {
        /// Which shop.
        #[n(0)]
        shop: ShopId,
    },
    /// Asks for the records of shops in geohash cells; answered by `Records`.
    #[n(22)]
    Find {
        /// Geohash cells, each 1 to 12 characters.
        #[n(0)]
        cells: Vec<String>,
    },
    /// Asks for the signed heads of a shop's catalogue; answered by `Heads`.
    #[n(40)]
    Heads {
        /// Whose catalogue.
        #[n(0)]
        shop: ShopId,
        /// What was answered last, by its name: what is the same still may be left out.
        #[n(1)]
        seen: Option<Hash>,
    },
    /// Asks for the chunks of one bucket after a number; answered by `Chunks`, or by a refusal
    /// with [`Code::OtherGeneration`] or [`Code::Gone`], after which a snapshot is asked for.
    #[n(41)]
    Chunks {
        /// Whose catalogue.
        #[n(0)]
        shop: ShopId,
        /// Which of its documents.
        #[n(1)]
        bucket: BucketNo,
        /// The generation that `after` counts in.
        #[n(2)]
        generation: u64,
        /// The last chunk that the caller has; 0 for none.
        #[n(3)]
        after: u64,
    },
    /// Asks for a whole document; answered by `Snapshot`, in parts.
    #[n(42)]
    Snapshot {
        /// Whose catalogue.
        #[n(0)]
        shop: ShopId,
        /// Which of its documents.
        #[n(1)]
        bucket: BucketNo,
        /// Where the part starts, in bytes.
        #[n(2)]
        offset: u32,
    },
    /// Hands over a signed batch of catalogue edits by staff; answered by `Admitted`.
    #[n(43)]
    Batch {
        /// The batch: [`kirana_core::catalogue`].
        #[n(0)]
        batch: ByteVec,
        /// The certificates of its signer, leaf first.
        #[n(1)]
        certificates: Vec<ByteVec>,
    },
    /// Asks for the picture that a product of a shop names; answered by `Image`.
    #[n(44)]
    Image {
        /// Whose product.
        #[n(0)]
        shop: ShopId,
        /// The digest that the product names.
        #[n(1)]
        image: Hash,
    },
}

impl Request {
    /// Which protocol carries it.
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Hello { .. } | Self::Put { .. } | Self::List { .. } | Self::Delete { .. } => {
                Protocol::Mailbox
            }
            Self::Forward { .. } => Protocol::Mailbox,
            Self::Publish { .. } | Self::Look { .. } | Self::Find { .. } => Protocol::Directory,
            Self::Heads { .. } | Self::Chunks { .. } | Self::Snapshot { .. } => Protocol::Catalogue,
            Self::Batch { .. } | Self::Image { .. } => Protocol::Catalogue,
        }
    }

    /// A short name for logs and counters; it says nothing about the content.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Put { .. } => "put",
            Self::List { .. } => "list",
            Self::Delete { .. } => "delete",
            Self::Forward { .. } => "forward",
            Self::Publish { .. } => "publish",
            Self::Look { .. } => "look",
            Self::Find { .. } => "find",
            Self::Heads { .. } => "heads",
            Self::Chunks { .. } => "chunks",
            Self::Snapshot { .. } => "snapshot",
            Self::Batch { .. } => "batch",
            Self::Image { .. } => "image",
        }
    }
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Response {
    /// Nothing was done, for this reason.
    #[n(0)]
    Refused(#[n(0)] Refused),
    /// Who answers.
    #[n(1)]
    Welcome {
        /// The answerer's certificates, leaf first, each a CWT.
        #[n(0)]
        certificates: Vec<ByteVec>,
        /// The newest revocation lists it holds.
        #[n(1)]
        lists: Vec<ByteVec>,
        /// The newest roster of hubs it holds.
        #[n(2)]
        roster: Option<ByteVec>,
    },
    /// The mail is durable here. This is no intake: only the recipient's signed entry is.
    #[n(2)]
    Stored {
        /// The name of the piece.
        #[n(0)]
        id: Hash,
    },
    /// Mail, oldest first.
    #[n(3)]
    Mails {
        /// Each with its cursor, ascending.
        #[n(0)]
        items: Vec<(u64, Mail)>,
        /// Whether more stands after the last one.
        #[n(1)]
        more: bool,
    },
    /// The mail is gone, or was never here.
    #[n(4)]
    Deleted,
    /// The record, or one with a higher number, is in the directory.
    #[n(20)]
    Published,
    /// Signed records.
    #[n(21)]
    Records {
        /// [`kirana_core::record`].
        #[n(0)]
        records: Vec<ByteVec>,
    },
    /// The newest signed head of each document of the catalogue, with what proves the signer.
    #[n(40)]
    Heads {
        /// One signed head a document.
        #[n(0)]
        heads: Vec<ByteVec>,
        /// The certificates of the node that signed, leaf first.
        #[n(1)]
        certificates: Vec<ByteVec>,
        /// The newest signed, numbered stock snapshots.
        #[n(2)]
        availability: Vec<ByteVec>,
        /// The newest signed terms, where the shop has set any: [`kirana_core::terms`].
        #[n(3)]
        terms: Option<ByteVec>,
        /// The name of all of it, also of what was left out, where the answerer remembers it for a
        /// while.
        #[n(4)]
        name: Option<Hash>,
    },
    /// Chunks in ascending order, without gaps.
    #[n(41)]
    Chunks {
        /// Each with the head that was signed for it.
        #[n(0)]
        chunks: Vec<Chunk>,
        /// Whether more follow the last one.
        #[n(1)]
        more: bool,
    },
    /// A part of a whole document.
    #[n(42)]
    Snapshot {
        /// The signed head that names the hash of the whole.
        #[n(0)]
        head: ByteVec,
        /// Length of the whole, in bytes.
        #[n(1)]
        total: u32,
        /// The part, from the offset that was asked for.
        #[n(2)]
        part: ByteVec,
    },
    /// The batch is in the catalogue.
    #[n(43)]
    Admitted {
        /// Its hash.
        #[n(0)]
        id: Hash,
    },
    /// A picture, whole. Whoever asked checks its digest.
    #[n(44)]
    Image {
        /// The JPEG.
        #[n(0)]
        jpeg: ByteVec,
    },
}

/// One numbered chunk of a catalogue with the head signed for it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Chunk {
    /// The signed head: shop, generation, bucket, number, hash of the chunk.
    #[n(0)]
    pub head: ByteVec,
    /// The chunk itself.
    #[n(1)]
    pub bytes: ByteVec,
}

impl Response {
    /// A refusal.
    pub fn refused(code: Code, reason: impl Into<String>) -> Self {
        Self::Refused(Refused::new(code, reason))
    }

    /// As many of `items` as fit a frame, and whether some were left.
    pub fn mails(items: impl IntoIterator<Item = (u64, Mail)>, limit: u16) -> Self {
        let most = usize::from(limit).min(limit::MAILS_MAX);
        let (items, more) = frame::fitting(items, most, |(_, mail)| limit::mail_bytes(mail));
        Self::Mails { items, more }
    }

    /// As many of `chunks` as fit a frame, and whether some were left.
    pub fn chunks(chunks: impl IntoIterator<Item = Chunk>) -> Self {
        let (chunks, more) = frame::fitting(chunks, limit::CHUNKS_MAX, |chunk| {
            chunk.head.len() + chunk.bytes.len() + 16
        });
        Self::Chunks { chunks, more }
    }

    /// As many of `records` as fit a frame.
    pub fn records(records: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let records = records.into_iter().map(ByteVec::from);
        let (records, _) = frame::fitting(records, limit::RECORDS_MAX, |record| record.len() + 8);
        Self::Records { records }
    }
}

#[cfg(test)]
mod tests;
