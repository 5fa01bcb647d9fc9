//! `kirana-shop`: one shop's server and its tools.

use std::process::ExitCode;

use clap::Parser;
use kirana_shop::cli::{self, Cli};

fn main() -> ExitCode {
    let given = match Cli::try_parse() {
        Ok(given) => given,
        Err(usage) => {
            // Help goes to stdout and is no failure; the rest is usage.
            let code = if usage.use_stderr() { 2 } else { 0 };
            let _ = usage.print();
            return ExitCode::from(code);
        }
    };
    cli::run(given)
}
