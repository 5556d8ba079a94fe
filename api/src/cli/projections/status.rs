//! `leadlog projections list`, `status` and `parked`.

use std::io::Write;

use clap::Args;
use domain::Timestamp;
use projections::{ParkedEvent, ProjectionStatus, Registration};
use serde::Serialize;
use time::OffsetDateTime;

use super::named;
use crate::cli::{DatabaseArgs, output};

/// Lists the projections of this program and the tables that each of them writes.
#[derive(Args)]
pub(super) struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,
}

/// Says how far each projection is behind the log, and what it could not read.
///
/// `lag` is the number of events that the rows do not hold yet, and `oldest` the age of the first of them: a few tenths of
/// a second, and some seconds while leads come in without a pause. `parked` events could not be folded: see `leadlog projections parked`. `build` is
/// how far a rebuild is that runs or was interrupted, or whose it is.
#[derive(Args)]
pub(super) struct Status {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lists the events that a projection could not fold. They stay in the log.
///
/// Update the program; when it understands them, `leadlog projections replay --from POSITION` or a rebuild takes
/// them in.
#[derive(Args)]
pub(super) struct Parked {
    /// Only those of this projection.
    #[arg(value_name = "NAME", value_parser = named)]
    name: Option<&'static Registration>,

    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    version: i32,
    tables: Vec<&'static str>,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let listed = projections::ALL.iter().map(|projection| Listed {
            name: projection.name,
            version: projection.version,
            tables: projection.tables.iter().map(|table| table.name).collect(),
        });
        if self.json {
            return print_array(&listed.collect::<Vec<_>>());
        }
        let mut table = vec![["projection", "version", "tables"].map(str::to_owned)];
        table.extend(listed.map(|it| [it.name.to_owned(), it.version.to_string(), it.tables.join(", ")]));
        Ok(output::write_table(&table, std::io::stdout().lock())?)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusRow {
    name: &'static str,
    version: i32,
    live_version: Option<i32>,
    position: u64,
    head: u64,
    lag_events: u64,
    oldest_unprocessed_at: Option<Timestamp>,
    /// Milliseconds; 0 when nothing is unprocessed.
    oldest_unprocessed_age_ms: u64,
    parked: u64,
    build_position: Option<u64>,
    /// Whose the build is, when this database user may not look into it.
    build_owner: Option<String>,
}

impl StatusRow {
    fn of(status: &ProjectionStatus, now: OffsetDateTime) -> Self {
        let age = status.oldest_unprocessed_at.map_or(0, |at| (now - at).whole_milliseconds());
        Self {
            name: status.name,
            version: status.version,
            live_version: status.live_version,
            position: status.position,
            head: status.head,
            lag_events: status.lag_events(),
            oldest_unprocessed_at: status.oldest_unprocessed_at.map(Timestamp::new),
            oldest_unprocessed_age_ms: u64::try_from(age).unwrap_or(0),
            parked: status.parked,
            build_position: status.build_position,
            build_owner: status.build_owner.clone(),
        }
    }

    fn cells(&self) -> [String; 7] {
        let version = match self.live_version {
            Some(live) if live != self.version => format!("{} (rows of {live})", self.version),
            _ => self.version.to_string(),
        };
        let oldest = match self.oldest_unprocessed_at {
            Some(_) => format!(
                "{}.{} s",
                self.oldest_unprocessed_age_ms / 1_000,
                self.oldest_unprocessed_age_ms % 1_000 / 100
            ),
            None => "-".to_owned(),
        };
        [
            self.name.to_owned(),
            version,
            format!("{} of {}", self.position, self.head),
            self.lag_events.to_string(),
            oldest,
            self.parked.to_string(),
            match (self.build_position, &self.build_owner) {
                (Some(position), _) => position.to_string(),
                (None, Some(owner)) => format!("of {owner}"),
                (None, None) => "-".to_owned(),
            },
        ]
    }
}

impl Status {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let statuses =
            self.database.with_store(async |store| Ok(projections::status(store.pool()).await?)).await?;
        let now = OffsetDateTime::now_utc();
        let rows: Vec<StatusRow> = statuses.iter().map(|status| StatusRow::of(status, now)).collect();
        if self.json {
            return print_array(&rows);
        }
        let heading = ["projection", "version", "position", "lag", "oldest", "parked", "build"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(StatusRow::cells));
        Ok(output::write_table(&table, std::io::stdout().lock())?)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParkedRow {
    projection: String,
    position: u64,
    stream: String,
    sequence: u64,
    reason: String,
    parked_at: Timestamp,
}

impl From<ParkedEvent> for ParkedRow {
    fn from(event: ParkedEvent) -> Self {
        Self {
            projection: event.projection,
            position: event.position,
            stream: format!("{}/{}", event.aggregate_type, event.aggregate_id),
            sequence: event.sequence,
            reason: event.reason,
            parked_at: Timestamp::new(event.parked_at),
        }
    }
}

impl Parked {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let name = self.name;
        let events = self
            .database
            .with_store(async |store| Ok(projections::parked_events(store.pool(), name).await?))
            .await?;
        let rows: Vec<ParkedRow> = events.into_iter().map(ParkedRow::from).collect();
        if self.json {
            return print_array(&rows);
        }
        if rows.is_empty() {
            return Ok(writeln!(std::io::stdout().lock(), "No event is parked.")?);
        }
        let mut table = vec![["projection", "position", "stream", "sequence", "reason"].map(str::to_owned)];
        table.extend(rows.into_iter().map(|row| {
            [row.projection, row.position.to_string(), row.stream, row.sequence.to_string(), row.reason]
        }));
        Ok(output::write_table(&table, std::io::stdout().lock())?)
    }
}

fn print_array<T: Serialize>(rows: &[T]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, rows)?;
    Ok(writeln!(out)?)
}
