//! Reads a PDF as its recipients do: as pixels, as barcodes, and as text that can be copied.

use std::{cell::RefCell, collections::BTreeMap};

use hayro::{
    PixmapSettings, RenderCache, RenderSettings,
    hayro_interpret::{
        BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
        InterpreterCache, InterpreterSettings, SoftMask, font::GlyphRun, hayro_cmap::BfString,
        interpret_page,
    },
    hayro_syntax::{
        Pdf,
        object::{Dict, String as PdfString, dict::keys::ACTUAL_TEXT},
    },
    kurbo::{Affine, BezPath, Rect, Shape},
    render,
    vello_cpu::color::palette::css::WHITE,
};
use kirana_paper::{length::Length, page::Area};
use rxing::{BarcodeFormat, DecodeHints, helpers::detect_in_luma_with_hints};

/// A page as a scanner sees it.
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    /// From 0, black, to 255, white.
    pub luma: Vec<u8>,
}

/// Dots to a point: about 300 to the inch.
const SCALE: f32 = 300.0 / 72.0;

fn open(pdf: &[u8]) -> Pdf {
    Pdf::new(pdf.to_vec()).expect("a PDF")
}

/// Every page as a picture.
pub fn pictures(pdf: &[u8]) -> Vec<Pixels> {
    let pdf = open(pdf);
    let (cache, settings) = (RenderCache::new(), InterpreterSettings::default());
    let looks = PixmapSettings { x_scale: SCALE, y_scale: SCALE, bg_color: WHITE };
    let picture = |page| {
        let pixmap = render(page, &cache, &settings, &RenderSettings::default(), &looks);
        let (width, height) = (usize::from(pixmap.width()), usize::from(pixmap.height()));
        let luma = pixmap.data().iter().map(|pixel| pixel.g).collect();
        Pixels { width, height, luma }
    };
    pdf.pages().iter().map(picture).collect()
}

impl Pixels {
    /// A part of it.
    pub fn part(&self, area: Area) -> Self {
        let dots = |length: Length| (length.points() * SCALE).round() as usize;
        let (left, top) = (dots(area.x), dots(area.y));
        let (right, bottom) =
            (dots(area.right()).min(self.width), dots(area.bottom()).min(self.height));
        let rows =
            (top..bottom).flat_map(|y| &self.luma[y * self.width + left..y * self.width + right]);
        Self { width: right - left, height: bottom - top, luma: rows.copied().collect() }
    }

    /// Whether anything is on it.
    pub fn is_blank(&self) -> bool {
        self.luma.iter().all(|dot| *dot > 250)
    }

    /// What a scanner reads from it, if anything. A single beam may take letters beside the bars for
    /// a number, so scanners look many times and believe what they read most often.
    pub fn scanned(&self) -> Option<String> {
        let mut read: BTreeMap<String, usize> = BTreeMap::new();
        for rows in self.luma.chunks(self.width * BEAM_DOTS) {
            if let Some(said) = beam(rows.to_vec(), self.width) {
                *read.entry(said).or_default() += 1;
            }
        }
        read.into_iter().max_by_key(|(_, times)| *times).map(|(said, _)| said)
    }
}

/// How many rows of dots one beam covers: a millimetre.
const BEAM_DOTS: usize = 12;

fn beam(luma: Vec<u8>, width: usize) -> Option<String> {
    // What such labels have: others find a UPC-E in a row of W.
    let formats =
        [BarcodeFormat::CODE_128, BarcodeFormat::EAN_8, BarcodeFormat::EAN_13, BarcodeFormat::ITF];
    let formats = Some(formats.into_iter().collect());
    let mut hints = DecodeHints { PossibleFormats: formats, ..DecodeHints::default() };
    let size = |side: usize| u32::try_from(side).expect("a page");
    let (width, height) = (size(width), size(luma.len() / width));
    let found = detect_in_luma_with_hints(luma, width, height, None, &mut hints);
    found.ok().map(|found| found.getText().to_owned())
}

/// What can be copied out of every page, run by run, and where each run begins, in points.
pub fn text(pdf: &[u8]) -> Vec<Vec<(f64, f64, String)>> {
    let pdf = open(pdf);
    let read = |page: &hayro::hayro_syntax::page::Page<'_>| {
        let mut reader = Reader::default();
        let (width, height) = page.render_dimensions();
        let bounds = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
        let cache = InterpreterCache::new();
        let upright = Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, f64::from(height)]);
        let settings = InterpreterSettings::default();
        let mut context = Context::new(upright, bounds, &cache, page.xref(), settings);
        interpret_page(page, &mut context, &mut reader);
        reader.runs.into_inner()
    };
    pdf.pages().iter().map(read).collect()
}

#[derive(Default)]
struct Reader {
    runs: RefCell<Vec<(f64, f64, String)>>,
    /// What a stretch of glyphs says as a whole, until one of them was met.
    actual: Option<String>,
    is_told: bool,
}

impl<'a> Device<'a> for Reader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let mut said = self.actual.take().unwrap_or_default();
        for glyph in run.glyphs().iter().filter(|_| !self.is_told) {
            match glyph.as_unicode() {
                Some(BfString::Char(c)) => said.push(c),
                Some(BfString::String(text)) => said.push_str(&text),
                None => {}
            }
        }
        let Some(first) = run.glyphs().first() else { return };
        let place = (props.transform * first.transform()).translation();
        self.runs.borrow_mut().push((place.x, place.y, said));
    }

    // ISO 32000-2, 14.9.4: the text of marked content goes before that of its glyphs.
    fn begin_marked_content(&mut self, _: &[u8], properties: Option<&Dict<'_>>) {
        let text = properties.and_then(|properties| properties.get::<PdfString<'_>>(ACTUAL_TEXT));
        self.is_told = text.is_some();
        self.actual = text.map(|text| {
            let bytes = text.as_bytes().to_vec();
            match bytes.strip_prefix(&[0xFE, 0xFF]) {
                Some(pairs) => {
                    let units =
                        pairs.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                    String::from_utf16(&units.collect::<Vec<_>>()).expect("UTF-16")
                }
                None => String::from_utf8(bytes).expect("ASCII"),
            }
        });
    }

    fn end_marked_content(&mut self) {
        self.is_told = false;
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, path: &ClipPath) {
        assert!(path.path.bounding_box().area() > 0.0);
    }
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

/// All that can be copied out of a document, line by line.
pub fn all_text(pdf: &[u8]) -> String {
    let (mut all, mut foot) = (String::new(), 0.0);
    for (_, y, said) in text(pdf).into_iter().flatten() {
        if y != foot {
            all.push('\n');
        }
        all.push_str(&said);
        foot = y;
    }
    all
}
