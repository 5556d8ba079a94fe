//! What every test run asks of the whole system: kept seeds of past failures, a budget of fresh arenas, and
//! broken variants that must be caught.

use simulator::arena;
use simulator::fault::Fault;
use simulator::fleet::{self, Budget, Totals};
use simulator::mutant::Mutant;
use simulator::plan::{Plan, Size};
use simulator::shrink::shrink;

/// How many fresh arenas run, unless the variable below says otherwise.
const FRESH_ARENAS: u64 = 600;

/// How many fresh arenas run.
const ARENAS_VARIABLE: &str = "LEADLOG_ARENAS";

/// Most arenas until a broken variant must have been caught.
const MAX_ARENAS_PER_MUTANT: u64 = 400;

/// Seeds that once broke a promise, one a line: the seed, then what it found.
const KEPT: &str = include_str!("../seeds/kept.txt");

#[test]
fn kept_seeds_break_nothing_any_more() {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    for line in lines {
        let mut words = line.split_whitespace();
        let seed: u64 = words.next().unwrap().parse().unwrap();
        let size = if words.next() == Some("event") { Size::Event } else { Size::Usual };
        // With its story, so that what the parts print of themselves is read for personal data (invariant 12).
        let outcome = arena::run(Plan::of(seed, size), None, true);
        assert_eq!(outcome.violation, None, "{line}");
    }
}

/// Each commit has arenas of its own, always the same: what fails once fails until it is mended.
fn seed_of_this_commit() -> u64 {
    let git = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let commit = git.map(|output| output.stdout).unwrap_or_default();
    commit.iter().take(12).fold(0, |seed, byte| seed << 4 ^ u64::from(*byte))
}

#[test]
fn fresh_arenas_lose_nothing_double_nothing_and_come_to_rest() {
    let arenas = std::env::var(ARENAS_VARIABLE).ok().and_then(|text| text.parse().ok());
    let first_seed = seed_of_this_commit();
    let budget = Budget { arenas: arenas.unwrap_or(FRESH_ARENAS), time: None, max_failures: 1 };
    let totals = fleet::run(first_seed, budget, None, &|_| {});
    println!("{} arenas from seed {first_seed}, {} leads", totals.arenas, totals.leads);
    if let Some(failure) = totals.failures.first() {
        let small = shrink(failure, None);
        let story = small.story.join("\n");
        let violation = small.violation.as_ref().unwrap();
        panic!("{story}\n\n{violation}\nkeep seed {}; {}", failure.plan.seed, small.plan.command());
    }
}

/// The same seed replays the same run, to the line.
#[test]
fn a_run_is_decided_by_its_seed() {
    let story = || arena::run(Plan::of(7, Size::Usual), None, true).story;
    assert_eq!(story(), story());
}

/// Every fault in the list really happens, or the arenas prove less than they say.
#[test]
fn every_fault_happens() {
    let budget = Budget { arenas: 150, time: None, max_failures: 1 };
    let totals: Totals = fleet::run(1, budget, None, &|_| {});
    assert_eq!(totals.missing_faults(), Vec::<Fault>::new());
    assert!(totals.failures.is_empty(), "{:?}", totals.failures[0].violation);
}

fn must_be_caught(mutant: Mutant) {
    let budget = Budget { arenas: MAX_ARENAS_PER_MUTANT, time: None, max_failures: 1 };
    let totals = fleet::run(1, budget, Some(mutant), &|_| {});
    assert!(
        !totals.failures.is_empty(),
        "{mutant} survived {} arenas: the simulator is too weak",
        totals.arenas
    );
}

#[test]
fn every_broken_variant_is_caught() {
    Mutant::ALL.iter().copied().for_each(must_be_caught);
}
