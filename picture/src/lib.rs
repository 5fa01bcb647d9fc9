//! Makes a small JPEG without metadata of whatever picture somebody hands in, and QR codes of texts.
//!
//! **Invariant:** nothing of the file that came in goes out but what the eye sees: a place in it, a
//! device's name, a colour profile or bytes after its end are gone; and before the number of its
//! pixels was read from its head and found bearable, none of them is decoded.

use std::io::Cursor;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, RgbImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType,
};

pub mod qr;

/// The longest file that is looked at, in bytes: what a good phone makes of one picture.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most pixels that are decoded: more than a phone's camera gives unless asked to.
pub const PIXELS_MAX: u64 = 25_000_000;

/// The longest side of what comes out, in pixels.
pub const SIDE_MAX: u32 = 1_280;

/// The most bytes of what comes out.
pub const JPEG_BYTES_MAX: usize = 200_000;

/// The longest side, in pixels, and the most bytes of a picture that goes along with a piece of mail, where
/// envelopes end at 128 KiB.
pub const MAILED_SIDE_MAX: u32 = 960;
/// See [`MAILED_SIDE_MAX`].
pub const MAILED_BYTES_MAX: usize = 64 * 1024;

/// The media type of what comes out.
pub const MEDIA_TYPE: &str = "image/jpeg";

/// The most bytes that decoded pixels take: a file of 16 bits a channel has fewer of them.
const DECODED_BYTES_MAX: u64 = 4 * PIXELS_MAX;

/// Tried in this order until the file is small enough; after the last one the sides are halved.
const QUALITIES: [u8; 4] = [82, 70, 55, 40];

/// What others get to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file, at most [`JPEG_BYTES_MAX`] long.
    pub jpeg: Vec<u8>,
    /// How wide it is, in pixels; at most [`SIDE_MAX`].
    pub width: u32,
    /// How high it is, in pixels; at most [`SIDE_MAX`].
    pub height: u32,
}

/// Why no picture was made of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its first bytes are those of no kind of picture that is taken here, whatever its name says.
    #[error("this is no PNG, JPEG or WebP picture")]
    NoPicture,
    /// The file is longer than [`FILE_BYTES_MAX`].
    #[error("the file has more than {} MiB: send a smaller picture", FILE_BYTES_MAX >> 20)]
    TooLong,
    /// Its head promises more pixels than anybody needs.
    #[error(
        "the picture has {width} x {height} points, and more than {} million are not looked at: \
         send a smaller one",
        PIXELS_MAX / 1_000_000
    )]
    TooManyPixels {
        /// How wide it says that it is.
        width: u32,
        /// How high it says that it is.
        height: u32,
    },
    /// It begins like a picture, and cannot be read to its end.
    #[error("the picture is damaged or cut off: send the whole file")]
    Damaged,
}

/// Decodes a PNG, JPEG or WebP file, turns it the way it was meant to be seen, and encodes what is
/// seen, smaller where it has to be. Takes up to some seconds and 300 MB: keep it off threads that
/// others wait for, and do few at once.
///
/// Transparent parts become white. Of an animation the first picture is taken.
///
/// # Errors
/// [`Unfit`] says what is wrong with the file.
///
/// # Example
/// ```
/// use kirana_picture::{Unfit, reencode};
/// assert_eq!(reencode(b"PK\x03\x04 a zip named photo.png"), Err(Unfit::NoPicture));
/// ```
pub fn reencode(file: &[u8]) -> Result<Picture, Unfit> {
    within(file, SIDE_MAX, JPEG_BYTES_MAX)
}

/// [`reencode`], so small that it goes along with a piece of mail.
///
/// # Errors
/// As there.
pub fn reencode_for_mail(file: &[u8]) -> Result<Picture, Unfit> {
    within(file, MAILED_SIDE_MAX, MAILED_BYTES_MAX)
}

fn within(file: &[u8], side_max: u32, bytes_max: usize) -> Result<Picture, Unfit> {
    let format = format_of(file)?;
    let seen = decode(file, format)?;
    let fitted = match seen.width().max(seen.height()) > side_max {
        true => seen.resize(side_max, side_max, FilterType::Triangle),
        false => seen,
    };
    encode(on_white(fitted), bytes_max)
}

fn format_of(file: &[u8]) -> Result<ImageFormat, Unfit> {
    if file.len() > FILE_BYTES_MAX {
        return Err(Unfit::TooLong);
    }
    match image::guess_format(file) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        _ => Err(Unfit::NoPicture),
    }
}

fn decode(file: &[u8], format: ImageFormat) -> Result<DynamicImage, Unfit> {
    let reader = ImageReader::with_format(Cursor::new(file), format);
    let mut decoder = reader.into_decoder().map_err(|_| Unfit::Damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS_MAX || decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(Unfit::TooManyPixels { width, height });
    }
    // The decoder fills up what is missing of a JPEG with grey and says nothing.
    if format == ImageFormat::Jpeg && !has_its_end(file) {
        return Err(Unfit::Damaged);
    }
    let orientation = decoder.orientation().map_err(|_| Unfit::Damaged)?;
    let mut seen = DynamicImage::from_decoder(decoder).map_err(|_| Unfit::Damaged)?;
    seen.apply_orientation(orientation);
    Ok(seen)
}

/// Whether a JPEG's last scan is followed by its end: neither marker can stand among its data.
fn has_its_end(jpeg: &[u8]) -> bool {
    let last = |marker: [u8; 2]| jpeg.windows(2).rposition(|bytes| bytes == marker);
    last(END_OF_IMAGE) > last(START_OF_SCAN)
}

const START_OF_SCAN: [u8; 2] = [0xFF, 0xDA];
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

fn on_white(seen: DynamicImage) -> RgbImage {
    if !seen.color().has_alpha() {
        return seen.into_rgb8();
    }
    let seen = seen.into_rgba8();
    RgbImage::from_fn(seen.width(), seen.height(), |x, y| {
        let [red, green, blue, alpha] = seen.get_pixel(x, y).0.map(u32::from);
        let over_white = |part| ((part * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        [over_white(red), over_white(green), over_white(blue)].into()
    })
}

fn encode(mut seen: RgbImage, bytes_max: usize) -> Result<Picture, Unfit> {
    loop {
        let (width, height) = seen.dimensions();
        for quality in QUALITIES {
            let mut jpeg = Vec::new();
            let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
            let encoded = encoder.encode(&seen, width, height, ExtendedColorType::Rgb8);
            encoded.map_err(|_| Unfit::Damaged)?;
            if jpeg.len() <= bytes_max {
                return Ok(Picture { jpeg, width, height });
            }
        }
        let half = |side: u32| (side / 2).max(1);
        seen = image::imageops::resize(&seen, half(width), half(height), FilterType::Triangle);
    }
}

#[cfg(test)]
mod tests;
