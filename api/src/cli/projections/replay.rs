//! `leadlog projections replay`.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use projections::{Registration, Replayed};
use serde::Serialize;

use super::{chosen, named, print_json};
use crate::cli::DatabaseArgs;

/// Folds a piece of the log once more into the live rows: events that were parked and that this program understands now,
/// or rows that are gone. Harmless when repeated. Rows that are there and wrong need a rebuild.
///
/// Without --to it goes on to where the projection stands. With --to it stops there, unless later events stand on
/// what it folds; then it says so and changes nothing. The live projection waits for it, so it takes at most 100,000
/// events; for more, use `leadlog projections rebuild`. Ends with an error when an event still cannot be folded.
#[derive(Args)]
pub(super) struct Replay {
    /// The projection: leads (with contacts), quarantine or devices. Without a name, all of them.
    #[arg(value_name = "NAME", value_parser = named)]
    name: Option<&'static Registration>,

    /// Position of the first event.
    #[arg(long, value_name = "POSITION")]
    from: u64,

    /// Position of the last event.
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,

    /// Print a line of JSON for each projection instead.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    projection: &'static str,
    from: u64,
    to: u64,
    parked: u64,
}

impl Replay {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { name, from, to, json, database } = self;
        if let Some(to) = to.filter(|to| *to < from) {
            bail!("there is nothing to replay: --to {to} stands before --from {from}");
        }
        let still_parked = database
            .with_store(async |store| {
                let (mut still_parked, mut refused) = (Vec::new(), None);
                for projection in chosen(name) {
                    // One that must be replayed to the end does not keep the others from it.
                    let Replayed { from, to, parked } =
                        match projections::replay(store.pool(), projection, from, to).await {
                            Ok(replayed) => replayed,
                            Err(error) => {
                                if let Some(before) = refused.replace(error) {
                                    eprintln!("leadlog: {before}");
                                }
                                continue;
                            }
                        };
                    let projection = projection.name;
                    if parked > 0 {
                        still_parked.push(projection);
                    }
                    if json {
                        print_json(&Done { projection, from, to, parked });
                        continue;
                    }
                    let parked = match parked {
                        0 => String::new(),
                        count => format!("; {count} cannot be folded and are parked"),
                    };
                    writeln!(std::io::stdout().lock(), "{projection}: replayed {from} to {to}{parked}")?;
                }
                refused.map_or(Ok(still_parked), |error| Err(error.into()))
            })
            .await?;
        if !still_parked.is_empty() {
            bail!(
                "events of {} are parked still; `leadlog projections parked` says why: most need a newer version of this \
                 program",
                still_parked.join(", ")
            );
        }
        Ok(())
    }
}
