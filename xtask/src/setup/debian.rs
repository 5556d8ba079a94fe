//! Debian packages, for root on a machine with apt-get.

use std::process::Command;

use anyhow::Result;

use crate::steps::Steps;

/// Whether packages can be installed without asking anybody.
pub(crate) fn can_install() -> bool {
    rustix::process::geteuid().is_root()
        && Command::new("apt-get").arg("--version").output().is_ok_and(|output| output.status.success())
}

pub(crate) fn install(steps: &Steps, packages: &[&str]) -> Result<()> {
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    steps.tool("apt-get update", &mut apt(&["update"]))?;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    steps.tool(&format!("apt-get install {}", packages.join(" ")), &mut apt(&install))?;
    Ok(())
}
