//! A report: what is told, and where it comes from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{DeviceId, DeviceName, StoreId, Tier, Timestamp};
use hub::backlog::backlog;
use hub::cloud::CloudError;
use hub::courier::{RelayHandle, Trouble};
use identity::{Authority, AuthorityError};
use projections::{DEVICES, LEADS, Waker};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::alarms::{Alarm, Watchman};
use super::devices::{self, Known};
use crate::conditions::{Conditions, Heard};
use crate::store::Store;

/// How long the rows may take to get to where the log is. The runner gathers for up to two seconds while much comes in.
const PROJECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Most devices that a report has: ten times as many as a large store.
const MAX_DEVICES: usize = 10_000;

/// What is going on in a store, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveReport {
    /// When, by the store's clock. Ages are counted from here.
    pub at: Timestamp,
    /// Which store.
    pub store: LiveStore,
    /// How many leads.
    pub leads: LiveLeads,
    /// Every device that was let in, or was ever heard of.
    pub devices: Vec<LiveDevice>,
    /// Of a hub: how its relay fares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<LiveRelay>,
    /// Of a hub: how iPads reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<LiveReach>,
    /// What somebody should do something about.
    pub alarms: Vec<Alarm>,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveStore {
    /// The store.
    pub id: StoreId,
    /// What it is to its devices.
    pub tier: Tier,
}

/// The leads of all campaigns, without those that were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveLeads {
    /// How many are here.
    pub total: u64,
    /// Captured within the last sixty minutes.
    pub last_hour: u64,
    /// By the hour (UTC) of their capture: the last 24, oldest first. The last one is running.
    pub hours: Vec<LiveHour>,
}

/// An hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveHour {
    /// When it began.
    pub from: Timestamp,
    /// Leads that were captured in it.
    pub leads: u64,
}

/// A device: one installation of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveDevice {
    /// The installation.
    pub device_id: DeviceId,
    /// What it was let in as; left out when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<DeviceName>,
    /// Whether it was shut out.
    pub is_revoked: bool,
    /// Leads of it that are here.
    pub leads: u64,
    /// When it was last heard itself; left out when it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// What can be said of it.
    pub standing: LiveStanding,
    /// Numbers that it is known to have saved, and that are not here. None at a hub: what the cloud has, it need not have.
    pub missing: u64,
    /// Leads that it still holds for this store; left out when it has not said so, or more is known of it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// When the first of them was saved, by the device's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_left_at: Option<Timestamp>,
    /// Whether its browser has promised not to evict the storage; left out when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_storage_persisted: Option<bool>,
    /// The version of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
}

/// What can be said of a device. Silence is never taken for complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LiveStanding {
    /// Everything is here that it had when it was heard, a short while ago.
    Complete,
    /// It still holds something.
    Behind,
    /// It was not heard for over five minutes, or never: what it holds, nobody knows.
    Silent,
    /// It was let in a moment ago, and nothing has come from it yet.
    Nothing,
    /// It was shut out, or another installation has come in under its name and this one was not heard since; and nothing is
    /// known that it still holds.
    Retired,
}

/// How a hub's relay fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveRelay {
    /// Where the cloud is.
    pub cloud: String,
    /// Leads that it has not got yet.
    pub waiting: u64,
    /// When the first of them came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_waiting_at: Option<Timestamp>,
    /// Entries that it could not take yet, and that are offered again.
    pub held: u64,
    /// When it last answered, to the minute; left out when it has not since this hub was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<LiveTrouble>,
}

/// Why nothing is relayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LiveTrouble {
    /// Which one: `unreachable`, `not-let-in`, `no-code`, `other-process`, `own-database`, `not-a-cloud` or `answer`.
    #[schema(example = "unreachable")]
    pub code: &'static str,
    /// The same in words, as the log has it.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

/// How iPads reach a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveReach {
    /// Where the app is opened, the best first.
    pub addresses: Vec<String>,
    /// By what it is trusted.
    pub trust: Trust,
    /// The page that sets up iPads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_up_page: Option<String>,
    /// The name of the hub's own CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// SHA-256 of its certificate, to be compared on the iPad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// By what a hub is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A CA of its own.
    OwnCa,
    /// A certificate that somebody else has issued.
    Certificate,
    /// It speaks plain HTTP, or something before it speaks TLS.
    None,
}

/// What tells how iPads reach the hub, at the moment of asking.
pub type ReachNow = Arc<dyn Fn() -> LiveReach + Send + Sync>;

/// Where a report comes from.
pub(crate) struct Sources {
    pub(crate) store: Store,
    pub(crate) authority: Arc<Authority>,
    pub(crate) conditions: Conditions,
    pub(crate) projections: Waker,
    pub(crate) relay: Option<RelayHandle>,
    pub(crate) reach: Option<ReachNow>,
    pub(crate) watchman: Watchman,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl LiveReport {
    /// But for the moment.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let Self { at: _, store, leads, devices, relay, reach, alarms } = self;
        (store, leads, devices, relay, reach, alarms)
            == (&other.store, &other.leads, &other.devices, &other.relay, &other.reach, &other.alarms)
    }
}

impl Sources {
    /// What devices say of themselves, once the rows know all that was in the log by then, and whether they do: what a device says
    /// that it has sent must not look as if it were missing.
    pub(super) async fn heard(&self) -> Result<(BTreeMap<DeviceId, Heard>, bool), sqlx::Error> {
        let heard = self.conditions.all().await?;
        let head = event_store::head(self.store.pool()).await?.position;
        self.projections.wake();
        for projection in [&LEADS, &DEVICES] {
            let reached =
                projections::wait_for(self.store.pool(), projection, head, PROJECTION_TIMEOUT).await;
            if reached.is_err() {
                return Ok((heard, false));
            }
        }
        Ok((heard, true))
    }

    /// Counts, and puts together what is known.
    pub(super) async fn report(
        &self,
        (heard, is_current): (BTreeMap<DeviceId, Heard>, bool),
    ) -> Result<LiveReport, ReportError> {
        let now = OffsetDateTime::now_utc();
        let pool = self.store.pool();
        let statistics = projections::statistics::of_store(pool, now).await?;
        let hour =
            |(from, leads): &(OffsetDateTime, u64)| LiveHour { from: Timestamp::new(*from), leads: *leads };
        let leads = LiveLeads {
            total: statistics.by_device.values().sum(),
            last_hour: statistics.last_hour,
            hours: statistics.by_hour.iter().map(hour).collect(),
        };
        let known = Known {
            enrolments: &*self.authority.enrolments_lately().await?,
            sequences: projections::devices::list(pool).await?,
            heard,
            leads: statistics.by_device,
        };
        let identity = self.store.identity();
        let mut devices = devices::report(known, identity.tier, now);
        let mut alarms = self.watchman.alarms();
        if !is_current {
            alarms.push(Alarm::NumbersBehind);
        }
        if let Some(count) = devices.len().checked_sub(MAX_DEVICES).filter(|count| *count > 0) {
            devices.truncate(MAX_DEVICES);
            alarms.push(Alarm::DevicesLeftOut { count: count as u64 });
        }
        Ok(LiveReport {
            at: Timestamp::new(now),
            store: LiveStore { id: identity.id, tier: identity.tier },
            leads,
            devices,
            relay: self.relay().await?,
            reach: self.reach.as_ref().map(|reach| reach()),
            alarms,
        })
    }

    async fn relay(&self) -> Result<Option<LiveRelay>, sqlx::Error> {
        let Some(RelayHandle { status, cloud, .. }) = &self.relay else { return Ok(None) };
        let status = status.borrow().clone();
        let backlog = backlog(self.store.pool(), &status).await?;
        Ok(Some(LiveRelay {
            cloud: cloud.address().to_owned(),
            waiting: backlog.leads,
            oldest_waiting_at: backlog.oldest_at.map(Timestamp::new),
            held: status.held.len() as u64,
            // It answers every few seconds, which is no news.
            heard_at: status.heard_at.map(|at| Timestamp::new(at.truncate_to_minute())),
            trouble: status.trouble.map(LiveTrouble::from),
        }))
    }
}

impl From<Trouble> for LiveTrouble {
    fn from(Trouble { error, since }: Trouble) -> Self {
        let code = match &error {
            CloudError::Unreachable(_) => "unreachable",
            CloudError::NotLetIn(_) => "not-let-in",
            CloudError::Code => "no-code",
            CloudError::OtherProcess => "other-process",
            CloudError::OwnDatabase => "own-database",
            CloudError::NotACloud => "not-a-cloud",
            CloudError::Answer(_) => "answer",
        };
        Self { code, detail: error.to_string(), since: Timestamp::new(since) }
    }
}
