//! Runs PostgreSQL, prints the URL of its database, and lets go when standard input closes, which it does
//! even when the process that holds the other end is killed. For test runs, scripts, and experiments.
//!
//! ```text
//! managed-postgres DATA_DIR       on this folder, which it creates and keeps
//! managed-postgres --temporary    on a new folder, which it removes at the end
//! ```

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use managed_postgres::Cluster;

const USAGE: &str = "usage: managed-postgres DATA_DIR | --temporary
Runs PostgreSQL until standard input closes, and prints the URL of its database.";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let result = match (arguments.next(), arguments.next()) {
        (Some(flag), None) if flag == OsStr::new("--temporary") => hold_temporary(),
        (Some(data_dir), None) if !data_dir.as_encoded_bytes().starts_with(b"-") => {
            hold(Path::new(&data_dir))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("managed-postgres: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hold_temporary() -> Result<(), Box<dyn std::error::Error>> {
    // Not `tempfile`: its folders are closed to the user that PostgreSQL runs as.
    let data_dir = std::env::temp_dir().join(format!("leadlog-postgres-{}", std::process::id()));
    let result = hold(&data_dir);
    std::fs::remove_dir_all(&data_dir)?;
    result
}

fn hold(data_dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::start(data_dir)?;
    let mut out = io::stdout();
    writeln!(out, "{}", cluster.url())?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    cluster.release()?;
    Ok(())
}
