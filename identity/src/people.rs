//! The people of a store, as every process keeps them in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::{CodeDigest, PERSON_STREAM, Person, PersonEvent, PersonId};
use event_store::{FollowedStream, LogError, PostgresLog, RecordedEvent};

/// Everybody who ever signed in or was invited.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// `None` for one who cannot be read, because a newer program wrote about the person: who is not let in.
    by_id: BTreeMap<PersonId, Option<Person>>,
    by_code: HashMap<CodeDigest, PersonId>,
}

/// The people that a process knows.
pub struct KnownPeople(FollowedStream<PostgresLog, People>);

impl KnownPeople {
    /// None yet.
    pub fn new(log: PostgresLog) -> Self {
        Self(FollowedStream::new(log, PERSON_STREAM, People::default(), fold))
    }

    /// Reads what was recorded since the last look, and answers everybody.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn refresh(&self) -> Result<Arc<People>, LogError> {
        self.0.refresh().await
    }

    /// What was recorded up to `max_age` ago, and perhaps more.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn known_within(&self, max_age: Duration) -> Result<Arc<People>, LogError> {
        self.0.known_within(max_age).await
    }
}

impl People {
    /// Everybody by id; `None` for one whom this program cannot read.
    pub fn iter(&self) -> impl Iterator<Item = (&PersonId, Option<&Person>)> {
        self.by_id.iter().map(|(id, person)| (id, person.as_ref()))
    }

    /// The person of this id.
    pub fn get(&self, id: &PersonId) -> Option<&Person> {
        self.by_id.get(id)?.as_ref()
    }

    pub(crate) fn of_code(&self, digest: &CodeDigest) -> Option<(&PersonId, &Person)> {
        let id = self.by_code.get(digest)?;
        Some((id, self.get(id)?))
    }
}

fn fold(people: &mut People, event: &RecordedEvent) {
    // Only this program writes the stream.
    let Ok(id) = event.aggregate_id.parse::<PersonId>() else { return };
    let People { by_id, by_code } = people;
    let person = by_id.entry(id.clone()).or_insert_with(|| Some(Person::default()));
    match read(event) {
        Ok(event) => {
            if let PersonEvent::Invited { invitation, .. } = &event {
                by_code.insert(invitation.code_digest.clone(), id);
            }
            if let Some(person) = person {
                person.evolve(event);
            }
        }
        Err(error) => {
            let position = event.position;
            tracing::error!(position, person = %id, %error, "a person cannot be read and is not let in; update this program");
            *person = None;
        }
    }
}

fn read(event: &RecordedEvent) -> Result<PersonEvent, String> {
    let payload = event.current_payload().map_err(|unknown| unknown.to_string())?;
    serde_json::from_str(&payload).map_err(|error| format!("line {} column {}", error.line(), error.column()))
}
