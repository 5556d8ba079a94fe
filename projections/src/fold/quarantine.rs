//! Refused submissions that nobody has dealt with.
//!
//! One leaves the quarantine when somebody releases it, or when what it says has been recorded as a lead after
//! all: the very same bytes, or the same version of the same lead. A submission that this program was too old to
//! understand waits here for the newer one. An erasure empties the entry and leaves the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::{
    Bearer, ClientId, DeviceId, FOLLOW_UP_STREAM, FieldError, FollowUpEvent, LEAD_STREAM, RefusalReason,
    SUBMISSION_STREAM, SubmissionEvent, Timestamp,
};
use event_store::RecordedEvent;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use super::parse::{current_payload, parse};
use crate::Poison;

/// A refused submission. Prints without personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Digest of the entry as received, in hexadecimal; it names the submission.
    pub digest: String,
    /// Where the refusal stands in the log.
    pub position: u64,
    /// When it was recorded, by the store's clock.
    #[serde(serialize_with = "in_rfc_3339")]
    pub recorded_at: OffsetDateTime,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// The lead that it says it is: in the normal form if it is an id, otherwise as received.
    pub client_id: Option<String>,
    /// The version that it says it is.
    pub version: Option<u32>,
    /// The installation that it says made it, as received.
    pub device_id: Option<String>,
    /// Its number there, as received, if a device could have given it (at most 2^63 - 1).
    pub device_seq: Option<u64>,
    /// Which installation sent it; `None` when nobody gave a name, as a hub's relay does.
    pub sent_by: Option<String>,
    /// Which rules it breaks.
    pub errors: Vec<FieldError>,
    /// The entry as received; empty after an erasure.
    pub raw: String,
}

/// What one event does to the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineChange {
    /// A submission was refused.
    Refused(Box<Quarantined>),
    /// Somebody has dealt with one.
    Released {
        /// Digest of the entry.
        digest: String,
    },
    /// A version of a lead was recorded.
    Recorded {
        /// Digest of the entry; none after an erasure.
        digest: Option<String>,
        /// The lead.
        client_id: String,
        /// The version.
        version: u32,
    },
    /// A person was erased.
    Erased {
        /// The lead.
        client_id: String,
    },
}

/// All of the quarantine, folded event by event, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine {
    submissions: BTreeMap<String, Quarantined>,
    /// Digests by what they say they are.
    by_lead: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Metadata<'m> {
    #[serde(borrow, default)]
    digest: Option<std::borrow::Cow<'m, str>>,
}

impl QuarantineChange {
    /// Reads from an event what it does; `None` when that is nothing.
    ///
    /// # Errors
    /// [`Poison`] when it does something that cannot be understood.
    pub fn read(event: &RecordedEvent) -> Result<Option<Self>, Poison> {
        match event.aggregate_type.as_str() {
            LEAD_STREAM => {
                let metadata: Metadata<'_> = parse(&event.metadata, "metadata")?;
                let version = u32::try_from(event.sequence)
                    .map_err(|_| Poison::new("the version of a lead is larger than 2^32 - 1"))?;
                Ok(Some(Self::Recorded {
                    digest: metadata.digest.map(std::borrow::Cow::into_owned),
                    client_id: event.aggregate_id.clone(),
                    version,
                }))
            }
            SUBMISSION_STREAM => submission(event).map(Some),
            FOLLOW_UP_STREAM if event.event_type == FollowUpEvent::LEAD_ERASED => {
                Ok(Some(Self::Erased { client_id: event.aggregate_id.clone() }))
            }
            _ => Ok(None),
        }
    }
}

fn submission(event: &RecordedEvent) -> Result<QuarantineChange, Poison> {
    let read: SubmissionEvent = parse(&current_payload(event)?, "payload")?;
    let digest = event.aggregate_id.clone();
    Ok(match read {
        SubmissionEvent::Released(_) => QuarantineChange::Released { digest },
        SubmissionEvent::Refused(refusal) => {
            // What a sender wrote may hold what no column can.
            let storable = |text: String| text.replace('\0', "\u{fffd}");
            let device_id = refusal.device_id.map(storable);
            let sent_by = match parse(&event.metadata, "metadata")? {
                Bearer::Maker => device_id.clone(),
                Bearer::Other(sender) => sender.as_ref().map(DeviceId::to_string),
            };
            let canonical =
                |id: String| id.parse::<ClientId>().map_or_else(|_| storable(id), |id| id.to_string());
            QuarantineChange::Refused(Box::new(Quarantined {
                digest,
                position: event.position,
                recorded_at: event.recorded_at,
                reason: refusal.reason,
                client_id: refusal.client_id.map(canonical),
                version: refusal.version,
                device_id,
                sent_by,
                device_seq: refusal.device_seq.filter(|number| i64::try_from(*number).is_ok()),
                errors: refusal.errors,
                raw: refusal.raw,
            }))
        }
    })
}

impl Quarantined {
    /// Whether recording this version of this lead settles it.
    fn is_of(&self, client_id: &str, version: u32) -> bool {
        self.version == Some(version) && self.client_id.as_deref() == Some(client_id)
    }
}

impl Quarantine {
    /// Applies the next event of the log.
    ///
    /// # Errors
    /// [`Poison`] when the event does something to the quarantine and cannot be understood; nothing has changed
    /// then.
    pub fn apply(&mut self, event: &RecordedEvent) -> Result<(), Poison> {
        if let Some(change) = QuarantineChange::read(event)? {
            self.change(change);
        }
        Ok(())
    }

    /// Applies what an event does.
    pub(crate) fn change(&mut self, change: QuarantineChange) {
        match change {
            QuarantineChange::Refused(refused) => self.insert(*refused),
            QuarantineChange::Released { digest } => self.remove(&digest),
            QuarantineChange::Recorded { digest, client_id, version } => {
                if let Some(digest) = digest {
                    self.remove(&digest);
                }
                for digest in self.digests_of(&client_id) {
                    if self.submissions.get(&digest).is_some_and(|one| one.is_of(&client_id, version)) {
                        self.remove(&digest);
                    }
                }
            }
            QuarantineChange::Erased { client_id } => {
                for digest in self.digests_of(&client_id) {
                    if let Some(submission) = self.submissions.get_mut(&digest) {
                        submission.raw.clear();
                    }
                }
            }
        }
    }

    /// Every submission, in the order of the log.
    pub fn submissions(&self) -> Vec<&Quarantined> {
        let mut submissions: Vec<&Quarantined> = self.submissions.values().collect();
        submissions.sort_by_key(|submission| submission.position);
        submissions
    }

    fn insert(&mut self, refused: Quarantined) {
        if let Some(client_id) = &refused.client_id {
            self.by_lead.entry(client_id.clone()).or_default().insert(refused.digest.clone());
        }
        self.submissions.insert(refused.digest.clone(), refused);
    }

    fn remove(&mut self, digest: &str) {
        let Some(removed) = self.submissions.remove(digest) else { return };
        let Some(client_id) = removed.client_id else { return };
        if let Some(digests) = self.by_lead.get_mut(&client_id) {
            digests.remove(digest);
            if digests.is_empty() {
                self.by_lead.remove(&client_id);
            }
        }
    }

    fn digests_of(&self, client_id: &str) -> Vec<String> {
        self.by_lead.get(client_id).into_iter().flatten().cloned().collect()
    }
}

fn in_rfc_3339<S: Serializer>(moment: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    Timestamp::new(*moment).serialize(serializer)
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quarantined({:?} at {}, {:?}, …)", self.reason, self.position, self.errors)
    }
}
