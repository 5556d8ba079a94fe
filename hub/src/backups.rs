//! Backups of devices on their way up: the newest of each.
//!
//! Apart from all else that a hub and its cloud tell each other, because some hundred kB over the way out of a hall take their
//! time. Nothing is kept of which the cloud has: a hub that starts offers them all again, and so does one whose relay begins
//! again, because its cloud has lost history. The cloud keeps none that it has, and none that holds less.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::DeviceId;
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::cloud::CloudError;
use crate::courier::RelayHandle;

/// How often it is looked whether there is a newer one. Devices make one every few minutes.
const INTERVAL: Duration = Duration::from_secs(5);

/// Gives the cloud what it has not got, until it is dropped.
pub struct Backups(JoinHandle<()>);

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum BackupsError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("the hub's own database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
}

/// Of each device, the version that the cloud was given, or does not take.
#[derive(Default)]
struct Given {
    versions: BTreeMap<DeviceId, i64>,
    /// How often the relay had begun again by then.
    beginnings: u64,
}

impl Backups {
    /// Brings them up from here on.
    pub fn start(pool: PgPool, relay: RelayHandle) -> Self {
        Self(tokio::spawn(async move {
            let (mut given, mut is_cut_off) = (Given::default(), false);
            loop {
                match give(&pool, &relay, &mut given).await {
                    Ok(()) => is_cut_off = false,
                    // Once: it may last for hours.
                    Err(error) if !is_cut_off => {
                        tracing::warn!(%error, "backups of devices wait in this hub");
                        is_cut_off = true;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(INTERVAL).await;
            }
        }))
    }
}

impl Drop for Backups {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn give(pool: &PgPool, relay: &RelayHandle, given: &mut Given) -> Result<(), BackupsError> {
    let beginnings = relay.status.borrow().beginnings;
    if given.beginnings != beginnings {
        *given = Given { beginnings, ..Given::default() };
    }
    let newest: Vec<(String, i64)> =
        sqlx::query_as("SELECT device_id, max(version) FROM device_backups GROUP BY device_id")
            .fetch_all(pool)
            .await?;
    // Nobody else writes there.
    let newest = newest.into_iter().filter_map(|(id, version)| Some((id.parse().ok()?, version)));
    let missing: Vec<(DeviceId, i64)> =
        newest.filter(|(id, version)| given.versions.get(id) != Some(version)).collect();
    for (id, version) in missing {
        let content = "SELECT content FROM device_backups WHERE device_id = $1 AND version = $2";
        let content: Option<Vec<u8>> =
            sqlx::query_scalar(content).bind(id.as_str()).bind(version).fetch_optional(pool).await?;
        if let Some(content) = content
            && !relay.cloud.give_backup(&id, content).await?
        {
            tracing::warn!(device = %id, version, "the cloud does not take this backup; it stays here");
        }
        given.versions.insert(id, version);
    }
    Ok(())
}
