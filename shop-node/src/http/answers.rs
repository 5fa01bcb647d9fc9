//! Remembers pages of the shelf and answers to searches that many people ask for, ready to be sent.
//!
//! **Invariant:** an answer is given again only while nothing was committed since it was read, by
//! whatever process, and in the same second: planned prices begin and days end by the clock.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Bytes;
use kirana_core::time::UnixMs;
use kirana_migrations::StoreError;

use crate::app::Shop;

/// The most bytes that are remembered, with the addresses of the pages.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most bytes of either half: one more, and the half that was not asked for lately is forgotten.
const HALF_BYTES_MAX: usize = BYTES_MAX / 2;

/// What was answered; cheap to clone.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    moment: Option<Moment>,
    /// What was asked for lately.
    young: Half,
    /// What was asked for before that.
    old: Half,
}

#[derive(Default)]
struct Half {
    bodies: BTreeMap<String, Bytes>,
    bytes: usize,
}

impl Kept {
    fn put(&mut self, address: String, body: Bytes) {
        let bytes = address.len() + body.len();
        if bytes > HALF_BYTES_MAX || self.young.bodies.contains_key(&address) {
            return;
        }
        if self.young.bytes + bytes > HALF_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.bodies.insert(address, body);
    }
}

/// A state of the database in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    version: i64,
    second: u64,
}

impl Answers {
    /// The moment of a request; nothing where the database cannot tell its state.
    ///
    /// It is taken before the page is read: a commit between the two makes the next request read.
    pub(super) fn moment(shop: &Shop, now: UnixMs) -> Result<Option<Moment>, StoreError> {
        let version = shop.database().reader.version()?;
        Ok(version.map(|version| Moment { version, second: now.get() / 1000 }))
    }

    /// What was answered at this address in the same moment.
    pub(super) fn get(&self, moment: Moment, address: &str) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.moment != Some(moment) {
            return None;
        }
        if let Some(body) = kept.young.bodies.get(address) {
            return Some(body.clone());
        }
        let (address, body) = kept.old.bodies.remove_entry(address)?;
        kept.old.bytes -= address.len() + body.len();
        kept.put(address, body.clone());
        Some(body)
    }

    /// Remembers what was read in a moment.
    pub(super) fn put(&self, moment: Moment, address: &str, body: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.moment != Some(moment) {
            *kept = Kept { moment: Some(moment), ..Kept::default() };
        }
        kept.put(address.to_owned(), body.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { version: 1, second: 1 };

    #[test]
    fn an_answer_is_given_again_in_the_same_moment_only() {
        let (answers, page) = (Answers::default(), Bytes::from_static(b"page"));
        answers.put(NOW, "/a", &page);
        assert_eq!(answers.get(NOW, "/a"), Some(page.clone()));
        for later in [Moment { version: 2, ..NOW }, Moment { second: 2, ..NOW }] {
            assert_eq!(answers.get(later, "/a"), None);
        }
        assert_eq!(answers.get(NOW, "/b"), None);
        let later = Moment { second: 2, ..NOW };
        answers.put(later, "/b", &page);
        assert_eq!(answers.get(later, "/a"), None, "what is older is forgotten");
    }

    #[test]
    fn however_many_pages_are_asked_for_no_more_than_the_limit_is_kept() {
        let (answers, page) = (Answers::default(), Bytes::from(vec![b' '; BYTES_MAX / 16]));
        for n in 0..40 {
            answers.put(NOW, &format!("/{n}"), &page);
            assert!(answers.get(NOW, "/0").is_some(), "what is asked for again and again stays");
        }
        let kept = (0..40).filter(|n| answers.get(NOW, &format!("/{n}")).is_some()).count();
        assert!((2..16).contains(&kept), "{kept}");
        answers.put(NOW, "/large", &Bytes::from(vec![b' '; HALF_BYTES_MAX + 1]));
        assert_eq!(answers.get(NOW, "/large"), None);
    }

    #[test]
    fn the_same_page_again_takes_no_more_room() {
        let (answers, page) = (Answers::default(), Bytes::from(vec![b' '; HALF_BYTES_MAX / 2]));
        for _ in 0..4 {
            answers.put(NOW, "/a", &page);
        }
        let kept = answers.0.lock().expect("nobody panicked");
        assert_eq!((kept.young.bytes, kept.old.bytes), (page.len() + 2, 0));
    }
}
