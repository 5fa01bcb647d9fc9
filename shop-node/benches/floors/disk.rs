//! Where the databases lie while they are measured: on a disk, never in memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A folder for the databases of floor and shop alike; it goes away when this is dropped.
pub struct Disk {
    folder: tempfile::TempDir,
    kind: String,
}

impl Disk {
    /// Makes a folder beside what was built.
    ///
    /// # Errors
    /// When that lies in memory, where a sync costs nothing.
    pub fn beside_the_build() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mounts = std::fs::read_to_string("/proc/mounts").context("no list of disks")?;
        let path = folder.path().canonicalize()?;
        let kind = kind_of(&mounts, &path).context("the folder lies on no disk")?.to_owned();
        ensure!(
            !IN_MEMORY.contains(&kind.as_str()),
            "{} lies in memory ({kind}): set CARGO_TARGET_DIR to a folder on a disk",
            path.display()
        );
        Ok(Self { folder, kind })
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What kind of file system it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// The kind of the file system that holds a path: the last of the longest mounts above it.
fn kind_of<'m>(mounts: &'m str, path: &Path) -> Option<&'m str> {
    let mount = |line: &'m str| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    };
    let above = mounts.lines().filter_map(mount).filter(|(at, _)| path.starts_with(at));
    above.max_by_key(|(at, _)| at.components().count()).map(|(_, kind)| kind)
}
