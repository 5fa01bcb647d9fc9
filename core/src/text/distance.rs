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
    if max <= 1 {
        return at_most_one(one, other).filter(|errors| *errors <= max);
    }
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

/// The same for one error at most, which is looked for in many words: what both begin and end with
/// aside, nothing is left but the error.
fn at_most_one(one: &str, other: &str) -> Option<usize> {
    let alike = |one: &str, other: &str| {
        one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
    };
    let mut begin = alike(one, other);
    while !(one.is_char_boundary(begin) && other.is_char_boundary(begin)) {
        begin -= 1;
    }
    let (one, other) = (&one[begin..], &other[begin..]);
    let ends = one.bytes().rev().zip(other.bytes().rev());
    let mut end = ends.take_while(|(one, other)| one == other).count();
    while !(one.is_char_boundary(one.len() - end) && other.is_char_boundary(other.len() - end)) {
        end -= 1;
    }
    let (mut one, mut other) = (one[..one.len() - end].chars(), other[..other.len() - end].chars());
    match [one.next(), one.next(), one.next(), other.next(), other.next(), other.next()] {
        [None, _, _, None, _, _] => Some(0),
        [_, None, _, _, None, _] => Some(1),
        [first, Some(last), None, begun, Some(ended), None] => {
            (first == Some(ended) && begun == Some(last)).then_some(1)
        }
        _ => None,
    }
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

    #[test]
    fn the_short_way_for_one_error_says_what_the_long_way_says() {
        let letters = ['a', 'b', 'é', 'द'];
        let words: Vec<String> = (0..4_usize.pow(4))
            .flat_map(|n| {
                let word = |length: u32| {
                    (0..length).map(|at| letters[n / 4_usize.pow(at) % 4]).collect::<String>()
                };
                (0..=4).map(word).collect::<Vec<_>>()
            })
            .collect();
        for one in words.iter().step_by(7) {
            for other in &words {
                let long = errors(one, other, 2).filter(|errors| *errors <= 1);
                assert_eq!(errors(one, other, 1), long, "{one} {other}");
            }
        }
    }
}
