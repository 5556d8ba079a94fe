//! What a provider says of itself: fetched now and then, and kept in the database for when it does not answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::ProviderError;

/// How old a document may be while the provider answers. Keys change some times a year; an ID token with a key that nobody
/// knows has them fetched at once.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// How soon after an attempt that failed there is another one: whoever cannot sign in tries again, anybody can try, and who
/// comes meanwhile waits for those before him.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How long the database may take. It only keeps a copy.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Configuration,
    Keys,
}

/// The documents of one provider, as a process keeps them.
pub(super) struct Documents {
    issuer: String,
    pool: PgPool,
    known: RwLock<HashMap<Kind, Known>>,
    /// When the provider last gave no answer.
    failed_at: RwLock<HashMap<Kind, Instant>>,
    /// Held while one is fetched: who comes meanwhile waits, and finds it.
    fetching: Mutex<()>,
}

#[derive(Clone)]
struct Known {
    document: Arc<Value>,
    /// When it was fetched; `None` when it is of the database, and may be of any age.
    fetched_at: Option<Instant>,
}

impl Documents {
    pub(super) fn new(issuer: String, pool: PgPool) -> Self {
        Self {
            issuer,
            pool,
            known: RwLock::default(),
            failed_at: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    /// What the provider says where its endpoints are.
    pub(super) async fn configuration(
        &self,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        self.get(Kind::Configuration, MAX_AGE, fetch).await
    }

    /// Its public keys.
    pub(super) async fn keys(
        &self,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        self.get(Kind::Keys, MAX_AGE, fetch).await
    }

    /// Its public keys of this moment, as far as it answers. Only for a token that is its own answer, so that nobody else can
    /// make a server ask for them again and again.
    pub(super) async fn newer_keys(
        &self,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        self.get(Kind::Keys, Duration::ZERO, fetch).await
    }

    async fn get(
        &self,
        kind: Kind,
        max_age: Duration,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        if let Some(settled) = self.settled(kind, max_age) {
            return settled;
        }
        let _fetching = self.fetching.lock().await;
        if let Some(settled) = self.settled(kind, max_age) {
            return settled;
        }
        match fetch().await {
            Ok(document) => {
                self.remember(kind, document.clone(), Some(Instant::now()));
                self.keep(kind, &document).await;
                Ok(document)
            }
            Err(error) => {
                self.failed_at.write().unwrap_or_else(PoisonError::into_inner).insert(kind, Instant::now());
                let known = match self.known(kind) {
                    Some(known) => Some(Value::clone(&known.document)),
                    None => self.kept(kind).await.inspect(|kept| self.remember(kind, kept.clone(), None)),
                };
                let Some(document) = known else { return Err(error) };
                tracing::warn!(%error, ?kind, "an earlier document of the provider is used");
                Ok(document)
            }
        }
    }

    /// What can be said without asking: what is young enough, and while the provider has just failed, what there is.
    fn settled(&self, kind: Kind, max_age: Duration) -> Option<Result<Value, ProviderError>> {
        let known = self.known(kind);
        let is_young = known.as_ref().and_then(|it| it.fetched_at).is_some_and(|at| at.elapsed() < max_age);
        let failed_at = self.failed_at.read().unwrap_or_else(PoisonError::into_inner).get(&kind).copied();
        let has_failed = failed_at.is_some_and(|at| at.elapsed() < RETRY_INTERVAL);
        match known {
            Some(known) if is_young || has_failed => Some(Ok(Value::clone(&known.document))),
            None if has_failed => Some(Err(ProviderError::Unavailable {
                issuer: self.issuer.clone(),
                what: "gave no answer a moment ago".to_owned(),
            })),
            _ => None,
        }
    }

    fn known(&self, kind: Kind) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned()
    }

    fn remember(&self, kind: Kind, document: Value, fetched_at: Option<Instant>) {
        let known = Known { document: Arc::new(document), fetched_at };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(kind, known);
    }

    /// Keeps a copy for other processes and for the next start. Without it, the provider is asked again.
    async fn keep(&self, kind: Kind, document: &Value) {
        let kept = sqlx::query(
            "INSERT INTO provider_documents (issuer, kind, document) VALUES ($1, $2, $3)
             ON CONFLICT (issuer, kind) DO UPDATE SET document = excluded.document, fetched_at = now()",
        )
        .bind(&self.issuer)
        .bind(kind.as_str())
        .bind(document)
        .execute(&self.pool);
        match timeout(DATABASE_TIMEOUT, kept).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "what the provider says is not kept for when it does not answer")
            }
            Err(_) => tracing::warn!("what the provider says is not kept: the database does not answer"),
        }
    }

    async fn kept(&self, kind: Kind) -> Option<Value> {
        let kept =
            sqlx::query_scalar("SELECT document FROM provider_documents WHERE issuer = $1 AND kind = $2")
                .bind(&self.issuer)
                .bind(kind.as_str())
                .fetch_optional(&self.pool);
        timeout(DATABASE_TIMEOUT, kept).await.ok()?.ok()?
    }
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Keys => "keys",
        }
    }
}

#[cfg(test)]
mod tests {
    use event_store::testing::fresh_store;
    use serde_json::json;

    use super::*;

    async fn fails() -> Result<Value, ProviderError> {
        Err(ProviderError::Unavailable {
            issuer: "https://login.example.com".to_owned(),
            what: String::new(),
        })
    }

    /// Another process of the store, or the same after a restart.
    fn process(pool: &PgPool) -> Documents {
        Documents::new("https://login.example.com".to_owned(), pool.clone())
    }

    #[tokio::test]
    async fn while_the_provider_does_not_answer_every_process_has_what_it_said_last() {
        let (pool, _) = fresh_store().await;
        event_store::migrate(&pool).await.unwrap();
        assert!(process(&pool).keys(fails).await.is_err());
        let first = process(&pool);
        let (old, new) = (json!({ "keys": [1] }), json!({ "keys": [2] }));
        assert_eq!(first.keys(async || Ok(old.clone())).await.unwrap(), old);
        // It is young, so nobody is asked.
        assert_eq!(first.keys(fails).await.unwrap(), old);
        let second = process(&pool);
        assert_eq!(second.keys(fails).await.unwrap(), old);
        assert!(second.configuration(fails).await.is_err(), "nothing was said of it");
        // Another provider has nothing to do with it.
        let other = Documents::new("https://other.example.com".to_owned(), pool.clone());
        assert!(other.keys(fails).await.is_err());

        let third = process(&pool);
        assert_eq!(third.newer_keys(async || Ok(new.clone())).await.unwrap(), new);
        assert_eq!(process(&pool).keys(fails).await.unwrap(), new);
    }

    #[tokio::test]
    async fn a_provider_that_has_just_failed_is_not_asked_again_at_once() {
        let (pool, _) = fresh_store().await;
        event_store::migrate(&pool).await.unwrap();
        let documents = process(&pool);
        assert!(documents.configuration(fails).await.is_err());
        let asked = std::cell::Cell::new(0);
        let again = documents.configuration(async || {
            asked.set(asked.get() + 1);
            Ok(json!({}))
        });
        let error = again.await.unwrap_err();
        assert!(error.to_string().contains("a moment ago"), "{error}");
        assert_eq!(asked.get(), 0);
    }
}
