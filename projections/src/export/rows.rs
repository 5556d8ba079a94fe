//! The rows of an export, page by page, whatever the format.

use std::time::Duration;

use domain::{CampaignId, Campaigns, DeviceId, PublishedCampaigns};
use sqlx::PgPool;

use super::column::Column;
use super::consent_columns::ConsentColumns;
use super::value::Row;
use super::{Export, ExportError, ExportKind, Filter, contact_rows, lead_rows};
use crate::local_time::CampaignZone;
use crate::{DEVICES, cursor, wait_for};

/// Rows that one statement looks at, and so the most that it can find. It bounds how long a statement takes, whatever
/// the filter.
pub(super) const PAGE_ROWS: i64 = 1_000;

/// Most devices that are named to whoever asks for one that nobody knows.
const MAX_NAMED_DEVICES: i64 = 20;

/// How long a device that nobody knows waits for the projection of devices: it is filled beside the leads.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(2);

/// The rows of an export that are still to come.
pub(super) struct Rows {
    pool: PgPool,
    export: Export,
    through: u64,
    consents: ConsentColumns,
    campaigns: std::vec::IntoIter<(CampaignZone, String)>,
    at: Option<Place>,
}

/// Inside one campaign.
pub(super) struct Place {
    pub(super) campaign: String,
    pub(super) zone: CampaignZone,
    /// Key of the last row that was looked at.
    pub(super) after: Key,
}

/// The key by which rows are paged.
#[derive(Default)]
pub(super) struct Key {
    pub(super) position: i64,
    pub(super) contact_key: String,
}

/// What one statement has found.
pub(super) enum Page {
    /// Those of the rows it looked at that pass the filter, perhaps none.
    Rows(Vec<Row>),
    /// There is nothing behind the key.
    End,
}

impl Rows {
    pub(super) async fn open(
        pool: PgPool,
        export: Export,
        through: u64,
        known: &dyn Campaigns,
    ) -> Result<Self, ExportError> {
        let campaigns = match &export.filter.campaign {
            Some(campaign) => vec![CampaignId::to_string(campaign)],
            None => campaigns_of(&pool, export.kind).await?,
        };
        let consents = ConsentColumns::of(&campaigns, known);
        let zones = campaigns.into_iter().map(|campaign| (CampaignZone::of(&campaign, known), campaign));
        let campaigns = zones.collect::<Vec<_>>().into_iter();
        Ok(Self { pool, export, through, consents, campaigns, at: None })
    }

    pub(super) const fn kind(&self) -> ExportKind {
        self.export.kind
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        match self.export.kind {
            ExportKind::Leads => lead_rows::columns(&self.consents),
            ExportKind::Contacts => contact_rows::columns(&self.consents),
        }
    }

    /// How many rows there are at this moment.
    pub(super) async fn count(&self) -> Result<u64, ExportError> {
        let filter = self.export.filter.arguments();
        let count = match self.export.kind {
            ExportKind::Leads => lead_rows::count(&self.pool, &filter).await?,
            ExportKind::Contacts => contact_rows::count(&self.pool, &filter).await?,
        };
        Ok(count.cast_unsigned())
    }

    /// Refuses a filter that names a campaign, a consent or a device that is nowhere here: an empty file would pass for
    /// "there is nobody". What is known and has no rows is none, and what may be known is not refused.
    pub(super) async fn check_that_filter_is_known(
        &self,
        published: &PublishedCampaigns,
    ) -> Result<(), ExportError> {
        let campaigns = campaigns_of(&self.pool, ExportKind::Leads).await?;
        let Filter { campaign, device, consent, .. } = &self.export.filter;
        if let Some(campaign) = campaign
            && published.newest(campaign).is_none()
            && !campaigns.iter().any(|one| one == campaign.as_str())
        {
            let mut names = campaigns;
            names.extend(published_ids(published));
            names.sort_unstable();
            names.dedup();
            let known = listed("those that are known here are", &names, "none is known here");
            return Err(ExportError::Unknown { parameter: "campaign", known });
        }
        if let Some(consent) = consent {
            let (asking, which) = match campaign {
                Some(campaign) => (vec![campaign.to_string()], "the campaign asks for"),
                None => (published_ids(published), "the campaigns ask for"),
            };
            let asked = ConsentColumns::of(&asking, published);
            // Of a campaign without a document nobody knows what it asks for.
            if !campaigns.is_empty()
                && !asked.ids().is_empty()
                && !asked.ids().iter().any(|id| id == consent.as_str())
                && !self.was_given().await?
            {
                let known = listed(which, asked.ids(), "none is asked for");
                return Err(ExportError::Unknown { parameter: "consent", known });
            }
        }
        if let Some(device) = device
            && !self.may_be_known(device).await?
        {
            let newest: Vec<String> = sqlx::query_scalar(
                "SELECT device_id FROM device_sequences ORDER BY heard_position DESC, device_id LIMIT $1",
            )
            .bind(MAX_NAMED_DEVICES)
            .fetch_all(&self.pool)
            .await?;
            let known = listed("those with the newest leads here are", &newest, "there is none yet");
            return Err(ExportError::Unknown { parameter: "device", known });
        }
        Ok(())
    }

    /// Whether a lead of the campaign gives the consent that is asked for, or gave it.
    async fn was_given(&self) -> Result<bool, sqlx::Error> {
        let filter = self.export.filter.arguments();
        sqlx::query_scalar(include_str!("../sql/consent_was_given.sql"))
            .bind(filter.campaign)
            .bind(filter.grant)
            .fetch_one(&self.pool)
            .await
    }

    /// Also when nobody knows it, because the projection of devices is behind and stays there.
    async fn may_be_known(&self, device: &DeviceId) -> Result<bool, sqlx::Error> {
        let _ = wait_for(&self.pool, &DEVICES, self.through, DEVICES_TIMEOUT).await;
        sqlx::query_scalar(include_str!("../sql/device_may_be_known.sql"))
            .bind(device.as_str())
            .bind(DEVICES.name)
            .bind(DEVICES.version)
            .bind(self.through.cast_signed())
            .fetch_one(&self.pool)
            .await
    }

    /// The next rows, never none; `None` after the last.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<Row>>, ExportError> {
        loop {
            let Some(place) = &mut self.at else {
                let Some((zone, campaign)) = self.campaigns.next() else { break };
                self.at = Some(Place { campaign, zone, after: Key::default() });
                continue;
            };
            let filter = self.export.filter.arguments();
            let page = match self.export.kind {
                ExportKind::Leads => lead_rows::read(&self.pool, place, &filter, &self.consents).await?,
                ExportKind::Contacts => {
                    contact_rows::read(&self.pool, place, &filter, &self.consents).await?
                }
            };
            match page {
                Page::End => self.at = None,
                Page::Rows(rows) if rows.is_empty() => {}
                Page::Rows(rows) => return Ok(Some(rows)),
            }
        }
        self.check_that_rows_stayed().await?;
        Ok(None)
    }

    /// Rows are read in many statements. A projection that began anew in between had its tables emptied, and what was
    /// read of them may be a part.
    pub(super) async fn check_that_rows_stayed(&self) -> Result<(), ExportError> {
        let reached = cursor::position(&self.pool, self.export.kind.projection()).await?;
        if reached < self.through { Err(ExportError::MadeAnew) } else { Ok(()) }
    }
}

/// Each campaign once.
fn published_ids(published: &PublishedCampaigns) -> Vec<String> {
    let mut ids: Vec<String> = published.iter().map(|version| version.campaign.id.to_string()).collect();
    ids.dedup();
    ids
}

fn listed(which: &str, names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { format!("{which}: {}", names.join(", ")) }
}

/// The campaigns that have rows, without reading all rows: each one is found by the index after the one before.
async fn campaigns_of(pool: &PgPool, kind: ExportKind) -> Result<Vec<String>, sqlx::Error> {
    let after = match kind {
        ExportKind::Leads => include_str!("../sql/campaign_of_leads_after.sql"),
        ExportKind::Contacts => include_str!("../sql/campaign_of_contacts_after.sql"),
    };
    let mut campaigns: Vec<String> = Vec::new();
    while let Some(next) = sqlx::query_scalar(after)
        .bind(campaigns.last().map_or("", String::as_str))
        .fetch_optional(pool)
        .await?
    {
        campaigns.push(next);
    }
    Ok(campaigns)
}
