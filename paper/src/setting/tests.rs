//! Stories about single lines.

use super::*;

const SIZE: Length = Length::mm(4);

fn said(lines: &[Line]) -> Vec<String> {
    let text = |line: &Line| line.runs.iter().map(|run| run.text.as_str()).collect();
    lines.iter().map(text).collect()
}

#[test]
fn hindi_is_shaped() {
    let fonts = Fonts::built_in();
    let mut setter = Setter::new(&fonts);
    // The vowel sign of "कि" is drawn before its consonant, and "क्ष" is one sign.
    let shaped = setter.line("कि", Weight::Regular, SIZE);
    let ranges: Vec<_> = shaped.runs[0].glyphs.iter().map(|g| g.text_range.clone()).collect();
    assert_eq!(ranges, [0..6, 0..6], "one syllable");
    let conjunct = setter.line("क्ष", Weight::Regular, SIZE);
    assert_eq!(conjunct.runs[0].glyphs.len(), 1);
    assert!(setter.left_out().is_empty());
}

#[test]
fn hindi_beside_other_scripts_keeps_its_joined_forms() {
    let fonts = Fonts::built_in();
    let mut setter = Setter::new(&fonts);
    let shapes = |line: &Line| {
        let glyphs = line.runs.iter().flat_map(|run| &run.glyphs);
        glyphs.map(|glyph| glyph.glyph_id.to_u32()).collect::<Vec<_>>()
    };
    let latin = shapes(&setter.line("Asha Stores (5%)", Weight::Bold, SIZE));
    let hindi = shapes(&setter.line("स्टोर्स, 2", Weight::Bold, SIZE));
    let both = setter.line("Asha Stores (5%) स्टोर्स, 2", Weight::Bold, SIZE);
    let both_shapes = shapes(&both);
    assert!(both_shapes.starts_with(&latin) && both_shapes.ends_with(&hindi), "{both_shapes:?}");
    assert_eq!(both.runs.len(), 2);
}

#[test]
fn what_no_font_has_and_what_runs_from_the_right_is_left_out_and_named() {
    let fonts = Fonts::built_in();
    let mut setter = Setter::new(&fonts);
    let line = setter.line("Rice 🍚 👩‍🌾 عسل கல் <b>\0\t!", Weight::Bold, SIZE);
    assert_eq!(said(&[line]), ["Rice <b> !"]);
    let left_out: String = setter.left_out().iter().collect();
    assert_eq!(left_out, "سعلகல்🌾🍚👩");
}

#[test]
fn a_long_name_is_wrapped_between_words_and_cut_with_an_ellipsis() {
    let fonts = Fonts::built_in();
    let mut setter = Setter::new(&fonts);
    let name = "Basmati rice of the foothills, aged for two years, in a jute bag";
    let width = Length::mm(50);
    let lines = setter.wrap(name, Weight::Bold, SIZE, (width, 2));
    assert!(lines.iter().all(|line| line.width() <= width));
    let said = said(&lines);
    assert_eq!(said.len(), 2);
    assert!(said[1].ends_with('…'), "{said:?}");
    assert!(name.starts_with(&format!("{} {}", said[0], said[1].trim_end_matches('…'))));
    assert_eq!(setter.wrap("Rice", Weight::Bold, SIZE, (width, 2)).len(), 1);
    assert!(setter.wrap(" \t", Weight::Bold, SIZE, (width, 2)).is_empty());
}

#[test]
fn a_word_without_spaces_is_broken_between_syllables() {
    let fonts = Fonts::built_in();
    let mut setter = Setter::new(&fonts);
    for (word, width) in [("क्षि".repeat(60), 30), ("W".repeat(300), 20), ("🍚x".repeat(99), 10)]
    {
        let width = Length::mm(width);
        let lines = setter.wrap(&word, Weight::Regular, SIZE, (width, 500));
        assert!(lines.len() > 1 && lines.iter().all(|line| line.width() <= width));
        let printable: String = word.chars().filter(|c| *c != '🍚').collect();
        assert_eq!(said(&lines).concat(), printable);
        assert!(said(&lines).iter().all(|line| !line.starts_with(['\u{93F}', '\u{94D}'])));
    }
}
