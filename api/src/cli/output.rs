//! Where a command writes what it was asked for.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use projections::export::Chunks;

use super::interruption::Interrupted;
use super::stop_signal::StopSignal;

/// What others may do with a file of people's data: nothing.
const OWNER_ONLY: u32 = 0o600;

/// How the name of a file ends, in lower case.
pub(super) fn ending(file: Option<&Path>) -> Option<String> {
    file?.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase())
}

/// Writes the chunks to the file, whole or not at all; without a file, or to `-`, to standard output. What is there
/// already and is no file (a pipe, a device) is written to as it is.
pub(super) async fn write(chunks: Chunks, out: Option<&Path>) -> anyhow::Result<()> {
    match out {
        None => copy(chunks, std::io::stdout().lock()).await,
        Some(file) if file == Path::new("-") => copy(chunks, std::io::stdout().lock()).await,
        Some(file) => {
            let written = match std::fs::metadata(file) {
                // A link stays one: what it leads to is replaced.
                Ok(there) if there.is_file() => write_file(chunks, &file.canonicalize()?).await,
                Ok(_) => match OpenOptions::new().write(true).open(file) {
                    Ok(other) => copy(chunks, other).await,
                    Err(error) => Err(error.into()),
                },
                Err(_) => write_file(chunks, file).await,
            };
            written.with_context(|| format!("cannot write {}", file.display()))
        }
    }
}

/// Writes beside the file and renames in the end, so that nobody takes a part for the whole. Of a failure, Ctrl-C and
/// SIGTERM included, nothing stays: people's data must not lie about. The file is for its owner's eyes alone. The part has a
/// name of its own, so that of two that write the same file the one that ends last counts, and is whole.
async fn write_file(chunks: Chunks, file: &Path) -> anyhow::Result<()> {
    let mut stop = StopSignal::new()?;
    let mut name = file.file_name().context("it has no name")?.to_owned();
    name.push(".");
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Removed when it is dropped.
    let mut part = tempfile::Builder::new()
        .prefix(&name)
        .suffix(".part")
        .permissions(Permissions::from_mode(OWNER_ONLY))
        .tempfile_in(folder)?;
    tokio::select! {
        copied = copy(chunks, part.as_file_mut()) => copied?,
        () = stop.received() => bail!(anyhow::Error::new(Interrupted).context("nothing of it was kept")),
    }
    part.as_file().sync_all()?;
    part.persist(file).map_err(|error| error.error)?;
    Ok(())
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
