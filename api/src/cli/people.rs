//! `leadlog invite` and `leadlog people`.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use domain::{DisplayName, Person, PersonError, PersonId, ProvidedIdentity, Scope, Scopes, Timestamp};
use identity::{
    INVITATION_LIFETIME, Invited, KnownPeople, MAX_INVITATION_LIFETIME, People as Known, PersonCommandError,
};
use serde::Serialize;

use super::link::{self, Link};
use super::{DatabaseArgs, lifetime, output, qr};
use crate::store::Store;

/// Makes a one-time link by which a person signs in, without any provider of identities.
///
/// Open it in a browser: it signs in for twelve hours at most, and shows what the person may do there, such as taking leads and
/// contacts out. It works once. A hostess needs none to capture: her name is enough, and the iPad sends by its own key.
#[derive(Args)]
pub(super) struct Invite {
    /// What the person is called. It stands on screens, in `leadlog people list` and in the log of events.
    #[arg(value_name = "NAME")]
    name: DisplayName,

    /// What the person may do: organize looks after an event, crm takes leads and contacts out. More than one: --scope organize,crm
    #[arg(long = "scope", value_name = "SCOPE", default_value = "organize", value_delimiter = ',', value_parser = Scope::for_person)]
    scopes: Vec<Scope>,

    /// How long the link works, for example 1h or 2d; 7d at most.
    #[arg(long = "for", value_name = "SPAN", default_value = "1h", value_parser = lifetime::parse)]
    lifetime: Duration,

    /// Where people open the app: https://leads.example.com
    #[arg(long, env = "LEADLOG_PUBLIC_URL", value_name = "URL")]
    url: Option<String>,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Says who has signed in or was invited, and shuts people out.
#[derive(Args)]
pub(super) struct People {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Revoke(Revoke),
    Readmit(Readmit),
}

/// Lists everybody who ever signed in, by the provider or by an invitation, and every invitation that nobody used.
#[derive(Args)]
struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Shuts a person out, or takes an invitation back: at once, in every server of the store.
///
/// Leads that were captured under the name stay, and so do all on the iPad. Whoever holds an iPad goes on capturing: to shut an iPad out,
/// `leadlog devices revoke`.
#[derive(Args)]
struct Revoke {
    /// The name, for everybody of that name, or the id of one person.
    #[arg(value_name = "NAME|PERSON")]
    which: String,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lets a person in again who was shut out, and whom the provider knows. Who came by an invitation needs another one.
#[derive(Args)]
struct Readmit {
    /// The name, or the id where several people have that name.
    #[arg(value_name = "NAME|PERSON")]
    which: String,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Invite {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { name, scopes, lifetime, url, json, database } = self;
        let scopes = Scopes::new(scopes).context("name what the person may do with --scope")?;
        ensure!(!lifetime.is_zero(), "a link must work for a while; say how long with --for, for example 1h");
        ensure!(
            lifetime <= MAX_INVITATION_LIFETIME,
            "a link works for 7d at most; make it when it is needed"
        );
        if let Some(url) = &url {
            link::check_base_url(url)?;
            if link::is_plain_http(url) {
                eprintln!("Over plain HTTP everybody on the network can read the link; put HTTPS in front.");
            }
        }
        database
            .with_store_to_append(async |store| {
                let invited = identity::invite(store.pool(), name.clone(), scopes, lifetime).await?;
                let link = Link::to_sign_in(url.as_deref(), &invited.code);
                // At once, while nothing can come between: nobody can make the store say it again.
                show(&name, scopes, &invited, &link, url.is_some(), json)
            })
            .await
    }
}

/// An invitation for the one time that it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    person_id: &'a PersonId,
    name: &'a DisplayName,
    scope: Scopes,
    code: String,
    link: &'a str,
    expires_at: Timestamp,
}

fn show(
    name: &DisplayName,
    scope: Scopes,
    invited: &Invited,
    link: &Link,
    is_link_whole: bool,
    json: bool,
) -> anyhow::Result<()> {
    let Invited { id, code, expires_at } = invited;
    let mut out = std::io::stdout().lock();
    let link = link.as_str();
    if json {
        let code = code.reveal();
        let shown = Shown { person_id: id, name, scope, code, link, expires_at: *expires_at };
        serde_json::to_writer(&mut out, &shown)?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "{}, for {scope}\n\n  {link}\n", name.as_str())?;
    if is_link_whole
        && out.is_terminal()
        && let Some(picture) = qr::picture(link)
    {
        writeln!(out, "{picture}")?;
    }
    writeln!(out, "It works once, until {expires_at}, and is not shown again. Whoever has it comes in.")?;
    if !is_link_whole {
        writeln!(out, "Put the address of the app in its place, or say it: --url https://…")?;
    }
    Ok(())
}

impl People {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List(list) => list.run().await,
            Command::Revoke(revoke) => revoke.run().await,
            Command::Readmit(readmit) => readmit.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let (people, now) = self
            .database
            .with_store(async |store| Ok((known(store).await?, identity::database_now(store.pool()).await?)))
            .await?;
        let rows: Vec<Row> = people.iter().map(|(id, person)| Row::of(id, person)).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(
                out,
                "Nobody has signed in yet; `leadlog invite \"Ewa\"` makes a link for somebody."
            )?);
        }
        let heading = ["person", "name", "came by", "standing"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(|row| row.cells(now)));
        Ok(output::write_table(&table, out)?)
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let Self { which, database } = self;
        let revoked = database
            .with_store_to_append(async |store| {
                let people = known(store).await?;
                let meant = meant(&people, &which)?;
                let working: Vec<_> = meant.into_iter().filter(|(_, it)| it.revoked_at().is_none()).collect();
                ensure!(!working.is_empty(), "{which} was shut out already");
                for (id, _) in &working {
                    undisputed(identity::revoke_person(store.pool(), id).await)?;
                }
                Ok(working.into_iter().map(|(id, person)| (id.clone(), person.clone())).collect::<Vec<_>>())
            })
            .await?;
        let mut out = std::io::stdout().lock();
        for (id, person) in revoked {
            if person.first_seen_at().is_some() {
                writeln!(out, "{which} is shut out (person {id})")?;
            } else {
                writeln!(out, "the invitation for {which} works no longer (person {id})")?;
            }
        }
        Ok(())
    }
}

impl Readmit {
    async fn run(self) -> anyhow::Result<()> {
        let Self { which, database } = self;
        let readmitted = database
            .with_store_to_append(async |store| {
                let people = known(store).await?;
                let all = meant(&people, &which)?;
                let shut_out: Vec<_> = all.iter().filter(|(_, it)| it.revoked_at().is_some()).collect();
                ensure!(!shut_out.is_empty(), "{which} was not shut out");
                let known: Vec<_> = shut_out.into_iter().filter(|(_, it)| it.identity().is_some()).collect();
                ensure!(
                    !known.is_empty(),
                    "{which} came by an invitation, which works once; `leadlog invite` makes another"
                );
                // Nobody is let in by having the name of somebody, who need not have been shut out.
                let ([(id, _)], 1) = (&known[..], all.len()) else {
                    let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
                    bail!(
                        "there are {} people of the name {which}; say which by the id. Shut out: {}",
                        all.len(),
                        ids.join(", ")
                    );
                };
                undisputed(identity::readmit_person(store.pool(), id).await)?;
                Ok(PersonId::clone(id))
            })
            .await?;
        Ok(writeln!(std::io::stdout(), "{which} may sign in again (person {readmitted})")?)
    }
}

/// What somebody else has done at the same moment is done, too.
fn undisputed(done: Result<(), PersonCommandError>) -> Result<(), PersonCommandError> {
    match done {
        Err(PersonCommandError::Refused(PersonError::Revoked { .. } | PersonError::NotRevoked)) => Ok(()),
        done => done,
    }
}

/// The people that a name means, or the one of an id: whose name is somebody's id is not meant by that.
fn meant<'a>(people: &'a Known, which: &str) -> anyhow::Result<Vec<(&'a PersonId, &'a Person)>> {
    let all: Vec<(&PersonId, &Person)> =
        people.iter().filter_map(|(id, person)| Some((id, person?))).collect();
    let of_id = all.iter().find(|(id, _)| id.as_str() == which).copied();
    let has_name = |person: &Person| person.name().is_some_and(|name| name.as_str() == which);
    let all = match of_id {
        Some(one) => vec![one],
        None => all.into_iter().filter(|(_, person)| has_name(person)).collect(),
    };
    if all.is_empty() {
        bail!("nobody signed in or was invited as {which:?}; `leadlog people list` names everybody");
    }
    Ok(all)
}

async fn known(store: &Store) -> anyhow::Result<Arc<Known>> {
    Ok(KnownPeople::new(store.log().clone()).refresh().await?)
}

/// One person as listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    person_id: PersonId,
    /// Null, as all that follows, of one whom this program cannot read.
    name: Option<DisplayName>,
    /// The provider; null of one who was invited.
    issuer: Option<String>,
    subject: Option<String>,
    /// What the invitation is for; a provider says it at each sign-in.
    scope: Option<Scopes>,
    invitation_expires_at: Option<Timestamp>,
    first_seen_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Row {
    fn of(id: &PersonId, person: Option<&Person>) -> Self {
        let invitation = person.and_then(Person::invitation);
        let identity = person.and_then(Person::identity);
        Self {
            person_id: id.clone(),
            name: person.and_then(Person::name).cloned(),
            issuer: identity.map(|ProvidedIdentity { issuer, .. }| issuer.clone()),
            subject: identity.map(|ProvidedIdentity { subject, .. }| subject.clone()),
            scope: invitation.map(|invitation| invitation.scopes),
            invitation_expires_at: invitation.map(|invitation| invitation.expires_at),
            first_seen_at: person.and_then(Person::first_seen_at),
            revoked_at: person.and_then(Person::revoked_at),
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 4] {
        let standing = match (self.revoked_at, self.first_seen_at, self.invitation_expires_at) {
            (Some(at), ..) => format!("shut out {at}"),
            (None, Some(at), _) => format!("came first {at}"),
            (None, None, Some(end)) if now < end => format!("invited until {end}"),
            (None, None, Some(end)) => format!("the invitation expired unused {end}"),
            (None, None, None) => "a newer program wrote about it; update this one".to_owned(),
        };
        let by = match (&self.issuer, &self.scope) {
            (Some(issuer), _) => issuer.clone(),
            (None, Some(scope)) => format!("invitation for {scope}"),
            (None, None) => "-".to_owned(),
        };
        let name = self.name.as_ref().map_or("-", DisplayName::as_str);
        [self.person_id.to_string(), name.to_owned(), by, standing]
    }
}

/// Invites the owner of a store, for whoever starts it; `None` when somebody came in already.
pub(super) async fn invite_owner(store: &Store) -> anyhow::Result<Option<Invited>> {
    if known(store).await?.iter().any(|(_, person)| person.is_none_or(|it| it.first_seen_at().is_some())) {
        return Ok(None);
    }
    let scopes = Scopes::new([Scope::Organize, Scope::Crm]).context("they are some")?;
    Ok(Some(identity::invite(store.pool(), "Organizator".parse()?, scopes, INVITATION_LIFETIME).await?))
}
