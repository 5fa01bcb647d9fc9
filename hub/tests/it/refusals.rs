//! What the program says when it does not start or does not do what it is told: one table.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use kirana_core::{
    id::AccountId,
    time::UnixMs,
    vault::{self, Cost},
};
use kirana_hub::clock;
use kirana_migrations::rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::Running;

/// Runs the program as it is, and once more with `--json`: each time it has to refuse with the exit
/// code, name what is wrong and what to do on stderr, and leave every file as it was.
struct Refusal<'a> {
    what: &'a str,
    line: Vec<String>,
    environment: Vec<(&'a str, String)>,
    code: i32,
    says: &'a [&'a str],
}

fn refusal<'a>(what: &'a str, line: &[&str], code: i32, says: &'a [&'a str]) -> Refusal<'a> {
    let line = line.iter().map(|part| (*part).to_owned()).collect();
    Refusal { what, line, environment: Vec::new(), code, says }
}

impl<'a> Refusal<'a> {
    fn with(mut self, name: &'a str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    fn happens_in(&self, data: &Path) {
        let before = files(data);
        for json in [false, true] {
            let mut program = Command::new("timeout");
            program.args(["60", env!("CARGO_BIN_EXE_kirana-hub")]).args(&self.line);
            program.args(json.then_some("--json")).stdin(Stdio::null());
            program.env_remove("KIRANA_PASSPHRASE").envs(self.environment.iter().cloned());
            let output = program.output().expect("it runs");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = self.what;
            assert_eq!(output.status.code(), Some(self.code), "{what}: {error}");
            assert!(!error.contains("panicked"), "{what}: {error}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{what}");
            let said = match json {
                true => problem(&error),
                false => error,
            };
            for says in self.says {
                assert!(said.contains(says), "{what} should say {says:?}: {said}");
            }
            assert!(files(data) == before, "{what}: a file was changed");
        }
    }
}

/// The sentence of the problem document on the last line.
fn problem(error: &str) -> String {
    let line = error.lines().last().expect("a line");
    let problem: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {error}"));
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:")), "{problem}");
    problem["detail"].as_str().expect("a sentence").to_owned()
}

/// All files of a folder, but for the lock of `serve`, which is empty, and SQLite's passing ones.
fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(data) else { return BTreeMap::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let passing = ["serve.lock", "hub.db-shm", "hub.db-wal"];
    let names = names.filter(|name| !passing.contains(&name.as_str()));
    names.map(|name| (name.clone(), std::fs::read(data.join(&name)).unwrap_or_default())).collect()
}

/// The folder of a hub that ran, in one piece.
fn left() -> TempDir {
    let data = Running::start(&[]).stop();
    let last = Connection::open(data.path().join("hub.db")).expect("it opens");
    let _ = last.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    data
}

fn serve<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let free: &[&str] = &["--p2p", "/ip4/127.0.0.1/tcp/0"];
    let free = if more.contains(&"--p2p") { &[] } else { free };
    [&["serve", "--data", data], free, more].concat()
}

fn path(data: &TempDir) -> String {
    data.path().to_string_lossy().into_owned()
}

#[test]
fn p8_a_database_that_is_foreign_newer_or_cut_is_refused_and_left_alone() {
    let sound = left();
    let whole = std::fs::read(sound.path().join("hub.db")).expect("read");
    let newer = |file: &Path| {
        std::fs::write(file, &whole).expect("written");
        let file = Connection::open(file).expect("it opens");
        file.pragma_update(None, "user_version", 99).expect("written");
    };
    let of_another_program = |file: &Path| {
        let file = Connection::open(file).expect("it opens");
        file.execute("CREATE TABLE photo (n INTEGER)", []).expect("written");
    };
    type Put<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Put, &[&str]); 5] = [
        (
            "no database",
            &|file| std::fs::write(file, "no database at all").expect("written"),
            &["hub.db", "not a database", "restore"],
        ),
        (
            "a cut one",
            &|file| std::fs::write(file, &whole[..whole.len() / 2]).expect("written"),
            &["hub.db", "cut off", "restore"],
        ),
        ("a newer one", &newer, &["version 99", "newer program"]),
        ("another program's", &of_another_program, &["hub.db", "another data folder"]),
        (
            "a folder",
            &|file| std::fs::create_dir(file).expect("made"),
            &["hub.db", "not a database"],
        ),
    ];
    for (what, put, says) in cases {
        let data = tempfile::tempdir().expect("a folder");
        std::fs::copy(sound.path().join("hub.key"), data.path().join("hub.key")).expect("copied");
        put(&data.path().join("hub.db"));
        let name = path(&data);
        refusal(what, &serve(&name, &[]), 1, says).happens_in(data.path());
        let migrate = ["migrate", "--data", &name];
        refusal(what, &migrate, 1, says).happens_in(data.path());
    }
}

#[test]
fn a_garbled_list_of_erased_accounts_is_refused_by_its_line() {
    let data = left();
    let name = path(&data);
    let garbled = format!("{}\nnobody\n", AccountId::new(UnixMs::new(1), [1; 10]));
    std::fs::write(data.path().join("erased.txt"), garbled).expect("written");
    refusal("garbled", &serve(&name, &[]), 1, &["erased.txt", "line 2"]).happens_in(data.path());
}

#[test]
fn a_key_that_is_open_to_others_missing_or_locked_is_refused() {
    let data = left();
    let (name, key) = (path(&data), data.path().join("hub.key"));
    let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode));
    mode(0o644).expect("set");
    refusal("open to others", &serve(&name, &[]), 1, &["hub.key", "chmod 600"])
        .happens_in(data.path());
    mode(0o600).expect("set");
    let aside = data.path().join("aside");
    std::fs::rename(&key, &aside).expect("moved");
    refusal("missing", &serve(&name, &[]), 1, &["hub.key", "missing", "restore"])
        .happens_in(data.path());
    std::fs::rename(&aside, &key).expect("moved");

    let locked = tempfile::tempdir().expect("a folder");
    let name = path(&locked);
    let box_of_32 = vault::lock(&[7; 32], "four plain words here", Cost::LOWEST, &mut clock::rng());
    let key = locked.path().join("hub.key");
    std::fs::write(&key, box_of_32).expect("written");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("set");
    for name in ["hub.db", "heads.log"] {
        std::fs::copy(data.path().join(name), locked.path().join(name)).expect("copied");
    }
    refusal("no passphrase", &serve(&name, &[]), 1, &["hub.key", "KIRANA_PASSPHRASE"])
        .happens_in(locked.path());
    refusal("another passphrase", &serve(&name, &[]), 1, &["hub.key", "passphrase is wrong"])
        .with("KIRANA_PASSPHRASE", "four other words")
        .happens_in(locked.path());
}

#[test]
fn addresses_that_are_taken_and_a_folder_that_is_served_are_refused() {
    let data = left();
    let name = path(&data);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let (http, p2p) = (address.to_string(), format!("/ip4/127.0.0.1/tcp/{}", address.port()));
    refusal("HTTP", &serve(&name, &["--http", &http]), 1, &["cannot listen", &http, "--http"])
        .happens_in(data.path());
    refusal("nodes", &serve(&name, &["--p2p", &p2p]), 1, &["cannot listen", &p2p, "another"])
        .happens_in(data.path());
    let running = Running::start_in(data, &[]);
    let line = serve(&name, &[]);
    let twice = refusal("twice", &line, 1, &["already", "another folder"]);
    // The running one goes on writing, so its files are not compared.
    twice.happens_in(Path::new("/nowhere"));
    drop(running);
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let outside = tempfile::tempdir().expect("a folder");
    let file = outside.path().join("a-file");
    std::fs::write(&file, "text").expect("written");
    let below = file.join("data").to_string_lossy().into_owned();
    refusal("below a file", &serve(&below, &[]), 1, &[&below, "cannot be used"])
        .happens_in(outside.path());
    let missing = outside.path().join("missing").to_string_lossy().into_owned();
    for line in [["migrate", "--data", &missing], ["identity", "--data", &missing]] {
        refusal("no hub", &line, 2, &[&missing, "kirana-hub serve"]).happens_in(outside.path());
    }
    assert!(!Path::new(&missing).exists(), "asking makes no folder");
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    let closed = data.path().join("closed");
    std::fs::create_dir(&closed).expect("made");
    for (path, mode) in [(data.path(), 0o755), (closed.as_path(), 0o555)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-hub"));
    program.args(["serve", "--p2p", "/ip4/127.0.0.1/tcp/0", "--data"]).arg(&closed);
    // Root may write everywhere, so that somebody else has to try.
    let is_root = std::fs::write(closed.join("try"), "").is_ok();
    let _ = std::fs::remove_file(closed.join("try"));
    if is_root {
        program.uid(NOBODY);
    }
    let Ok(output) = program.output() else {
        eprintln!("skipped: nobody else may run this program here");
        return;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("closed") && error.contains("cannot be used"), "{error}");
}

const NOBODY: u32 = 65_534;

#[test]
fn settings_and_usage_are_refused_with_exit_code_two() {
    let data = tempfile::tempdir().expect("a folder");
    let (name, config) = (path(&data), data.path().join("hub.toml"));
    let config = config.to_string_lossy().into_owned();
    let in_file = serve(&name, &["--config", &config]);
    let cases: [(&str, &str, &[&str]); 5] = [
        ("an unknown key", "no-such-key = 1\n", &["hub.toml", "no-such-key"]),
        ("a wrong type", "auto-approve = \"perhaps\"\n", &["hub.toml", "auto-approve", "bool"]),
        ("no address", "http = \"everywhere\"\n", &["hub.toml", "http"]),
        ("no role", "role = \"emperor\"\n", &["hub.toml", "emperor", "community"]),
        ("no TOML", "{ \"http\": 1 }", &["hub.toml"]),
    ];
    for (what, text, says) in cases {
        std::fs::write(&config, text).expect("written");
        refusal(what, &in_file, 2, says).happens_in(data.path());
    }
    std::fs::remove_file(&config).expect("removed");
    refusal("no file", &in_file, 2, &["hub.toml", "No such file"]).happens_in(data.path());
    let plain = serve(&name, &["--http", "0.0.0.0:0"]);
    refusal("plain to all", &plain, 2, &["--behind-tls", "127.0.0.1"]).happens_in(data.path());
    let url = serve(&name, &["--public-url", "hub.example.org"]);
    refusal("no URL", &url, 2, &["--public-url", "https://"]).happens_in(data.path());
    let p2p = serve(&name, &["--p2p", "4001"]);
    refusal("no multiaddr", &p2p, 2, &["--p2p", "/ip4/"]).happens_in(data.path());
    refusal("an unknown flag", &["serve", "--dta", &name], 2, &["--dta"]).happens_in(data.path());
    refusal("no command", &["sreve"], 2, &["sreve", "serve"]).happens_in(data.path());
}

#[test]
fn backups_that_cannot_be_used_change_nothing() {
    let (data, files) = (left(), tempfile::tempdir().expect("a folder"));
    let (name, backup) = (path(&data), files.path().join("whole"));
    let backup = backup.to_string_lossy().into_owned();
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-hub"));
    let made = program.args(["backup", &backup, "--data", &name, "--json"]).output();
    let made: Value = serde_json::from_slice(&made.expect("it runs").stdout).expect("JSON");
    let code = made["recovery_code"].as_str().expect("a code").to_owned();
    refusal("one is there", &["backup", &backup, "--data", &name], 1, &["whole", "cannot be used"])
        .happens_in(files.path());
    let whole = std::fs::read(&backup).expect("read");
    let fresh = files.path().join("fresh").to_string_lossy().into_owned();
    let put = |name: &str, bytes: &[u8]| {
        let file = files.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        file.to_string_lossy().into_owned()
    };
    let older = [&b"kirana hub bak 1"[..], &whole[16..]].concat();
    let cases: [(String, &[&str]); 4] = [
        (put("cut", &whole[..whole.len() / 2]), &["cut", "damaged"]),
        (put("foreign", b"PK\x03\x04"), &["foreign", "no backup"]),
        (put("older", &older), &["older", "another version"]),
        (put("empty", b""), &["empty", "no backup"]),
    ];
    for (file, says) in &cases {
        refusal(file, &["restore", file, "--data", &fresh], 1, says)
            .with("KIRANA_RECOVERY_CODE", &code)
            .happens_in(Path::new(&fresh));
    }
    let restore = ["restore", &backup, "--data", &fresh];
    let zeros = "0".repeat(56);
    refusal("another code", &restore, 1, &["recovery code"])
        .with("KIRANA_RECOVERY_CODE", &zeros)
        .happens_in(Path::new(&fresh));
    refusal("no code", &restore, 1, &["recovery code"])
        .with("KIRANA_RECOVERY_CODE", "guess")
        .happens_in(Path::new(&fresh));
    refusal("occupied", &["restore", &backup, "--data", &name], 1, &["empty folder"])
        .with("KIRANA_RECOVERY_CODE", &code)
        .happens_in(data.path());
}
