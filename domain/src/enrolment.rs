//! The aggregate of one enrolment: how one device was let in, by a one-time code.
//!
//! The stream `enrolment/<enrolmentId>` says under which name and for which campaign a device may come in, which
//! installation came with which public key, and whether it was shut out. Whoever has the log can admit the same devices:
//! nothing else is needed, and nothing in it is secret. The code is known by its digest alone.
//!
//! # One code, one device
//!
//! A code is good once. The device that used it may say so again with the same key, because the answer to the first time
//! may have been lost on the way.
//!
//! # Two stores, one stream
//!
//! A hub and its cloud tell each other of the devices that came in, so that both admit the same. A code works in the store
//! that made it, and nothing of an enrolment travels before a device has come in by it. After that one thing alone can
//! happen, that the device is shut out, and both may say so: whichever event stands there, it says the same.
//!
//! # The name is what lasts
//!
//! An installation ends when its storage is wiped; the next one on the same iPad is enrolled under the same name. So what
//! belongs to a device, its backups, belongs to every installation that was enrolled under its name for that campaign.
//!
//! # Shut out is not thrown away
//!
//! A device that was shut out keeps its key, and hands in what it still holds, to be looked at by somebody.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checked_text::{checked_text, is_hex};
use crate::{CampaignId, DeviceId, Timestamp};

/// Kind of stream that holds an enrolment.
pub const ENROLMENT_STREAM: &str = "enrolment";

const MAX_NAME_CHARS: usize = 40;

/// Names one enrolment: 16 hexadecimal digits. To OAuth it is the client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "5f0c9be2a1d47736"))]
#[serde(transparent)]
pub struct EnrolmentId(String);

/// What people call a device: `iPad 7`. It stands on the device and in lists, so it names no person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "iPad 7"))]
#[serde(transparent)]
pub struct DeviceName(String);

/// SHA-256 of a code, as 64 hexadecimal digits. A code has 128 random bits, so nobody turns it back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CodeDigest(String);

/// The public key of a device, a point of P-256, as a JSON Web Key (RFC 7517) says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceKey {
    /// `EC`
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "EC"))]
    kty: Kty,
    /// `P-256`
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "P-256"))]
    crv: Crv,
    /// The first coordinate: 32 bytes, base64url without padding.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    x: Coordinate,
    /// The second one.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    y: Coordinate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kty {
    #[serde(rename = "EC")]
    Ec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Crv {
    #[serde(rename = "P-256")]
    P256,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Coordinate(String);

/// The text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentTextError {
    /// No id of an enrolment.
    #[error("must be 16 hexadecimal digits")]
    Id,
    /// No name of a device.
    #[error(
        "must be 1 to {MAX_NAME_CHARS} characters, without control characters and without spaces at its ends"
    )]
    Name,
    /// No digest of a code.
    #[error("must be 64 hexadecimal digits")]
    Digest,
    /// No coordinate of a public key.
    #[error("must be 32 bytes as base64url without padding")]
    Coordinate,
}

checked_text!(EnrolmentId, EnrolmentTextError, Id, |text| text.len() == 16 && is_hex(text));
checked_text!(CodeDigest, EnrolmentTextError, Digest, |text| text.len() == 64 && is_hex(text));
checked_text!(Coordinate, EnrolmentTextError, Coordinate, |text| {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
});
checked_text!(DeviceName, EnrolmentTextError, Name, |text| {
    (1..=MAX_NAME_CHARS).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text
});

impl EnrolmentId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnrolmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(…)")
    }
}

impl DeviceKey {
    /// Both coordinates, base64url without padding.
    pub fn coordinates(&self) -> (&str, &str) {
        (&self.x.0, &self.y.0)
    }
}

/// An offer to let one device in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentOffer {
    /// What the device captures for.
    pub campaign_id: CampaignId,
    /// What people call it.
    pub device_name: DeviceName,
    /// The code that it must show.
    pub code_digest: CodeDigest,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A device that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledDevice {
    /// The installation.
    pub device_id: DeviceId,
    /// Its public key.
    pub key: DeviceKey,
}

/// What is known of one enrolment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    offer: Option<EnrolmentOffer>,
    offered_at: Option<Timestamp>,
    device: Option<EnrolledDevice>,
    enrolled_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// What can be done with an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolmentCommand {
    /// Offer to let a device in.
    Offer(EnrolmentOffer),
    /// Let in a device that has shown the code.
    Enrol(EnrolledDevice),
    /// Shut the device out, or take the offer back.
    Revoke,
}

/// What happened to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum EnrolmentEvent {
    /// A device may come in.
    Offered {
        /// On which terms.
        #[serde(flatten)]
        offer: EnrolmentOffer,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// A device came in.
    Enrolled {
        /// Which.
        #[serde(flatten)]
        device: EnrolledDevice,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// The device was shut out, or the offer taken back. It counts for whoever has read it, whatever any clock says.
    Revoked {
        /// When, by the store's clock. For people; nothing depends on it.
        at: Timestamp,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// The id is taken.
    #[error("there is an enrolment of this id already; try again")]
    Exists,
    /// There is no such enrolment.
    #[error("there is no such enrolment")]
    Unknown,
    /// Its time is over.
    #[error("the code has expired, at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// A device has come in by it already.
    #[error("the code was used already")]
    Used,
    /// It was revoked.
    #[error("it was revoked at {at}")]
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl EnrolmentEvent {
    /// Version of the events' form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Names of the events.
    pub const NAMES: [&'static str; 3] = ["DeviceEnrolled", "EnrolmentOffered", "EnrolmentRevoked"];

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enrolled { .. } => Self::NAMES[0],
            Self::Offered { .. } => Self::NAMES[1],
            Self::Revoked { .. } => Self::NAMES[2],
        }
    }
}

impl Enrolment {
    /// On which terms a device may come in; `None` when there is no such enrolment.
    pub const fn offer(&self) -> Option<&EnrolmentOffer> {
        self.offer.as_ref()
    }

    /// When that was said.
    pub const fn offered_at(&self) -> Option<Timestamp> {
        self.offered_at
    }

    /// The device that came in, also when it was shut out since.
    pub const fn device(&self) -> Option<&EnrolledDevice> {
        self.device.as_ref()
    }

    /// When it came in.
    pub const fn enrolled_at(&self) -> Option<Timestamp> {
        self.enrolled_at
    }

    /// How many events there were.
    pub const fn events(&self) -> u64 {
        self.offer.is_some() as u64 + self.device.is_some() as u64 + self.revoked_at.is_some() as u64
    }

    /// When it was shut out, or the offer taken back.
    pub const fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    /// Decides what happens, by the store's clock `at`. Pure.
    ///
    /// # Errors
    /// [`EnrolmentError`] when nothing is to be done.
    pub fn decide(
        &self,
        command: EnrolmentCommand,
        at: Timestamp,
    ) -> Result<Vec<EnrolmentEvent>, EnrolmentError> {
        let Some(offer) = &self.offer else {
            return match command {
                EnrolmentCommand::Offer(offer) => Ok(vec![EnrolmentEvent::Offered { offer, at }]),
                EnrolmentCommand::Enrol(_) | EnrolmentCommand::Revoke => Err(EnrolmentError::Unknown),
            };
        };
        if let Some(at) = self.revoked_at {
            return Err(EnrolmentError::Revoked { at });
        }
        match (command, &self.device) {
            (EnrolmentCommand::Offer(_), _) => Err(EnrolmentError::Exists),
            (EnrolmentCommand::Revoke, _) => Ok(vec![EnrolmentEvent::Revoked { at }]),
            // The answer to the first time was lost.
            (EnrolmentCommand::Enrol(device), Some(known)) if *known == device => Ok(Vec::new()),
            (EnrolmentCommand::Enrol(_), Some(_)) => Err(EnrolmentError::Used),
            (EnrolmentCommand::Enrol(_), None) if at >= offer.expires_at => {
                Err(EnrolmentError::Expired { at: offer.expires_at })
            }
            (EnrolmentCommand::Enrol(device), None) => Ok(vec![EnrolmentEvent::Enrolled { device, at }]),
        }
    }

    /// Whether this may be what happened next, where another store says so: it was decided there.
    pub const fn may_go_on_with(&self, event: &EnrolmentEvent) -> bool {
        let (is_offered, is_used) = (self.offer.is_some(), self.device.is_some());
        match event {
            EnrolmentEvent::Offered { .. } => !is_offered,
            EnrolmentEvent::Enrolled { .. } => is_offered && !is_used && self.revoked_at.is_none(),
            EnrolmentEvent::Revoked { .. } => is_offered && self.revoked_at.is_none(),
        }
    }

    /// Applies an event of this stream.
    pub fn evolve(&mut self, event: EnrolmentEvent) {
        match event {
            EnrolmentEvent::Offered { offer, at } => {
                self.offer = Some(offer);
                self.offered_at = Some(at);
            }
            EnrolmentEvent::Enrolled { device, at } => {
                self.device = Some(device);
                self.enrolled_at = Some(at);
            }
            EnrolmentEvent::Revoked { at } => self.revoked_at = Some(at),
        }
    }
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{ENROLMENT_STREAM, Enrolment, EnrolmentCommand, EnrolmentError, EnrolmentEvent};
    use crate::Timestamp;

    impl DomainEvent for EnrolmentEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for Enrolment {
        const TYPE: &'static str = ENROLMENT_STREAM;
        /// With the moment by the store's clock.
        type Command = (EnrolmentCommand, Timestamp);
        type Event = EnrolmentEvent;
        type Error = EnrolmentError;
        type Services = ();

        async fn handle(
            &mut self,
            (command, at): Self::Command,
            (): &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), EnrolmentError> {
            for event in self.decide(command, at)? {
                sink.write(event, self).await;
            }
            Ok(())
        }

        fn apply(&mut self, event: EnrolmentEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(feature = "aggregates")]
#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    type Given = TestFramework<Enrolment>;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000, 0).unwrap()
    }

    fn offer() -> EnrolmentOffer {
        EnrolmentOffer {
            campaign_id: "shootout-2026".parse().unwrap(),
            device_name: "iPad 7".parse().unwrap(),
            code_digest: "0".repeat(64).parse().unwrap(),
            expires_at: at(600),
        }
    }

    fn device(id: &str) -> EnrolledDevice {
        let coordinate: Coordinate = "x".repeat(43).parse().unwrap();
        let key = DeviceKey { kty: Kty::Ec, crv: Crv::P256, x: coordinate.clone(), y: coordinate };
        EnrolledDevice { device_id: id.parse().unwrap(), key }
    }

    fn offered() -> EnrolmentEvent {
        EnrolmentEvent::Offered { offer: offer(), at: at(0) }
    }

    fn enrolled(id: &str) -> EnrolmentEvent {
        EnrolmentEvent::Enrolled { device: device(id), at: at(1) }
    }

    fn enrol(id: &str) -> EnrolmentCommand {
        EnrolmentCommand::Enrol(device(id))
    }

    #[test]
    fn a_code_lets_one_device_in_in_its_time() {
        Given::with(())
            .given(vec![offered()])
            .when((enrol("a"), at(1)))
            .then_expect_events(vec![enrolled("a")]);
        let expired = EnrolmentError::Expired { at: at(600) };
        Given::with(()).given(vec![offered()]).when((enrol("a"), at(600))).then_expect_error(expired);
        Given::with(())
            .given_no_previous_events()
            .when((enrol("a"), at(1)))
            .then_expect_error(EnrolmentError::Unknown);
        let used = vec![offered(), enrolled("a")];
        Given::with(()).given(used.clone()).when((enrol("b"), at(2))).then_expect_error(EnrolmentError::Used);
        // Also after its time: the answer was lost, and the network came back late.
        Given::with(()).given(used).when((enrol("a"), at(9999))).then_expect_events(vec![]);
    }

    #[test]
    fn who_was_shut_out_does_not_come_in_again_by_the_same_code() {
        let revoked = EnrolmentEvent::Revoked { at: at(5) };
        Given::with(())
            .given(vec![offered(), enrolled("a")])
            .when((EnrolmentCommand::Revoke, at(5)))
            .then_expect_events(vec![revoked.clone()]);
        for before in [vec![offered(), enrolled("a"), revoked.clone()], vec![offered(), revoked]] {
            for again in [enrol("a"), EnrolmentCommand::Revoke, EnrolmentCommand::Offer(offer())] {
                let expected = EnrolmentError::Revoked { at: at(5) };
                Given::with(()).given(before.clone()).when((again, at(6))).then_expect_error(expected);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_says_no_code() {
        for event in [offered(), enrolled("a"), EnrolmentEvent::Revoked { at: at(5) }] {
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<EnrolmentEvent>(&json).unwrap(), event, "{json}");
            assert!(!format!("{event:?}").contains(&"0".repeat(64)), "{event:?}");
        }
    }

    #[test]
    fn a_name_is_short_and_says_itself() {
        assert_eq!("Wejście 2 / iPad".parse::<DeviceName>().unwrap().to_string(), "Wejście 2 / iPad");
        for bad in ["", " iPad", "iPad ", "i\nPad", "i\u{7f}Pad", &"x".repeat(41)] {
            assert_eq!(bad.parse::<DeviceName>(), Err(EnrolmentTextError::Name), "{bad:?}");
        }
    }
}
