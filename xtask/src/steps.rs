//! Steps of a command: each prints a line with its name and its time.

use std::io::{self, IsTerminal, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::child;

/// Without a terminal, a long step says every so often that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// Fits the narrowest terminal that people use, in characters.
const LINE_CHARS: usize = 78;

/// How steps are shown.
pub(crate) struct Steps {
    verbose: bool,
    terminal: bool,
}

impl Steps {
    pub(crate) fn new(verbose: bool) -> Self {
        Self { verbose, terminal: io::stdout().is_terminal() }
    }

    /// Tools print straight to the screen.
    pub(crate) fn verbose() -> Self {
        Self::new(true)
    }

    /// Runs a tool as a step; what it prints is shown if it fails.
    pub(crate) fn tool(&self, name: &str, command: &mut Command) -> Result<String> {
        self.step(name, || {
            let begun = Instant::now();
            let mut shown = begun;
            let ended = child::run(command, self.verbose, |line| {
                if self.terminal {
                    self.redraw(&format!("  {name} {} {line}", seconds(begun.elapsed())));
                } else if shown.elapsed() > SIGN_OF_LIFE {
                    shown = Instant::now();
                    println!("  … {name} {} {line}", seconds(begun.elapsed()));
                }
            })?;
            ended.success(name)
        })
    }

    /// Does something as a step.
    pub(crate) fn step<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        if self.terminal && !self.verbose {
            self.redraw(&format!("  {name} …"));
        } else {
            println!("  {name} …");
        }
        let result = work();
        let mark = if result.is_ok() { "✓" } else { "✗" };
        self.redraw("");
        println!("{mark} {name}  {}", seconds(begun.elapsed()));
        result
    }

    /// Says something in between.
    pub(crate) fn note(&self, text: &str) {
        self.redraw("");
        println!("  {text}");
    }

    fn redraw(&self, line: &str) {
        if self.terminal {
            let line: String = line.chars().filter(|c| !c.is_control()).take(LINE_CHARS).collect();
            print!("\r\x1b[2K{line}");
            // A screen that went away is no reason to stop.
            let _ = io::stdout().flush();
        }
    }
}

/// `3.2 s`, `1 min 12 s`.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        whole @ 60.. => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}
