//! `leadlog devices`.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::RangeInclusive;

use clap::{Args, Subcommand};
use domain::{ClientId, DeviceId, DeviceName, Tier, Timestamp};
use projections::fold::{DeviceSequences, SequenceSet, SharedBy, Standing};
use projections::{DEVICES, QUARANTINE};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{DatabaseArgs, enrolments, output};

/// Says of each device what is here, what is missing, and when it was last heard, complete up to this moment.
///
/// Each iPad numbers what it saves, from 1. `here` are the numbers that arrived, accepted or refused; `saved` is the
/// highest that the iPad is known to have saved; `missing` is what it saved and has not sent.
///
/// `last heard` is when the iPad spoke itself. What a backup, a file or another iPad brings of it says nothing about what
/// else it holds.
///
/// `missing`: the iPad still holds these leads, or has lost them. Open the app there, with a network, before anybody
/// clears it. At a hub they may be in the cloud, too: ask there. `complete`: everything is here that it had saved when
/// it was last heard. `unknown since`: silent for longer than --silent-after, so it may hold leads that nobody has heard
/// of; silence is never taken for complete.
/// An iPad that has saved nothing new says nothing new, so after a quiet while it is unknown, too: open the app
/// there and look at its dot.
///
/// `nothing yet`: it was let in, and nothing has come from it. Whether it holds anything, nobody has heard.
///
/// Where more than one lead claims the same number of an iPad, two iPads send under one id, and what one of them lacks may
/// be hidden by the other. Those numbers and leads are named below the table.
///
/// `enrol` makes a one-time code that lets an iPad in, `enrolled` says which were, `revoke` shuts one out. docs/identity.md has
/// it step by step.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Devices {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    /// A device that was last heard longer ago than this, in minutes, is unknown.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=525_600))]
    silent_after: u32,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Subcommand)]
enum Command {
    Enrol(enrolments::Enrol),
    Enrolled(enrolments::Enrolled),
    Revoke(enrolments::Revoke),
}

impl Devices {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            None => self.list().await,
            Some(Command::Enrol(enrol)) => enrol.run().await,
            Some(Command::Enrolled(enrolled)) => enrolled.run().await,
            Some(Command::Revoke(revoke)) => revoke.run().await,
        }
    }

    async fn list(self) -> anyhow::Result<()> {
        let (mut devices, mut shared, enrolments, waiting, parked, is_hub) = self
            .database
            .with_store(async |store| {
                projections::catch_up_only(store.pool(), &[&DEVICES, &QUARANTINE]).await?;
                let devices = projections::devices::list(store.pool()).await?;
                let shared = projections::devices::shared_numbers(store.pool()).await?;
                let enrolments = enrolments::known(store).await?;
                let waiting = projections::quarantine::count(store.pool()).await?;
                let head = event_store::head(store.pool()).await?.position;
                let parked = projections::parked_count(store.pool(), DEVICES.name, head).await?;
                let is_hub = store.identity().tier == Tier::Hub;
                Ok((devices, shared, enrolments, waiting, parked, is_hub))
            })
            .await?;
        let silent_before = OffsetDateTime::now_utc() - Duration::minutes(self.silent_after.into());
        let row = |(id, known)| {
            let shared = shared.remove(&id).unwrap_or_default();
            let enrolled = enrolments::name_of(&enrolments, &id);
            Row::of(id, enrolled, &known, shared, silent_before)
        };
        for id in enrolments::installations(&enrolments) {
            devices.entry(id).or_insert_with(nothing_yet);
        }
        let rows: Vec<Row> = devices.into_iter().map(row).collect();
        if parked > 0 {
            eprintln!(
                "{parked} event(s) of the log could not be read, so that a number may count as missing: see `leadlog \
                 projections parked`"
            );
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            writeln!(out, "No device was heard yet, and none was let in.")?;
        } else {
            let heading = ["device", "name", "here", "saved", "missing", "last heard", "standing"];
            let mut table = vec![heading.map(str::to_owned)];
            table.extend(rows.iter().map(Row::cells));
            output::write_table(&table, &mut out)?;
            write_shared(&rows, &mut out)?;
        }
        if is_hub && rows.iter().any(|row| !row.missing.is_empty()) {
            writeln!(out, "\nThis is a hub: what is missing here may be in the cloud. Ask there.")?;
        }
        if waiting > 0 {
            writeln!(
                out,
                "\n{waiting} of what is here was refused and waits: see `leadlog quarantine list`"
            )?;
        }
        Ok(())
    }
}

/// What is known of a device that was let in, and has sent nothing.
fn nothing_yet() -> DeviceSequences {
    DeviceSequences { here: SequenceSet::default(), saved_through: 0, heard_at: None, heard_position: 0 }
}

/// Names the numbers that more than one lead claims, and says what that means.
fn write_shared(rows: &[Row], mut out: impl Write) -> std::io::Result<()> {
    for row in rows {
        for Shared { number, leads } in &row.shared_numbers {
            let leads: Vec<String> = leads.iter().map(ClientId::to_string).collect();
            let (count, leads) = (leads.len(), leads.join(", "));
            writeln!(out, "\n{}: {count} leads claim number {number}: {leads}", row.device_id)?;
        }
    }
    if rows.iter().all(|row| row.shared_numbers.is_empty()) {
        return Ok(());
    }
    writeln!(
        out,
        "\nAll these leads are here. But two iPads send under one id, perhaps because one was set up as a copy of the other, \
         and a number\nof one hides that the same number of the other is missing. Open the app on both, and look at their \
         dots."
    )
}

/// What is said of one device.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    device_id: DeviceId,
    /// What it was enrolled as; null when it was not.
    name: Option<DeviceName>,
    /// Whether it was shut out.
    is_revoked: bool,
    /// What is here.
    here: Vec<Range>,
    /// The highest number that it is known to have saved; 0 when it never named one.
    saved_through: u64,
    missing: Vec<Range>,
    /// When it was last heard itself; null when only others have brought something of it.
    heard_at: Option<Timestamp>,
    standing: Word,
    /// What more than one lead claims.
    shared_numbers: Vec<Shared>,
}

/// A number that more than one lead claims.
#[derive(Serialize)]
struct Shared {
    number: u64,
    leads: BTreeSet<ClientId>,
}

/// Numbers, both ends included.
#[derive(Serialize)]
struct Range {
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Missing,
    Complete,
    Unknown,
    /// Let in, and nothing has come.
    Nothing,
}

impl Row {
    fn of(
        device_id: DeviceId,
        enrolled: Option<(DeviceName, bool)>,
        known: &DeviceSequences,
        shared: SharedBy,
        silent_before: OffsetDateTime,
    ) -> Self {
        Self {
            device_id,
            is_revoked: enrolled.as_ref().is_some_and(|(_, is_revoked)| *is_revoked),
            name: enrolled.map(|(name, _)| name),
            here: known.here.ranges().map(Range::from).collect(),
            saved_through: known.saved_through,
            missing: known.gaps().into_iter().map(Range::from).collect(),
            heard_at: known.heard_at.map(Timestamp::new),
            standing: match known.standing(silent_before) {
                _ if *known == nothing_yet() => Word::Nothing,
                Standing::Missing { .. } => Word::Missing,
                Standing::Complete { .. } => Word::Complete,
                Standing::Unknown { .. } => Word::Unknown,
            },
            shared_numbers: shared.into_iter().map(|(number, leads)| Shared { number, leads }).collect(),
        }
    }

    fn cells(&self) -> [String; 7] {
        let standing = match self.standing {
            Word::Missing => "missing".to_owned(),
            Word::Complete => format!("complete through {}", self.saved_through),
            Word::Nothing => "nothing yet".to_owned(),
            Word::Unknown => {
                self.heard_at.map_or_else(|| "unknown".to_owned(), |at| format!("unknown since {at}"))
            }
        };
        [
            self.device_id.to_string(),
            match &self.name {
                Some(name) if self.is_revoked => format!("{name} (revoked)"),
                Some(name) => name.to_string(),
                None => "-".to_owned(),
            },
            text(&self.here),
            self.saved_through.to_string(),
            text(&self.missing),
            self.heard_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            standing,
        ]
    }
}

impl From<RangeInclusive<u64>> for Range {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self { first: *range.start(), last: *range.end() }
    }
}

fn text(ranges: &[Range]) -> String {
    numbers(ranges.iter().map(|range| range.first..=range.last))
}

/// Numbers as people read them: `1-3, 7`.
pub(super) fn numbers(ranges: impl IntoIterator<Item = RangeInclusive<u64>>) -> String {
    let ranges = ranges.into_iter().map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    });
    let ranges = ranges.collect::<Vec<_>>().join(", ");
    if ranges.is_empty() { "-".to_owned() } else { ranges }
}
