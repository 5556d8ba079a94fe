//! Where a command writes what it was asked for.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, anyhow};
use futures_util::TryStreamExt;
use projections::export::Chunks;

use super::stop_signal::StopSignal;

/// What others may do with a file of people's data: nothing.
const OWNER_ONLY: u32 = 0o600;

/// How the name of a file ends.
pub(super) fn ending(file: Option<&Path>) -> Option<&str> {
    file?.extension()?.to_str()
}

/// Writes the chunks to the file, whole or not at all; without a file, to standard output.
pub(super) async fn write(chunks: Chunks, out: Option<&Path>) -> anyhow::Result<()> {
    match out {
        None => copy(chunks, std::io::stdout().lock()).await,
        Some(file) => {
            write_file(chunks, file).await.with_context(|| format!("cannot write {}", file.display()))
        }
    }
}

/// Writes beside the file and renames in the end, so that nobody takes a part for the whole. Of a failure, Ctrl-C and
/// SIGTERM included, nothing stays: people's data must not lie about. The file is for its owner's eyes alone.
async fn write_file(chunks: Chunks, file: &Path) -> anyhow::Result<()> {
    let mut stop = StopSignal::new()?;
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    // What `kill -9` has left may be readable for others.
    let _ = std::fs::remove_file(&part);
    let mut target = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&part)?;
    let copied = tokio::select! {
        copied = copy(chunks, &mut target) => copied,
        () = stop.received() => Err(anyhow!("it was interrupted, and nothing of it was kept")),
    };
    let done = match copied {
        Ok(()) => target.sync_all().and_then(|()| std::fs::rename(&part, file)).map_err(Into::into),
        Err(error) => Err(error),
    };
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
}

async fn copy(mut chunks: Chunks, mut out: impl Write) -> anyhow::Result<()> {
    while let Some(chunk) = chunks.try_next().await? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}

/// Writes rows as columns that stand under one another, the first row being the heading.
pub(super) fn write_table<const N: usize>(rows: &[[String; N]], mut out: impl Write) -> std::io::Result<()> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
