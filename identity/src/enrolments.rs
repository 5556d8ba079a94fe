//! The enrolments of a store, as every process keeps them in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::{
    CodeDigest, DeviceId, DeviceName, ENROLMENT_STREAM, EnrolledDevice, Enrolment, EnrolmentEvent,
    EnrolmentId, EnrolmentOffer,
};
use event_store::{FollowedStream, LogError, PostgresLog, RecordedEvent};

/// Every enrolment that there was.
#[derive(Debug, Clone, Default)]
pub struct Enrolments {
    /// `None` for one that cannot be read, because a newer program wrote about it: it lets nobody in.
    by_id: BTreeMap<EnrolmentId, Option<Enrolment>>,
    by_code: HashMap<CodeDigest, EnrolmentId>,
}

/// The enrolments that a process knows.
pub struct KnownEnrolments(FollowedStream<PostgresLog, Enrolments>);

impl KnownEnrolments {
    /// None yet.
    pub fn new(log: PostgresLog) -> Self {
        Self(FollowedStream::new(log, ENROLMENT_STREAM, Enrolments::default(), fold))
    }

    /// Reads what was recorded since the last look, and answers every enrolment.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn refresh(&self) -> Result<Arc<Enrolments>, LogError> {
        self.0.refresh().await
    }

    /// What was recorded up to `max_age` ago, and perhaps more.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn known_within(&self, max_age: Duration) -> Result<Arc<Enrolments>, LogError> {
        self.0.known_within(max_age).await
    }
}

impl Enrolments {
    /// Every one by its id; `None` for one that this program cannot read.
    pub fn iter(&self) -> impl Iterator<Item = (&EnrolmentId, Option<&Enrolment>)> {
        self.by_id.iter().map(|(id, enrolment)| (id, enrolment.as_ref()))
    }

    /// The enrolment of this id.
    pub fn get(&self, id: &EnrolmentId) -> Option<&Enrolment> {
        self.by_id.get(id)?.as_ref()
    }

    pub(crate) fn of_code(&self, digest: &CodeDigest) -> Option<(&EnrolmentId, &Enrolment)> {
        let id = self.by_code.get(digest)?;
        Some((id, self.get(id)?))
    }

    /// The device that came in by this enrolment, with the terms.
    pub fn device(&self, id: &EnrolmentId) -> Option<(&EnrolmentOffer, &EnrolledDevice)> {
        let enrolment = self.get(id)?;
        enrolment.offer().zip(enrolment.device())
    }

    /// Every installation that came in under the name of this one, for the same campaign: what they left is its own. One that
    /// was ever enrolled under another name, too, is nobody's: a device can claim any id.
    pub fn installations_of(&self, id: &EnrolmentId) -> BTreeSet<DeviceId> {
        let Some((own, _)) = self.device(id) else { return BTreeSet::new() };
        let came_in = || {
            let enrolments = self.by_id.values().flatten();
            enrolments.filter_map(|it| Some((it.offer()?, &it.device()?.device_id)))
        };
        let elsewhere: BTreeSet<&DeviceId> = came_in()
            .filter(|(offer, _)| offer.device_name != own.device_name)
            .map(|(_, device_id)| device_id)
            .collect();
        came_in()
            .filter(|(offer, _)| offer.device_name == own.device_name && offer.campaign_id == own.campaign_id)
            .map(|(_, device_id)| device_id)
            .filter(|device_id| !elsewhere.contains(device_id))
            .cloned()
            .collect()
    }

    /// The name under which this installation is in, if that is another one.
    pub(crate) fn other_name(&self, device_id: &DeviceId, name: &DeviceName) -> Option<&DeviceName> {
        let enrolments = self.by_id.values().flatten().filter(|it| it.revoked_at().is_none());
        let mut names = enrolments
            .filter(|it| it.device().is_some_and(|device| device.device_id == *device_id))
            .filter_map(|it| it.offer().map(|offer| &offer.device_name));
        names.find(|other| *other != name)
    }
}

fn fold(enrolments: &mut Enrolments, event: &RecordedEvent) {
    // Only this program writes the stream.
    let Ok(id) = event.aggregate_id.parse::<EnrolmentId>() else { return };
    let Enrolments { by_id, by_code } = enrolments;
    let enrolment = by_id.entry(id.clone()).or_insert_with(|| Some(Enrolment::default()));
    match read(event) {
        Ok(event) => {
            if let EnrolmentEvent::Offered { offer, .. } = &event {
                // Of two the first: what another store tells takes no code away.
                by_code.entry(offer.code_digest.clone()).or_insert(id);
            }
            if let Some(enrolment) = enrolment {
                enrolment.evolve(event);
            }
        }
        Err(error) => {
            let position = event.position;
            tracing::error!(position, enrolment = %id, %error, "an enrolment cannot be read and lets nobody in; update this program");
            *enrolment = None;
        }
    }
}

fn read(event: &RecordedEvent) -> Result<EnrolmentEvent, String> {
    let payload = event.current_payload().map_err(|unknown| unknown.to_string())?;
    serde_json::from_str(&payload).map_err(|error| format!("line {} column {}", error.line(), error.column()))
}
