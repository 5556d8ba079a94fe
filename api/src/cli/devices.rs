//! `leadlog devices`.

use std::io::Write;
use std::ops::RangeInclusive;

use clap::Args;
use domain::{DeviceId, Timestamp};
use projections::fold::{DeviceSequences, Standing};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{DatabaseArgs, output};

/// Says of each device what is here, what is missing, and when it was last heard, complete up to this moment.
///
/// Each iPad numbers what it saves, from 1. `here` are the numbers that arrived, accepted or refused; `saved` is the
/// highest that the iPad is known to have saved; `missing` is what it saved and has not sent.
///
/// `last heard` is when the iPad spoke itself. What a backup, a file or another iPad brings of it says nothing about what
/// else it holds.
///
/// `missing`: the iPad still holds these leads, or has lost them. Open the app there, with a network, before anybody
/// clears it. `complete`: everything is here that it had saved when it was last heard. `unknown since`: silent for
/// longer than --silent-after, so it may hold leads that nobody has heard of; silence is never taken for complete.
/// An iPad that has saved nothing new says nothing new, so after a quiet while it is unknown, too: open the app
/// there and look at its dot.
#[derive(Args)]
pub(super) struct Devices {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    /// A device that was last heard longer ago than this, in minutes, is unknown.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=525_600))]
    silent_after: u32,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Devices {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let devices = self
            .database
            .with_store(async |store| {
                projections::catch_up(store.pool()).await?;
                Ok(projections::devices::list(store.pool()).await?)
            })
            .await?;
        let silent_before = OffsetDateTime::now_utc() - Duration::minutes(self.silent_after.into());
        let rows: Vec<Row> =
            devices.into_iter().map(|(id, known)| Row::of(id, &known, silent_before)).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(out, "No device was heard yet.")?);
        }
        let heading = ["device", "here", "saved", "missing", "last heard", "standing"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(Row::cells));
        Ok(output::write_table(&table, out)?)
    }
}

/// What is said of one device.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    device_id: DeviceId,
    /// What is here.
    here: Vec<Range>,
    /// The highest number that it is known to have saved; 0 when it never named one.
    saved_through: u64,
    missing: Vec<Range>,
    /// When it was last heard itself; null when only others have brought something of it.
    heard_at: Option<Timestamp>,
    standing: Word,
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
}

impl Row {
    fn of(device_id: DeviceId, known: &DeviceSequences, silent_before: OffsetDateTime) -> Self {
        Self {
            device_id,
            here: known.here.ranges().map(Range::from).collect(),
            saved_through: known.saved_through,
            missing: known.gaps().into_iter().map(Range::from).collect(),
            heard_at: known.heard_at.map(Timestamp::new),
            standing: match known.standing(silent_before) {
                Standing::Missing { .. } => Word::Missing,
                Standing::Complete { .. } => Word::Complete,
                Standing::Unknown { .. } => Word::Unknown,
            },
        }
    }

    fn cells(&self) -> [String; 6] {
        let standing = match self.standing {
            Word::Missing => "missing".to_owned(),
            Word::Complete => format!("complete through {}", self.saved_through),
            Word::Unknown => {
                self.heard_at.map_or_else(|| "unknown".to_owned(), |at| format!("unknown since {at}"))
            }
        };
        [
            self.device_id.to_string(),
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
