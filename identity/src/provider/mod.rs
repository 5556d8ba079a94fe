//! Who people are, as a third-party provider says it (OpenID Connect Core 1.0, authorization code flow with PKCE).
//!
//! The browser goes to the provider and comes back with a code. The store exchanges the code for an ID token (RFC 6749,
//! section 4.1.3; RFC 7636), checks it, and gives the person a token of its own: so a provider needs to know nothing of
//! browsers' origins, its tokens never lie in a browser, and what the store revokes is void at once.
//!
//! Its keys are kept in the database ([`documents`]). While it does not answer, nobody is sent there and nobody signs in anew,
//! which nothing waits for; who has signed in goes on.
//!
//! `openidconnect`, the library, is not used: it checks signatures with code of its own beside that of `jsonwebtoken` and
//! needs `rsa`, which has an open advisory; what is left of it is this module.

mod documents;
mod id_token;

use std::fmt;
use std::time::Duration;

use domain::{DisplayName, ProvidedIdentity, Scope, Scopes, Timestamp};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgPool;

use documents::Documents;
pub use id_token::RefusedIdToken;

/// How long the provider may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How old what is known of its endpoints may be when somebody is sent there: they are asked for as a way to see that it
/// answers, once for all who come together.
const SENDING_MAX_AGE: Duration = Duration::from_secs(5);

/// How old what is known may be else. Keys change some times a year; an ID token with a key that nobody knows has them fetched
/// at once.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The largest answer that is read: key sets are the largest, with some kB.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// What a store is told about its provider.
#[derive(Clone)]
pub struct ProviderSettings {
    /// Its address, as it names itself: `https://login.example.com/realms/event`.
    pub issuer: String,
    /// What this store is to it.
    pub client_id: String,
    /// The secret of that; `None` for a public client.
    pub client_secret: Option<String>,
    /// What is asked for, separated by spaces; `openid` is among it.
    pub scope: String,
    /// The claim that holds what a person may do: a name, or a JSON pointer (`/realm_access/roles`).
    pub scopes_claim: String,
}

/// The provider is not one that a store can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The issuer is no address.
    #[error(
        "the issuer must be an https:// address (http:// for this computer alone), without ? and #, as the provider itself names it"
    )]
    Issuer,
    /// There is no client.
    #[error("the client id must not be empty")]
    ClientId,
    /// There is an empty secret.
    #[error("the secret must not be empty; without one, the server is a public client")]
    ClientSecret,
    /// There is no claim.
    #[error("the claim with what people may do must have a name")]
    ScopesClaim,
    /// The scope lacks `openid`.
    #[error("the scope must have the word openid among its words")]
    Scope,
}

/// A provider.
pub struct Provider {
    settings: ProviderSettings,
    http: Client,
    documents: Documents,
}

/// What a browser needs to send somebody there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Where.
    pub endpoint: String,
    /// What this store is there.
    pub client_id: String,
    /// What is asked for.
    pub scope: String,
}

/// What a browser came back with.
pub struct AuthorizationGrant {
    /// The code.
    pub code: String,
    /// What fits the challenge that went with the person.
    pub code_verifier: String,
    /// Where the person came back to.
    pub redirect_uri: String,
    /// What the browser had asked to find in the ID token.
    pub nonce: String,
}

/// A person whom the provider has named, with what the person may do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Who it is.
    pub identity: ProvidedIdentity,
    /// `None` for one who may do nothing but be named: who captures needs no more.
    pub scopes: Option<Scopes>,
}

/// Why nobody was named.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer, or not as OpenID Connect says.
    #[error("the provider at {issuer} {what}")]
    Unavailable {
        /// The provider.
        issuer: String,
        /// What it did.
        what: String,
    },
    /// It does not take the code: it was used, has expired, or is not for this store.
    #[error("the provider does not take the code ({error})")]
    Code {
        /// Its word for it (RFC 6749, section 5.2).
        error: String,
    },
    /// It does not take this store for its client. Somebody has to mend the settings.
    #[error("the provider does not know this server ({error}); look at the client id and its secret")]
    Client {
        /// Its word for it.
        error: String,
    },
    /// What it says of the person does not count.
    #[error("the provider's ID token does not count: {0}")]
    IdToken(#[from] RefusedIdToken),
}

/// What a provider says of itself (OpenID Connect Discovery 1.0), as far as a store needs it.
#[derive(Debug, Clone, Deserialize)]
struct Configuration {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl Provider {
    /// A provider that keeps what it says of itself in this database. Asks nobody yet.
    ///
    /// # Errors
    /// When the settings cannot be meant.
    pub fn new(settings: ProviderSettings, pool: PgPool) -> Result<Self, SettingsError> {
        if !is_address(&settings.issuer) || settings.issuer.contains(['?', '#']) {
            return Err(SettingsError::Issuer);
        }
        if settings.client_id.is_empty() {
            return Err(SettingsError::ClientId);
        }
        if settings.client_secret.as_ref().is_some_and(String::is_empty) {
            return Err(SettingsError::ClientSecret);
        }
        if settings.scopes_claim.trim_matches('/').is_empty() {
            return Err(SettingsError::ScopesClaim);
        }
        if !settings.scope.split(' ').any(|word| word == "openid") {
            return Err(SettingsError::Scope);
        }
        let http = Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| SettingsError::Issuer)?;
        let documents = Documents::new(settings.issuer.clone(), pool);
        Ok(Self { settings, http, documents })
    }

    /// As it names itself.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where a browser sends somebody who wants to sign in.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn authorization_request(&self) -> Result<AuthorizationRequest, ProviderError> {
        let Configuration { authorization_endpoint, .. } = self.configuration(SENDING_MAX_AGE).await?;
        let ProviderSettings { client_id, scope, .. } = self.settings.clone();
        Ok(AuthorizationRequest { endpoint: authorization_endpoint, client_id, scope })
    }

    /// Asks the provider who came back with this code.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub async fn identify(
        &self,
        grant: &AuthorizationGrant,
        now: Timestamp,
    ) -> Result<Identified, ProviderError> {
        let configuration = self.configuration(MAX_AGE).await?;
        let answer = self.exchange(&configuration, grant).await?;
        let id_token = answer
            .id_token
            .ok_or_else(|| self.unavailable("gives no ID token; is openid among the scopes?"))?;
        let mut claims = self.check(&configuration, &id_token, &grant.nonce, now).await?;
        let subject = claims.subject.clone();
        // Many put into the ID token only who it is, and give the rest to whoever asks for it.
        let mut untold = None;
        let is_short = claims.name().is_none() || claims.scopes_at(&self.settings.scopes_claim).is_none();
        if is_short
            && let (Some(endpoint), Some(token)) = (&configuration.userinfo_endpoint, &answer.access_token)
        {
            match self.answer(self.http.get(endpoint).bearer_auth(token)).await {
                Ok(more) => claims.learn(more)?,
                // What was signed never says more than the person may.
                Err(error) => {
                    tracing::warn!(%error, "the provider says no more of a person than the ID token does");
                    untold = Some(error);
                }
            }
        }
        let scopes = claims.scopes_at(&self.settings.scopes_claim);
        if scopes.is_none() {
            let claim = &self.settings.scopes_claim;
            tracing::warn!(
                claim,
                "the provider does not say what people may do: this claim is not in what it says of them"
            );
        }
        let name = match (claims.name(), untold) {
            (Some(name), _) => name,
            // Nobody is called by what the provider's own people do not see.
            (None, Some(error)) => return Err(error),
            (None, None) => DisplayName::lenient(&subject).ok_or(RefusedIdToken::Malformed)?,
        };
        let identity = ProvidedIdentity { issuer: self.settings.issuer.clone(), subject, name };
        Ok(Identified { identity, scopes: scopes.and_then(granted) })
    }

    async fn configuration(&self, max_age: Duration) -> Result<Configuration, ProviderError> {
        let issuer = self.settings.issuer.trim_end_matches('/');
        let address = format!("{issuer}/.well-known/openid-configuration");
        let fetch = async || {
            let fetched: Value = self.answer(self.http.get(&address)).await?;
            // What cannot be used is not kept in the place of what could.
            self.read_configuration(fetched.clone()).map(|_| fetched)
        };
        self.read_configuration(self.documents.configuration(max_age, fetch).await?)
    }

    fn read_configuration(&self, document: Value) -> Result<Configuration, ProviderError> {
        let configuration: Configuration = serde_json::from_value(document)
            .map_err(|error| self.unavailable(&format!("does not say of itself what it must: {error}")))?;
        if configuration.issuer != self.settings.issuer {
            return Err(self.unavailable(&format!("calls itself {:?}; use that", configuration.issuer)));
        }
        let endpoints =
            [&configuration.authorization_endpoint, &configuration.token_endpoint, &configuration.jwks_uri];
        let endpoints = endpoints.into_iter().chain(&configuration.userinfo_endpoint);
        if !endpoints.into_iter().all(|endpoint| is_address(endpoint)) {
            return Err(self.unavailable("names addresses that are not https://"));
        }
        Ok(configuration)
    }

    async fn exchange(
        &self,
        configuration: &Configuration,
        grant: &AuthorizationGrant,
    ) -> Result<TokenAnswer, ProviderError> {
        let ProviderSettings { client_id, client_secret, .. } = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &grant.code),
            ("redirect_uri", &grant.redirect_uri),
            ("code_verifier", &grant.code_verifier),
        ];
        let mut request = self.http.post(&configuration.token_endpoint);
        let methods = &configuration.token_endpoint_auth_methods_supported;
        let knows = |method: &str| methods.iter().any(|known| known == method);
        // Basic is what a provider supports that does not say (OpenID Connect Discovery, section 3).
        let is_posted = knows("client_secret_post") && !knows("client_secret_basic");
        match client_secret {
            Some(secret) if is_posted => {
                form.extend([("client_id", client_id.as_str()), ("client_secret", secret)]);
            }
            // Both are encoded as a form first (RFC 6749, section 2.3.1).
            Some(secret) => request = request.basic_auth(encoded(client_id), Some(encoded(secret))),
            None => form.push(("client_id", client_id)),
        }
        let (status, body) = self.ask(request.form(&form)).await?;
        match serde_json::from_slice::<TokenRefusal>(&body) {
            Ok(TokenRefusal { error }) if status.is_client_error() => Err(match error.as_str() {
                "invalid_client" | "unauthorized_client" => ProviderError::Client { error: plain(&error) },
                _ => ProviderError::Code { error: plain(&error) },
            }),
            _ => self.read(status, &body),
        }
    }

    async fn check(
        &self,
        configuration: &Configuration,
        id_token: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<id_token::Claims, ProviderError> {
        let fetch = async || {
            let fetched: Value = self.answer(self.http.get(&configuration.jwks_uri)).await?;
            let has_keys = fetched.get("keys").is_some_and(Value::is_array);
            if has_keys { Ok(fetched) } else { Err(self.unavailable("does not say which keys it has")) }
        };
        let keys = self.documents.keys(MAX_AGE, &fetch).await?;
        let expected = id_token::Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce,
            now,
        };
        match id_token::check(id_token, keys, &expected) {
            // The provider has changed its keys since.
            Err(RefusedIdToken::UnknownKey) => {
                let keys = self.documents.keys(Duration::ZERO, &fetch).await?;
                Ok(id_token::check(id_token, keys, &expected)?)
            }
            checked => Ok(checked?),
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let (status, body) = self.ask(request).await?;
        self.read(status, &body)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ProviderError> {
        let mut response = request.send().await.map_err(|error| {
            // The words of the error may repeat the address with what stands in it.
            self.unavailable(if error.is_timeout() { "does not answer in time" } else { "cannot be reached" })
        })?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| self.unavailable("stops in mid-answer"))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.unavailable("answers more than anybody reads"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, body: &[u8]) -> Result<T, ProviderError> {
        if status != StatusCode::OK {
            return Err(self.unavailable(&format!("answers {status}")));
        }
        serde_json::from_slice(body).map_err(|_| self.unavailable("answers no JSON as documented"))
    }

    fn unavailable(&self, what: &str) -> ProviderError {
        ProviderError::Unavailable { issuer: self.settings.issuer.clone(), what: what.to_owned() }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}

/// The scopes that somebody can be given, among the words of a claim.
fn granted(words: Vec<String>) -> Option<Scopes> {
    Scopes::new(words.iter().filter_map(|word| Scope::for_person(word).ok()))
}

/// Over TLS, or within this computer.
fn is_address(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_own = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let names_nobody = url.username().is_empty() && url.password().is_none();
    names_nobody && (url.scheme() == "https" || (url.scheme() == "http" && is_own))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A word of somebody else, fit for a log.
fn plain(word: &str) -> String {
    word.chars().filter(|char| char.is_ascii_graphic()).take(40).collect()
}
