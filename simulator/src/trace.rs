//! What happened, line by line, for people. Never holds personal data (invariant 12).

use std::fmt;

/// The story of one arena.
#[derive(Debug, Default)]
pub struct Trace {
    is_on: bool,
    lines: Vec<String>,
}

impl Trace {
    /// A trace that keeps its lines, or one that costs nothing.
    pub const fn new(is_on: bool) -> Self {
        Self { is_on, lines: Vec::new() }
    }

    /// Adds a line; the text is only made when it is kept.
    pub fn say(&mut self, now_ms: u64, line: impl FnOnce() -> String) {
        if self.is_on {
            let (seconds, ms) = (now_ms / 1_000, now_ms % 1_000);
            let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            self.lines.push(format!("{hours:02}:{minutes:02}:{seconds:02}.{ms:03}  {}", line()));
        }
    }

    /// The lines so far.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
