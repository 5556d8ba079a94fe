//! Rust's wasm32 target and components. `rust-toolchain.toml` names them, but rustup installs what is
//! missing by itself only if it may, and only together with the toolchain.

use std::path::Path;

use anyhow::{Context, Result};

use crate::steps::Steps;
use crate::workspace::Workspace;

const TARGET: &str = "wasm32-unknown-unknown";

pub(crate) fn wasm_target(workspace: &Workspace, steps: &Steps) -> Result<()> {
    let sysroot =
        workspace.command("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    let add = format!("rustup target add {TARGET}");
    let mut rustup = workspace.command("rustup");
    steps.tool(&add, rustup.args(["target", "add", TARGET])).with_context(|| {
        format!("Rust cannot compile for {TARGET} yet; `{add}` installs it, or your system's package for it")
    })?;
    Ok(())
}

pub(crate) fn components(workspace: &Workspace, steps: &Steps) -> Result<()> {
    for (component, subcommand) in [("clippy", "clippy"), ("rustfmt", "fmt")] {
        let present = workspace.cargo(&[subcommand, "--version"]).output();
        if !present.is_ok_and(|output| output.status.success()) {
            let add = format!("rustup component add {component}");
            let mut rustup = workspace.command("rustup");
            steps.tool(&add, rustup.args(["component", "add", component]))?;
        }
    }
    Ok(())
}
