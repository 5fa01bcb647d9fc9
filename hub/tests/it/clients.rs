//! `kirana-hub client …` beside a running hub.

use serde_json::Value;

use crate::program::{Running, files, program, text};

/// Runs the program with `--json`, and tells whether it succeeded.
fn run(hub: &Running, line: &str) -> (bool, Value) {
    let output = program(hub.data.path(), &format!("{line} --json")).output().expect("it runs");
    let said = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), serde_json::from_slice(&said).expect("JSON"))
}

#[test]
fn a_client_is_added_listed_and_removed_and_its_secret_is_nowhere_in_the_folder() {
    let hub = Running::start(&[]);
    let (done, app) = run(&hub, "client add --id app --redirect-uri http://127.0.0.1:9/back");
    assert!(done && app["client_secret"].is_null(), "{app}");
    let (done, till) = run(&hub, "client add --id till --confidential");
    let secret = text(&till, "client_secret");
    assert!(done && secret.len() == 43, "{till}");
    let (again, problem) = run(&hub, "client add --id till --confidential");
    assert!(!again && text(&problem, "detail").contains("client remove"), "{problem}");
    let (_, list) = run(&hub, "client list");
    assert_eq!(list["items"][0]["redirect_uris"][0], "http://127.0.0.1:9/back", "{list}");
    assert_eq!(list["items"][1]["confidential"], true);
    assert!(!list.to_string().contains(secret));
    for path in files(hub.data.path()) {
        // SQLite's own passing files may be gone meanwhile.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds, "{}", path.display());
    }
    assert!(run(&hub, "client remove --id till").0);
    assert!(!run(&hub, "client remove --id till").0, "it is gone already");
}

#[test]
fn a_client_that_would_leak_codes_is_not_added() {
    let hub = Running::start(&[]);
    for (id, uri) in [
        ("app", "http://shop.example.org/back"),
        ("app", "https://shop.example.org/#part"),
        ("app", "javascript:alert(1)"),
        ("kirana", "https://shop.example.org/back"),
        ("<b>", "https://shop.example.org/back"),
    ] {
        let (done, problem) = run(&hub, &format!("client add --id {id} --redirect-uri {uri}"));
        assert!(!done, "{id} {uri}: {problem}");
    }
    assert!(!run(&hub, "client add --id app").0, "a code has to go somewhere");
}
