//! Runs: what begins one, and the one request at a time that it sends (SYN-2).
//!
//! A run goes through the targets in order. Each gets requests while entries are owed to it that can be sent,
//! and one without entries when it is due: every [`SYNC_EVERY_MS`], and at each trigger but a save, because
//! only an answer tells that the store still has its history, whom it has erased, and how far it has relayed.
//! A target that fails waits by its own backoff, and the run goes on with the next, so that none starves the
//! others.

use super::body::{self, Condition, Head};
use super::flight::{FLIGHT_LEASE_MS, Flight, REQUEST_TIMEOUT_MS, Run};
use super::status::Summary;
use super::tier::PROBE_TIMEOUT_MS;
use super::{Engine, Failure, Output, Target};

/// Time between two requests to a target when nothing else happens, in milliseconds (SYN-2).
pub const SYNC_EVERY_MS: u64 = 60_000;

impl Engine {
    pub(super) fn tick(&mut self) {
        // The timer that rang is gone, even if it rang too early.
        self.wake_at_ms = None;
        if let Some(flight) = self.flight.take_if(|flight| flight.deadline_ms <= self.now_ms) {
            self.request_failed(&flight, Failure::Timeout);
        }
        self.backup.tick(self.now_ms, &mut self.jitter);
        if self.can_run() && self.targets().any(|target| self.next_request_ms(target) <= Some(self.now_ms)) {
            self.trigger();
        }
    }

    /// Every target is to be asked, whether there is something for it or not.
    pub(super) fn trigger_all(&mut self) {
        let now_ms = self.now_ms;
        self.lines.iter_mut().for_each(|line| line.due_at_ms = line.due_at_ms.min(now_ms));
        self.trigger();
    }

    pub(super) fn sync_requested(&mut self) {
        if self.run.is_none() && self.is_open && self.is_online {
            self.try_anew();
            self.backup.hurry(self.now_ms);
            self.trigger_all();
            if let Some(run) = &mut self.run {
                run.is_awaited = true;
                return;
            }
        } else if let Some(run) = &mut self.run {
            run.is_awaited = true;
            return;
        }
        let summary = Summary { waiting: self.waiting(), ..Summary::default() };
        self.outputs.push_back(Output::Done(summary));
    }

    /// Forgets every wait, whatever it was for.
    pub(super) fn try_anew(&mut self) {
        for line in &mut self.lines {
            line.backoff.skip();
            line.contact.try_again(self.now_ms);
        }
        self.outbox.release_all();
    }

    /// Begins a run, unless there is one, or a reason not to.
    pub(super) fn trigger(&mut self) {
        if self.can_run() {
            self.run = Some(Run::default());
            self.lines.iter_mut().for_each(|line| line.has_met_other_store = false);
            self.proceed();
        }
    }

    fn can_run(&self) -> bool {
        self.is_open && self.is_online && self.run.is_none()
    }

    /// Sends the next request of the run, or ends the run.
    pub(super) fn proceed(&mut self) {
        if self.is_online {
            for target in self.targets() {
                if let Some(keys) = self.next_request(target) {
                    return self.send(target, keys);
                }
            }
        }
        self.end_run();
    }

    fn next_request(&mut self, target: Target) -> Option<Vec<u64>> {
        let now_ms = self.now_ms;
        let line = &self.lines[usize::from(target)];
        if !line.contact.may_send() || line.backoff.until(now_ms).is_some() {
            return None;
        }
        let keys = self.outbox.next_batch(target, now_ms, &line.limit);
        (!keys.is_empty() || line.due_at_ms <= now_ms).then_some(keys)
    }

    /// When a request can go to a target; `None` while none may.
    pub(super) fn next_request_ms(&mut self, target: Target) -> Option<u64> {
        let now_ms = self.now_ms;
        let line = &self.lines[usize::from(target)];
        if !line.contact.may_send() {
            return None;
        }
        let ready_ms = self.outbox.next_ready_ms(target, now_ms).unwrap_or(u64::MAX);
        Some(ready_ms.min(line.due_at_ms).max(line.backoff.until(now_ms).unwrap_or(0)))
    }

    fn send(&mut self, target: Target, keys: Vec<u64>) {
        let store = self.outbox.answering(target);
        let own = store.and_then(|store| self.outbox.newest_receipt(store));
        let shown = own.or_else(|| store.and_then(|store| self.outbox.stores().passed_on(store)));
        let kept = store.map(|store| self.outbox.cursors(store)).unwrap_or_default();
        let line = &mut self.lines[usize::from(target)];
        let cursors = line.reading.cursors(store, kept);
        let left = self.outbox.left_beyond(target, &keys);
        let head = Head {
            sender: &self.config.device_id,
            saved_through: self.outbox.saved_through(),
            last_receipt: shown,
            cursors,
            reports: self.outbox.losses.reports(),
            condition: Condition { left, is_storage_persisted: self.is_storage_persisted },
        };
        let body = body::write(&head, self.outbox.texts(&keys));
        let request_id = self.next_request_id();
        if let Some(run) = &mut self.run {
            run.summary.sent += keys.len();
        }
        let line = &mut self.lines[usize::from(target)];
        line.contact.sent();
        line.due_at_ms = self.now_ms.saturating_add(SYNC_EVERY_MS);
        let deadline_ms = self.now_ms.saturating_add(FLIGHT_LEASE_MS);
        self.flight = Some(Flight { request_id, target, store, cursors, keys, shown, deadline_ms });
        self.outputs.push_back(Output::Send { request_id, target, body, timeout_ms: REQUEST_TIMEOUT_MS });
    }

    pub(super) fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        if run.is_awaited {
            let summary = Summary { waiting: self.waiting(), ..run.summary };
            self.outputs.push_back(Output::Done(summary));
        }
    }

    /// Asks health routes where it is time to.
    pub(super) fn probe(&mut self) {
        for target in self.targets() {
            let contact = &mut self.lines[usize::from(target)].contact;
            if contact.takes_probe(self.now_ms) {
                self.outputs.push_back(Output::Probe { target, timeout_ms: PROBE_TIMEOUT_MS });
            }
            self.reach_changed(target);
        }
    }

    pub(super) fn next_request_id(&mut self) -> u64 {
        self.last_request_id = self.last_request_id.saturating_add(1);
        self.last_request_id
    }
}
