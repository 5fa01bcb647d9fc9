//! Pages of marks, and the PDF that they become.
//!
//! **Invariant:** the same pages give the same bytes: nothing is asked of a clock or of chance.

use krilla::{
    Document, SerializeSettings,
    color::luma,
    geom::{PathBuilder, Point, Rect},
    metadata::Metadata,
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule},
    surface::Surface,
};

use crate::{barcode::Symbol, length::Length, setting::Line};

/// A page that is being filled; nothing on it is further out than its sides.
#[derive(Debug, Clone)]
pub struct Page {
    width: Length,
    height: Length,
    marks: Vec<Mark>,
}

#[derive(Debug, Clone)]
enum Mark {
    Text { x: Length, foot: Length, line: Line, grey: u8 },
    Black { boxes: Vec<Area>, grey: u8 },
}

/// A rectangle on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Where it begins, from the left.
    pub x: Length,
    /// Where it begins, from the top.
    pub y: Length,
    /// How wide it is.
    pub width: Length,
    /// How high it is.
    pub height: Length,
}

impl Area {
    /// Where it ends, from the left.
    pub fn right(self) -> Length {
        self.x + self.width
    }

    /// Where it ends, from the top.
    pub fn bottom(self) -> Length {
        self.y + self.height
    }

    /// Whether another lies within it.
    pub fn holds(self, other: Self) -> bool {
        let starts = other.x >= self.x && other.y >= self.y;
        starts && other.right() <= self.right() && other.bottom() <= self.bottom()
    }
}

impl Page {
    /// An empty page.
    pub fn new(width: Length, height: Length) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    /// The whole page.
    pub fn area(&self) -> Area {
        Area { x: Length::ZERO, y: Length::ZERO, width: self.width, height: self.height }
    }

    /// Puts a line of text with its upper left corner at a place.
    pub fn text(&mut self, x: Length, y: Length, line: Line) {
        self.shaded_text(x, y, line, BLACK);
    }

    /// Puts a line of text that matters less.
    pub fn small_print(&mut self, x: Length, y: Length, line: Line) {
        self.shaded_text(x, y, line, GREY);
    }

    fn shaded_text(&mut self, x: Length, y: Length, line: Line, grey: u8) {
        if !line.is_empty() {
            self.marks.push(Mark::Text { x, foot: y + line.ascent(), line, grey });
        }
    }

    /// Fills a rectangle with black.
    pub fn fill(&mut self, area: Area) {
        self.marks.push(Mark::Black { boxes: vec![area], grey: BLACK });
    }

    /// A thin grey line along which something is cut or told apart.
    pub fn hairline(&mut self, area: Area) {
        self.marks.push(Mark::Black { boxes: vec![area], grey: PALE });
    }

    /// Puts the bars of a symbol, its quiet zone on the left included, at a place, with its bearer bars.
    pub fn bars(
        &mut self,
        x: Length,
        y: Length,
        symbol: &Symbol,
        (module, height): (Length, Length),
    ) {
        let bar =
            |(from, n): (i32, i32)| Area { x: x + module * from, y, width: module * n, height };
        let mut boxes: Vec<Area> = symbol.bars().into_iter().map(bar).collect();
        let thick = module * symbol.bearers();
        if let (true, Some(first), Some(last)) = (thick > Length::ZERO, boxes.first(), boxes.last())
        {
            let edge = Area { x: first.x, y, width: last.right() - first.x, height: thick };
            boxes.extend([edge, Area { y: y + height - thick, ..edge }]);
        }
        self.marks.push(Mark::Black { boxes, grey: BLACK });
    }

    fn draw(&self, surface: &mut Surface<'_>) {
        for mark in &self.marks {
            match mark {
                Mark::Text { x, foot, line, grey } => {
                    surface.set_fill(Some(shade(*grey)));
                    text(surface, (*x, *foot), line);
                }
                Mark::Black { boxes, grey } => {
                    surface.set_fill(Some(shade(*grey)));
                    let mut path = PathBuilder::new();
                    boxes
                        .iter()
                        .filter_map(|area| rect(*area))
                        .for_each(|rect| path.push_rect(rect));
                    if let Some(path) = path.finish() {
                        surface.draw_path(&path);
                    }
                }
            }
        }
    }
}

fn text(surface: &mut Surface<'_>, (x, foot): (Length, Length), line: &Line) {
    let size = line.size().points();
    let (mut at, foot) = (x.points(), foot.points());
    for run in &line.runs {
        let (start, font) = (Point::from_xy(at, foot), run.font.clone());
        surface.draw_glyphs(start, &run.glyphs, font, &run.text, size, false);
        at += run.glyphs.iter().map(|glyph| glyph.x_advance * size).sum::<f32>();
    }
}

fn rect(area: Area) -> Option<Rect> {
    let (x, y) = (area.x.points(), area.y.points());
    Rect::from_ltrb(x, y, area.right().points(), area.bottom().points())
}

fn shade(grey: u8) -> Fill {
    Fill {
        paint: luma::Color::new(grey).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::NonZero,
    }
}

/// Pages that become one PDF.
pub struct Pages {
    document: Document,
    count: usize,
}

/// Why no PDF came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one of the fonts cannot be put into a PDF: leave out the one that was added")]
pub struct Unwritable;

impl Pages {
    /// A document with a title and the language that it is in, such as `hi`.
    pub fn new(title: &str, language: &str) -> Self {
        let settings = SerializeSettings { xmp_metadata: false, ..SerializeSettings::default() };
        let mut document = Document::new_with(settings);
        let about = Metadata::new().title(title.to_owned()).language(language.to_owned());
        document.set_metadata(about);
        Self { document, count: 0 }
    }

    /// How many pages there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a page behind the others.
    pub fn add(&mut self, page: &Page) {
        let (width, height) = (page.width.points(), page.height.points());
        // A page of no size has nothing on it.
        let Some(settings) = PageSettings::from_wh(width, height) else { return };
        let mut sheet = self.document.start_page_with(settings);
        let mut surface = sheet.surface();
        page.draw(&mut surface);
        surface.finish();
        sheet.finish();
        self.count += 1;
    }

    /// The file.
    ///
    /// # Errors
    /// [`Unwritable`] when a font that somebody added cannot be embedded.
    pub fn finish(self) -> Result<Vec<u8>, Unwritable> {
        self.document.finish().map_err(|_| Unwritable)
    }
}

const BLACK: u8 = 0;
const GREY: u8 = 60;
const PALE: u8 = 170;
