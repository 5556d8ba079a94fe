//! Medians and percentiles.

use std::time::Duration;

/// The middle value, or the mean of the middle two. Zero of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.len() % 2) {
        (None, _) => 0.0,
        (Some(upper), 1) => *upper,
        (Some(upper), _) => (values[values.len() / 2 - 1] + upper) / 2.0,
    }
}

/// The smallest value that `percent` of all are not above (nearest rank), in milliseconds. Zero of nothing.
pub(crate) fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |value| value.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!((percentile_ms(&hundred, 50), percentile_ms(&hundred, 99)), (50.0, 99.0));
        assert_eq!(percentile_ms(&hundred[..1], 99), 1.0);
        assert_eq!(percentile_ms(&[], 50), 0.0);
    }
}
