//! What is made of good files, and what is said to bad ones.

use image::{ColorType, ImageEncoder, codecs::png::PngEncoder};

use super::*;

/// Noise, which no encoder makes small.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        [(state >> 8) as u8, (state >> 16) as u8, (state >> 24) as u8].into()
    })
}

fn as_file(seen: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    seen.write_to(&mut file, format).expect("it is encoded");
    file.into_inner()
}

/// A TIFF block with one field: the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// A JPEG that says where it was taken, in its Exif and in a comment.
fn telling_jpeg(seen: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    let mut told = exif(orientation);
    told.extend(b"12.9716,77.5946");
    encoder.set_exif_metadata(told).expect("it takes them");
    let (width, height) = seen.dimensions();
    encoder.encode(seen, width, height, ExtendedColorType::Rgb8).expect("it is encoded");
    file
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|bytes| bytes == text)
}

#[test]
fn each_kind_of_picture_comes_out_as_a_small_jpeg() {
    let seen = DynamicImage::ImageRgb8(noise(1_500, 900));
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let made = reencode(&as_file(&seen, format)).expect("a picture");
        assert!(made.jpeg.len() <= JPEG_BYTES_MAX, "{format:?}: {}", made.jpeg.len());
        assert!(made.width.max(made.height) <= SIDE_MAX);
        assert_eq!(image::guess_format(&made.jpeg).ok(), Some(ImageFormat::Jpeg));
        assert_eq!(made.width * 3 / made.height, 5, "{} x {}", made.width, made.height);
    }
}

#[test]
fn nothing_that_a_camera_noted_comes_out() {
    let file = telling_jpeg(&noise(64, 48), 1);
    assert!(holds(&file, b"12.9716") && holds(&file, b"Exif"));
    let made = reencode(&file).expect("a picture");
    assert!(!holds(&made.jpeg, b"12.9716") && !holds(&made.jpeg, b"Exif"));
    let mut trailed = file.clone();
    trailed.extend(b"a second file behind it: 12.9716\xFF\xD9");
    assert_eq!(reencode(&trailed), Ok(made), "what follows its end counts for nothing");
}

#[test]
fn a_picture_taken_on_its_side_is_turned_up() {
    let file = telling_jpeg(&noise(64, 48), 6);
    let made = reencode(&file).expect("a picture");
    assert_eq!((made.width, made.height), (48, 64));
}

#[test]
fn what_shines_through_becomes_white() {
    let clear = DynamicImage::ImageRgba8(image::RgbaImage::new(8, 8));
    let made = reencode(&as_file(&clear, ImageFormat::Png)).expect("a picture");
    let seen = image::load_from_memory(&made.jpeg).expect("a JPEG").into_rgb8();
    assert!(seen.pixels().all(|pixel| pixel.0.iter().all(|part| *part > 250)));
}

#[test]
fn what_is_no_picture_is_refused_whatever_its_name() {
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for file in [&b"PK\x03\x04\x14\0"[..], svg, b"GIF89a\x01\0\x01\0", b"BM", b"%PDF-1.7", b""] {
        assert_eq!(reencode(file), Err(Unfit::NoPicture), "{file:?}");
    }
    let too_long = vec![0; FILE_BYTES_MAX + 1];
    assert_eq!(reencode(&too_long), Err(Unfit::TooLong));
}

#[test]
fn a_bomb_is_refused_by_its_head() {
    // One row of a gigantic picture: whoever believed the head would take 7.5 GB.
    let mut file = Vec::new();
    let row = image::GrayImage::new(1, 1);
    let encoder = PngEncoder::new(&mut file);
    encoder.write_image(&row, 1, 1, ColorType::L8.into()).expect("it is encoded");
    file[16..24].copy_from_slice(&[0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50]);
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    let refused = Err(Unfit::TooManyPixels { width: 50_000, height: 50_000 });
    assert_eq!(reencode(&file), refused);
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_refused() {
    let seen = DynamicImage::ImageRgb8(noise(40, 30));
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let file = as_file(&seen, format);
        for kept in [file.len() / 4, file.len() / 2, file.len() * 9 / 10] {
            let refused = reencode(&file[..kept]);
            assert_eq!(refused, Err(Unfit::Damaged), "{format:?} of {kept} bytes");
        }
    }
}

/// The check of a PNG's chunk (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)));
    !bytes.iter().fold(!0, |crc, byte| shifted(crc ^ u32::from(*byte)))
}
