//! One round, and the proof that each way has made the same rows.

use std::time::Instant;

use anyhow::{Result, ensure};
use sqlx::Executor;

use super::figures::{Measured, Round};
use super::pure_sql;
use crate::database::Database;
use crate::fill::Filled;
use crate::program::{Server, run_command};
use crate::usage::{cpu_of, cpu_of_postgres};

/// Measures each way in turn, after what autovacuum would do in between.
pub(super) async fn round(database: &mut Database, filled: Filled) -> Result<Round> {
    forget_projections(database).await?;
    let catch_up = catch_up(database).await?;
    let rebuild = command(database, &["projections", "rebuild", "leads"]).await?;
    let verify = command(database, &["projections", "verify"]).await?;
    eprintln!("  pure SQL");
    database.settle().await?;
    let pure_sql = pure_sql::make(database).await?;
    let [leads, contacts] = pure_sql::compare(database).await?;
    ensure!(
        (leads, contacts) == (filled.leads, filled.contacts()),
        "{filled:?} gives {leads} leads and {contacts} contacts"
    );
    let per_lead = |measured: Measured| measured.per_lead(filled.leads);
    Ok(Round {
        catch_up: per_lead(catch_up),
        rebuild: per_lead(rebuild),
        verify: per_lead(verify),
        pure_sql: per_lead(pure_sql),
    })
}

/// As in a store whose projections have never run.
async fn forget_projections(database: &mut Database) -> Result<()> {
    let tables: Vec<&str> =
        ::projections::ALL.iter().flat_map(|it| it.tables).map(|table| table.name).collect();
    let statement = format!("TRUNCATE {}, projection_cursors", tables.join(", "));
    database.db.execute(statement.as_str()).await?;
    Ok(())
}

/// The running server folds the whole log, from its start until every cursor stands at the head.
async fn catch_up(database: &mut Database) -> Result<Measured> {
    eprintln!("  catching up in the server");
    database.settle().await?;
    let before = cpu_of_postgres(database.postmaster_pid())?;
    let begun = Instant::now();
    let server = Server::start(&database.url(), &database.folder().join("server.log"))?;
    database.projections_caught_up().await?;
    let wall = begun.elapsed();
    let program = Some(cpu_of(server.pid())?);
    let postgres = cpu_of_postgres(database.postmaster_pid())?.saturating_sub(before);
    server.stop().await?;
    Ok(Measured { wall, program, postgres })
}

async fn command(database: &mut Database, args: &[&str]) -> Result<Measured> {
    eprintln!("  leadlog {}", args.join(" "));
    database.settle().await?;
    let before = cpu_of_postgres(database.postmaster_pid())?;
    let ran = run_command(&database.url(), args).await?;
    let postgres = cpu_of_postgres(database.postmaster_pid())?.saturating_sub(before);
    Ok(Measured { wall: ran.wall, program: Some(ran.cpu), postgres })
}
