//! Where a command writes what it was asked for.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use futures_util::TryStreamExt;
use projections::export::Chunks;

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

/// Writes beside the file and renames in the end, so that nobody takes a part for the whole. Of a failure nothing
/// stays: people's data must not lie about.
async fn write_file(chunks: Chunks, file: &Path) -> anyhow::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let mut target = std::fs::File::create(&part)?;
    let done = match copy(chunks, &mut target).await {
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
