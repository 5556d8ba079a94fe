//! `leadlog openapi`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

/// Writes the OpenAPI 3.1 document that is generated from the routes.
#[derive(Args)]
pub(super) struct Openapi {
    /// File to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Openapi {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let json = crate::openapi::json()?;
        match self.out {
            Some(file) => {
                std::fs::write(&file, json).with_context(|| format!("cannot write {}", file.display()))
            }
            None => std::io::stdout().write_all(json.as_bytes()).context("cannot write to standard output"),
        }
    }
}
