//! Reads every file of the repository and holds it to the house rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The longest source file, in lines.
const LINES_MAX: usize = 600;

/// The longest README, in lines.
const README_LINES_MAX: usize = 150;

#[test]
fn no_source_file_is_longer_than_six_hundred_lines() {
    complain(sources().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    }));
}

#[test]
fn no_file_or_folder_has_a_grab_bag_name() {
    let banned = ["util", "utils", "common", "helper", "helpers", "misc"];
    complain(files().into_iter().filter_map(|path| {
        let grab_bag = path.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or_default().to_lowercase();
            banned.contains(&stem.as_str())
        });
        grab_bag.then_some(path)
    }));
}

#[test]
fn nothing_is_marked_as_unfinished() {
    let marks = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ign", "ore"),
    ];
    complain(lines_with(sources(), |line| marks.iter().any(|mark| line.contains(mark))));
}

#[test]
fn every_rust_file_opens_with_its_purpose() {
    complain(rust().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let homes = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/wo", "rk/"),
    ];
    complain(lines_with(texts(), |line| homes.iter().any(|home| line.contains(home))));
}

#[test]
fn only_a_clock_stops_a_thread_to_let_time_pass() {
    let wait = concat!("thread::sl", "eep(");
    let elsewhere = rust().filter(|file| !file.path.ends_with("/clock.rs"));
    complain(lines_with(elsewhere, |line| line.contains(wait)));
}

#[test]
fn every_planted_bug_has_one_name_of_its_own() {
    let variants = planted_bugs();
    let named = kirana_core::planted::Bug::ALL;
    let names: BTreeSet<&str> = named.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), named.len(), "two bugs share a name");
    let listed: BTreeSet<String> = named.iter().map(|(_, bug)| format!("{bug:?}")).collect();
    assert_eq!(listed, variants, "the list of names and the bugs differ");
    for name in names {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
    }
}

#[test]
fn the_readme_is_short_and_names_both_commands() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= README_LINES_MAX, "README.md is too long");
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(readme.contains(command), "README.md does not say `{command}`");
    }
}

#[test]
fn the_documents_that_a_newcomer_looks_for_are_there() {
    let wanted =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deny.toml", ".ci/run"];
    complain(
        wanted
            .iter()
            .filter(|name| !root().join(name).is_file())
            .map(|name| format!("{name} is missing")),
    );
}

/// One text file of the repository.
struct File {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository")
        .to_path_buf()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths of all files, relative to the top, without what git or a build made.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().expect("listed by name").to_string_lossy().into_owned();
            if [".git", "target", "node_modules"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(root()).expect("walked from the top");
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every file that is text, except the lock file, which no person writes.
fn texts() -> impl Iterator<Item = File> {
    files().into_iter().filter(|path| path != "Cargo.lock").filter_map(|path| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(File { path, text })
    })
}

fn sources() -> impl Iterator<Item = File> {
    texts().filter(|file| {
        [".rs", ".ts", ".svelte", ".sql", ".sh"].iter().any(|ending| file.path.ends_with(ending))
    })
}

fn rust() -> impl Iterator<Item = File> {
    texts().filter(|file| file.path.ends_with(".rs"))
}

fn lines_with(
    files: impl Iterator<Item = File>,
    is_wrong: impl Fn(&str) -> bool,
) -> impl Iterator<Item = String> {
    let mut wrong = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if is_wrong(line) {
                wrong.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    wrong.into_iter()
}

fn complain(wrong: impl Iterator<Item = String>) {
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The names of the bugs as the enum spells them.
fn planted_bugs() -> BTreeSet<String> {
    let text = read("core/src/planted.rs");
    let (_, after) = text.split_once("pub enum Bug {").expect("the bugs are one enum");
    let (body, _) = after.split_once("\n}").expect("the enum ends");
    body.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.is_empty())
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}
