//! One round, and the proof that every row came.

use anyhow::{Result, ensure};

use super::copy::copy;
use super::figures::{Figures, Measured, OfServer, Round};
use crate::database::Database;
use crate::download::download;
use crate::fill::Filled;
use crate::program::{Server, token};
use crate::usage::{Memory, cpu_of, cpu_of_postgres};

/// What stands in an answer beside its rows.
#[derive(Clone, Copy)]
enum Lines {
    /// One line a row, and the names of the columns.
    RowsAndNames,
    /// One line a row.
    Rows,
    /// It is packed.
    Unknown,
}

/// Takes every file out, each beside its ruler.
pub(super) async fn round(database: &mut Database, filled: Filled) -> Result<Round> {
    let (leads, contacts) = (filled.leads, filled.contacts());
    Ok(Round {
        copy_leads: ruler(database, "leads", include_str!("sql/copy_leads.sql"), leads).await?,
        leads_csv: file(database, "leads.csv", Lines::RowsAndNames, leads).await?,
        leads_ndjson: file(database, "leads.ndjson", Lines::Rows, leads).await?,
        leads_xlsx: file(database, "leads.xlsx", Lines::Unknown, leads).await?,
        copy_contacts: ruler(database, "contacts", include_str!("sql/copy_contacts.sql"), contacts).await?,
        contacts_csv: file(database, "contacts.csv", Lines::RowsAndNames, contacts).await?,
    })
}

async fn ruler(database: &mut Database, table: &str, statement: &str, expected: u64) -> Result<Figures> {
    eprintln!("  COPY of {table}");
    database.checkpoint().await?;
    let measured = copy(database, statement).await?;
    ensure!(measured.rows == expected, "COPY gave {} {table}, there are {expected}", measured.rows);
    Ok(measured.per_row())
}

/// Downloads a file from a server that has just been started, so that memory which it kept from another file does not
/// hide what this one needs.
async fn file(database: &mut Database, name: &str, lines: Lines, expected: u64) -> Result<Figures> {
    eprintln!("  {name}");
    let server = Server::start(&database.url(), &database.folder().join("server.log"))?;
    database.projections_caught_up().await?;
    let token = token(&database.url()).await?;
    database.checkpoint().await?;
    Memory::forget_peak(server.pid())?;
    let resident_before = Memory::of(server.pid())?.resident;
    let cpu_before = cpu_of(server.pid())?;
    let postgres_before = cpu_of_postgres(database.postmaster_pid())?;
    let downloaded = download(server.address(), &format!("/api/exports/{name}"), &token).await?;
    let postgres = cpu_of_postgres(database.postmaster_pid())?.saturating_sub(postgres_before);
    let cpu = cpu_of(server.pid())?.saturating_sub(cpu_before);
    let peak = Memory::of(server.pid())?.peak;
    server.stop().await?;

    let lines_expected = match lines {
        Lines::RowsAndNames => expected + 1,
        Lines::Rows => expected,
        Lines::Unknown => downloaded.lines,
    };
    ensure!(
        downloaded.rows == Some(expected) && downloaded.lines == lines_expected,
        "{name} promised {:?} rows and came with {} lines; there are {expected} rows",
        downloaded.rows,
        downloaded.lines
    );
    let server = OfServer { cpu, memory_growth_bytes: peak.saturating_sub(resident_before) };
    let measured = Measured {
        rows: expected,
        bytes: downloaded.bytes,
        wall: downloaded.wall,
        first_byte: downloaded.first_byte,
        postgres,
        server: Some(server),
    };
    Ok(measured.per_row())
}
