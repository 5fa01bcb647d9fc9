//! Sets text: chooses a font for each stretch of it, shapes it, wraps it and cuts it to a width.
//!
//! **Invariant:** no glyph of a line is a font's box for a character that it lacks; such characters
//! are left out and kept in [`Setter::left_out`].

use std::{collections::BTreeSet, ops::Range};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, Face, GlyphBuffer, Script, ShapePlan, UnicodeBuffer};
use unicode_script::{Script as UnicodeScript, UnicodeScript as _};

use crate::{
    fonts::{Fonts, Weight},
    length::Length,
};

/// Shapes text with fonts that it borrows.
pub struct Setter<'f> {
    regular: Vec<Shaper<'f>>,
    bold: Vec<Shaper<'f>>,
    left_out: BTreeSet<char>,
}

struct Shaper<'f> {
    face: Face<'f>,
    font: &'f Font,
    /// How each script is shaped, which takes longer to find out than to do.
    plans: Vec<(Script, ShapePlan)>,
}

/// One line of text that is ready to be drawn.
#[derive(Debug, Clone)]
pub struct Line {
    pub(crate) size: Length,
    pub(crate) runs: Vec<Run>,
    width: Length,
}

/// A stretch of a line in one font.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) font: Font,
    pub(crate) text: String,
    pub(crate) glyphs: Vec<KrillaGlyph>,
}

impl Line {
    /// How wide it is.
    pub fn width(&self) -> Length {
        self.width
    }

    /// How high its letters are: what was given as their size.
    pub fn size(&self) -> Length {
        self.size
    }

    /// From one line's place to that of the next below it, with room for signs above and below.
    pub fn height(&self) -> Length {
        self.size.percent(LINE_PERCENT)
    }

    /// From the top of the line to the foot of its letters.
    pub fn ascent(&self) -> Length {
        self.size.percent(ASCENT_PERCENT)
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl<'f> Setter<'f> {
    /// A setter of these fonts.
    pub fn new(fonts: &'f Fonts) -> Self {
        let shapers = |fonts: &'f [crate::fonts::Loaded]| {
            let shaper = |loaded: &'f crate::fonts::Loaded| {
                let face = Face::from_slice(&loaded.bytes, 0)?;
                Some(Shaper { face, font: &loaded.font, plans: Vec::new() })
            };
            fonts.iter().filter_map(shaper).collect()
        };
        let (regular, bold) = (shapers(&fonts.regular), shapers(&fonts.bold));
        Self { regular, bold, left_out: BTreeSet::new() }
    }

    /// Characters that no font has, or that are written from the right, of all that was set so far.
    pub fn left_out(&self) -> &BTreeSet<char> {
        &self.left_out
    }

    /// One line, as wide as it gets.
    pub fn line(&mut self, text: &str, weight: Weight, size: Length) -> Line {
        let stretches = self.stretches(text, weight);
        let shapers = match weight {
            Weight::Regular => &mut self.regular,
            Weight::Bold => &mut self.bold,
        };
        let mut missing = BTreeSet::new();
        let runs = stretches.into_iter().filter_map(|Stretch { font: n, text, .. }| {
            let glyphs = shapers[n].shape(&text, &mut missing);
            (!glyphs.is_empty()).then(|| Run { font: shapers[n].font.clone(), text, glyphs })
        });
        let runs: Vec<Run> = runs.collect();
        let ems: f32 = runs.iter().flat_map(|run| &run.glyphs).map(|glyph| glyph.x_advance).sum();
        self.left_out.extend(missing);
        Line { size, width: Length::of_points(ems * size.points()), runs }
    }

    /// One line of at most `width`; what is cut off is told by `…`.
    pub fn cut(&mut self, text: &str, weight: Weight, size: Length, width: Length) -> Line {
        let whole = self.line(text, weight, size);
        if whole.width <= width {
            return whole;
        }
        let room = width - self.line(ELLIPSIS, weight, size).width;
        let kept = fitting(&whole, room);
        self.line(&format!("{}{ELLIPSIS}", kept.trim_end()), weight, size)
    }

    /// At most `lines_max` lines of at most `width`, broken between words, and within one that is too
    /// long for a line; the last is cut.
    pub fn wrap(
        &mut self,
        text: &str,
        weight: Weight,
        size: Length,
        (width, lines_max): (Length, usize),
    ) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut rest = words(text);
        while !rest.is_empty() && lines.len() < lines_max {
            if lines.len() + 1 == lines_max {
                lines.push(self.cut(&rest, weight, size, width));
                break;
            }
            let taken = self.first_line(&rest, weight, size, width);
            lines.push(self.line(rest[..taken].trim_end(), weight, size));
            rest = rest[taken..].trim_start().to_owned();
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// How many bytes of a text go onto its first line; at least one character.
    fn first_line(&mut self, text: &str, weight: Weight, size: Length, width: Length) -> usize {
        let mut taken = 0;
        for (at, _) in text.match_indices(' ').chain([(text.len(), "")]) {
            if self.line(&text[..at], weight, size).width > width {
                break;
            }
            taken = at;
        }
        if taken > 0 {
            return taken;
        }
        let word = text.split(' ').next().unwrap_or(text);
        let whole = self.line(word, weight, size);
        let printed = fitting(&whole, width);
        // What was left out before the break goes along with it.
        let mut wanted = printed.chars();
        let mut next = wanted.next();
        for (at, c) in word.char_indices() {
            match next {
                None => return at.max(c.len_utf8()),
                Some(expected) if expected == c => next = wanted.next(),
                Some(_) => {}
            }
        }
        word.len()
    }

    fn of(&self, weight: Weight) -> &[Shaper<'f>] {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    /// The text in stretches of one font and one script each, without what cannot be printed: letters
    /// of two scripts that are shaped together lose the joined forms of one of them.
    fn stretches(&mut self, text: &str, weight: Weight) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut missing = Vec::new();
        let mut was_kept = false;
        for c in words(text).chars() {
            let has = |n: usize| self.of(weight)[n].face.glyph_index(c).is_some();
            if is_joiner(c) {
                // Asks for another form of what stands before it, and is nothing by itself.
                let last = stretches.last_mut().filter(|last| was_kept && has(last.font));
                last.into_iter().for_each(|last| last.text.push(c));
                continue;
            }
            // What was left out between two words leaves one gap, not two.
            let is_gap = c == ' ' && stretches.last().is_none_or(|last| last.text.ends_with(' '));
            if is_unseen(c) || is_gap {
                continue;
            }
            let last = stretches.last_mut();
            let first = last.as_ref().map(|last| last.font).filter(|n| has(*n));
            let font = first.or_else(|| (0..self.of(weight).len()).find(|n| has(*n)));
            let font = font.filter(|_| !is_from_the_right(c));
            was_kept = font.is_some();
            match font {
                None => missing.push(c),
                Some(font) if last.is_some_and(|last| last.took(c, font)) => {}
                Some(font) => {
                    stretches.push(Stretch { font, script: script_of(c), text: c.to_string() });
                }
            }
        }
        self.left_out.extend(missing);
        stretches
    }
}

/// Text in one font and one script.
struct Stretch {
    font: usize,
    /// `None` as long as there are only signs that all scripts have.
    script: Option<UnicodeScript>,
    text: String,
}

impl Stretch {
    /// Takes a character that goes on with it, and says whether it did.
    fn took(&mut self, c: char, font: usize) -> bool {
        let script = script_of(c).or(self.script);
        let is_same = self.font == font && (self.script.is_none() || self.script == script);
        if is_same {
            self.script = script;
            self.text.push(c);
        }
        is_same
    }
}

/// Digits, spaces and signs go along with any script.
fn script_of(c: char) -> Option<UnicodeScript> {
    let script = c.script();
    (!matches!(script, UnicodeScript::Common | UnicodeScript::Inherited)).then_some(script)
}

/// The beginning of a line that is no wider than `room`, never ending within a syllable.
fn fitting(line: &Line, room: Length) -> String {
    let (mut kept, mut ems) = (String::new(), 0.0);
    let room = room.points() / line.size.points();
    for run in &line.runs {
        let mut end = 0;
        for syllable in run.glyphs.chunk_by(|a, b| a.text_range == b.text_range) {
            ems += syllable.iter().map(|glyph| glyph.x_advance).sum::<f32>();
            if ems > room {
                kept.push_str(&run.text[..end]);
                return kept;
            }
            end = syllable[0].text_range.end;
        }
        kept.push_str(&run.text);
    }
    kept
}

impl Shaper<'_> {
    fn shape(&mut self, text: &str, missing: &mut BTreeSet<char>) -> Vec<KrillaGlyph> {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let (script, direction) = (buffer.script(), Direction::LeftToRight);
        buffer.set_direction(direction);
        let known = self.plans.iter().position(|(known, _)| *known == script);
        let known = known.unwrap_or_else(|| {
            let plan = ShapePlan::new(&self.face, direction, Some(script), None, &[]);
            self.plans.push((script, plan));
            self.plans.len() - 1
        });
        let shaped = rustybuzz::shape_with_plan(&self.face, &self.plans[known].1, buffer);
        glyphs(&self.face, text, &shaped, missing)
    }
}

fn glyphs(
    face: &Face<'_>,
    text: &str,
    shaped: &GlyphBuffer,
    missing: &mut BTreeSet<char>,
) -> Vec<KrillaGlyph> {
    let per_em = face.units_per_em() as f32;
    let ems = |units: i32| units as f32 / per_em;
    let clusters = shaped.glyph_infos().iter().map(|info| info.cluster as usize);
    let clusters: Vec<usize> = clusters.collect();
    let mut glyphs = Vec::with_capacity(clusters.len());
    for (n, (info, at)) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()).enumerate() {
        let start = clusters[n];
        let next = clusters[n..].iter().find(|cluster| **cluster > start);
        let range: Range<usize> = start..next.copied().unwrap_or(text.len());
        if info.glyph_id == 0 {
            missing.extend(text[range].chars());
            continue;
        }
        let (dx, dy) = (ems(at.x_offset), ems(at.y_offset));
        let id = GlyphId::new(info.glyph_id);
        let (advance, down) = (ems(at.x_advance), ems(at.y_advance));
        glyphs.push(KrillaGlyph::new(id, advance, dx, dy, down, range, None));
    }
    glyphs
}

/// The text with single spaces in place of whatever white space and control characters it has.
fn words(text: &str) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Marks that have no looks: they choose how others look, or the direction of writing.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Scripts that are written from right to left. Their order is not made here, so none is printed.
fn is_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

const ELLIPSIS: &str = "…";
const LINE_PERCENT: i32 = 132;
const ASCENT_PERCENT: i32 = 103;

#[cfg(test)]
mod tests;
