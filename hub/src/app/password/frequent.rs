//! Knows the passwords that are tried first, however they were stretched.
//!
//! The bundled list holds each in one form: small letters and digits only, repetitions once. At
//! fifteen characters nobody has "dragon", but many have "dragon123456789" or it three times; so a
//! password comes down to the same form, with and without the digits around it, before it is
//! looked up.

use std::{collections::BTreeSet, sync::LazyLock};

use zeroize::Zeroizing;

const LIST: &str = include_str!("../../../data/common_passwords.txt");
/// Digits around a word that make it no other word; more of them are a secret of their own.
const DIGITS_AROUND_MAX: usize = 8;

static COMMON: LazyLock<BTreeSet<&str>> = LazyLock::new(|| LIST.lines().collect());

/// Whether a password in small letters comes down to a common one.
pub(super) fn is_common(lower: &str) -> bool {
    let plain: Zeroizing<String> =
        Zeroizing::new(lower.chars().filter(|c| c.is_alphanumeric()).collect());
    let word = plain.trim_matches(|c: char| c.is_numeric());
    let around = plain.chars().count() - word.chars().count();
    let has = |form: &str| COMMON.contains(form) || COMMON.contains(once(form).as_str());
    has(&plain) || (around <= DIGITS_AROUND_MAX && has(word))
}

/// The shortest piece that, said again and again, gives the text; the last time may be cut short,
/// also the second, if half of it is there.
fn once(text: &str) -> Zeroizing<String> {
    let chars: Vec<char> = text.chars().collect();
    // The longest start that is also an end (as in Knuth, Morris and Pratt) leaves the piece.
    let mut borders = vec![0; chars.len()];
    for at in 1..chars.len() {
        let mut border: usize = borders[at - 1];
        while border > 0 && chars[at] != chars[border] {
            border = borders[border - 1];
        }
        borders[at] = if chars[at] == chars[border] { border + 1 } else { 0 };
    }
    let piece = chars.len() - borders.last().copied().unwrap_or(0);
    let whole = if piece * 3 <= chars.len() * 2 { piece } else { chars.len() };
    Zeroizing::new(chars[..whole].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn std_33_the_list_is_long_and_in_its_form() {
        assert!(COMMON.len() >= 3000, "{}", COMMON.len());
        for word in COMMON.iter() {
            assert!(word.chars().all(|c| c.is_lowercase() || !c.is_alphabetic()), "{word}");
            assert!(word.chars().all(char::is_alphanumeric), "{word}");
            assert!(is_common(word), "{word}");
        }
    }

    #[test]
    fn a_repeated_word_comes_down_to_it() {
        for text in ["word", "wordword", "wordwordwo", "wordwo"] {
            assert_eq!(once(text).as_str(), "word");
        }
        assert_eq!(once("wordw").as_str(), "wordw");
        assert_eq!(once("").as_str(), "");
    }
}
