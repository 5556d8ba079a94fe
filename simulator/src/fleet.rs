//! Many arenas, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arena::{self, Outcome};
use crate::fault::{Fault, Tally};
use crate::mutant::Mutant;
use crate::plan::{Plan, Size};

/// One arena in so many is as large as an event.
pub const EVENT_EVERY: u64 = 100;

/// What many arenas came to.
#[derive(Debug, Default)]
pub struct Totals {
    /// Arenas that ran.
    pub arenas: u64,
    /// Arenas as large as an event.
    pub event_arenas: u64,
    /// Leads that were saved.
    pub leads: u64,
    /// Entries that were saved; corrections and voids count.
    pub entries: u64,
    /// Entries whose device did not survive.
    pub excused: u64,
    /// Requests that set out.
    pub exchanges: u64,
    /// Longest time to converge, in milliseconds of the arena's time.
    pub longest_calm_ms: u64,
    /// How often each fault happened.
    pub tally: Tally,
    /// Arenas that broke a promise, by seed.
    pub failures: Vec<Outcome>,
    /// How long it took.
    pub took: Duration,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// At most so many arenas.
    pub arenas: u64,
    /// And no new one after this time.
    pub time: Option<Duration>,
    /// And none after so many failures.
    pub max_failures: usize,
}

/// The size of the arena with this number in a run.
pub const fn size_of(number: u64) -> Size {
    if number % EVENT_EVERY == EVENT_EVERY - 1 { Size::Event } else { Size::Usual }
}

/// Runs arenas with the seeds `first_seed`, `first_seed + 1`, … until the budget is spent; `progress` hears of
/// each.
pub fn run(
    first_seed: u64,
    budget: Budget,
    mutant: Option<Mutant>,
    progress: &(dyn Fn(u64) + Sync),
) -> Totals {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let work = || {
        loop {
            let is_spent = budget.time.is_some_and(|time| began.elapsed() >= time)
                || lock(&totals).failures.len() >= budget.max_failures;
            let number = next.fetch_add(1, Ordering::Relaxed);
            if is_spent || number >= budget.arenas {
                return;
            }
            let size = size_of(number);
            let outcome = arena::run(Plan::of(first_seed.wrapping_add(number), size), mutant, false);
            let mut totals = lock(&totals);
            totals.event_arenas += u64::from(size == Size::Event);
            totals.add(outcome);
            progress(totals.arenas);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    totals.took = began.elapsed();
    totals
}

fn lock(totals: &Mutex<Totals>) -> std::sync::MutexGuard<'_, Totals> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Totals {
    fn add(&mut self, outcome: Outcome) {
        self.arenas += 1;
        self.leads += outcome.leads as u64;
        self.entries += outcome.saved as u64;
        self.excused += outcome.excused as u64;
        self.exchanges += outcome.exchanges;
        self.longest_calm_ms = self.longest_calm_ms.max(outcome.calm_ms);
        self.tally.add(&outcome.tally);
        if outcome.violation.is_some() {
            self.failures.push(outcome);
        }
    }

    /// Faults that never happened.
    pub fn missing_faults(&self) -> Vec<Fault> {
        Fault::ALL.iter().copied().filter(|fault| self.tally.of(*fault) == 0).collect()
    }
}
