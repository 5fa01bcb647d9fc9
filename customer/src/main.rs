//! `kirana`: one household's command line.

fn main() -> std::process::ExitCode {
    kirana_customer::cli::run()
}
