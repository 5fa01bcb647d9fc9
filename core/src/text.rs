//! Folds names and questions to one spelling, so that what people type finds what shops wrote.
//!
//! **Invariant:** the index and the question go through the same [`fold`] and [`tokens`], and a
//! token holds word characters only: no quote, no operator, no blank.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

pub mod distance;
pub mod everyday;
pub mod sound;

/// The longest word that is indexed or looked up, in characters; the rest is cut off.
pub const WORD_CHARS_MAX: usize = 40;

/// Lower case without accents: `Crème BRÛLÉE` becomes `creme brulee`, `œuf` `oeuf`, `Straße`
/// `strasse`. Vowel signs of Devanagari and other scripts are letters and stay.
///
/// ```
/// use kirana_core::text::fold;
/// assert_eq!(fold("Bœuf à l’ANCIENNE"), "boeuf a l’ancienne");
/// assert_eq!(fold("चावल"), "चावल");
/// ```
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase) {
        match unfolded(c) {
            Some(letters) => folded.push_str(letters),
            None if is_accent(c) => {}
            None => folded.push(c),
        }
    }
    Cow::Owned(folded.nfc().collect())
}

/// The words of a text, folded, in order, repeated where the text repeats them.
pub fn tokens(text: &str) -> Vec<String> {
    let folded = fold(text);
    folded
        .split(|c: char| !is_word_char(c))
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_CHARS_MAX).collect())
        .collect()
}

/// The folded words of several texts with a blank between them: what the index stores.
pub fn searchable<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for word in texts.into_iter().flat_map(tokens) {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(&word);
    }
    all
}

/// Combining marks of the Latin, Greek and Cyrillic scripts. Those of Indic scripts, Arabic,
/// Hebrew, Thai and kana carry the vowel or the consonant, so they stay.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

/// Letters with no decomposition that people type as others.
fn unfolded(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'œ' => "oe",
        'æ' => "ae",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'ı' => "i",
        'þ' => "th",
        'ħ' => "h",
        _ => return None,
    })
}

/// A letter, a digit, or a mark that belongs to the letter before it.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_ligatures_are_folded_in_the_index_and_in_the_question() {
        assert_eq!(fold("Œufs de LØGISMOSE"), "oeufs de logismose");
        assert_eq!(fold("GROẞE Straße"), "grosse strasse");
        assert_eq!(fold("İstanbul ﬁn"), "istanbul fin");
        assert_eq!(fold("e\u{301}clair"), fold("éclair"));
    }

    #[test]
    fn devanagari_words_stay_whole() {
        assert_eq!(tokens("बासमती चावल, हल्दी"), ["बासमती", "चावल", "हल्दी"]);
        // The nukta form has two spellings in Unicode; both are one word.
        assert_eq!(fold("प्याज़"), fold("प्याज\u{93c}"));
    }

    #[test]
    fn a_word_past_the_limit_is_cut() {
        let long = "x".repeat(WORD_CHARS_MAX + 1);
        assert_eq!(tokens(&long), ["x".repeat(WORD_CHARS_MAX)]);
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for text in ["Ærø ﬀ Ǆ", "ΆΛΦΑ Ñandú", "ｶﾞ ½ ①", "हिन्दी"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }
}
