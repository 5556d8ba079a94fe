//! How a campaign goes: leads by hour, device, person who held it, and consent. And, in less detail, how a whole store goes.
//!
//! Counted from the rows of the projection `leads` when somebody asks, and kept nowhere: a table of counts would have to be
//! written with each lead and each correction, and the rows of a day are counted in milliseconds.

use std::collections::BTreeMap;

use domain::{CampaignId, Campaigns};
use sqlx::{PgExecutor, Row};
use time::{Duration, OffsetDateTime};

use crate::local_time::CampaignZone;

/// The leads of one campaign, as they stand now: in the newest version of each, without those that were taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignStatistics {
    /// How many there are.
    pub leads: u64,
    /// How many were taken back on their devices, and count nowhere else.
    pub taken_back: u64,
    /// How many people they are: contacts, one per e-mail address.
    pub contacts: u64,
    /// By the hour of their capture, in the campaign's zone and by the devices' clocks. Hours without a lead are left out.
    pub by_hour: BTreeMap<OffsetDateTime, u64>,
    /// By device.
    pub by_device: BTreeMap<String, u64>,
    /// By the person who held the device; `None` where nobody gave a name.
    pub by_operator: BTreeMap<Option<String>, u64>,
    /// By consent that was given and not withdrawn since. A lead counts for each.
    pub by_consent: BTreeMap<String, u64>,
}

/// Counts, at the moment of asking and as far as the projection `leads` is ([`crate::catch_up_only`]).
///
/// # Errors
/// When the database does not answer.
pub async fn of_campaign(
    db: impl PgExecutor<'_>,
    campaign: &CampaignId,
    known: &dyn Campaigns,
) -> Result<CampaignStatistics, sqlx::Error> {
    let zone = CampaignZone::of(campaign.as_str(), known);
    let rows = sqlx::query(include_str!("sql/campaign_statistics.sql"))
        .bind(campaign.as_str())
        .fetch_all(db)
        .await?;
    let mut statistics = CampaignStatistics::default();
    for row in &rows {
        let leads = row.try_get::<i64, _>("leads")?.cast_unsigned();
        let name: Option<String> = row.try_get("name")?;
        match row.try_get("what")? {
            "lead" => statistics.leads = leads,
            "taken-back" => statistics.taken_back = leads,
            "contact" => statistics.contacts = leads,
            // Every zone of today is whole quarters away from UTC, so four of them are an hour in it.
            "quarter" => {
                let local = zone.local(row.try_get("quarter")?);
                let hour = local.replace_minute(0).unwrap_or(local);
                *statistics.by_hour.entry(hour).or_default() += leads;
            }
            "device" => *statistics.by_device.entry(name.unwrap_or_default()).or_default() += leads,
            "operator" => *statistics.by_operator.entry(name).or_default() += leads,
            _ => *statistics.by_consent.entry(name.unwrap_or_default()).or_default() += leads,
        }
    }
    Ok(statistics)
}

/// Hours that are told apart, the running one included.
pub const HOURS: usize = 24;

/// The leads of a store, of all campaigns, as they stand now: without those that were taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStatistics {
    /// By device.
    pub by_device: BTreeMap<String, u64>,
    /// Captured within the last sixty minutes.
    pub last_hour: u64,
    /// By the hour (UTC) of their capture, by the devices' clocks: the last [`HOURS`], oldest first, with those that had none.
    pub by_hour: Vec<(OffsetDateTime, u64)>,
}

/// Counts, at the moment of asking and as far as the projection `leads` is. It reads every row: whoever asks again and again
/// rests in between.
///
/// # Errors
/// When the database does not answer.
pub async fn of_store(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<StoreStatistics, sqlx::Error> {
    let running = now.truncate_to_hour();
    let hours = (0..HOURS).rev().filter_map(|ago| running.checked_sub(Duration::hours(ago as i64)));
    let mut by_hour: BTreeMap<OffsetDateTime, u64> = hours.map(|hour| (hour, 0)).collect();
    let first = by_hour.keys().next().copied().unwrap_or(running);
    let rows =
        sqlx::query(include_str!("sql/store_statistics.sql")).bind(now).bind(first).fetch_all(db).await?;
    let mut statistics = StoreStatistics::default();
    for row in &rows {
        let leads = row.try_get::<i64, _>("leads")?.cast_unsigned();
        *statistics.by_device.entry(row.try_get("device_id")?).or_default() += leads;
        statistics.last_hour += row.try_get::<i64, _>("last_hour")?.cast_unsigned();
        let hour: Option<OffsetDateTime> = row.try_get("hour")?;
        if let Some(counted) = hour.and_then(|hour| by_hour.get_mut(&hour)) {
            *counted += leads;
        }
    }
    statistics.by_hour = by_hour.into_iter().collect();
    Ok(statistics)
}
