//! How much goes into one request.

/// Most entries in one request of a device. A store takes 1,000; smaller requests get through bad WiFi.
pub const MAX_ENTRIES_PER_REQUEST: usize = 100;

/// Most bytes of entries in one request. A larger single entry travels alone.
pub const MAX_ENTRY_BYTES_PER_REQUEST: usize = 128 * 1024;

/// Requests that must be answered before a halved limit doubles again.
const ANSWERS_BEFORE_GROWTH: u32 = 4;

/// The present limit of entries in one request.
#[derive(Debug, Clone)]
pub struct BatchLimit {
    entries: usize,
    answers: u32,
}

impl Default for BatchLimit {
    fn default() -> Self {
        Self { entries: MAX_ENTRIES_PER_REQUEST, answers: 0 }
    }
}

impl BatchLimit {
    /// Most entries in the next request.
    pub const fn entries(&self) -> usize {
        self.entries
    }

    /// A request of this many entries was too much: halve.
    pub fn shrink(&mut self, sent: usize) {
        self.entries = (sent.min(self.entries) / 2).max(1);
        self.answers = 0;
    }

    /// A request was answered; after several, try twice as much.
    pub fn answered(&mut self) {
        self.answers = self.answers.saturating_add(1);
        if self.answers >= ANSWERS_BEFORE_GROWTH {
            self.entries = self.entries.saturating_mul(2).min(MAX_ENTRIES_PER_REQUEST);
            self.answers = 0;
        }
    }
}

/// Fills one request up to both bounds.
#[derive(Debug)]
pub struct Batch {
    limit: usize,
    bytes: usize,
    /// The entries, in order.
    pub keys: Vec<u64>,
}

impl Batch {
    /// An empty batch.
    pub const fn new(limit: &BatchLimit) -> Self {
        Self { limit: limit.entries(), bytes: 0, keys: Vec::new() }
    }

    /// Takes an entry of this many bytes, or says that the batch is full.
    pub fn take(&mut self, key: u64, bytes: usize) -> bool {
        let total = self.bytes.saturating_add(bytes);
        if self.keys.len() >= self.limit || (!self.keys.is_empty() && total > MAX_ENTRY_BYTES_PER_REQUEST) {
            return false;
        }
        self.keys.push(key);
        self.bytes = total;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_halves_to_one_and_grows_back_to_the_whole() {
        let mut limit = BatchLimit::default();
        let mut seen = vec![limit.entries()];
        while limit.entries() > 1 {
            limit.shrink(limit.entries());
            seen.push(limit.entries());
        }
        assert_eq!(seen, [100, 50, 25, 12, 6, 3, 1]);
        limit.shrink(1);
        assert_eq!(limit.entries(), 1);
        for _ in 0..ANSWERS_BEFORE_GROWTH - 1 {
            limit.answered();
        }
        assert_eq!(
            limit.entries(),
            1,
            "not after the first answer, or it would be refused every second time"
        );
        for _ in 0..7 * ANSWERS_BEFORE_GROWTH {
            limit.answered();
        }
        assert_eq!(limit.entries(), MAX_ENTRIES_PER_REQUEST);
    }

    #[test]
    fn a_small_request_that_was_too_much_counts_by_its_own_size() {
        let mut limit = BatchLimit::default();
        limit.shrink(8);
        assert_eq!(limit.entries(), 4);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_but_takes_one_large_entry_alone() {
        let limit = BatchLimit::default();
        let mut batch = Batch::new(&limit);
        assert!(batch.take(1, 10 * MAX_ENTRY_BYTES_PER_REQUEST));
        assert!(!batch.take(2, 1));
        let mut batch = Batch::new(&limit);
        assert!(batch.take(1, MAX_ENTRY_BYTES_PER_REQUEST - 1));
        assert!(batch.take(2, 1));
        assert!(!batch.take(3, 1));
    }
}
