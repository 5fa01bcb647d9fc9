//! Runs the real programs: servers that stay, commands that end.
//!
//! **Invariant:** a signal is only ever sent to a child that this process started and still holds.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::wait::PATIENCE;

/// A server that said it is ready.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    pub ready: Ready,
}

/// The line that a server prints when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Where its HTTP door is.
    pub http: String,
    /// Where other programs reach it.
    #[serde(default)]
    pub p2p: Vec<String>,
}

impl Server {
    /// Starts a server and waits for its ready line; what it logs goes to `log`.
    ///
    /// # Errors
    /// When it ends or stays silent; the error holds the end of its log.
    pub async fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let logged = std::fs::File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(logged)
            // Ctrl-C reaches this process alone, which then ends its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        let stdout = child.stdout.take().context("the child has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .with_context(|| format!("{name} did not get ready\n{}", tail(log)))??
            .with_context(|| format!("{name} ended at once\n{}", tail(log)))?;
        // The rest is read and dropped, so that the child never waits for a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let ready = serde_json::from_str(&line)
            .with_context(|| format!("{name} printed {line:?} instead of its ready line"))?;
        Ok(Self { name: name.to_owned(), child, ready })
    }

    /// Pulls the plug: SIGKILL, no goodbye.
    ///
    /// # Errors
    /// When the child is gone already.
    pub async fn pull_the_plug(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("{} was gone already", self.name))
    }

    /// Ends it as a person would, by SIGTERM, and holds it to ending cleanly.
    ///
    /// # Errors
    /// When it does not end, or not with exit code 0.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().with_context(|| format!("{} was gone already", self.name))?;
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()])
            .status()
            .await?;
        if !sent.success() {
            bail!("{} could not be told to end", self.name);
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .with_context(|| format!("{} did not end after SIGTERM", self.name))??;
        if !ended.success() {
            bail!("{} ended with {ended} after SIGTERM", self.name);
        }
        Ok(())
    }

    /// How much memory it holds, in KiB, where the system tells.
    pub fn memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

/// What a command left behind when it ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Its results, where it printed JSON.
    pub result: Value,
    /// What it complained about.
    pub complaint: String,
}

/// Runs a command to its end, whatever that end is.
///
/// # Errors
/// When it could not be started or did not end.
pub async fn attempt(command: &mut Command) -> anyhow::Result<Ended> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .with_context(|| format!("{shown} did not end"))?
        .with_context(|| format!("{shown} could not be started"))?;
    Ok(Ended {
        status: output.status,
        result: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Runs a command that must succeed and hands over its results.
///
/// # Errors
/// When it ends with anything but 0.
pub async fn run(command: &mut Command) -> anyhow::Result<Value> {
    let ended = attempt(command).await?;
    if !ended.status.success() {
        bail!("{} ended with {}: {}", shown(command), ended.status, ended.complaint);
    }
    Ok(ended.result)
}

/// A command with a program's path.
pub fn command(program: &PathBuf) -> Command {
    let mut command = Command::new(program);
    // A neighbour's settings do not belong into this neighbourhood.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KIRANA_") {
            command.env_remove(name);
        }
    }
    command
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let arguments = command.get_args().map(|part| part.to_string_lossy().into_owned());
    let words: Vec<String> =
        std::iter::once(program.to_string_lossy().into_owned()).chain(arguments).collect();
    format!("`{}`", words.join(" "))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(LOG_LINES_SHOWN).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

const LOG_LINES_SHOWN: usize = 15;
