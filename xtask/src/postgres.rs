//! A private PostgreSQL for the time of a test run.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};

use crate::steps::Steps;
use crate::workspace::{Workspace, forget_own_package};

/// Tests that need a database find it here.
pub(crate) const URL_VARIABLE: &str = "LEADLOG_TEST_DATABASE_URL";

/// A PostgreSQL in a temporary folder. A process of its own holds it and lives by our end of a pipe: however
/// we end, by an error, by Ctrl-C or by `kill -9`, it stops PostgreSQL and removes the folder.
pub(crate) struct PrivatePostgres {
    holder: Child,
    pub(crate) url: String,
}

impl PrivatePostgres {
    pub(crate) fn start(workspace: &Workspace, steps: &Steps) -> Result<Self> {
        // `--workspace`, so that dependencies have the features that the tests' build needs, too.
        let build = ["build", "--workspace", "--release", "--bin", "managed-postgres"];
        steps.tool("compile managed-postgres", &mut workspace.cargo(&build))?;
        let mut holder = Command::new(workspace.program("managed-postgres"))
            .arg("--temporary")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C must not kill it before it has stopped PostgreSQL.
            .process_group(0)
            .spawn()
            .context("cannot run managed-postgres")?;
        let mut url = String::new();
        if let Some(stdout) = holder.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let postgres = Self { holder, url: url.trim().to_owned() };
        ensure!(!postgres.url.is_empty(), "the private PostgreSQL did not start; the reason is above");
        Ok(postgres)
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // It says itself what went wrong.
        let _ = self.holder.wait();
    }
}

/// Runs a command with a private PostgreSQL.
pub(crate) fn run(workspace: &Workspace, steps: &Steps, command: &[String]) -> Result<ExitCode> {
    let postgres = PrivatePostgres::start(workspace, steps)?;
    let [program, args @ ..] = command else { return Ok(ExitCode::FAILURE) };
    let mut command = Command::new(program);
    command.args(args).env(URL_VARIABLE, &postgres.url);
    forget_own_package(&mut command);
    command.status().map(exit_code).with_context(|| format!("cannot run {program}"))
}

/// As a shell tells it: 128 plus the signal for a process that was killed.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
