//! Codes come back from files, from terminals and from bad photos; what does not says why.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops};

use super::*;
use crate::Unfit;

/// Letters that no encoder makes short.
fn text(bytes: usize) -> String {
    let mut state = 7_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                [(state >> 26) as usize],
        )
    };
    let mark = "kirana-device:";
    mark.chars().chain((mark.len()..bytes).map(|_| letter())).collect()
}

fn shown(text: &str) -> Codes {
    Codes::of(text).expect("it is short enough")
}

fn as_file(seen: RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(seen).write_to(&mut file, format).expect("it is encoded");
    file.into_inner()
}

fn picture(png: &[u8]) -> RgbImage {
    image::load_from_memory(png).expect("a picture").into_rgb8()
}

/// What stands on a terminal, as a photo of it.
fn photo_of_terminal(shown: &str) -> Vec<u8> {
    let lines: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
    let width = lines.iter().map(Vec::len).max().expect("lines") as u32;
    let seen = RgbImage::from_fn(width * 5 + 60, lines.len() as u32 * 10 + 60, |x, y| {
        let (column, row) = (x.checked_sub(30).map(|x| x / 5), y.checked_sub(30).map(|y| y / 10));
        let upper = y % 10 < 5;
        let letter = column.zip(row).and_then(|(c, r)| lines.get(r as usize)?.get(c as usize));
        let lit = match letter {
            Some('█') => true,
            Some('▀') => upper,
            Some('▄') => !upper,
            _ => false,
        };
        Rgb(if lit { [235; 3] } else { [20; 3] })
    });
    as_file(seen, ImageFormat::Jpeg)
}

#[test]
fn a_text_of_any_length_comes_back_from_one_picture() {
    for bytes in [20, 350, CODE_BYTES_MAX, CODE_BYTES_MAX + 1, 1_400, TEXT_BYTES_MAX] {
        let text = text(bytes);
        let codes = shown(&text);
        assert_eq!(codes.count() == 1, bytes <= CODE_BYTES_MAX, "{bytes}");
        assert_eq!(read(&[codes.png()]), Ok(text), "{bytes}");
    }
    let one_more = TEXT_BYTES_MAX + 1;
    assert_eq!(Codes::of(&text(one_more)).err(), Some(TooLong(one_more)));
}

#[test]
fn eighty_columns_of_a_terminal_show_it_and_a_photo_of_them_is_read() {
    let (short, long) = (text(CODE_BYTES_MAX), text(1_200));
    let codes = shown(&short);
    let seen = codes.terminal(false);
    assert!(seen.lines().all(|line| line.chars().count() <= 80), "{seen}");
    assert_eq!(read(&[photo_of_terminal(&seen)]), Ok(short));
    let coloured = codes.terminal(true);
    assert_eq!(coloured.replace("\x1b[97;40m", "").replace("\x1b[0m", ""), seen);
    let seen = shown(&long).terminal(false);
    let screens: Vec<_> = seen.split_inclusive("of 4\n").map(photo_of_terminal).collect();
    assert_eq!(screens.len(), 4);
    assert_eq!(read(&screens), Ok(long));
}

#[test]
fn a_photo_taken_askew_in_poor_light_with_a_code_of_others_beside_it_is_read() {
    let text = text(350);
    let code = picture(&shown(&text).png());
    let paid = picture(&shown("upi://pay?pa=asha@bank&pn=Asha").png());
    let mut photo = RgbImage::from_pixel(2_400, 1_800, Rgb([120, 110, 95]));
    imageops::replace(&mut photo, &code, 300, 500);
    imageops::replace(&mut photo, &paid, 1_500, 900);
    let photo = imageops::blur(&photo, 1.2);
    let tilted = RgbImage::from_fn(2_400, 1_800, |x, y| {
        // A turn by about five degrees, and light that falls off to the right.
        let (x, y) = (x as f32, y as f32);
        let (from_x, from_y) = (x * 0.996 + y * 0.087 - 70.0, y * 0.996 - x * 0.087 + 90.0);
        let inside = (0.0..2_400.0).contains(&from_x) && (0.0..1_800.0).contains(&from_y);
        let seen = if inside { photo.get_pixel(from_x as u32, from_y as u32).0 } else { [90; 3] };
        Rgb(seen.map(|part| (f32::from(part) * (1.0 - x / 6_000.0)) as u8))
    });
    assert_eq!(read(&[as_file(tilted, ImageFormat::Jpeg)]), Ok(text));
}

#[test]
fn a_bad_picture_says_what_is_wrong_with_it() {
    let png = shown(&text(350)).png();
    let refused = |file: Vec<u8>| read(&[file]).expect_err("refused");
    let blank = RgbImage::from_pixel(600, 600, Rgb([200; 3]));
    assert_eq!(refused(as_file(blank, ImageFormat::Png)), Unread::NoCode);
    assert_eq!(read(&[]), Err(Unread::NoCode));
    let mut hidden = picture(&png);
    let side = hidden.width();
    let thumb = RgbImage::from_pixel(side / 3, side / 3, Rgb([200; 3]));
    imageops::replace(&mut hidden, &thumb, i64::from(side / 3), i64::from(side / 3));
    assert_eq!(refused(as_file(hidden, ImageFormat::Png)), Unread::Damaged);
    assert_eq!(refused(shown("upi://pay?pa=asha@bank").png()), Unread::Foreign);
    assert_eq!(refused(png[..png.len() / 2].to_vec()), Unread::Unfit(Unfit::Damaged));
    assert_eq!(refused(b"%PDF-1.7".to_vec()), Unread::Unfit(Unfit::NoPicture));
    assert_eq!(read(&vec![png; read::PICTURES_MAX + 1]), Err(Unread::TooMany));
}

#[test]
fn a_text_counts_only_with_all_of_its_parts_and_none_of_another() {
    let (one, other) = (text(1_200), text(1_201));
    let each = |text: &str| -> Vec<Vec<u8>> {
        let codes = shown(text).0.into_iter();
        codes.map(|code| Codes(vec![code]).png()).collect()
    };
    let mut pictures = each(&one);
    pictures.reverse();
    assert_eq!(read(&pictures), Ok(one.clone()), "in any order");
    pictures.push(pictures[0].clone());
    assert_eq!(read(&pictures), Ok(one.clone()), "one twice");
    assert_eq!(read(&each(&one)[1..]), Err(Unread::Missing { missing: 1, of: 4 }));
    let mixed = [&each(&one)[..2], &each(&other)[2..]].concat();
    assert_eq!(read(&mixed), Err(Unread::Several));
    assert_eq!(read(&[shown("kirana-a:1").png(), shown("kirana-b:2").png()]), Err(Unread::Several));
    // Somebody kept the digest and changed a piece.
    let mut forged = parts(&one);
    forged[2] = forged[2].replace(|c| "ABC".contains(c), "D");
    let forged: Vec<_> = forged.iter().map(|part| shown(part).png()).collect();
    assert_eq!(read(&forged), Err(Unread::Several));
}

#[test]
fn an_svg_shows_the_same_modules() {
    let codes = shown(&text(700));
    let (columns, rows, side) = codes.sheet();
    assert_eq!((columns, rows), (2, 1));
    let svg = codes.svg();
    let mut seen =
        RgbImage::from_pixel((columns * side * 4) as u32, (rows * side * 4) as u32, Rgb([255; 3]));
    let path = svg.rsplit("d=\"").next().and_then(|path| path.split('"').next()).expect("a path");
    for module in path.split_terminator("h1v1h-1z") {
        let (x, y) = module[1..].split_once(' ').expect("two numbers");
        let (x, y): (i64, i64) = (x.parse().expect("x"), y.parse().expect("y"));
        let dark = RgbImage::from_pixel(4, 4, Rgb([0; 3]));
        imageops::replace(&mut seen, &dark, x * 4, y * 4);
    }
    assert_eq!(read(&[as_file(seen, ImageFormat::Png)]), Ok(text(700)));
}
