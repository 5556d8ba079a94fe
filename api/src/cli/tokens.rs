//! `leadlog tokens`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use domain::{AdminName, Scope, Scopes};
use identity::{Authority, MAX_TOKEN_LIFETIME};

use super::{DatabaseArgs, lifetime};

/// Gives access tokens to whoever may read this server's database, for scripts and for looking.
///
/// Programs that come from elsewhere, such as a CRM, are registered instead: see `leadlog clients --help`.
#[derive(Args)]
pub(super) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Issue(Issue),
}

/// Prints an access token, and nothing else on standard output.
///
/// Nobody can take it back alone before it ends, so let it live no longer than you need it. Who takes leads out with it
/// stands in the server's log under the name that you give.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct Issue {
    /// What it is for: crm takes leads and contacts out. More than one: --scope crm,organize
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = Scope::for_person)]
    scopes: Vec<Scope>,

    /// How long it works, for example 15m or 8h; 24h at most.
    #[arg(long = "for", value_name = "SPAN", default_value = "1h", value_parser = lifetime::parse)]
    lifetime: Duration,

    /// Who it is for; it stands in the token and in the log, so give no full name.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    name: AdminName,

    #[command(flatten)]
    database: DatabaseArgs,
}

const EXAMPLES: &str = "\
Example:
  TOKEN=$(leadlog tokens issue --scope crm --for 15m)
  curl -H \"Authorization: Bearer $TOKEN\" -o contacts.xlsx http://127.0.0.1:8080/api/exports/contacts.xlsx";

impl Tokens {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Issue(issue) => issue.run().await,
        }
    }
}

impl Issue {
    async fn run(self) -> anyhow::Result<()> {
        let Self { scopes, lifetime, name, database } = self;
        let scopes = Scopes::new(scopes).context("name what the token is for with --scope")?;
        ensure!(
            !lifetime.is_zero(),
            "a token must work for a while; say how long with --for, for example 15m"
        );
        ensure!(
            lifetime <= MAX_TOKEN_LIFETIME,
            "a token works for 24h at most, because nobody can take it back; ask for less, or register a client with \
             `leadlog clients add`"
        );
        let issued = database.with_store_to_append(async |store| {
            let authority = Authority::new(store.log().clone(), store.identity().id);
            Ok(authority.issue_to_admin(name, scopes, lifetime).await?)
        });
        let issued = issued.await?;
        eprintln!("for {}, until {}; send it as `Authorization: Bearer …`", issued.scopes, issued.expires_at);
        Ok(writeln!(std::io::stdout(), "{}", issued.text)?)
    }
}
