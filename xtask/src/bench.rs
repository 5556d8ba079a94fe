//! Benchmarks of the real, released programs.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::postgres::exit_code;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{pwa, server, setup, wasm};

pub(crate) fn run(workspace: &Workspace, steps: &Steps, name: &str, args: &[String]) -> Result<ExitCode> {
    steps.step("check the tools", || setup::for_running(workspace, steps))?;
    let (program, mut command) = match name {
        "client" => client(workspace, steps)?,
        "intake" => intake(workspace, steps)?,
        other => bail!("there is no benchmark {other}; there are: client, intake"),
    };
    let status = command.args(args).status();
    status.map(exit_code).with_context(|| format!("cannot run {program}"))
}

/// The device library and the app, in a browser.
fn client(workspace: &Workspace, steps: &Steps) -> Result<(String, Command)> {
    pwa::install(workspace, steps)?;
    wasm::build(workspace, steps)?;
    pwa::build(workspace, steps)?;
    // After the app, which is embedded in it.
    let leadlog = server::build(workspace, steps)?;
    let mut command = workspace.command("node");
    command.arg(workspace.path("pwa/bench/client.js")).env("LEADLOG_BIN", leadlog);
    Ok(("node".to_owned(), command))
}

/// The server, under load.
fn intake(workspace: &Workspace, steps: &Steps) -> Result<(String, Command)> {
    let leadlog = server::build(workspace, steps)?;
    let build = ["build", "--release", "--package", "benchmarks"];
    steps.tool("compile the benchmarks", &mut workspace.cargo(&build))?;
    let program = workspace.program("benchmarks").to_string_lossy().into_owned();
    let mut command = workspace.command(&program);
    command.arg("intake").env("LEADLOG_BIN", leadlog);
    Ok((program, command))
}
