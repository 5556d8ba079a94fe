//! Where things are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The folder of the repository and the folder that cargo builds into.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
        // The program that runs is TARGET/release/xtask.
        let program = env::current_exe().context("cannot find the running program")?;
        let target = program.ancestors().nth(2).context("xtask runs from cargo's target folder")?;
        Ok(Self { root: root.to_owned(), target: target.to_owned() })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program that was built with `--release`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A command that runs in the root folder.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        // `cargo run` tells which cargo it is; the one on PATH may be another.
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = self.command(&cargo);
        command.args(args).env("CARGO_TARGET_DIR", &self.target);
        forget_own_package(&mut command);
        command
    }

    /// npm in the app's folder.
    pub(crate) fn npm(&self, args: &[&str]) -> Command {
        let mut command = Command::new("npm");
        command.args(args).current_dir(self.path("pwa"));
        command
    }

    /// What `cargo metadata` tells, with these options.
    pub(crate) fn metadata(&self, options: &[&str]) -> Result<Value> {
        let output = self.cargo(&["metadata", "--format-version", "1", "--locked"]).args(options).output()?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        serde_json::from_slice(&output.stdout).context("cargo metadata printed something else than JSON")
    }
}

/// Takes from a command's environment what `cargo run` says there of this package. Build scripts (of ring, for example) watch
/// these variables, and would build themselves and all that stands on them anew, each time that this program and a shell
/// take turns.
pub(crate) fn forget_own_package(command: &mut Command) {
    let is_own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_own)) {
        command.env_remove(name);
    }
}
