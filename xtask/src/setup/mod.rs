//! What a machine needs. What may be installed is installed, the rest is named with the command for it.

mod browser;
mod debian;
mod network;
mod node;
pub(crate) mod office;
mod postgres;
mod toolchain;
pub(crate) mod webkit;

pub(crate) use browser::{Browser, NO_BROWSER};

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::Workspace;

/// To build and run.
pub(crate) fn for_running(workspace: &Workspace, steps: &Steps) -> Result<()> {
    toolchain::wasm_target(workspace, steps)?;
    node::check()?;
    // With a server of the user's own, no binaries are needed.
    if std::env::var_os("DATABASE_URL").is_none() {
        postgres::install(steps)?;
    }
    Ok(())
}

/// To run every test.
pub(crate) fn for_testing(workspace: &Workspace, steps: &Steps) -> Result<()> {
    toolchain::wasm_target(workspace, steps)?;
    toolchain::components(workspace, steps)?;
    node::check()?;
    postgres::install(steps)?;
    browser::install(steps)?;
    network::install(steps);
    webkit::install(steps)
}
