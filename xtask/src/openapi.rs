//! The OpenAPI document, generated from the code and checked in.

use anyhow::Result;

use crate::server;
use crate::steps::Steps;
use crate::workspace::Workspace;

pub(crate) fn write(workspace: &Workspace, steps: &Steps) -> Result<()> {
    let leadlog = server::build(workspace, steps)?;
    let mut command = workspace.command(&leadlog.to_string_lossy());
    steps
        .tool("write openapi/leadlog.json", command.args(["openapi", "--out", "openapi/leadlog.json"]))
        .map(|_| ())
}
