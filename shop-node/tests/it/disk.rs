//! Disks that fail, fill up or lose their power, under the real program.
//!
//! `strace` makes the system's calls fail on cue; without it these tests say so and are passed over.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use kirana_core::mail::Mail;
use serde_json::Value;

use crate::program::{Served, init, kirana, orders_of_guests};

/// The program, run so that calls of the system fail as `rule` says; nothing without `strace`.
fn failing(rule: &str) -> Option<Command> {
    let calls = rule.split(':').next().expect("a rule names its calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={rule}")]);
    let mut trial = Command::new("strace");
    trial.args(["-f", "-qq", "-o", "/dev/null", "true"]);
    let works = trial.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("passed over: strace is not installed here or may not trace");
        return None;
    }
    command.arg(env!("CARGO_BIN_EXE_kirana-shop"));
    Some(command)
}

/// What `kirana-shop verify` says: its exit code and the number of orders.
fn verified(data: &Path) -> (Option<i32>, u64) {
    let done = kirana(&["verify"], data);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| {
        panic!("verify said no JSON: {}", String::from_utf8_lossy(&done.stderr))
    });
    assert_eq!(found["faults"], serde_json::json!([]));
    (done.status.code(), found["orders"].as_u64().expect("a number"))
}

/// Every customer sends again until it hears: each order is there once.
fn all_are_taken_in(data: &Path, mails: &[Mail]) {
    let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let served = Served::run(program, data, Stdio::null()).expect("it opens again");
    for mail in mails {
        assert_eq!(served.deliver(mail), Some(200));
    }
    drop(served);
    assert_eq!(verified(data), (Some(0), mails.len() as u64));
}

#[test]
fn p7_after_a_failed_sync_nothing_more_is_acknowledged_and_nothing_acknowledged_is_lost() {
    for first_failing in [1, 5] {
        let rule = format!("fdatasync,fsync:error=EIO:when={first_failing}+");
        let Some(command) = failing(&rule) else { return };
        let folder = tempfile::tempdir().unwrap();
        let (data, log) = (folder.path().join("shop"), folder.path().join("stderr"));
        init(&data);
        let mails = orders_of_guests(&data, 1, 12);
        let served = Served::run(command, &data, File::create(&log).unwrap().into());
        let mut served = served.expect("opening syncs nothing on the writer's thread");
        let answers: Vec<_> = mails.iter().map(|mail| served.deliver(mail)).collect();
        let acknowledged = answers.iter().take_while(|answer| **answer == Some(200)).count();
        assert!(acknowledged < mails.len(), "{answers:?}");
        assert!(answers[acknowledged..].iter().all(|a| *a != Some(200)), "{answers:?}");
        assert_eq!(served.child.wait().unwrap().code(), Some(4), "{answers:?}");
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.contains("the disk failed"), "{said}");

        let before = fs::metadata(data.join("shop.db")).unwrap().ino();
        assert!(data.join("shop.suspect").exists());
        let (code, orders) = verified(&data);
        assert!(code == Some(0) && orders >= acknowledged as u64, "{orders} of {acknowledged}");
        assert_ne!(fs::metadata(data.join("shop.db")).unwrap().ino(), before, "a fresh file");
        assert!(!data.join("shop.suspect").exists());
        all_are_taken_in(&data, &mails);
    }
}

#[test]
fn p7_killed_at_any_write_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let mails = orders_of_guests(folder.path(), 3, 18);
    let (mut waiting, mut acknowledged) = (mails.iter(), 0);
    for write in [9, 33, 61, 97, 140, 211, 280] {
        let rule = format!("pwrite64:signal=KILL:when={write}");
        let Some(command) = failing(&rule) else { return };
        let Some(served) = Served::run(command, folder.path(), Stdio::null()) else { continue };
        for mail in waiting.by_ref() {
            match served.deliver(mail) {
                Some(200) => acknowledged += 1,
                _ => break,
            }
        }
        drop(served);
        let (code, orders) = verified(folder.path());
        assert!(code == Some(0) && orders >= acknowledged, "{orders} of {acknowledged}");
        eprintln!("killed at write {write}: {acknowledged} acknowledged, {orders} there");
    }
    assert!(acknowledged > 0 && waiting.next().is_some(), "each round was killed at work");
    all_are_taken_in(folder.path(), &mails);
}

/// Delivers until the disk is full, makes room, and delivers again.
fn fills_up(served: &Served, mails: &[Mail], make_room: impl FnOnce()) -> usize {
    let refused = mails.iter().position(|mail| served.deliver(mail) != Some(200));
    let refused = refused.expect("the disk fills up");
    let body = kirana_core::cbor::to_vec(&mails[refused]);
    let (status, kind, body) =
        served.ask("POST", "/v1/mail", "application/cbor", &body).expect("an answer");
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, kind.as_str()), (507, "application/problem+json"), "{problem}");
    assert_eq!(problem["type"], "urn:kirana:disk-full");
    assert_eq!(served.ask("GET", "/readyz", "", b"").expect("an answer").0, 503);
    make_room();
    // Where a rule ends by its count, the first attempts still meet the full disk.
    let heals = (0..50).any(|_| served.deliver(&mails[refused]) == Some(200));
    assert!(heals, "it goes on once there is room");
    assert_eq!(served.ask("GET", "/readyz", "", b"").expect("an answer").0, 200);
    refused
}

#[test]
fn p7_on_a_full_disk_orders_are_refused_whole_until_there_is_room() {
    let Some(command) = failing("pwrite64:error=ENOSPC:when=12..20") else { return };
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let mails = orders_of_guests(folder.path(), 1, 18);
    let served = Served::run(command, folder.path(), Stdio::null()).expect("it opens");
    let taken = fills_up(&served, &mails, || {}) as u64 + 1;
    drop(served);
    assert_eq!(verified(folder.path()), (Some(0), taken));
    all_are_taken_in(folder.path(), &mails);
}

/// A small disk of its own, which goes with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "kirana-test"]);
        let mounted = mount.arg(folder.path()).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("passed over: only root mounts a small disk");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn p7_a_real_disk_that_is_full_loses_nothing_and_is_healed_by_room() {
    let Some(disk) = SmallDisk::of("6m") else { return };
    let data = disk.0.path().join("shop");
    init(&data);
    let mails = orders_of_guests(&data, 3, 18);
    let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let served = Served::run(program, &data, Stdio::null()).expect("it opens");
    let ballast = disk.0.path().join("ballast");
    let mut left = 6 * 1024 * 1024;
    while left > 4096 && fs::write(&ballast, vec![1; left]).is_err() {
        left -= 64 * 1024;
    }
    // Room for a few orders.
    let room = left.saturating_sub(256 * 1024) as u64;
    File::options().write(true).open(&ballast).unwrap().set_len(room).unwrap();
    let taken = fills_up(&served, &mails, || fs::remove_file(&ballast).unwrap()) as u64 + 1;
    drop(served);
    assert_eq!(verified(&data), (Some(0), taken));
    all_are_taken_in(&data, &mails);
}

#[test]
fn p7_a_disk_too_full_for_the_copy_after_a_failed_sync_is_said_to_be_full() {
    let Some(disk) = SmallDisk::of("6m") else { return };
    let data = disk.0.path().join("shop");
    init(&data);
    fs::write(data.join("shop.suspect"), "a commit failed").unwrap();
    let ballast = disk.0.path().join("ballast");
    let mut left = 6 * 1024 * 1024;
    while left > 4096 && fs::write(&ballast, vec![1; left]).is_err() {
        left -= 16 * 1024;
    }
    let refused = kirana(&["serve"], &data);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("disk is full"), "{said}");
    assert!(data.join("shop.suspect").exists(), "it is tried again");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(verified(&data), (Some(0), 0));
    assert!(!data.join("shop.suspect").exists());
}
