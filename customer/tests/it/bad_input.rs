//! Whatever is said to `kirana` or lies in its folder: a clear sentence, an exit code, no half deeds.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use kirana_core::catalogue::{BucketNo, document::Bucket};
use kirana_customer::{
    app::{Household, file::FILE_BYTES_MAX},
    home::{DATABASE, Home, KEYS},
};
use kirana_migrations::{Database, Location, Schema, rusqlite::Connection};

use crate::{
    neighbour::{NOW, Neighbour, rng, two_kilos_of_rice},
    program::{json, kirana},
    shelf::{chunk, variant_id},
};

/// A folder with a shop that was chosen and its saved catalogue.
fn set_up(folder: &Path) -> (Home, Neighbour, Household) {
    let (home, shop) = (Home::at(folder), Neighbour::new());
    let database = home.database().unwrap();
    let keys = home.make_keys(None, &mut rng(1)).unwrap();
    let household = Household::create(database, keys, NOW, &mut rng(2)).unwrap();
    shop.introduce_to(&household);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    household.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap();
    (home, shop, household)
}

/// What went wrong: the exit code and the problem's last word; nothing may be on stdout.
fn refused(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let done: Output = kirana(folder, &[&["--json"], words].concat());
    assert!(done.stdout.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&done.stdout));
    let problem = json(&done.stderr);
    let kind = problem["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    (done.status.code(), kind, problem["detail"].as_str().unwrap().to_owned())
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let (_, shop, household) = set_up(folder.path());
    let (shop, rice, nobody) = (shop.id.to_string(), variant_id().to_string(), NOBODY);
    let add = |amount| ["cart", "add", &shop, &rice, amount];
    let cases: &[(&[&str], i32, &str)] = &[
        (&["frobnicate"], 2, "usage"),
        (&["order", "place", "--frobnicate"], 2, "usage"),
        (&["order", "status", "not-an-id"], 2, "usage"),
        (&["order", "status", nobody], 1, "unknown-order"),
        (&["order", "withdraw", nobody], 1, "unknown-order"),
        (&["order", "cancel", nobody], 1, "unknown-order"),
        (&["order", "export", nobody, "never-written"], 1, "unknown-order"),
        (&["order", "place"], 1, "nothing-to-do"),
        (&["order", "place", "--answer-within", "0"], 2, "usage"),
        (&["order", "place", "--answer-within", "99999"], 2, "usage"),
        (&["order", "place", "--item", "caviar=1"], 2, "usage"),
        (&["order", "place", "--shop", &shop, "--item", "caviar=1"], 2, "usage"),
        (&["cart", "add", nobody, &rice, "1kg"], 1, "not-for-sale"),
        (&["cart", "add", &shop, nobody, "1kg"], 1, "not-for-sale"),
        (&["shops", "find", "--near", "here"], 2, "usage"),
        (&add("0"), 2, "usage"),
        (&add("0g"), 2, "usage"),
        (&add("-1"), 2, "usage"),
        (&add("0.5"), 2, "usage"),
        (&add("1e3"), 2, "usage"),
        (&add("NaN"), 2, "usage"),
        (&add(""), 2, "usage"),
        (&add("18446744073709551615"), 2, "usage"),
        (&add("99999999999999999999kg"), 2, "usage"),
        (&add("1piece"), 1, "not-for-sale"),
    ];
    for (words, code, kind) in cases {
        let (found, found_kind, detail) = refused(folder.path(), words);
        assert_eq!((found, found_kind.as_str()), (Some(*code), *kind), "{words:?}: {detail}");
        assert!(detail.len() > 10, "{words:?}: {detail}");
    }
    assert_eq!(household.order_ids().unwrap(), [], "nothing was placed on the way");
}

#[test]
fn a_file_that_is_no_answer_for_this_device_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_, shop, household) = set_up(folder.path());
    let placed = household.place(two_kilos_of_rice(shop.id), NOW, &mut rng(3)).unwrap();
    let exported = household.export(placed.id, NOW, &mut rng(4)).unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = files.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    };
    let cases = [
        (files.path().join("nowhere").to_string_lossy().into_owned(), "file"),
        (files.path().to_string_lossy().into_owned(), "file"),
        (write("empty", &[]), "malformed"),
        (write("foreign", b"\x89PNG\r\n\x1a\n0000"), "malformed"),
        (write("cut", &exported[..exported.len() / 2]), "malformed"),
        (write("long", &vec![0; FILE_BYTES_MAX + 1]), "malformed"),
        (write("own", &exported), "for-somebody-else"),
    ];
    for (file, kind) in &cases {
        let (code, found, detail) = refused(folder.path(), &["order", "receive", file]);
        assert_eq!((code, found.as_str()), (Some(1), *kind), "{file}: {detail}");
    }
    assert_eq!(household.verify().faults, Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_to_do() {
    type Spoils = fn(&Path);
    let cases: &[(&str, Spoils, &str)] = &[
        ("a text", |f| std::fs::write(f.join(DATABASE), "milk, eggs").unwrap(), "not a database"),
        ("a newer one", |f| sql(f, "PRAGMA user_version = 999"), "newer program"),
        ("another program's", |f| sql(f, "PRAGMA application_id = 7"), "not a household database"),
        ("a shop's", |f| put_shop(f), "not a household database"),
        ("a short one", |f| cut(&f.join(DATABASE)), "cut off"),
        ("an empty key", |f| std::fs::write(f.join(KEYS), []).unwrap(), "does not hold the keys"),
        ("half a key", |f| cut(&f.join(KEYS)), "does not hold the keys"),
        ("another device's key", |f| std::fs::write(f.join(KEYS), [9; 64]).unwrap(), "another"),
        ("a key for all", |f| open_to_all(&f.join(KEYS)), "chmod 600"),
    ];
    for (name, spoil, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        // Another process, so that nothing is still being closed while the folder is spoilt.
        assert!(kirana(folder.path(), &["init"]).status.success(), "{name}");
        empty_log(folder.path());
        spoil(folder.path());
        let (code, _, detail) = refused(folder.path(), &["order", "list"]);
        assert_eq!(code, Some(1), "{name}: {detail}");
        assert!(detail.contains(says), "{name}: {detail}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let (code, kind, detail) = refused(file.path(), &["init"]);
    assert_eq!((code, kind.as_str()), (Some(1), "folder"), "{detail}");
}

#[test]
fn p7_on_a_full_disk_nothing_is_half_done_and_it_works_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::at(folder.path()) else {
        eprintln!("skipped: only root can make a small disk");
        return;
    };
    let home = folder.path().join("home");
    drop(set_up(&home));
    let filler = folder.path().join("filler");
    let mut bytes = 8 * 1024 * 1024;
    let mut file = std::fs::File::create(&filler).unwrap();
    while bytes > 0 {
        match std::io::Write::write(&mut file, &vec![1; bytes.min(4096)]) {
            Ok(written) => bytes -= written,
            Err(_) => break,
        }
    }
    let name = "festival ".repeat(50);
    let done = kirana(&home, &["--json", "cart", "new", &name]);
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stdout));
    let problem = json(&done.stderr);
    assert!(problem["detail"].as_str().unwrap().contains("disk is full"), "{problem}");
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    assert!(kirana(&home, &["verify"]).status.success());
    let done = kirana(&home, &["cart", "new", &name]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

fn sql(folder: &Path, text: &str) {
    Connection::open(folder.join(DATABASE)).unwrap().execute_batch(text).unwrap();
}

fn put_shop(folder: &Path) {
    let path = folder.join(DATABASE);
    std::fs::remove_file(&path).unwrap();
    drop(Database::open(Schema::Shop, Location::File(path)).unwrap());
}

fn cut(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

/// Moves what stands in the log into the database: a file that its log completes is not cut off.
fn empty_log(folder: &Path) {
    let connection = Connection::open(folder.join(DATABASE)).unwrap();
    let emptied = "PRAGMA wal_checkpoint(TRUNCATE)";
    assert_eq!(connection.query_row(emptied, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

fn open_to_all(file: &Path) {
    std::fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
}

/// A disk of four mebibytes, which is unmounted when the test ends, however it ends.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn at(folder: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder);
        mount.output().is_ok_and(|done| done.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}
