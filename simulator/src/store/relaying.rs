//! What a hub does for its relay: read the log, send, keep what was learnt.

use domain::{FollowUpEvent, Timestamp};
use event_store::{EventLog, NewEvent};
use futures_util::FutureExt;
use relay::{Input, Lesson, Output};

use crate::network::{Exchange, Sender, What};
use crate::world::{Event, World};

impl World {
    /// The log has grown: the relay should look.
    pub fn poke_relay(&mut self, host: usize) {
        let generation = self.hosts[host].generation;
        if self.hosts[host].relay.is_some() {
            let input = Box::new(Input::Tick);
            self.queue.plan(self.now_ms + 1, Event::RelayFact { host, generation, input });
        }
    }

    /// A fact for a relay, unless that start of it is over.
    pub fn relay_fact(&mut self, host: usize, generation: u64, input: Input) {
        let now_ms = self.now_ms;
        let it = &mut self.hosts[host];
        if it.generation != generation || !it.is_up {
            return;
        }
        let Some(relay) = &mut it.relay else { return };
        relay.handle(now_ms, input);
        while let Some(output) = self.hosts[host].relay.as_mut().and_then(relay::Relay::poll) {
            self.obey_relay(host, generation, output);
        }
    }

    /// The relay's timer rings, if it is still this one.
    pub fn relay_wake(&mut self, host: usize, generation: u64, at_ms: u64) {
        if self.hosts[host].relay_wake_at_ms == Some(at_ms) {
            self.hosts[host].relay_wake_at_ms = None;
            self.relay_fact(host, generation, Input::Tick);
        }
    }

    fn obey_relay(&mut self, host: usize, generation: u64, output: Output) {
        match output {
            Output::Read { held, after, limit } => {
                let mut page = self.read_log(host, after, limit);
                let now_ms = self.now_ms;
                let hidden = &mut self.hosts[host].hidden;
                hidden.retain(|(_, until_ms)| now_ms < *until_ms);
                page.retain(|event| !hidden.iter().any(|(position, _)| *position == event.position));
                let held = held.iter().flat_map(|position| self.read_log(host, position - 1, 1)).collect();
                let input = Box::new(Input::Read { held, page });
                self.queue.plan(now_ms + 2, Event::RelayFact { host, generation, input });
            }
            Output::Send { request_id, body, .. } => {
                let from = Sender::Relay { host, generation, request_id };
                self.depart(Exchange { from, address: 0, what: What::Sync(body.into()) });
            }
            Output::Keep(lesson) => {
                let input = if self.keep(host, &lesson) { Input::Kept } else { Input::KeepFailed };
                let input = Box::new(input);
                self.queue.plan(self.now_ms + 3, Event::RelayFact { host, generation, input });
            }
            Output::WakeAt(at_ms) => {
                let at_ms = at_ms.max(self.now_ms);
                self.hosts[host].relay_wake_at_ms = Some(at_ms);
                self.queue.plan(at_ms, Event::RelayWake { host, generation, at_ms });
            }
        }
    }

    fn keep(&mut self, host: usize, lesson: &Lesson) -> bool {
        let moment = self.moment();
        let it = &self.hosts[host];
        if !it.is_writable {
            return false;
        }
        it.log.set_now(moment);
        let verdicts: Vec<NewEvent> = lesson.verdicts.iter().filter_map(relay::verdict_event).collect();
        let erased = lesson.erased.iter().all(|client_id| {
            let event = FollowUpEvent::LeadErased { by: None, at: Timestamp::new(moment) };
            matches!(it.log.erase(*client_id, &event).now_or_never(), Some(Ok(_)))
        });
        let are_kept = verdicts.is_empty() || matches!(it.log.append(&verdicts).now_or_never(), Some(Ok(_)));
        if !lesson.verdicts.is_empty() {
            self.trace.say(self.now_ms, || {
                let words = lesson
                    .verdicts
                    .iter()
                    .map(|it| format!("{}/{} {:?}", it.client_id, it.version, it.result.status));
                format!("{} hears of the cloud: {:?}", self.hosts[host].name, words.collect::<Vec<_>>())
            });
        }
        erased && are_kept
    }
}
