//! Offers passphrases in a person's language.
//!
//! **Invariant:** each has at least [`BITS_MIN`] bits, since its words are drawn evenly and apart
//! from each other, and each passes this hub's own rules.

use std::sync::LazyLock;

use super::{
    Error, Hub,
    password::{Beside, Password},
};
use crate::clock::{Rng, draw};

/// How many are offered at once.
pub const OFFERED: usize = 5;
/// The least entropy of one, in bits.
pub const BITS_MIN: u32 = 50;
/// Words of one.
const WORDS: u32 = 5;

/// Passphrases in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The language (BCP 47), which is English where there is no list in the one asked for.
    pub language: &'static str,
    /// Some to choose from.
    pub passphrases: Vec<String>,
}

/// A language with its words.
struct List {
    language: &'static str,
    words: LazyLock<Vec<&'static str>>,
}

static ENGLISH: List = List {
    language: "en",
    words: LazyLock::new(|| include_str!("../../data/passphrases/en.txt").lines().collect()),
};
static HINDI: List = List {
    language: "hi",
    words: LazyLock::new(|| include_str!("../../data/passphrases/hi.txt").lines().collect()),
};
static HINDI_IN_LATIN: List = List {
    language: "hi-Latn",
    words: LazyLock::new(|| include_str!("../../data/passphrases/hi-Latn.txt").lines().collect()),
};

impl Hub {
    /// Offers some.
    ///
    /// # Errors
    /// Where there are no accounts.
    pub fn passphrases(&self, language: Option<&str>, rng: Rng<'_>) -> Result<Offer, Error> {
        self.central_only()?;
        Ok(offer(language.unwrap_or_default(), rng))
    }
}

fn offer(language: &str, rng: Rng<'_>) -> Offer {
    let list = list(language);
    let mut passphrases = Vec::with_capacity(OFFERED);
    while passphrases.len() < OFFERED {
        let words: Vec<&str> = (0..WORDS).map(|_| list.draw(rng)).collect();
        let passphrase = words.join(" ");
        // One in a great many says the same word again and again.
        if Password::new(&passphrase).check(&[], Beside::Alone).is_ok() {
            passphrases.push(passphrase);
        }
    }
    Offer { language: list.language, passphrases }
}

/// The list of a language tag, whatever region it names.
fn list(language: &str) -> &'static List {
    let tag = language.to_ascii_lowercase();
    let mut parts = tag.split('-');
    match (parts.next(), parts.next()) {
        (Some("hi"), Some("latn")) => &HINDI_IN_LATIN,
        (Some("hi"), _) => &HINDI,
        _ => &ENGLISH,
    }
}

impl List {
    /// One word, each as likely as any other: what does not divide evenly is drawn again.
    fn draw(&self, rng: Rng<'_>) -> &'static str {
        let words: &[&str] = &self.words;
        let even = usize::from(u16::MAX) / words.len() * words.len();
        loop {
            let drawn = usize::from(u16::from_be_bytes(draw(rng)));
            if drawn < even {
                return words[drawn % words.len()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    const LISTS: [&List; 3] = [&ENGLISH, &HINDI, &HINDI_IN_LATIN];

    #[test]
    fn std_33_each_list_gives_fifty_bits_with_five_words() {
        for list in LISTS {
            let words: BTreeSet<&str> = list.words.iter().copied().collect();
            assert_eq!(words.len(), list.words.len(), "{} says no word twice", list.language);
            // So many words make so many bits.
            assert!(words.len() >= 1 << (BITS_MIN / WORDS), "{}: {}", list.language, words.len());
            for word in words {
                let chars = word.chars().count();
                assert!((3..=12).contains(&chars), "{word}");
                let is_of_script = |c: char| match list.language {
                    "hi" => ('\u{900}'..='\u{97f}').contains(&c),
                    _ => c.is_ascii_lowercase(),
                };
                assert!(word.chars().all(is_of_script), "{word}");
            }
        }
    }

    #[test]
    fn std_33_what_is_offered_passes_the_own_rules_whatever_is_drawn() {
        for list in LISTS {
            let mut rng = ChaCha20Rng::seed_from_u64(33);
            for _ in 0..300 {
                let words: Vec<&str> = (0..WORDS).map(|_| list.draw(&mut rng)).collect();
                let passphrase = words.join(" ");
                let checked = Password::new(&passphrase).check(&[], Beside::Alone);
                assert_eq!(checked, Ok(()), "{passphrase}");
            }
        }
    }

    #[test]
    fn std_33_a_language_without_words_falls_back_to_english_and_says_so() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (asked, language) in
            [("hi", "hi"), ("hi-IN", "hi"), ("HI-latn-IN", "hi-Latn"), ("ta", "en"), ("", "en")]
        {
            let offer = offer(asked, &mut rng);
            assert_eq!((offer.language, offer.passphrases.len()), (language, OFFERED));
        }
    }
}
