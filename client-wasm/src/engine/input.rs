//! Facts: what the shell tells the engine.

use domain::{CampaignId, DeviceId, StoreId, Tier};

use super::loss::LostInstallation;
use super::record::{EntryRecord, Records};
use super::session::Session;

/// What the engine must know from the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// This installation.
    pub device_id: DeviceId,
    /// Random; decides the jitter of waits.
    pub seed: u64,
    /// How many addresses stores may answer at, in order of preference: the page's own hub first if there is
    /// one, then the cloud, then known hubs. At least 1.
    pub targets: u8,
    /// Whether the shell can ship the whole database to a store ([`Output::Backup`]).
    pub makes_backups: bool,
    /// How long ago a store took the last backup of this database, in milliseconds; `None` when it is not known that one
    /// did.
    pub last_backup_age_ms: Option<u64>,
    /// Installations whose storage is gone.
    pub lost: Vec<LostInstallation>,
}

/// One of the addresses of [`Config::targets`], counted from 0. Which store answers there, and which tier it
/// is, is learned from its answers.
pub type Target = u8;

/// A fact.
#[derive(Debug)]
pub enum Input {
    /// The database was opened and holds this. The first fact; nothing is sent before.
    Opened(Records),
    /// An entry is durable.
    Saved(EntryRecord),
    /// Another tab wrote this.
    Learned(Records),
    /// Entries from a backup or a file, of any installation, are durable in this outbox, those whose personal
    /// data was removed too: a version that is missing would be counted again. Their marks are not looked at:
    /// whether a store still has what it once took is for that store to say.
    Restored(Records),
    /// The timer rang, or may have.
    Tick,
    /// Whether the browser has promised not to evict the storage; `None` where it does not say.
    StorageSeen {
        /// Its answer.
        is_persisted: Option<bool>,
    },
    /// The local day began at this moment, in milliseconds since 1970.
    DayStarted(i64),
    /// The page can be seen.
    Visible,
    /// The browser says that there is a network.
    CameOnline,
    /// The browser says that there is none.
    WentOffline,
    /// A store has let this device in: whatever was waited for is tried anew.
    LetIn,
    /// A person asked. Answered with one [`Output::Done`], for all who asked during the run.
    SyncRequested,
    /// A response came.
    Response {
        /// The request.
        request_id: u64,
        /// HTTP status code.
        code: u16,
        /// `Content-Type`, empty when there is none.
        content_type: String,
        /// The body.
        body: String,
        /// `Retry-After`.
        retry_after: Option<String>,
    },
    /// No response came.
    RequestFailed {
        /// The request.
        request_id: u64,
        /// Why.
        failure: Failure,
    },
    /// The health route answered, with the headers that name a store and its tier.
    HealthAnswered {
        /// Where.
        target: Target,
        /// The store.
        store: StoreId,
        /// What it is to its devices.
        tier: Tier,
    },
    /// The health route did not answer, or not as a store would.
    HealthMissed {
        /// Where.
        target: Target,
    },
    /// A person has been told of the lost installations, and has put the matter aside.
    LossPutAside,
    /// This campaign is over: what the cloud has of it is removed from this device.
    CampaignClosed(CampaignId),
    /// Somebody has signed in, or the shell has found who did.
    SessionStarted(Session),
    /// That person has signed out, or another one holds the device.
    SessionEnded,
    /// The store has taken the backup.
    BackupDone {
        /// The request.
        request_id: u64,
    },
    /// It has not.
    BackupFailed {
        /// The request.
        request_id: u64,
    },
    /// The records of the last [`Output::Put`] are durable.
    PutDone,
    /// The records of the last [`Output::Put`] were not written, none of them.
    PutFailed,
}

/// Why no response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke.
    Network,
    /// It took too long.
    Timeout,
    /// Another tab is sending; nothing was tried.
    OtherTab,
}
