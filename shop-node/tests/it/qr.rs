//! Requests of new owners and tills travel to a shop's box as photos of QR codes.

use std::process::Command;

use image::{GrayImage, ImageFormat};
use kirana_picture::qr::Codes;
use serde_json::Value;

use crate::desk::{Desk, asked, said, text};

#[test]
fn a_new_owners_code_is_photographed_and_answered() {
    let desk = Desk::open();
    let file = |name: &str| desk.folder.path().join(name).to_str().expect("text").to_owned();
    let (key, code, consent) = (file("ravi.key"), file("code.png"), file("consent"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    program.args(["owner", "request", "--json", "--shop", &desk.shop.to_string(), "--key", &key]);
    let made = program.args(["--qr-file", &code]).output().expect("it runs");
    let shown: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let hand_over = |more: &[&str]| {
        let words = ["owner", "hand-over", &consent, "--compare", text(&shown, "compare")];
        said(desk.folder.path(), &[&words[..], more].concat())
    };
    assert_eq!(hand_over(&[]).0, 2, "neither text nor picture");
    let (done, handed) = hand_over(&["--from-picture", &code]);
    assert_eq!(done, 0, "{handed}");
    assert!(std::path::Path::new(&consent).exists());
}

#[test]
fn a_till_is_certified_by_a_photo_of_its_code_and_other_pictures_say_what_is_wrong() {
    let desk = Desk::open();
    let (data, picture) = (desk.folder.path(), desk.folder.path().join("till.png"));
    let file = picture.to_str().expect("text");
    let add = ["staff", "add", "--role", "staff", "--name", "Till 2", "--from-picture", file];
    let refused = |bytes: &[u8], kind: &str| {
        std::fs::write(&picture, bytes).expect("written");
        let (code, problem) = said(data, &add);
        assert_eq!((code, text(&problem, "type")), (1, kind), "{problem}");
    };
    let png = |text: &str| Codes::of(text).expect("short").png();
    let mut blank = std::io::Cursor::new(Vec::new());
    GrayImage::new(300, 300).write_to(&mut blank, ImageFormat::Png).expect("encoded");
    refused(blank.get_ref(), "urn:kirana:picture");
    refused(b"GIF89a", "urn:kirana:picture");
    refused(&png("upi://pay?pa=asha@bank"), "urn:kirana:picture");
    refused(&png("kirana-device:AAAA"), "urn:kirana:not-staffed");
    std::fs::write(&picture, png(&asked(9, desk.shop))).expect("written");
    let (code, made) = said(data, &add);
    assert_eq!((code, text(&made, "label")), (0, "Till 2"), "{made}");
    assert_eq!(said(data, &[&add[..], &[&asked(9, desk.shop)]].concat()).0, 2, "both at once");
}
