//! `leadlog import`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use domain::{Snapshot, SnapshotError};
use flate2::read::MultiGzDecoder;

use super::{DatabaseArgs, replayed};
use crate::backups::replay::Replay;

/// Largest file that is read, in bytes after decompression.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// What a gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes in files that were exported on iPads ("Export file" on the device page), as if the iPads had sent them.
///
/// Harmless, however often and in whatever order, and beside anything that the iPads send themselves: what is in the
/// log already is a duplicate. A record that is damaged is named and passed over. `created` and `duplicate_email` are
/// leads that only the file had; `invalid`, `conflict` and `unsupported` wait in `leadlog quarantine list`. Fails when
/// something could not be taken in, after everything else was.
#[derive(Args)]
pub(super) struct Import {
    /// The files, as they are or compressed with gzip. Of an iPad that made several, the newest is enough.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { files, database } = self;
        let mut replay = Replay::default();
        let mut report = replayed::Report::default();
        database
            .with_store_to_append(async |store| {
                for file in &files {
                    let name = file.display().to_string();
                    let document = match read(file) {
                        Ok(document) => document,
                        Err(error) => {
                            report.unreadable(&name, &error.to_string());
                            continue;
                        }
                    };
                    match Snapshot::read(&document) {
                        Ok(snapshot) => {
                            let taken = replay.take(store, &snapshot).await;
                            taken.with_context(|| {
                                format!("{name} was not taken in whole; run this again, that is harmless")
                            })?;
                            report.read(&name, &snapshot);
                        }
                        Err(error) => report.unreadable(&name, &no_export(&error)),
                    }
                }
                Ok(())
            })
            .await?;
        report.finish(&replay)
    }
}

/// What a file is that cannot be read, and what to do.
fn no_export(error: &SnapshotError) -> String {
    if *error == SnapshotError::LaterForm {
        return format!("{error}. Update this program, and import the file again");
    }
    format!(
        "is not what an iPad exports ({error}). Take a file that the button \"Export file\" on an iPad's page \"This iPad\" \
         has made; if this is one, it is damaged or cut off: export it again"
    )
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut file = BufReader::new(File::open(file)?);
    file.by_ref().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.starts_with(&GZIP) {
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut unpacked)
            .context("the compressed file is damaged or cut off")?;
        bytes = unpacked;
    }
    anyhow::ensure!(bytes.len() as u64 <= MAX_FILE_BYTES, "is larger than {MAX_FILE_BYTES} bytes, unpacked");
    String::from_utf8(bytes).context("is not text in UTF-8")
}
