//! What of a book is not paid yet, oldest first: what is paid is the oldest first, as in every notebook.

use minicbor::{Decode, Encode};

use crate::time::UnixMs;

/// The sums that are owed, each since when.
///
/// ```
/// use kirana_core::{khata::dues::Dues, time::UnixMs};
/// let mut dues = Dues::default();
/// dues.moved(UnixMs::new(1), 500, 500);
/// dues.moved(UnixMs::new(2), 300, 800);
/// dues.moved(UnixMs::new(3), -600, 200);
/// assert_eq!(dues.oldest(), Some(UnixMs::new(2)), "the first is paid, of the second 100");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Dues {
    #[n(0)]
    owed: Vec<(UnixMs, i64)>,
}

impl Dues {
    /// Takes in that the balance changed by `difference` to `balance`, both in minor units.
    pub fn moved(&mut self, at: UnixMs, difference: i64, balance: i64) {
        if difference >= 0 {
            // What the customer had paid ahead is used up first.
            let more = difference.min(balance);
            if more > 0 {
                self.owed.push((at, more));
            }
            return;
        }
        let (mut less, mut paid) = (difference.unsigned_abs(), 0);
        for (_, owed) in &mut self.owed {
            let left = owed.unsigned_abs();
            if left > less {
                *owed = (left - less) as i64;
                break;
            }
            less -= left;
            paid += 1;
        }
        self.owed.drain(..paid);
    }

    /// Since when the oldest is owed.
    pub fn oldest(&self) -> Option<UnixMs> {
        self.owed.first().map(|(at, _)| *at)
    }

    /// How much is owed for longer than since `before`, in minor units.
    pub fn older_than(&self, before: UnixMs) -> i64 {
        let old = self.owed.iter().filter(|(at, _)| *at < before);
        old.map(|(_, owed)| *owed).fold(0, i64::saturating_add)
    }
}
