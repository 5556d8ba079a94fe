//! The whole answer to `POST /api/leads/sync`, without HTTP.

use std::collections::HashMap;

use domain::{
    Accepted, Campaigns, DeviceId, EntryResult, ErasuresAnswer, Judgement, LEAD_STREAM, Lineage, Receipt,
    Refusal, RefusalReason, StoreId, StoreState, SyncRequest, SyncResponse, Tier, Timestamp, judge,
};
use event_store::{EventLog, NewEvent};
use serde_json::value::RawValue;

use crate::recording::Recording;
use crate::{IntakeError, Outcome, Recorded, Recorder, devices, pages};

/// What one store is, beside its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreIdentity {
    /// Its id.
    pub id: StoreId,
    /// What it is to its devices.
    pub tier: Tier,
}

/// Of a hub: how far its relay is. The cloud has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayProgress {
    /// Everything up to here is in the cloud, accepted or with a verdict in the hub's log.
    pub relayed_through: Option<u64>,
    /// The hub's newest receipt from the cloud.
    pub cloud_receipt: Option<Receipt>,
}

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, by this store's clock.
    pub at: Timestamp,
    /// Whether it comes from a device that was shut out: nothing is lost, and nothing is believed. What the store has not
    /// got yet goes to the quarantine, whatever it is worth.
    pub is_quarantined: bool,
}

impl Arrival {
    /// From somebody who may add leads.
    pub const fn trusted(at: Timestamp) -> Self {
        Self { at, is_quarantined: false }
    }
}

/// Answers a request: judges the entries, records them, and says what became of each, in order, when all of it
/// is durable. Says, too, whether the store still holds what the sender's receipt proves (a receipt of another
/// store says nothing here), and what the sender's cursors have not seen.
///
/// `relay` must have been read before this call: whatever it covers has its
/// verdict in the log by then.
///
/// # Errors
/// See [`IntakeError`]. Some or all entries may have been recorded; sending them again is harmless.
pub async fn answer<L: EventLog, R: Recorder>(
    log: &L,
    recorder: &R,
    campaigns: &dyn Campaigns,
    identity: StoreIdentity,
    relay: &RelayProgress,
    arrival: Arrival,
    request: &SyncRequest<'_>,
) -> Result<SyncResponse, IntakeError> {
    let received_at = arrival.at;
    let sender = request.sender.as_ref();
    let (mut recordings, mut events): (Vec<Recording<'_>>, Vec<NewEvent>) = if arrival.is_quarantined {
        quarantined(log, request, campaigns, received_at).await?.into_iter().unzip()
    } else {
        request.entries.iter().map(|entry| judge_entry(entry, sender, campaigns, received_at)).unzip()
    };
    let heard = recorder.heard_devices();
    let beside = highest(recordings.iter().filter_map(Recording::own_number));
    let reports = devices::news(request, received_at, &beside, heard);
    events.extend(reports.iter().filter_map(devices::event));

    let receipt = request.last_receipt.filter(|receipt| receipt.store_id == identity.id);
    let mut recorded = record_entries(recorder, &mut recordings, events, receipt).await?;

    let voices = highest(recordings.iter().filter_map(Recording::voice));
    if let Some(heard) = heard {
        if !recorded.holds_receipt {
            heard.forget();
        }
        voices.iter().for_each(|(device, seq)| heard.hear(device, *seq));
        reports.iter().for_each(|report| heard.hear_report(report));
    }
    // Somebody else had brought what the sender sends itself: then nothing in the log is its voice yet.
    let unheard = devices::news(request, received_at, &voices, heard);
    let unheard: Vec<_> = unheard.into_iter().filter(|report| !reports.contains(report)).collect();
    if !unheard.is_empty() {
        let events = unheard.iter().filter_map(devices::event).collect();
        recorded.head = recorder.record(events, None).await?.head.max(recorded.head);
        if let Some(heard) = heard {
            unheard.iter().for_each(|report| heard.hear_report(report));
        }
    }
    let mut state = StoreState {
        id: identity.id,
        tier: identity.tier,
        // The relay has read the log, too, and adds to it.
        head: recorded.head.max(relay.relayed_through.unwrap_or(0)),
        relayed_through: relay.relayed_through,
        cloud_receipt: relay.cloud_receipt,
    };
    let cloud_verdicts = match identity.tier {
        Tier::Cloud => None,
        Tier::Hub => {
            let page = pages::cloud_verdicts(log, request.cloud_verdicts_after.unwrap_or(0)).await?;
            if !page.is_complete {
                // It might cover an entry whose refusal comes with a later page.
                state.relayed_through = None;
            }
            Some(page.answer)
        }
    };
    let erasures_after = request.erasures_after.unwrap_or(0);
    let erasures = if erasures_after < recorded.follow_ups_through {
        pages::erasures(log, erasures_after).await?
    } else {
        ErasuresAnswer { through: erasures_after, append_id: None, client_ids: Vec::new() }
    };
    let results: Vec<EntryResult> = recordings.into_iter().map(Recording::into_result).collect();
    let lineage = if recorded.holds_receipt { Lineage::Intact } else { Lineage::Lost };
    Ok(SyncResponse { store: state, lineage, erasures, cloud_verdicts, results })
}

/// The event that records this entry, whatever it is worth. Without a `sender`, nobody says who brought it.
pub(crate) fn judge_entry<'r>(
    entry: &'r RawValue,
    sender: Option<&DeviceId>,
    campaigns: &dyn Campaigns,
    received_at: Timestamp,
) -> (Recording<'r>, NewEvent) {
    match judge(entry, campaigns, received_at) {
        Judgement::Accepted(accepted) => Recording::of_accepted(*accepted, entry.get(), sender),
        Judgement::Refused(refusal) => Recording::of_refusal(*refusal, entry.get(), sender),
    }
}

/// The events that record the entries of a device that was shut out. What the store has already, to the byte, stays what
/// it is, and the device learns that it may forget it.
async fn quarantined<'r, L: EventLog>(
    log: &L,
    request: &SyncRequest<'r>,
    campaigns: &dyn Campaigns,
    received_at: Timestamp,
) -> Result<Vec<(Recording<'r>, NewEvent)>, IntakeError> {
    let sender = request.sender.as_ref();
    let mut recordings = Vec::with_capacity(request.entries.len());
    for entry in &request.entries {
        recordings.push(match judge(entry, campaigns, received_at) {
            Judgement::Accepted(accepted) if is_held(log, &accepted).await? => {
                Recording::of_accepted(*accepted, entry.get(), sender)
            }
            Judgement::Accepted(accepted) => {
                Recording::of_refusal(not_judged(&accepted, entry.get()), entry.get(), sender)
            }
            Judgement::Refused(refusal) => Recording::of_refusal(*refusal, entry.get(), sender),
        });
    }
    Ok(recordings)
}

/// Whether the log has this version of the lead with these bytes.
async fn is_held<L: EventLog>(log: &L, accepted: &Accepted) -> Result<bool, IntakeError> {
    let entry = accepted.event.entry();
    let stream = log.read_stream(LEAD_STREAM, &entry.client_id.to_string()).await?;
    let digest = accepted.digest.to_string();
    Ok(stream
        .iter()
        .any(|event| event.sequence == u64::from(entry.version) && event.metadata.contains(&digest)))
}

fn not_judged(accepted: &Accepted, raw: &str) -> Refusal {
    let entry = accepted.event.entry();
    Refusal {
        client_id: Some(entry.client_id.to_string()),
        version: Some(entry.version),
        device_id: Some(entry.device_id.to_string()),
        device_seq: Some(entry.device_seq),
        reason: RefusalReason::DeviceRevoked,
        errors: Vec::new(),
        raw: raw.to_owned(),
    }
}

/// Records the events of the entries, which come first and in their order, with others that follow them, and
/// then what only that brought to light. Answers about the first append, with the newest head.
pub(crate) async fn record_entries<R: Recorder>(
    recorder: &R,
    recordings: &mut [Recording<'_>],
    events: Vec<NewEvent>,
    receipt: Option<Receipt>,
) -> Result<Recorded, IntakeError> {
    let mut first = recorder.record(events, receipt).await?;
    settle(recordings, 0..recordings.len(), &first.outcomes)?;
    while let Some(again) = unrecorded(recordings) {
        let (places, events): (Vec<usize>, Vec<NewEvent>) = again.into_iter().unzip();
        let recorded = recorder.record(events, None).await?;
        first.head = first.head.max(recorded.head);
        settle(recordings, places, &recorded.outcomes)?;
    }
    Ok(first)
}

/// The highest number of each device.
fn highest<'n>(numbers: impl Iterator<Item = (&'n DeviceId, u64)>) -> HashMap<DeviceId, u64> {
    let mut highest = HashMap::new();
    for (device, number) in numbers {
        let known = highest.entry(device.clone()).or_insert(number);
        *known = number.max(*known);
    }
    highest
}

/// Takes what became of the entries at these places.
fn settle(
    recordings: &mut [Recording<'_>],
    places: impl IntoIterator<Item = usize>,
    outcomes: &[Outcome],
) -> Result<(), IntakeError> {
    for (place, outcome) in places.into_iter().zip(outcomes) {
        if let Some(sqlstate) = recordings[place].settle(outcome) {
            let reason = format!("a refusal cannot be recorded (SQLSTATE {sqlstate})");
            return Err(IntakeError::Unavailable(reason));
        }
    }
    Ok(())
}

/// What is still to be recorded before anybody hears of it: the refusals that only the append brought to light,
/// with the later versions that can follow them now. Each round refuses one entry at least, so there is an end.
fn unrecorded(recordings: &mut [Recording<'_>]) -> Option<Vec<(usize, NewEvent)>> {
    let refusals = recordings.iter_mut().enumerate();
    let mut again: Vec<(usize, NewEvent)> =
        refusals.filter_map(|(place, recording)| Some((place, recording.take_refusal()?))).collect();
    if again.is_empty() {
        return None;
    }
    let waiting = recordings.iter().enumerate();
    again.extend(waiting.filter_map(|(place, recording)| Some((place, recording.waiting()?))));
    Some(again)
}
