//! The flags of `leadlog serve` about the provider of people's identities.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use identity::{Provider, ProviderSettings};
use sqlx::PgPool;

/// Who says who people are.
#[derive(Args)]
#[command(next_help_heading = "People")]
pub(super) struct ProviderArgs {
    /// Let people sign in by this OpenID Connect provider: its issuer, such as https://login.example.com/realms/event.
    /// Register https://YOUR-SERVER/signed-in there as redirect URI. Without one, people come by `leadlog invite`.
    #[arg(long, env = "LEADLOG_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,

    /// What the provider calls this server.
    #[arg(long, env = "LEADLOG_OIDC_CLIENT_ID", value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,

    /// A file with the secret that the provider gave to this server. Without it, it is a public client.
    #[arg(long, env = "LEADLOG_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", requires = "oidc_issuer")]
    oidc_client_secret_file: Option<PathBuf>,

    /// What to ask the provider for.
    #[arg(long, env = "LEADLOG_OIDC_SCOPE", value_name = "SCOPES", default_value = "openid profile")]
    oidc_scope: String,

    /// The claim with what a person may do, out of organize, crm and capture: a name such as roles, or a JSON pointer such
    /// as /realm_access/roles. Other words in it are passed over; who has none of them can capture and nothing else.
    #[arg(long, env = "LEADLOG_OIDC_SCOPES_CLAIM", value_name = "CLAIM", default_value = "roles")]
    oidc_scopes_claim: String,
}

impl ProviderArgs {
    /// The provider, if there is to be one.
    pub(super) fn provider(self, pool: &PgPool) -> anyhow::Result<Option<Arc<Provider>>> {
        let (Some(issuer), Some(client_id)) = (self.oidc_issuer, self.oidc_client_id) else {
            return Ok(None);
        };
        let client_secret = self.oidc_client_secret_file.map(|file| {
            let secret = fs::read_to_string(&file)
                .with_context(|| format!("cannot read the secret in {}", file.display()))?;
            anyhow::Ok(secret.trim().to_owned())
        });
        let settings = ProviderSettings {
            issuer,
            client_id,
            client_secret: client_secret.transpose()?,
            scope: self.oidc_scope,
            scopes_claim: self.oidc_scopes_claim,
        };
        let provider = Provider::new(settings, pool.clone());
        Ok(Some(Arc::new(provider.context("--oidc-issuer and what belongs to it cannot be used")?)))
    }
}
