//! `leadlog quarantine`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use domain::{ClientId, DeviceId, DeviceName, FieldError, RefusalReason, ReleaseOutcome, Timestamp, Verdict};
use identity::Enrolments;
use intake::{Direct, ReleaseError, Released};
use projections::QUARANTINE;
use projections::fold::Quarantined;
use projections::quarantine::{self, QuarantineFormat};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{DatabaseArgs, enrolments, output};
use crate::store::Store;

/// Submissions that are read at once.
const PAGE_ROWS: u32 = 200;

/// Looks at what the server refused, and deals with it.
///
/// Nothing that was ever sent is lost: what breaks a rule is kept whole and waits here. `list` says what there
/// is, `export` writes it with what was typed, `release` records it as a lead if today's rules take it,
/// `dismiss` puts it aside for good. Works beside a running server and without one.
#[derive(Args)]
pub(super) struct Quarantine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Export(Export),
    Release(Release),
    Dismiss(Dismiss),
}

/// Lists what waits, oldest first, complete up to this moment, without personal data.
///
/// `reason` is what the server said: `invalid` (it breaks the rules that are named), `conflict` (the same version of
/// the lead is here with other bytes), `unsupported` (made by a newer app than this server understands; update it,
/// then `release`). `device` and `number` are what the entry says of itself, `-` when that cannot be read;
/// `sent by` is who sent it, `-` when nobody gave a name, and `name` what that iPad was let in as. The digest at the end names
/// the submission to `release` and `dismiss`, and its first 8 digits do, too.
#[derive(Args)]
struct List {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Writes what waits, complete up to this moment, WITH the personal data that was typed.
///
/// Treat the file as you treat an export of leads. A file is written whole or not at all.
#[derive(Args)]
struct Export {
    /// Format of the file. Without it, as the name of the file ends; else csv.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// File to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For a spreadsheet, as the other exports: byte order mark, semicolons, CRLF.
    Csv,
    /// One JSON object a line, for programs.
    Ndjson,
}

/// Judges a submission again by today's rules, and records it as a lead if they take it.
///
/// Do this after an update of this program. The campaign's rules are those of the version that the form was showing,
/// whatever has been published since. If the rules still refuse it, the command says why, fails, and changes nothing.
#[derive(Args)]
struct Release {
    #[command(flatten)]
    which: Which,
}

/// Puts a submission aside: it is no lead. It leaves the quarantine and stays in the log.
///
/// An iPad that still holds it goes on offering it. Once that iPad is let in again, it brings what it holds as leads, this one, too: take
/// it back there if it must not be one.
#[derive(Args)]
struct Dismiss {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
#[command(group(ArgGroup::new("submissions").required(true)))]
struct Which {
    /// The submission: its digest, as `leadlog quarantine list` prints it, or at least the first 8 digits.
    #[arg(value_parser = digest, group = "submissions")]
    digest: Option<String>,

    /// All that waits and was sent by this iPad: its name, or its id.
    #[arg(long, value_name = "NAME|DEVICE", group = "submissions")]
    device: Option<String>,

    /// Who does this; it is noted in the log.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Quarantine {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List(list) => list.run().await,
            Command::Export(export) => export.run().await,
            Command::Release(Release { which }) => which.release(ReleaseOutcome::Recorded).await,
            Command::Dismiss(Dismiss { which }) => which.release(ReleaseOutcome::Dismissed).await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let listed = self.database.with_store(listed).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &listed)?;
            return Ok(writeln!(out)?);
        }
        if listed.is_empty() {
            return Ok(writeln!(out, "Nothing waits: everything that was sent was taken or dealt with.")?);
        }
        let heading = [
            "recorded", "reason", "wrong", "lead", "version", "device", "number", "sent by", "name", "digest",
        ];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.extend(listed.iter().map(Listed::cells));
        output::write_table(&rows, &mut out)?;
        Ok(writeln!(out, "\n{} in all.", listed.len())?)
    }
}

async fn listed(store: &Store) -> anyhow::Result<Vec<Listed>> {
    projections::catch_up_only(store.pool(), &[&QUARANTINE]).await?;
    let enrolments = enrolments::known(store).await?;
    let (mut listed, mut after) = (Vec::new(), 0);
    loop {
        let page = quarantine::list(store.pool(), after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok(listed) };
        after = last.position;
        listed.extend(page.into_iter().map(|submission| Listed::of(submission, &enrolments)));
    }
}

impl Export {
    async fn run(self) -> anyhow::Result<()> {
        let format = match self.format.map_or_else(|| of_name(self.out.as_deref()), Ok)? {
            Format::Csv => QuarantineFormat::Csv,
            Format::Ndjson => QuarantineFormat::Ndjson,
        };
        let out = self.out;
        self.database
            .with_store(async |store| {
                projections::catch_up_only(store.pool(), &[&QUARANTINE]).await?;
                output::write(quarantine::export(store.pool().clone(), format), out.as_deref()).await
            })
            .await
    }
}

/// The format that the name of a file asks for.
fn of_name(out: Option<&Path>) -> anyhow::Result<Format> {
    match output::ending(out).as_deref() {
        Some("ndjson") => Ok(Format::Ndjson),
        Some("csv") | None => Ok(Format::Csv),
        Some(_) => bail!("the quarantine is written as csv or ndjson; name the file so"),
    }
}

impl Which {
    async fn release(self, how: ReleaseOutcome) -> anyhow::Result<()> {
        let Self { digest, device, by, database } = self;
        database
            .with_store_to_append(async |store| match (digest, device) {
                (None, Some(device)) => release_all(store, &device, how, by).await,
                (digest, _) => {
                    let digest = whole(store, digest.unwrap_or_default()).await?;
                    match release_one(store, &digest, how, by).await {
                        Ok(done) => Ok(writeln!(std::io::stdout(), "{done}")?),
                        Err(error) => bail!("{digest}: {error}{}", what_to_do(&error)),
                    }
                }
            })
            .await
    }
}

/// All that waits of one device, each by itself: one that cannot be released keeps no other from it.
async fn release_all(
    store: &Store,
    device: &str,
    how: ReleaseOutcome,
    by: Option<String>,
) -> anyhow::Result<()> {
    let waiting: Vec<_> = listed(store).await?.into_iter().filter(|it| it.is_sent_by(device)).collect();
    ensure!(
        !waiting.is_empty(),
        "nothing waits that was sent by {device:?}; `leadlog quarantine list` names who sent what waits"
    );
    let mut left = 0;
    for Listed { digest, .. } in &waiting {
        match release_one(store, digest, how, by.clone()).await {
            Ok(done) => writeln!(std::io::stdout(), "{digest}: {done}")?,
            // Somebody else did at the same moment.
            Err(ReleaseError::AlreadyReleased(_)) => {}
            Err(error) => {
                left += 1;
                eprintln!("{digest}: {error}{}", what_to_do(&error));
                if matches!(error, ReleaseError::Unavailable(_)) {
                    bail!("stopped there; what came before is done");
                }
            }
        }
    }
    ensure!(left == 0, "{left} of {} still wait; what stands above says why", waiting.len());
    Ok(())
}

/// Releases one, and says how.
async fn release_one(
    store: &Store,
    digest: &str,
    how: ReleaseOutcome,
    by: Option<String>,
) -> Result<String, ReleaseError> {
    let at = Timestamp::new(OffsetDateTime::now_utc());
    let recorder = Direct(store.log().clone());
    let campaigns = store.campaigns();
    let known = campaigns.as_ref();
    let released = intake::release(store.log(), &recorder, known, digest, how, by, at).await?;
    let Released { position, result } = released;
    let done = match result.and_then(|result| result.client_id.zip(result.version)) {
        Some((lead, version)) => format!("recorded as version {version} of lead {lead}, and released"),
        None => "dismissed".to_owned(),
    };
    Ok(format!("{done} (position {position} of the log)"))
}

/// The digest that is meant: itself, or the one that begins so among those that wait.
async fn whole(store: &Store, beginning: String) -> anyhow::Result<String> {
    if beginning.len() == DIGEST_DIGITS {
        return Ok(beginning);
    }
    let waiting = listed(store).await?.into_iter().map(|it| it.digest);
    only(waiting.filter(|digest| digest.starts_with(&beginning)).collect(), &beginning)
}

fn only(mut found: Vec<String>, beginning: &str) -> anyhow::Result<String> {
    ensure!(
        !found.is_empty(),
        "nothing waits whose digest begins with {beginning}; `leadlog quarantine list` prints those that there are"
    );
    ensure!(
        found.len() == 1,
        "{} wait whose digests begin with {beginning}; give more digits of the one that is meant: {}",
        found.len(),
        found.join(", ")
    );
    Ok(found.remove(0))
}

/// The next step for whoever gets this error.
fn what_to_do(error: &ReleaseError) -> &'static str {
    match error {
        ReleaseError::NotFound => "; `leadlog quarantine list` prints those that there are",
        ReleaseError::AlreadyReleased(_) => "; there is nothing left to do",
        // It may be a good lead, and what is put aside cannot be released any more.
        ReleaseError::StillRefused(result) if result.status == Verdict::Unsupported => {
            ". Nothing was changed. Update this program, and release it again then"
        }
        ReleaseError::StillRefused(_) => {
            ". Nothing was changed. Fix the lead on its iPad, or put this aside with `leadlog quarantine dismiss`"
        }
        ReleaseError::Erased => "; put the rest aside with `leadlog quarantine dismiss`",
        ReleaseError::Unreadable { .. } => ". Update this program",
        ReleaseError::Unavailable(_) => "; try again, that is harmless",
    }
}

/// Hexadecimal digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// Hardly two that wait ever begin alike by so many, and a person copies no fewer by mistake.
const MIN_BEGINNING_DIGITS: usize = 8;

fn digest(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let is_long_enough = (MIN_BEGINNING_DIGITS..=DIGEST_DIGITS).contains(&text.len());
    if is_long_enough && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a digest has 64 hexadecimal digits; copy at least the first 8 from `leadlog quarantine list`")
}

/// A submission as it is listed: nothing that a person typed, and of what a program sent only what is an id.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    digest: String,
    position: u64,
    recorded_at: Timestamp,
    reason: RefusalReason,
    errors: Vec<Wrong>,
    client_id: Option<ClientId>,
    version: Option<u32>,
    device_id: Option<DeviceId>,
    device_seq: Option<u64>,
    sent_by: Option<DeviceId>,
    /// What the iPad that sent it was let in as; where nobody gave a name as the sender, the one that it says made it.
    device_name: Option<DeviceName>,
    /// Whether the person was erased, so that only `dismiss` is left.
    is_erased: bool,
}

/// A rule that is broken, without the detail, which is for engineers.
#[derive(Serialize)]
struct Wrong {
    field: String,
    code: domain::ErrorCode,
}

impl Listed {
    fn of(submission: Quarantined, enrolments: &Enrolments) -> Self {
        let id = |text: Option<String>| text.and_then(|id| id.parse::<DeviceId>().ok());
        let (device_id, sent_by) = (id(submission.device_id), id(submission.sent_by));
        let sender = sent_by.as_ref().or(device_id.as_ref());
        let wrong = |FieldError { field, code, .. }| Wrong { field, code };
        Self {
            recorded_at: Timestamp::new(submission.recorded_at),
            errors: submission.errors.into_iter().map(wrong).collect(),
            client_id: submission.client_id.and_then(|id| id.parse().ok()),
            device_name: sender.and_then(|id| enrolments::name_of(enrolments, id)).map(|(name, _)| name),
            device_id,
            sent_by,
            is_erased: submission.raw.is_empty(),
            digest: submission.digest,
            position: submission.position,
            reason: submission.reason,
            version: submission.version,
            device_seq: submission.device_seq,
        }
    }

    /// Whether the iPad of this name or id has sent it.
    fn is_sent_by(&self, device: &str) -> bool {
        self.device_name.as_ref().is_some_and(|name| name.to_string() == device)
            || self.sent_by.as_ref().or(self.device_id.as_ref()).is_some_and(|id| id.as_str() == device)
    }

    fn cells(&self) -> [String; 10] {
        fn text(value: Option<impl ToString>) -> String {
            value.map_or_else(|| "-".to_owned(), |value| value.to_string())
        }
        let mut wrong: Vec<String> = self.errors.iter().map(Wrong::text).collect();
        if wrong.is_empty() {
            wrong.push(in_a_word(self.reason).to_owned());
        }
        if self.is_erased {
            wrong.push("erased".to_owned());
        }
        [
            self.recorded_at.to_string(),
            name(self.reason),
            wrong.join(", "),
            text(self.client_id.as_ref()),
            text(self.version),
            text(self.device_id.as_ref()),
            text(self.device_seq),
            text(self.sent_by.as_ref()),
            text(self.device_name.as_ref()),
            self.digest.clone(),
        ]
    }
}

impl Wrong {
    fn text(&self) -> String {
        let field = if self.field.is_empty() { "entry" } else { &self.field };
        format!("{field} {}", name(self.code))
    }
}

/// What is wrong where no field is.
const fn in_a_word(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Invalid => "not readable",
        RefusalReason::Conflict => "this version is recorded with other content",
        RefusalReason::Unsupported => "made by a newer app",
        RefusalReason::DeviceRevoked => "handed in by a device that was revoked",
    }
}

/// The name that a reason or a code has on the wire.
fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_of_several_digests_names_them_all() {
        let digests = ["0123456789", "01234567ab"].map(str::to_owned).to_vec();
        assert_eq!(only(digests[..1].to_vec(), "01234567").unwrap(), digests[0]);
        let told = only(digests, "01234567").unwrap_err().to_string();
        assert!(told.starts_with("2 wait") && told.ends_with(": 0123456789, 01234567ab"), "{told}");
    }
}
