//! LibreOffice, which shows whether people can open what is exported. Only `cargo xtask test --office` asks for it.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::setup::browser::on_path;
use crate::setup::debian;
use crate::steps::Steps;

const NO_OFFICE: &str = "no LibreOffice found: `apt-get install -y libreoffice-calc` on Debian, as root, `brew install \
    --cask libreoffice` on macOS; or name its program in SOFFICE";

const MAC_PROGRAM: &str = "/Applications/LibreOffice.app/Contents/MacOS/soffice";

/// The program, installed if it is missing and may be.
pub(crate) fn installed(steps: &Steps) -> Result<PathBuf> {
    if find().is_none() && debian::can_install() {
        debian::install(steps, &["libreoffice-calc"])?;
    }
    let Some(program) = find() else { bail!(NO_OFFICE) };
    Ok(program)
}

/// `SOFFICE`, else what `PATH` leads to.
fn find() -> Option<PathBuf> {
    let named = env::var_os("SOFFICE").filter(|value| !value.is_empty()).map(PathBuf::from);
    let mac = || Some(PathBuf::from(MAC_PROGRAM)).filter(|path| path.is_file());
    named.or_else(|| on_path("soffice")).or_else(mac)
}
