//! An owner who lost a device, the passphrase or the keys gets in again by the printed code.

use std::{path::Path, process::Command};

use kirana_shop::home::Home;
use serde_json::Value;

use crate::desk::{Desk, asked, keys, said, strings, text};

/// Exit code, and what was said.
fn recover(data: &Path, code: &str, passphrase: Option<&str>, words: &[&str]) -> (i32, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    program.env("KIRANA_RECOVERY_CODE", code).args(["recovery", "use", "--json", "--data"]);
    if let Some(passphrase) = passphrase {
        program.env("KIRANA_PASSPHRASE", passphrase);
    }
    let done = program.arg(data).args(words).output().expect("it runs");
    let out = if done.status.success() { done.stdout } else { done.stderr };
    let last = out.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    (done.status.code().expect("it ended"), serde_json::from_slice(last).unwrap_or(Value::Null))
}

fn code_of(data: &Path) -> String {
    let (status, printed) = said(data, &["recovery", "print"]);
    assert_eq!(status, 0, "{printed}");
    text(&printed, "recovery_code").to_owned()
}

#[test]
fn p6_an_owner_whose_device_is_lost_replaces_it_and_shuts_it_out_by_the_printed_code() {
    let desk = Desk::open();
    let data = desk.folder.path();
    let lost = desk.certified(1, "owner");
    let (status, session) = desk.sign_in(1, &lost);
    assert_eq!(status, 201, "{session}");
    let code = code_of(data);
    let id = keys(1).id().to_string();
    let request = asked(2, desk.shop);
    let wrong = recover(data, &"0".repeat(56), None, &[&request, "--shut-out", &id]);
    assert_eq!(wrong.0, 1, "{}", wrong.1);
    assert_eq!(desk.sign_in(1, &lost).0, 201, "a wrong code changes nothing");
    let (status, done) = recover(data, &code.to_lowercase(), None, &[&request, "--shut-out", &id]);
    assert_eq!((status, text(&done, "device")), (0, keys(2).id().to_string().as_str()));
    assert_eq!(desk.sign_in(1, &lost).0, 401);
    let token = text(&session, "access_token");
    assert_eq!(desk.ask(token, "GET", "/v1/staff", &Value::Null).0, 401, "a token in hand");
    let (_, list) = said(data, &["staff", "list"]);
    let items = list["items"].as_array().expect("a list");
    let new = items.iter().find(|item| item["revoked"] == false).expect("the new device");
    let (status, session) = desk.sign_in(2, &strings(&new["certificates"]));
    assert_eq!(status, 201, "{session}");
    let token = text(&session, "access_token");
    assert_eq!(desk.ask(token, "GET", "/v1/staff", &Value::Null).0, 200);
    let third = asked(3, desk.shop);
    let (status, done) = recover(data, &code, None, &[&third, "--shut-out-all"]);
    assert_eq!((status, strings(&done["shut_out"])), (0, vec![keys(2).id().to_string()]));
}

#[test]
fn p6_the_code_opens_the_box_whose_passphrase_was_forgotten_or_whose_key_file_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let mut made = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    made.args(["init", "--json", "--data"]).arg(data).env("KIRANA_PASSPHRASE", "four plain words");
    let made: Value =
        serde_json::from_slice(&made.output().expect("it runs").stdout).expect("JSON");
    let code = text(&made, "recovery_code").to_owned();
    let opens = |passphrase: &str| Home::at(data, Some(passphrase.to_owned())).keys().is_ok();
    assert_eq!(recover(data, &code, None, &[]).0, 2, "a locked box is not left open");
    assert_eq!(recover(data, &code, Some("another five plain words"), &[]).0, 0);
    assert!(opens("another five plain words") && !opens("four plain words"));
    std::fs::remove_file(data.join("box.key")).expect("lost");
    assert_eq!(recover(data, &"7".repeat(56), Some("new words"), &[]).0, 1);
    assert!(!data.join("box.key").exists(), "a wrong code leaves nothing behind");
    assert_eq!(recover(data, &code, Some("new words"), &[]).0, 0);
    assert!(opens("new words"));
    let other = tempfile::tempdir().expect("a folder");
    assert_eq!(recover(other.path(), &code, None, &[]).0, 1, "no shop there");
}

#[test]
fn a_new_code_takes_the_place_of_the_old_one() {
    let desk = Desk::open();
    let data = desk.folder.path();
    let old = code_of(data);
    assert_eq!(code_of(data), old, "printed again, it is the same");
    let (_, printed) = said(data, &["recovery", "print", "--new"]);
    let new = text(&printed, "recovery_code").to_owned();
    assert_ne!(new, old);
    assert_eq!([recover(data, &old, None, &[]).0, recover(data, &new, None, &[]).0], [1, 0]);
}
