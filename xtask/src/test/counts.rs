//! How many passed, failed and were skipped; read from what the test runners print.

use std::fmt;
use std::ops::Add;

use anyhow::Result;

use crate::child::Ended;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    /// What a stage counts that is not a test runner.
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    pub(crate) const ONE_SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// From the `test result:` lines of cargo and of wasm-bindgen's runner, and the summary of Node's. A
    /// runner that ends with an error but counts no failure (it did not compile, it crashed) has failed once.
    pub(crate) fn of(ended: &Ended) -> Self {
        let mut counts = Self::parse(&ended.text);
        if !ended.status.success() && counts.failed == 0 {
            counts.failed = 1;
        }
        counts
    }

    fn parse(text: &str) -> Self {
        without_colors(text)
            .lines()
            .map(|line| Self::in_cargo_line(line).unwrap_or_else(|| Self::in_node_line(line)))
            .fold(Self::default(), Add::add)
    }

    /// `test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; …`
    fn in_cargo_line(line: &str) -> Option<Self> {
        let (_, result) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let number = |what: &str| {
            let found = result.split("; ").find_map(|part| part.trim().strip_suffix(what));
            found.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        Some(Self { passed: number("passed"), failed: number("failed"), skipped: number("ignored") })
    }

    /// `ℹ pass 4` on a terminal, `# pass 4` elsewhere.
    fn in_node_line(line: &str) -> Self {
        let summary = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "));
        let Some((what, number)) = summary.and_then(|summary| summary.split_once(' ')) else {
            return Self::default();
        };
        let Ok(number) = number.trim().parse() else { return Self::default() };
        match what {
            "pass" => Self { passed: number, ..Self::default() },
            "fail" | "cancelled" => Self { failed: number, ..Self::default() },
            "skipped" | "todo" => Self { skipped: number, ..Self::default() },
            _ => Self::default(),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

/// One passed, if the work went through.
pub(crate) fn one(work: Result<impl Sized>) -> Result<Counts> {
    work.map(|_| Counts::ONE_PASSED)
}

/// Drops `ESC [ … letter`.
fn without_colors(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.split("\u{1b}[");
    plain.push_str(rest.next().unwrap_or_default());
    for part in rest {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        plain.push_str(part.get(end..).unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn sums_what_all_runners_say() {
        let text = "test a ... ok\n\ntest result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: \u{1b}[31mFAILED\u{1b}[0m. 2 passed; 3 failed; 0 ignored; 0 filtered out\n\
                    # tests 9\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 2\n# duration_ms 12.5\nℹ pass 7\nℹ fail 0\n";
        assert_eq!(Counts::parse(text), Counts { passed: 18, failed: 5, skipped: 3 });
    }

    #[test]
    fn a_runner_that_crashed_has_failed() {
        let ended =
            |code: i32, text: &str| Ended { status: ExitStatus::from_raw(code << 8), text: text.to_owned() };
        assert_eq!(Counts::of(&ended(101, "error: could not compile")), Counts::ONE_FAILED);
        assert_eq!(Counts::of(&ended(0, "nothing")), Counts::default());
    }

    #[test]
    fn the_closing_line_has_the_plain_form() {
        assert_eq!(Counts { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(Counts { passed: 3, failed: 1, skipped: 2 }.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
