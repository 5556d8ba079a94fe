//! A snapshot as it is stored: compressed, with what is told of it in lists.

use std::io::{Read, Write};

use domain::{DeviceId, Snapshot, SnapshotError, Timestamp, leads_named_in_snapshot};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use uuid::Uuid;

/// A snapshot that is ready to be stored.
pub struct Packed {
    /// The installation that it is of.
    pub device_id: DeviceId,
    /// The highest number that this installation had saved.
    pub saved_through: Option<u64>,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) digest: String,
    pub(super) leads: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) operators: Vec<String>,
    pub(super) client_ids: Vec<Uuid>,
    pub(super) content: Vec<u8>,
}

/// A backup that cannot be unpacked. None is ever stored so; the disk or a person did it.
#[derive(Debug, thiserror::Error)]
#[error("{} of the backup of {device_id} is damaged; take another version", version_name(.version))]
pub struct UnreadableBackup {
    /// The installation.
    pub device_id: String,
    /// Version of the backup, if it has one.
    pub version: Option<u64>,
}

fn version_name(version: &Option<u64>) -> String {
    version.map_or_else(|| "the newest version".to_owned(), |version| format!("version {version}"))
}

impl Packed {
    /// Reads and packs a document. Takes time for a large one: not for a thread that others wait for.
    ///
    /// # Errors
    /// When it is no snapshot.
    pub fn pack(document: &str) -> Result<Self, SnapshotError> {
        let snapshot = Snapshot::read(document)?;
        Ok(Self {
            digest: snapshot.digest().to_string(),
            leads: snapshot.leads().len() as u64,
            entries: snapshot.held().count() as u64,
            bytes: document.len() as u64,
            operators: snapshot.operators(),
            client_ids: leads_named_in_snapshot(document).into_iter().map(domain::ClientId::uuid).collect(),
            content: gzip(document.as_bytes()),
            saved_through: snapshot.saved_through,
            taken_at: snapshot.taken_at,
            device_id: snapshot.device_id,
        })
    }
}

/// Compresses into memory, which cannot fail.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).and_then(|()| packed.finish()).unwrap_or_default()
}

/// The document in the content of a backup; `None` when it is damaged.
pub(super) fn unpack(content: &[u8]) -> Option<String> {
    let mut document = String::new();
    GzDecoder::new(content).read_to_string(&mut document).ok()?;
    Some(document)
}
