//! The program that is measured: `leadlog`, as a server and as a command.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use crate::usage::cpu_of_ended_commands;

/// Names the program to measure; without it, the one beside this program.
const PROGRAM_VARIABLE: &str = "LEADLOG_BIN";

/// By which the program is told its database.
const DATABASE_VARIABLE: &str = "DATABASE_URL";

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(3_600);
const POLL: Duration = Duration::from_millis(20);

/// `leadlog serve` as a process. Dropped, it is killed.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open, because the server would be told that nobody reads.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts one over this database, and waits until it listens. What it logs goes to the file `log`.
    pub(crate) fn start(database_url: &str, log: &Path) -> Result<Self> {
        let program = program()?;
        let log_file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut process = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            // A device of a benchmark stands for fifty. Not as a flag, which an older program would refuse.
            .env("LEADLOG_DEVICE_REQUESTS_PER_SECOND", "1000000")
            .env(DATABASE_VARIABLE, database_url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let stdout = BufReader::new(process.stdout.take().context("its output is a pipe")?);
        let Some((address, stdout)) = announced(stdout) else {
            let _ = process.kill();
            let _ = process.wait();
            bail!("the server did not start: {}", fs::read_to_string(log)?.trim_end());
        };
        Ok(Self { process, address, _stdout: stdout })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Stops it as an operator does, and waits until it has ended.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process has a number")?, Signal::TERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            ensure!(
                begun.elapsed() < STOP_LIMIT,
                "the server does not stop within {} s",
                STOP_LIMIT.as_secs()
            );
            sleep(POLL).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of a process that was waited for, both do nothing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the server says that it listens; `None` when it ends or says nothing in time.
fn announced(mut stdout: BufReader<ChildStdout>) -> Option<(SocketAddr, BufReader<ChildStdout>)> {
    let (said, line) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        // Nobody listens any more when it took too long; the server is killed then, which ends this thread.
        let _ = said.send(read.map(|_| (line, stdout)));
    });
    let (line, stdout) = line.recv_timeout(START_LIMIT).ok()?.ok()?;
    Some((line.trim().strip_prefix("listening on http://")?.parse().ok()?, stdout))
}

/// What a command took.
pub(crate) struct Ran {
    pub(crate) wall: Duration,
    /// Of the command itself, without PostgreSQL.
    pub(crate) cpu: Duration,
}

/// Runs a command of the program over this database, which must succeed.
pub(crate) async fn run_command(database_url: &str, args: &[&str]) -> Result<Ran> {
    let before = cpu_of_ended_commands()?;
    let begun = Instant::now();
    output_of_command(database_url, args).await?;
    let wall = begun.elapsed();
    Ok(Ran { wall, cpu: cpu_of_ended_commands()?.saturating_sub(before) })
}

/// A token for the store in this database: to send leads, and to take them out.
pub(crate) async fn token(database_url: &str) -> Result<String> {
    let args = ["tokens", "issue", "--scope", "capture,crm", "--for", "24h"];
    let issued = output_of_command(database_url, &args).await?;
    Ok(issued.trim_end().to_owned())
}

/// Runs a command of the program over this database, which must succeed, and answers what it prints.
async fn output_of_command(database_url: &str, args: &[&str]) -> Result<String> {
    let program = program()?;
    let shown = format!("leadlog {}", args.join(" "));
    let running = tokio::process::Command::new(&program)
        .args(args)
        .env(DATABASE_VARIABLE, database_url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(COMMAND_LIMIT, running)
        .await
        .with_context(|| format!("`{shown}` does not end within {} s", COMMAND_LIMIT.as_secs()))?
        .with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The program to measure.
fn program() -> Result<PathBuf> {
    let program = match env::var_os(PROGRAM_VARIABLE).filter(|value| !value.is_empty()) {
        Some(program) => PathBuf::from(program),
        None => env::current_exe()?.with_file_name("leadlog"),
    };
    ensure!(
        program.is_file(),
        "there is no {}; build it with `cargo build --release -p leadlog`, or name one in {PROGRAM_VARIABLE}",
        program.display()
    );
    Ok(program)
}
