//! One store as the authority over its own tokens.

use std::sync::Arc;
use std::time::Duration;

use domain::{
    AdminName, ApiClient, ApiClientError, ApiClientId, DisplayName, EnrolledDevice, EnrolmentError,
    EnrolmentId, EnrolmentOffer, Person, PersonError, PersonId, Scope, Scopes, SecretHash, StoreId,
    Timestamp,
};
use event_store::{LogError, PostgresLog};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::assertion::{self, Assertion, RefusedAssertion};
use crate::clients::{Clients, KnownClients};
use crate::command::{CommandError, later};
use crate::enrolling::{self, EnrollingError};
use crate::enrolments::{Enrolments, KnownEnrolments};
use crate::inviting::{self, PersonCommandError};
use crate::people::KnownPeople;
use crate::provider::Identified;
use crate::registration::{self, RegistrationError};
use crate::secret::NewSecret;
use crate::signing_key::{KeyError, KnownKeys};
use crate::token::{self, AccessToken, Principal, RefusedToken, SigningError, Subject, Verified};
use crate::token_cache::TokenCache;
use crate::{code, secret};

/// How long a token of an API client lives. It gets the next one by its secret.
pub const CLIENT_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long a token of a device lives. It gets the next one by its key.
pub const DEVICE_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long a person stays signed in: a long day at an event.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// How old what is known may be where a bearer only adds.
const LATELY: Duration = Duration::from_secs(1);

/// How long any token may live, and one from the command line does when that is asked for. Such a one cannot be taken
/// back, so whoever checks a token refuses one that would live longer.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the clocks of the database, by which tokens are issued at the command line, and of a server may differ.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// Secrets that are checked at once; each takes a processor and some memory for tens of milliseconds.
const MAX_HASHES_AT_ONCE: usize = 2;

/// How long an attempt waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Issues tokens and checks them. One per process and store.
pub struct Authority {
    pool: PgPool,
    store: StoreId,
    clients: KnownClients,
    enrolments: KnownEnrolments,
    people: KnownPeople,
    keys: KnownKeys,
    verified: TokenCache,
    hashing: Arc<Semaphore>,
}

/// A client that has shown an active secret.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    id: ApiClientId,
    secret_id: String,
    scopes: Scopes,
    secret_expires_at: Option<Timestamp>,
}

/// A device that has shown that it has its key.
pub struct AuthenticatedDevice {
    /// The enrolment by which it came in.
    pub id: EnrolmentId,
    assertion: Assertion,
    scopes: Scopes,
}

impl AuthenticatedDevice {
    /// What it may do.
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }
}

/// A person who has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who, to this store.
    pub id: PersonId,
    /// What the person is called.
    pub name: DisplayName,
    scopes: Option<Scopes>,
    revocations: u32,
}

/// Why nobody was let in, or no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not a client with an active secret. Which of the two it was is not said.
    #[error("the client or its secret is not known, or was revoked")]
    UnknownClient,
    /// The client may not have these scopes.
    #[error("the client is registered for {allowed}, and not for all that it asks for")]
    ScopeNotAllowed {
        /// What it may have.
        allowed: Scopes,
    },
    /// The token does not count.
    #[error("the token does not count: {0}")]
    Refused(#[from] RefusedToken),
    /// The assertion of a device does not count.
    #[error("the assertion does not count: {0}")]
    RefusedAssertion(#[from] RefusedAssertion),
    /// Too many attempts at once.
    #[error("too many secrets are checked at this moment")]
    Busy,
    /// The log or the key cannot be read, or nothing can be signed.
    #[error("the store cannot say who may what")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a secret that a client has brought does not count.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// The code is not one that this store has given out, or is mistyped.
    #[error("there is no such code")]
    UnknownCode,
    /// It is not as secret as it must be.
    #[error("the secret is none that this program makes")]
    NoSecret,
    /// The code is one, and does not let this client in.
    #[error(transparent)]
    Refused(#[from] ApiClientError),
    /// Too many attempts at once.
    #[error("too many secrets are checked at this moment")]
    Busy,
    /// The log cannot be used now.
    #[error("the store cannot let anybody in")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why no device was let in.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The code is not one that this store has given out, or is mistyped.
    #[error("there is no such code")]
    UnknownCode,
    /// The code is one, and does not let this device in.
    #[error(transparent)]
    Refused(#[from] EnrolmentError),
    /// The installation is in already, under another name.
    #[error("this device is enrolled as {name:?}; give it that name, or revoke that first")]
    OtherName {
        /// The name.
        name: String,
    },
    /// The log cannot be used now.
    #[error("the store cannot let anybody in now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why nobody has signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The code is not one that this store has given out, or is mistyped.
    #[error("there is no such code")]
    UnknownCode,
    /// The person is known, and is not let in.
    #[error(transparent)]
    Refused(PersonError),
    /// The log cannot be used now.
    #[error("the store cannot let anybody in now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Authority {
    /// The authority of the store that this log is of. Reads nothing yet.
    pub fn new(log: PostgresLog, store: StoreId) -> Self {
        let pool = log.pool().clone();
        Self {
            store,
            clients: KnownClients::new(log.clone()),
            enrolments: KnownEnrolments::new(log.clone()),
            people: KnownPeople::new(log),
            keys: KnownKeys::new(pool.clone()),
            pool,
            verified: TokenCache::default(),
            hashing: Arc::new(Semaphore::new(MAX_HASHES_AT_ONCE)),
        }
    }

    /// Checks the secret that a client shows. A hash is worked out only for a secret that the client has: names are no
    /// secret, and the id of a secret is random and of no use alone.
    ///
    /// # Errors
    /// [`AuthorityError::UnknownClient`], or that it cannot be said now.
    pub async fn authenticate(
        &self,
        name: &str,
        secret: String,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, AuthorityError> {
        let clients = self.clients.refresh().await?;
        let known = name.parse().ok().and_then(|id: ApiClientId| Some((clients.get(&id)?, id)));
        let Some((client, id)) = known else {
            // The name is not repeated: it may be a secret in the wrong field.
            tracing::info!("an API client was refused: there is none of its name");
            return Err(AuthorityError::UnknownClient);
        };
        let shown = client.as_ref().and_then(|client| shown(client, &id, &secret, now));
        if let Some((authenticated, hash)) = shown
            && self.fits(secret, hash).await?
        {
            return Ok(authenticated);
        }
        tracing::info!(client = %id, "an API client was refused: its secret is not known, or was revoked");
        Err(AuthorityError::UnknownClient)
    }

    async fn fits(&self, secret: String, hash: SecretHash) -> Result<bool, AuthorityError> {
        self.hash(move || secret::fits(&secret, &hash)).await
    }

    /// Does work with a hash when it is its turn, on a thread that answers nobody.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthorityError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.hashing).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(AuthorityError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            // Kept to the end of the work, also when whoever asked has gone.
            let _turn = turn;
            work()
        });
        done.await.map_err(unavailable)
    }

    /// Takes a secret that a client has made itself and shows with a code. The same may come again: an answer may have been
    /// lost.
    ///
    /// # Errors
    /// See [`BringError`].
    pub async fn bring_secret(&self, code: &str, secret: &str) -> Result<ApiClientId, BringError> {
        let digest = code::digest_of(code).ok_or(BringError::UnknownCode)?;
        let secret = NewSecret::of(secret).ok_or(BringError::NoSecret)?;
        let clients = self.clients.refresh().await?;
        let is_it = |client: &ApiClient| client.offer().is_some_and(|offer| offer.code_digest == digest);
        let found = clients.iter().find(|(_, client)| client.as_ref().is_some_and(is_it));
        let (name, client) = found.ok_or(BringError::UnknownCode)?;
        let brought = client.as_ref().and_then(ApiClient::brought);
        if brought.is_some_and(|id| id != secret.id()) {
            return Err(BringError::Refused(ApiClientError::CodeUsed));
        }
        let known = client.as_ref().and_then(|client| client.secret(secret.id()));
        let known = known.map(|held| held.given.hash.clone());
        let brought = self.hash(move || match known {
            Some(hash) => Ok(secret::fits(secret.reveal(), &hash).then(|| secret.with_hash(hash))),
            None => secret.hashed().map(Some),
        });
        let brought = brought.await?.map_err(|error| BringError::Unavailable(Box::new(error)))?;
        // Another secret under the id of one that it has.
        let brought = brought.ok_or(BringError::Refused(ApiClientError::CodeUsed))?;
        match registration::bring(&self.pool, name, brought).await {
            Ok(()) => Ok(name.clone()),
            Err(RegistrationError::Refused(refused)) => Err(refused.into()),
            Err(error) => Err(BringError::Unavailable(Box::new(error))),
        }
    }

    /// Gives a client a token: for what it asks for, or for all that it may have. It ends with the secret at the latest.
    ///
    /// # Errors
    /// [`AuthorityError::ScopeNotAllowed`], or that nothing can be signed now.
    pub async fn issue_to_client(
        &self,
        client: AuthenticatedClient,
        asked: Option<Scopes>,
        now: Timestamp,
    ) -> Result<AccessToken, AuthorityError> {
        let AuthenticatedClient { id, secret_id, scopes: allowed, secret_expires_at } = client;
        let scopes = asked.unwrap_or(allowed);
        if !allowed.include(scopes) {
            return Err(AuthorityError::ScopeNotAllowed { allowed });
        }
        let expires_at = later(now, CLIENT_TOKEN_LIFETIME);
        let expires_at = secret_expires_at.map_or(expires_at, |end| end.min(expires_at));
        self.sign(Principal { subject: Subject::Client { id, secret_id }, scopes, expires_at }, now).await
    }

    /// Gives somebody on the server's own machine a token, for [`MAX_TOKEN_LIFETIME`] at most, by the database's clock:
    /// that of the machine may be wrong.
    ///
    /// # Errors
    /// When nothing can be signed now.
    pub async fn issue_to_admin(
        &self,
        name: AdminName,
        scopes: Scopes,
        lifetime: Duration,
    ) -> Result<AccessToken, AuthorityError> {
        let now = crate::database_now(&self.pool).await.map_err(unavailable)?;
        let expires_at = later(now, lifetime.min(MAX_TOKEN_LIFETIME));
        self.sign(Principal { subject: Subject::Admin(name), scopes, expires_at }, now).await
    }

    /// Lets a device in that shows a code. The same device may show it again: an answer may have been lost.
    ///
    /// # Errors
    /// See [`EnrolError`].
    pub async fn enrol(
        &self,
        code: &str,
        device: EnrolledDevice,
    ) -> Result<(EnrolmentId, EnrolmentOffer), EnrolError> {
        let digest = code::digest_of(code).ok_or(EnrolError::UnknownCode)?;
        let enrolments = self.enrolments.refresh().await?;
        let (id, enrolment) = enrolments.of_code(&digest).ok_or(EnrolError::UnknownCode)?;
        let offer = enrolment.offer().ok_or(EnrolError::UnknownCode)?;
        if let Some(name) = enrolments.other_name(&device.device_id, &offer.device_name) {
            return Err(EnrolError::OtherName { name: name.to_string() });
        }
        match enrolling::enrol(&self.pool, id, device).await {
            Ok(()) => Ok((id.clone(), offer.clone())),
            Err(EnrollingError::Refused(refused)) => Err(refused.into()),
            Err(error) => Err(EnrolError::Unavailable(Box::new(error))),
        }
    }

    /// Checks the assertion by which a device shows that it has its key.
    ///
    /// # Errors
    /// [`AuthorityError::RefusedAssertion`], or that it cannot be said now.
    pub async fn authenticate_device(
        &self,
        text: &str,
        now: Timestamp,
    ) -> Result<AuthenticatedDevice, AuthorityError> {
        let id = assertion::enrolment_of(text)?;
        let enrolments = self.enrolments.refresh().await?;
        let (_, device) = enrolments.device(&id).ok_or(RefusedAssertion::UnknownDevice)?;
        let assertion = assertion::check(text, &id, &device.key, self.store, now).inspect_err(|refusal| {
            tracing::info!(enrolment = %id, %refusal, "a device was refused");
        })?;
        let scopes = scopes_of(&enrolments, &id).ok_or(RefusedAssertion::UnknownDevice)?;
        Ok(AuthenticatedDevice { id, assertion, scopes })
    }

    /// Gives a device a token: to capture, or when it was shut out, to hand in what it holds. Its assertion is used up.
    ///
    /// # Errors
    /// [`AuthorityError::RefusedAssertion`] when it was used up already, or that nothing can be signed now.
    pub async fn issue_to_device(
        &self,
        device: AuthenticatedDevice,
        now: Timestamp,
    ) -> Result<AccessToken, AuthorityError> {
        let AuthenticatedDevice { id, assertion, scopes } = device;
        assertion::use_up(&self.pool, &id, &assertion).await.map_err(unavailable)??;
        let expires_at = later(now, DEVICE_TOKEN_LIFETIME);
        self.sign(Principal { subject: Subject::Device(id), scopes, expires_at }, now).await
    }

    /// Lets somebody in who shows the code of an invitation, once. Whoever names the `attempt` by a secret of its own may show
    /// code and secret again for some minutes: the answer may have been lost.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn accept_invitation(
        &self,
        code: &str,
        attempt: Option<&str>,
    ) -> Result<SignedIn, SignInError> {
        let digest = code::digest_of(code).ok_or(SignInError::UnknownCode)?;
        let people = self.people.refresh().await?;
        let (id, person) = people.of_code(&digest).ok_or(SignInError::UnknownCode)?;
        let invitation = person.invitation().ok_or(SignInError::UnknownCode)?;
        inviting::accept(&self.pool, id, attempt).await?;
        let (name, scopes) = (invitation.name.clone(), Some(invitation.scopes));
        Ok(SignedIn { id: id.clone(), name, scopes, revocations: person.revocations() })
    }

    /// Lets somebody in whom a provider has named, unless the person was shut out here.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn sign_in(&self, identified: Identified) -> Result<SignedIn, SignInError> {
        let Identified { identity, scopes } = identified;
        let id = inviting::id_of(&identity.issuer, &identity.subject).ok_or(SignInError::UnknownCode)?;
        let name = identity.name.clone();
        // Before it is decided: what is revoked meanwhile makes void what is given now.
        let revocations = self.people.refresh().await?.get(&id).map_or(0, Person::revocations);
        inviting::identify(&self.pool, &id, identity).await?;
        Ok(SignedIn { id, name, scopes, revocations })
    }

    /// Gives a person who has signed in a token for [`SESSION_LIFETIME`]; `None` when there is nothing that the person may do
    /// with one.
    ///
    /// # Errors
    /// When nothing can be signed now.
    pub async fn issue_to_person(
        &self,
        person: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<AccessToken>, AuthorityError> {
        let Some(scopes) = person.scopes else { return Ok(None) };
        let expires_at = later(now, SESSION_LIFETIME);
        let principal = Principal {
            subject: Subject::Person { id: person.id.clone(), revocations: person.revocations },
            scopes,
            expires_at,
        };
        Ok(Some(self.sign(principal, now).await?))
    }

    /// Says what the bearer of a token may do at this moment. What was taken back anywhere counts already.
    ///
    /// # Errors
    /// [`AuthorityError::Refused`], or that it cannot be said now.
    pub async fn authorize(&self, token: &str, now: Timestamp) -> Result<Principal, AuthorityError> {
        self.authorize_within(Duration::ZERO, token, now).await
    }

    /// The same, by what was known a second ago: for the way that all leads take, where a look for each would cost more
    /// than all else.
    ///
    /// # Errors
    /// As [`Authority::authorize`].
    pub async fn authorize_lately(&self, token: &str, now: Timestamp) -> Result<Principal, AuthorityError> {
        self.authorize_within(LATELY, token, now).await
    }

    async fn authorize_within(
        &self,
        max_age: Duration,
        token: &str,
        now: Timestamp,
    ) -> Result<Principal, AuthorityError> {
        let verified = self.verify(token).await?;
        check_time(&verified.principal, now)?;
        let scopes = match self.scopes_within(max_age, &verified, now).await {
            // Nobody is turned away by old knowledge: another server may have let him in since.
            Err(AuthorityError::Refused(_)) if !max_age.is_zero() => {
                self.scopes_within(Duration::ZERO, &verified, now).await
            }
            scopes => scopes,
        }?;
        Ok(Principal { scopes, ..verified.principal.clone() })
    }

    /// What became of a token since it was issued: its key may have been retired, its bearer shut out.
    async fn scopes_within(
        &self,
        max_age: Duration,
        Verified { kid, principal }: &Verified,
        now: Timestamp,
    ) -> Result<Scopes, AuthorityError> {
        let keys = async { Ok::<_, AuthorityError>(self.keys.known_within(max_age).await?) };
        match &principal.subject {
            Subject::Admin(_) => {
                keys.await?.get(kid).ok_or(RefusedToken::UnknownKey)?;
                Ok(principal.scopes)
            }
            Subject::Client { id, secret_id } => {
                let clients = async { Ok(self.clients.known_within(max_age).await?) };
                let (clients, keys) = tokio::try_join!(clients, keys)?;
                keys.get(kid).ok_or(RefusedToken::UnknownKey)?;
                check_client(&clients, id, secret_id, principal.scopes, now)?;
                Ok(principal.scopes)
            }
            Subject::Person { id, revocations } => {
                let people = async { Ok(self.people.known_within(max_age).await?) };
                let (people, keys) = tokio::try_join!(people, keys)?;
                keys.get(kid).ok_or(RefusedToken::UnknownKey)?;
                let is_in =
                    |person: &&Person| person.revoked_at().is_none() && person.revocations() == *revocations;
                let person = people.get(id).filter(is_in);
                person.map(|_| principal.scopes).ok_or(RefusedToken::RevokedPerson.into())
            }
            Subject::Device(id) => {
                let enrolments = async { Ok(self.enrolments.known_within(max_age).await?) };
                let (enrolments, keys) = tokio::try_join!(enrolments, keys)?;
                keys.get(kid).ok_or(RefusedToken::UnknownKey)?;
                Ok(scopes_of(&enrolments, id).ok_or(RefusedToken::UnknownDevice)?)
            }
        }
    }

    /// The enrolments as of a second ago.
    ///
    /// # Errors
    /// When that cannot be said.
    pub async fn enrolments_lately(&self) -> Result<Arc<Enrolments>, AuthorityError> {
        Ok(self.enrolments.known_within(LATELY).await?)
    }

    /// The enrolments as of this moment.
    ///
    /// # Errors
    /// When that cannot be said.
    pub async fn enrolments(&self) -> Result<Arc<Enrolments>, AuthorityError> {
        Ok(self.enrolments.refresh().await?)
    }

    /// What a token of this store says, whatever became of it since.
    async fn verify(&self, token: &str) -> Result<Arc<Verified>, AuthorityError> {
        if let Some(verified) = self.verified.get(token) {
            return Ok(verified);
        }
        let kid = token::kid_of(token)?;
        let keys = self.keys.with(&kid).await?;
        let key = keys.get(&kid).ok_or(RefusedToken::UnknownKey)?;
        let verified = Arc::new(Verified { principal: token::read(token, key, self.store)?, kid });
        self.verified.insert(token, Arc::clone(&verified));
        Ok(verified)
    }

    async fn sign(&self, principal: Principal, now: Timestamp) -> Result<AccessToken, AuthorityError> {
        let key = self.keys.signer().await?;
        Ok(token::sign(&key, self.store, principal, now)?)
    }
}

/// The client that shows this secret, and the hash that the secret must fit.
fn shown(
    client: &ApiClient,
    id: &ApiClientId,
    secret: &str,
    now: Timestamp,
) -> Option<(AuthenticatedClient, SecretHash)> {
    let active = client.active_secret(secret::id_in(secret)?, now)?;
    let authenticated = AuthenticatedClient {
        id: id.clone(),
        secret_id: active.given.secret_id.clone(),
        scopes: client.scopes()?,
        secret_expires_at: active.expires_at,
    };
    Some((authenticated, active.given.hash.clone()))
}

/// What a device may do that came in by this enrolment; `None` when none did.
fn scopes_of(enrolments: &Enrolments, id: &EnrolmentId) -> Option<Scopes> {
    enrolments.device(id)?;
    let is_revoked = enrolments.get(id)?.revoked_at().is_some();
    Scopes::new([if is_revoked { Scope::Quarantine } else { Scope::Capture }])
}

fn check_time(principal: &Principal, now: Timestamp) -> Result<(), RefusedToken> {
    let left = principal.expires_at.moment() - now.moment();
    if !left.is_positive() {
        Err(RefusedToken::Expired)
    } else if left > MAX_TOKEN_LIFETIME + CLOCK_TOLERANCE {
        Err(RefusedToken::TooLong)
    } else {
        Ok(())
    }
}

fn check_client(
    clients: &Clients,
    id: &ApiClientId,
    secret_id: &str,
    scopes: Scopes,
    now: Timestamp,
) -> Result<(), RefusedToken> {
    let client = clients.get(id).and_then(Option::as_ref);
    let client = client.filter(|client| client.revoked_at().is_none()).ok_or(RefusedToken::RevokedClient)?;
    if !client.scopes().is_some_and(|allowed| allowed.include(scopes)) {
        return Err(RefusedToken::RevokedScope);
    }
    client.active_secret(secret_id, now).map(drop).ok_or(RefusedToken::RevokedSecret)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> AuthorityError {
    AuthorityError::Unavailable(Box::new(error))
}

impl From<LogError> for AuthorityError {
    fn from(error: LogError) -> Self {
        unavailable(error)
    }
}

impl From<LogError> for EnrolError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<LogError> for BringError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<AuthorityError> for BringError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Busy => Self::Busy,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<LogError> for SignInError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<PersonCommandError> for SignInError {
    fn from(error: PersonCommandError) -> Self {
        match error {
            CommandError::Refused(refused) => Self::Refused(refused),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<KeyError> for AuthorityError {
    fn from(error: KeyError) -> Self {
        unavailable(error)
    }
}

impl From<SigningError> for AuthorityError {
    fn from(error: SigningError) -> Self {
        unavailable(error)
    }
}
