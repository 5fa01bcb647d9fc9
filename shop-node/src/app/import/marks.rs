//! Labels and tags of others that name a diet or an allergen, in the words that shelves use here.

/// The diet that a label names, if it names one: `en:vegan`, `Végétarien`, `Sin gluten`.
pub(super) fn diet(label: &str) -> Option<&'static str> {
    let plain = without_language(label).replace('-', " ").to_lowercase();
    let folded = kirana_core::text::fold(&plain);
    DIETS.iter().find(|(_, names)| names.contains(&folded.trim())).map(|(diet, _)| *diet)
}

/// The allergen of a tag: `en:sesame-seeds` is `sesame seeds`.
pub(super) fn allergen(tag: &str) -> Option<String> {
    let plain = without_language(tag).replace('-', " ").to_lowercase();
    (!plain.is_empty()).then_some(plain)
}

/// A tag without the two letters and the colon in front that name its language.
pub(super) fn without_language(tag: &str) -> &str {
    let tag = tag.trim();
    match tag.split_once(':') {
        Some((code, rest)) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase()) => {
            rest.trim()
        }
        _ => tag,
    }
}

/// Diets, each with the folded words that labels have for it in the languages of such files.
const DIETS: &[(&str, &[&str])] = &[
    ("vegan", &["vegan", "vegano", "vegana", "vegane", "vegetalien"]),
    ("vegetarian", &["vegetarian", "vegetarien", "vegetariano", "vegetariana", "vegetarisch"]),
    ("gluten-free", &["gluten free", "no gluten", "sans gluten", "sin gluten", "glutenfrei"]),
    ("lactose-free", &["lactose free", "no lactose", "sans lactose", "sin lactosa", "laktosefrei"]),
    ("halal", &["halal"]),
    ("kosher", &["kosher", "kascher", "koscher", "casher"]),
    ("jain", &["jain"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_diets_in_several_languages_and_most_name_none() {
        for (label, is) in [
            ("en:vegan", Some("vegan")),
            ("Végétarien", Some("vegetarian")),
            ("Sin gluten", Some("gluten-free")),
            ("en:no-gluten", Some("gluten-free")),
            ("Kascher", Some("kosher")),
            ("Organic", None),
            ("non vegan", None),
            ("", None),
        ] {
            assert_eq!(diet(label), is, "{label}");
        }
        assert_eq!(allergen("en:sesame-seeds").as_deref(), Some("sesame seeds"));
        assert_eq!(allergen("ALMONDS").as_deref(), Some("almonds"));
        assert_eq!(without_language("note: dry"), "note: dry");
    }
}
