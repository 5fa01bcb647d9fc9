//! Remembers pages of the shelf that many people open, ready to be sent.
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

/// The most bytes that are remembered, with the addresses of the pages; one more, and all are
/// forgotten.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was answered; cheap to clone.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    moment: Option<Moment>,
    bodies: BTreeMap<String, Bytes>,
    bytes: usize,
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
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bodies.get(address).filter(|_| kept.moment == Some(moment)).cloned()
    }

    /// Remembers what was read in a moment.
    pub(super) fn put(&self, moment: Moment, address: &str, body: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.moment != Some(moment) || kept.bytes + body.len() + address.len() > BYTES_MAX {
            *kept = Kept { moment: Some(moment), ..Kept::default() };
        }
        if body.len() + address.len() <= BYTES_MAX {
            kept.bytes += body.len() + address.len();
            kept.bodies.insert(address.to_owned(), body.clone());
        }
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
        let (answers, page) = (Answers::default(), Bytes::from(vec![b' '; BYTES_MAX / 8]));
        for n in 0..20 {
            answers.put(NOW, &format!("/{n}"), &page);
        }
        let kept = (0..20).filter(|n| answers.get(NOW, &format!("/{n}")).is_some()).count();
        assert!((1..8).contains(&kept), "{kept}");
        answers.put(NOW, "/large", &Bytes::from(vec![b' '; BYTES_MAX + 1]));
        assert_eq!(answers.get(NOW, "/large"), None);
    }
}
