//! A server on a free port, with a store of its own, and what tests send to it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use domain::{EntryResult, Scope, Scopes, SyncResponse, Verdict};
use event_store::testing::fresh_store;
use futures_util::Stream;
use identity::{Authority, Provider};
use leadlog::http::{self, Context, Settings, Surroundings};
use leadlog::store::Store;
use projections::Runner;
use serde_json::{Value, json};
use sqlx::PgPool;

/// A server that lives as long as the test.
pub(crate) struct Server {
    address: SocketAddr,
    /// Its store.
    pub(crate) store: Store,
    /// Its database.
    pub(crate) pool: PgPool,
    /// Where its database is, for programs beside it.
    pub(crate) database_url: String,
    /// May all that somebody at the server may, and is sent with every request of this type.
    pub(crate) token: String,
    projections: Option<Runner>,
}

/// An HTTP answer.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Media type.
    pub(crate) content_type: String,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// Starts one on a fresh store.
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// The same, told something about its callers.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_as(settings, |_| None).await
    }

    /// The same, with a provider of identities that keeps its keys in the store's database.
    pub(crate) async fn start_as(
        settings: Settings,
        provider: impl FnOnce(&PgPool) -> Option<Arc<Provider>>,
    ) -> Self {
        let (pool, url) = fresh_store().await;
        let store = Store::open(&url).await.unwrap();
        let (context, projections) = Context::start(store.clone(), settings, Surroundings::default());
        let context = context.with_provider(provider(&pool));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let token = token(&context.authority).await;
        actix_web::rt::spawn(http::serve(listener, context).unwrap());
        Self { address, store, pool, database_url: url, token, projections: Some(projections) }
    }

    /// From here on nobody folds what it takes in.
    pub(crate) async fn stop_projecting(&mut self) {
        if let Some(runner) = self.projections.take() {
            runner.shutdown().await;
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.url("")
    }

    /// Posts a body to the sync route.
    pub(crate) async fn post(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.post_encoded(body, None).await
    }

    /// Posts a body with a content encoding.
    pub(crate) async fn post_encoded(&self, body: impl Into<Vec<u8>>, encoding: Option<&str>) -> Answer {
        let mut request = self.client().post(self.url("/api/leads/sync"));
        if let Some(encoding) = encoding {
            request = request.insert_header(("content-encoding", encoding));
        }
        Answer::read(request.send_body(body.into()).await.unwrap()).await
    }

    /// Puts a body to a path, with a content encoding.
    pub(crate) async fn put(&self, path: &str, body: impl Into<Vec<u8>>, encoding: Option<&str>) -> Answer {
        let mut request = self.client().put(self.url(path));
        if let Some(encoding) = encoding {
            request = request.insert_header(("content-encoding", encoding));
        }
        Answer::read(request.send_body(body.into()).await.unwrap()).await
    }

    /// A client that has a token.
    pub(crate) fn client(&self) -> awc::Client {
        awc::Client::builder().bearer_auth(&self.token).finish()
    }

    /// Gets a path as gzip.
    pub(crate) async fn get_packed(&self, path: &str) -> Answer {
        let request = self.client().get(self.url(path)).insert_header(("accept-encoding", "gzip"));
        Answer::read(request.send().await.unwrap()).await
    }

    /// Gets a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::read(self.client().get(self.url(path)).send().await.unwrap()).await
    }

    /// What a request with this method and no body gets.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
    ) -> awc::ClientResponse<impl Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin + use<>>
    {
        let method = method.parse().unwrap();
        self.client().request(method, self.url(path)).send().await.unwrap()
    }

    /// Posts a request to the sync route and reads the answer.
    pub(crate) async fn ask(&self, request: Value) -> SyncResponse {
        let answer = self.post(request.to_string()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Syncs entries and returns the results.
    pub(crate) async fn sync(&self, entries: &[Value]) -> Vec<EntryResult> {
        self.ask(json!({ "entries": entries })).await.results
    }

    /// The value of a header in the answer to `GET` and to `HEAD`.
    pub(crate) async fn headers(&self, path: &str, name: &str) -> [String; 2] {
        let client = self.client();
        let (get, head) = (client.get(self.url(path)), client.head(self.url(path)));
        let answers = [get.send().await.unwrap(), head.send().await.unwrap()];
        answers.map(|answer| answer.headers().get(name).unwrap().to_str().unwrap().to_owned())
    }

    /// Syncs entries and returns the verdicts.
    pub(crate) async fn verdicts(&self, entries: &[Value]) -> Vec<Verdict> {
        self.sync(entries).await.iter().map(|result| result.status).collect()
    }

    /// Counts the events of a type, and checks that positions are gapless (invariant 11).
    pub(crate) async fn count(&self, event_type: &str) -> i64 {
        let (all, newest, head): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(max(position), 0), (SELECT position FROM log_head) FROM events",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        assert_eq!((all, head), (newest, newest), "invariant 11");
        sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1")
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A token for everything, as whoever is at the server gets it.
async fn token(authority: &Authority) -> String {
    let (name, scopes) =
        ("tests".parse().unwrap(), Scopes::new(Scope::FOR_PROGRAMS.iter().copied()).unwrap());
    authority.issue_to_admin(name, scopes, Duration::from_secs(3600)).await.unwrap().text
}

impl Answer {
    pub(crate) async fn read<S>(mut response: awc::ClientResponse<S>) -> Self
    where
        S: Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin,
    {
        let content_type =
            response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default(),
            body: response.body().limit(64 * 1024 * 1024).await.unwrap().to_vec(),
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A lead that nothing is wrong with.
pub(crate) fn lead(number: u64) -> Value {
    json!({
        "kind": "captured", "clientId": format!("0197f3c2-5c1e-7c3a-9d64-{number:012}"), "version": 1,
        "deviceId": "ipad-7", "deviceSeq": number, "campaignId": "shootout-2026", "campaignVersion": 1,
        "capturedAt": "2026-05-23T14:03:11.120+02:00",
        "contact": {
            "firstName": "Anna", "lastName": "Żółć", "email": format!("anna{number}@example.com"), "phone": "+48501502503"
        },
        "consents": [{ "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10+02:00" }]
    })
}

/// The same with a change.
pub(crate) fn lead_with(number: u64, change: impl FnOnce(&mut Value)) -> Value {
    let mut lead = lead(number);
    change(&mut lead);
    lead
}
