//! What the engine does with the outcome of a request.

use domain::{Lineage, StoreId, Tier};

use super::flight::Flight;
use super::record::Answer;
use super::verdict::{Outcome, ResultLine, StoreAnswer};
use super::{Engine, Failure, OTHER_STORE_WAIT_MS, OTHER_TAB_WAIT_MS};

impl Engine {
    pub(super) fn responded(&mut self, flight: Flight, outcome: Outcome) {
        match outcome {
            Outcome::Answered(answer) => self.answered(flight, *answer),
            Outcome::TooMuch { retry_after_ms } => {
                if flight.seqs.len() > 1 {
                    self.limit.shrink(flight.seqs.len());
                }
                self.unanswered(retry_after_ms);
                if let [seq] = flight.seqs[..] {
                    // It cannot be made smaller: let the others pass, and come first after the wait.
                    let from_ms = self.backoff.until(self.now_ms).unwrap_or(self.now_ms);
                    self.outbox.hold(seq, from_ms, &mut self.jitter);
                }
            }
            Outcome::Nothing { retry_after_ms } => self.unanswered(retry_after_ms),
        }
    }

    pub(super) fn request_failed(&mut self, flight: &Flight, failure: Failure) {
        match failure {
            Failure::Network => self.unanswered(None),
            Failure::Timeout => {
                // A slow network gets a small request through where a large one times out.
                if flight.seqs.len() > 1 {
                    self.limit.shrink(flight.seqs.len());
                }
                self.unanswered(None);
            }
            Failure::OtherTab => {
                self.backoff.pause(self.now_ms, OTHER_TAB_WAIT_MS);
                self.end_run();
            }
        }
    }

    /// Nothing is known about any entry: wait, and try again.
    fn unanswered(&mut self, retry_after_ms: Option<u64>) {
        self.reachable = Some(false);
        self.backoff.failed(self.now_ms, retry_after_ms, &mut self.jitter);
        self.end_run();
    }

    fn answered(&mut self, flight: Flight, answer: StoreAnswer) {
        self.reachable = Some(true);
        self.backoff.reset();
        if !flight.seqs.is_empty() {
            self.limit.answered();
        }
        if self.outbox.store_answered(answer.store, answer.tier) {
            self.unwritten.stores();
        }
        // Lineage is proven by the store whose receipt was shown; no other can know.
        let is_own = flight.shown.is_some_and(|shown| shown.store_id == answer.store);
        if !is_own && self.outbox.has_receipt_of(answer.store) {
            return self.prove_lineage();
        }
        if is_own && answer.lineage == Lineage::Lost {
            self.unwritten.marks(self.outbox.void(answer.store));
        }
        self.take_results(&flight, answer);
        self.proceed();
    }

    /// Another store answered than the one whose receipt was shown, and it has given receipts before. New
    /// ones may belong to another history than those, and would hide that the old one was lost. So they are
    /// not taken; the next request shows this store its own receipt, and gets them again.
    fn prove_lineage(&mut self) {
        match &mut self.run {
            Some(run) if !run.has_met_other_store => {
                run.has_met_other_store = true;
                self.proceed();
            }
            // Two stores that answer in turn: no reason to ask them without a pause.
            _ => {
                self.backoff.pause(self.now_ms, OTHER_STORE_WAIT_MS);
                self.end_run();
            }
        }
    }

    fn take_results(&mut self, flight: &Flight, answer: StoreAnswer) {
        let (store_id, tier) = (answer.store, answer.tier);
        let mut lines = answer.results;
        for seq in flight.seqs.iter().copied() {
            // Results come in the order of the request, so the first look nearly always finds it.
            let at =
                self.outbox.label(seq).and_then(|label| lines.iter().position(|line| line.label() == label));
            let line = at.map(|at| lines.remove(at));
            match line.and_then(|line| final_answer(line, store_id, tier)) {
                Some(said) => {
                    if let Some(run) = &mut self.run {
                        run.summary.synced += usize::from(said.verdict.is_stored());
                        run.summary.failed += usize::from(said.verdict.is_refused());
                    }
                    self.outbox.answer(seq, said);
                    self.unwritten.marks([seq]);
                }
                None => self.outbox.hold(seq, self.now_ms, &mut self.jitter),
            }
        }
    }
}

/// The final word in a result, if there is one. "Stored" without a receipt is not final: it proves nothing.
fn final_answer(line: ResultLine, store_id: StoreId, tier: Tier) -> Option<Answer> {
    let verdict = line.verdict.filter(|verdict| verdict.is_stored() || verdict.is_refused())?;
    let ResultLine { position, append_id, errors, .. } = line;
    let answer = Answer { store_id, tier, verdict, position, append_id, errors };
    (verdict.is_refused() || answer.receipt().is_some()).then_some(answer)
}
