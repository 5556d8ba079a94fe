//! Tables that can be pasted into `docs/performance.md`.

use std::fmt;

/// A table; the first column names the rows, the others are numbers.
pub(crate) struct Table {
    lines: String,
}

impl Table {
    pub(crate) fn new<S: AsRef<str>>(numbers: &[S]) -> Self {
        let mut table = Self { lines: String::new() };
        table.row("", numbers);
        table.row("---", &vec!["---:"; numbers.len()]);
        table
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, name: &str, numbers: &[S]) {
        self.lines.push_str("| ");
        self.lines.push_str(name);
        for number in numbers {
            self.lines.push_str(if self.lines.ends_with("| ") { "| " } else { " | " });
            self.lines.push_str(number.as_ref());
        }
        self.lines.push_str(" |\n");
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines)
    }
}

/// A whole number, with commas between thousands.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// With one digit behind the point.
pub(crate) fn tenths(number: f64) -> String {
    format!("{number:.1}")
}

/// With two digits behind the point.
pub(crate) fn hundredths(number: f64) -> String {
    format!("{number:.2}")
}

/// A ratio with the lowest and the highest of its rounds.
pub(crate) fn spread(ratios: &[f64]) -> String {
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({low:.2}–{high:.2})", crate::statistics::median(ratios.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(&["leads/s", "ms"]);
        table.row("pure SQL", &[whole(1_234_567.4), hundredths(0.5)]);
        assert_eq!(
            table.to_string(),
            "| | leads/s | ms |\n| --- | ---: | ---: |\n| pure SQL | 1,234,567 | 0.50 |\n"
        );
        assert_eq!((whole(0.0), whole(999.6), whole(12.0)), ("0".into(), "1,000".into(), "12".into()));
    }
}
