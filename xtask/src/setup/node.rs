//! Node.js and npm, which build the app.

use std::process::Command;

use anyhow::{Result, bail};

/// The oldest version that Vite takes (`engines` in pwa/package.json).
const OLDEST: (u32, u32) = (20, 19);

const ADVICE: &str = "install Node.js 22 or newer with npm from https://nodejs.org or your system's packages \
                      (Debian 13: `apt-get install -y nodejs npm`; macOS: `brew install node`)";

pub(crate) fn check() -> Result<()> {
    let Some(version) = version_of("node") else { bail!("Node.js is missing; {ADVICE}") };
    match parse(&version) {
        Some(found) if found >= OLDEST => {}
        _ => bail!("Node.js {version} is too old, {}.{} is needed; {ADVICE}", OLDEST.0, OLDEST.1),
    }
    if version_of("npm").is_none() {
        bail!("npm is missing; {ADVICE}");
    }
    Ok(())
}

fn version_of(program: &str) -> Option<String> {
    let output =
        Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse("v20.20.2"), Some((20, 20)));
        assert!(parse("v9.30.0").is_some_and(|old| old < OLDEST));
        assert_eq!(parse("20.1.0"), None);
    }
}
