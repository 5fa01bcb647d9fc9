//! Finds QR codes in photos and puts a text together of them.

use std::collections::{BTreeMap, BTreeSet};

use image::{GrayImage, imageops::FilterType};
use rqrr::{Point, PreparedImage};

use super::{MARK, PART_MARK, PARTS_MAX, digest};
use crate::{Unfit, decode, format_of, on_white};

/// The most pictures for one text.
pub const PICTURES_MAX: usize = 2 * PARTS_MAX;

/// How often a picture is searched again after codes were painted over: ours, and some of others.
const CODES_MAX: usize = 4 * PARTS_MAX;

/// How long the longer side of a picture is when it is searched, in pixels, one try after the
/// other: small ones have less noise, large ones more of a code that is far away.
const SIDES: [u32; 3] = [1_400, 700, 2_800];

/// Why no text was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A file is no picture that can be looked at.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Too many pictures at once.
    #[error("more than {PICTURES_MAX} pictures: name only those of one text")]
    TooMany,
    /// Nothing that looks like a code.
    #[error("there is no QR code in the picture: take it from nearer, straight and in good light")]
    NoCode,
    /// Something that looks like a code, of which too much is hidden or blurred.
    #[error("the QR code cannot be read: take a sharp picture of all of it")]
    Damaged,
    /// Other people's codes only, such as one to pay by.
    #[error("the QR code in the picture is none of kirana's")]
    Foreign,
    /// More than one text.
    #[error("the pictures show different texts: name only those of one")]
    Several,
    /// Some parts are not in any picture.
    #[error("part {missing} of {of} is missing: take a picture of that one too")]
    Missing {
        /// The first that is missing.
        missing: usize,
        /// How many there are.
        of: usize,
    },
}

/// Reads one text from pictures of its codes, in any order; a picture may show several codes, and
/// codes of others, which are passed over. Takes a second or so for a large photo.
///
/// # Errors
/// [`Unread`] says what to do.
pub fn read(files: &[Vec<u8>]) -> Result<String, Unread> {
    if files.len() > PICTURES_MAX {
        return Err(Unread::TooMany);
    }
    let mut seen = Seen::default();
    for file in files {
        let picture = decode(file, format_of(file)?)?;
        seen.look_at(&image::DynamicImage::ImageRgb8(on_white(picture)).into_luma8());
    }
    let ours = seen.ours();
    match (ours.is_empty(), seen.texts.is_empty(), seen.damaged) {
        (false, ..) => put_together(&ours),
        (true, _, true) => Err(Unread::Damaged),
        (true, false, false) => Err(Unread::Foreign),
        (true, true, false) => Err(Unread::NoCode),
    }
}

/// What was found so far.
#[derive(Default)]
struct Seen {
    texts: BTreeSet<String>,
    /// Whether a code was found and, in none of the tries, read.
    damaged: bool,
}

impl Seen {
    fn look_at(&mut self, picture: &GrayImage) {
        let (width, height) = picture.dimensions();
        let longer = width.max(height);
        let mut damaged = false;
        for side in SIDES {
            let scaled =
                |of: u32| (u64::from(of) * u64::from(side) / u64::from(longer)).max(1) as u32;
            let (width, height) = (scaled(width), scaled(height));
            let mut fitted = match longer > side {
                true => image::imageops::resize(picture, width, height, FilterType::Triangle),
                false => picture.clone(),
            };
            let unread = self.search(&mut fitted);
            damaged |= unread;
            if !unread && self.is_complete() {
                return;
            }
        }
        self.damaged |= damaged;
    }

    /// Reads codes and paints them over, until no more are read: corners of several codes beside
    /// each other may be taken for those of one. Whether something is left that looks like a code.
    fn search(&mut self, picture: &mut GrayImage) -> bool {
        let mut unread = false;
        for _ in 0..CODES_MAX {
            let mut prepared = PreparedImage::prepare_from_greyscale(
                picture.width() as usize,
                picture.height() as usize,
                |x, y| picture.get_pixel(x as u32, y as u32).0[0],
            );
            let codes = prepared.detect_grids();
            let read: Vec<_> = codes
                .iter()
                .filter_map(|code| Some((code.bounds, code.decode().ok()?.1)))
                .collect();
            unread = read.len() < codes.len();
            if read.is_empty() {
                break;
            }
            for (corners, text) in read {
                self.texts.insert(text);
                paint_over(picture, &corners);
            }
        }
        unread
    }

    fn ours(&self) -> BTreeSet<&str> {
        self.texts.iter().map(String::as_str).filter(|text| text.starts_with(MARK)).collect()
    }

    /// Whether what was read is all that there can be.
    fn is_complete(&self) -> bool {
        put_together(&self.ours()).is_ok()
    }
}

/// Makes the rectangle around these corners white.
fn paint_over(picture: &mut GrayImage, corners: &[Point; 4]) {
    let range = |of: fn(&Point) -> i32, size: u32| {
        let within = |at: i32| u32::try_from(at.max(0)).unwrap_or_default().min(size);
        let ends = (corners.iter().map(of).min(), corners.iter().map(of).max());
        within(ends.0.unwrap_or_default())..within(ends.1.unwrap_or_default().saturating_add(1))
    };
    let (width, height) = picture.dimensions();
    for y in range(|corner| corner.y, height) {
        for x in range(|corner| corner.x, width) {
            picture.put_pixel(x, y, image::Luma([u8::MAX]));
        }
    }
}

/// A part of a longer text.
struct Part<'a> {
    number: usize,
    of: usize,
    digest: &'a str,
    piece: &'a str,
}

fn part(text: &str) -> Option<Part<'_>> {
    let mut fields = text.strip_prefix(PART_MARK)?.splitn(3, ':');
    let (numbers, digest, piece) = (fields.next()?, fields.next()?, fields.next()?);
    let (number, of) = numbers.split_once('/')?;
    let (number, of) = (number.parse().ok()?, of.parse().ok()?);
    let fits = (1..=PARTS_MAX).contains(&of) && (1..=of).contains(&number);
    fits.then_some(Part { number, of, digest, piece })
}

fn put_together(ours: &BTreeSet<&str>) -> Result<String, Unread> {
    let mut wholes = ours.iter().filter(|text| !text.starts_with(PART_MARK));
    let parts: Vec<Part<'_>> = ours.iter().filter_map(|text| part(text)).collect();
    match (wholes.next(), wholes.next(), parts.first()) {
        (Some(whole), None, None) => Ok((*whole).to_owned()),
        (None, None, Some(first)) => {
            let same = |part: &Part<'_>| (part.of, part.digest) == (first.of, first.digest);
            if !parts.iter().all(same) {
                return Err(Unread::Several);
            }
            let pieces: BTreeMap<usize, &str> = parts.iter().map(|p| (p.number, p.piece)).collect();
            if let Some(missing) = (1..=first.of).find(|number| !pieces.contains_key(number)) {
                return Err(Unread::Missing { missing, of: first.of });
            }
            let whole: String = pieces.into_values().collect();
            if digest(&whole) == first.digest { Ok(whole) } else { Err(Unread::Several) }
        }
        (None, None, None) => Err(Unread::Foreign),
        _ => Err(Unread::Several),
    }
}
