//! `kirana-shop`: one shop's server and its tools.

use std::process::ExitCode;

use clap::Parser;
use kirana_shop::cli::{self, Cli};

fn main() -> ExitCode {
    let given = match Cli::try_parse() {
        Ok(given) => given,
        Err(usage) => return cli::refused(&usage),
    };
    cli::run(given)
}
