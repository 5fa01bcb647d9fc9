//! What the program says when it does not start or does not do what it is told, and what becomes of
//! product files that hold what they should not: tables.

use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
};

use kirana_migrations::rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Served, closed, init};

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
            let output = self.output(json);
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

    fn output(&self, json: bool) -> Output {
        let mut program = Command::new("timeout");
        program.args(["60", env!("CARGO_BIN_EXE_kirana-shop")]).args(&self.line);
        program.args(json.then_some("--json")).stdin(Stdio::null());
        program.env_remove("KIRANA_PASSPHRASE").envs(self.environment.iter().cloned());
        program.output().expect("it runs")
    }
}

/// The sentence of the problem document on the last line.
fn problem(error: &str) -> String {
    let line = error.lines().last().expect("a line");
    let problem: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {error}"));
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("urn:")), "{problem}");
    problem["title"].as_str().expect("a sentence").to_owned()
}

/// All files of a folder, but for the lock of `serve`, which is empty, and SQLite's passing ones.
fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(data) else { return BTreeMap::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let passing = ["serve.lock", "shop.db-shm", "shop.db-wal"];
    let names = names.filter(|name| !passing.contains(&name.as_str()));
    names.map(|name| (name.clone(), std::fs::read(data.join(&name)).unwrap_or_default())).collect()
}

/// A shop's folder, in one piece.
fn left() -> TempDir {
    let data = tempfile::tempdir().expect("a folder");
    init(data.path());
    closed(data.path());
    data
}

fn serve<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let free: &[&str] = &["--p2p", "/ip4/127.0.0.1/tcp/0"];
    let free = if more.contains(&"--p2p") { &[] } else { free };
    [&["serve", "--announce", "false", "--data", data], free, more].concat()
}

fn path(data: &TempDir) -> String {
    data.path().to_string_lossy().into_owned()
}

#[test]
fn p8_a_database_that_is_foreign_newer_or_cut_is_refused_and_left_alone() {
    let sound = left();
    let whole = std::fs::read(sound.path().join("shop.db")).expect("read");
    let newer = |file: &Path| {
        std::fs::write(file, &whole).expect("written");
        let file = Connection::open(file).expect("it opens");
        file.pragma_update(None, "user_version", 99).expect("written");
    };
    let of_another_program = |file: &Path| {
        std::fs::remove_file(file).expect("removed");
        let file = Connection::open(file).expect("it opens");
        file.execute("CREATE TABLE photo (n INTEGER)", []).expect("written");
    };
    type Put<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Put, &[&str]); 4] = [
        (
            "no database",
            &|file| std::fs::write(file, "no database at all").expect("written"),
            &["shop.db", "not a database", "restore"],
        ),
        (
            "a cut one",
            &|file| std::fs::write(file, &whole[..whole.len() / 2]).expect("written"),
            &["shop.db", "cut off", "restore"],
        ),
        ("a newer one", &newer, &["version 99", "newer program"]),
        ("another program's", &of_another_program, &["shop.db", "another data folder"]),
    ];
    for (what, put, says) in cases {
        let data = left();
        put(&data.path().join("shop.db"));
        let name = path(&data);
        refusal(what, &serve(&name, &[]), 1, says).happens_in(data.path());
        refusal(what, &["verify", "--data", &name], 1, says).happens_in(data.path());
    }
}

#[test]
fn keys_that_are_open_to_others_missing_damaged_or_locked_are_refused() {
    let data = left();
    let (name, key) = (path(&data), data.path().join("box.key"));
    let line = serve(&name, &[]);
    let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode));
    mode(0o640).expect("set");
    refusal("open to others", &line, 1, &["box.key", "chmod 600"]).happens_in(data.path());
    mode(0o600).expect("set");
    let whole = std::fs::read(&key).expect("read");
    std::fs::write(&key, b"text").expect("written");
    refusal("damaged", &line, 1, &["passphrase", "KIRANA_PASSPHRASE"]).happens_in(data.path());
    std::fs::remove_file(&key).expect("removed");
    refusal("missing", &line, 1, &["no shop here", "kirana-shop init"]).happens_in(data.path());
    std::fs::write(&key, whole).expect("written");

    let locked = tempfile::tempdir().expect("a folder");
    let name = path(&locked);
    let mut made = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    made.args(["init", "--data", &name]).env("KIRANA_PASSPHRASE", "four plain words here");
    assert!(made.output().expect("it runs").status.success());
    closed(locked.path());
    let line = serve(&name, &[]);
    refusal("no passphrase", &line, 1, &["KIRANA_PASSPHRASE"]).happens_in(locked.path());
    refusal("another passphrase", &line, 1, &["passphrase is wrong"])
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
    refusal("HTTP", &serve(&name, &["--http", &http]), 1, &["cannot listen", &http, "another"])
        .happens_in(data.path());
    refusal("nodes", &serve(&name, &["--p2p", &p2p]), 1, &["cannot listen", &p2p, "another"])
        .happens_in(data.path());
    let _running = Served::at(data.path());
    // The running one goes on writing, so its files are not compared.
    refusal("twice", &serve(&name, &[]), 1, &["already", "another folder"])
        .happens_in(Path::new("/nowhere"));
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let outside = tempfile::tempdir().expect("a folder");
    let file = outside.path().join("a-file");
    std::fs::write(&file, "text").expect("written");
    let below = file.join("data").to_string_lossy().into_owned();
    refusal("below a file", &["init", "--data", &below], 1, &[&below, "cannot be used"])
        .happens_in(outside.path());
    let missing = outside.path().join("missing").to_string_lossy().into_owned();
    for line in [serve(&missing, &[]), vec!["verify", "--data", &missing]] {
        refusal("no shop", &line, 1, &["no shop here", "kirana-shop init"])
            .happens_in(outside.path());
    }
    assert!(!Path::new(&missing).exists(), "asking makes no folder");
    let data = left();
    refusal("a second shop", &["init", "--data", &path(&data)], 1, &["a shop in", "already"])
        .happens_in(data.path());
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    let shut = data.path().join("shut");
    std::fs::create_dir(&shut).expect("made");
    for (path, mode) in [(data.path(), 0o755), (shut.as_path(), 0o555)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("set");
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    program.args(["init", "--data"]).arg(&shut);
    // Root may write everywhere, so that somebody else has to try.
    let is_root = std::fs::write(shut.join("try"), "").is_ok();
    let _ = std::fs::remove_file(shut.join("try"));
    if is_root {
        program.uid(NOBODY);
    }
    let Ok(output) = program.output() else {
        eprintln!("skipped: nobody else may run this program here");
        return;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("shut") && error.contains("cannot be used"), "{error}");
}

const NOBODY: u32 = 65_534;

#[test]
fn settings_and_usage_are_refused_with_exit_code_two() {
    let (data, aside) = (left(), tempfile::tempdir().expect("a folder"));
    let (name, config) = (path(&data), aside.path().join("shop.toml"));
    let config = config.to_string_lossy().into_owned();
    let in_file = serve(&name, &["--config", &config]);
    let cases: [(&str, &str, &[&str]); 4] = [
        ("an unknown key", "no-such-key = 1\n", &["shop.toml", "no-such-key"]),
        ("a wrong type", "announce = \"perhaps\"\n", &["shop.toml", "announce", "bool"]),
        ("no address", "http = \"everywhere\"\n", &["shop.toml", "http"]),
        ("no TOML", "{ \"http\": 1 }", &["shop.toml"]),
    ];
    for (what, text, says) in cases {
        std::fs::write(&config, text).expect("written");
        refusal(what, &in_file, 2, says).happens_in(data.path());
    }
    std::fs::remove_file(&config).expect("removed");
    refusal("no file", &in_file, 2, &["shop.toml", "No such file"]).happens_in(data.path());
    let url = serve(&name, &["--public-url", "shop.example.org"]);
    refusal("no URL", &url, 2, &["--public-url", "http://"]).happens_in(data.path());
    let p2p = serve(&name, &["--p2p", "4001"]);
    refusal("no multiaddr", &p2p, 2, &["4001", "/ip4/"]).happens_in(data.path());
    refusal("an unknown flag", &["serve", "--dta", &name], 2, &["--dta"]).happens_in(data.path());
    refusal("no command", &["sreve"], 2, &["sreve", "serve"]).happens_in(data.path());
}

/// How many products there are, and all that is known of them in one string of bytes.
fn shelf(data: &Path) -> (usize, Vec<u8>) {
    let database = Connection::open(data.join("shop.db")).expect("it opens");
    let mut products = database.prepare("SELECT value FROM product_value").expect("SQL");
    let rows = products.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    let products: Vec<Vec<u8>> = rows.collect::<Result<_, _>>().expect("products");
    (products.len(), products.concat())
}

fn import(data: &Path, file: &Path) -> (Option<i32>, Value, String) {
    let mut program = Command::new("timeout");
    program.args(["60", env!("CARGO_BIN_EXE_kirana-shop"), "import", "--json", "--data"]);
    let output = program.arg(data).arg(file).stdin(Stdio::null()).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked"), "{error}");
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), report, error)
}

#[test]
fn a_file_that_is_no_table_is_refused_whole() {
    let (data, files) = (left(), tempfile::tempdir().expect("a folder"));
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let zip = [&b"PK\x03\x04\x14\x00\x06\x00\x08\x00"[..], &[0; 300]].concat();
    let marked_but_cut = [&[0xff, 0xfe][..], &utf16("name,price\nRice,10\n")[..33]].concat();
    let cases: [(&str, Vec<u8>, &[&str]); 6] = [
        ("empty", Vec::new(), &["empty"]),
        ("a zip", zip, &["this is a zip archive, not a CSV", "save it as CSV"]),
        ("UTF-16 without its mark", utf16("name,price\nRice,10\n"), &["save it as CSV in UTF-8"]),
        ("UTF-16 that was cut", marked_but_cut, &["damaged"]),
        ("no name", b"barcode,cost\n1,2\n".to_vec(), &["no column holds the name", "map"]),
        ("NUL bytes alone", vec![0; 4096], &["no table of text"]),
    ];
    let name = path(&data);
    for (what, bytes, says) in cases {
        let file = files.path().join("products.csv");
        std::fs::write(&file, bytes).expect("written");
        let file = file.to_string_lossy().into_owned();
        refusal(what, &["import", &file, "--data", &name], 1, says).happens_in(data.path());
        assert_eq!(shelf(data.path()).0, 0, "{what}");
    }
    let missing = files.path().join("missing.csv").to_string_lossy().into_owned();
    let line = ["import", &missing, "--data", &name];
    refusal("no file", &line, 1, &["missing.csv", "cannot be read"]).happens_in(data.path());
    let line = ["import", &missing, "--format", "xls", "--data", &name];
    refusal("no format", &line, 2, &["xls", "csv"]).happens_in(data.path());
}

#[test]
fn a_file_past_the_limit_is_refused_by_its_size_alone() {
    let (data, files) = (left(), tempfile::tempdir().expect("a folder"));
    let file = files.path().join("products.csv");
    // It takes no room on the disk.
    let sparse = File::create(&file).expect("made");
    sparse.set_len(2 * 1024 * 1024 + 1).expect("grown");
    let file = file.to_string_lossy().into_owned();
    let line = ["import", &file, "--mib-max", "2", "--data", &path(&data)];
    refusal("too long", &line, 1, &["2097152 bytes", "split it"]).happens_in(data.path());
}

#[test]
fn a_line_with_a_cell_that_cannot_be_is_left_out_and_named() {
    let long = "x".repeat(301);
    let cases: [(&str, String, &str); 8] = [
        ("a name of 301 characters", format!("{long},10,"), "name-too-long"),
        ("a price below zero", "Rice,-1,".to_owned(), "price-negative"),
        ("a third decimal", "Rice,1.005,".to_owned(), "price-decimals"),
        ("an exponent", "Rice,1e3,".to_owned(), "price"),
        ("no number", "Rice,ten,".to_owned(), "price"),
        ("no name", ",10,".to_owned(), "name"),
        ("a NUL", "Ri\0ce,10,".to_owned(), "nul"),
        ("too few cells", "Rice".to_owned(), "columns"),
    ];
    for (what, line, code) in cases {
        let (data, files) = (left(), tempfile::tempdir().expect("a folder"));
        let file = files.path().join("products.csv");
        std::fs::write(&file, format!("name,price,gtin\n{line}\nDal,12.50,\n")).expect("written");
        let (exit, report, error) = import(data.path(), &file);
        assert_eq!(exit, Some(3), "{what}: {report} {error}");
        assert_eq!(report["refused"][0]["line"], 2, "{what}: {report}");
        assert_eq!(report["refused"][0]["code"], code, "{what}: {report}");
        assert_eq!((report["products_added"].as_u64(), shelf(data.path()).0), (Some(1), 1));
        // A file of such lines only changes nothing.
        let alone = left();
        std::fs::write(&file, format!("name,price,gtin\n{line}\n")).expect("written");
        assert_eq!(import(alone.path(), &file).0, Some(1), "{what}");
        assert_eq!(shelf(alone.path()).0, 0, "{what}");
    }
}

#[test]
fn what_is_odd_but_plain_text_is_taken_as_it_stands() {
    let utf16 = "name,price\nCrème,10\n".encode_utf16().flat_map(u16::to_le_bytes);
    let utf16 = [0xff, 0xfe].into_iter().chain(utf16).collect();
    let cases: [(&str, Vec<u8>, &str, Option<&str>); 5] = [
        ("UTF-16 with its mark", utf16, "Crème", None),
        ("Windows-1252", b"name,price\nCr\xe8me,10\n".to_vec(), "Crème", Some("encoding")),
        (
            "markup",
            b"name,price\n<script>alert(1)</script>,10\n".to_vec(),
            "<script>alert(1)</script>",
            None,
        ),
        ("a formula", b"name,price\n=cmd(),10\n".to_vec(), "=cmd()", None),
        (
            "a barcode with a wrong digit",
            b"name,price,gtin\nRice,10,4006381333932\n".to_vec(),
            "Rice",
            Some("gtin"),
        ),
    ];
    for (what, bytes, name, warned) in cases {
        let (data, files) = (left(), tempfile::tempdir().expect("a folder"));
        let file = files.path().join("products.csv");
        std::fs::write(&file, bytes).expect("written");
        let (exit, report, error) = import(data.path(), &file);
        assert_eq!(exit, Some(0), "{what}: {report} {error}");
        let (count, known) = shelf(data.path());
        let is_there = known.windows(name.len()).any(|part| part == name.as_bytes());
        assert!(count == 1 && is_there, "{what}: {report}");
        assert_eq!(report["warnings"][0]["code"].as_str(), warned, "{what}: {report}");
    }
}
