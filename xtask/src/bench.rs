//! Benchmarks of the real, released programs.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::postgres::exit_code;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{pwa, server, setup, wasm};

/// Each benchmark, and what it measures. All but `client` are subcommands of the crate `benchmarks`.
const BENCHMARKS: [(&str, &str); 6] = [
    ("client", "Save, first load and start of the app, in a browser"),
    ("export", "downloads of all leads and contacts, beside COPY"),
    ("growth", "what the size of the store does to each step"),
    ("intake", "leads over HTTP into the log, beside pgbench"),
    ("processes", "one, two and four servers over one database"),
    ("projections", "leads and contacts made from the whole log, beside pure SQL"),
];

/// Runs the benchmark of this name; without a name, lists them.
pub(crate) fn run(
    workspace: &Workspace,
    steps: &Steps,
    name: Option<&str>,
    args: &[String],
) -> Result<ExitCode> {
    let Some(name) = name else {
        println!("{}\n\nRun one with: cargo xtask bench NAME [--help]", list());
        return Ok(ExitCode::SUCCESS);
    };
    if BENCHMARKS.iter().all(|(known, _)| *known != name) {
        bail!("there is no benchmark {name}; there are:\n{}", list());
    }
    steps.step("check the tools", || setup::for_running(workspace, steps))?;
    let (program, mut command) = match name {
        "client" => of_the_app(workspace, steps)?,
        _ => of_the_server(workspace, steps, name)?,
    };
    let status = command.args(args).status();
    status.map(exit_code).with_context(|| format!("cannot run {program}"))
}

fn list() -> String {
    BENCHMARKS.map(|(name, about)| format!("  {name:<14}{about}")).join("\n")
}

/// The device library and the app, in a browser.
fn of_the_app(workspace: &Workspace, steps: &Steps) -> Result<(String, Command)> {
    pwa::install(workspace, steps)?;
    wasm::build(workspace, steps)?;
    pwa::build(workspace, steps)?;
    // After the app, which is embedded in it.
    let leadlog = server::build(workspace, steps)?;
    let mut command = workspace.command("node");
    command.arg(workspace.path("pwa/bench/client.js")).env("LEADLOG_BIN", leadlog);
    Ok(("node".to_owned(), command))
}

/// The server and its commands.
fn of_the_server(workspace: &Workspace, steps: &Steps, name: &str) -> Result<(String, Command)> {
    let leadlog = server::build(workspace, steps)?;
    let build = ["build", "--workspace", "--release", "--bin", "benchmarks"];
    steps.tool("compile the benchmarks", &mut workspace.cargo(&build))?;
    let program = workspace.program("benchmarks").to_string_lossy().into_owned();
    let mut command = workspace.command(&program);
    command.arg(name).env("LEADLOG_BIN", leadlog);
    Ok((program, command))
}
