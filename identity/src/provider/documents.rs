//! What a provider says of itself: fetched now and then. Its keys are kept in the database for when it does not answer.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::ProviderError;

/// How soon after an attempt that failed there is another one: whoever cannot sign in tries again, anybody can try, and who
/// comes meanwhile waits for those before him.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How long the database may take. It only keeps a copy.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The documents of one provider, as a process keeps them.
pub(super) struct Documents {
    issuer: String,
    pool: PgPool,
    configuration: Cache,
    keys: Cache,
}

/// One document.
#[derive(Default)]
struct Cache {
    /// With the moment when it was fetched.
    known: RwLock<Option<(Arc<Value>, Instant)>>,
    /// When the provider last gave no answer.
    failed_at: RwLock<Option<Instant>>,
    /// Held while it is fetched: who comes meanwhile waits, and finds it.
    fetching: Mutex<()>,
}

impl Documents {
    pub(super) fn new(issuer: String, pool: PgPool) -> Self {
        Self { issuer, pool, configuration: Cache::default(), keys: Cache::default() }
    }

    /// What the provider says where its endpoints are, `max_age` ago at most. An older one is of no use: nobody is to be sent
    /// to a provider that does not answer.
    pub(super) async fn configuration(
        &self,
        max_age: Duration,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        let (document, _) = self.get(&self.configuration, max_age, fetch).await?;
        Ok(Value::clone(&document))
    }

    /// Its public keys. While it does not answer, those that it last had.
    ///
    /// With a `max_age` of zero those of this moment: only for a token that is the provider's own answer, so that nobody else
    /// can make a server ask for them again and again.
    pub(super) async fn keys(
        &self,
        max_age: Duration,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<Value, ProviderError> {
        match self.get(&self.keys, max_age, fetch).await {
            Ok((keys, is_new)) => {
                if is_new {
                    self.keep(&keys).await;
                }
                Ok(Value::clone(&keys))
            }
            Err(error) => {
                let keys = match self.keys.known() {
                    Some((keys, _)) => Some(Value::clone(&keys)),
                    None => self.kept().await,
                };
                let Some(keys) = keys else { return Err(error) };
                tracing::warn!(%error, "the keys are used that the provider had when it last answered");
                Ok(keys)
            }
        }
    }

    /// A document that is young enough, and whether it was fetched for this.
    async fn get(
        &self,
        cache: &Cache,
        max_age: Duration,
        fetch: impl AsyncFn() -> Result<Value, ProviderError>,
    ) -> Result<(Arc<Value>, bool), ProviderError> {
        if let Some(document) = cache.young(max_age) {
            return Ok((document, false));
        }
        let _fetching = cache.fetching.lock().await;
        if let Some(document) = cache.young(max_age) {
            return Ok((document, false));
        }
        if cache.has_just_failed() {
            let what = "gave no answer a moment ago".to_owned();
            return Err(ProviderError::Unavailable { issuer: self.issuer.clone(), what });
        }
        match fetch().await {
            Ok(document) => Ok((cache.remember(document), true)),
            Err(error) => {
                *cache.failed_at.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Keeps a copy for other processes and for the next start. Without it, the provider is asked again.
    async fn keep(&self, keys: &Value) {
        let kept = sqlx::query(
            "INSERT INTO provider_keys (issuer, keys) VALUES ($1, $2)
             ON CONFLICT (issuer) DO UPDATE SET keys = excluded.keys, fetched_at = now()",
        )
        .bind(&self.issuer)
        .bind(keys)
        .execute(&self.pool);
        match timeout(DATABASE_TIMEOUT, kept).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the provider's keys are not kept for when it does not answer")
            }
            Err(_) => tracing::warn!("the provider's keys are not kept: the database does not answer"),
        }
    }

    async fn kept(&self) -> Option<Value> {
        let kept = sqlx::query_scalar("SELECT keys FROM provider_keys WHERE issuer = $1")
            .bind(&self.issuer)
            .fetch_optional(&self.pool);
        timeout(DATABASE_TIMEOUT, kept).await.ok()?.ok()?
    }
}

impl Cache {
    fn known(&self) -> Option<(Arc<Value>, Instant)> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn young(&self, max_age: Duration) -> Option<Arc<Value>> {
        self.known().filter(|(_, fetched_at)| fetched_at.elapsed() < max_age).map(|(document, _)| document)
    }

    fn has_just_failed(&self) -> bool {
        let failed_at = *self.failed_at.read().unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| at.elapsed() < RETRY_INTERVAL)
    }

    fn remember(&self, document: Value) -> Arc<Value> {
        let document = Arc::new(document);
        let known = (Arc::clone(&document), Instant::now());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        document
    }
}

#[cfg(test)]
mod tests {
    use event_store::testing::fresh_store;
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

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
    async fn while_the_provider_does_not_answer_every_process_has_the_keys_that_it_last_had() {
        let (pool, _) = fresh_store().await;
        assert!(process(&pool).keys(HOUR, fails).await.is_err());
        let first = process(&pool);
        let (old, new) = (json!({ "keys": [1] }), json!({ "keys": [2] }));
        assert_eq!(first.keys(HOUR, async || Ok(old.clone())).await.unwrap(), old);
        // They are young, so nobody is asked.
        assert_eq!(first.keys(HOUR, fails).await.unwrap(), old);
        let second = process(&pool);
        assert_eq!(second.keys(HOUR, fails).await.unwrap(), old);
        // Another provider has nothing to do with it.
        let other = Documents::new("https://other.example.com".to_owned(), pool.clone());
        assert!(other.keys(HOUR, fails).await.is_err());

        let third = process(&pool);
        assert_eq!(third.keys(Duration::ZERO, async || Ok(new.clone())).await.unwrap(), new);
        assert_eq!(third.keys(Duration::ZERO, fails).await.unwrap(), new);
        assert_eq!(process(&pool).keys(HOUR, fails).await.unwrap(), new);
    }

    #[tokio::test]
    async fn nobody_is_sent_to_a_provider_that_does_not_answer() {
        let (pool, _) = fresh_store().await;
        let documents = process(&pool);
        documents.configuration(HOUR, async || Ok(json!({}))).await.unwrap();
        documents.configuration(HOUR, fails).await.expect("it is young");
        assert!(documents.configuration(Duration::ZERO, fails).await.is_err());
    }

    #[tokio::test]
    async fn a_provider_that_has_just_failed_is_not_asked_again_at_once() {
        let (pool, _) = fresh_store().await;
        let documents = process(&pool);
        assert!(documents.configuration(HOUR, fails).await.is_err());
        let asked = std::cell::Cell::new(0);
        let again = documents.configuration(HOUR, async || {
            asked.set(asked.get() + 1);
            Ok(json!({}))
        });
        let error = again.await.unwrap_err();
        assert!(error.to_string().contains("a moment ago"), "{error}");
        assert_eq!(asked.get(), 0);
    }
}
