//! From a clean clone to a running server.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{pwa, server, setup, wasm};

/// Builds everything and becomes `leadlog serve`, so that signals reach it and its exit code is ours.
pub(crate) fn run(workspace: &Workspace, steps: &Steps, serve_args: &[String]) -> Result<ExitCode> {
    steps.step("check the tools", || setup::for_running(workspace, steps))?;
    pwa::install(workspace, steps)?;
    wasm::build(workspace, steps)?;
    pwa::build(workspace, steps)?;
    let leadlog = server::build(workspace, steps)?;
    let error = Command::new(&leadlog).args(["serve", "--invite"]).args(serve_args).exec();
    Err(error).with_context(|| format!("cannot run {}", leadlog.display()))
}
