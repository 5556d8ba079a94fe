//! What a hub and its cloud tell each other beside leads.
//!
//! | what | which way |
//! | --- | --- |
//! | campaigns | down |
//! | devices that came in, and that were shut out | both |
//!
//! Nothing is kept of how far it has got: a hub that starts reads from the first event on, which are few. What the cloud has of
//! the hub's own it finds in what the cloud tells, and what is missing it tells again, until it reads it there. So a cloud or a
//! hub that was restored from an older copy needs nothing but the next round. Each step is harmless to repeat.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    CAMPAIGN_STREAM, CampaignEvent, Digest, ENROLMENT_STREAM, EnrolmentId, FeedCursor, FeedEvent, FeedPage,
    FeedUpdate, Lineage, MAX_FEED_UPDATE_EVENTS, Receipt, StoreId, Tier,
};
use event_store::{AppendError, EventLog, LogError, NewEvent, PostgresLog};
use identity::{KnownEnrolments, SharingError};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::cloud::{Cloud, CloudError};

/// How often the two talk: what was published is at the hub within this time.
const INTERVAL: Duration = Duration::from_secs(5);

/// Talks with the cloud until it is dropped.
pub struct Exchange(JoinHandle<()>);

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("what the cloud has told cannot be kept: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Sharing(#[from] SharingError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the hub's own database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// No reason to ask them without a pause.
    #[error("two stores answer in turn at the address of the cloud")]
    InTurn,
}

/// What is known of the two sides in this run.
struct Round {
    /// A connection of its own to append with, as the relay has.
    log: PostgresLog,
    cloud: Arc<Cloud>,
    enrolments: KnownEnrolments,
    seen: Seen,
}

/// What was read, and so need not be told.
#[derive(Default)]
struct Seen {
    /// How far the cloud's log was read.
    last: Option<FeedCursor>,
    /// Of each enrolment, how many events the cloud has.
    enrolments: BTreeMap<EnrolmentId, u64>,
    /// Where the hub's own log ended, by which it is noticed that it was put back to an older copy under way.
    own: Option<Receipt>,
}

impl Exchange {
    /// Brings this log and the cloud up to date with each other, from here on.
    pub fn start(log: &PostgresLog, cloud: Arc<Cloud>) -> Self {
        let log = PostgresLog::new(log.pool().clone());
        let mut round =
            Round { enrolments: KnownEnrolments::new(log.clone()), log, cloud, seen: Seen::default() };
        Self(tokio::spawn(async move {
            let mut is_cut_off = false;
            loop {
                match round.run().await {
                    Ok(()) => is_cut_off = false,
                    // Once: it may last for hours.
                    Err(error) if !is_cut_off => {
                        tracing::warn!(%error, "campaigns and devices wait: this hub and its cloud do not tell each other all that is new");
                        is_cut_off = true;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(INTERVAL).await;
            }
        }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Round {
    async fn run(&mut self) -> Result<(), ExchangeError> {
        self.notice_loss().await?;
        self.hear().await?;
        self.tell().await
    }

    /// The hub's own log is that of an older copy: what was brought down since is missing in it.
    async fn notice_loss(&mut self) -> Result<(), ExchangeError> {
        let pool = self.log.pool();
        if let Some(own) = self.seen.own
            && event_store::holds_receipts(pool, &[own]).await? != [true]
        {
            self.seen = Seen::default();
        }
        let head = event_store::head(pool).await?.position;
        let newest = event_store::read_after(pool, head.saturating_sub(1), 1).await?;
        self.seen.own = newest.first().map(|event| Receipt {
            // Whose log it is does not matter: append ids are random.
            store_id: StoreId::new(Uuid::nil()),
            position: event.position,
            append_id: event.append_id,
        });
        Ok(())
    }

    /// Takes in all that is new at the cloud.
    async fn hear(&mut self) -> Result<(), ExchangeError> {
        let mut was_lost = false;
        loop {
            let page: FeedPage = self.cloud.feed(self.seen.last).await?;
            if page.tier != Tier::Cloud {
                return Err(CloudError::NotACloud.into());
            }
            if page.lineage == Lineage::Lost {
                if std::mem::replace(&mut was_lost, true) {
                    return Err(ExchangeError::InTurn);
                }
                tracing::warn!(
                    "the cloud has lost some of its history, or is another one; what it tells is read again"
                );
                self.seen = Seen { own: self.seen.own, ..Seen::default() };
            }
            self.take_in(&page.events).await?;
            self.seen.last = page.through.or(self.seen.last);
            // One that promises more and says nothing is asked again later.
            if page.is_complete || page.through.is_none() {
                return Ok(());
            }
        }
    }

    async fn take_in(&mut self, events: &[FeedEvent]) -> Result<(), ExchangeError> {
        let campaigns: Vec<&FeedEvent> = events.iter().filter(|event| is_campaign(event)).collect();
        let news: Vec<NewEvent> = campaigns.iter().map(|event| as_new(event)).collect();
        if !news.is_empty() {
            let placed = self.log.append(&news).await?;
            for (FeedEvent { aggregate_id, sequence, .. }, placed) in campaigns.into_iter().zip(placed) {
                if placed.appended().is_some_and(|it| !it.is_same) {
                    tracing::warn!(campaign = %aggregate_id, sequence, "the cloud has published something else since it lost history; this hub keeps what it has");
                }
            }
        }
        for id in identity::take_in_enrolments(&self.log, events).await? {
            tracing::warn!(enrolment = %id, "what the cloud tells of a device does not fit to what this hub knows, or is newer than this program; the hub keeps what it has");
        }
        for event in events {
            match (&*event.aggregate_type, event.aggregate_id.parse()) {
                (ENROLMENT_STREAM, Ok(id)) => {
                    let seen = self.seen.enrolments.entry(id).or_default();
                    *seen = event.sequence.max(*seen);
                }
                _ if is_campaign(event) => {}
                _ => {
                    tracing::warn!(kind = %event.aggregate_type, "the cloud is newer and says something that this hub does not understand; update it");
                }
            }
        }
        Ok(())
    }

    /// Tells the cloud of devices that it does not know, or does not know to be shut out.
    async fn tell(&mut self) -> Result<(), ExchangeError> {
        let enrolments = self.enrolments.refresh().await?;
        let mut update = FeedUpdate { events: Vec::new() };
        for (id, enrolment) in enrolments.iter() {
            let Some(enrolment) = enrolment.filter(|enrolment| enrolment.device().is_some()) else {
                continue;
            };
            let seen = self.seen.enrolments.get(id).copied().unwrap_or_default();
            if seen < enrolment.events() {
                update.events.extend(identity::shared_enrolment(&self.log, id).await?);
            }
            if update.events.len() + 3 > MAX_FEED_UPDATE_EVENTS {
                // The others with the next round.
                break;
            }
        }
        if update.events.is_empty() {
            return Ok(());
        }
        for id in self.cloud.tell(&update).await?.refused {
            tracing::warn!(enrolment = %id, "the cloud does not take what this hub tells of a device: it knows something else of it, or is older than this program");
            self.seen.enrolments.insert(id, u64::MAX);
        }
        Ok(())
    }
}

fn is_campaign(event: &FeedEvent) -> bool {
    (&*event.aggregate_type, &*event.event_type, &*event.event_version)
        == (CAMPAIGN_STREAM, CampaignEvent::PUBLISHED, CampaignEvent::FORM_VERSION)
}

fn as_new(campaign: &FeedEvent) -> NewEvent {
    let payload = campaign.payload.get().to_owned();
    NewEvent {
        aggregate_type: CAMPAIGN_STREAM,
        aggregate_id: campaign.aggregate_id.clone(),
        sequence: campaign.sequence,
        event_type: CampaignEvent::PUBLISHED,
        event_version: CampaignEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    }
}
