//! The way to the cloud: its ordinary sync route, by HTTP, with a token that the hub gets for its client secret.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use domain::{FeedPage, Receipt};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, RequestBuilder, StatusCode, header, redirect};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

/// How long the cloud may take to accept a connection. A venue's network may be slow; one that is not there says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take to give a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long it may take to say what was published.
const FEED_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read: verdicts about a whole batch are some hundred kB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A token is not used when it has less than this left: it must count until the request has arrived.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// Which cloud, and what this hub is to it.
#[derive(Clone)]
pub struct CloudSettings {
    /// Where it is: `https://leads.example.com`.
    pub url: Url,
    /// The client that was registered there with the scope `relay`.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// The cloud.
pub struct Cloud {
    settings: CloudSettings,
    http: Client,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    ends_at: Instant,
}

/// What came back, whoever has sent it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    pub(crate) retry_after: Option<String>,
}

/// Why nothing was relayed, in words for whoever looks after the hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Nobody answers there.
    #[error("the cloud cannot be reached: {0}")]
    Unreachable(&'static str),
    /// It gives this hub no token.
    #[error(
        "the cloud does not let this hub in ({0}); look at the client id and its secret, and at `leadlog clients list` there"
    )]
    NotLetIn(String),
    /// Somebody answers in its place.
    #[error(
        "what answers at the address of the cloud is none: is it a page to sign in to the network, or another hub?"
    )]
    NotACloud,
    /// It answers, and not as it should.
    #[error("the cloud answers {0}")]
    Answer(String),
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl Cloud {
    /// The way there. Asks nobody yet.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new(settings: CloudSettings) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // What somebody else answers in the cloud's place is not followed.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { settings, http, token: Mutex::default() })
    }

    /// Posts a body to the sync route.
    pub(crate) async fn sync(&self, body: &str, timeout: Duration) -> Result<Reply, CloudError> {
        let token = self.token().await?;
        let request = self.http.post(self.route("api/leads/sync")).bearer_auth(&token).timeout(timeout);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        // A hall's way out is the slowest of all; leads are a tenth when compressed.
        let request = match gzipped(body) {
            Ok(gzipped) => request.header(header::CONTENT_ENCODING, "gzip").body(gzipped),
            Err(_) => request.body(body.to_owned()),
        };
        let reply = answer(request).await?;
        match reply.code {
            200..300 => {}
            401 | 403 => {
                // Of another key than the cloud has now, or taken back: the next request gets another one.
                *self.token.lock().await = None;
                return Err(CloudError::NotLetIn(format!("status {}", reply.code)));
            }
            code => tracing::debug!(code, "the cloud takes nothing now"),
        }
        Ok(reply)
    }

    /// What the cloud has published after the event that was read last.
    pub(crate) async fn feed(&self, last: Option<Receipt>) -> Result<FeedPage, CloudError> {
        let token = self.token().await?;
        // Digits and hexadecimal digits, so that nothing need be escaped.
        let after =
            last.map(|Receipt { position, append_id, .. }| format!("?after={position}&appendId={append_id}"));
        let address = self.route("api/feed") + &after.unwrap_or_default();
        let request = self.http.get(address).bearer_auth(&token).timeout(FEED_TIMEOUT);
        let reply = answer(request).await?;
        match reply.code {
            200 => serde_json::from_str(&reply.body).map_err(|_| CloudError::NotACloud),
            code => Err(CloudError::Answer(format!("status {code} when it is asked what was published"))),
        }
    }

    async fn token(&self) -> Result<String, CloudError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Instant::now() + TOKEN_MARGIN < token.ends_at) {
            return Ok(token.text.clone());
        }
        let CloudSettings { client_id, client_secret, .. } = &self.settings;
        let asked_at = Instant::now();
        let request = self.http.post(self.route("oauth/token")).basic_auth(client_id, Some(client_secret));
        let request = request.form(&[("grant_type", "client_credentials"), ("scope", "relay")]);
        let reply = answer(request.timeout(TOKEN_TIMEOUT)).await?;
        if reply.code != StatusCode::OK.as_u16() {
            return Err(match serde_json::from_str::<TokenRefusal>(&reply.body) {
                Ok(TokenRefusal { error }) if matches!(reply.code, 400 | 401) => {
                    CloudError::NotLetIn(plain(&error))
                }
                _ => CloudError::Answer(format!("status {} when it is asked for a token", reply.code)),
            });
        }
        let answer: TokenAnswer = serde_json::from_str(&reply.body).map_err(|_| CloudError::NotACloud)?;
        let ends_at = asked_at + Duration::from_secs(answer.expires_in.min(24 * 60 * 60));
        *kept = Some(Token { text: answer.access_token.clone(), ends_at });
        Ok(answer.access_token)
    }

    fn route(&self, path: &str) -> String {
        format!("{}/{path}", self.settings.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloudSettings({} as {})", self.url, self.client_id)
    }
}

async fn answer(request: RequestBuilder) -> Result<Reply, CloudError> {
    let mut response = request.send().await.map_err(|error| CloudError::Unreachable(word(&error)))?;
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, retry_after) = (text(header::CONTENT_TYPE), text(header::RETRY_AFTER));
    let code = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| CloudError::Unreachable(word(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(CloudError::Answer("more than anybody reads".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply { code, content_type: content_type.unwrap_or_default(), body, retry_after })
}

/// The words of the library repeat the address.
fn word(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it does not answer in time"
    } else if error.is_connect() {
        "no connection; is there a network, and is the address right?"
    } else {
        "the connection broke"
    }
}

fn gzipped(body: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes())?;
    encoder.finish()
}

/// A word of somebody else, fit for a log.
fn plain(word: &str) -> String {
    word.chars().filter(|char| char.is_ascii_graphic()).take(40).collect()
}
