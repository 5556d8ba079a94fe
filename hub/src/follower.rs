//! What comes down from the cloud: its campaigns, recorded in the hub's own log, so that the hub can work alone.
//!
//! Nothing is kept of how far it has read: a hub that starts reads from the first event on, which are few, and recording one
//! again changes nothing. In the hub's log each stands in the stream and the place that it has in the cloud's.

use std::sync::Arc;
use std::time::Duration;

use domain::{CAMPAIGN_STREAM, CampaignEvent, Digest, FeedEvent, FeedPage, Lineage, Receipt};
use event_store::{AppendError, EventLog, NewEvent, PostgresLog};
use tokio::task::JoinHandle;

use crate::cloud::{Cloud, CloudError};

/// How often the cloud is asked: what was published is at the hub within this time.
const ASK_INTERVAL: Duration = Duration::from_secs(15);

/// Follows the cloud until it is dropped.
pub struct Follower(JoinHandle<()>);

/// Why nothing came down.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error("what the cloud has published cannot be kept: {0}")]
    Append(#[from] AppendError),
}

impl Follower {
    /// Records in this log what the cloud publishes.
    pub fn start(log: &PostgresLog, cloud: Arc<Cloud>) -> Self {
        // A connection of its own, as the relay has.
        let log = PostgresLog::new(log.pool().clone());
        Self(tokio::spawn(async move {
            let (mut last, mut is_cut_off) = (None, false);
            loop {
                match follow(&log, &cloud, &mut last).await {
                    Ok(()) => is_cut_off = false,
                    // Once: it may last for hours.
                    Err(error) if !is_cut_off => {
                        tracing::warn!(%error, "campaigns stay as they are: nothing comes down from the cloud");
                        is_cut_off = true;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(ASK_INTERVAL).await;
            }
        }))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes in all that is new.
async fn follow(log: &PostgresLog, cloud: &Cloud, last: &mut Option<Receipt>) -> Result<(), FollowError> {
    loop {
        let page: FeedPage = cloud.feed(*last).await?;
        if page.lineage == Lineage::Lost {
            tracing::warn!("the cloud has lost some of its history; what it published is read again");
        }
        let receipt = page.events.last().map(|event| Receipt {
            store_id: page.store,
            position: event.position,
            append_id: event.append_id,
        });
        let (events, told): (Vec<NewEvent>, Vec<&FeedEvent>) =
            page.events.iter().filter_map(|event| Some((as_new(event)?, event))).unzip();
        if !events.is_empty() {
            let placed = log.append(&events).await?;
            for (event, placed) in told.into_iter().zip(placed) {
                if placed.appended().is_some_and(|it| !it.is_same) {
                    let FeedEvent { aggregate_id, sequence, .. } = event;
                    tracing::warn!(campaign = %aggregate_id, sequence, "the cloud has published something else since it lost history; this hub keeps what it has");
                }
            }
        }
        if let Some(receipt) = receipt {
            *last = Some(receipt);
        }
        // One that promises more and says nothing is asked again later.
        if page.is_complete || page.events.is_empty() {
            return Ok(());
        }
    }
}

/// The event for the hub's log; `None` for one that this program does not know, which a newer one reads again.
fn as_new(event: &FeedEvent) -> Option<NewEvent> {
    let is_known = (&*event.aggregate_type, &*event.event_type, &*event.event_version)
        == (CAMPAIGN_STREAM, CampaignEvent::PUBLISHED, CampaignEvent::FORM_VERSION);
    if !is_known {
        tracing::warn!(position = event.position, kind = %event.aggregate_type, "the cloud is newer and says something that this hub does not understand; update it");
        return None;
    }
    let payload = event.payload.get().to_owned();
    Some(NewEvent {
        aggregate_type: CAMPAIGN_STREAM,
        aggregate_id: event.aggregate_id.clone(),
        sequence: event.sequence,
        event_type: CampaignEvent::PUBLISHED,
        event_version: CampaignEvent::FORM_VERSION,
        digest: Digest::of(&payload),
        payload,
        metadata: Vec::new(),
        claim: None,
    })
}
