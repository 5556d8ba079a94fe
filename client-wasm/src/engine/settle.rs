//! What is done after every fact: write what is new, ask who is there, tell people, ask for the next waking.

use super::output::Output;
use super::status::{Light, Places, Reach, Status};
use super::{Engine, MAX_SLEEP_MS, tier};

/// Time until the next look while nothing at all is to be done, in milliseconds.
const IDLE_LOOK_MS: u64 = 60_000;

impl Engine {
    pub(super) fn settle(&mut self) {
        if let Some(records) = self.unwritten.next_put(self.now_ms, &mut self.outbox) {
            if !records.entries.is_empty() || !records.marks.is_empty() {
                self.backup.changed();
            }
            self.outputs.push_back(Output::Put(records));
        }
        if !self.is_open {
            return;
        }
        if self.is_online {
            self.probe();
            self.back_up();
        }
        let status = self.status();
        if self.shown.as_ref() != Some(&status) {
            self.shown = Some(status.clone());
            self.outputs.push_back(Output::Show(status));
        }
        let wake_at_ms = self.next_wake_ms();
        if self.wake_at_ms != Some(wake_at_ms) {
            self.wake_at_ms = Some(wake_at_ms);
            self.outputs.push_back(Output::WakeAt(wake_at_ms));
        }
    }

    fn back_up(&mut self) {
        if let Some(target) = self.reachable_target().filter(|_| self.config.makes_backups) {
            let request_id = self.last_request_id.saturating_add(1);
            if self.backup.begins(self.now_ms, request_id) {
                self.last_request_id = request_id;
                self.outputs.push_back(Output::Backup { request_id, target });
            }
        }
    }

    fn next_wake_ms(&mut self) -> u64 {
        // A wish that stands is kept while nothing comes before it, so that not every fact moves the timer.
        let idle_ms = self.wake_at_ms.filter(|at_ms| *at_ms > self.now_ms);
        let mut next_ms = idle_ms.unwrap_or(self.now_ms.saturating_add(IDLE_LOOK_MS));
        let mut sooner = |at_ms: Option<u64>| next_ms = next_ms.min(at_ms.unwrap_or(u64::MAX));
        sooner(self.unwritten.retry_at_ms());
        sooner(self.session.next_change_ms(self.now_ms));
        sooner(self.flight.as_ref().map(|flight| flight.deadline_ms));
        if self.config.makes_backups {
            sooner(self.backup.next_ms(self.reachable_target().is_some()));
        }
        if self.is_online {
            for target in self.targets() {
                sooner(Some(self.lines[usize::from(target)].contact.next_ms()));
                if self.run.is_none() {
                    sooner(self.next_request_ms(target));
                }
            }
        }
        next_ms.min(self.now_ms.saturating_add(MAX_SLEEP_MS))
    }

    pub(super) fn waiting(&mut self) -> usize {
        self.outbox.tally().0.waiting + self.unreadable
    }

    fn status(&mut self) -> Status {
        let answered = |wanted: bool| self.lines.iter().any(|line| line.has_answered == Some(wanted));
        let reachable = if answered(true) { Some(true) } else { answered(false).then_some(false) };
        let best = tier::best(self.lines.iter().map(|line| &line.contact));
        let missing = self.outbox.losses.to_be_told().map(|(_, missing)| missing).sum();
        let (tally, oldest_saved_at) = self.outbox.tally();
        let (waiting, failed) = (tally.waiting + self.unreadable, tally.failed);
        Status {
            state: Light::of(failed, missing, waiting),
            waiting,
            oldest_saved_at: oldest_saved_at.filter(|_| tally.waiting > 0),
            failed,
            missing,
            places: Places { device: tally.places.device + self.unreadable, ..tally.places },
            reachable,
            reach: if self.is_online { best } else { Some(Reach::Solo) },
            session: self.session.state(self.now_ms),
            saved_today: tally.saved_today,
        }
    }
}
