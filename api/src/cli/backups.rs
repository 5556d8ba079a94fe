//! `leadlog backups`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{DeviceId, EntryPeople, Snapshot, SnapshotEntry, Timestamp};
use projections::fold::SequenceSet;

use super::devices::numbers;
use super::{DatabaseArgs, output, replayed};
use crate::backups::{self, Backup, replay::Replay};
use crate::store::Store;

/// Looks at the backups that devices sent, and brings what is in them into the log.
///
/// Every few minutes each iPad ships everything that it holds, so that a lost or wiped iPad loses no lead; the last 8
/// versions of each installation stay. `list` says what there is, `show` what one of them holds, `recover` hands its
/// leads to the server as if the iPad had sent them. To bring them back onto an iPad, open "Restore" in the app there.
/// For files that were taken off an iPad there is `leadlog import`. Works beside a running server and without one.
#[derive(Args)]
pub(super) struct Backups {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Recover(Recover),
}

/// Lists the newest backups of all installations, newest first, at most 200.
///
/// `leads` are the people in it, `entries` counts the later versions of their leads, too. `saved` is the highest number
/// that the installation had given when it was taken. A wiped iPad is another installation, with backups of its own.
#[derive(Args)]
struct List {
    /// Only this installation.
    #[arg(value_name = "DEVICE")]
    device: Option<DeviceId>,

    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Says what a backup holds: how many leads, which numbers of which installation, and which are missing.
///
/// Each installation numbers what it saves, from 1. `missing` are numbers that the backup does not hold: their leads had
/// been removed from the iPad, or were never there. Nothing personal is printed, unless --leads asks for it.
#[derive(Args)]
struct Show {
    #[command(flatten)]
    which: Which,

    /// Print each lead, too, WITH the personal data. Treat it as you treat an export of leads.
    #[arg(long)]
    leads: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Hands what a backup holds to the server, as if its iPad had sent it, and counts the verdicts.
///
/// Harmless, however often: what is in the log already is a duplicate. `created` and `duplicate_email` are leads that
/// only the backup had. `invalid`, `conflict` and `unsupported` wait in `leadlog quarantine list`. `waiting` is a later
/// version of a lead whose earlier one is nowhere yet; recover the backup that has it, then this one again. Fails when
/// something could not be taken in, after everything else was.
#[derive(Args)]
struct Recover {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Args)]
struct Which {
    /// The installation, as `leadlog backups list` prints it.
    #[arg(value_name = "DEVICE")]
    device: DeviceId,

    /// Version of the backup; without it, the newest.
    #[arg(long, value_name = "N")]
    version: Option<u64>,
}

impl Backups {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List(list) => list.run().await,
            Command::Show(show) => show.run().await,
            Command::Recover(recover) => recover.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let Self { device, json, database } = self;
        let listed = database
            .with_store(async |store| {
                Ok(match &device {
                    Some(device) => backups::of_device(store.pool(), device).await?,
                    None => backups::list(store.pool(), None).await?,
                })
            })
            .await?;
        let mut out = std::io::stdout().lock();
        if json {
            serde_json::to_writer(&mut out, &listed)?;
            return Ok(writeln!(out)?);
        }
        if listed.is_empty() {
            return Ok(writeln!(out, "No device has sent a backup yet.")?);
        }
        let heading = ["device", "version", "received", "leads", "entries", "saved", "bytes", "operators"];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.extend(listed.iter().map(cells));
        Ok(output::write_table(&rows, out)?)
    }
}

fn cells(backup: &Backup) -> [String; 8] {
    [
        backup.device_id.clone(),
        backup.version.to_string(),
        backup.received_at.to_string(),
        backup.leads.to_string(),
        backup.entries.to_string(),
        backup.saved_through.map_or_else(|| "-".to_owned(), |through| through.to_string()),
        backup.bytes.to_string(),
        Some(backup.operators.join(", ")).filter(|names| !names.is_empty()).unwrap_or_else(|| "-".to_owned()),
    ]
}

impl Which {
    async fn document(&self, store: &Store) -> anyhow::Result<(u64, String)> {
        match backups::document(store.pool(), &self.device, self.version).await? {
            Some(found) => Ok(found),
            None => self.not_there(store).await,
        }
    }

    async fn not_there<T>(&self, store: &Store) -> anyhow::Result<T> {
        let Self { device, version } = self;
        let there = backups::of_device(store.pool(), device).await?;
        match version {
            Some(version) if !there.is_empty() => {
                let there: Vec<String> = there.iter().map(|backup| backup.version.to_string()).collect();
                bail!("the backup of {device} has no version {version}; there are {}", there.join(", "))
            }
            _ => bail!("there is no backup of {device}; `leadlog backups list` prints those that there are"),
        }
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let Self { which, leads, database } = self;
        let (version, document) = database.with_store(async |store| which.document(store).await).await?;
        let snapshot = Snapshot::read(&document)?;
        let mut out = std::io::stdout().lock();
        write_summary(&mut out, version, &snapshot)?;
        if leads {
            writeln!(out)?;
            let heading = [
                "device",
                "number",
                "lead",
                "version",
                "saved",
                "first name",
                "last name",
                "e-mail",
                "phone",
            ];
            let mut rows = vec![heading.map(str::to_owned)];
            rows.extend(snapshot.entries.iter().map(lead_cells));
            output::write_table(&rows, out)?;
        }
        Ok(())
    }
}

fn write_summary(out: &mut impl Write, version: u64, snapshot: &Snapshot<'_>) -> anyhow::Result<()> {
    let held = snapshot.held().count();
    writeln!(out, "installation  {}", snapshot.device_id)?;
    writeln!(out, "version       {version}")?;
    if let Some(taken_at) = snapshot.taken_at {
        writeln!(out, "taken         {taken_at} (by the device's clock)")?;
    }
    writeln!(out, "leads         {}", snapshot.leads().len())?;
    writeln!(out, "entries       {held}, and {} without personal data", snapshot.entries.len() - held)?;
    if snapshot.forms > 0 {
        writeln!(
            out,
            "forms         {}, saved while the app ran in its reduced mode; only an iPad can take them in",
            snapshot.forms
        )?;
    }
    // Entries that were restored keep the number of the installation that made them.
    let mut sequences: BTreeMap<&DeviceId, SequenceSet> = BTreeMap::new();
    sequences.entry(&snapshot.device_id).or_default();
    for entry in &snapshot.entries {
        sequences.entry(&entry.device_id).or_default().insert(entry.device_seq);
    }
    for (device, numbers_here) in sequences {
        let own = (*device == snapshot.device_id).then_some(snapshot.saved_through).flatten();
        let through = numbers_here.last().max(own).unwrap_or_default();
        let (here, missing) =
            (numbers(numbers_here.ranges()), numbers(numbers_here.missing_through(through)));
        writeln!(out, "numbers       {here} of {device}; missing: {missing}")?;
    }
    if snapshot.is_later_form {
        writeln!(
            out,
            "made by       a newer app than this program understands: it may hold more. Update this program"
        )?;
    }
    for damaged in &snapshot.damaged {
        writeln!(out, "damaged       {}", replayed::name_of(damaged))?;
    }
    Ok(())
}

fn lead_cells(entry: &SnapshotEntry) -> [String; 9] {
    let people = entry.entry.as_deref().map(EntryPeople::of).unwrap_or_default();
    // A terminal must not obey what somebody typed into a form.
    let shown = |text: Option<String>| match (&entry.entry, text) {
        (None, _) => "removed".to_owned(),
        (_, None) => "-".to_owned(),
        (_, Some(text)) => text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect(),
    };
    let saved = Timestamp::from_unix_ms(entry.saved_at, 0);
    [
        entry.device_id.to_string(),
        entry.device_seq.to_string(),
        entry.client_id.to_string(),
        entry.version.to_string(),
        saved.map_or_else(|_| "-".to_owned(), |saved| saved.to_string()),
        shown(people.contact.first_name),
        shown(people.contact.last_name),
        shown(people.contact.email),
        shown(people.contact.phone),
    ]
}

impl Recover {
    async fn run(self) -> anyhow::Result<()> {
        let Self { which, database } = self;
        let mut replay = Replay::default();
        let document = database
            .with_store_to_append(async |store| {
                let (_, document) = which.document(store).await?;
                replay.take(store, &Snapshot::read(&document)?).await?;
                Ok(document)
            })
            .await?;
        let snapshot = Snapshot::read(&document)?;
        let mut report = replayed::Report::default();
        report.read("the backup", &snapshot);
        report.finish(&replay)
    }
}
