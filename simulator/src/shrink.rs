//! Makes a failing arena as small as it can be and still fail the same promise, so that a person can read it.

use crate::arena::{self, Outcome};
use crate::mutant::Mutant;
use crate::plan::{MINUTE_MS, Plan};

/// Most runs that are spent on making one arena smaller.
const MAX_RUNS: usize = 400;

/// The smallest plan found that breaks the same invariant, with its story.
pub fn shrink(failed: &Outcome, mutant: Option<Mutant>) -> Outcome {
    let broken = failed.violation.as_ref().map(|violation| violation.invariant);
    let mut plan = failed.plan.clone();
    let mut runs = 0;
    let mut still_fails = |candidate: &Plan| {
        runs += 1;
        let outcome = (runs <= MAX_RUNS).then(|| arena::run(candidate.clone(), mutant, false));
        outcome.is_some_and(|it| it.violation.as_ref().map(|violation| violation.invariant) == broken)
    };
    loop {
        let smaller = candidates(&plan).into_iter().find(|candidate| still_fails(candidate));
        match smaller {
            Some(smaller) => plan = smaller,
            None => break,
        }
    }
    arena::run(plan, mutant, true)
}

/// Plans that are a little smaller, the largest steps first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut candidates = Vec::new();
    let mut propose = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        if candidate != *plan {
            candidates.push(candidate);
        }
    };
    for fault in plan.rates.keys() {
        propose(&|plan| {
            plan.rates.remove(fault);
        });
    }
    propose(&|plan| plan.devices = (plan.devices / 2).max(1));
    propose(&|plan| plan.leads_per_device = (plan.leads_per_device / 2).max(1));
    propose(&|plan| plan.hubs /= 2);
    // In whole minutes, as the command line takes them.
    propose(&|plan| plan.chaos_ms = (plan.chaos_ms / MINUTE_MS / 2).max(1) * MINUTE_MS);
    propose(&|plan| plan.devices = plan.devices.saturating_sub(1).max(1));
    propose(&|plan| plan.leads_per_device = plan.leads_per_device.saturating_sub(1).max(1));
    propose(&|plan| plan.hubs = plan.hubs.saturating_sub(1));
    candidates
}
