//! What `leadlog serve` is told about its callers.

use clap::Args;

use crate::http::{Origin, Settings};

#[derive(Args)]
#[command(next_help_heading = "Callers")]
pub(super) struct Callers {
    /// Let the app that was loaded from this other server call this one, as browsers write its origin:
    /// `https://hub-1.local:8443`. For each server once, or separated by commas.
    #[arg(
        long = "allow-origin",
        env = "LEADLOG_ALLOWED_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allowed_origins: Vec<Origin>,
}

impl Callers {
    pub(super) fn settings(self) -> Settings {
        let Self { allowed_origins } = self;
        Settings { allowed_origins }
    }
}
