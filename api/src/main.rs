//! `leadlog`, the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    leadlog::cli::run()
}
