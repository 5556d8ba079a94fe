//! `leadlog hub`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use hub::cloud::{Cloud, CloudSettings};
use url::Url;

use super::serve::Serve;

/// Serves the form and the API on the network of a venue, like `serve`, and relays all that comes in to the cloud, whenever
/// there is a way out.
///
/// Its data folder is its own: a store that was a cloud does not become a hub. What the cloud has not got yet stays here and is
/// sent when the cloud answers, also after a restart; iPads are told when their leads are in the cloud.
#[derive(Args)]
pub(super) struct Hub {
    #[command(flatten)]
    cloud: CloudArgs,

    #[command(flatten)]
    serve: Serve,
}

#[derive(Args)]
#[command(next_help_heading = "Cloud")]
struct CloudArgs {
    /// Where the cloud is: https://leads.example.com
    #[arg(long = "cloud", env = "LEADLOG_CLOUD", value_name = "URL")]
    url: Url,

    /// What the cloud calls this hub. There: leadlog clients add hub-1 --scope relay
    #[arg(long = "cloud-client-id", env = "LEADLOG_CLOUD_CLIENT_ID", value_name = "ID")]
    client_id: String,

    /// A file with the secret that came with it.
    #[arg(long = "cloud-secret-file", env = "LEADLOG_CLOUD_SECRET_FILE", value_name = "FILE")]
    secret_file: PathBuf,
}

impl Hub {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.serve.run_as_hub(self.cloud.cloud()?).await
    }
}

impl CloudArgs {
    fn cloud(self) -> anyhow::Result<Cloud> {
        let Self { url, client_id, secret_file } = self;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_own(&url));
        let is_plain = url.username().is_empty() && url.password().is_none();
        ensure!(
            is_safe && is_plain && url.query().is_none() && url.fragment().is_none(),
            "--cloud must be an address such as https://leads.example.com (http:// for this computer alone), without a \
             name, ? and #"
        );
        let secret = fs::read_to_string(&secret_file)
            .with_context(|| format!("cannot read the secret in {}", secret_file.display()))?;
        let client_secret = secret.trim().to_owned();
        ensure!(!client_secret.is_empty(), "there is no secret in {}", secret_file.display());
        Cloud::new(CloudSettings { url, client_id, client_secret }).context("there is no TLS on this machine")
    }
}

/// Whether nobody else can read what travels there.
fn is_own(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
