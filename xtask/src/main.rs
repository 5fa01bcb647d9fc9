//! `cargo xtask …`: everything a developer or a machine does with this repository, one command each.

use clap::Parser;
use kirana_xtask::Xtask;

fn main() -> anyhow::Result<std::process::ExitCode> {
    Xtask::parse().run()
}
