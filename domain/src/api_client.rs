//! The aggregate of one API client: a program, such as a CRM, that gets tokens by a secret.
//!
//! The stream `api_client/<clientId>` says which scopes the client has, which secrets were given to it, and what was
//! taken back. Secrets are known by an id and by the hash of their text alone.
//!
//! # No downtime
//!
//! A rotation adds a secret, and the older one goes on until a stated time, so that the client's people can change it
//! in their own time. At most [`MAX_ACTIVE_SECRETS`] are active at once: whoever rotates again before that time must end
//! the older ones at once, and so knows that a client which still uses one of them stops.
//!
//! # A program that nobody types a secret into
//!
//! A hub makes its secret itself and shows it once, together with a one-time code that somebody made for its name. It may
//! do so again, because the answer may have been lost: the same secret comes to the same.
//!
//! # Taken back means now
//!
//! A secret that is revoked is void for whoever has read the event, whatever any clock says. Only an end that was set
//! for later asks a clock.
//!
//! # A name is taken for ever
//!
//! What a revoked client did stands in logs under its name, so no other client gets that name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{CodeDigest, Scopes, Timestamp};

/// Kind of stream that holds an API client.
pub const API_CLIENT_STREAM: &str = "api_client";

/// Secrets of one client that may be active at once.
pub const MAX_ACTIVE_SECRETS: usize = 2;

/// Names, as a client, the command line of the server's own machine. No registered client has it.
pub const CLI_CLIENT_ID: &str = "leadlog-cli";

const MAX_NAME_CHARS: usize = 40;

/// A client's short name, chosen by whoever registers it. It stands in URLs, headers and logs without any quoting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ApiClientId(String);

/// The text is no name of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiClientIdError {
    /// It is not written as one.
    #[error("must be 1 to 40 characters out of a-z, 0-9 and '-', and begin with a letter")]
    Form,
    /// It is [`CLI_CLIENT_ID`].
    #[error("{CLI_CLIENT_ID} names this program's own command line; choose another name")]
    Reserved,
}

impl ApiClientId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ApiClientId {
    type Err = ApiClientIdError;

    fn from_str(text: &str) -> Result<Self, ApiClientIdError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.len() <= MAX_NAME_CHARS
            && text.bytes().all(is_plain);
        match (is_name, text) {
            (false, _) => Err(ApiClientIdError::Form),
            (true, CLI_CLIENT_ID) => Err(ApiClientIdError::Reserved),
            (true, name) => Ok(Self(name.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for ApiClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What the store keeps of a secret: a PHC string of argon2id. Prints redacted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl SecretHash {
    /// Wraps a PHC string that the caller made.
    pub const fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A secret as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiClientSecret {
    /// Names it among the client's secrets; no part of what is secret.
    pub secret_id: String,
    /// Its hash.
    pub hash: SecretHash,
}

/// A secret, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSecret {
    /// As it was given.
    pub given: ApiClientSecret,
    /// When it stops; `None` when it goes on.
    pub expires_at: Option<Timestamp>,
    is_revoked: bool,
}

impl HeldSecret {
    /// Whether it can be used at this moment.
    pub fn is_active_at(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A one-time code with which a client may bring a secret of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiClientOffer {
    /// The code that it must show.
    pub code_digest: CodeDigest,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What is known of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiClient {
    scopes: Option<Scopes>,
    registered_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The newest one: a newer one takes the place of the one before.
    offer: Option<ApiClientOffer>,
    /// The secret that came with its code.
    brought: Option<String>,
    /// Every one that it ever had, oldest first.
    secrets: Vec<HeldSecret>,
}

/// What can be done with a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiClientCommand {
    /// Let a program in.
    Register {
        /// Its name, which the stream has.
        name: ApiClientId,
        /// What its tokens may do.
        scopes: Scopes,
        /// Its first secret.
        secret: ApiClientSecret,
    },
    /// Offer that a client may bring a secret of its own. One that is not registered is.
    Offer {
        /// Its name, which the stream has.
        name: ApiClientId,
        /// What its tokens may do; of one that is registered, just what they may do already.
        scopes: Scopes,
        /// On which terms.
        offer: ApiClientOffer,
    },
    /// Take the secret that a client brings with the code. The older ones end at once.
    Bring {
        /// The new one.
        secret: ApiClientSecret,
    },
    /// Give it another secret.
    Rotate {
        /// The new one.
        secret: ApiClientSecret,
        /// Until when the older ones go on; `None` ends them at once.
        keep_old_until: Option<Timestamp>,
    },
    /// Change what it may do.
    SetScopes {
        /// What its tokens may do from now on.
        scopes: Scopes,
    },
    /// End one secret.
    RevokeSecret {
        /// Which.
        secret_id: String,
    },
    /// End the client with everything that it has.
    Revoke,
}

/// What happened to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ApiClientEvent {
    /// A program was let in.
    Registered {
        /// Its name.
        name: ApiClientId,
        /// What its tokens may do.
        scopes: Scopes,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// It got a secret.
    SecretAdded {
        /// The secret, as the store knows it.
        #[serde(flatten)]
        secret: ApiClientSecret,
        /// Whether the client has brought it, with the code that was offered last.
        #[serde(default, skip_serializing_if = "is_false")]
        by_code: bool,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// It may bring a secret of its own.
    CodeOffered {
        /// On which terms.
        #[serde(flatten)]
        offer: ApiClientOffer,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// A secret was taken back: it is void from this event on, whatever the time.
    SecretRevoked {
        /// Which.
        secret_id: String,
        /// When, by the store's clock. For people; nothing depends on it.
        at: Timestamp,
    },
    /// A secret was given an end.
    SecretExpirySet {
        /// Which.
        secret_id: String,
        /// From when on it is void.
        expires_at: Timestamp,
        /// When this was said, by the store's clock.
        at: Timestamp,
    },
    /// What its tokens may do was changed.
    ScopesSet {
        /// What they may do from now on.
        scopes: Scopes,
        /// When, by the store's clock.
        at: Timestamp,
    },
    /// The client was shut out, with every secret.
    Revoked {
        /// When, by the store's clock.
        at: Timestamp,
    },
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiClientError {
    /// There is such a client already.
    #[error("there is a client of this name already; choose another name, or give this one another secret")]
    Exists,
    /// There is no such client.
    #[error("there is no client of this name")]
    Unknown,
    /// The client was shut out, for good.
    #[error("this client was revoked at {at}; register another one, under another name")]
    Revoked {
        /// When.
        at: Timestamp,
    },
    /// The older secrets of an earlier rotation are still active.
    #[error(
        "{MAX_ACTIVE_SECRETS} secrets of this client are active already{}; wait for that, or end older ones at once",
        .until.map(|until| format!(", the older one until {until}")).unwrap_or_default()
    )]
    TooManySecrets {
        /// When the next of them ends, if one does.
        until: Option<Timestamp>,
    },
    /// The client has no such secret, or it was revoked.
    #[error("the client has no such secret any more")]
    UnknownSecret,
    /// The client has, or had, a secret of this id.
    #[error("the client has had a secret of this id already; try again")]
    SecretIdTaken,
    /// Its code has expired.
    #[error("the code has expired, at {at}")]
    CodeExpired {
        /// When.
        at: Timestamp,
    },
    /// Another secret has come with it.
    #[error("the code was used already")]
    CodeUsed,
    /// The client may do something else.
    #[error("this client may do something else: {scopes}; choose another name")]
    OtherScopes {
        /// What.
        scopes: Scopes,
    },
    /// The client may do just this already.
    #[error("the client has just these scopes already")]
    SameScopes,
}

impl ApiClientEvent {
    /// Version of the events' form in the log.
    pub const FORM_VERSION: &'static str = "1";

    /// Names of the events.
    pub const NAMES: [&'static str; 7] = [
        "ApiClientCodeOffered",
        "ApiClientRegistered",
        "ApiClientRevoked",
        "ApiClientScopesSet",
        "ApiClientSecretAdded",
        "ApiClientSecretExpirySet",
        "ApiClientSecretRevoked",
    ];

    /// Name of the event in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CodeOffered { .. } => Self::NAMES[0],
            Self::Registered { .. } => Self::NAMES[1],
            Self::Revoked { .. } => Self::NAMES[2],
            Self::ScopesSet { .. } => Self::NAMES[3],
            Self::SecretAdded { .. } => Self::NAMES[4],
            Self::SecretExpirySet { .. } => Self::NAMES[5],
            Self::SecretRevoked { .. } => Self::NAMES[6],
        }
    }
}

impl ApiClient {
    /// What its tokens may do; `None` when there is no such client.
    pub const fn scopes(&self) -> Option<Scopes> {
        self.scopes
    }

    /// When it was let in.
    pub const fn registered_at(&self) -> Option<Timestamp> {
        self.registered_at
    }

    /// When it was shut out.
    pub const fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at
    }

    /// On which terms it may bring a secret of its own, or has.
    pub const fn offer(&self) -> Option<&ApiClientOffer> {
        self.offer.as_ref()
    }

    /// The secret that has come with that code, by its id.
    pub fn brought(&self) -> Option<&str> {
        self.brought.as_deref()
    }

    /// The secrets that can be used at this moment, oldest first.
    pub fn active_secrets(&self, now: Timestamp) -> impl Iterator<Item = &HeldSecret> {
        self.secrets.iter().filter(move |secret| self.revoked_at.is_none() && secret.is_active_at(now))
    }

    /// This secret, whatever became of it.
    pub fn secret(&self, secret_id: &str) -> Option<&HeldSecret> {
        self.secrets.iter().find(|secret| secret.given.secret_id == secret_id)
    }

    /// This secret, if it can be used at this moment.
    pub fn active_secret(&self, secret_id: &str, now: Timestamp) -> Option<&HeldSecret> {
        self.active_secrets(now).find(|secret| secret.given.secret_id == secret_id)
    }

    /// Decides what happens, by the store's clock `at`. Pure.
    ///
    /// # Errors
    /// [`ApiClientError`] when nothing is to be done.
    pub fn decide(
        &self,
        command: ApiClientCommand,
        at: Timestamp,
    ) -> Result<Vec<ApiClientEvent>, ApiClientError> {
        if let ApiClientCommand::Register { name, scopes, secret } = command {
            if self.scopes.is_some() {
                // A name is given once: what it did stands in logs.
                return Err(self
                    .revoked_at
                    .map_or(ApiClientError::Exists, |at| ApiClientError::Revoked { at }));
            }
            let registered = ApiClientEvent::Registered { name, scopes, at };
            return Ok(vec![registered, ApiClientEvent::SecretAdded { secret, by_code: false, at }]);
        }
        if self.scopes.is_none() {
            let ApiClientCommand::Offer { name, scopes, offer } = command else {
                return Err(ApiClientError::Unknown);
            };
            let registered = ApiClientEvent::Registered { name, scopes, at };
            return Ok(vec![registered, ApiClientEvent::CodeOffered { offer, at }]);
        }
        if let Some(at) = self.revoked_at {
            return Err(ApiClientError::Revoked { at });
        }
        match command {
            // Above.
            ApiClientCommand::Register { .. } => Err(ApiClientError::Exists),
            ApiClientCommand::Offer { scopes, offer, .. } => match self.scopes {
                Some(known) if known != scopes => Err(ApiClientError::OtherScopes { scopes: known }),
                _ => Ok(vec![ApiClientEvent::CodeOffered { offer, at }]),
            },
            ApiClientCommand::Bring { secret } => self.bring(secret, at),
            ApiClientCommand::Rotate { secret, keep_old_until } => {
                self.rotate(secret, false, keep_old_until, at)
            }
            ApiClientCommand::RevokeSecret { secret_id } => {
                // Also of one whose time is over: only a clock says that.
                let is_it = |held: &&HeldSecret| held.given.secret_id == secret_id && !held.is_revoked;
                self.secrets.iter().find(is_it).ok_or(ApiClientError::UnknownSecret)?;
                Ok(vec![ApiClientEvent::SecretRevoked { secret_id, at }])
            }
            ApiClientCommand::SetScopes { scopes } if self.scopes.as_ref() == Some(&scopes) => {
                Err(ApiClientError::SameScopes)
            }
            ApiClientCommand::SetScopes { scopes } => Ok(vec![ApiClientEvent::ScopesSet { scopes, at }]),
            ApiClientCommand::Revoke => Ok(vec![ApiClientEvent::Revoked { at }]),
        }
    }

    fn bring(&self, secret: ApiClientSecret, at: Timestamp) -> Result<Vec<ApiClientEvent>, ApiClientError> {
        let offer = self.offer.as_ref().ok_or(ApiClientError::Unknown)?;
        match &self.brought {
            // The answer to the first time was lost.
            Some(brought) if *brought == secret.secret_id => Ok(Vec::new()),
            Some(_) => Err(ApiClientError::CodeUsed),
            None if at >= offer.expires_at => Err(ApiClientError::CodeExpired { at: offer.expires_at }),
            None => self.rotate(secret, true, None, at),
        }
    }

    fn rotate(
        &self,
        secret: ApiClientSecret,
        by_code: bool,
        keep_old_until: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Vec<ApiClientEvent>, ApiClientError> {
        if self.secrets.iter().any(|held| held.given.secret_id == secret.secret_id) {
            return Err(ApiClientError::SecretIdTaken);
        }
        let keep_old_until = keep_old_until.filter(|until| *until > at);
        let older: Vec<&HeldSecret> = self.active_secrets(at).collect();
        if keep_old_until.is_some() && older.len() >= MAX_ACTIVE_SECRETS {
            let until = older.iter().filter_map(|secret| secret.expires_at).min();
            return Err(ApiClientError::TooManySecrets { until });
        }
        let mut events = vec![ApiClientEvent::SecretAdded { secret, by_code, at }];
        for held in older {
            let secret_id = held.given.secret_id.clone();
            match keep_old_until {
                None => events.push(ApiClientEvent::SecretRevoked { secret_id, at }),
                Some(expires_at) if held.is_active_at(expires_at) => {
                    events.push(ApiClientEvent::SecretExpirySet { secret_id, expires_at, at });
                }
                // It ends before that.
                Some(_) => {}
            }
        }
        Ok(events)
    }

    /// Applies an event of this stream.
    pub fn evolve(&mut self, event: ApiClientEvent) {
        match event {
            ApiClientEvent::Registered { scopes, at, .. } => {
                self.scopes = Some(scopes);
                self.registered_at = Some(at);
            }
            ApiClientEvent::CodeOffered { offer, .. } => {
                self.offer = Some(offer);
                self.brought = None;
            }
            ApiClientEvent::SecretAdded { secret, by_code, .. } => {
                if by_code {
                    self.brought = Some(secret.secret_id.clone());
                }
                self.secrets.push(HeldSecret { given: secret, expires_at: None, is_revoked: false });
            }
            ApiClientEvent::SecretRevoked { secret_id, .. } => {
                self.held(&secret_id).for_each(|held| held.is_revoked = true);
            }
            ApiClientEvent::SecretExpirySet { secret_id, expires_at, .. } => {
                self.held(&secret_id).for_each(|held| held.expires_at = Some(expires_at));
            }
            ApiClientEvent::ScopesSet { scopes, .. } => self.scopes = Some(scopes),
            ApiClientEvent::Revoked { at } => self.revoked_at = Some(at),
        }
    }

    fn held(&mut self, secret_id: &str) -> impl Iterator<Item = &mut HeldSecret> {
        self.secrets.iter_mut().filter(move |held| held.given.secret_id == secret_id)
    }
}

/// For a field that is left out where it says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(feature = "aggregates")]
mod aggregate {
    use cqrs_es::event_sink::EventSink;
    use cqrs_es::{Aggregate, DomainEvent};

    use super::{API_CLIENT_STREAM, ApiClient, ApiClientCommand, ApiClientError, ApiClientEvent};
    use crate::Timestamp;

    impl DomainEvent for ApiClientEvent {
        fn event_type(&self) -> String {
            self.name().to_owned()
        }

        fn event_version(&self) -> String {
            Self::FORM_VERSION.to_owned()
        }
    }

    impl Aggregate for ApiClient {
        const TYPE: &'static str = API_CLIENT_STREAM;
        /// With the moment by the store's clock.
        type Command = (ApiClientCommand, Timestamp);
        type Event = ApiClientEvent;
        type Error = ApiClientError;
        type Services = ();

        async fn handle(
            &mut self,
            (command, at): Self::Command,
            (): &Self::Services,
            sink: &EventSink<Self>,
        ) -> Result<(), ApiClientError> {
            for event in self.decide(command, at)? {
                sink.write(event, self).await;
            }
            Ok(())
        }

        fn apply(&mut self, event: ApiClientEvent) {
            self.evolve(event);
        }
    }
}

#[cfg(feature = "aggregates")]
#[cfg(test)]
mod tests;
