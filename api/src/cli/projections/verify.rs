//! `leadlog projections verify`.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use projections::{DifferenceKind, MAX_NAMED_ROWS, Registration, TableVerification, Verification};
use serde::Serialize;

use super::progress::Teller;
use super::{chosen, named, print_json};
use crate::cli::DatabaseArgs;

/// Folds the log again and compares it with the live rows. Changes nothing.
///
/// Each table is compared by digest, and where that differs, row by row; the rows are named without personal data, at
/// most 100 of a table. Leads may come in meanwhile: both sides are compared at the position where the projection
/// stood. Ends with an error when a row differs; `leadlog projections rebuild` puts that right.
#[derive(Args)]
pub(super) struct Verify {
    /// The projection: leads (with contacts), quarantine or devices. Without a name, all of them, one after the other.
    #[arg(value_name = "NAME", value_parser = named)]
    name: Option<&'static Registration>,

    /// Print lines of JSON instead: one a second about how far it is, and one about the result.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified<'v> {
    projection: &'static str,
    verified_at: u64,
    is_equal: bool,
    /// Events that could not be folded; what they say is in no row, live or compared.
    parked: u64,
    tables: Vec<VerifiedTable<'v>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedTable<'v> {
    table: &'static str,
    live_rows: u64,
    log_rows: u64,
    differences: Vec<Difference<'v>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Difference<'v> {
    row: &'v str,
    /// `missing`: the log gives it and it is not live; `surplus`: the other way round; `differs`.
    kind: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    columns: &'v [String],
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { name, json, database } = self;
        let differing = database
            .with_store(async |store| {
                let mut differing = Vec::new();
                for projection in chosen(name) {
                    let mut teller = Teller::of(projection.name, json);
                    let verification =
                        projections::verify(store.pool(), projection, |at| teller.tell(at)).await;
                    teller.finish();
                    let verification = verification?;
                    if !verification.is_equal() {
                        differing.push(projection.name);
                    }
                    let parked =
                        projections::parked_count(store.pool(), projection.name, verification.position)
                            .await?;
                    print(&Verified::of(projection.name, &verification, parked), json)?;
                }
                Ok(differing)
            })
            .await?;
        if !differing.is_empty() {
            bail!(
                "rows of {} are not what the log gives; run: leadlog projections rebuild",
                differing.join(", ")
            );
        }
        Ok(())
    }
}

impl<'v> Verified<'v> {
    fn of(projection: &'static str, verification: &'v Verification, parked: u64) -> Self {
        let tables = verification.tables.iter().map(VerifiedTable::of).collect();
        let is_equal = verification.is_equal();
        Self { projection, verified_at: verification.position, is_equal, parked, tables }
    }
}

impl<'v> VerifiedTable<'v> {
    fn of(table: &'v TableVerification) -> Self {
        let differences = table.differences.iter().map(|difference| {
            let (kind, columns) = match &difference.kind {
                DifferenceKind::Missing => ("missing", &[][..]),
                DifferenceKind::Surplus => ("surplus", &[][..]),
                DifferenceKind::Differs(columns) => ("differs", &columns[..]),
            };
            Difference { row: &difference.row, kind, columns }
        });
        Self {
            table: table.table,
            live_rows: table.live_rows,
            log_rows: table.log_rows,
            differences: differences.collect(),
        }
    }
}

fn print(verified: &Verified<'_>, json: bool) -> std::io::Result<()> {
    if json {
        print_json(verified);
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    let Verified { projection, verified_at, is_equal, parked, tables } = verified;
    let verdict = if *is_equal { "every row is what the log gives" } else { "rows differ" };
    writeln!(out, "{projection}: {verdict}, at position {verified_at}")?;
    if *parked > 0 {
        writeln!(
            out,
            "  {parked} event(s) could not be folded and are in no row: see `leadlog projections parked`"
        )?;
    }
    for VerifiedTable { table, live_rows, log_rows, differences } in tables {
        let rows = if live_rows == log_rows {
            format!("{live_rows} rows")
        } else {
            format!("{live_rows} live rows, {log_rows} in the log")
        };
        writeln!(out, "  {table}: {rows}")?;
        for Difference { row, kind, columns } in differences {
            let columns =
                if columns.is_empty() { String::new() } else { format!(" in {}", columns.join(", ")) };
            writeln!(out, "    {kind}{columns}: {row}")?;
        }
        if differences.len() as u64 == u64::from(MAX_NAMED_ROWS) {
            writeln!(out, "    … only the first {MAX_NAMED_ROWS} are named")?;
        }
    }
    Ok(())
}
