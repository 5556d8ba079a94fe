//! `leadlog projections rebuild`.

use std::io::Write;

use clap::Args;
use projections::{BuildError, Poisoned, Rebuilt, Registration};
use serde::Serialize;
use sqlx::PgPool;

use super::progress::Teller;
use super::{chosen, named, print_json};
use crate::cli::DatabaseArgs;
use crate::cli::interruption::Interrupted;

/// What an interrupted rebuild says. It has no time to ask the database.
const WHAT_MAY_BE_LEFT: &str = "the live rows are as they were, and what was built beside them stays in the database, with \
     personal data; run this again to go on with it, or throw it away with --abandon";

/// Folds a projection again from the first event, beside the live rows, and switches when it has caught up.
///
/// Leads may come in and exports may run meanwhile; they see the old rows until the switch, which takes a moment. When
/// this is interrupted, even by `kill -9`, the live rows are as they were, and the same command goes on where it
/// was. It needs about as much disk again as the tables have.
///
/// An event that cannot be folded stops it before anything has changed, and its position is named: see
/// `leadlog projections parked`.
#[derive(Args)]
pub(super) struct Rebuild {
    /// The projection: leads (with contacts), quarantine or devices. Without a name, all of them, one after the other.
    #[arg(value_name = "NAME", value_parser = named)]
    name: Option<&'static Registration>,

    /// Pass events that cannot be folded, as the live projection does, and list them as parked.
    #[arg(long)]
    park: bool,

    /// Throw away what an interrupted rebuild left behind, and build nothing. It holds personal data.
    #[arg(long, conflicts_with_all = ["park", "json"])]
    abandon: bool,

    /// Print lines of JSON instead: one a second about how far it is, and one about the result.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    projection: &'static str,
    rebuilt_through: u64,
    /// Where an interrupted build was taken up; 0 when there was none.
    resumed_at: u64,
}

impl Rebuild {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let poisoned = if self.park { Poisoned::Park } else { Poisoned::Stop };
        self.database
            .with_store(async |store| {
                for projection in chosen(self.name) {
                    if self.abandon {
                        abandon(store.pool(), projection).await?;
                    } else {
                        rebuild(store.pool(), projection, poisoned, self.json).await?;
                    }
                }
                Ok(())
            })
            .await
            .map_err(|error| if error.is::<Interrupted>() { error.context(WHAT_MAY_BE_LEFT) } else { error })
    }
}

async fn abandon(pool: &PgPool, projection: &'static Registration) -> anyhow::Result<()> {
    let was_there = projections::abandon(pool, projection).await?;
    let said = if was_there { "thrown away" } else { "nothing was left behind" };
    Ok(writeln!(std::io::stdout().lock(), "{}: {said}", projection.name)?)
}

async fn rebuild(
    pool: &PgPool,
    projection: &'static Registration,
    poisoned: Poisoned,
    json: bool,
) -> anyhow::Result<()> {
    let mut teller = Teller::of(projection.name, json);
    let rebuilt = projections::rebuild(pool, projection, poisoned, |at| teller.tell(at)).await;
    teller.finish();
    let Rebuilt { position, resumed_at } = match rebuilt {
        Ok(rebuilt) => rebuilt,
        Err(error) => return Err(with_what_is_left(error, pool, projection).await),
    };
    if json {
        print_json(&Done { projection: projection.name, rebuilt_through: position, resumed_at });
        return Ok(());
    }
    let resumed = match resumed_at {
        0 => String::new(),
        at => format!(" (an interrupted build went on at {at})"),
    };
    Ok(writeln!(
        std::io::stdout().lock(),
        "{}: rebuilt through position {position}{resumed}",
        projection.name
    )?)
}

/// Says with an error what it leaves in the database: it holds personal data, and nothing else reminds anybody of it.
async fn with_what_is_left(
    error: BuildError,
    pool: &PgPool,
    projection: &'static Registration,
) -> anyhow::Error {
    if matches!(error, BuildError::Busy { .. } | BuildError::Foreign { .. }) {
        return error.into();
    }
    let name = projection.name;
    let stays = match projections::status(pool).await {
        Ok(all)
            if all.iter().all(|one| {
                one.name != name || (one.build_position.is_none() && one.build_owner.is_none())
            }) =>
        {
            return error.into();
        }
        Ok(_) => "stays in the database",
        Err(_) => "may still be in the database",
    };
    anyhow::Error::new(error).context(format!(
        "{name} was not rebuilt, and what was built of it {stays}, with personal data; run this again to go on with it, or \
         throw it away with `leadlog projections rebuild {name} --abandon`"
    ))
}
