//! The way to the cloud: its ordinary routes, by HTTP, with a token that the hub gets for its secret.

use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use domain::{DeviceId, FeedCursor, FeedPage, FeedUpdate, FeedUpdateAnswer};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, RequestBuilder, StatusCode, header, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::link::{Admission, Link, Offer};

/// How long the cloud may take to accept a connection. A venue's network may be slow; one that is not there says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it may take to give a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long it may take to say what was published, or to take in what it is told.
const FEED_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a backup may take: some hundred kB over the way out of a hall.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer that is read: verdicts about a whole batch are some hundred kB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// What the cloud says of a code that lets nobody in.
const NO_CODE: &str = "urn:leadlog:problem:invalid-code";

/// A token is not used when it has less than this left: it must count until the request has arrived.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// The cloud.
pub struct Cloud {
    pool: PgPool,
    http: Client,
    access: Mutex<Access>,
    /// Its address, without a `/` at the end.
    address: String,
    /// How far this computer's clock is ahead of the cloud's, in milliseconds.
    clock_offset_ms: AtomicI64,
}

struct Access {
    link: Link,
    token: Option<Token>,
}

struct Token {
    text: String,
    ends_at: Instant,
}

/// No clock was compared yet.
const UNKNOWN_OFFSET: i64 = i64::MIN;

/// What came back, whoever has sent it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    pub(crate) retry_after: Option<String>,
    /// When that was, by the clock of whoever has sent it.
    date: Option<OffsetDateTime>,
    /// When its head was here, by this computer's clock.
    received_at: OffsetDateTime,
}

/// Why nothing was relayed, in words for whoever looks after the hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Nobody answers there.
    #[error("the cloud cannot be reached: {0}")]
    Unreachable(&'static str),
    /// It gives this hub no token.
    #[error(
        "the cloud does not let this hub in ({0}); look at `leadlog clients list` there, make a code with `leadlog hubs enrol \
         NAME`, under another name if it was revoked, and start this hub as before, with --code CODE"
    )]
    NotLetIn(String),
    /// The one-time code does not count.
    #[error(
        "the cloud does not know the code, or it was used or has expired; make another there with `leadlog hubs enrol NAME`, \
         and start this hub as before, with --code CODE"
    )]
    Code,
    /// Another process has the relay.
    #[error("another process relays from this hub's database; one of the two is enough")]
    OtherProcess,
    /// The hub's own database does not answer.
    #[error("the hub's own database does not answer")]
    OwnDatabase,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnrolAnswer {
    client_id: String,
}

#[derive(Deserialize)]
struct ProblemAnswer {
    r#type: String,
}

impl Cloud {
    /// The way there. Asks nobody yet. What the cloud says of the hub itself is kept in its database.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new(pool: PgPool, link: Link) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // What somebody else answers in the cloud's place is not followed.
            .redirect(redirect::Policy::none())
            .build()?;
        let address = link.cloud.as_str().trim_end_matches('/').to_owned();
        let access = Mutex::new(Access { link, token: None });
        Ok(Self { pool, http, access, address, clock_offset_ms: AtomicI64::new(UNKNOWN_OFFSET) })
    }

    /// Where it is, without a `/` at the end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How far this computer's clock is ahead of the cloud's, to about a second; `None` before the cloud has answered.
    pub fn clock_offset(&self) -> Option<time::Duration> {
        let known = self.clock_offset_ms.load(Ordering::Relaxed);
        (known != UNKNOWN_OFFSET).then(|| time::Duration::milliseconds(known))
    }

    /// Posts a body to the sync route.
    pub(crate) async fn sync(&self, body: &str, timeout: Duration) -> Result<Reply, CloudError> {
        let request = self.http.post(self.route("api/leads/sync")).timeout(timeout);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        // A hall's way out is the slowest of all; leads are a tenth when compressed.
        let reply = self.authorized(match gzipped(body) {
            Ok(gzipped) => request.header(header::CONTENT_ENCODING, "gzip").body(gzipped),
            Err(_) => request.body(body.to_owned()),
        });
        let reply = reply.await?;
        if reply.code >= 300 {
            tracing::debug!(code = reply.code, "the cloud takes nothing now");
        }
        Ok(reply)
    }

    /// What the cloud has to say after what was read last.
    pub(crate) async fn feed(&self, last: Option<FeedCursor>) -> Result<FeedPage, CloudError> {
        // Digits and hexadecimal digits, so that nothing need be escaped.
        let after = last
            .map(|FeedCursor { position, append_id }| format!("?after={position}&appendId={append_id}"))
            .unwrap_or_default();
        let request = self.http.get(self.route("api/feed") + &after).timeout(FEED_TIMEOUT);
        let reply = self.authorized(request).await?;
        let page = read(&reply, "it is asked what was published")?;
        self.compare_clocks(&reply);
        Ok(page)
    }

    /// What answered is the cloud: by its own clock, of whole seconds, it wrote this in the middle of the second that it names.
    fn compare_clocks(&self, reply: &Reply) {
        if let Some(said) = reply.date {
            let offset = reply.received_at - (said + time::Duration::milliseconds(500));
            let offset_ms = i64::try_from(offset.whole_milliseconds()).unwrap_or(i64::MAX);
            self.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
        }
    }

    /// Tells the cloud what it does not know of enrolments.
    pub(crate) async fn tell(&self, update: &FeedUpdate) -> Result<FeedUpdateAnswer, CloudError> {
        let request = self.http.post(self.route("api/feed")).json(update).timeout(FEED_TIMEOUT);
        let reply = self.authorized(request).await?;
        read(&reply, "it is told of devices")
    }

    /// Gives the cloud a backup of a device, as it is stored: gzip. Answers whether the cloud has it now; if not, another try
    /// with the same comes to the same.
    pub(crate) async fn give_backup(&self, device: &DeviceId, gzip: Vec<u8>) -> Result<bool, CloudError> {
        let request = self.http.put(self.route("api/devices/") + device.as_str() + "/backups");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::CONTENT_ENCODING, "gzip").body(gzip).timeout(BACKUP_TIMEOUT);
        match self.authorized(request).await?.code {
            200 | 201 => Ok(true),
            400 | 413 | 415 => Ok(false),
            code => Err(CloudError::Answer(format!("status {code} when it is given a backup"))),
        }
    }

    /// Sends a request with a token; with another one, once, when the cloud does not take the first: a laptop's clock stands
    /// still while it sleeps, and a cloud may have other keys than before.
    async fn authorized(&self, request: RequestBuilder) -> Result<Reply, CloudError> {
        let again = request.try_clone();
        let token = self.token().await?;
        let reply = answer(request.bearer_auth(&token)).await?;
        let (401 | 403, Some(again)) = (reply.code, again) else { return Ok(reply) };
        self.drop_token(&token).await;
        let token = self.token().await?;
        let reply = answer(again.bearer_auth(&token)).await?;
        if !matches!(reply.code, 401 | 403) {
            return Ok(reply);
        }
        self.drop_token(&token).await;
        Err(CloudError::NotLetIn(format!("status {}", reply.code)))
    }

    async fn drop_token(&self, refused: &str) {
        self.access.lock().await.token.take_if(|token| token.text == refused);
    }

    async fn token(&self) -> Result<String, CloudError> {
        let mut access = self.access.lock().await;
        let Access { link, token } = &mut *access;
        if let Some(token) = token.as_ref().filter(|token| Instant::now() + TOKEN_MARGIN < token.ends_at) {
            return Ok(token.text.clone());
        }
        let Admission { client_id, secret, .. } = self.admission(link).await?;
        let asked_at = Instant::now();
        let request = self.http.post(self.route("oauth/token")).basic_auth(client_id, Some(secret));
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
        let answer: TokenAnswer = read(&reply, "it is asked for a token")?;
        self.compare_clocks(&reply);
        let ends_at = asked_at + Duration::from_secs(answer.expires_in.min(24 * 60 * 60));
        *token = Some(Token { text: answer.access_token.clone(), ends_at });
        Ok(answer.access_token)
    }

    /// By what the hub was let in; comes in first, where there is a code for that. One that lets nobody in is forgotten, where
    /// there is what goes on without it.
    async fn admission(&self, link: &mut Link) -> Result<Admission, CloudError> {
        if let Some(offer) = link.offer.clone() {
            let next = match (self.enrol(offer).await, &link.admission) {
                (Ok(admission), _) => Link { admission: Some(admission), offer: None, ..link.clone() },
                (Err(CloudError::Code), Some(_)) => {
                    tracing::warn!(
                        "the code that this hub was started with lets nobody in; it goes on with what it has"
                    );
                    Link { offer: None, ..link.clone() }
                }
                (Err(error), _) => return Err(error),
            };
            next.keep(&self.pool).await.map_err(|_| CloudError::OwnDatabase)?;
            *link = next;
        }
        link.admission.clone().ok_or(CloudError::Code)
    }

    async fn enrol(&self, Offer { code, secret }: Offer) -> Result<Admission, CloudError> {
        let body = json!({ "code": code, "secret": secret });
        let request = self.http.post(self.route("api/hubs/enrol")).json(&body).timeout(TOKEN_TIMEOUT);
        let reply = answer(request).await?;
        let problem = serde_json::from_str::<ProblemAnswer>(&reply.body);
        if reply.code == 403 && problem.is_ok_and(|problem| problem.r#type == NO_CODE) {
            return Err(CloudError::Code);
        }
        let EnrolAnswer { client_id } = read(&reply, "this hub shows its code")?;
        tracing::info!(hub = %plain(&client_id), "the cloud has let this hub in");
        Ok(Admission { client_id, secret, code })
    }

    fn route(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }
}

/// What an answer of status 200 says.
fn read<T: DeserializeOwned>(reply: &Reply, when: &str) -> Result<T, CloudError> {
    match reply.code {
        200 => serde_json::from_str(&reply.body).map_err(|_| CloudError::NotACloud),
        code => Err(CloudError::Answer(format!("status {code} when {when}"))),
    }
}

async fn answer(request: RequestBuilder) -> Result<Reply, CloudError> {
    let mut response = request.send().await.map_err(|error| CloudError::Unreachable(word(&error)))?;
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let received_at = OffsetDateTime::now_utc();
    let (content_type, retry_after) = (text(header::CONTENT_TYPE), text(header::RETRY_AFTER));
    let date =
        text(header::DATE).and_then(|date| httpdate::parse_http_date(&date).ok()).map(OffsetDateTime::from);
    let code = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| CloudError::Unreachable(word(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(CloudError::Answer("more than anybody reads".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let content_type = content_type.unwrap_or_default();
    Ok(Reply { code, content_type, body, retry_after, date, received_at })
}

/// The words of the library repeat the address.
fn word(error: &reqwest::Error) -> &'static str {
    if let Some(certificate) = certificate_error(error) {
        use rustls::CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        };
        match certificate {
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                "its certificate does not count today; is this computer's clock right?"
            }
            NotValidForName | NotValidForNameContext { .. } => {
                "its certificate is for another name; is the address right?"
            }
            _ => {
                "its certificate is not trusted here; a page to sign in to the network may have answered, or the cloud has a CA of \
                 its own: name its file in SSL_CERT_FILE (docs/tls.md)"
            }
        }
    } else if error.is_timeout() {
        "it does not answer in time"
    } else if error.is_connect() {
        "no connection; is there a network, and is the address right?"
    } else {
        "the connection broke"
    }
}

/// Why a certificate was refused, if that is what went wrong. An I/O error that wraps another one does not name it as its source.
fn certificate_error(error: &reqwest::Error) -> Option<&rustls::CertificateError> {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let wrapped = wrapped.map(|it| it as &(dyn std::error::Error + 'static));
        if let Some(rustls::Error::InvalidCertificate(why)) = wrapped.unwrap_or(error).downcast_ref() {
            return Some(why);
        }
        next = wrapped.or_else(|| error.source());
    }
    None
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::SystemTime;

    use super::*;

    /// Answers one request as the cloud's token route does, by a clock that is this far behind.
    fn cloud_behind(behind: Duration) -> Cloud {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cloud = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).unwrap();
            let date = httpdate::fmt_http_date(SystemTime::now() - behind);
            let body = r#"{"access_token":"t","expires_in":900}"#;
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
        });
        let (client_id, secret, code) = ("hub-1".to_owned(), "secret".to_owned(), "code".to_owned());
        let admission = Some(Admission { client_id, secret, code });
        let pool = PgPool::connect_lazy("postgres://nobody@127.0.0.1/nothing").unwrap();
        Cloud::new(pool, Link { cloud, admission, offer: None }).unwrap()
    }

    #[tokio::test]
    async fn the_clocks_are_compared_when_the_cloud_answers() {
        let hour = Duration::from_secs(3600);
        let cloud = cloud_behind(hour);
        assert_eq!(cloud.clock_offset(), None);
        cloud.token().await.unwrap();
        let offset = cloud.clock_offset().unwrap();
        // It names a whole second.
        assert!((offset - hour).abs() < time::Duration::seconds(30), "{offset}");
    }
}
