//! What the log says about one lead, read from its event. The projections fold these.

use std::fmt;

use domain::{
    CampaignId, Campaigns, ClientId, ConsentGrant, DeviceId, EmailKey, EmbeddedCampaigns, Entry, LEAD_STREAM,
    LeadEvent, Phone, PhonePlan,
};
use event_store::RecordedEvent;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::Poison;

/// A captured lead in the form that read models keep. Prints without personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedLead {
    /// Where the capture stands in the log.
    pub position: u64,
    /// When, by the store's clock.
    pub recorded_at: OffsetDateTime,
    /// The lead.
    pub client_id: ClientId,
    /// Its version.
    pub version: u32,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Version of the campaign document that the form was showing.
    pub campaign_version: u32,
    /// The installation that made it.
    pub device_id: DeviceId,
    /// Its sequence number there.
    pub device_seq: u64,
    /// When, by the device's clock, with its offset. In whole microseconds, because that is what PostgreSQL
    /// keeps, and the order of captures must be the same before and after.
    pub captured_at: OffsetDateTime,
    /// Who held the device.
    pub operator: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// E-mail address as given, trimmed.
    pub email: Option<String>,
    /// Its normal form, if it is valid.
    pub email_key: Option<EmailKey>,
    /// Telephone number in E.164.
    pub phone: Option<String>,
    /// Consents, as the entry lists them.
    pub consents: Vec<ConsentGrant>,
    /// What was unusual when it was recorded.
    pub flags: Vec<String>,
}

/// The part of an event's metadata that read models use.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    flags: String,
}

impl CapturedLead {
    /// Reads the lead from an event; `None` when the event is not of a lead.
    ///
    /// # Errors
    /// [`Poison`] when it is of a lead and this program cannot tell what it says.
    pub fn read(event: &RecordedEvent) -> Result<Option<Self>, Poison> {
        if event.aggregate_type != LEAD_STREAM {
            return Ok(None);
        }
        let form = (event.event_type.as_str(), event.event_version.as_str());
        if form != ("LeadCaptured", LeadEvent::FORM_VERSION) {
            return Err(Poison::new(format!("this program does not know {} in form {}", form.0, form.1)));
        }
        let entry: Entry = parse(&event.payload, "payload")?;
        let metadata: Metadata = parse(&event.metadata, "metadata")?;
        if event.aggregate_id.parse() != Ok(entry.client_id) || event.sequence != u64::from(entry.version) {
            return Err(Poison::new("the payload is of another lead or version than its stream"));
        }
        Self::new(event, entry, &metadata).map(Some)
    }

    fn new(event: &RecordedEvent, entry: Entry, metadata: &Metadata) -> Result<Self, Poison> {
        let email_key = entry.email_key();
        let phone = trimmed(entry.contact.phone.as_deref())
            // What the rules of today would refuse was accepted once, and is kept as it is.
            .map(|typed| {
                Phone::parse(&typed, &phone_plan(&entry)).map_or(typed, |phone| phone.as_str().to_owned())
            });
        let moment = entry.captured_at.moment();
        let whole_microseconds = moment.nanosecond() / 1_000 * 1_000;
        let captured_at = moment
            .replace_nanosecond(whole_microseconds)
            .map_err(|_| Poison::new("capturedAt cannot be kept in microseconds"))?;
        Ok(Self {
            position: event.position,
            recorded_at: event.recorded_at,
            client_id: entry.client_id,
            version: entry.version,
            campaign_id: entry.campaign_id,
            campaign_version: entry.campaign_version,
            device_id: entry.device_id,
            device_seq: entry.device_seq,
            captured_at,
            operator: trimmed(entry.operator.as_deref()),
            first_name: trimmed(entry.contact.first_name.as_deref()),
            last_name: trimmed(entry.contact.last_name.as_deref()),
            email: trimmed(entry.contact.email.as_deref()),
            email_key,
            phone,
            consents: entry.consents,
            flags: metadata.flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// Reads JSON; the reason names the field and the place, not the value.
fn parse<'a, T: Deserialize<'a>>(json: &'a str, part: &str) -> Result<T, Poison> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (line, column) = (error.inner().line(), error.inner().column());
        Poison::new(format!("{part}: {} is not readable at line {line} column {column}", error.path()))
    })
}

fn phone_plan(entry: &Entry) -> PhonePlan {
    let campaigns = EmbeddedCampaigns;
    campaigns
        .version(&entry.campaign_id, entry.campaign_version)
        .or_else(|| campaigns.newest(&entry.campaign_id))
        .map(|campaign| campaign.phone_plan.clone())
        .unwrap_or_default()
}

fn trimmed(typed: Option<&str>) -> Option<String> {
    typed.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl fmt::Debug for CapturedLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapturedLead({} at {})", self.client_id, self.position)
    }
}
