//! The API clients of a store, as every process keeps them in memory.
//!
//! Any process may register or revoke, so whoever is about to let somebody in looks first ([`KnownClients::refresh`]). A
//! client that cannot be read, because a newer program wrote about it, is refused: what could not be read may be that it
//! was revoked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{API_CLIENT_STREAM, ApiClient, ApiClientEvent, ApiClientId};
use event_store::{FollowedStream, LogError, PostgresLog, RecordedEvent};

/// Each client by its name; `None` for one that cannot be read.
pub type Clients = BTreeMap<ApiClientId, Option<ApiClient>>;

/// The API clients that a process knows.
pub struct KnownClients(FollowedStream<PostgresLog, Clients>);

impl KnownClients {
    /// None yet.
    pub fn new(log: PostgresLog) -> Self {
        Self(FollowedStream::new(log, API_CLIENT_STREAM, Clients::new(), fold))
    }

    /// Reads what was recorded since the last look, and answers every client.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn refresh(&self) -> Result<Arc<Clients>, LogError> {
        self.0.refresh().await
    }

    /// What was recorded up to `max_age` ago, and perhaps more.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn known_within(&self, max_age: Duration) -> Result<Arc<Clients>, LogError> {
        self.0.known_within(max_age).await
    }
}

fn fold(clients: &mut Clients, event: &RecordedEvent) {
    // Only this program writes the stream, and names it after a client.
    let Ok(id) = event.aggregate_id.parse::<ApiClientId>() else { return };
    let client = clients.entry(id).or_insert_with(|| Some(ApiClient::default()));
    match read(event) {
        Ok(event) => {
            if let Some(client) = client {
                client.evolve(event);
            }
        }
        Err(error) => {
            let (position, id) = (event.position, &event.aggregate_id);
            tracing::error!(position, client = id, %error, "an API client cannot be read and is refused; update this program");
            *client = None;
        }
    }
}

fn read(event: &RecordedEvent) -> Result<ApiClientEvent, String> {
    let payload = event.current_payload().map_err(|unknown| unknown.to_string())?;
    serde_json::from_str(&payload).map_err(|error| format!("line {} column {}", error.line(), error.column()))
}
