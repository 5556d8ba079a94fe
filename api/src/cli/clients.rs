//! `leadlog clients`.

use std::io::Write;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args, Subcommand};
use domain::{ApiClient, ApiClientError, ApiClientId, Scope, Scopes, Timestamp};
use identity::{KnownClients, NewSecret, RegistrationError};
use serde::Serialize;

use super::{DatabaseArgs, lifetime, output};

/// Lets programs, such as a CRM, take leads and contacts out, each with a secret of its own.
///
/// `add` registers a program and shows its secret, once. With that it gets access tokens at /oauth/token, each good for 15
/// minutes. `rotate` gives it another secret while the older one goes on for a day; `set-scopes` changes what it may do;
/// `revoke` shuts it out at once. Works beside a running server and without one. docs/identity.md has it step by step.
#[derive(Args)]
pub(super) struct Clients {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Add(Add),
    List(List),
    Rotate(Rotate),
    SetScopes(SetScopes),
    Revoke(Revoke),
}

/// How long an older secret may go on: longer than anybody needs to change one.
const MAX_KEEP_OLD: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Registers a program and shows its secret. The secret is shown this once: the store keeps a hash of it.
///
/// The name is chosen by you, says which program it is, and is never given to another one.
#[derive(Args)]
struct Add {
    /// Name of the program: a-z, 0-9 and `-`, for example crm-import.
    #[arg(value_name = "NAME")]
    name: ApiClientId,

    /// What it may do: crm takes leads and contacts out. More than one: --scope crm,organize
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = Scope::for_program)]
    scopes: Vec<Scope>,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Changes what a program may do. Its secrets go on; tokens that may do more count no longer.
#[derive(Args)]
struct SetScopes {
    /// The program.
    #[arg(value_name = "NAME")]
    name: ApiClientId,

    /// All that it may do from now on: crm takes leads and contacts out. More than one: --scope crm,organize
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = Scope::for_program)]
    scopes: Vec<Scope>,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lists the programs that were registered, with the secrets that work and those that were revoked. Shows no secret.
#[derive(Args)]
struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Gives a program another secret and shows it. The older one goes on for a while, so that nothing stops.
///
/// Do this once a year, and at once when a secret may have been seen: then with --keep-old-for 0s.
#[derive(Args)]
struct Rotate {
    /// The program.
    #[arg(value_name = "NAME")]
    name: ApiClientId,

    /// How long the older secret works, for example 30m, 24h, 7d; 90d at most. 0s ends it at once, with the tokens that
    /// it got.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = lifetime::parse)]
    keep_old_for: Duration,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Shuts a program out at once, with its secrets and tokens. This is for good: its name is not given again.
#[derive(Args)]
#[command(group(ArgGroup::new("programs").required(true)))]
struct Revoke {
    /// The program.
    #[arg(value_name = "NAME", group = "programs")]
    name: Option<ApiClientId>,

    /// Every program, for a copy of a store.
    #[arg(long, group = "programs", conflicts_with = "secret")]
    all: bool,

    /// Only this one of its secrets, by its id in `leadlog clients list`.
    #[arg(long, value_name = "ID")]
    secret: Option<String>,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Clients {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Add(add) => add.run().await,
            Command::List(list) => list.run().await,
            Command::Rotate(rotate) => rotate.run().await,
            Command::SetScopes(set) => set.run().await,
            Command::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let Self { name, scopes, json, database } = self;
        let Some(scopes) = Scopes::new(scopes) else { bail!("name what the program may do with --scope") };
        database
            .with_store_to_append(async |store| {
                let registered = identity::register(store.pool(), &name, scopes).await;
                let secret = registered.map_err(|error| told(error, &name, "registered"))?;
                // At once, while nothing can come between: nobody can make the store say it again.
                let heading = format!("{name} is registered, for: {scopes}");
                show(&Shown::of(&name, &secret, None), &heading, json)
            })
            .await
    }
}

impl SetScopes {
    async fn run(self) -> anyhow::Result<()> {
        let Self { name, scopes, database } = self;
        let Some(scopes) = Scopes::new(scopes) else { bail!("name what the program may do with --scope") };
        database
            .with_store_to_append(async |store| {
                let set = identity::set_scopes(store.pool(), &name, scopes).await;
                set.map_err(|error| told(error, &name, "changed"))
            })
            .await?;
        Ok(writeln!(std::io::stdout(), "{name} may do from now on: {scopes}")?)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let clients = self.database.with_store(async |store| {
            let known = KnownClients::new(store.log().clone());
            Ok((known.refresh().await?, identity::database_now(store.pool()).await?))
        });
        let (clients, now) = clients.await?;
        let rows: Vec<Row> =
            clients.iter().map(|(name, client)| Row::of(name.clone(), client.as_ref(), now)).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(
                out,
                "No client is registered; `leadlog clients add NAME --scope crm` registers one."
            )?);
        }
        let heading = ["client", "scopes", "registered", "secrets that work"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(Row::cells));
        Ok(output::write_table(&table, out)?)
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let Self { name, keep_old_for, json, database } = self;
        ensure!(
            keep_old_for <= MAX_KEEP_OLD,
            "an older secret goes on for 90d at most; give --keep-old-for less, and rotate again later"
        );
        let keep_old_for = Some(keep_old_for).filter(|span| !span.is_zero());
        database
            .with_store_to_append(async |store| {
                let rotated = identity::rotate(store.pool(), &name, keep_old_for).await;
                let (secret, until) =
                    rotated.map_err(|error| told(error, &name, "given another secret"))?;
                let heading = match until {
                    None => format!("{name} has another secret; the older ones, and their tokens, work no longer"),
                    Some(until) => format!(
                        "{name} has another secret; change it there before {until}: until then the older one works"
                    ),
                };
                // At once, while nothing can come between: nobody can make the store say it again.
                show(&Shown::of(&name, &secret, until), &heading, json)
            })
            .await
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let Self { name, secret, database, .. } = self;
        let Some(name) = name else { return revoke_all(&database).await };
        let revoked = database.with_store_to_append(async |store| {
            Ok(match &secret {
                Some(id) => identity::revoke_secret(store.pool(), &name, id.clone()).await,
                None => identity::revoke(store.pool(), &name).await,
            })
        });
        revoked.await?.map_err(|error| told(error, &name, "revoked"))?;
        let mut out = std::io::stdout();
        match secret {
            Some(id) => writeln!(out, "the secret {id} of {name} is revoked; its tokens count no longer")?,
            None => writeln!(out, "{name} is revoked; its secrets and tokens count no longer")?,
        }
        Ok(())
    }
}

/// Shuts every program out. Says of each at once that it was: what fails then may be tried again.
async fn revoke_all(database: &DatabaseArgs) -> anyhow::Result<()> {
    database
        .with_store_to_append(async |store| {
            let clients = KnownClients::new(store.log().clone()).refresh().await?;
            let mut revoked = 0;
            for (name, client) in clients.iter() {
                if client.as_ref().is_some_and(|client| client.revoked_at().is_some()) {
                    continue;
                }
                match identity::revoke(store.pool(), name).await {
                    Ok(()) => {
                        revoked += 1;
                        writeln!(
                            std::io::stdout(),
                            "{name} is revoked; its secrets and tokens count no longer"
                        )?;
                    }
                    // Somebody else did at the same moment.
                    Err(RegistrationError::Refused(ApiClientError::Revoked { .. })) => {}
                    Err(error) => return Err(told(error, name, "revoked")),
                }
            }
            if revoked == 0 {
                writeln!(std::io::stdout(), "No client is left to revoke.")?;
            }
            Ok(())
        })
        .await
}

/// A secret for the one time that it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    client_id: &'a ApiClientId,
    client_secret: &'a str,
    secret_id: &'a str,
    /// Until when the older one works; null when there is none, or it works no longer.
    older_works_until: Option<Timestamp>,
}

impl<'a> Shown<'a> {
    fn of(client_id: &'a ApiClientId, secret: &'a NewSecret, older_works_until: Option<Timestamp>) -> Self {
        Self { client_id, client_secret: secret.reveal(), secret_id: secret.id(), older_works_until }
    }
}

/// Shows a secret, and what to do with it.
fn show(shown: &Shown<'_>, heading: &str, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, shown)?;
        return Ok(writeln!(out)?);
    }
    let Shown { client_id, client_secret, .. } = shown;
    writeln!(out, "{heading}\n\n  client id      {client_id}\n  client secret  {client_secret}\n")?;
    writeln!(
        out,
        "The secret is not shown again. Put both into the program's settings, and nowhere else. It gets a token by"
    )?;
    writeln!(
        out,
        "\n  curl -u {client_id} -d grant_type=client_credentials https://YOUR-SERVER/oauth/token\n"
    )?;
    Ok(writeln!(
        out,
        "(curl asks for the secret), and sends it as `Authorization: Bearer …`. See docs/identity.md."
    )?)
}

fn told(error: RegistrationError, name: &ApiClientId, done: &str) -> anyhow::Error {
    let next = match &error {
        RegistrationError::Refused(ApiClientError::Exists) => {
            "; `leadlog clients rotate` gives it another secret".to_owned()
        }
        RegistrationError::Refused(ApiClientError::Unknown | ApiClientError::UnknownSecret) => {
            "; `leadlog clients list` names what there is".to_owned()
        }
        RegistrationError::Refused(ApiClientError::TooManySecrets { .. }) => format!(
            ": all with --keep-old-for 0s, or one with `leadlog clients revoke {name} --secret ID` (`leadlog clients list` \
             names them)"
        ),
        _ => String::new(),
    };
    anyhow::anyhow!("{name} was not {done}: {error}{next}")
}

/// One client as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: ApiClientId,
    /// Separated by spaces; none of a client that this program cannot read.
    scopes: Option<Scopes>,
    registered_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// Those that work.
    secrets: Vec<Secret>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    secret_id: String,
    expires_at: Option<Timestamp>,
}

impl Row {
    fn of(name: ApiClientId, client: Option<&ApiClient>, now: Timestamp) -> Self {
        let active = client.into_iter().flat_map(|client| client.active_secrets(now));
        Self {
            name,
            scopes: client.and_then(ApiClient::scopes),
            registered_at: client.and_then(ApiClient::registered_at),
            revoked_at: client.and_then(ApiClient::revoked_at),
            secrets: active
                .map(|held| Secret { secret_id: held.given.secret_id.clone(), expires_at: held.expires_at })
                .collect(),
        }
    }

    fn cells(&self) -> [String; 4] {
        let secrets = match (self.revoked_at, &self.scopes) {
            (Some(at), _) => format!("none: revoked {at}"),
            (None, None) => "none: a newer program wrote about it; update this one".to_owned(),
            (None, Some(_)) if self.secrets.is_empty() => {
                "none: `leadlog clients rotate` gives one".to_owned()
            }
            (None, Some(_)) => self.secrets.iter().map(Secret::told).collect::<Vec<_>>().join(", "),
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            self.name.to_string(),
            or_dash(self.scopes.as_ref().map(Scopes::to_string)),
            or_dash(self.registered_at.map(|at| at.to_string())),
            secrets,
        ]
    }
}

impl Secret {
    fn told(&self) -> String {
        match self.expires_at {
            Some(end) => format!("{} until {end}", self.secret_id),
            None => self.secret_id.clone(),
        }
    }
}
