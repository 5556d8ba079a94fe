//! What the figures were measured on.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::database::Database;
use crate::statistics::percentile_ms;

/// PostgreSQL writes its log in pages of this size.
const PAGE_BYTES: usize = 8_192;
const FLUSHES: usize = 200;

/// The machine, and how busy it was with other things.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) postgresql: String,
    /// Load average of the minute before the start.
    pub(crate) load_before: f64,
    /// Overwriting a page and `fdatasync`, one after the other: what a commit alone must wait for.
    pub(crate) flush_p50_ms: f64,
    pub(crate) flush_p99_ms: f64,
}

impl Machine {
    /// Looks at the machine, and at the disk that holds the database.
    pub(crate) async fn look(database: &mut Database) -> Result<Self> {
        let postgresql = database.version().await?;
        let folder = database.folder();
        let mut flushes = flushes(folder).with_context(|| format!("cannot write in {}", folder.display()))?;
        flushes.sort_unstable();
        let kernel = rustix::system::uname();
        Ok(Self {
            cpu: value_in("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: value_in("/proc/meminfo", "MemTotal")
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
                .unwrap_or_default()
                / 1024,
            kernel: format!("{} {}", kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy()),
            postgresql,
            load_before: fs::read_to_string("/proc/loadavg")?
                .split(' ')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            flush_p50_ms: percentile_ms(&flushes, 50),
            flush_p99_ms: percentile_ms(&flushes, 99),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_mib, kernel, postgresql, load_before, flush_p50_ms, flush_p99_ms } =
            self;
        writeln!(f, "{cores} x {cpu}, {memory_mib} MiB, {kernel}, PostgreSQL {postgresql}")?;
        write!(
            f,
            "load before {load_before:.2}; flush of a page {flush_p50_ms:.2} ms (p50), {flush_p99_ms:.2} ms (p99)"
        )
    }
}

/// As `pg_test_fsync` does it with `fdatasync`, PostgreSQL's way on Linux.
fn flushes(folder: &Path) -> Result<Vec<Duration>> {
    let path = folder.join("flush-probe");
    let mut file: File = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let page = [7; PAGE_BYTES];
    file.write_all(&page)?;
    file.sync_all()?;
    let mut taken = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let begun = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_data()?;
        taken.push(begun.elapsed());
    }
    fs::remove_file(&path)?;
    Ok(taken)
}

fn value_in(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
