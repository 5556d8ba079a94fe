//! The campaigns of a store: what is published, kept at hand, and how something is published.
//!
//! Judging asks for a campaign with every entry, so the documents are in memory, behind one pointer that is swapped
//! when the log has more. Whoever judges takes the pointer once per request and never waits for the database.
//!
//! Any process may publish, so every process looks: when it starts, once a second, and when somebody asks for a
//! version that it does not know. A lead that names a version before this process has read it is recorded all the
//! same, with the flag `unknown-campaign-version`.
//!
//! Publishing is a command to the aggregate [`CampaignHistory`], through cqrs-es over postgres-es, on the table that
//! intake appends to. Of two that cross, the second is decided again on top of the first.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateError, CqrsFramework};
use domain::{
    CAMPAIGN_STREAM, Campaign, CampaignCommand, CampaignError, CampaignEvent, CampaignHistory, Campaigns,
    EmbeddedCampaigns, PublishedCampaigns, Tier, Timestamp,
};
use event_store::{FollowedStream, LogError, PostgresLog, RecordedEvent};
use postgres_es::PostgresEventRepository;

use crate::store::Store;

/// How often it is looked whether another process has published something.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often a publication is tried again when another one came first.
const MAX_TRIES: u32 = 5;

/// The campaigns that a process knows.
pub struct KnownCampaigns(FollowedStream<PostgresLog, PublishedCampaigns>);

impl KnownCampaigns {
    /// Reads what is published so far.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn load(log: PostgresLog) -> Result<Self, LogError> {
        let known = FollowedStream::new(log, CAMPAIGN_STREAM, PublishedCampaigns::shipped(), add);
        known.load().await?;
        Ok(Self(known))
    }

    /// What is known at this moment.
    pub fn current(&self) -> Arc<PublishedCampaigns> {
        self.0.current()
    }

    /// Reads what was published since, and answers it with the rest.
    ///
    /// # Errors
    /// When the log does not answer; what was known stays.
    pub async fn refresh(&self) -> Result<Arc<PublishedCampaigns>, LogError> {
        self.0.refresh().await
    }

    /// Starts a task that keeps this up to date for as long as anybody else holds it.
    pub fn keep_up(known: &Arc<Self>) {
        let (known, pool) = (Arc::downgrade(known), known.0.log().pool().clone());
        tokio::spawn(async move {
            let mut is_away = false;
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                let Some(known) = Weak::upgrade(&known).filter(|_| !pool.is_closed()) else { return };
                match known.refresh().await {
                    Ok(_) => is_away = false,
                    Err(error) if !is_away => {
                        tracing::warn!(%error, "campaigns are as old as the last look at the log");
                        is_away = true;
                    }
                    Err(_) => {}
                }
            }
        });
    }
}

fn add(known: &mut PublishedCampaigns, event: &RecordedEvent) {
    if event.event_type != CampaignEvent::PUBLISHED {
        return;
    }
    let added = event
        .current_payload()
        .map_err(|unknown| unknown.to_string())
        .and_then(|payload| known.add(&payload).map_err(|error| error.to_string()));
    match added {
        Ok(()) => {
            let (campaign, version) = (&event.aggregate_id, event.sequence);
            tracing::debug!(campaign, version, "a campaign is known");
        }
        Err(error) => {
            let position = event.position;
            tracing::error!(position, %error, "a campaign cannot be read; update this program");
        }
    }
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Only the cloud publishes.
    #[error("this store is a hub; publish at the cloud")]
    NotTheCloud,
    /// The aggregate refuses.
    #[error(transparent)]
    Refused(#[from] CampaignError),
    /// Others kept publishing the same campaign.
    #[error("others are publishing this campaign at this moment; try again")]
    Crossed,
    /// The log is away or in trouble; whether it was recorded is not known. Trying again is harmless.
    #[error("the log cannot be used now: {0}; try again, that is harmless")]
    Unavailable(String),
}

/// Publishes a document as the next version of its campaign.
///
/// # Errors
/// See [`PublishError`].
pub async fn publish(
    store: &Store,
    document: Campaign,
    by: Option<String>,
    at: Timestamp,
) -> Result<(), PublishError> {
    if store.identity().tier != Tier::Cloud {
        return Err(PublishError::NotTheCloud);
    }
    // The plain event store: cqrs-es' snapshots and aggregate stores apply events twice.
    let events = PersistedEventStore::<PostgresEventRepository, CampaignHistory>::new_event_store(
        PostgresEventRepository::new(store.pool().clone()),
    );
    let shipped = Arc::new(EmbeddedCampaigns) as Arc<dyn Campaigns + Send + Sync>;
    let campaigns = CqrsFramework::new(events, Vec::new(), shipped);
    let id = document.id.to_string();
    for _ in 0..MAX_TRIES {
        let command = CampaignCommand::Publish { document: document.clone(), by: by.clone(), at };
        match campaigns.execute(&id, command).await {
            Ok(()) => return Ok(()),
            Err(AggregateError::UserError(refused)) => return Err(refused.into()),
            Err(AggregateError::AggregateConflict) => {}
            Err(error) => return Err(PublishError::Unavailable(error.to_string())),
        }
    }
    Err(PublishError::Crossed)
}
