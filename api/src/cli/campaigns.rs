//! `leadlog campaigns`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use domain::{Campaign, CampaignError, CampaignId, CampaignMistake, MAX_CAMPAIGN_BYTES, PublishedVersion};
use domain::{Campaigns as _, Timestamp};
use projections::LEADS;
use projections::statistics::{self, CampaignStatistics};
use serde::Serialize;
use time::OffsetDateTime;

use super::{DatabaseArgs, export, output};
use crate::campaigns::{self, PublishError};

/// Says what the form asks for: fields, consents and their words, languages, time zone.
///
/// A campaign is a JSON file. `check` says what is wrong with it, `publish` gives it to every iPad as the next
/// version, `list` and `show` say what is published. Works beside a running server and without one; iPads ask
/// for a new version by themselves, and a form that somebody is filling in is not interrupted.
///
/// To change a campaign:
///
///   leadlog campaigns show shootout-2026 > shootout-2026.json
///   (edit the file: raise `version` by one, and `textVersion` of each consent whose words you change)
///   leadlog campaigns check shootout-2026.json
///   leadlog campaigns publish shootout-2026.json --by "Ewa"
///
/// The whole format is described in docs/campaigns.md.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Campaigns {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Publish(Publish),
    List(List),
    Show(Show),
    Statistics(Statistics),
    Check(Check),
}

/// Publishes a campaign from a file as its next version. iPads get it within minutes, as soon as they have a network.
///
/// A version is never changed or taken back: leads name the one that they were captured under, and are judged by it
/// for ever, also when they arrive later. To take something back, publish the words of before as a further version.
/// Publishing the same file again does nothing. A file with mistakes publishes nothing and names all of them.
#[derive(Args)]
struct Publish {
    /// The campaign document; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Who does this; it is noted in the log.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lists every published version of every campaign.
///
/// `published` says when; a campaign that ships with this program has no time until somebody publishes on top of it.
#[derive(Args)]
struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Prints a campaign document, as a file to edit and publish.
#[derive(Args)]
struct Show {
    /// The campaign, for example shootout-2026.
    #[arg(value_name = "ID")]
    id: CampaignId,

    /// This version; without it, the newest.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Says how a campaign goes: leads by hour, device, person who held the iPad, and consent, complete up to this moment.
///
/// Leads count in their newest version; those that were taken back do not. `people` are contacts, one per e-mail address.
/// Hours are those of the capture, by the iPads' clocks, in the campaign's time zone. A consent counts where it was given
/// and not withdrawn since, once for each lead: for people, export contacts.
#[derive(Args)]
struct Statistics {
    /// The campaign, for example shootout-2026.
    #[arg(value_name = "ID")]
    id: CampaignId,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Says what is wrong with a campaign document, without a database and without publishing anything.
///
/// Every mistake is named with its place, for example `consents[1].text.en`. Whether the version and the text versions
/// follow what is published already, only `publish` can tell; it changes nothing if they do not.
#[derive(Args)]
struct Check {
    /// The campaign document; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Campaigns {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Publish(publish) => publish.run().await,
            Command::List(list) => list.run().await,
            Command::Show(show) => show.run().await,
            Command::Statistics(statistics) => statistics.run().await,
            Command::Check(check) => check.run(),
        }
    }
}

impl Publish {
    async fn run(self) -> anyhow::Result<()> {
        let Self { file, by, database } = self;
        let document = read(&file)?;
        let (id, version) = (document.id.clone(), document.version);
        let at = Timestamp::new(OffsetDateTime::now_utc());
        let published = database
            .with_store_to_append(async |store| Ok(campaigns::publish(store, document, by, at).await))
            .await?;
        let mut out = std::io::stdout();
        match published {
            Ok(()) => {
                Ok(writeln!(out, "{id} is published in version {version}; iPads get it by themselves")?)
            }
            Err(PublishError::Refused(CampaignError::Unchanged { version })) => Ok(writeln!(
                out,
                "{id} is published already in version {version}, with the same words; nothing to do"
            )?),
            Err(PublishError::Refused(CampaignError::Mistakes(mistakes))) => {
                Err(refused(&file, &mistakes).context(format!("{id} was not published")))
            }
            Err(error) => bail!("{id} was not published: {error}"),
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let known = self.database.with_store(async |store| Ok(store.campaigns())).await?;
        let rows: Vec<Row> = known.iter().map(Row::from).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        let heading = ["campaign", "version", "name", "languages", "consents", "published", "by"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(Row::cells));
        Ok(output::write_table(&table, out)?)
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let Self { id, version, database } = self;
        let known = database.with_store(async |store| Ok(store.campaigns())).await?;
        let Some(published) = known.get(&id, version) else {
            match known.newest(&id) {
                Some(newest) => bail!("{id} has no such version; its newest is {}", newest.version),
                None => bail!("nothing of {id} is published; `leadlog campaigns list` names what is"),
            }
        };
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &published.campaign)?;
        Ok(writeln!(out)?)
    }
}

impl Statistics {
    async fn run(self) -> anyhow::Result<()> {
        let Self { id, json, database } = self;
        let counted = database
            .with_store(async |store| {
                projections::catch_up_only(store.pool(), &[&LEADS]).await?;
                let campaigns = store.campaigns();
                let counted = statistics::of_campaign(store.pool(), &id, campaigns.as_ref()).await?;
                if counted == CampaignStatistics::default() && campaigns.newest(&id).is_none() {
                    bail!("nobody has heard of the campaign {id}; `leadlog campaigns list` names those that are known");
                }
                let head = event_store::head(store.pool()).await?.position;
                let parked = projections::parked_count(store.pool(), LEADS.name, head).await?;
                if parked > 0 {
                    eprintln!("{}", export::missing(parked));
                }
                Ok(Counted::of(&id, counted))
            })
            .await?;
        let mut out = std::io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, &counted)?;
            return Ok(writeln!(out)?);
        }
        counted.write(&mut out)
    }
}

/// What is counted, for people and for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    campaign: CampaignId,
    leads: u64,
    people: u64,
    taken_back: u64,
    by_hour: Vec<Count>,
    by_device: Vec<Count>,
    by_operator: Vec<Count>,
    by_consent: Vec<Count>,
}

/// How many leads there are of one kind.
#[derive(Serialize)]
struct Count {
    /// An hour, a device, a person, a consent; null where nobody gave a name.
    of: Option<String>,
    leads: u64,
}

impl Counted {
    fn of(campaign: &CampaignId, counted: CampaignStatistics) -> Self {
        fn counts<N>(
            counts: impl IntoIterator<Item = (N, u64)>,
            name: impl Fn(N) -> Option<String>,
        ) -> Vec<Count> {
            counts.into_iter().map(|(of, leads)| Count { of: name(of), leads }).collect()
        }
        Self {
            campaign: campaign.clone(),
            leads: counted.leads,
            people: counted.contacts,
            taken_back: counted.taken_back,
            by_hour: counts(counted.by_hour, |hour| Some(Timestamp::new(hour).to_string())),
            by_device: counts(counted.by_device, Some),
            by_operator: counts(counted.by_operator, |operator| operator),
            by_consent: counts(counted.by_consent, Some),
        }
    }

    fn write(&self, mut out: impl Write) -> anyhow::Result<()> {
        let Self { campaign, leads, people, taken_back, by_hour, by_device, by_operator, by_consent } = self;
        writeln!(out, "{campaign}: {leads} leads of {people} people; {taken_back} more were taken back")?;
        for (heading, counts) in
            [("hour", by_hour), ("device", by_device), ("held by", by_operator), ("consent", by_consent)]
        {
            if counts.is_empty() {
                continue;
            }
            let mut rows = vec![[heading.to_owned(), "leads".to_owned()]];
            rows.extend(
                counts.iter().map(|count| {
                    [count.of.clone().unwrap_or_else(|| "-".to_owned()), count.leads.to_string()]
                }),
            );
            writeln!(out)?;
            output::write_table(&rows, &mut out)?;
        }
        Ok(())
    }
}

impl Check {
    fn run(self) -> anyhow::Result<()> {
        let document = read(&self.file)?;
        let Campaign { id, version, languages, fields, consents, .. } = &document;
        let counted = format!("{} fields, {} consents", fields.len(), consents.len());
        let languages = languages.join(", ");
        Ok(writeln!(std::io::stdout(), "{id} version {version} has no mistakes: {counted}, in {languages}")?)
    }
}

fn read(file: &Path) -> anyhow::Result<Campaign> {
    // One byte more than fits shows that it does not fit.
    let limit = MAX_CAMPAIGN_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let reading = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut bytes))
    };
    reading.with_context(|| format!("cannot read {}", file.display()))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        anyhow!("{} is not UTF-8 after byte {}; save it as UTF-8", file.display(), error.valid_up_to())
    })?;
    Campaign::read_strictly(text.trim_start_matches('\u{feff}')).map_err(|mistakes| refused(file, &mistakes))
}

/// Every mistake, one a line, with its place in the file.
fn refused(file: &Path, mistakes: &[CampaignMistake]) -> anyhow::Error {
    let lines: String = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
    let count = match mistakes.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    anyhow!("{} has {count}:{lines}", file.display())
}

/// One version as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: CampaignId,
    version: u32,
    name: String,
    languages: Vec<String>,
    consents: Vec<String>,
    published_at: Option<Timestamp>,
    by: Option<String>,
}

impl From<&PublishedVersion> for Row {
    fn from(published: &PublishedVersion) -> Self {
        let campaign = &published.campaign;
        let name = campaign.languages.first().and_then(|language| campaign.name.get(language));
        Self {
            id: campaign.id.clone(),
            version: campaign.version,
            name: name.cloned().unwrap_or_default(),
            languages: campaign.languages.clone(),
            consents: campaign.consents.iter().map(|consent| consent.id.clone()).collect(),
            published_at: published.published_at,
            by: published.published_by.clone(),
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 7] {
        [
            self.id.to_string(),
            self.version.to_string(),
            self.name.clone(),
            self.languages.join(", "),
            self.consents.join(", "),
            self.published_at.map_or_else(|| "ships with the program".to_owned(), |at| at.to_string()),
            self.by.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }
}
