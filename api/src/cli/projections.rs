//! `leadlog projections`.

mod progress;
mod rebuild;
mod replay;
mod status;
mod verify;

use clap::{Args, Subcommand};
use projections::Registration;

/// Looks after the read models: the tables of leads, contacts, quarantine and devices, which are folded from the log.
///
/// The log is the truth, and everything here can be made from it again. `status` says how far each projection is;
/// `verify` folds the log once more and names every row that is not what the log gives; `rebuild` makes the
/// tables anew beside the live ones and switches, while leads come in and exports run. A rebuild that was interrupted
/// goes on where it was. All of them work beside a running server and without one.
#[derive(Args)]
pub(super) struct Projections {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    List(status::List),
    Status(status::Status),
    Parked(status::Parked),
    Rebuild(rebuild::Rebuild),
    Verify(verify::Verify),
    Replay(replay::Replay),
}

impl Projections {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::List(list) => list.run(),
            Action::Status(status) => status.run().await,
            Action::Parked(parked) => parked.run().await,
            Action::Rebuild(rebuild) => rebuild.run().await,
            Action::Verify(verify) => verify.run().await,
            Action::Replay(replay) => replay.run().await,
        }
    }
}

/// The projection that somebody names.
fn named(name: &str) -> Result<&'static Registration, String> {
    projections::named(name).ok_or_else(|| {
        let names: Vec<&str> = projections::ALL.iter().map(|projection| projection.name).collect();
        format!("there is no such projection; there are {}", names.join(", "))
    })
}

/// The one that was named, or all.
fn chosen(name: Option<&'static Registration>) -> Vec<&'static Registration> {
    name.map_or_else(|| projections::ALL.iter().collect(), |one| vec![one])
}

/// One JSON object on a line of its own. Whoever reads may have gone; then there is nobody to tell.
fn print_json(value: &impl serde::Serialize) {
    use std::io::Write;

    if let Ok(line) = serde_json::to_string(value) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
