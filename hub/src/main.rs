//! `kirana-hub`: see [`kirana_hub::cli`].
use std::process::ExitCode;

fn main() -> ExitCode {
    kirana_hub::cli::run()
}
