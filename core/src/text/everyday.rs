//! Everyday words for one thing, so that who types the one finds the other: `doodh` finds milk.
//!
//! A shop's own synonyms stand in its products; these are for the products where nobody wrote any.
//! **Invariant:** each word is folded, one word, and in one group only.

/// The other words for what a folded word names; none for most words.
///
/// ```
/// use kirana_core::text::everyday::others;
/// assert!(others("doodh").any(|word| word == "milk"));
/// assert_eq!(others("screwdriver").count(), 0);
/// ```
pub fn others(word: &str) -> impl Iterator<Item = &'static str> {
    let group = GROUPS.iter().find(|group| group.contains(&word)).copied().unwrap_or_default();
    let word = word.to_owned();
    group.iter().copied().filter(move |other| *other != word)
}

/// English, then Hindi as it is typed and as it is written.
const GROUPS: &[&[&str]] = &[
    &["milk", "doodh", "dudh", "दूध"],
    &["rice", "chawal", "chaval", "चावल"],
    &["lentils", "lentil", "dal", "daal", "दाल"],
    &["flour", "atta", "aata", "आटा"],
    &["sugar", "chini", "cheeni", "चीनी"],
    &["salt", "namak", "नमक"],
    &["turmeric", "haldi", "हल्दी"],
    &["cumin", "jeera", "zeera", "जीरा"],
    &["chilli", "chili", "mirch", "mirchi", "मिर्च"],
    &["coriander", "dhania", "dhaniya", "धनिया"],
    &["tea", "chai", "chay", "चाय"],
    &["ghee", "घी"],
    &["oil", "tel", "तेल"],
    &["mustard", "sarson", "सरसों"],
    &["butter", "makkhan", "makhan", "मक्खन"],
    &["paneer", "panir", "पनीर"],
    &["curd", "yogurt", "yoghurt", "dahi", "दही"],
    &["potato", "potatoes", "aloo", "alu", "आलू"],
    &["onion", "onions", "pyaz", "pyaaz", "प्याज़"],
    &["tomato", "tomatoes", "tamatar", "टमाटर"],
    &["okra", "bhindi", "भिंडी"],
    &["cauliflower", "gobhi", "गोभी"],
    &["peas", "matar", "mattar", "मटर"],
    &["spinach", "palak", "पालक"],
    &["banana", "bananas", "kela", "केला"],
    &["apple", "apples", "seb", "सेब"],
    &["mango", "mangoes", "aam", "आम"],
    &["egg", "eggs", "anda", "ande", "अंडा", "अंडे"],
    &["peanut", "peanuts", "moongphali", "mungfali", "मूंगफली"],
    &["chickpeas", "chickpea", "chana", "चना"],
    &["semolina", "sooji", "suji", "rava", "सूजी"],
    &["soap", "sabun", "साबुन"],
    &["spice", "spices", "masala", "मसाला"],
    &["pickle", "pickles", "achar", "achaar", "अचार"],
    &["honey", "shahad", "शहद"],
    &["bread", "roti", "रोटी"],
    &["water", "pani", "paani", "पानी"],
    &["garlic", "lahsun", "lehsun", "लहसुन"],
    &["ginger", "adrak", "अदरक"],
    &["lemon", "nimbu", "नींबू"],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokens;

    #[test]
    fn every_word_is_folded_and_in_one_group() {
        let all: Vec<&str> = GROUPS.concat();
        let once: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(once.len(), all.len());
        assert!(all.iter().all(|word| tokens(word) == [*word]), "{all:?}");
    }
}
