//! The aggregate of one person who signs in: an organizer or a hostess.
//!
//! The stream `person/<personId>` says who it is, by a provider (OpenID Connect) or by an invitation, and whether the person
//! was shut out. Where a provider says who people are, it also says at each time what they may do; the store remembers
//! them so that one of them can be shut out here at once, whatever the provider says. An invitation says what its person
//! may do, and lets one browser in, once.
//!
//! The code of an invitation is known by its digest alone. Names are personal data of those who work at an event; leads
//! carry them, too.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::checked_text::{checked_text, is_hex, is_unseen};
use crate::{CodeDigest, Entry, Scopes, Timestamp};

/// Kind of stream that holds a person.
pub const PERSON_STREAM: &str = "person";

/// Names one person to this store: 32 hexadecimal digits. Of one whom a provider knows it follows from that, so every store
/// gives the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "5f0c9be2a1d477365f0c9be2a1d47736"))]
#[serde(transparent)]
pub struct PersonId(String);

/// What a person is called on screens and in leads: "Ewa Nowak". Prints redacted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "Ewa Nowak"))]
#[serde(transparent)]
pub struct DisplayName(String);

/// The text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonTextError {
    /// No id of a person.
    #[error("must be 32 hexadecimal digits")]
    Id,
    /// No name.
    #[error("must be 1 to {max} characters, without control characters or invisible ones and without spaces at its ends", max = DisplayName::MAX_CHARS)]
    Name,
}

checked_text!(PersonId, PersonTextError, Id, |text| text.len() == 32 && is_hex(text));

impl FromStr for DisplayName {
    type Err = PersonTextError;

    fn from_str(text: &str) -> Result<Self, PersonTextError> {
        // What may stand in one is taken whole, or not at all.
        Self::lenient(text).filter(|name| name.0 == text).ok_or(PersonTextError::Name)
    }
}

/// What stands in the log is a name, whatever is a good one today: nobody is kept out by a rule that came later.
impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::lenient(&text).ok_or_else(|| D::Error::custom(PersonTextError::Name))
    }
}

impl PersonId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DisplayName {
    /// A lead that this person captures takes no longer one.
    pub const MAX_CHARS: usize = Entry::MAX_OPERATOR_CHARS;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in what somebody else wrote: without what may not stand in one, cut at its longest. `None` when nothing is left.
    pub fn lenient(text: &str) -> Option<Self> {
        let plain: String = text.chars().filter(|char| !is_unseen(*char)).collect();
        let cut: String = plain.trim().chars().take(Self::MAX_CHARS).collect();
        let name = cut.trim();
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisplayName(…)")
    }
}

/// An invitation to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Who is invited.
    pub name: DisplayName,
    /// What the person may do.
    pub scopes: Scopes,
    /// The code that the person must show.
    pub code_digest: CodeDigest,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A person as a provider says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvidedIdentity {
    /// The provider.
    pub issuer: String,
    /// The person, to the provider. Never given to another one there.
    pub subject: String,
    /// What the person is called.
    pub name: DisplayName,
}

/// What is known of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    invitation: Option<Invitation>,
    identity: Option<ProvidedIdentity>,
    /// When the invitation was used, or the provider first named the person.
    first_seen_at: Option<Timestamp>,
    /// Which attempt of which browser used the invitation.
    accepted_by: Option<CodeDigest>,
    revoked_at: Option<Timestamp>,
    revocations: u32,
}

/// What can be done with a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonCommand {
    /// Invite somebody.
    Invite(Invitation),
    /// Let somebody in who has shown the code of the invitation. The same attempt of the same browser may show it again for
    /// [`Person::ANSWER_AGAIN_SECONDS`]: its answer may have been lost on the way.
    Accept {
        /// The digest of the secret by which the browser names its attempt; without one, the answer is given once.
        attempt: Option<CodeDigest>,
    },
    /// Take note of what the provider says of somebody who signs in.
    Identify(ProvidedIdentity),
    /// Shut the person out, or take the invitation back.
    Revoke,
    /// Let a person in again whom the provider knows.
    Readmit,
}

/// What happened to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum PersonEvent {
    /// Somebody was invited.
    Invited {
        /// On which terms.
        #[serde(flatten)]
        invitation: Invitation,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// The invitation was used.
    InvitationAccepted {
        /// By which attempt of which browser; absent when it named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt_digest: Option<CodeDigest>,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// A provider named the person for the first time, or by another name than before.
    Identified {
        /// What it said.
        #[serde(flatten)]
        identity: ProvidedIdentity,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// The person was shut out, or the invitation taken back. It counts for whoever has read it, whatever any clock says.
    Revoked {
        /// When, by the store's clock. For people; nothing depends on it.
        at: Timestamp,
    },
    /// The person may come in again.
    Readmitted {
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// The id is taken.
    #[error("there is a person of this id already; try again")]
    Exists,
    /// Nobody is known by it.
    #[error("there is no such person")]
    Unknown,
    /// The time of the invitation is over.
    #[error("the invitation has expired, at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Somebody has used the invitation.
    #[error("the invitation was used already")]
    Used,
    /// The person was shut out, or the invitation taken back.
    #[error("it was revoked at {at}")]
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// Nobody has shut the person out.
    #[error("the person was not shut out")]
    NotRevoked,
    /// An invitation lets nobody in twice.
    #[error("the person came by an invitation; make another one")]
    OnlyInvited,
}

impl PersonEvent {
    /// Version of the events' form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Names of the events.
    pub const NAMES: [&'static str; 5] = [
        "PersonIdentified",
        "PersonInvitationAccepted",
        "PersonInvited",
        "PersonReadmitted",
        "PersonRevoked",
    ];

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Identified { .. } => Self::NAMES[0],
            Self::InvitationAccepted { .. } => Self::NAMES[1],
            Self::Invited { .. } => Self::NAMES[2],
            Self::Readmitted { .. } => Self::NAMES[3],
            Self::Revoked { .. } => Self::NAMES[4],
        }
    }
}

impl Person {
    /// How long whoever has used an invitation is answered again.
    pub const ANSWER_AGAIN_SECONDS: i64 = 10 * 60;

    /// On which terms the person was invited; `None` for one whom a provider knows.
    pub const fn invitation(&self) -> Option<&Invitation> {
        self.invitation.as_ref()
    }

    /// What the provider said last; `None` for one who was invited.
    pub const fn identity(&self) -> Option<&ProvidedIdentity> {
        self.identity.as_ref()
    }

    /// What the person is called.
    pub fn name(&self) -> Option<&DisplayName> {
        let invited = self.invitation.as_ref().map(|invitation| &invitation.name);
        self.identity.as_ref().map(|identity| &identity.name).or(invited)
    }

    /// When the person came in for the first time.
    pub const fn first_seen_at(&self) -> Option<Timestamp> {
        self.first_seen_at
    }

    /// How often the person was shut out. What was given before the last time stays void, also when that was undone.
    pub const fn revocations(&self) -> u32 {
        self.revocations
    }

    /// When the person was shut out, or the invitation taken back; `None` when that was undone.
    pub const fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    /// Decides what happens, by the store's clock `at`. Pure.
    ///
    /// # Errors
    /// [`PersonError`] when nothing is to be done.
    pub fn decide(&self, command: PersonCommand, at: Timestamp) -> Result<Vec<PersonEvent>, PersonError> {
        let is_known = self.invitation.is_some() || self.identity.is_some();
        match (command, self.revoked_at) {
            (PersonCommand::Invite(invitation), _) if !is_known => {
                Ok(vec![PersonEvent::Invited { invitation, at }])
            }
            (PersonCommand::Invite(_), _) => Err(PersonError::Exists),
            (PersonCommand::Identify(identity), None) => {
                let is_new = self.identity.as_ref() != Some(&identity);
                Ok(is_new.then_some(PersonEvent::Identified { identity, at }).into_iter().collect())
            }
            (_, _) if !is_known => Err(PersonError::Unknown),
            (PersonCommand::Readmit, _) if self.identity.is_none() => Err(PersonError::OnlyInvited),
            (PersonCommand::Readmit, Some(_)) => Ok(vec![PersonEvent::Readmitted { at }]),
            (PersonCommand::Readmit, None) => Err(PersonError::NotRevoked),
            (_, Some(at)) => Err(PersonError::Revoked { at }),
            (PersonCommand::Revoke, None) => Ok(vec![PersonEvent::Revoked { at }]),
            (PersonCommand::Accept { attempt }, None) => match &self.invitation {
                None => Err(PersonError::Unknown),
                Some(_) if self.was_accepted_by(attempt.as_ref(), at) => Ok(Vec::new()),
                Some(_) if self.first_seen_at.is_some() => Err(PersonError::Used),
                Some(invitation) if at >= invitation.expires_at => {
                    Err(PersonError::Expired { at: invitation.expires_at })
                }
                Some(_) => Ok(vec![PersonEvent::InvitationAccepted { attempt_digest: attempt, at }]),
            },
        }
    }

    fn was_accepted_by(&self, attempt: Option<&CodeDigest>, at: Timestamp) -> bool {
        let is_recent =
            |then: Timestamp| at.unix_seconds() - then.unix_seconds() < Self::ANSWER_AGAIN_SECONDS;
        attempt.is_some() && self.accepted_by.as_ref() == attempt && self.first_seen_at.is_some_and(is_recent)
    }

    /// Applies an event of this stream.
    pub fn evolve(&mut self, event: PersonEvent) {
        match event {
            PersonEvent::Invited { invitation, .. } => self.invitation = Some(invitation),
            PersonEvent::InvitationAccepted { attempt_digest, at } => {
                self.first_seen_at = Some(at);
                self.accepted_by = attempt_digest;
            }
            PersonEvent::Identified { identity, at } => {
                self.identity = Some(identity);
                self.first_seen_at = self.first_seen_at.or(Some(at));
            }
            PersonEvent::Revoked { at } => {
                self.revoked_at = Some(at);
                self.revocations += 1;
            }
            PersonEvent::Readmitted { .. } => self.revoked_at = None,
        }
    }
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{PERSON_STREAM, Person, PersonCommand, PersonError, PersonEvent};
    use crate::Timestamp;

    impl DomainEvent for PersonEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for Person {
        const TYPE: &'static str = PERSON_STREAM;
        /// With the moment by the store's clock.
        type Command = (PersonCommand, Timestamp);
        type Event = PersonEvent;
        type Error = PersonError;
        type Services = ();

        async fn handle(
            &mut self,
            (command, at): Self::Command,
            (): &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), PersonError> {
            for event in self.decide(command, at)? {
                sink.write(event, self).await;
            }
            Ok(())
        }

        fn apply(&mut self, event: PersonEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(test)]
mod tests;
