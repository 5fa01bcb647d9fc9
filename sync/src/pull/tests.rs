//! Catalogue pulls: what is loaded, what is doubted, what starts again.

use super::*;
use crate::fixture::{NOW, Shelf, shop, trust};

/// Pulls until nothing more is asked; gives what was loaded and how it ended.
fn pull(pull: &mut Pull, mut serve: impl FnMut(&Request) -> Response) -> (Vec<Load>, Vec<Effect>) {
    let (mut loads, mut ends) = (Vec::new(), Vec::new());
    let mut todo = VecDeque::from([pull.start()]);
    while let Some(effect) = todo.pop_front() {
        match effect {
            Effect::Ask(request) => {
                let answer = serve(&request);
                todo.extend(pull.answer(NOW.into(), &trust(), answer));
            }
            Effect::Load(load) => {
                todo.extend(pull.loaded(load.head.head()));
                loads.push(*load);
            }
            end => ends.push(end),
        }
        assert!(loads.len() < 5000, "it goes on for ever");
    }
    (loads, ends)
}

fn is_current(ends: &[Effect]) -> bool {
    ends.last() == Some(&Effect::Current)
}

#[test]
fn a_new_reader_gets_every_document_chunk_by_chunk() {
    let shelf = Shelf::new(0, 1, &[3, 2]);
    let mut reader = Pull::new(shop(0), Known::new());
    let (loads, ends) = pull(&mut reader, |request| shelf.answer(request));
    let bytes: Vec<Vec<u8>> = loads.into_iter().map(|load| load.bytes).collect();
    let expected = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)].map(|(b, n)| shelf.bytes(b, n));
    assert_eq!(bytes, expected);
    assert!(is_current(&ends));
    assert!(matches!(ends[0], Effect::Availability(_)));
}

#[test]
fn a_reader_who_comes_back_gets_only_what_is_new() {
    let mut shelf = Shelf::new(0, 1, &[3, 2]);
    let mut reader = Pull::new(shop(0), Known::new());
    pull(&mut reader, |request| shelf.answer(request));
    shelf.chunks[1] = 4;
    let mut later = Pull::new(shop(0), reader.known().clone());
    let (loads, _) = pull(&mut later, |request| shelf.answer(request));
    assert_eq!(loads.len(), 2);
    let (again, ends) = pull(&mut later, |request| shelf.answer(request));
    assert!(again.is_empty() && is_current(&ends));
}

#[test]
fn a_new_generation_is_taken_by_snapshot() {
    let old = Shelf::new(0, 1, &[3, 2]);
    let mut reader = Pull::new(shop(0), Known::new());
    pull(&mut reader, |request| old.answer(request));
    let new = Shelf::new(0, 2, &[5, 2]);
    let (loads, ends) = pull(&mut reader, |request| new.answer(request));
    assert!(is_current(&ends));
    assert!(loads.iter().all(|load| load.head.head().extent == Extent::Snapshot));
    assert_eq!(loads[0].bytes, new.snapshot(0));
    assert_eq!(reader.known()[&BucketNo::INDEX], (2, 5));
}

#[test]
fn chunks_that_are_no_longer_kept_are_made_up_for_by_a_snapshot_in_parts() {
    let shelf = Shelf { kept_from: 5, ..Shelf::new(0, 1, &[8]) };
    let mut reader = Pull::new(shop(0), Known::new());
    let mut asked = 0;
    let (loads, ends) = pull(&mut reader, |request| {
        asked += usize::from(matches!(request, Request::Snapshot { .. }));
        shelf.answer(request)
    });
    assert!(is_current(&ends));
    assert_eq!((loads.len(), asked), (1, 3));
}

#[test]
fn a_snapshot_that_changes_between_its_parts_is_begun_again() {
    let mut shelf = Shelf { kept_from: 5, ..Shelf::new(0, 1, &[8]) };
    let mut reader = Pull::new(shop(0), Known::new());
    let mut changed = false;
    let (loads, ends) = pull(&mut reader, |request| {
        if matches!(request, Request::Snapshot { offset: 1.., .. }) && !changed {
            (changed, shelf.chunks[0]) = (true, 9);
        }
        shelf.answer(request)
    });
    assert!(is_current(&ends), "{ends:?}");
    assert_eq!(loads[0].head.head().n, 9);
}

#[test]
fn a_snapshot_that_changes_for_ever_is_given_up() {
    let mut shelf = Shelf { kept_from: 5, ..Shelf::new(0, 1, &[8]) };
    let mut reader = Pull::new(shop(0), Known::new());
    let (loads, ends) = pull(&mut reader, |request| {
        if matches!(request, Request::Snapshot { .. }) {
            shelf.chunks[0] += 1;
        }
        shelf.answer(request)
    });
    assert!(loads.is_empty());
    assert_eq!(ends.last(), Some(&Effect::Missing));
}

/// What a reader makes of a server that changes one answer.
fn tampered(change: impl Fn(&Request, Response) -> Response) -> (Vec<Load>, Vec<Effect>) {
    let shelf = Shelf { kept_from: 1, ..Shelf::new(0, 1, &[3, 2]) };
    let mut reader = Pull::new(shop(0), Known::new());
    pull(&mut reader, |request| change(request, shelf.answer(request)))
}

fn is_bad(ends: &[Effect]) -> bool {
    matches!(ends.last(), Some(Effect::Bad(_)))
}

#[test]
fn p6_bytes_that_no_head_names_are_never_loaded() {
    let (loads, ends) = tampered(|_, response| match response {
        Response::Chunks { mut chunks, more } => {
            chunks[1].bytes = ByteVec::from(b"rice for nothing".to_vec());
            Response::Chunks { chunks, more }
        }
        other => other,
    });
    assert!(loads.is_empty() && is_bad(&ends));
}

#[test]
fn p6_heads_by_another_key_are_refused() {
    let thief = Shelf { box_keys: crate::fixture::keys(7), ..Shelf::new(0, 1, &[3, 2]) };
    let (loads, ends) = tampered(|request, response| match request {
        Request::Heads { .. } => thief.answer(request),
        _ => response,
    });
    assert!(loads.is_empty() && is_bad(&ends));
    let (loads, ends) = tampered(|request, response| match request {
        Request::Chunks { .. } => thief.answer(request),
        _ => response,
    });
    assert!(loads.is_empty() && is_bad(&ends));
}

#[test]
fn p6_the_catalogue_of_another_shop_is_refused() {
    let other = Shelf::new(1, 1, &[3, 2]);
    let (loads, ends) = tampered(|request, _| other.answer(request));
    assert!(loads.is_empty() && is_bad(&ends));
}

#[test]
fn p6_a_shop_whose_owner_is_not_known_is_refused() {
    let shelf = Shelf::new(9, 1, &[3]);
    let mut reader = Pull::new(shop(9), Known::new());
    let (loads, ends) = pull(&mut reader, |request| shelf.answer(request));
    assert!(loads.is_empty() && is_bad(&ends));
}

#[test]
fn p6_stock_snapshots_by_another_key_of_another_shop_or_of_a_lost_box_are_refused() {
    let thief = Shelf { box_keys: crate::fixture::keys(7), ..Shelf::new(0, 1, &[3]) };
    let lost_box = Shelf { generation: 0, ..Shelf::new(0, 1, &[3]) };
    let elsewhere = Shelf { shop: shop(1), ..Shelf::new(0, 1, &[3]) };
    for liar in [thief, lost_box, elsewhere] {
        let (loads, ends) = tampered(|_, response| match response {
            Response::Heads { heads, certificates, mut availability, terms, name } => {
                availability.push(ByteVec::from(liar.stock(2).bytes().to_vec()));
                Response::Heads { heads, certificates, availability, terms, name }
            }
            other => other,
        });
        assert!(loads.is_empty() && is_bad(&ends), "{ends:?}");
    }
}

#[test]
fn p6_terms_by_another_key_of_another_shop_or_of_a_lost_box_are_not_taken() {
    let thief = Shelf { box_keys: crate::fixture::keys(7), ..Shelf::new(0, 1, &[3]) };
    let lost_box = Shelf { generation: 0, ..Shelf::new(0, 1, &[3]) };
    let elsewhere = Shelf { shop: shop(1), ..Shelf::new(0, 1, &[3]) };
    for liar in [thief, lost_box, elsewhere] {
        let (loads, ends) = tampered(|_, response| match response {
            Response::Heads { heads, certificates, availability, name, .. } => {
                let terms = Some(ByteVec::from(liar.terms(2).bytes().to_vec()));
                Response::Heads { heads, certificates, availability, terms, name }
            }
            other => other,
        });
        assert!(!loads.is_empty() && !is_bad(&ends), "the catalogue comes all the same: {ends:?}");
        assert!(!ends.iter().any(|end| matches!(end, Effect::Terms(_))), "{ends:?}");
    }
}

#[test]
fn chunks_with_a_gap_or_of_another_document_are_refused() {
    for (remove, other) in [(true, false), (false, true)] {
        let shelf = Shelf::new(0, 1, &[3, 3]);
        let (loads, ends) = tampered(|request, response| match (request, response) {
            (Request::Chunks { .. }, Response::Chunks { mut chunks, more }) => {
                if remove {
                    chunks.remove(0);
                }
                if other {
                    let (bucket, generation, after) = (BucketNo::FIRST, 1, 0);
                    let shop = shop(0);
                    return shelf.answer(&Request::Chunks { shop, bucket, generation, after });
                }
                Response::Chunks { chunks, more }
            }
            (_, response) => response,
        });
        assert!(loads.is_empty() && is_bad(&ends));
    }
}

#[test]
fn a_snapshot_that_is_longer_than_it_says_or_than_any_is_refused() {
    for (claimed, part) in [(10, 20), (u32::MAX, 20), (100, 0)] {
        let shelf = Shelf { kept_from: 3, ..Shelf::new(0, 1, &[3]) };
        let mut reader = Pull::new(shop(0), Known::new());
        let (loads, ends) = pull(&mut reader, |request| match shelf.answer(request) {
            Response::Snapshot { head, .. } => {
                let part = ByteVec::from(vec![1; part]);
                Response::Snapshot { head, total: claimed, part }
            }
            other => other,
        });
        assert!(loads.is_empty() && is_bad(&ends), "{claimed} {part}");
    }
}

#[test]
fn a_peer_that_answers_something_else_is_told_apart_from_one_that_has_nothing() {
    let (_, ends) = tampered(|_, _| Response::Deleted);
    assert!(is_bad(&ends));
    let (_, ends) = tampered(|_, _| Response::refused(Code::NotFound, "no such shop"));
    assert_eq!(ends, [Effect::Missing]);
}

#[test]
fn what_is_behind_by_very_many_chunks_is_taken_by_snapshot() {
    let shelf = Shelf::new(0, 1, &[CHUNKS_A_BUCKET_MAX + 1]);
    let mut reader = Pull::new(shop(0), Known::new());
    let (loads, ends) = pull(&mut reader, |request| shelf.answer(request));
    assert!(is_current(&ends));
    assert_eq!(loads.len(), 1);
}

#[test]
fn a_load_that_fails_ends_the_pull_and_the_next_begins_from_what_was_loaded() {
    let shelf = Shelf::new(0, 1, &[3]);
    let mut reader = Pull::new(shop(0), Known::new());
    let Effect::Ask(heads) = reader.start() else { panic!("it asks") };
    let asks = reader.answer(NOW.into(), &trust(), shelf.answer(&heads));
    let Some(Effect::Ask(chunks)) = asks.last() else { panic!("it asks") };
    let loads = reader.answer(NOW.into(), &trust(), shelf.answer(chunks));
    let Effect::Load(first) = &loads[0] else { panic!("it loads") };
    reader.loaded(first.head.head());
    reader.not_loaded();
    assert!(!reader.is_under_way());
    let (rest, ends) = pull(&mut reader, |request| shelf.answer(request));
    assert_eq!(rest.len(), 2);
    assert!(is_current(&ends));
}
