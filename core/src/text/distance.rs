//! How many typing errors lie between two words.
//!
//! **Invariant:** one error is one letter too many, too few or wrong, or two neighbours swapped.

/// The least number of errors that make one word of the other, or `None` beyond `max`
/// (optimal string alignment: no letter is changed twice).
///
/// ```
/// use kirana_core::text::distance::errors;
/// assert_eq!(errors("chocolat", "chcoolat", 1), Some(1));
/// assert_eq!(errors("lait", "lai", 1), Some(1));
/// assert_eq!(errors("lait", "laie", 0), None);
/// ```
pub fn errors(one: &str, other: &str, max: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > max {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut now = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(now[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            now.push(least);
        }
        if now.iter().all(|errors| *errors > max) {
            return None;
        }
        before = std::mem::replace(&mut last, now);
    }
    last.last().copied().filter(|errors| *errors <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_counts_once() {
        for (one, other, expected) in [
            ("riz", "riz", Some(0)),
            ("riz", "rizz", Some(1)),
            ("riz", "ri", Some(1)),
            ("riz", "roz", Some(1)),
            ("riz", "rzi", Some(1)),
            ("riz", "zir", Some(2)),
            ("", "", Some(0)),
            ("", "abc", None),
            ("दूध", "दध", Some(1)),
        ] {
            assert_eq!(errors(one, other, 2), expected, "{one} {other}");
            assert_eq!(errors(other, one, 2), expected, "{other} {one}");
        }
    }
}
