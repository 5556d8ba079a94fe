//! The app: npm packages, and Vite's build into `pwa/dist`, which the server embeds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

/// Builds `pwa/dist`. Where the same would come out it stays as it is, so that the server, which embeds it, is not compiled again.
pub(crate) fn build(workspace: &Workspace, steps: &Steps) -> Result<()> {
    ensure!(
        workspace.path("client-wasm/pkg").is_dir(),
        "client-wasm/pkg is missing; `cargo xtask wasm` builds it"
    );
    let (next, dist) = (workspace.target.join("app"), workspace.path("pwa/dist"));
    let mut vite = workspace.npm(&["run", "build", "--", "--emptyOutDir", "--outDir"]);
    steps.tool("build the app", vite.arg(&next))?;
    if files(&next)? != files(&dist).unwrap_or_default() {
        replace(&dist, &next).with_context(|| format!("cannot put the app into {}", dist.display()))?;
    }
    Ok(())
}

/// Every file below a folder, with what is in it.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_path_buf(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

fn replace(dist: &Path, next: &Path) -> Result<()> {
    if dist.exists() {
        fs::remove_dir_all(dist)?;
    }
    for (path, bytes) in files(next)? {
        let path = dist.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dist))?;
        fs::write(path, bytes)?;
    }
    Ok(())
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
