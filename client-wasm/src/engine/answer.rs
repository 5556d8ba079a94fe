//! What the engine does with the outcome of a request.

use domain::{Lineage, MAX_PAGE_ITEMS, StoreId, Tier, Verdict};

use super::flight::Flight;
use super::reading::Cursors;
use super::record::Answer;
use super::run::SYNC_EVERY_MS;
use super::verdict::{Outcome, ResultLine, StoreAnswer};
use super::{Engine, Failure, Target};

/// Wait while another tab sends, in milliseconds.
pub const OTHER_TAB_WAIT_MS: u64 = 2_000;

/// Wait when stores answer in turn at one target, in milliseconds.
pub const OTHER_STORE_WAIT_MS: u64 = 2_000;

impl Engine {
    pub(super) fn responded(&mut self, flight: Flight, outcome: Outcome) {
        match outcome {
            Outcome::Answered(answer) => self.answered(flight, *answer),
            Outcome::TooMuch { retry_after_ms } => {
                self.shrink(&flight);
                self.back_off(&flight, retry_after_ms);
                if let [key] = flight.keys[..] {
                    // It cannot be made smaller: let the others pass, and come first after the wait.
                    let backoff = &self.lines[usize::from(flight.target)].backoff;
                    let from_ms = backoff.until(self.now_ms).unwrap_or(self.now_ms);
                    self.outbox.hold(key, flight.target, from_ms, &mut self.jitter);
                }
                self.proceed();
            }
            Outcome::Nothing { retry_after_ms } => {
                self.back_off(&flight, retry_after_ms);
                self.proceed();
            }
        }
    }

    pub(super) fn request_failed(&mut self, flight: &Flight, failure: Failure) {
        match failure {
            Failure::OtherTab => {
                let now_ms = self.now_ms;
                self.lines.iter_mut().for_each(|line| line.backoff.pause(now_ms, OTHER_TAB_WAIT_MS));
                return self.end_run();
            }
            // A slow network gets a small request through where a large one times out.
            Failure::Timeout => self.shrink(flight),
            Failure::Network => {}
        }
        self.line(flight.target).contact.missed();
        self.reach_changed(flight.target);
        self.back_off(flight, None);
        self.proceed();
    }

    fn shrink(&mut self, flight: &Flight) {
        if flight.keys.len() > 1 {
            self.line(flight.target).limit.shrink(flight.keys.len());
        }
    }

    /// Nothing is known about any entry: wait, and try again.
    fn back_off(&mut self, flight: &Flight, retry_after_ms: Option<u64>) {
        let line = &mut self.lines[usize::from(flight.target)];
        line.has_answered = Some(false);
        line.backoff.failed(self.now_ms, retry_after_ms, &mut self.jitter);
    }

    fn answered(&mut self, flight: Flight, answer: StoreAnswer) {
        let (target, store) = (flight.target, answer.store);
        let now_ms = self.now_ms;
        let line = self.line(target);
        line.has_answered = Some(true);
        line.backoff.reset();
        line.contact.heard(now_ms, answer.tier);
        line.due_at_ms = now_ms.saturating_add(SYNC_EVERY_MS);
        if !flight.keys.is_empty() {
            line.limit.answered();
        }
        self.outbox.store_answered(target, store, answer.tier);
        self.reach_changed(target);
        // Lineage is proven by the store whose receipt was shown; no other can know.
        let is_own = flight.shown.is_some_and(|shown| shown.store_id == store);
        if !is_own && self.outbox.newest_receipt(store).is_some() {
            return self.prove_lineage(target);
        }
        if !is_own {
            self.outbox.doubt_claims(store);
        }
        let is_lost = is_own && answer.lineage == Lineage::Lost;
        if is_lost {
            self.outbox.void(store);
            // Of the pages that were read at hubs, the cloud's words have fallen too: they are heard again, from what is kept.
            self.lines.iter_mut().for_each(|line| line.reading.begin_again());
        }
        // Pages after cursors of another store, or of a history that is gone, say nothing about this one.
        let has_pages = !is_lost && flight.store.is_none_or(|asked| asked == store);
        if has_pages && self.take_pages(&flight, &answer) {
            self.line(target).due_at_ms = now_ms;
        }
        self.take_results(&flight, answer);
        self.proceed();
    }

    /// Another store answered than the one whose receipt was shown, and it has given receipts before. New
    /// ones may belong to another history than those, and would hide that the old one was lost. So they are
    /// not taken; the next request shows this store its own receipt, and gets them again.
    fn prove_lineage(&mut self, target: Target) {
        let now_ms = self.now_ms;
        let line = self.line(target);
        if line.has_met_other_store {
            // Two stores that answer in turn: no reason to ask them without a pause.
            line.backoff.pause(now_ms, OTHER_STORE_WAIT_MS);
        } else {
            line.has_met_other_store = true;
            line.due_at_ms = now_ms;
        }
        self.proceed();
    }

    /// Takes what an answer says beside the results. What the cloud said through a hub comes before that
    /// hub's word that it has relayed everything, and without the first the second does not count. Returns
    /// whether a page was full, so that there may be more of it.
    ///
    /// An app that cannot read every entry moves no cursor and believes no hub about the cloud: what it
    /// passed over might concern an entry that only a newer app can read.
    fn take_pages(&mut self, flight: &Flight, answer: &StoreAnswer) -> bool {
        let store = answer.store;
        // As far as lineage is proven by this answer, and will be by those to come.
        let own = self.outbox.newest_receipt(store);
        let proven = flight.shown.filter(|_| own.is_some()).map_or(0, |shown| shown.position);
        let mut next = Cursors::default();
        let mut is_full = false;
        if let Some(erasures) = &answer.erasures {
            is_full |= erasures.client_ids.len() >= MAX_PAGE_ITEMS;
            erasures.client_ids.iter().for_each(|lead| self.outbox.erase(*lead));
            let reading = &mut self.line(flight.target).reading;
            next.erasures = reading.erasures(flight.cursors.erasures, erasures.through, proven).unwrap_or(0);
        }
        if let Some(page) =
            answer.cloud_verdicts.as_ref().filter(|_| answer.tier == Tier::Hub && self.unreadable == 0)
        {
            page.verdicts.iter().for_each(|(cloud, line)| self.hear_cloud(store, *cloud, line));
            let sent = flight.cursors.cloud_verdicts;
            let is_whole = answer.relayed_through.is_some();
            if self.line(flight.target).reading.cloud_verdicts(sent, page.through, is_whole) {
                next.cloud_verdicts = proven;
                self.outbox.relayed(store, answer.relayed_through, answer.cloud_receipt);
            } else {
                is_full |= page.verdicts.len() >= MAX_PAGE_ITEMS;
            }
        }
        if self.unreadable == 0 {
            self.outbox.keep_cursors(store, next);
        }
        is_full
    }

    fn hear_cloud(&mut self, hub: StoreId, cloud: StoreId, line: &ResultLine) {
        let Some(verdict) = line.verdict else { return };
        if verdict == Verdict::Erased {
            return self.outbox.erase(line.client_id);
        }
        let ResultLine { position, append_id, ref errors, .. } = *line;
        let word = Answer {
            store_id: cloud,
            tier: Tier::Cloud,
            verdict,
            position,
            append_id,
            relayed_by: Some(hub),
            history: self.outbox.stores().history(cloud),
            errors: errors.clone(),
        };
        self.outbox.hear_cloud(line.label(), word);
    }

    fn take_results(&mut self, flight: &Flight, answer: StoreAnswer) {
        let (store_id, tier) = (answer.store, answer.tier);
        let history = self.outbox.stores().history(store_id);
        let mut lines = answer.results;
        for key in flight.keys.iter().copied() {
            // Results come in the order of the request, so the first look nearly always finds it.
            let label = self.outbox.label(key);
            let at = label.and_then(|label| lines.iter().position(|line| line.label() == label));
            let line = at.map(|at| lines.remove(at));
            let verdict = line.as_ref().and_then(|line| line.verdict);
            match (line.and_then(|line| final_answer(line, store_id, tier, history)), verdict, label) {
                (Some(said), ..) => {
                    if let Some(run) = &mut self.run {
                        run.summary.synced += usize::from(said.verdict.is_stored());
                        run.summary.failed += usize::from(said.verdict.is_refused());
                    }
                    self.outbox.answer(key, said);
                }
                (None, Some(Verdict::Erased), Some((client_id, _))) => self.outbox.erase(client_id),
                (None, verdict, _) => {
                    self.outbox.hold(key, flight.target, self.now_ms, &mut self.jitter);
                    if verdict == Some(Verdict::Waiting) {
                        self.outbox.want_predecessors(key, store_id);
                    }
                }
            }
        }
    }
}

/// The final word in a result, if there is one. "Stored" without a receipt is not final: it proves nothing.
fn final_answer(line: ResultLine, store_id: StoreId, tier: Tier, history: u32) -> Option<Answer> {
    let verdict = line.verdict.filter(|verdict| verdict.is_stored() || verdict.is_refused())?;
    let ResultLine { position, append_id, errors, .. } = line;
    let answer = Answer { store_id, tier, verdict, position, append_id, relayed_by: None, history, errors };
    (verdict.is_refused() || answer.receipt().is_some()).then_some(answer)
}
