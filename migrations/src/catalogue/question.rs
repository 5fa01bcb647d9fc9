//! What somebody typed, as the full-text index is asked.
//!
//! **Invariant:** an expression holds nothing of the question but folded word characters in quotes.

use kirana_core::text::{self, everyday, sound};
use rusqlite::Connection;

use super::index::is_spelled;
use crate::StoreError;

/// The longest question, in characters: any name can be asked for.
pub const QUESTION_CHARS_MAX: usize = 300;
/// The most words of a question that are looked at; further ones are left out.
pub const QUESTION_WORDS_MAX: usize = 24;

/// What somebody typed: words in any order, the last of them perhaps not finished, or a barcode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    words: Vec<String>,
    is_blank: bool,
    digits: Option<String>,
}

impl Default for Question {
    /// Nothing was typed, so everything is asked for.
    fn default() -> Self {
        Self { words: Vec::new(), is_blank: true, digits: None }
    }
}

/// A question that nobody can have typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAQuestion {
    /// Too many characters.
    #[error("a question has at most {max} characters", max = QUESTION_CHARS_MAX)]
    TooLong,
    /// A character that no keyboard writes.
    #[error("the question holds a control character")]
    ControlCharacter,
}

impl std::str::FromStr for Question {
    type Err = NotAQuestion;

    /// Reads what was typed; nothing at all asks for everything.
    ///
    /// ```
    /// use kirana_migrations::catalogue::question::Question;
    /// assert!(" ".parse::<Question>().unwrap().is_blank());
    /// assert!(!"…?".parse::<Question>().unwrap().is_blank());
    /// assert!("a\0".parse::<Question>().is_err());
    /// ```
    fn from_str(typed: &str) -> Result<Self, NotAQuestion> {
        if typed.chars().nth(QUESTION_CHARS_MAX).is_some() {
            return Err(NotAQuestion::TooLong);
        }
        if typed.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(NotAQuestion::ControlCharacter);
        }
        let mut words: Vec<String> = Vec::new();
        for word in text::tokens(typed) {
            if !words.contains(&word) && words.len() < QUESTION_WORDS_MAX {
                words.push(word);
            }
        }
        let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_barcode = (BARCODE_DIGITS_MIN..=BARCODE_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit());
        let digits = Some(digits).filter(|_| is_barcode);
        Ok(Self { words, is_blank: typed.trim().is_empty(), digits })
    }
}

/// Fewer digits are a number in a name, such as 1664; one more is no barcode.
const BARCODE_DIGITS_MIN: usize = 5;
const BARCODE_DIGITS_MAX: usize = 14;

impl Question {
    /// Whether nothing was typed, so that everything is listed.
    pub fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// The folded words, each once.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// Ranges of barcodes that begin with the digits, with or without zeros in front of them.
    pub(super) fn barcodes(&self) -> Vec<(i64, i64)> {
        let Some(digits) = &self.digits else { return Vec::new() };
        let significant = digits.trim_start_matches('0');
        let Ok(number) = significant.parse::<i64>() else { return Vec::new() };
        let zeros = digits.len() - significant.len();
        let fits = |length: &usize| match zeros {
            // Zeros fill a number up to one of the lengths of barcodes, and no further.
            0 => true,
            zeros => [8, 12, 13, 14].contains(&(length + zeros)),
        };
        let lengths = significant.len()..=BARCODE_DIGITS_MAX;
        let range = |length: usize| {
            let more = 10_i64.pow((length - significant.len()) as u32);
            (number * more, (number + 1) * more - 1)
        };
        let typed_out = (number, number);
        std::iter::once(typed_out).chain(lengths.filter(fits).map(range)).collect()
    }
}

/// A word of a question, and what else it is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// As it was typed, folded.
    word: String,
    /// Whole words that mean the same, or may have been meant.
    others: Vec<String>,
}

/// Whether what was typed may be the beginning of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    Whole,
    Begun,
}

/// A match expression: of each word one reading must be there, in this column or in any.
pub(super) fn expression(words: &[Reading], typed: Typed, column: Option<&str>) -> String {
    let star = if typed == Typed::Begun { "*" } else { "" };
    let mut all = String::new();
    for Reading { word, others } in words {
        all.push_str(if all.is_empty() { "" } else { " AND " });
        all.push_str(if others.is_empty() { "" } else { "(" });
        all.extend(["\"", word, "\"", star]);
        others.iter().for_each(|other| all.extend([" OR \"", other, "\""]));
        all.push_str(if others.is_empty() { "" } else { ")" });
    }
    match column {
        Some(column) => format!("{{{column}}} : ({all})"),
        None => all,
    }
}

/// Whether a folded text has each word in one of its readings, as an [`expression`] would find.
pub(super) fn stand_in(words: &[Reading], typed: Typed, folded: &str) -> bool {
    let is = |own: &str, Reading { word, others }: &Reading| {
        let begins = typed == Typed::Begun && own.starts_with(word.as_str());
        begins || own == word || others.iter().any(|other| own == other)
    };
    words.iter().all(|reading| folded.split([' ', '\n']).any(|own| is(own, reading)))
}

/// Each word beside its everyday names and what sounds alike in the other script.
pub(super) fn readings(c: &Connection, words: &[String]) -> Result<Vec<Reading>, StoreError> {
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        let mut others: Vec<String> = everyday::others(word).map(str::to_owned).collect();
        others.extend(in_the_other_script(c, word)?);
        all.push(Reading { word: word.clone(), others });
    }
    Ok(all)
}

fn in_the_other_script(c: &Connection, word: &str) -> Result<Vec<String>, StoreError> {
    let Some(sound) = sound::key(word).filter(|_| is_spelled(word)) else { return Ok(Vec::new()) };
    // What has a sound is written in Latin letters, which come first, or in Devanagari.
    let (from, to) = match sound::is_devanagari(word) {
        true => ("", sound::DEVANAGARI),
        false => (sound::DEVANAGARI, LAST),
    };
    let sql = "SELECT word FROM word WHERE sound = ?1 AND word >= ?2 AND word < ?3
               ORDER BY word LIMIT ?4";
    let mut select = c.prepare_cached(sql)?;
    let alike = select.query_map((sound, from, to, ALIKE_MAX), |row| row.get(0))?;
    Ok(alike.collect::<Result<Vec<String>, _>>()?)
}

/// Comes after every word.
const LAST: &str = "\u{10ffff}";

/// Words that are looked at for one sound.
const ALIKE_MAX: u32 = 64;

/// Whether each word is one that stands in a product.
pub(super) fn are_known(c: &Connection, words: &[String]) -> Result<bool, StoreError> {
    let mut select = c.prepare_cached("SELECT 1 FROM word WHERE word = ?1")?;
    for word in words {
        if !select.exists([word])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Each word with all known words that are one typing error away.
pub(super) fn corrected(c: &Connection, words: &[Reading]) -> Result<Vec<Reading>, StoreError> {
    let mut all = words.to_vec();
    for Reading { word, others } in &mut all {
        others.extend(near(c, word)?);
    }
    Ok(all)
}

/// Known words that are one error away from a mistyped one.
///
/// One error spares either the beginning or the end of a word, so only words that share one of them
/// are compared.
fn near(c: &Connection, word: &str) -> Result<Vec<String>, StoreError> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() < NEAR_CHARS_MIN || !is_spelled(word) {
        return Ok(Vec::new());
    }
    let at = (chars.len() - 1) / 2;
    let beginning: String = chars[..at].iter().collect();
    let end: String = chars[at + 1..].iter().rev().collect();
    let by_beginning = "SELECT word FROM word WHERE word >= ?1 AND word < ?2
                        AND length(word) BETWEEN ?3 - 1 AND ?3 + 1";
    let by_end = "SELECT word FROM word WHERE reversed >= ?1 AND reversed < ?2
                  AND length(reversed) BETWEEN ?3 - 1 AND ?3 + 1";
    let mut found = Vec::new();
    for (sql, part) in [(by_beginning, beginning), (by_end, end)] {
        let mut select = c.prepare_cached(sql)?;
        let mut rows = select.query((&part, format!("{part}{LAST}"), chars.len() as i64))?;
        while let Some(row) = rows.next()? {
            let other = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if text::distance::errors(word, other, 1) == Some(1) {
                found.push(other.to_owned());
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(NEAR_MAX);
    Ok(found)
}

/// Shorter words are taken as they stand: everything is near them.
const NEAR_CHARS_MIN: usize = 3;
/// The most words that one may have meant.
const NEAR_MAX: usize = 64;

/// How many errors lie between the words of a question and those of a product's names.
pub(super) fn errors(words: &[String], folded: &str) -> usize {
    let least = |word: &String| {
        let of = |own: &str| {
            if own.starts_with(word.as_str()) {
                Some(0)
            } else {
                text::distance::errors(word, own, 1)
            }
        };
        folded.split([' ', '\n']).filter_map(of).min().unwrap_or(2)
    };
    words.iter().map(least).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_can_break_out_of_no_quotes() {
        for typed in ["a\"b", "name:rice", "^x", "-y", "{a}", "NEAR(a b, 3)", "*", "'; drop"] {
            let question: Question = typed.parse().expect("a question");
            for word in question.words() {
                assert!(word.chars().all(char::is_alphanumeric), "{word}");
            }
        }
        let words = [reading("a", &["c"]), reading("b", &[])];
        let expected = "{name} : ((\"a\"* OR \"c\") AND \"b\"*)";
        assert_eq!(expression(&words, Typed::Begun, Some("name")), expected);
        assert_eq!(expression(&words, Typed::Whole, None), "(\"a\" OR \"c\") AND \"b\"");
    }

    fn reading(word: &str, others: &[&str]) -> Reading {
        let others = others.iter().map(|other| (*other).to_owned()).collect();
        Reading { word: word.to_owned(), others }
    }

    #[test]
    fn a_text_has_the_words_that_the_index_would_find_in_it() {
        let words = [reading("mil", &["doodh"]), reading("rich", &[])];
        for (folded, typed, expected) in [
            ("rich milk", Typed::Begun, true),
            ("rich milk", Typed::Whole, false),
            ("doodh\nrich", Typed::Whole, true),
            ("doodhs rich", Typed::Begun, false),
            ("mil richer", Typed::Begun, true),
            ("mil richer", Typed::Whole, false),
            ("mil", Typed::Begun, false),
        ] {
            assert_eq!(stand_in(&words, typed, folded), expected, "{folded} {typed:?}");
        }
    }

    #[test]
    fn one_character_or_word_past_the_limit_is_refused_or_left_out() {
        let longest = "x".repeat(QUESTION_CHARS_MAX);
        assert!(longest.parse::<Question>().is_ok());
        assert_eq!((longest + "x").parse::<Question>(), Err(NotAQuestion::TooLong));
        assert_eq!("a\0b".parse::<Question>(), Err(NotAQuestion::ControlCharacter));
        let many: Vec<String> = (0..=QUESTION_WORDS_MAX).map(|n| format!("w{n}")).collect();
        let question: Question = many.join(" ").parse().expect("a question");
        assert_eq!(question.words().len(), QUESTION_WORDS_MAX);
    }

    #[test]
    fn a_barcode_begins_with_its_digits_whatever_zeros_stand_before() {
        let covers = |typed: &str, gtin: i64| {
            let question: Question = typed.parse().expect("a question");
            question.barcodes().iter().any(|(from, to)| (*from..=*to).contains(&gtin))
        };
        for typed in ["78264033102", "0078264033102", "00078264033102", "78264", "007826403"] {
            assert!(covers(typed, 78_264_033_102), "{typed}");
        }
        assert!(covers("3770 0096-99037", 3_770_009_699_037));
        assert!(!covers("78265", 78_264_033_102));
        assert!(!covers("1664", 1_664_000_000_000), "a number in a name");
        assert!(!covers("000000", 78_264_033_102));
    }
}
