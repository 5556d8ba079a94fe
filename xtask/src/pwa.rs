//! The app: npm packages, and Vite's build into `pwa/dist`, which the server embeds.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::steps::Steps;
use crate::workspace::Workspace;

/// Installs exactly what `package-lock.json` says, unless that was done already.
pub(crate) fn install(workspace: &Workspace, steps: &Steps) -> Result<()> {
    let lock_file = workspace.path("pwa/package-lock.json");
    let lock =
        fs::read_to_string(&lock_file).with_context(|| format!("cannot read {}", lock_file.display()))?;
    // `npm ci` removes the folder first, so this copy is there only after it went through.
    let installed = workspace.path("pwa/node_modules/.installed-package-lock.json");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    steps.tool("npm ci", &mut workspace.npm(&["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&installed, lock).with_context(|| format!("cannot write {}", installed.display()))
}

/// Builds `pwa/dist`.
pub(crate) fn build(workspace: &Workspace, steps: &Steps) -> Result<()> {
    ensure!(
        workspace.path("client-wasm/pkg").is_dir(),
        "client-wasm/pkg is missing; `cargo xtask wasm` builds it"
    );
    steps.tool("build the app", &mut workspace.npm(&["run", "build"])).map(|_| ())
}

/// Whether package.json has this script.
pub(crate) fn has_script(workspace: &Workspace, name: &str) -> Result<bool> {
    let path = workspace.path("pwa/package.json");
    let text = read(&path)?;
    let package: Value =
        serde_json::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
    Ok(package["scripts"].get(name).is_some())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
