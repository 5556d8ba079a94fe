//! pgbench, the ruler: the same bytes into a table with a primary key, and nothing else.
//!
//! It is given every advantage: statements are prepared, ids grow (one place of the index is written), there
//! is one table and one index, nothing is checked, and the cost of its connections is taken off.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, PgConnection};
use tokio::process::Command;

use crate::database::Database;
use crate::usage::cpu_of_postgres;

/// The database beside the store's that pgbench works in.
const PGBENCH_DATABASE: &str = "pgbench";

/// How pgbench inserts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) rows_per_commit: usize,
}

/// What it did.
pub(crate) struct Run {
    pub(crate) rows: usize,
    pub(crate) rows_per_second: f64,
    pub(crate) latencies: Vec<Duration>,
    /// Without what connecting and a first transaction cost.
    pub(crate) postgres_cpu: Duration,
}

/// Inserts about `rows` rows of this payload, in whole transactions, the same number for each client.
pub(crate) async fn run(database: &mut Database, shape: Shape, payload: &str, rows: usize) -> Result<Run> {
    let mut db = connect(database).await?;
    for statement in
        ["DROP TABLE IF EXISTS lead", "CREATE TABLE lead (id text PRIMARY KEY, payload json NOT NULL)"]
    {
        sqlx::query(statement).execute(&mut db).await?;
    }
    let folder = database.folder().join("pgbench");
    fs::create_dir_all(&folder)?;
    let script = folder.join("insert.sql");
    fs::write(&script, shape.script())?;
    database.checkpoint().await?;

    let transactions = rows.div_ceil(shape.clients * shape.rows_per_commit).max(1);
    let program = Program { database, folder: &folder, script, payload, clients: shape.clients };
    // A run of one transaction each costs what the measured run must not be charged with.
    let before = cpu_of_postgres(database.postmaster_pid())?;
    program.run(1, 0).await?;
    all_disconnected(&mut db).await?;
    let between = cpu_of_postgres(database.postmaster_pid())?;
    let printed = program.run(transactions + 1, shape.rows_per_commit).await?;
    all_disconnected(&mut db).await?;
    let after = cpu_of_postgres(database.postmaster_pid())?;

    let expected = (transactions + 2) * shape.clients * shape.rows_per_commit;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM lead").fetch_one(&mut db).await?;
    ensure!(usize::try_from(stored)? == expected, "pgbench stored {stored} rows instead of {expected}");
    let latencies = latencies(&folder)?;
    sqlx::query("DROP TABLE lead").execute(&mut db).await?;
    db.close().await?;
    fs::remove_dir_all(&folder)?;
    Ok(Run {
        rows: transactions * shape.clients * shape.rows_per_commit,
        rows_per_second: transactions_per_second(&printed)? * shape.rows_per_commit as f64,
        latencies,
        postgres_cpu: (after - between).saturating_sub(between - before),
    })
}

/// Connects to pgbench's database, which is made when it is not there.
async fn connect(database: &mut Database) -> Result<PgConnection> {
    let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(PGBENCH_DATABASE)
        .fetch_one(&mut database.db)
        .await?;
    if !is_there {
        sqlx::query(&format!("CREATE DATABASE {PGBENCH_DATABASE}")).execute(&mut database.db).await?;
    }
    let store = format!("/{}?", managed_postgres::DATABASE);
    let url = database.url().replace(&store, &format!("/{PGBENCH_DATABASE}?"));
    Ok(PgConnection::connect(&url).await?)
}

impl Shape {
    /// Ids have the length of a UUID and grow over all clients.
    fn script(self) -> String {
        let Self { clients, rows_per_commit } = self;
        let mut script = String::new();
        let mut rows = Vec::with_capacity(rows_per_commit);
        for row in 0..rows_per_commit {
            // Writing to a String does not fail.
            let _ = writeln!(script, "\\set id{row} 100000000000 + (:n + {row}) * {clients} + :client_id");
            rows.push(format!("('0197f3c2-5c1e-7c3a-9d64-' || :id{row}::text, :payload)"));
        }
        let _ = writeln!(script, "INSERT INTO lead (id, payload) VALUES {};", rows.join(", "));
        let _ = writeln!(script, "\\set n :n + {rows_per_commit}");
        script
    }
}

struct Program<'a> {
    database: &'a Database,
    folder: &'a Path,
    script: PathBuf,
    payload: &'a str,
    clients: usize,
}

impl Program<'_> {
    /// Runs it and returns what it printed; latencies go to files.
    async fn run(&self, transactions: usize, first_row: usize) -> Result<String> {
        for file in log_files(self.folder)? {
            fs::remove_file(file)?;
        }
        let cluster = self.database.cluster();
        let program = cluster.binaries().program("pgbench");
        let output = Command::new(&program)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--log", "--log-prefix"])
            .arg(self.folder.join("latency"))
            .arg("--file")
            .arg(&self.script)
            .arg(format!("--client={}", self.clients))
            .arg(format!("--transactions={transactions}"))
            .arg(format!("--define=n={first_row}"))
            .arg(format!("--define=payload={}", self.payload))
            .arg("--host")
            .arg(cluster.socket_dir())
            .arg(format!("--port={}", managed_postgres::PORT))
            .arg(format!("--username={}", managed_postgres::DATABASE))
            .arg(PGBENCH_DATABASE)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| {
                format!("cannot run {}; Debian has it in postgresql-contrib", program.display())
            })?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "pgbench failed: {}{printed}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(printed)
    }
}

/// A backend ends some time after its client, and its CPU time counts until then.
async fn all_disconnected(db: &mut PgConnection) -> Result<()> {
    loop {
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .fetch_one(&mut *db)
        .await?;
        if others == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn transactions_per_second(printed: &str) -> Result<f64> {
    printed
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.strip_suffix(" (without initial connection time)"))
        .and_then(|number| number.trim().parse().ok())
        .with_context(|| format!("pgbench printed no rate: {printed}"))
}

fn log_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    Ok(entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("latency.")))
        .collect())
}

/// A line per transaction; the third number is its duration in microseconds.
fn latencies(folder: &Path) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for file in log_files(folder)? {
        for line in fs::read_to_string(&file)?.lines() {
            let microseconds = line.split(' ').nth(2).and_then(|number| number.parse().ok());
            latencies.push(Duration::from_micros(
                microseconds.with_context(|| format!("{} has the line {line:?}", file.display()))?,
            ));
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_inserts_each_row_under_an_id_of_its_own() {
        let script = Shape { clients: 20, rows_per_commit: 2 }.script();
        assert_eq!(
            script,
            "\\set id0 100000000000 + (:n + 0) * 20 + :client_id\n\
             \\set id1 100000000000 + (:n + 1) * 20 + :client_id\n\
             INSERT INTO lead (id, payload) VALUES \
             ('0197f3c2-5c1e-7c3a-9d64-' || :id0::text, :payload), \
             ('0197f3c2-5c1e-7c3a-9d64-' || :id1::text, :payload);\n\
             \\set n :n + 2\n"
        );
    }

    #[test]
    fn reads_the_rate() {
        let printed = "latency average = 5.8 ms\ntps = 3407.402889 (without initial connection time)\n";
        assert_eq!(transactions_per_second(printed).unwrap(), 3407.402889);
        assert!(transactions_per_second("tps = many").is_err());
    }
}
