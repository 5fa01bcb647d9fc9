//! Shows a text as QR codes, on a terminal or as a picture file, and reads it from photos again.
//!
//! **Invariant:** what is read is what was shown, byte for byte, or nothing: of a text that takes
//! several codes each part names the digest of the whole, and all parts have to be there.

use image::{ColorType, GrayImage, ImageEncoder, codecs::png::PngEncoder};
use qrcode::{Color, EcLevel, QrCode};
use sha2::{Digest, Sha256};

mod read;
pub use read::{Unread, read};

/// The most bytes in one code: version 13 with correction level L (ISO/IEC 18004), which 80 columns
/// of a terminal can show and a plain camera can read.
pub const CODE_BYTES_MAX: usize = 425;

/// The most codes for one text: nobody takes more pictures than that.
pub const PARTS_MAX: usize = 8;

/// The longest text that is shown, in bytes.
pub const TEXT_BYTES_MAX: usize = PARTS_MAX * PART_BYTES_MAX;

/// What every text that kirana shows begins with.
const MARK: &str = "kirana-";
/// What a part of a longer text begins with: `kirana-part:2/3:0123456789abcdef:` and its piece.
const PART_MARK: &str = "kirana-part:";
/// The most bytes of the text in one part: the rest of the code names the part.
const PART_BYTES_MAX: usize = CODE_BYTES_MAX - PART_MARK.len() - "8/8:0123456789abcdef:".len();

/// The light frame around a code, in modules (ISO/IEC 18004, 5.3.8).
const QUIET: usize = 4;
/// How many light modules more lie between the codes of a sheet, so that none is taken for another's.
const GAP: usize = 12;
/// How many pixels of a PNG show one module.
const PIXELS_PER_MODULE: usize = 6;

/// A text as one or several QR codes.
#[derive(Debug, Clone)]
pub struct Codes(Vec<Modules>);

/// More than pictures carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this has {0} letters, and QR codes carry {TEXT_BYTES_MAX} of them here: hand it over as text, \
     or as a file"
)]
pub struct TooLong(pub usize);

impl Codes {
    /// Makes the codes of a text; of one that is longer than [`CODE_BYTES_MAX`], numbered parts.
    ///
    /// # Errors
    /// [`TooLong`] for a text of more than [`TEXT_BYTES_MAX`] bytes.
    ///
    /// # Example
    /// ```
    /// use kirana_picture::qr::{Codes, read};
    /// let shown = Codes::of("kirana-enrol:AAAA").expect("it is short");
    /// assert_eq!(read(&[shown.png()]).as_deref(), Ok("kirana-enrol:AAAA"));
    /// ```
    pub fn of(text: &str) -> Result<Self, TooLong> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TooLong(text.len()));
        }
        let texts = match text.len() > CODE_BYTES_MAX {
            true => parts(text),
            false => vec![text.to_owned()],
        };
        let codes: Option<Vec<_>> = texts.iter().map(|text| Modules::of(text)).collect();
        codes.map(Self).ok_or(TooLong(text.len()))
    }

    /// How many codes it takes.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The codes one below the other, two modules in one letter. With `colours` (ANSI, ECMA-48) it
    /// looks the same whatever colours a terminal has; without them, as dark ones need it.
    pub fn terminal(&self, colours: bool) -> String {
        let (begin, end) = if colours { ("\x1b[97;40m", "\x1b[0m") } else { ("", "") };
        let mut shown = String::new();
        for (number, code) in (1..).zip(&self.0) {
            for y in (0..code.side).step_by(2) {
                let light = |x, y| !code.is_dark(x, y);
                let letter = |x| match (light(x, y), light(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                };
                let line: String = (0..code.side).map(letter).collect();
                shown.push_str(&format!("{begin}{line}{end}\n"));
            }
            if self.count() > 1 {
                shown.push_str(&format!("{number} of {}\n", self.count()));
            }
        }
        shown
    }

    /// The codes side by side in one PNG picture.
    pub fn png(&self) -> Vec<u8> {
        let (columns, rows, side) = self.sheet();
        let pixels = |modules: usize| (modules * PIXELS_PER_MODULE) as u32;
        let sheet = GrayImage::from_fn(pixels(columns * side), pixels(rows * side), |x, y| {
            let (x, y) = (x as usize / PIXELS_PER_MODULE, y as usize / PIXELS_PER_MODULE);
            let code = self.0.get(y / side * columns + x / side);
            let dark = code.is_some_and(|code| code.is_dark(x % side, y % side));
            image::Luma([if dark { 0 } else { u8::MAX }])
        });
        let mut file = Vec::new();
        let (width, height) = sheet.dimensions();
        let written =
            PngEncoder::new(&mut file).write_image(&sheet, width, height, ColorType::L8.into());
        written.expect("memory takes a small picture");
        file
    }

    /// The codes side by side in one SVG picture.
    pub fn svg(&self) -> String {
        let (columns, rows, side) = self.sheet();
        let (width, height) = (columns * side, rows * side);
        let mut path = String::new();
        for (at, code) in self.0.iter().enumerate() {
            let (left, top) = (at % columns * side, at / columns * side);
            for (x, y) in code.dark() {
                path.push_str(&format!("M{} {}h1v1h-1z", left + x, top + y));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{width}v{height}H0z\"/>\
             <path d=\"{path}\"/></svg>\n"
        )
    }

    /// How many codes lie beside one another on a sheet, how many below, and the room for each.
    fn sheet(&self) -> (usize, usize, usize) {
        let columns = (1..=PARTS_MAX).find(|n| n * n >= self.count()).unwrap_or(PARTS_MAX);
        let side = self.0.iter().map(|code| code.side).max().unwrap_or_default();
        let side = if self.count() > 1 { side + GAP } else { side };
        (columns, self.count().div_ceil(columns), side)
    }
}

/// One code with its light frame.
#[derive(Debug, Clone)]
struct Modules {
    side: usize,
    /// Row by row, without the frame.
    dark: Vec<bool>,
}

impl Modules {
    fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Some(Self { side: code.width() + 2 * QUIET, dark })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let width = self.side - 2 * QUIET;
        let inside = QUIET..QUIET + width;
        inside.contains(&x) && inside.contains(&y) && self.dark[(y - QUIET) * width + x - QUIET]
    }

    fn dark(&self) -> impl Iterator<Item = (usize, usize)> {
        let all = (0..self.side * self.side).map(|at| (at % self.side, at / self.side));
        all.filter(|(x, y)| self.is_dark(*x, *y))
    }
}

/// Parts of about one length, so that no code is harder to read than the others.
fn parts(text: &str) -> Vec<String> {
    let count = text.len().div_ceil(PART_BYTES_MAX);
    let each = text.len().div_ceil(count);
    let digest = digest(text);
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(each).map(|piece| piece.iter().collect::<String>());
    (1..).zip(pieces).map(|(n, piece)| format!("{PART_MARK}{n}/{count}:{digest}:{piece}")).collect()
}

/// By what parts of one text know each other: the first 8 bytes of its SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
