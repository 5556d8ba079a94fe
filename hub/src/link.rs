//! A hub's cloud, and what the hub shows there: kept in its own database, so that it is asked for once.
//!
//! The hub makes its secret itself, and keeps it before it shows it, together with a one-time code. So an answer that is lost
//! costs nothing: the same secret is shown again.

use identity::{NewSecret, SecretError, digest_of_code};
use sqlx::PgPool;
use url::Url;

/// Which cloud, and what this hub is to it.
#[derive(Clone)]
pub struct Link {
    /// Where it is: `https://leads.example.com`.
    pub cloud: Url,
    /// The one-time code that lets the hub in.
    pub(crate) code: String,
    /// The secret that the hub shows with it, and from then on.
    pub(crate) secret: String,
    /// What the cloud calls this hub; `None` until it was let in.
    pub(crate) client_id: Option<String>,
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

impl Link {
    /// What was kept; `None` when this hub was never told of a cloud.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn load(pool: &PgPool) -> Result<Option<Self>, LinkError> {
        let kept: Option<(String, String, String, Option<String>)> =
            sqlx::query_as("SELECT cloud, code, secret, client_id FROM hub_link")
                .fetch_optional(pool)
                .await?;
        let Some((cloud, code, secret, client_id)) = kept else { return Ok(None) };
        let cloud = cloud.parse().map_err(|_| LinkError::Address(cloud))?;
        Ok(Some(Self { cloud, code, secret, client_id }))
    }

    /// Notes which cloud this is a hub of, and the code that lets it in. The code that it came in by already says nothing new:
    /// it may stand in a script.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn begin(pool: &PgPool, cloud: Url, code: String) -> Result<Self, LinkError> {
        let kept = Self::load(pool).await?;
        let same = kept.filter(|kept| digest_of_code(&kept.code) == digest_of_code(&code));
        let link = match same {
            Some(kept) => Self { cloud, ..kept },
            None => {
                let secret = NewSecret::make()?.reveal().to_owned();
                Self { cloud, code, secret, client_id: None }
            }
        };
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
        sqlx::query(
            "INSERT INTO hub_link (cloud, code, secret, client_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT (only_row) DO UPDATE SET
                 cloud = excluded.cloud, code = excluded.code, secret = excluded.secret, client_id = excluded.client_id",
        )
        .bind(self.cloud.as_str())
        .bind(&self.code)
        .bind(&self.secret)
        .bind(&self.client_id)
        .execute(pool)
        .await?;
        Ok(())
    }
}
