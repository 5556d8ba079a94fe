//! The aggregate of one refused submission: what a store could not take, kept whole.
//!
//! The stream is `submission/<digest of the raw entry>`, so that sending the same thing again records it
//! once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, FieldError, Verdict};

/// Aggregate type of the streams that hold refused submissions.
pub const SUBMISSION_STREAM: &str = "submission";

/// Whether this submission has been recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    recorded: bool,
}

/// What a store can do with an entry that it will not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmissionCommand {
    /// Record the refusal.
    Refuse(Refusal),
}

/// What happened to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SubmissionEvent {
    /// It was refused, and is kept.
    Refused(Refusal),
}

/// A refused entry with the reason. Prints redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The lead that it says it is, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The version that it says it is, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// Which rules it breaks, with `invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The entry as received: JSON inside a JSON string, so that even what PostgreSQL could not read as
    /// JSON (an escaped U+0000) is kept to the byte.
    pub raw: String,
}

/// Why an entry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// It breaks a rule.
    Invalid,
    /// The same lead and version is here with other bytes.
    Conflict,
    /// This program is too old to understand it.
    Unsupported,
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// It has been recorded before.
    #[error("this submission was recorded already")]
    AlreadyRecorded,
}

impl RefusalReason {
    /// The verdict that the sender gets.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Invalid => Verdict::Invalid,
            Self::Conflict => Verdict::Conflict,
            Self::Unsupported => Verdict::Unsupported,
        }
    }
}

impl Refusal {
    /// Digest of the entry; names the stream.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.raw)
    }
}

impl SubmissionEvent {
    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "SubmissionRefused",
        }
    }

    /// Version of the event's form in the log.
    pub const FORM_VERSION: &'static str = "1";
}

impl Submission {
    /// Decides what happens.
    ///
    /// # Errors
    /// [`SubmissionError::AlreadyRecorded`], which is harmless: the submission is kept.
    pub fn decide(&self, command: SubmissionCommand) -> Result<SubmissionEvent, SubmissionError> {
        let SubmissionCommand::Refuse(refusal) = command;
        if self.recorded {
            Err(SubmissionError::AlreadyRecorded)
        } else {
            Ok(SubmissionEvent::Refused(refusal))
        }
    }

    /// Applies an event of this submission's stream.
    pub fn evolve(&mut self, event: SubmissionEvent) {
        match event {
            SubmissionEvent::Refused(_) => self.recorded = true,
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("client_id", &self.client_id)
            .field("version", &self.version)
            .field("reason", &self.reason)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{SUBMISSION_STREAM, Submission, SubmissionCommand, SubmissionError, SubmissionEvent};

    impl DomainEvent for SubmissionEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for Submission {
        const TYPE: &'static str = SUBMISSION_STREAM;
        type Command = SubmissionCommand;
        type Event = SubmissionEvent;
        type Error = SubmissionError;
        type Services = ();

        async fn handle(
            &mut self,
            command: SubmissionCommand,
            (): &(),
            sink: &EventSink<Self>,
        ) -> Result<(), SubmissionError> {
            let event = self.decide(command)?;
            sink.write(event, self).await;
            Ok(())
        }

        fn apply(&mut self, event: SubmissionEvent) {
            self.evolve(event);
        }
    }
}
