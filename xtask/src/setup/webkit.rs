//! WebKitGTK, which is the engine of iPads as Linux has it, with a screen to run it on, and strace, which shows what
//! a browser brings to the disk.

use anyhow::{Result, bail};

use crate::setup::browser::on_path;
use crate::setup::debian;
use crate::steps::Steps;

/// WebKitGTK is for Linux. The WebKit of macOS has no profiles that a test could keep to itself.
pub(crate) const IS_POSSIBLE: bool = cfg!(target_os = "linux");

pub(crate) const NO_WEBKIT: &str = "no WebKitGTK with its driver, Xvfb and strace found: `apt-get install -y \
    webkit2gtk-driver xvfb strace` on Debian, as root";

/// Programs that the tests run, and their Debian packages. The browser itself comes with the driver.
const PROGRAMS: [(&str, &str); 3] =
    [("WebKitWebDriver", "webkit2gtk-driver"), ("Xvfb", "xvfb"), ("strace", "strace")];

pub(crate) fn is_installed() -> bool {
    missing().is_empty()
}

pub(crate) fn install(steps: &Steps) -> Result<()> {
    if IS_POSSIBLE && !is_installed() && debian::can_install() {
        debian::install(steps, &missing())?;
    }
    if IS_POSSIBLE && !is_installed() {
        bail!(NO_WEBKIT);
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    PROGRAMS.iter().filter(|(program, _)| on_path(program).is_none()).map(|(_, package)| *package).collect()
}
