//! A coarse Latin spelling of a word, the same for Devanagari and for the ways people type it.
//!
//! Latin letters have no settled spelling of Hindi: दूध is typed `doodh`, `dudh` or `dood`. Breath
//! (`dh`), length (`oo`), doubling (`tt`) and every `a` after the first letter are left out on both
//! sides. **Invariant:** the key has Latin letters only, and depends on the folded word alone.

/// The key of a folded word; `None` where it holds other letters than Latin or Devanagari, or
/// nothing would be left.
///
/// ```
/// use kirana_core::text::sound::key;
/// assert_eq!(key("दूध"), key("doodh"));
/// assert_eq!(key("चावल"), key("chawal"));
/// assert_eq!(key("牛乳"), None);
/// ```
pub fn key(word: &str) -> Option<String> {
    let latin = if is_devanagari(word) { spelled(word)? } else { word.to_owned() };
    if !latin.bytes().all(|b| b.is_ascii_lowercase() || b == b'.') {
        return None;
    }
    Some(coarse(&latin)).filter(|key| !key.is_empty())
}

/// Whether a word is written in Devanagari.
pub fn is_devanagari(word: &str) -> bool {
    word.chars().any(|c| ('\u{900}'..='\u{97f}').contains(&c))
}

/// The first letter of Devanagari: a word that has a sound comes before it, or is written in it.
pub const DEVANAGARI: &str = "\u{900}";

/// Letter by letter; the vowel that a consonant carries is an `a` and so is left out anyway.
fn spelled(word: &str) -> Option<String> {
    let mut latin = String::new();
    let mut rest = word;
    while let Some(letter) = rest.chars().next() {
        let pair = CLUSTERS.iter().find(|(cluster, _)| rest.starts_with(cluster));
        let (taken, said) = match (pair, letter) {
            (Some((cluster, said)), _) => (cluster.len(), *said),
            // After a long a these two end a word as the y of "chai" does.
            (None, 'ई' | 'इ') if latin.ends_with('a') => (letter.len_utf8(), "y"),
            (None, _) => (letter.len_utf8(), sign(letter)?),
        };
        latin.push_str(said);
        rest = rest.get(taken..)?;
    }
    Some(latin)
}

/// Letters that sound otherwise together: with the dot below, and ज्ञ.
const CLUSTERS: [(&str, &str); 3] = [("ड\u{93c}", "r"), ("ढ\u{93c}", "r"), ("ज\u{94d}ञ", "gy")];

fn sign(letter: char) -> Option<&'static str> {
    Some(match letter {
        'क' | 'ख' | '\u{958}' | '\u{959}' => "k",
        'ग' | 'घ' | '\u{95a}' => "g",
        'च' | 'छ' => "ch",
        'ज' | 'झ' | '\u{95b}' => "j",
        'ट' | 'ठ' | 'त' | 'थ' => "t",
        'ड' | 'ढ' | 'द' | 'ध' => "d",
        '\u{95c}' | '\u{95d}' | 'र' => "r",
        'ङ' | 'ञ' | 'ण' | 'न' => "n",
        'प' | 'फ' | '\u{95e}' => "p",
        'ब' | 'भ' => "b",
        'म' => "m",
        'य' => "y",
        'ल' | 'ळ' => "l",
        'व' => "v",
        'श' | 'ष' | 'स' => "s",
        // Not the breath of the letter before.
        'ह' => ".h",
        'अ' | 'आ' | 'ा' => "a",
        'इ' | 'ई' | 'ि' | 'ी' => "i",
        'उ' | 'ऊ' | 'ु' | 'ू' => "u",
        'ऋ' | 'ृ' => "ri",
        'ए' | 'ऐ' | 'ऍ' | 'े' | 'ै' | 'ॅ' => "e",
        'ओ' | 'औ' | 'ऑ' | 'ो' | 'ौ' | 'ॉ' => "o",
        'ं' | 'ँ' => "n",
        // Silences a vowel, or marks a letter.
        '\u{94d}' | '\u{93c}' | '\u{200c}' | '\u{200d}' | 'ः' => "",
        _ => return None,
    })
}

/// Leaves out what people spell in several ways.
fn coarse(latin: &str) -> String {
    let mut text = latin.to_owned();
    for (from, to) in PAIRS {
        text = text.replace(from, to);
    }
    if let Some(start) = text.strip_suffix("ai") {
        text = format!("{start}y");
    }
    text = text.replace("ai", "e");
    let mut key = String::new();
    for (n, letter) in text.chars().enumerate() {
        let letter = match letter {
            'f' => 'p',
            'w' => 'v',
            'z' => 'j',
            'q' => 'k',
            // A nasal before a lip is said m.
            'm' if text[n + 1..].starts_with(['p', 'b']) => 'n',
            letter => letter,
        };
        if letter != '.' && !key.ends_with(letter) && (letter != 'a' || n == 0) {
            key.push(letter);
        }
    }
    key
}

/// Spellings of one sound, longest first.
const PAIRS: [(&str, &str); 26] = [
    ("chh", "c"),
    ("ksh", "ks"),
    ("ch", "c"),
    ("kh", "k"),
    ("gh", "g"),
    ("jh", "j"),
    ("th", "t"),
    ("dh", "d"),
    ("ph", "p"),
    ("bh", "b"),
    ("sh", "s"),
    ("rh", "r"),
    ("ck", "k"),
    ("x", "ks"),
    ("aa", "a"),
    ("ee", "i"),
    ("ii", "i"),
    ("oo", "u"),
    ("uu", "u"),
    ("ou", "u"),
    ("au", "o"),
    ("ow", "o"),
    ("ei", "e"),
    ("ey", "e"),
    ("iy", "y"),
    ("ia", "y"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groceries_have_one_key_however_they_are_typed() {
        let mut apart = Vec::new();
        for (devanagari, typed) in TYPED {
            let key_of = |word: &str| key(&crate::text::fold(word));
            apart.extend(typed.split(' ').filter(|word| key_of(word) != key_of(devanagari)));
        }
        let all: usize = TYPED.iter().map(|(_, typed)| typed.split(' ').count()).sum();
        let found = 1.0 - apart.len() as f64 / all as f64;
        assert!(found >= 0.9, "{found} of {all}: {apart:?}");
    }

    #[test]
    fn different_groceries_keep_different_keys() {
        for (one, other) in [("दही", "दाल"), ("नमक", "मक्खन"), ("घी", "गोभी"), ("पानी", "पनीर")]
        {
            assert_ne!(key(one), key(other));
        }
        assert_eq!(key("500g"), None);
        assert_eq!(key("५००"), None);
    }

    /// Made up for this test: words of the kitchen and how they are typed on a phone.
    const TYPED: [(&str, &str); 40] = [
        ("दूध", "doodh dudh dood"),
        ("चावल", "chawal chaval chaawal"),
        ("दाल", "dal daal dhal"),
        ("आटा", "atta aata ata"),
        ("मैदा", "maida mayda"),
        ("चीनी", "chini cheeni"),
        ("नमक", "namak nmk"),
        ("हल्दी", "haldi"),
        ("जीरा", "jeera zeera jira"),
        ("मिर्च", "mirch mirchh"),
        ("मिर्ची", "mirchi"),
        ("धनिया", "dhaniya dhania"),
        ("चाय", "chai chay"),
        ("घी", "ghee ghi"),
        ("तेल", "tel"),
        ("सरसों", "sarson sarso"),
        ("मक्खन", "makkhan makhan"),
        ("पनीर", "paneer panir"),
        ("दही", "dahi"),
        ("आलू", "aloo alu aaloo"),
        ("प्याज़", "pyaz pyaaz pyaj"),
        ("टमाटर", "tamatar tamaatar"),
        ("भिंडी", "bhindi"),
        ("गोभी", "gobhi gobi"),
        ("मटर", "matar mattar"),
        ("पालक", "palak paalak"),
        ("केला", "kela"),
        ("सेब", "seb"),
        ("अंडा", "anda"),
        ("मूंगफली", "moongphali mungfali moongfali"),
        ("राजमा", "rajma raajma"),
        ("चना", "chana channa"),
        ("मसूर", "masoor masur"),
        ("बेसन", "besan"),
        ("सूजी", "sooji suji"),
        ("पोहा", "poha"),
        ("साबुन", "sabun saabun"),
        ("मसाला", "masala masaala"),
        ("अचार", "achar achaar"),
        ("शहद", "shahad shehad"),
    ];
}
