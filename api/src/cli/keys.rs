//! `leadlog keys`.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::DatabaseArgs;

/// Changes the key by which this store signs its access tokens. Works beside running servers, which need no restart.
///
/// `retire` is for when a token or the database may be in the wrong hands: all tokens are void at once. `rotate` is for
/// changing the key in good order: tokens that were given out count until they expire. docs/identity.md says when.
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Rotate(Rotate),
    Retire(Retire),
}

/// Makes another key. Tokens of the one before count until they expire, within 24 hours.
#[derive(Args)]
struct Rotate {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Makes every token void at once, and makes another key. Programs get new tokens by themselves, with their secrets.
#[derive(Args)]
struct Retire {
    #[command(flatten)]
    database: DatabaseArgs,
}

impl Keys {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Rotate(Rotate { database }) => {
                let kid = database
                    .with_store_to_append(async |store| Ok(identity::rotate_key(store.pool()).await?))
                    .await
                    .context("the key was not changed")?;
                let mut out = std::io::stdout();
                Ok(writeln!(
                    out,
                    "the key {kid} signs from now on; tokens of the one before count until they expire"
                )?)
            }
            Command::Retire(Retire { database }) => {
                let kid = database
                    .with_store_to_append(async |store| Ok(identity::retire_keys(store.pool()).await?))
                    .await
                    .context("no key was retired")?;
                let mut out = std::io::stdout();
                Ok(writeln!(out, "every token that was given out is void; the key {kid} signs from now on")?)
            }
        }
    }
}
