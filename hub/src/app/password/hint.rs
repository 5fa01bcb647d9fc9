//! Says in a person's language what is wrong with a password, and what to take instead.

use zxcvbn::feedback::{Feedback, Warning};

use super::Weak;
use crate::app::letter::is_hindi;

/// What zxcvbn found that a guesser tries early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Keys that lie beside each other.
    Keys,
    /// The same again and again.
    Repeats,
    /// The alphabet or numbers in their order.
    Sequence,
    /// Dates and years.
    Dates,
    /// Names of people.
    Names,
    /// Passwords and words that many people take.
    Words,
}

impl Pattern {
    /// What a [`Feedback`] warns of, if of anything.
    pub fn of(feedback: Option<&Feedback>) -> Option<Self> {
        Some(match feedback?.warning()? {
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess => Self::Keys,
            Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::Repeats,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequence,
            Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => Self::Dates,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::Names,
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword
            | Warning::AWordByItselfIsEasyToGuess => Self::Words,
        })
    }

    /// In English, after a colon.
    pub(super) const fn in_english(found: Option<Self>) -> &'static str {
        match found {
            Some(Self::Keys) => "keys that lie beside each other",
            Some(Self::Repeats) => "the same again and again",
            Some(Self::Sequence) => "letters or numbers in their order",
            Some(Self::Dates) => "dates and years",
            Some(Self::Names) => "names of people",
            Some(Self::Words) => "words that many people take",
            None => "rows of keys, dates, frequent words",
        }
    }

    const fn in_hindi(found: Option<Self>) -> &'static str {
        match found {
            Some(Self::Keys) => "कीबोर्ड पर पास-पास के अक्षर",
            Some(Self::Repeats) => "वही अक्षर बार-बार",
            Some(Self::Sequence) => "क्रम से आने वाले अक्षर या अंक",
            Some(Self::Dates) => "तारीख़ें और साल",
            Some(Self::Names) => "लोगों के नाम",
            Some(Self::Words) => "ऐसे शब्द जो बहुत लोग लेते हैं",
            None => "कीबोर्ड की कतारें, तारीख़ें, आम शब्द",
        }
    }
}

/// A refused password, for a person who reads a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.said())]
pub struct Hint {
    /// What is wrong.
    pub weak: Weak,
    hindi: bool,
}

impl Weak {
    /// The same in a language (BCP 47): Hindi, or else English.
    #[must_use]
    pub fn told_in(self, language: &str) -> Hint {
        Hint { weak: self, hindi: is_hindi(language) }
    }

    fn in_hindi(self) -> String {
        match self {
            Self::Short { chars, chars_min } => {
                format!("पासवर्ड में {chars} अक्षर हैं; कम से कम {chars_min} लें, जैसे चार शब्द")
            }
            Self::Long => format!("पासवर्ड {} बाइट से लंबा है", super::BYTES_MAX),
            Self::Monotonous => {
                "पासवर्ड में गिने-चुने अक्षर ही बार-बार आते हैं; इसके बजाय कई शब्द लें".to_owned()
            }
            Self::Common => "यह पासवर्ड बहुत लोगों का है, या वैसा ही है जिसके पीछे अंक लगे हैं, और सबसे \
                             पहले आज़माया जाता है; चार ऐसे शब्द लें जिनका आपस में कोई संबंध न हो"
                .to_owned(),
            Self::OwnWords => "पासवर्ड में आपके लॉगिन या नाम के सिवा ज़्यादा कुछ नहीं है; दूसरे पहले वही \
                               आज़माते हैं"
                .to_owned(),
            Self::Guessable { because } => format!(
                "पासवर्ड में वह है जो जल्दी आज़माया जाता है: {}; एक-दो और शब्द जोड़ें जिनका आपस में \
                 कोई संबंध न हो",
                Pattern::in_hindi(because)
            ),
        }
    }
}

impl Hint {
    fn said(&self) -> String {
        if self.hindi { self.weak.in_hindi() } else { self.weak.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn std_33_every_refusal_is_said_in_hindi_and_in_english() {
        let found = [
            Pattern::Keys,
            Pattern::Repeats,
            Pattern::Sequence,
            Pattern::Dates,
            Pattern::Names,
            Pattern::Words,
        ];
        let found = found.map(Some).into_iter().chain([None]);
        let guessable = found.map(|because| Weak::Guessable { because });
        let short = Weak::Short { chars: 7, chars_min: 15 };
        let all = [short, Weak::Long, Weak::Monotonous, Weak::Common, Weak::OwnWords];
        let mut said = std::collections::BTreeSet::new();
        for weak in all.into_iter().chain(guessable) {
            let (hindi, english) = (weak.told_in("hi-IN"), weak.told_in("en"));
            let devanagari = |c: char| ('\u{900}'..='\u{97f}').contains(&c);
            assert!(hindi.to_string().contains(devanagari), "{hindi}");
            assert!(!hindi.to_string().contains(|c: char| c.is_ascii_alphabetic()), "{hindi}");
            assert!(english.to_string().is_ascii(), "{english}");
            assert_eq!(weak.told_in("ta").to_string(), english.to_string());
            assert!(said.insert(hindi.to_string()) && said.insert(english.to_string()));
        }
        assert!(short.told_in("hi").to_string().contains("15"));
    }
}
