//! What a command says after it handed snapshots to the log.

use std::io::Write;

use anyhow::bail;
use domain::{DamagedRecord, Snapshot, Verdict};

use crate::backups::replay::Replay;

/// What was found beside entries that can be replayed.
#[derive(Default)]
pub(super) struct Report {
    removed: usize,
    not_taken: Vec<String>,
}

impl Report {
    /// Counts what a snapshot holds beside entries that are still there.
    pub(super) fn read(&mut self, source: &str, snapshot: &Snapshot<'_>) {
        self.removed += snapshot.entries.len() - snapshot.held().count();
        self.not_taken.extend(snapshot.damaged.iter().map(|record| format!("{source}: {}", name_of(record))));
        if snapshot.is_later_form {
            self.not_taken.push(format!(
                "{source}: it was written by a newer app than this program understands, and may hold more than was found. \
                 Update this program, and do this again, which is harmless"
            ));
        }
        if snapshot.forms > 0 {
            self.not_taken.push(format!(
                "{source}: {} form(s) that the app saved in its reduced mode; open the app on an iPad and restore the \
                 file there",
                snapshot.forms
            ));
        }
    }

    /// Adds a file that is no snapshot.
    pub(super) fn unreadable(&mut self, source: &str, why: &str) {
        self.not_taken.push(format!("{source}: {why}"));
    }

    /// Prints the counts.
    ///
    /// # Errors
    /// When something was not taken in; the message names it.
    pub(super) fn finish(mut self, replay: &Replay) -> anyhow::Result<()> {
        self.not_taken.extend(replay.waiting.iter().map(|entry| {
            format!(
                "version {} of lead {} (number {} of device {}) waits for the version before it, which is nowhere here",
                entry.version, entry.client_id, entry.device_seq, entry.device_id
            )
        }));
        let mut out = std::io::stdout().lock();
        for (verdict, count) in &replay.verdicts {
            writeln!(out, "{count:>8}  {}{}", word(*verdict), meaning(*verdict))?;
        }
        if !replay.waiting.is_empty() {
            writeln!(out, "{:>8}  waiting: not recorded", replay.waiting.len())?;
        }
        if self.removed > 0 {
            writeln!(
                out,
                "{:>8}  passed over: their personal data had been removed from the device",
                self.removed
            )?;
        }
        if replay.verdicts.is_empty() && self.not_taken.is_empty() {
            writeln!(out, "There is nothing to take in.")?;
        }
        drop(out);
        if self.not_taken.is_empty() {
            return Ok(());
        }
        let named = self.not_taken.join("\n  ");
        bail!("{} could not be taken in; everything else was:\n  {named}", self.not_taken.len())
    }
}

/// A damaged record, as far as it can be named.
pub(super) fn name_of(record: &DamagedRecord) -> String {
    let mut name = format!("record {}", record.place);
    if let (Some(device), Some(number)) = (&record.device_id, record.device_seq) {
        name += &format!(", number {number} of device {device}");
    }
    if let Some(lead) = record.client_id {
        name += &format!(", lead {lead}");
    }
    if let Some(version) = record.version {
        name += &format!(" version {version}");
    }
    format!("{name}: {}", record.damage)
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Created => "created",
        Verdict::Duplicate => "duplicate",
        Verdict::DuplicateEmail => "duplicate_email",
        Verdict::Waiting => "waiting",
        Verdict::Invalid => "invalid",
        Verdict::Conflict => "conflict",
        Verdict::Unsupported => "unsupported",
        Verdict::Erased => "erased",
        Verdict::Quarantined => "quarantined",
    }
}

const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Created => ": recorded",
        Verdict::Duplicate => ": known already",
        Verdict::DuplicateEmail => ": recorded; another lead has the e-mail address",
        Verdict::Waiting => "",
        Verdict::Invalid | Verdict::Conflict | Verdict::Unsupported | Verdict::Quarantined => {
            ": see leadlog quarantine list"
        }
        Verdict::Erased => ": the person was erased, and stays so",
    }
}
