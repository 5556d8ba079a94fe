//! A hub's cloud, and what the hub shows there: kept in its own database, so that it is asked for once.
//!
//! The hub makes its secret itself, and keeps it before it shows it, together with a one-time code. So an answer that is lost
//! costs nothing: the same secret is shown again. What it was let in by before goes on until the cloud has taken the new one.

use identity::{NewSecret, SecretError, digest_of_code};
use sqlx::PgPool;
use url::Url;

/// Which cloud, and what this hub is to it.
#[derive(Clone)]
pub struct Link {
    /// Where it is: `https://leads.example.com`.
    pub cloud: Url,
    /// By what it was let in; `None` until it was.
    pub(crate) admission: Option<Admission>,
    /// By what it wants to be let in.
    pub(crate) offer: Option<Offer>,
}

/// By what a hub was let in.
#[derive(Clone)]
pub(crate) struct Admission {
    /// What the cloud calls this hub.
    pub(crate) client_id: String,
    pub(crate) secret: String,
    /// The code that did it. It is worth nothing any more.
    pub(crate) code: String,
}

/// A one-time code, and the secret that is shown with it.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) code: String,
    pub(crate) secret: String,
}

/// Why a hub has no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The database does not answer.
    #[error("the hub's database cannot be used")]
    Database(#[from] sqlx::Error),
    /// What is kept was written by hand.
    #[error("the address of the cloud that this hub has kept is none: {0}")]
    Address(String),
    /// No secret can be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// A row as it is kept.
#[derive(sqlx::FromRow)]
struct Row {
    cloud: String,
    client_id: Option<String>,
    secret: Option<String>,
    code: Option<String>,
    offered_code: Option<String>,
    offered_secret: Option<String>,
}

impl Link {
    /// What was kept; `None` when this hub was never told of a cloud.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn load(pool: &PgPool) -> Result<Option<Self>, LinkError> {
        let kept: Option<Row> = sqlx::query_as(
            "SELECT cloud, client_id, secret, code, offered_code, offered_secret FROM hub_link",
        )
        .fetch_optional(pool)
        .await?;
        let Some(Row { cloud, client_id, secret, code, offered_code, offered_secret }) = kept else {
            return Ok(None);
        };
        let cloud = cloud.parse().map_err(|_| LinkError::Address(cloud))?;
        let admission = client_id.zip(secret).zip(code).map(|((client_id, secret), code)| Admission {
            client_id,
            secret,
            code,
        });
        let offer = offered_code.zip(offered_secret).map(|(code, secret)| Offer { code, secret });
        Ok(Some(Self { cloud, admission, offer }))
    }

    /// Notes which cloud this is a hub of, and the code that lets it in. The code that it came in by already says nothing new:
    /// it may stand in a script.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn begin(pool: &PgPool, cloud: Url, code: String) -> Result<Self, LinkError> {
        let mut link =
            Self::load(pool).await?.unwrap_or(Self { cloud: cloud.clone(), admission: None, offer: None });
        link.cloud = cloud;
        let is_it = |known: &str| digest_of_code(known) == digest_of_code(&code);
        let is_known = link.admission.as_ref().is_some_and(|it| is_it(&it.code))
            || link.offer.as_ref().is_some_and(|it| is_it(&it.code));
        if !is_known {
            let secret = NewSecret::make()?.reveal().to_owned();
            link.offer = Some(Offer { code, secret });
        }
        link.keep(pool).await?;
        Ok(link)
    }

    /// The cloud has another address.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn move_to(self, pool: &PgPool, cloud: Url) -> Result<Self, LinkError> {
        let link = Self { cloud, ..self };
        link.keep(pool).await?;
        Ok(link)
    }

    pub(crate) async fn keep(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let (admission, offer) = (self.admission.as_ref(), self.offer.as_ref());
        sqlx::query(
            "INSERT INTO hub_link (cloud, client_id, secret, code, offered_code, offered_secret)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (only_row) DO UPDATE SET
                 cloud = excluded.cloud, client_id = excluded.client_id, secret = excluded.secret, code = excluded.code,
                 offered_code = excluded.offered_code, offered_secret = excluded.offered_secret",
        )
        .bind(self.cloud.as_str())
        .bind(admission.map(|it| &it.client_id))
        .bind(admission.map(|it| &it.secret))
        .bind(admission.map(|it| &it.code))
        .bind(offer.map(|it| &it.code))
        .bind(offer.map(|it| &it.secret))
        .execute(pool)
        .await?;
        Ok(())
    }
}
