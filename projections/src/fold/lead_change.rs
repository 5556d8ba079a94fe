//! What one event does to a lead.

use domain::{ClientId, Entry, FOLLOW_UP_STREAM, FollowUpEvent, LEAD_STREAM, PhonePlan};
use event_store::RecordedEvent;
use serde::Deserialize;

use super::lead_view::{LeadView, normal_phone};
use super::parse::{current_payload, in_microseconds, parse, trimmed};
use crate::Poison;

/// What one event does to a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadChange {
    /// The device said a version of it: the lead as that version alone says it.
    Version(Box<LeadView>),
    /// The office did something with it.
    FollowUp {
        /// The lead.
        client_id: ClientId,
        /// What it did.
        event: FollowUpEvent,
    },
}

/// The part of an event's metadata that read models use.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    flags: String,
    /// How the telephone number was read when the lead was judged, if that is not the usual way. A fold never asks
    /// which campaigns are published now: it must give the same rows at any time (invariant 8).
    phone_plan: Option<String>,
}

impl LeadChange {
    /// Reads the change from an event; `None` when the event is about no lead.
    ///
    /// # Errors
    /// [`Poison`] when it is about one and this program cannot tell what it says.
    pub fn read(event: &RecordedEvent) -> Result<Option<Self>, Poison> {
        match event.aggregate_type.as_str() {
            LEAD_STREAM => version(event).map(|view| Some(Self::Version(Box::new(view)))),
            FOLLOW_UP_STREAM => follow_up(event).map(Some),
            _ => Ok(None),
        }
    }

    /// The lead.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::Version(view) => view.client_id,
            Self::FollowUp { client_id, .. } => *client_id,
        }
    }
}

fn unknown(event: &RecordedEvent) -> Poison {
    Poison::new(format!("this program does not know {} in form {}", event.event_type, event.event_version))
}

fn version(event: &RecordedEvent) -> Result<LeadView, Poison> {
    let is_voided = match event.event_type.as_str() {
        "LeadCaptured" | "LeadCorrected" => false,
        "LeadVoided" => true,
        _ => return Err(unknown(event)),
    };
    let entry: Entry = parse(&current_payload(event)?, "payload")?;
    let metadata: Metadata = parse(&event.metadata, "metadata")?;
    if event.aggregate_id.parse() != Ok(entry.client_id) || event.sequence != u64::from(entry.version) {
        return Err(Poison::new("the payload is of another lead or version than its stream"));
    }
    Ok(view(event, entry, is_voided, &metadata))
}

fn view(event: &RecordedEvent, entry: Entry, is_voided: bool, metadata: &Metadata) -> LeadView {
    let email_key = entry.email_key();
    let plan = metadata.phone_plan.as_deref().and_then(PhonePlan::from_text).unwrap_or_default();
    let phone = normal_phone(entry.contact.phone.as_deref(), &plan);
    LeadView {
        client_id: entry.client_id,
        position: event.position,
        recorded_at: event.recorded_at,
        version: entry.version,
        version_recorded_at: event.recorded_at,
        is_voided,
        campaign_id: entry.campaign_id,
        campaign_version: entry.campaign_version,
        device_id: entry.device_id,
        device_seq: entry.device_seq,
        captured_at: in_microseconds(entry.captured_at.moment()),
        clock_offset_ms: entry.clock_offset_ms,
        operator: trimmed(entry.operator.as_deref()),
        first_name: trimmed(entry.contact.first_name.as_deref()),
        last_name: trimmed(entry.contact.last_name.as_deref()),
        email: trimmed(entry.contact.email.as_deref()),
        email_key,
        phone,
        consents: entry.consents,
        withdrawn: Vec::new(),
        flags: metadata.flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
    }
}

fn follow_up(event: &RecordedEvent) -> Result<LeadChange, Poison> {
    if !["ContactCorrected", "ConsentWithdrawn", FollowUpEvent::LEAD_ERASED]
        .contains(&event.event_type.as_str())
    {
        return Err(unknown(event));
    }
    let client_id =
        event.aggregate_id.parse().map_err(|_| Poison::new("the stream is not named by a lead"))?;
    let read: FollowUpEvent = parse(&current_payload(event)?, "payload")?;
    if read.name() != event.event_type {
        return Err(Poison::new("the payload is of another kind than its event"));
    }
    Ok(LeadChange::FollowUp { client_id, event: read })
}
