//! What a [`super::MemoryLog`] holds: the events, and what can be found quickly in them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AppendId, ClientId, Digest, FOLLOW_UP_STREAM, FollowUpEvent, LEAD_STREAM, SUBMISSION_STREAM, StoreId,
};
use time::OffsetDateTime;

use super::AppendFailure;
use crate::batch::{Batch, Offered, Refused, Stored, StoredAt};
use crate::event::DIGEST_KEY;
use crate::{AppendError, Appended, EmailClaim, Head, NewEvent, Placed, RecordedEvent, claim, erasure};

/// Stream and sequence.
type Key = (String, String, u64);

pub(super) struct State {
    store_id: StoreId,
    append_ids: AppendIds,
    pub(super) now: OffsetDateTime,
    pub(super) failure: Option<AppendFailure>,
    pub(super) refused_content: Option<String>,
    /// The event at position n is at n - 1.
    events: Vec<RecordedEvent>,
    /// What erasures removed, for [`State::truncate`].
    removed: Vec<Removed>,
    found: Found,
}

/// What is derived from the events.
#[derive(Clone, Default)]
struct Found {
    keys: BTreeMap<Key, u64>,
    /// Positions by kind of stream.
    kinds: BTreeMap<String, Vec<u64>>,
    claims: BTreeMap<EmailClaim, (ClientId, u64)>,
    refused: BTreeMap<ClientId, BTreeSet<(Option<u64>, String)>>,
    erased: BTreeMap<ClientId, u64>,
}

#[derive(Clone)]
struct Removed {
    /// Position of the erasure.
    by: u64,
    /// Position of the event.
    at: u64,
    payload: String,
    metadata: String,
}

impl State {
    pub(super) fn new(store_id: StoreId, seed: u64) -> Self {
        Self {
            store_id,
            append_ids: AppendIds::new(seed),
            now: OffsetDateTime::UNIX_EPOCH,
            failure: None,
            refused_content: None,
            events: Vec::new(),
            removed: Vec::new(),
            found: Found::default(),
        }
    }

    pub(super) fn copy(&mut self) -> Self {
        Self {
            store_id: self.store_id,
            append_ids: self.append_ids.fork(),
            now: self.now,
            failure: self.failure,
            refused_content: self.refused_content.clone(),
            events: self.events.clone(),
            removed: self.removed.clone(),
            found: self.found.clone(),
        }
    }

    pub(super) fn truncate(&mut self, through: u64) {
        for removed in self.removed.iter().rev().filter(|removed| removed.by > through) {
            let event = &mut self.events[index(removed.at)];
            event.payload.clone_from(&removed.payload);
            event.metadata.clone_from(&removed.metadata);
        }
        self.removed.retain(|removed| removed.by <= through);
        self.events.truncate(usize::try_from(through).unwrap_or(usize::MAX));
        self.found = Found::default();
        for event in &self.events {
            self.found.add(event);
        }
    }

    pub(super) fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    pub(super) fn head(&self) -> Head {
        Head { store_id: self.store_id, position: self.events.len() as u64 }
    }

    pub(super) fn at(&self, position: u64) -> Option<&RecordedEvent> {
        self.events.get(usize::try_from(position.checked_sub(1)?).ok()?)
    }

    pub(super) fn after(&self, cursor: u64) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().skip(usize::try_from(cursor).unwrap_or(usize::MAX))
    }

    pub(super) fn kind_after(&self, aggregate_type: &str, cursor: u64, limit: u32) -> Vec<RecordedEvent> {
        let Some(positions) = self.found.kinds.get(aggregate_type) else { return Vec::new() };
        let from = positions.partition_point(|position| *position <= cursor);
        let page = positions.iter().skip(from).take(limit as usize);
        page.map(|position| self.events[index(*position)].clone()).collect()
    }

    pub(super) fn stream(&self, aggregate_type: &str, aggregate_id: &str) -> Vec<RecordedEvent> {
        let positions = self.found.positions(aggregate_type, aggregate_id);
        positions.map(|position| self.events[index(position)].clone()).collect()
    }

    pub(super) fn append(&mut self, offered: &[NewEvent]) -> Result<Vec<Placed>, AppendError> {
        self.fail_before()?;
        let batch = Batch::of(offered);
        let plans: Vec<Plan> = batch.events.iter().map(|offered| self.plan(offered)).collect();
        for (offered, plan) in batch.events.iter().zip(&plans) {
            if matches!(plan, Plan::Record) && self.refuses(offered.event) {
                return Err(AppendError::Content { sqlstate: "23514".to_owned() });
            }
        }
        // Nothing can fail from here on, so all of it happens or nothing.
        let append_id = self.append_ids.draw();
        let recorded = batch.events.iter().zip(&plans).filter(|(_, plan)| matches!(plan, Plan::Record));
        let recorded: Vec<&Offered<'_>> = recorded.map(|(offered, _)| offered).collect();
        recorded.iter().for_each(|offered| self.release(offered));
        recorded.iter().for_each(|offered| self.record(append_id, offered));
        let stored: Vec<Stored> = batch
            .events
            .iter()
            .zip(&plans)
            .map(|(offered, plan)| match plan {
                Plan::Record | Plan::Known => self.stored(offered, matches!(plan, Plan::Record)),
                Plan::Wait => Stored::Waiting,
                Plan::Erased => Stored::Erased,
            })
            .collect();
        self.fail_after()?;
        Ok(batch.answer(offered, &stored))
    }

    pub(super) fn erase(
        &mut self,
        client_id: ClientId,
        event: &FollowUpEvent,
    ) -> Result<Appended, AppendError> {
        let payload = erasure::payload_of(event).ok_or_else(AppendError::not_an_erasure)?;
        self.fail_before()?;
        if let Some(position) = self.found.erased.get(&client_id) {
            let append_id = self.events[index(*position)].append_id;
            let position = *position;
            return Ok(Appended { position, append_id, is_new: false, is_same: true, email_holder: None });
        }
        let lead = client_id.to_string();
        let erasure = NewEvent {
            aggregate_type: FOLLOW_UP_STREAM,
            aggregate_id: lead.clone(),
            sequence: self.found.positions(FOLLOW_UP_STREAM, &lead).count() as u64 + 1,
            event_type: event.name(),
            event_version: FollowUpEvent::FORM_VERSION,
            digest: Digest::of(&payload),
            payload,
            metadata: Vec::new(),
            claim: None,
        };
        let mut at: Vec<u64> = self.found.positions(LEAD_STREAM, &lead).collect();
        at.extend(self.found.positions(FOLLOW_UP_STREAM, &lead));
        for (_, submission) in self.found.refused.get(&client_id).into_iter().flatten() {
            at.extend(self.found.positions(SUBMISSION_STREAM, submission));
        }
        let by = self.events.len() as u64 + 1;
        for at in at {
            let event = &mut self.events[index(at)];
            let (payload, metadata) = (event.payload.clone(), event.metadata.clone());
            event.payload = erasure::without_person(&event.aggregate_type, &payload);
            event.metadata = erasure::without_digest(&metadata);
            self.removed.push(Removed { by, at, payload, metadata });
        }
        let append_id = self.append_ids.draw();
        let position = self.push(append_id, &erasure);
        self.fail_after()?;
        Ok(Appended { position, append_id, is_new: true, is_same: true, email_holder: None })
    }

    fn plan(&self, offered: &Offered<'_>) -> Plan {
        let event = offered.event;
        let is_erased = |lead: &ClientId| self.found.erased.contains_key(lead);
        let lead = || event.aggregate_id.parse().ok();
        if event.aggregate_type == LEAD_STREAM && lead().as_ref().is_some_and(is_erased)
            || offered.refuses.as_ref().is_some_and(|refused| is_erased(&refused.client_id))
        {
            return Plan::Erased;
        }
        if self.found.position(event).is_some() {
            return Plan::Known;
        }
        let Some(needed) = offered.needs else { return Plan::Record };
        let is_recorded = self.found.has(LEAD_STREAM, &event.aggregate_id, needed);
        let is_refused = || {
            let refused = lead().and_then(|lead| self.found.refused.get(&lead));
            refused.is_some_and(|versions| versions.iter().any(|(version, _)| *version == Some(needed)))
        };
        if is_recorded || is_refused() { Plan::Record } else { Plan::Wait }
    }

    fn refuses(&self, event: &NewEvent) -> bool {
        let marker = self.refused_content.as_ref();
        event.aggregate_type == LEAD_STREAM && marker.is_some_and(|marker| event.payload.contains(marker))
    }

    /// Gives up what earlier versions claim, if this one is the newest.
    fn release(&mut self, offered: &Offered<'_>) {
        let event = offered.event;
        let newest = self.found.positions(LEAD_STREAM, &event.aggregate_id).last();
        let newest = newest.map_or(0, |position| self.events[index(position)].sequence);
        if offered.may_release_claims && newest < event.sequence {
            self.found.release(&event.aggregate_id, offered.claim);
        }
    }

    fn record(&mut self, append_id: AppendId, offered: &Offered<'_>) {
        let event = offered.event;
        let position = self.push(append_id, event);
        if let (Some(claim), Ok(lead)) = (offered.claim, event.aggregate_id.parse()) {
            self.found.claims.entry(claim.clone()).or_insert((lead, position));
        }
    }

    fn push(&mut self, append_id: AppendId, event: &NewEvent) -> u64 {
        let event = RecordedEvent {
            position: self.events.len() as u64 + 1,
            append_id,
            recorded_at: self.now,
            aggregate_type: event.aggregate_type.to_owned(),
            aggregate_id: event.aggregate_id.clone(),
            sequence: event.sequence,
            event_type: event.event_type.to_owned(),
            event_version: event.event_version.to_owned(),
            payload: event.payload.clone(),
            metadata: event.metadata_json(),
        };
        self.found.find(&event);
        self.events.push(event);
        self.events.len() as u64
    }

    fn stored(&self, offered: &Offered<'_>, is_new: bool) -> Stored {
        let Some(position) = self.found.position(offered.event) else { return Stored::Waiting };
        let event = &self.events[index(position)];
        let holder = offered.claim.and_then(|claim| self.found.claims.get(claim).copied());
        Stored::At(StoredAt {
            position,
            append_id: event.append_id,
            is_new,
            digest: if is_new { None } else { digest(&event.metadata) },
            email_holder: holder.filter(|(lead, _)| lead.to_string() != event.aggregate_id),
        })
    }

    fn fail_before(&self) -> Result<(), AppendError> {
        match self.failure {
            Some(AppendFailure::Unavailable) => Err(unavailable("the database does not answer")),
            Some(AppendFailure::HalfWay) => Err(unavailable("the transaction was rolled back")),
            Some(AppendFailure::AnswerLost) | None => Ok(()),
        }
    }

    fn fail_after(&self) -> Result<(), AppendError> {
        match self.failure {
            Some(AppendFailure::AnswerLost) => Err(unavailable("the connection broke")),
            _ => Ok(()),
        }
    }
}

/// What is to be done with one distinct event.
enum Plan {
    Record,
    Known,
    Wait,
    Erased,
}

impl Found {
    /// Adds an event of a log that is read again.
    fn add(&mut self, event: &RecordedEvent) {
        self.find(event);
        if event.aggregate_type == LEAD_STREAM
            && let Ok(lead) = event.aggregate_id.parse()
        {
            let claim = claim::of_payload(&event.payload);
            if event.sequence > 1 {
                self.release(&event.aggregate_id, claim.as_ref());
            }
            if let Some(claim) = claim {
                self.claims.entry(claim).or_insert((lead, event.position));
            }
        }
    }

    /// Adds what follows from the event whatever was claimed with it.
    fn find(&mut self, event: &RecordedEvent) {
        let key = (event.aggregate_type.clone(), event.aggregate_id.clone(), event.sequence);
        self.keys.insert(key, event.position);
        match event.aggregate_type.as_str() {
            SUBMISSION_STREAM => {
                if let Some(Refused { client_id, version }) = Refused::of(&event.payload) {
                    let refused = self.refused.entry(client_id).or_default();
                    refused.insert((version, event.aggregate_id.clone()));
                }
            }
            FOLLOW_UP_STREAM if event.event_type == FollowUpEvent::LEAD_ERASED => {
                if let Ok(lead) = event.aggregate_id.parse() {
                    self.erased.insert(lead, event.position);
                    self.release(&event.aggregate_id, None);
                }
            }
            _ => {}
        }
        self.kinds.entry(event.aggregate_type.clone()).or_default().push(event.position);
    }

    /// Takes back every claim of the lead but this one.
    fn release(&mut self, lead: &str, but: Option<&EmailClaim>) {
        let Ok(lead) = lead.parse::<ClientId>() else { return };
        self.claims.retain(|claim, (holder, _)| *holder != lead || Some(claim) == but);
    }

    fn position(&self, event: &NewEvent) -> Option<u64> {
        let key = (event.aggregate_type.to_owned(), event.aggregate_id.clone(), event.sequence);
        self.keys.get(&key).copied()
    }

    fn has(&self, aggregate_type: &str, aggregate_id: &str, sequence: u64) -> bool {
        self.keys.contains_key(&(aggregate_type.to_owned(), aggregate_id.to_owned(), sequence))
    }

    /// Positions of a stream's events, in the order of the stream.
    fn positions(&self, aggregate_type: &str, aggregate_id: &str) -> impl DoubleEndedIterator<Item = u64> {
        let at = |sequence| (aggregate_type.to_owned(), aggregate_id.to_owned(), sequence);
        self.keys.range(at(0)..=at(u64::MAX)).map(|(_, position)| *position)
    }
}

/// The place of a position in the list of events.
fn index(position: u64) -> usize {
    usize::try_from(position - 1).unwrap_or(usize::MAX)
}

fn digest(metadata: &str) -> Option<String> {
    let metadata: BTreeMap<String, String> = serde_json::from_str(metadata).ok()?;
    metadata.get(DIGEST_KEY).cloned()
}

fn unavailable(reason: &str) -> AppendError {
    AppendError::Unavailable { reason: reason.to_owned() }
}

/// Append ids from a seed (SplitMix64).
struct AppendIds {
    state: u64,
    forks: u64,
}

impl AppendIds {
    const fn new(seed: u64) -> Self {
        Self { state: mix(seed), forks: 0 }
    }

    fn draw(&mut self) -> AppendId {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        AppendId::from_bits(mix(self.state).cast_signed())
    }

    /// A source that goes its own way, other than every other fork's.
    fn fork(&mut self) -> Self {
        self.forks += 1;
        Self::new(mix(self.state ^ mix(self.forks)))
    }
}

const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
