//! A set of sequence numbers as sorted ranges: what PostgreSQL calls an `int8multirange`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Sequence numbers, kept as ranges that neither overlap nor touch, in order. It grows with the number of gaps, not
/// with that of the members.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SequenceSet {
    /// First and last of each range.
    ranges: Vec<(u64, u64)>,
}

/// The text is not a multirange of whole numbers from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a multirange such as {{[1,5),[7,9)}}")]
pub struct SequenceSetError;

impl SequenceSet {
    /// The largest number that a set holds, so that PostgreSQL can write the end of its range.
    pub const MAX: u64 = i64::MAX as u64 - 1;

    /// Adds a number; above [`Self::MAX`] nothing changes.
    pub fn insert(&mut self, number: u64) {
        self.insert_range(number..=number);
    }

    /// Adds all numbers of a range, as far as they are not above [`Self::MAX`].
    pub fn insert_range(&mut self, range: RangeInclusive<u64>) {
        let (mut first, mut last) = (*range.start(), (*range.end()).min(Self::MAX));
        if first > last {
            return;
        }
        // Those that it overlaps or touches become one with it. No number here is the largest, so + 1 is safe.
        let from = self.ranges.partition_point(|known| known.1 + 1 < first);
        let to = self.ranges.partition_point(|known| known.0 <= last + 1);
        if let (Some(lowest), Some(highest)) = (self.ranges.get(from), self.ranges[..to].last())
            && from < to
        {
            first = first.min(lowest.0);
            last = last.max(highest.1);
        }
        self.ranges.splice(from..to, [(first, last)]);
    }

    /// Adds all numbers of another set.
    pub fn merge(&mut self, other: &Self) {
        for range in other.ranges() {
            self.insert_range(range);
        }
    }

    /// Whether the number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.ranges.partition_point(|known| known.1 < number);
        self.ranges.get(after).is_some_and(|known| known.0 <= number)
    }

    /// The largest number in the set.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|range| range.1)
    }

    /// Whether there is no number in the set.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, which neither overlap nor touch, in order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }

    /// The numbers of `1..=through` that are not in the set, as ranges.
    pub fn missing_through(&self, through: u64) -> Vec<RangeInclusive<u64>> {
        let mut missing = Vec::new();
        let mut next = 1;
        for (first, last) in &self.ranges {
            if *first > through {
                break;
            }
            if next < *first {
                missing.push(next..=first - 1);
            }
            next = next.max(last + 1);
        }
        if next <= through {
            missing.push(next..=through);
        }
        missing
    }
}

impl FromIterator<u64> for SequenceSet {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

/// As PostgreSQL writes a multirange: `{[1,5),[7,9)}`.
impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}[{first},{})", last + 1)?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what PostgreSQL writes.
impl FromStr for SequenceSet {
    type Err = SequenceSetError;

    fn from_str(text: &str) -> Result<Self, SequenceSetError> {
        let inside =
            text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(SequenceSetError)?;
        let mut set = Self::default();
        if inside.is_empty() {
            return Ok(set);
        }
        let ranges =
            inside.strip_prefix('[').and_then(|text| text.strip_suffix(')')).ok_or(SequenceSetError)?;
        for range in ranges.split("),[") {
            let (first, end) = range.split_once(',').ok_or(SequenceSetError)?;
            let number = |text: &str| text.parse::<u64>().map_err(|_| SequenceSetError);
            let last = number(end)?.checked_sub(1).ok_or(SequenceSetError)?;
            set.insert_range(number(first)?..=last);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_numbers_are_kept() {
        let set: SequenceSet = [SequenceSet::MAX, 0, u64::MAX, 1].into_iter().collect();
        assert_eq!(set.to_string(), format!("{{[0,2),[{},{})}}", i64::MAX - 1, i64::MAX));
        assert_eq!(set.last(), Some(SequenceSet::MAX));
        assert_eq!(set.missing_through(SequenceSet::MAX), vec![2..=SequenceSet::MAX - 1]);
        assert_eq!("{[5".parse::<SequenceSet>(), Err(SequenceSetError));
        assert_eq!("{[-5,1)}".parse::<SequenceSet>(), Err(SequenceSetError));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_set_of_numbers_holds(
            ranges in prop::collection::vec((0_u64..40, 0_u64..4), 0..20),
            through in 0_u64..50,
        ) {
            let mut set = SequenceSet::default();
            let mut numbers = BTreeSet::new();
            for (first, more) in ranges {
                set.insert_range(first..=first + more);
                numbers.extend(first..=first + more);
            }
            prop_assert_eq!(set.ranges().flatten().collect::<Vec<_>>(), numbers.iter().copied().collect::<Vec<_>>());
            prop_assert!((0..50).all(|number| set.contains(number) == numbers.contains(&number)));
            let missing: Vec<u64> = (1..=through).filter(|number| !numbers.contains(number)).collect();
            prop_assert_eq!(set.missing_through(through).into_iter().flatten().collect::<Vec<_>>(), missing);
            prop_assert_eq!(set.to_string().parse::<SequenceSet>().unwrap(), set);
        }
    }
}
