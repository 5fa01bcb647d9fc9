//! Says which passwords are too easily guessed (NIST SP 800-63B-4, section 3.1.1.2).
//!
//! **Invariant:** no rule asks for kinds of characters, and what is looked at has a limit, so that
//! the longest password costs no more than a hash.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

use super::{Password, frequent, hint::Pattern};

/// The longest password, in bytes; far beyond any passphrase, and short enough to hash at once.
pub const BYTES_MAX: usize = 4096;
/// How much of a password is estimated, in characters. Most cost a millisecond; the worst that we
/// found, all the signs that stand for letters, a fifth of a second, and at 100 nearly a whole one.
const ESTIMATED_CHARS_MAX: usize = 32;
/// An own word shorter than this may stand in a password.
const OWN_WORD_CHARS_MIN: usize = 4;
/// How many own words are looked for.
const OWN_WORDS_MAX: usize = 32;
/// The fewest different characters.
const DISTINCT_CHARS_MIN: usize = 5;

/// What stands beside a password at a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Alone,
    /// A confirmed second factor.
    Factor,
}

impl Beside {
    /// The fewest characters.
    pub const fn chars_min(self) -> usize {
        match self {
            Self::Alone => 15,
            Self::Factor => 8,
        }
    }

    /// What must remain when the person's own words are taken out, in characters.
    const fn rest_chars_min(self) -> usize {
        match self {
            Self::Alone => 8,
            Self::Factor => 4,
        }
    }

    /// Ten to the eighth guesses, or to the sixth where a guess alone opens nothing.
    const fn score_min(self) -> Score {
        match self {
            Self::Alone => Score::Three,
            Self::Factor => Score::Two,
        }
    }
}

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Fewer characters than it needs.
    #[error("the password has {chars} characters; take at least {chars_min}, such as four words")]
    Short {
        /// How many it has.
        chars: usize,
        /// How many it needs.
        chars_min: usize,
    },
    /// More than [`BYTES_MAX`] bytes.
    #[error("the password is longer than {BYTES_MAX} bytes")]
    Long,
    /// The same few characters over and over.
    #[error("the password repeats the same few characters; take several words instead")]
    Monotonous,
    /// One of those that are tried first.
    #[error(
        "the password is one that many people have, or such a one with digits behind it, and is \
         tried first; take four words that have nothing to do with each other"
    )]
    Common,
    /// Little more than the login, the email address or the name.
    #[error("the password is little more than your own login or name; others guess that first")]
    OwnWords,
    /// Found with few guesses.
    #[error(
        "the password is made of what is guessed early: {}; take one or two more words that have \
         nothing to do with each other",
        Pattern::in_english(*because)
    )]
    Guessable {
        /// Of what it is made, where that is known.
        because: Option<Pattern>,
    },
}

impl Password {
    /// Whether this may become the password of a person with these own words.
    ///
    /// # Errors
    /// [`Weak`] says what is wrong with it.
    pub fn check(&self, own_words: &[String], beside: Beside) -> Result<(), Weak> {
        self.check_length(beside)?;
        if self.0.len() > BYTES_MAX {
            return Err(Weak::Long);
        }
        let lower = Zeroizing::new(self.0.to_lowercase());
        let distinct: BTreeSet<char> = lower.chars().collect();
        if distinct.len() < DISTINCT_CHARS_MIN {
            return Err(Weak::Monotonous);
        }
        if frequent::is_common(&lower) {
            return Err(Weak::Common);
        }
        let own = own_forms(own_words);
        let mut rest = lower;
        for word in own.iter().filter(|word| word.chars().count() >= OWN_WORD_CHARS_MIN) {
            rest = Zeroizing::new(rest.replace(word, ""));
        }
        if rest.chars().count() < beside.rest_chars_min() {
            return Err(Weak::OwnWords);
        }
        let start: Zeroizing<String> =
            Zeroizing::new(self.0.chars().take(ESTIMATED_CHARS_MAX).collect());
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let estimate = zxcvbn(&start, &own);
        match estimate.score() >= beside.score_min() {
            true => Ok(()),
            false => Err(Weak::Guessable { because: Pattern::of(estimate.feedback()) }),
        }
    }
}

impl Password {
    /// Whether this has as many characters as it needs.
    ///
    /// # Errors
    /// [`Weak::Short`].
    pub fn check_length(&self, beside: Beside) -> Result<(), Weak> {
        let (chars, chars_min) = (self.0.chars().count(), beside.chars_min());
        if chars < chars_min { Err(Weak::Short { chars, chars_min }) } else { Ok(()) }
    }
}

/// Each own word as it is, and its parts: of an email address the names, of a name each; longest
/// first.
fn own_forms(words: &[String]) -> Vec<String> {
    let mut forms = BTreeSet::new();
    for word in words {
        let whole: String = word.nfc().collect::<String>().to_lowercase();
        let local = whole.split('@').next().unwrap_or_default().to_owned();
        forms.extend(local.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        forms.extend([whole, local]);
    }
    let mut forms: Vec<String> = forms.into_iter().filter(|form| !form.is_empty()).collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.truncate(OWN_WORDS_MAX);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(password: &str, beside: Beside) -> Result<(), Weak> {
        let own = ["ramesh.kumar@example.org", "Ramesh Kumar", "+919876543210"];
        Password::new(password).check(&own.map(str::to_owned), beside)
    }

    #[test]
    fn std_32_eight_characters_beside_a_factor_fifteen_alone() {
        let short = |chars, chars_min| Err(Weak::Short { chars, chars_min });
        assert_eq!(check("tamarind-boat7", Beside::Alone), short(14, 15));
        assert_eq!(check("tamarind-boat77", Beside::Alone), Ok(()));
        assert_eq!(check("q7.vXk2", Beside::Factor), short(7, 8));
        assert_eq!(check("q7.vXk2p", Beside::Factor), Ok(()));
        // Characters count, not bytes: fourteen letters of three bytes each are too few.
        assert_eq!(check(&"चटनीपरसोंखायाा"[..42], Beside::Alone), short(14, 15));
    }

    #[test]
    fn std_32_long_ones_and_all_of_unicode_are_taken() {
        for password in [
            "चावल दाल आटा प्याज़",
            "🌶🥭🐘🚲🌧🏠🪔🎏🐟🍋🛶🌙🪁🧵🍚",
            "अमरूद की टोकरी में सात तोते",
            &"copper monsoon ladder tuesday ".repeat(4),
            &"correct horse battery staple ".repeat(20),
        ] {
            assert_eq!(check(password, Beside::Alone), Ok(()), "{password}");
        }
        let words = "copper monsoon ladder tuesday ".repeat(BYTES_MAX / 30 + 1);
        assert_eq!(check(&words[..BYTES_MAX], Beside::Alone), Ok(()));
        assert_eq!(check(&words[..=BYTES_MAX], Beside::Alone), Err(Weak::Long));
    }

    #[test]
    fn std_33_no_kind_of_character_is_asked_for() {
        assert_eq!(check("all lower case no digits", Beside::Alone), Ok(()));
        assert_eq!(check("ALLUPPERCASENODIGITS", Beside::Alone), Ok(()));
        assert_eq!(check("492710385566120947", Beside::Alone), Ok(()));
    }

    #[test]
    fn std_33_what_many_people_have_is_refused_at_every_length() {
        for password in [
            "passwordpassword",
            "password1234567",
            "Password Password",
            "P.a.s.s.w.o.r.d.1.2.3",
            "!!!iloveyou2024!!!",
            "iloveyouiloveyou",
            "123456789012345",
            "1234567890123456",
            "jaishreeram108108",
            "OmSaiRam OmSaiRam",
            "abcdefghijklmnop",
        ] {
            assert_eq!(check(password, Beside::Alone), Err(Weak::Common), "{password}");
        }
        for password in ["password", "Dragon12", "sunshine!", "qwerty123", "monkeymonkey"] {
            assert_eq!(check(password, Beside::Factor), Err(Weak::Common), "{password}");
        }
    }

    #[test]
    fn std_33_rows_of_keys_dates_and_frequent_words_are_refused() {
        for password in [
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "zaq12wsxcde34rfv",
            "p4ssw0rdp4ssw0rd",
            "passwordmonkey123",
            "januaryfebruary",
        ] {
            assert!(check(password, Beside::Alone).is_err(), "{password}");
        }
        let dates = Weak::Guessable { because: Some(Pattern::Dates) };
        assert_eq!(check("15081947", Beside::Factor), Err(dates));
        let words = Weak::Guessable { because: Some(Pattern::Words) };
        assert_eq!(check("zxcvfdsa", Beside::Factor), Err(words));
    }

    #[test]
    fn std_33_the_persons_own_words_are_refused() {
        for password in [
            "ramesh.kumar@example.org",
            "Ramesh.Kumar123456",
            "kumar ramesh kumar",
            "ramesh-kumar-2026",
            "919876543210919876543210",
        ] {
            assert!(check(password, Beside::Alone).is_err(), "{password}");
        }
        assert_eq!(check("aaaaaaaaaaaaaaaaaa", Beside::Alone), Err(Weak::Monotonous));
        // A name may stand in it where enough else does.
        assert_eq!(check("ramesh sells purple umbrellas", Beside::Alone), Ok(()));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_gets_an_answer(typed in ".{0,80}", own in ".{0,20}") {
            let _ = Password::new(&typed).check(&[own], Beside::Factor);
        }
    }
}
