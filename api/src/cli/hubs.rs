//! `leadlog hubs`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use domain::{ApiClientId, Scope, Scopes, Timestamp};
use identity::MAX_CODE_LIFETIME;
use serde::Serialize;

use super::{DatabaseArgs, lifetime, link};

/// Lets hubs in: laptops that take leads in at a venue, and relay them to this store.
///
/// `leadlog clients list` shows those that came in, and `leadlog clients revoke NAME` shuts one out. docs/hub.md has it step by
/// step.
#[derive(Args)]
pub(super) struct Hubs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Enrol(Enrol),
}

/// Makes a one-time code that lets one hub in, and prints what to start on the laptop.
///
/// The hub makes its secret itself. With a code for a name that came in before, another laptop takes its place, and the older
/// one is out.
#[derive(Args)]
struct Enrol {
    /// What you call the hub: a-z, 0-9 and `-`, for example hub-1.
    #[arg(value_name = "NAME")]
    name: ApiClientId,

    /// How long the code works, for example 10m or 2h; 24h at most.
    #[arg(long = "for", value_name = "SPAN", default_value = "1h", value_parser = lifetime::parse)]
    lifetime: Duration,

    /// Where hubs find this store: https://leads.example.com
    #[arg(long, env = "LEADLOG_PUBLIC_URL", value_name = "URL")]
    url: Option<String>,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// What is shown of a code.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    hub: &'a ApiClientId,
    code: String,
    expires_at: Timestamp,
}

impl Hubs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Enrol(enrol) => enrol.run().await,
        }
    }
}

impl Enrol {
    async fn run(self) -> anyhow::Result<()> {
        let Self { name, lifetime, url, json, database } = self;
        ensure!(
            !lifetime.is_zero() && lifetime <= MAX_CODE_LIFETIME,
            "a code works for a while, and for 24h at most; say how long with --for, for example 1h"
        );
        url.as_deref().map(link::check_base_url).transpose()?;
        let scopes = Scopes::new([Scope::Relay]).context("a hub relays")?;
        database
            .with_store_to_append(async |store| {
                let offered = identity::offer_to_client(store.pool(), &name, scopes, lifetime).await?;
                let shown = Shown { hub: &name, code: offered.code.reveal(), expires_at: offered.expires_at };
                // At once, while nothing can come between: nobody can make the store say it again.
                let mut out = std::io::stdout().lock();
                if json {
                    serde_json::to_writer(&mut out, &shown)?;
                    return Ok(writeln!(out)?);
                }
                let cloud = url.as_deref().unwrap_or("https://YOUR-CLOUD");
                writeln!(out, "{name} may come in once, until {}. On the laptop:\n", shown.expires_at)?;
                Ok(writeln!(
                    out,
                    "  leadlog hub --cloud {cloud} --code {} --data-dir ./hub --listen 0.0.0.0:8443 --tls-own-ca\n\nOther ways to \
                     HTTPS: docs/tls.md. From the next time on --cloud and --code are not needed.",
                    shown.code
                )?)
            })
            .await
    }
}
