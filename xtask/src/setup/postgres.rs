//! PostgreSQL's binaries. Only they are used: a server that the package starts stays alone.

use anyhow::Result;
use managed_postgres::{Binaries, BinariesError};

use crate::setup::debian;
use crate::steps::Steps;

pub(crate) fn install(steps: &Steps) -> Result<()> {
    match Binaries::find() {
        Err(BinariesError::Missing { .. }) if debian::can_install() => {
            debian::install(steps, &["postgresql"])?;
            Binaries::find()?;
        }
        found => {
            found?;
        }
    }
    Ok(())
}
