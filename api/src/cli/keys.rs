//! `leadlog keys`.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Subcommand};
use domain::Timestamp;
use identity::ListedKey;
use serde::Serialize;

use super::{DatabaseArgs, output};

/// Changes the key by which this store signs its access tokens. Works beside running servers, which need no restart.
///
/// `list` says which there are. `retire` is for when a token or the database may be in the wrong hands: all tokens are void at once. `rotate` is for
/// changing the key in good order: tokens that were given out count until they expire. docs/identity.md says when.
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Rotate(Rotate),
    Retire(Retire),
}

/// Lists every key that there was, oldest first: when it was made, and whether it signs. Shows no key, only their names.
///
/// A database user that may not add to the log sees none.
#[derive(Args)]
struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
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
            Command::List(list) => list.run().await,
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

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let keys = self.database.with_store(async |store| Ok(identity::list_keys(store.pool()).await?)).await;
        let rows: Vec<Row> = keys.context("the keys cannot be listed")?.into_iter().map(Row::from).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(
                out,
                "No key: the first token makes one. (A database user that may not add to the log sees none.)"
            )?);
        }
        let mut table = vec![["key", "made", "standing"].map(str::to_owned)];
        table.extend(rows.iter().map(Row::cells));
        Ok(output::write_table(&table, out)?)
    }
}

/// One key as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    kid: String,
    made_at: Timestamp,
    replaced_at: Option<Timestamp>,
    retired_at: Option<Timestamp>,
    /// Whether it signs now.
    signs: bool,
}

impl From<ListedKey> for Row {
    fn from(key: ListedKey) -> Self {
        let signs = key.signs();
        let ListedKey { kid, made_at, replaced_at, retired_at } = key;
        Self { kid, made_at, replaced_at, retired_at, signs }
    }
}

impl Row {
    fn cells(&self) -> [String; 3] {
        let standing = match (self.retired_at, self.replaced_at) {
            (Some(at), _) => format!("retired {at}: no token of it counts"),
            (None, Some(at)) => format!("replaced {at}: its tokens count until they expire"),
            (None, None) => "signs now".to_owned(),
        };
        [self.kid.clone(), self.made_at.to_string(), standing]
    }
}
