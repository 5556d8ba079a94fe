//! Chromium and its driver, in which the WASM and browser tests run.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::setup::debian;
use crate::steps::Steps;

pub(crate) const NO_BROWSER: &str = "no Chromium with chromedriver found: `apt-get install -y chromium \
    chromium-driver` on Debian, `brew install --cask chromium chromedriver` on macOS; or name them in CHROMIUM \
    and CHROMEDRIVER";

const NO_CERTUTIL: &str = "no certutil found, by which Chromium comes to trust a hub's CA in a test: `apt-get install -y \
    libnss3-tools` on Debian, as root";

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const MAC_BROWSERS: [&str; 2] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Paths of the two programs.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) chromedriver: PathBuf,
}

impl Browser {
    /// `CHROMIUM` and `CHROMEDRIVER`, else what `PATH` leads to.
    pub(crate) fn find() -> Option<Self> {
        let installed = || MAC_BROWSERS.iter().map(PathBuf::from).find(|path| path.is_file());
        let chromium = named("CHROMIUM").or_else(|| BROWSERS.iter().find_map(|name| on_path(name)));
        Some(Self {
            chromium: chromium.or_else(installed)?,
            chromedriver: named("CHROMEDRIVER").or_else(|| on_path("chromedriver"))?,
        })
    }
}

pub(crate) fn install(steps: &Steps) -> Result<()> {
    if Browser::find().is_none() && debian::can_install() {
        // A font, because a machine without any draws no text at all.
        debian::install(steps, &["chromium", "chromium-driver", "fonts-dejavu-core"])?;
    }
    if Browser::find().is_none() {
        bail!(NO_BROWSER);
    }
    trust_store(steps)
}

/// Elsewhere than on Linux, Chromium trusts what the system trusts, and the test that needs it is left out.
fn trust_store(steps: &Steps) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if on_path("certutil").is_none() && debian::can_install() {
        debian::install(steps, &["libnss3-tools"])?;
    }
    if on_path("certutil").is_none() {
        bail!(NO_CERTUTIL);
    }
    Ok(())
}

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    folders.iter().map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}
