//! Devices let each other in by QR codes: what one writes as a picture, the other one reads.

use std::path::Path;

use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    id::AccountId,
    key::KeyPair,
};
use kirana_customer::{app::Household, home::Home};

use crate::{
    neighbour::{NOW, rng},
    program::{json, kirana},
};

fn open(folder: &Path) -> Household {
    let home = Home::at(folder);
    Household::open(home.database().unwrap(), home.keys(None).unwrap()).unwrap()
}

/// A device on disk that a hub certified for an account.
fn signed_in(folder: &Path) {
    assert!(kirana(folder, &["init"]).status.success());
    let (home, hub) = (open(folder), KeyPair::from_seed([90; 64]));
    let holder = Holder {
        key: home.keys().signing.public(),
        sealing: home.keys().sealing.public(),
        standing: Standing::Device { account: AccountId::new(NOW, [1; 10]), hosted: false },
    };
    let certificate = Certificate::issue(&hub.signing, &holder, NOW, &mut rng(9));
    home.certify(vec![certificate.bytes().to_vec().into()]).unwrap();
}

fn done(home: &Path, words: &[&str]) -> serde_json::Value {
    let done = kirana(home, &[&["--json"], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    json(&done.stdout)
}

fn refused(home: &Path, words: &[&str]) -> (Option<i32>, String) {
    let refused = kirana(home, &[&["--json"], words].concat());
    let kind = json(&refused.stderr)["type"].as_str().expect("a problem").to_owned();
    (refused.status.code(), kind.trim_start_matches("urn:kirana:problem:").to_owned())
}

#[test]
fn a_second_device_is_let_in_by_pictures_alone_and_lets_in_a_third() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = |name: &str| at(name).to_str().unwrap().to_owned();
    signed_in(&at("first"));
    let account = open(&at("first")).party();
    for (old, new) in [("first", "second"), ("second", "third")] {
        assert!(kirana(&at(new), &["init"]).status.success());
        let (asked, answer) = (file("asked.png"), file("answer.png"));
        let shown = done(&at(new), &["device", "show", "--qr-file", &asked]);
        let compare = shown["compare"].as_str().unwrap();
        let add = ["device", "add", "--from-picture", &asked, "--compare", compare];
        let added = done(&at(old), &[&add[..], &["--qr-file", &answer]].concat());
        assert_eq!(added["device"], shown["device"]);
        done(&at(new), &["device", "import", "--from-picture", &answer]);
        assert_eq!(open(&at(new)).party(), account, "{new}");
    }
}

#[test]
fn the_code_fits_a_terminal_and_stands_above_the_text() {
    let folder = tempfile::tempdir().unwrap();
    assert!(kirana(folder.path(), &["init"]).status.success());
    let shown = kirana(folder.path(), &["device", "show", "--qr"]);
    let said = String::from_utf8(shown.stdout).unwrap();
    let (code, text) = said.split_once("kirana-enrol:").expect("the text is there too");
    assert!(code.lines().count() > 20 && text.contains("kirana device add"), "{said}");
    let letters = |line: &str| line.chars().all(|c| " ▀▄█".contains(c));
    assert!(code.lines().all(|line| line.chars().count() <= 80 && letters(line)), "{said}");
}

#[test]
fn a_picture_of_something_else_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    signed_in(&home);
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (own, cut, text, gone) =
        (file("own.png"), file("cut.png"), file("a.txt"), file("gone.png"));
    done(&home, &["device", "show", "--qr-file", &own]);
    let whole = std::fs::read(&own).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    std::fs::write(&text, "kirana-enrol:AAAA").unwrap();
    let add = |picture: &str| refused(&home, &["device", "add", "--from-picture", picture]);
    let failed = |kind: &str| (Some(1), kind.to_owned());
    for picture in [&cut, &text] {
        assert_eq!(add(picture), failed("picture"), "{picture}");
    }
    assert_eq!(add(&gone), failed("file"));
    let import = ["device", "import", "--from-picture", &own];
    assert_eq!(refused(&home, &import), failed("not-theirs"), "a request is no answer");
    let usage = (Some(2), "usage".to_owned());
    assert_eq!(refused(&home, &["device", "import"]), usage);
    assert_eq!(refused(&home, &["device", "add", "kirana-enrol:A", "--from-picture", &own]), usage);
    assert_eq!(refused(&home, &["device", "show", "--qr-file", &file("own.gif")]), usage);
}
