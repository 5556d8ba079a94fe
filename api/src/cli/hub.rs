//! `leadlog hub`.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use hub::link::Link;
use identity::digest_of_code;
use sqlx::PgPool;
use url::Url;

use super::serve::Serve;

/// Serves the form and the API on the network of a venue, like `serve`, and relays all that comes in to the cloud, whenever
/// there is a way out.
///
/// The first start needs to know the cloud, and a one-time code that `leadlog hubs enrol NAME` makes there. It asks for both at a
/// terminal. After that `leadlog hub` is enough. While there is no way out it takes leads in all the same.
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
pub(super) struct CloudArgs {
    /// Where the cloud is: https://leads.example.com. Kept: needed once, and when it has another address.
    #[arg(long = "cloud", env = "LEADLOG_CLOUD", value_name = "URL", value_parser = address)]
    url: Option<Url>,

    /// The one-time code that lets this hub in there. At the cloud: leadlog hubs enrol NAME. Needed once.
    #[arg(long, env = "LEADLOG_CLOUD_CODE", value_name = "CODE", value_parser = one_time_code)]
    code: Option<String>,
}

impl Hub {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.serve.run_as_hub(self.cloud).await
    }
}

impl CloudArgs {
    /// What this hub is to its cloud: as it was told now, or before.
    pub(super) async fn link(self, pool: &PgPool) -> anyhow::Result<Link> {
        let Self { url, code } = self;
        let known = Link::load(pool).await?;
        let link = match (known, url, code) {
            (Some(known), None, None) => known,
            (Some(known), Some(url), None) => known.move_to(pool, url).await?,
            (Some(known), url, Some(code)) => Link::begin(pool, url.unwrap_or(known.cloud), code).await?,
            (None, Some(url), Some(code)) => Link::begin(pool, url, code).await?,
            (None, url, code) => {
                let (url, code) = tokio::task::spawn_blocking(|| ask(url, code)).await??;
                Link::begin(pool, url, code).await?
            }
        };
        Ok(link)
    }
}

/// Asks whoever sits there for what was not said.
fn ask(url: Option<Url>, code: Option<String>) -> anyhow::Result<(Url, String)> {
    if !std::io::stdin().is_terminal() {
        let missing = match (url, code) {
            (Some(_), _) => "say with --code the code that `leadlog hubs enrol NAME` shows there",
            (None, Some(_)) => "say where it is with --cloud",
            (None, None) => {
                "say where it is with --cloud, and with --code the code that `leadlog hubs enrol NAME` shows there"
            }
        };
        bail!("this hub does not know its cloud yet; {missing}");
    }
    Ok((
        url.map_or_else(|| question("Where is the cloud (https://…)? ", address), Ok)?,
        code.map_or_else(|| question("The code that `leadlog hubs enrol` shows there: ", one_time_code), Ok)?,
    ))
}

fn question<T>(words: &str, read: fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    loop {
        eprint!("{words}");
        std::io::stderr().flush()?;
        let mut line = String::new();
        let length = std::io::stdin().lock().read_line(&mut line).context("no answer can be read")?;
        ensure!(length > 0, "no answer was given");
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(error) => eprintln!("It {error}."),
        }
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| {
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_own(url));
        let is_plain = url.username().is_empty() && url.password().is_none();
        is_safe && is_plain && url.query().is_none() && url.fragment().is_none()
    });
    url.ok_or_else(|| {
        "must be an address such as https://leads.example.com (http:// for this computer alone), without a name, ? and #".to_owned()
    })
}

fn one_time_code(text: &str) -> Result<String, String> {
    let is_code = digest_of_code(text).is_some();
    is_code.then(|| text.to_owned()).ok_or_else(|| "is no code; one has 26 letters and digits".to_owned())
}

/// Whether nobody else can read what travels there.
fn is_own(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
