//! The program `leadlog`.

use std::path::PathBuf;

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::Workspace;

/// Builds it, and tells where it is. The app must be built before, because it is embedded.
pub(crate) fn build(workspace: &Workspace, steps: &Steps) -> Result<PathBuf> {
    steps.tool("compile leadlog", &mut workspace.cargo(&["build", "--release", "--package", "leadlog"]))?;
    Ok(workspace.program("leadlog"))
}
