//! Frames at and past their limits, damaged, and from a later version.

use super::*;
use kirana_core::{
    id::OrderId, key::KeyId, mail::SEALED_BYTES_MAX, terms::TERMS_BYTES_MAX, time::UnixMs,
};
use limit::*;
use proptest::prelude::*;

fn bytes(len: usize) -> ByteVec {
    ByteVec::from(vec![7; len])
}

fn many(count: usize, len: usize) -> Vec<ByteVec> {
    vec![bytes(len); count]
}

fn mail(sealed: usize, stamp: usize, certificates: Vec<ByteVec>) -> Mail {
    let to = Address::Device(KeyId::of(&[1; 32]));
    let until = UnixMs::new(1_800_000_000_000);
    Mail { to, until, sealed: vec![7; sealed], stamp: vec![7; stamp], certificates }
}

fn shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [2; 10])
}

fn accepts(request: &Request) -> bool {
    Request::read(&request.to_frame()).is_ok()
}

fn accepts_response(response: &Response) -> bool {
    Response::read(&response.to_frame()).is_ok()
}

#[test]
fn a_request_one_past_any_limit_is_refused() {
    let hello = |certificates, lists| Request::Hello { certificates, lists };
    let put = |sealed, stamp, chain| Request::Put { mail: mail(sealed, stamp, chain) };
    let forward = |sealed| Request::Forward { mail: mail(sealed, 9, vec![]), hops: 1 };
    let delete = |n| Request::Delete { ids: vec![Hash::of(b"x"); n] };
    let publish = |n| Request::Publish { record: bytes(n) };
    let find = |n, len| Request::Find { cells: vec!["t".repeat(len); n] };
    let batch = |n, c| Request::Batch { batch: bytes(n), certificates: many(c, 9) };
    let pairs = [
        (hello(many(CERTIFICATES_MAX, 9), vec![]), hello(many(CERTIFICATES_MAX + 1, 9), vec![])),
        (
            hello(many(1, CERTIFICATE_BYTES_MAX), vec![]),
            hello(many(1, CERTIFICATE_BYTES_MAX + 1), vec![]),
        ),
        (hello(vec![], many(LISTS_MAX, 9)), hello(vec![], many(LISTS_MAX + 1, 9))),
        (hello(vec![], many(1, LISTS_BYTES_MAX)), hello(vec![], many(1, LISTS_BYTES_MAX + 1))),
        (put(SEALED_BYTES_MAX, 9, vec![]), put(SEALED_BYTES_MAX + 1, 9, vec![])),
        (put(9, STAMP_BYTES_MAX, vec![]), put(9, STAMP_BYTES_MAX + 1, vec![])),
        (put(9, 9, many(CERTIFICATES_MAX, 9)), put(9, 9, many(CERTIFICATES_MAX + 1, 9))),
        (forward(SEALED_BYTES_MAX), forward(SEALED_BYTES_MAX + 1)),
        (delete(DELETE_MAX), delete(DELETE_MAX + 1)),
        (publish(RECORD_BYTES_MAX), publish(RECORD_BYTES_MAX + 1)),
        (find(CELLS_MAX, 5), find(CELLS_MAX + 1, 5)),
        (find(1, CELL_CHARS_MAX), find(1, CELL_CHARS_MAX + 1)),
        (batch(CHUNK_BYTES_MAX, 1), batch(CHUNK_BYTES_MAX + 1, 1)),
        (batch(9, CERTIFICATES_MAX), batch(9, CERTIFICATES_MAX + 1)),
    ];
    for (within, past) in pairs {
        assert!(accepts(&within), "a {} at its limit", within.name());
        assert!(!accepts(&past), "a {} one past its limit", past.name());
    }
}

#[test]
fn a_response_one_past_any_limit_is_refused() {
    let mails = |n| Response::Mails { items: vec![(1, mail(9, 9, vec![])); n], more: false };
    let records = |n, len| Response::Records { records: many(n, len) };
    let heads = |h, c, a| {
        let (terms, name) = (None, None);
        Response::Heads { heads: h, certificates: c, availability: a, terms, name }
    };
    let chunk = |head, len| Chunk { head: bytes(head), bytes: bytes(len) };
    let chunks = |n, head, len| Response::Chunks { chunks: vec![chunk(head, len); n], more: true };
    let snapshot = |total, part| Response::Snapshot { head: bytes(9), total, part: bytes(part) };
    let refused = |n| {
        let reason = "x".repeat(n);
        Response::Refused(Refused { code: Code::Busy, reason, retry_after_ms: None })
    };
    let welcome = |n| {
        let (certificates, lists) = (vec![], vec![]);
        Response::Welcome { certificates, lists, roster: Some(bytes(n)) }
    };
    let terms = |n| {
        let (heads, certificates, availability) = (vec![], vec![], vec![]);
        Response::Heads { heads, certificates, availability, terms: Some(bytes(n)), name: None }
    };
    let image = |n| Response::Image { jpeg: bytes(n) };
    let half = AVAILABILITY_BYTES_MAX / 2;
    let pairs = [
        (mails(MAILS_MAX), mails(MAILS_MAX + 1)),
        (records(RECORDS_MAX, 9), records(RECORDS_MAX + 1, 9)),
        (records(1, RECORD_BYTES_MAX), records(1, RECORD_BYTES_MAX + 1)),
        (heads(many(HEADS_MAX, 9), vec![], vec![]), heads(many(HEADS_MAX + 1, 9), vec![], vec![])),
        (welcome(ROSTER_BYTES_MAX), welcome(ROSTER_BYTES_MAX + 1)),
        (
            heads(many(1, HEAD_BYTES_MAX), vec![], vec![]),
            heads(many(1, HEAD_BYTES_MAX + 1), vec![], vec![]),
        ),
        (
            heads(vec![], many(CERTIFICATES_MAX, 9), vec![]),
            heads(vec![], many(CERTIFICATES_MAX + 1, 9), vec![]),
        ),
        (heads(vec![], vec![], many(2, half)), heads(vec![], vec![], many(2, half + 1))),
        (heads(vec![], vec![], many(HEADS_MAX, 9)), heads(vec![], vec![], many(HEADS_MAX + 1, 9))),
        (chunks(CHUNKS_MAX, 9, 9), chunks(CHUNKS_MAX + 1, 9, 9)),
        (chunks(1, HEAD_BYTES_MAX, 9), chunks(1, HEAD_BYTES_MAX + 1, 9)),
        (chunks(1, 9, CHUNK_BYTES_MAX), chunks(1, 9, CHUNK_BYTES_MAX + 1)),
        (snapshot(SNAPSHOT_BYTES_MAX as u32, 9), snapshot(SNAPSHOT_BYTES_MAX as u32 + 1, 9)),
        (snapshot(9, CHUNK_BYTES_MAX), snapshot(9, CHUNK_BYTES_MAX + 1)),
        (refused(REASON_BYTES_MAX), refused(REASON_BYTES_MAX + 1)),
        (image(IMAGE_BYTES_MAX), image(IMAGE_BYTES_MAX + 1)),
        (terms(TERMS_BYTES_MAX), terms(TERMS_BYTES_MAX + 1)),
    ];
    for (within, past) in pairs {
        assert!(accepts_response(&within), "{within:.60?} at its limit");
        assert!(!accepts_response(&past), "{past:.60?} one past its limit");
    }
}

#[test]
fn a_frame_one_byte_past_its_limit_is_refused() {
    let list = |spare: usize| {
        let full = many(15, 16 * 1024);
        let mut frame = Vec::new();
        let mut e = minicbor::Encoder::new(&mut frame);
        e.array(3).and_then(|e| e.u8(0)).and_then(|e| e.array(0)).expect("memory");
        e.encode(full).and_then(|e| e.bytes(&vec![0; spare])).expect("memory");
        frame
    };
    let spare = FRAME_BYTES_MAX - list(0).len();
    let too_long = Request::read(&list(spare + 1));
    assert!(matches!(too_long, Err(NotAFrame::Malformed(_))), "{too_long:?}");
}

#[test]
fn an_unknown_request_is_told_apart_from_a_damaged_one() {
    let unknown = minicbor::to_vec((99u8, "from next year")).expect("memory");
    let read = Request::read(&unknown).expect_err("not known");
    assert_eq!(read, NotAFrame::Unknown(99));
    assert_eq!(Refused::from(&read).code, Code::Unknown);
    for damaged in [&b""[..], &unknown[..unknown.len() - 1], b"\x00", b"GET / HTTP/1.1\r\n"] {
        let read = Request::read(damaged).expect_err("damaged");
        assert_eq!(Refused::from(&read).code, Code::Malformed, "{damaged:?}");
    }
}

#[test]
fn what_a_later_version_appends_to_a_request_is_skipped() {
    let now = Request::Look { shop: shop() };
    let later = minicbor::to_vec((21u8, shop(), "and more")).expect("memory");
    assert_eq!(Request::read(&later), Ok(now));
}

#[test]
fn every_kind_on_the_wire_has_its_number_in_the_list() {
    let requests = [
        Request::Hello { certificates: vec![], lists: vec![] },
        Request::Put { mail: mail(9, 9, vec![]) },
        Request::List { address: Address::Shop(shop()), after: 0, limit: 10 },
        Request::Delete { ids: vec![] },
        Request::Forward { mail: mail(9, 9, vec![]), hops: 1 },
        Request::Publish { record: bytes(9) },
        Request::Look { shop: shop() },
        Request::Find { cells: vec![] },
        Request::Heads { shop: shop(), seen: None },
        Request::Heads { shop: shop(), seen: Some(Hash::of(b"x")) },
        Request::Chunks { shop: shop(), bucket: BucketNo::INDEX, generation: 1, after: 0 },
        Request::Snapshot { shop: shop(), bucket: BucketNo::INDEX, offset: 0 },
        Request::Batch { batch: bytes(9), certificates: vec![] },
        Request::Image { shop: shop(), image: Hash::of(b"x") },
    ];
    for request in requests {
        assert_eq!(Request::read(&request.to_frame()), Ok(request));
    }
    let responses = [
        Response::refused(Code::Quota, "full"),
        Response::Welcome { certificates: vec![], lists: vec![], roster: Some(bytes(9)) },
        Response::Stored { id: Hash::of(b"x") },
        Response::Mails { items: vec![(3, mail(9, 9, vec![]))], more: true },
        Response::Deleted,
        Response::Published,
        Response::Records { records: vec![] },
        Response::Heads {
            heads: vec![],
            certificates: vec![],
            availability: vec![],
            terms: None,
            name: Some(Hash::of(b"x")),
        },
        Response::Chunks { chunks: vec![], more: false },
        Response::Snapshot { head: bytes(9), total: 9, part: bytes(9) },
        Response::Admitted { id: Hash::of(b"x") },
        Response::Image { jpeg: bytes(9) },
    ];
    for response in responses {
        assert_eq!(Response::read(&response.to_frame()), Ok(response));
    }
}

#[test]
fn codes_keep_their_numbers_and_unknown_ones_are_kept() {
    for number in 1..=20 {
        assert_eq!(Code::from_number(number).number(), number);
    }
    assert_eq!(Code::from_number(16), Code::ReadOnly);
    assert_eq!(Code::from_number(17), Code::Other(17));
}

#[test]
fn a_reason_that_is_too_long_is_cut_between_characters() {
    let refused = Refused::new(Code::Quota, "दुकान ".repeat(200));
    assert!(refused.reason.len() <= REASON_BYTES_MAX);
    assert!(accepts_response(&Response::Refused(refused)));
}

#[test]
fn mail_that_does_not_fit_a_frame_is_left_for_the_next() {
    let items = (0..4).map(|cursor| (cursor, mail(SEALED_BYTES_MAX, 900, many(3, 600))));
    let response = Response::mails(items, 10);
    assert!(accepts_response(&response));
    assert!(matches!(response, Response::Mails { items, more: true } if items.len() == 1));
}

#[test]
fn no_more_mail_is_listed_than_was_asked_for() {
    let items = |n| (0..n).map(|cursor| (cursor, mail(9, 9, vec![])));
    assert!(matches!(Response::mails(items(5), 2), Response::Mails { more: true, .. }));
    assert!(matches!(Response::mails(items(2), 2), Response::Mails { more: false, .. }));
    let response = Response::mails(items(500), u16::MAX);
    assert!(matches!(&response, Response::Mails { items, .. } if items.len() == MAILS_MAX));
    assert!(accepts_response(&response));
}

fn any_bytes(max: usize) -> impl Strategy<Value = ByteVec> {
    proptest::collection::vec(any::<u8>(), 0..max).prop_map(ByteVec::from)
}

fn any_hash() -> impl Strategy<Value = Hash> {
    any::<u64>().prop_map(|n| Hash::of(&n.to_be_bytes()))
}

fn any_address() -> impl Strategy<Value = Address> {
    (any::<bool>(), any::<[u8; 32]>()).prop_map(|(is_shop, seed)| {
        let mut random = [0; 10];
        random.copy_from_slice(&seed[..10]);
        let _: OrderId = OrderId::new(UnixMs::new(1), random);
        if is_shop {
            Address::Shop(ShopId::new(UnixMs::new(1), random))
        } else {
            Address::Device(KeyId::of(&seed))
        }
    })
}

fn any_mail() -> impl Strategy<Value = Mail> {
    let parts = (any_address(), any::<u32>(), any_bytes(300), any_bytes(80));
    (parts, proptest::collection::vec(any_bytes(50), 0..3)).prop_map(
        |((to, until, sealed, stamp), certificates)| {
            let until = UnixMs::new(u64::from(until));
            Mail { to, until, sealed: sealed.into(), stamp: stamp.into(), certificates }
        },
    )
}

fn any_request() -> impl Strategy<Value = Request> {
    let chain = || proptest::collection::vec(any_bytes(50), 0..4);
    prop_oneof![
        (chain(), chain()).prop_map(|(certificates, lists)| Request::Hello { certificates, lists }),
        any_mail().prop_map(|mail| Request::Put { mail }),
        (any_mail(), any::<u8>()).prop_map(|(mail, hops)| Request::Forward { mail, hops }),
        (any_address(), any::<u64>(), any::<u16>())
            .prop_map(|(address, after, limit)| Request::List { address, after, limit }),
        proptest::collection::vec(any_hash(), 0..9).prop_map(|ids| Request::Delete { ids }),
        proptest::collection::vec("[0-9a-z]{1,12}", 0..9).prop_map(|cells| Request::Find { cells }),
        (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(bucket, generation, after)| {
            Request::Chunks { shop: shop(), bucket: BucketNo::new(bucket), generation, after }
        }),
        (any_bytes(99), chain())
            .prop_map(|(batch, certificates)| Request::Batch { batch, certificates }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_reads_back_as_it_was_written(request in any_request()) {
        prop_assert_eq!(Request::read(&request.to_frame()), Ok(request));
    }

    #[test]
    fn a_cut_request_is_refused(request in any_request(), cut in any::<prop::sample::Index>()) {
        let frame = request.to_frame();
        prop_assert!(Request::read(&frame[..cut.index(frame.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(frame in any::<Vec<u8>>()) {
        if let Ok(request) = Request::read(&frame) {
            prop_assert!(accepts(&request));
        }
        if let Ok(response) = Response::read(&frame) {
            prop_assert!(accepts_response(&response));
        }
    }

    #[test]
    fn a_flipped_bit_never_makes_a_reader_panic(request in any_request(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut frame = request.to_frame();
        let at = at.index(frame.len());
        frame[at] ^= 1 << bit;
        let _ = Request::read(&frame);
        let _ = Response::read(&frame);
    }
}
