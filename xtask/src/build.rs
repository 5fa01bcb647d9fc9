//! Calls cargo for the other tasks, always in the repository's own folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// The repository's top folder.
pub fn root() -> PathBuf {
    let member = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    member.parent().map_or(member.clone(), Path::to_path_buf)
}

/// A cargo command: the same cargo that started this tool, in the repository.
pub fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root()).args(arguments).stdin(Stdio::null());
    command
}

/// Whether cargo has this subcommand on this machine.
pub fn has_subcommand(name: &str) -> bool {
    cargo([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Where the three programs lie after they were built in the development profile.
#[derive(Debug, Clone)]
pub struct Programs {
    pub hub: PathBuf,
    pub shop: PathBuf,
    pub household: PathBuf,
}

impl Programs {
    /// Builds them.
    ///
    /// The simulation stays out of this build: it turns on the planted bugs, and cargo would give
    /// them to every program that is built in the same breath.
    pub fn build() -> anyhow::Result<Self> {
        let built = cargo(["build", "--workspace", "--exclude", "kirana-sim", "--bins"])
            .status()
            .context("cargo could not be started")?;
        if !built.success() {
            bail!("the programs did not build; cargo says why above");
        }
        Ok(Self::within(&target_folder()?.join("debug")))
    }

    /// The programs in this folder.
    pub fn within(folder: &Path) -> Self {
        Self {
            hub: folder.join("kirana-hub"),
            shop: folder.join("kirana-shop"),
            household: folder.join("kirana"),
        }
    }
}

/// Where cargo puts what it builds.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    let output = cargo(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo could not be started")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo's description of the repository")?;
    let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(PathBuf::from(folder))
}
