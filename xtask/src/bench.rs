//! Benchmarks of the real, released programs.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::postgres::exit_code;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{server, setup};

pub(crate) fn run(workspace: &Workspace, steps: &Steps, name: &str, args: &[String]) -> Result<ExitCode> {
    steps.step("check the tools", || setup::for_running(workspace, steps))?;
    let leadlog = server::build(workspace, steps)?;
    let build = ["build", "--release", "--package", "benchmarks"];
    steps.tool("compile the benchmarks", &mut workspace.cargo(&build))?;
    let program = workspace.program("benchmarks");
    let mut command = workspace.command(&program.to_string_lossy());
    let status = command.arg(name).args(args).env("LEADLOG_BIN", leadlog).status();
    status.map(exit_code).with_context(|| format!("cannot run {}", program.display()))
}
