//! How events get into the log.

use std::collections::VecDeque;
use std::future::Future;

use domain::Receipt;
use event_store::{AppendError, EventLog, NewEvent, Placed};

use crate::{HeardDevices, IntakeError};

/// Puts events into the log: directly, or in groups with others.
pub trait Recorder: Send + Sync {
    /// Looks for the receipt, then appends these events. Answers when what was appended is durable.
    ///
    /// A receipt must be of this store.
    fn record(
        &self,
        events: Vec<NewEvent>,
        receipt: Option<Receipt>,
    ) -> impl Future<Output = Result<Recorded, IntakeError>> + Send;

    /// What has been heard from devices through this recorder, if it remembers.
    fn heard_devices(&self) -> Option<&HeardDevices> {
        None
    }
}

/// What became of the events of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// One per event, in order.
    pub outcomes: Vec<Outcome>,
    /// Whether the log holds what the receipt proves; true when none was shown.
    pub holds_receipt: bool,
    /// The newest position that the recorder has seen; others may have gone further.
    pub head: u64,
    /// No follow-up is known to stand after this position, so that nobody need look. `u64::MAX` when it is not
    /// known: then look.
    pub follow_ups_through: u64,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What the log did with it.
    Placed(Placed),
    /// The log refuses its content, alone as well.
    Rejected {
        /// Why.
        sqlstate: String,
    },
}

/// Appends at once, each call for itself.
#[derive(Clone)]
pub struct Direct<L>(pub L);

impl<L: EventLog> Recorder for Direct<L> {
    async fn record(&self, events: Vec<NewEvent>, receipt: Option<Receipt>) -> Result<Recorded, IntakeError> {
        let holds_receipts = self.0.holds_receipts(receipt.as_slice()).await?;
        let outcomes = append_isolating(&self.0, &events).await?;
        let head = self.0.head().await?.position;
        let holds_receipt = holds_receipts.into_iter().all(|holds| holds);
        Ok(Recorded { outcomes, holds_receipt, head, follow_ups_through: u64::MAX })
    }
}

/// Appends the events; if the log refuses the content of some, halves them until those stand alone.
pub(crate) async fn append_isolating<L: EventLog>(
    log: &L,
    events: &[NewEvent],
) -> Result<Vec<Outcome>, IntakeError> {
    let mut outcomes = Vec::with_capacity(events.len());
    let mut parts = VecDeque::from([events]);
    let mut was_halved = false;
    while let Some(part) = parts.pop_front().filter(|part| !part.is_empty()) {
        match log.append(part).await {
            Ok(placed) => outcomes.extend(placed.into_iter().map(Outcome::Placed)),
            Err(AppendError::Unavailable { reason }) => return Err(IntakeError::Unavailable(reason)),
            Err(AppendError::Content { sqlstate }) if part.len() == 1 => {
                tracing::warn!(%sqlstate, "the log refuses an event; it is recorded as refused");
                outcomes.push(Outcome::Rejected { sqlstate });
            }
            Err(AppendError::Content { .. }) => {
                was_halved = true;
                let (left, right) = part.split_at(part.len() / 2);
                parts.push_front(right);
                parts.push_front(left);
            }
        }
    }
    if was_halved {
        append_again_what_waits(log, events, &mut outcomes).await?;
    }
    Ok(outcomes)
}

/// Halving may have parted a version from the one that it needs. None of what waits has a content that the log
/// refuses, or it finds out when the rest is here: then it waits for the next try.
async fn append_again_what_waits<L: EventLog>(
    log: &L,
    events: &[NewEvent],
    outcomes: &mut [Outcome],
) -> Result<(), IntakeError> {
    let waits = |outcome: &Outcome| matches!(outcome, Outcome::Placed(Placed::Waiting));
    let waiting: Vec<usize> = (0..events.len()).filter(|index| waits(&outcomes[*index])).collect();
    let again: Vec<NewEvent> = waiting.iter().map(|index| events[*index].clone()).collect();
    if again.is_empty() {
        return Ok(());
    }
    match log.append(&again).await {
        Ok(placed) => {
            for (index, placed) in waiting.into_iter().zip(placed) {
                outcomes[index] = Outcome::Placed(placed);
            }
            Ok(())
        }
        Err(AppendError::Content { .. }) => Ok(()),
        Err(AppendError::Unavailable { reason }) => Err(IntakeError::Unavailable(reason)),
    }
}
