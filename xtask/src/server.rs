//! The program `leadlog`.

use std::path::PathBuf;

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::Workspace;

/// Builds it, and tells where it is. The app must be built before, because it is embedded.
pub(crate) fn build(workspace: &Workspace, steps: &Steps) -> Result<PathBuf> {
    // `--workspace`, so that dependencies have the features that the tests' build needs, too, and are compiled once.
    let build = ["build", "--workspace", "--release", "--bin", "leadlog"];
    steps.tool("compile leadlog", &mut workspace.cargo(&build))?;
    Ok(workspace.program("leadlog"))
}

/// The programs that browser tests start, as the tests' build leaves them. Asked for in the same breath as the workspace's
/// tests, they take the dependencies with the features that those have compiled already.
pub(crate) struct TestPrograms {
    pub(crate) leadlog: PathBuf,
    /// Makes computers of their own.
    pub(crate) venue: PathBuf,
}

pub(crate) fn build_with_tests(workspace: &Workspace, steps: &Steps) -> Result<TestPrograms> {
    let args = ["test", "--workspace", "--release", "--no-run", "--test", "api", "--test", "cables"];
    steps.tool("compile leadlog", &mut workspace.cargo(&args))?;
    Ok(TestPrograms { leadlog: workspace.program("leadlog"), venue: workspace.program("venue") })
}
