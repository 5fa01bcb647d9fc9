//! How much one request or response may hold; each limit has a test one past it.

use kirana_core::{
    catalogue::head,
    cbor::Malformed,
    mail::{Mail, SEALED_BYTES_MAX},
    terms::TERMS_BYTES_MAX,
};
use minicbor::bytes::ByteVec;

use super::{Request, Response};

/// Certificates in one chain or greeting.
pub const CERTIFICATES_MAX: usize = 8;
/// Bytes of one certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 2 * 1024;
/// Revocation lists in one greeting.
pub const LISTS_MAX: usize = 8;
/// Bytes of all revocation lists in one greeting together.
pub const LISTS_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the roster of hubs.
pub const ROSTER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the outer stamp on a piece of mail.
pub const STAMP_BYTES_MAX: usize = 1024;
/// Pieces of mail in one answer.
pub const MAILS_MAX: usize = 64;
/// Names in one `Delete`.
pub const DELETE_MAX: usize = 256;
/// Bytes of one record in the directory.
pub const RECORD_BYTES_MAX: usize = kirana_core::record::RECORD_BYTES_MAX;
/// Records in one answer.
pub const RECORDS_MAX: usize = 100;
/// Geohash cells in one `Find`.
pub const CELLS_MAX: usize = 32;
/// Characters of one geohash cell.
pub const CELL_CHARS_MAX: usize = 12;
/// Signed heads, or stock snapshots, in one answer.
pub const HEADS_MAX: usize = 256;
/// Bytes of one signed head.
pub const HEAD_BYTES_MAX: usize = head::HEAD_BYTES_MAX;
/// Bytes of all stock snapshots in one answer together.
pub const AVAILABILITY_BYTES_MAX: usize = 128 * 1024;
/// Chunks in one answer.
pub const CHUNKS_MAX: usize = 256;
/// Bytes of one chunk of a catalogue, of one batch, or of one part of a snapshot.
pub const CHUNK_BYTES_MAX: usize = head::CHUNK_BYTES_MAX;
/// Bytes of a whole document.
pub const SNAPSHOT_BYTES_MAX: usize = head::SNAPSHOT_BYTES_MAX;
/// Bytes of one picture of a product.
pub const IMAGE_BYTES_MAX: usize = 200_000;
/// Bytes of a refusal's reason.
pub const REASON_BYTES_MAX: usize = 512;

/// About how many bytes a piece of mail takes in a frame; never fewer than it does.
pub fn mail_bytes(mail: &Mail) -> usize {
    let chain: usize = mail.certificates.iter().map(|certificate| certificate.len() + 8).sum();
    mail.sealed.len() + mail.stamp.len() + chain + 96
}

fn at_most(what: &'static str, len: usize, max: usize) -> Result<(), Malformed> {
    if len > max { Err(Malformed::TooLong { what, len, max }) } else { Ok(()) }
}

fn each(what: &'static str, items: &[ByteVec], max: usize) -> Result<(), Malformed> {
    items.iter().try_for_each(|item| at_most(what, item.len(), max))
}

fn together(what: &'static str, items: &[ByteVec], max: usize) -> Result<(), Malformed> {
    at_most(what, items.iter().map(|item| item.len()).sum(), max)
}

fn certificates(chain: &[ByteVec]) -> Result<(), Malformed> {
    at_most("a chain of certificates", chain.len(), CERTIFICATES_MAX)?;
    each("a certificate", chain, CERTIFICATE_BYTES_MAX)
}

fn greeting(chain: &[ByteVec], lists: &[ByteVec]) -> Result<(), Malformed> {
    certificates(chain)?;
    at_most("the revocation lists", lists.len(), LISTS_MAX)?;
    together("the revocation lists", lists, LISTS_BYTES_MAX)
}

/// Whether a piece of mail is within the limits, wherever it came from.
///
/// # Errors
/// [`Malformed::TooLong`] names what is past its limit.
pub fn check_mail(mail: &Mail) -> Result<(), Malformed> {
    at_most("a sealed envelope", mail.sealed.len(), SEALED_BYTES_MAX)?;
    at_most("a stamp", mail.stamp.len(), STAMP_BYTES_MAX)?;
    certificates(&mail.certificates)
}

pub(super) fn check_request(request: &Request) -> Result<(), Malformed> {
    match request {
        Request::Hello { certificates, lists } => greeting(certificates, lists),
        Request::Put { mail } | Request::Forward { mail, .. } => check_mail(mail),
        Request::Delete { ids } => at_most("a list of names", ids.len(), DELETE_MAX),
        Request::Publish { record } => at_most("a record", record.len(), RECORD_BYTES_MAX),
        Request::Find { cells } => {
            at_most("a list of cells", cells.len(), CELLS_MAX)?;
            cells.iter().try_for_each(|cell| at_most("a geohash cell", cell.len(), CELL_CHARS_MAX))
        }
        Request::Batch { batch, certificates: chain } => {
            at_most("a batch", batch.len(), CHUNK_BYTES_MAX)?;
            certificates(chain)
        }
        Request::List { .. }
        | Request::Look { .. }
        | Request::Heads { .. }
        | Request::Chunks { .. }
        | Request::Image { .. }
        | Request::Snapshot { .. } => Ok(()),
    }
}

pub(super) fn check_response(response: &Response) -> Result<(), Malformed> {
    match response {
        Response::Refused(refused) => at_most("a reason", refused.reason.len(), REASON_BYTES_MAX),
        Response::Welcome { certificates, lists, roster } => {
            greeting(certificates, lists)?;
            at_most("a roster", roster.as_ref().map_or(0, |roster| roster.len()), ROSTER_BYTES_MAX)
        }
        Response::Mails { items, .. } => {
            at_most("a list of mail", items.len(), MAILS_MAX)?;
            items.iter().try_for_each(|(_, mail)| check_mail(mail))
        }
        Response::Records { records } => {
            at_most("a list of records", records.len(), RECORDS_MAX)?;
            each("a record", records, RECORD_BYTES_MAX)
        }
        Response::Heads { heads, certificates: chain, availability, terms, name: _ } => {
            at_most(
                "a shop's terms",
                terms.as_ref().map_or(0, |terms| terms.len()),
                TERMS_BYTES_MAX,
            )?;
            at_most("a list of heads", heads.len(), HEADS_MAX)?;
            each("a signed head", heads, HEAD_BYTES_MAX)?;
            at_most("a list of stock snapshots", availability.len(), HEADS_MAX)?;
            together("the stock snapshots", availability, AVAILABILITY_BYTES_MAX)?;
            certificates(chain)
        }
        Response::Chunks { chunks, .. } => {
            at_most("a list of chunks", chunks.len(), CHUNKS_MAX)?;
            chunks.iter().try_for_each(|chunk| {
                at_most("a signed head", chunk.head.len(), HEAD_BYTES_MAX)?;
                at_most("a chunk", chunk.bytes.len(), CHUNK_BYTES_MAX)
            })
        }
        Response::Snapshot { head, total, part } => {
            at_most("a signed head", head.len(), HEAD_BYTES_MAX)?;
            at_most("a snapshot", *total as usize, SNAPSHOT_BYTES_MAX)?;
            at_most("a part of a snapshot", part.len(), CHUNK_BYTES_MAX)
        }
        Response::Image { jpeg } => at_most("a picture", jpeg.len(), IMAGE_BYTES_MAX),
        Response::Stored { .. }
        | Response::Deleted
        | Response::Published
        | Response::Admitted { .. } => Ok(()),
    }
}
