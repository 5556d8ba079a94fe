//! The end of PostgreSQL's log, for error messages.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What `pg_ctl` and PostgreSQL say before the log collector runs. Only the last start's.
pub(crate) const STARTUP_LOG: &str = "startup.log";

const TAIL_LINES: usize = 15;
const TAIL_BYTES: u64 = 8 * 1024;

/// The file that was written last and its last lines.
pub(crate) fn tail(log_dir: &Path) -> (PathBuf, String) {
    let newest = fs::read_dir(log_dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .max();
    let Some((_, path)) = newest else { return (log_dir.to_owned(), "(empty)".to_owned()) };
    let text = end_of(&path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    (path, if shown.is_empty() { "(empty)".to_owned() } else { shown })
}

/// The last few kilobytes of a file.
pub(crate) fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
