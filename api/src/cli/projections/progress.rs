//! How far a fold of the log is: a bar for people, a line of JSON for programs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use projections::Progress;
use serde::Serialize;

/// How often a program is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

const TEMPLATE: &str = "{prefix:11} {bar:32} {pos}/{len} events  {rate}  {eta} left";

/// Tells how far one projection is.
pub(super) enum Teller {
    /// On standard error, where it is a terminal.
    Bar(ProgressBar),
    /// On standard output.
    Lines { projection: &'static str, begun: Instant, told: Option<Instant>, first: Option<u64> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    projection: &'static str,
    position: u64,
    head: u64,
    events_per_second: u64,
}

impl Teller {
    pub(super) fn of(projection: &'static str, json: bool) -> Self {
        if json {
            return Self::Lines { projection, begun: Instant::now(), told: None, first: None };
        }
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.set_prefix(projection);
        Self::Bar(bar)
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        match self {
            Self::Bar(bar) => {
                if bar.length().is_none() {
                    // What an earlier build has done took none of this one's time.
                    bar.reset_eta();
                }
                bar.set_length(progress.head);
                bar.set_position(progress.position);
            }
            Self::Lines { projection, begun, told, first } => {
                let first = *first.get_or_insert(progress.position);
                let is_done = progress.position >= progress.head;
                if !is_done && told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
                    return;
                }
                *told = Some(Instant::now());
                let millis = begun.elapsed().as_millis().max(1);
                let rate = u128::from(progress.position - first) * 1_000 / millis;
                let line = Line {
                    projection,
                    position: progress.position,
                    head: progress.head,
                    events_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
                };
                super::print_json(&line);
            }
        }
    }

    /// Takes the bar away, so that what comes next stands alone.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
