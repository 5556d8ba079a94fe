//! What somebody should do something about, before leads are late for good.
//!
//! Looked for every few seconds, and logged when it begins and when it ends. A lead that waits harms nobody for a while; one that
//! has waited long means that nobody has noticed. A full disk takes no more leads in. A clock that is wrong by minutes lets no
//! iPad in, and dates consents wrongly.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::Timestamp;
use hub::backlog::waiting_since;
use hub::courier::RelayHandle;
use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use utoipa::ToSchema;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long a lead may wait for the cloud.
pub const MAX_WAIT: time::Duration = time::Duration::minutes(15);

/// Room that there should be on the disk: some hundred thousand leads, with what PostgreSQL needs beside them.
pub const MIN_FREE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// How far the clocks of a hub and its cloud may differ. A device's own may differ by as much from either.
pub const MAX_CLOCK_OFFSET: time::Duration = time::Duration::minutes(2);

/// Something that somebody should do something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Alarm {
    /// Leads wait for the cloud for longer than they should.
    RelayBehind {
        /// Since when the first of them does.
        since: Timestamp,
        /// How long that may be, in seconds.
        limit_seconds: u64,
    },
    /// The disk is nearly full.
    DiskSpace {
        /// What is left, in whole steps of a sixteenth of the limit.
        free_bytes: u64,
        /// What should be left.
        limit_bytes: u64,
    },
    /// The numbers of a report are old: nobody works them out, or more comes in than can be.
    NumbersBehind,
    /// There are more devices than a report has; those are left out that were not let in.
    DevicesLeftOut {
        /// How many.
        count: u64,
    },
    /// This computer's clock and the cloud's differ.
    Clock {
        /// How far this one is ahead, in seconds; negative when it is behind.
        offset_seconds: i64,
    },
}

/// What is looked at.
#[derive(Clone)]
pub struct Watched {
    /// Of a hub: its relay.
    pub relay: Option<RelayHandle>,
    /// Where the database lies, if this program runs it.
    pub data_dir: Option<PathBuf>,
}

/// Looks until it is dropped.
pub struct Watchman {
    alarms: watch::Receiver<Vec<Alarm>>,
    task: JoinHandle<()>,
}

impl Watchman {
    /// Looks from here on.
    pub fn start(pool: PgPool, watched: Watched) -> Self {
        let (sender, alarms) = watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            loop {
                let known = sender.borrow().clone();
                let found = look(&pool, &watched, &known).await;
                log(&known, &found);
                sender.send_replace(found);
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self { alarms, task }
    }

    /// What there is at this moment.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.borrow().clone()
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Each for itself: a database on a disk that is full does not answer. What cannot be looked at stays as it was.
async fn look(pool: &PgPool, watched: &Watched, known: &[Alarm]) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Some(RelayHandle { status, cloud, .. }) = &watched.relay {
        let status = status.borrow().clone();
        alarms.extend(match waiting_since(pool, &status).await {
            Ok(since) => relay_behind(since, OffsetDateTime::now_utc()),
            Err(_) => known.iter().find(|alarm| matches!(alarm, Alarm::RelayBehind { .. })).cloned(),
        });
        alarms.extend(cloud.clock_offset().and_then(clock));
    }
    alarms.extend(watched.data_dir.as_deref().and_then(free_bytes).and_then(disk_space));
    alarms
}

fn relay_behind(waiting_since: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<Alarm> {
    let since = waiting_since.filter(|since| now - *since > MAX_WAIT)?;
    let limit_seconds = MAX_WAIT.whole_seconds().unsigned_abs();
    Some(Alarm::RelayBehind { since: Timestamp::new(since), limit_seconds })
}

fn clock(offset: time::Duration) -> Option<Alarm> {
    (offset.abs() > MAX_CLOCK_OFFSET).then(|| Alarm::Clock { offset_seconds: offset.whole_seconds() })
}

fn disk_space(free_bytes: u64) -> Option<Alarm> {
    // Not every file that is written is news.
    const STEP: u64 = MIN_FREE_BYTES / 16;
    let alarm = || Alarm::DiskSpace { free_bytes: free_bytes / STEP * STEP, limit_bytes: MIN_FREE_BYTES };
    (free_bytes < MIN_FREE_BYTES).then(alarm)
}

/// What is left for this program on the disk of this folder; `None` where the system does not say.
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Says what has begun, and what has ended. How much there is of it, only whoever looks sees.
fn log(known: &[Alarm], found: &[Alarm]) {
    let is_same = |a: &Alarm, b: &Alarm| std::mem::discriminant(a) == std::mem::discriminant(b);
    for alarm in found.iter().filter(|alarm| !known.iter().any(|it| is_same(it, alarm))) {
        match alarm {
            Alarm::RelayBehind { since, limit_seconds } => tracing::error!(
                %since, limit_seconds, "ALARM: leads wait for the cloud for too long; they are safe here, look why nothing is relayed"
            ),
            Alarm::DiskSpace { free_bytes, limit_bytes } => tracing::error!(
                free_bytes,
                limit_bytes,
                "ALARM: the disk is nearly full; when it is, no lead can be taken in: make room"
            ),
            // Found only while somebody watches.
            Alarm::NumbersBehind | Alarm::DevicesLeftOut { .. } => {}
            Alarm::Clock { offset_seconds } => tracing::error!(
                offset_seconds,
                "ALARM: this computer's clock and the cloud's differ; set this one, or iPads may not be let in"
            ),
        }
    }
    for alarm in known.iter().filter(|alarm| !found.iter().any(|it| is_same(it, alarm))) {
        let ended = match alarm {
            Alarm::RelayBehind { .. } => "leads wait for the cloud for no longer than they may",
            Alarm::DiskSpace { .. } => "there is room on the disk again",
            Alarm::NumbersBehind | Alarm::DevicesLeftOut { .. } => continue,
            Alarm::Clock { .. } => "this computer's clock and the cloud's agree again",
        };
        tracing::info!("the alarm is over: {ended}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_begins_beyond_its_limit() {
        let (now, moment) = (OffsetDateTime::UNIX_EPOCH, time::Duration::milliseconds(1));
        assert_eq!(relay_behind(None, now), None);
        assert_eq!(relay_behind(Some(now - MAX_WAIT), now), None);
        let since = now - MAX_WAIT - moment;
        let behind = Alarm::RelayBehind { since: Timestamp::new(since), limit_seconds: 900 };
        assert_eq!(relay_behind(Some(since), now), Some(behind));
        for (limit, beyond) in
            [(MAX_CLOCK_OFFSET, MAX_CLOCK_OFFSET + moment), (-MAX_CLOCK_OFFSET, -MAX_CLOCK_OFFSET - moment)]
        {
            assert_eq!(clock(limit), None);
            assert_eq!(clock(beyond), Some(Alarm::Clock { offset_seconds: limit.whole_seconds() }));
        }
        assert_eq!(disk_space(MIN_FREE_BYTES), None);
        let Some(Alarm::DiskSpace { free_bytes, .. }) = disk_space(MIN_FREE_BYTES - 1) else {
            panic!("no alarm")
        };
        assert!(free_bytes < MIN_FREE_BYTES && free_bytes > MIN_FREE_BYTES / 16 * 14, "{free_bytes}");
    }

    #[test]
    fn the_disk_of_a_folder_has_some_room() {
        assert!(free_bytes(Path::new("/")).is_some_and(|free| free > 0));
        assert_eq!(free_bytes(Path::new("/there/is/no/such/folder")), None);
    }
}
