//! What is going to happen, in order of time. Equal times keep the order in which they were planned, so that a
//! run is the same every time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Events by time.
#[derive(Debug)]
pub struct Queue<E> {
    times: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, E>,
    planned: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { times: BinaryHeap::new(), events: BTreeMap::new(), planned: 0 }
    }
}

impl<E> Queue<E> {
    /// Plans an event.
    pub fn plan(&mut self, at_ms: u64, event: E) {
        self.planned += 1;
        self.times.push(Reverse((at_ms, self.planned)));
        self.events.insert(self.planned, event);
    }

    /// Time of the next event.
    pub fn next_at_ms(&self) -> Option<u64> {
        self.times.peek().map(|Reverse((at_ms, _))| *at_ms)
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let Reverse((at_ms, number)) = self.times.pop()?;
        self.events.remove(&number).map(|event| (at_ms, event))
    }
}
