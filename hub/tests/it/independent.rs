//! Programs that others wrote speak with the hub: npm's openid-client and jose, PyJWT, and
//! schemathesis.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    forged,
    program::{PASSWORD, Running, program, text},
};

const BACK: &str = "http://127.0.0.1:9/back";
const OPENID_CLIENT: &str = "openid-client@6.9.0";
const JOSE: &str = "jose@6.2.18";
const PYJWT: &str = "PyJWT[crypto]==2.15.1";
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// A folder in which a script finds its package; none where the registry cannot be reached.
struct Package {
    folder: TempDir,
}

impl Package {
    fn from_npm(package: &str) -> Option<Self> {
        let line = ["install", "--no-audit", "--no-fund", "--ignore-scripts", package];
        // A registry that does not answer is given up soon.
        let patience = ["--fetch-retries=1", "--fetch-timeout=20000"];
        Self::installed(Command::new("npm").args(line).args(patience), package)
    }

    fn from_pip(package: &str) -> Option<Self> {
        let patience = ["--retries", "1", "--timeout", "20"];
        let line = ["-m", "pip", "install", "--quiet", "--target", ".", package];
        Self::installed(Command::new("python3").args(line).args(patience), package)
    }

    fn installed(installer: &mut Command, package: &str) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        installer.current_dir(folder.path()).stdin(Stdio::null());
        match installer.output() {
            Ok(output) if output.status.success() => Some(Self { folder }),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                eprintln!("skipped: {package} could not be installed here: {why}");
                None
            }
            Err(error) => {
                eprintln!("skipped: there is no installer for {package} here: {error}");
                None
            }
        }
    }

    /// Runs a script and gives the JSON that it printed.
    fn run(&self, interpreter: &str, script: &str, arguments: &[&str]) -> Value {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/independent");
        let script = self.put(script, &std::fs::read(source.join(script)).expect("the script"));
        let mut run = Command::new(interpreter);
        run.arg(script).args(arguments).current_dir(self.folder.path());
        let output = run.env("KIRANA_PASSWORD", PASSWORD).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}"))
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Which of the tokens a script accepts, by their places.
    fn accepted(&self, interpreter: &str, script: &str, issuer: &str, tokens: &[String]) -> Value {
        let given = json!({ "issuer": issuer, "tokens": tokens }).to_string();
        let file = self.put("tokens.json", given.as_bytes());
        self.run(interpreter, script, &[&file.to_string_lossy()])
    }
}

#[tokio::test]
async fn std_04_06_openid_client_completes_code_with_pkce_from_the_issuer_alone() {
    let Some(package) = Package::from_npm(OPENID_CLIENT) else { return };
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let run = |line: &str| {
        let output = program(hub.data.path(), line).output().expect("it runs");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    run(&format!("client add --json --id app --redirect-uri {BACK}"));
    let service = run("client add --json --id service --confidential");
    let secret = text(&service, "client_secret");
    let told = package.run("node", "openid_client.mjs", &[&hub.url, BACK, secret]);
    assert_eq!(told["who"]["sub"], told["sub"], "{told}");
    assert_eq!(told["active"], json!([true, false]), "std_27: {told}");
}

#[tokio::test]
async fn std_04_jose_verifies_by_jwks_and_refuses_every_forged_token() {
    let Some(package) = Package::from_npm(JOSE) else { return };
    let hub = Running::start(&[]);
    let tokens = forged::with_the_genuine_first(&hub).await;
    let accepted = package.accepted("node", "verify.mjs", &hub.url, &tokens);
    assert_eq!(accepted, json!([0]));
}

#[tokio::test]
async fn std_04_pyjwt_verifies_by_jwks_and_refuses_every_forged_token() {
    let Some(package) = Package::from_pip(PYJWT) else { return };
    let hub = Running::start(&[]);
    let tokens = forged::with_the_genuine_first(&hub).await;
    let accepted = package.accepted("python3", "verify.py", &hub.url, &tokens);
    assert_eq!(accepted, json!([0]));
}

/// What would end the sign-in that all the other requests of the run come with.
const ENDS_THE_SIGN_IN: &str = "^(DELETE /v1/me|DELETE /v1/sessions.*|PUT /v1/me/(password|login)|\
                                POST /oauth/revoke|DELETE /v1/accounts/.id.)$";

/// Runs schemathesis with all its checks on each operation that the hub describes.
fn schemathesis(hub: &Running, package: &Package, token: Option<&str>) {
    let config = include_bytes!("independent/schemathesis.toml");
    let config = package.put("schemathesis.toml", config);
    let mut run = Command::new("python3");
    run.args(["-m", "schemathesis.cli", "--config-file"]).arg(config);
    run.args(["run", &format!("{}/openapi.json", hub.url), "--checks", "all"]);
    run.args(["--max-examples", "20", "--seed", "1", "--continue-on-failure"]);
    run.args(["--warnings", "off", "--no-color"]);
    if let Some(token) = token {
        run.args(["--header", &format!("Authorization: Bearer {token}")]);
        run.args(["--exclude-name-regex", ENDS_THE_SIGN_IN]);
    }
    let output = run.current_dir(package.folder.path()).env("PYTHONPATH", ".").output();
    let output = output.expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("generated"), "it tried something: {told}");
}

#[tokio::test]
async fn schemathesis_finds_nothing_as_a_stranger_as_a_customer_and_as_an_administrator() {
    let Some(package) = Package::from_pip(SCHEMATHESIS) else { return };
    let hub = Running::start(&["--sign-ins-per-minute", "1000000"]);
    schemathesis(&hub, &package, None);
    hub.register("asha").await;
    let customer = hub.sign_in("asha").await;
    schemathesis(&hub, &package, Some(text(&customer, "access_token")));
    let admin = hub.admin("admin@example.org").await;
    schemathesis(&hub, &package, Some(&admin.token));
}
