//! When a shop runs low on something, and how much of it to order.
//!
//! ```
//! use kirana_core::stock::reorder::{Rule, Standing};
//! let rule = Rule { level: 10, up_to: Some(30) };
//! let standing = Standing { free: 8, coming: 4 };
//! assert!(rule.is_low(standing));
//! assert_eq!(rule.order(standing, 12), Some(24)); // 18 are missing: two packs of 12
//! ```

/// From when on something is ordered again; amounts are base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Below this it is low; the safety stock where nobody said another level.
    pub level: u64,
    /// How much of it the shop likes to have; the level where nobody said more.
    pub up_to: Option<u64>,
}

/// What there is of something in all places of a shop, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// On hand, not kept for orders, and not past its date.
    pub free: u64,
    /// Ordered of suppliers, and not here yet.
    pub coming: u64,
}

impl Rule {
    /// Whether there is too little of it: less than the level, or nothing at all.
    pub fn is_low(self, standing: Standing) -> bool {
        standing.free == 0 || standing.free < self.level
    }

    /// How much to order, in whole packs; `None` where nobody ever said how much there should be.
    pub fn order(self, standing: Standing, pack: u64) -> Option<u64> {
        let wanted = self.up_to.unwrap_or(self.level).max(self.level);
        let have = standing.free.saturating_add(standing.coming);
        let missing = wanted.saturating_sub(have);
        (wanted > 0).then(|| missing.div_ceil(pack.max(1)).saturating_mul(pack.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(free: u64, coming: u64) -> Standing {
        Standing { free, coming }
    }

    #[test]
    fn low_is_below_the_level_and_nothing_at_all_is_always_low() {
        let rule = Rule { level: 5, up_to: None };
        assert_eq!([4, 5, 6].map(|free| rule.is_low(standing(free, 9))), [true, false, false]);
        let unsaid = Rule { level: 0, up_to: None };
        assert_eq!([0, 1].map(|free| unsaid.is_low(standing(free, 0))), [true, false]);
    }

    #[test]
    fn an_order_fills_up_in_whole_packs_and_counts_what_is_on_its_way() {
        let rule = Rule { level: 5, up_to: Some(20) };
        assert_eq!(rule.order(standing(4, 0), 1), Some(16));
        assert_eq!(rule.order(standing(4, 0), 6), Some(18));
        assert_eq!(rule.order(standing(4, 10), 6), Some(6));
        assert_eq!(rule.order(standing(4, 16), 6), Some(0));
        assert_eq!(Rule { level: 5, up_to: None }.order(standing(2, 0), 0), Some(3));
        assert_eq!(Rule { level: 0, up_to: None }.order(standing(0, 0), 1), None);
    }
}
