//! What a store does with a request: the real intake, then the checks that only an observer can make.

use domain::{EntryResult, Lineage, SyncRequest, SyncResponse, Tier, Timestamp};
use event_store::EventLog;
use futures_util::FutureExt;
use intake::{Arrival, Direct, RelayProgress};
use leadlog_client::engine::Failure;

use crate::checks::{i03_verdicts, i05_lineage};
use crate::mutant::Mutant;
use crate::network::{Exchange, Reply, What};
use crate::world::{CLOUD, Event, World};

/// How long a store that answers before it commits takes to commit, in milliseconds.
const LATE_COMMIT_MS: u64 = 400;

/// How long a position that was taken outside the lock stays unseen, in milliseconds.
const UNSEEN_MS: u64 = 20_000;

/// Most backups of one iPad that a store keeps.
const MAX_BACKUPS: usize = 8;

impl World {
    /// Obeys a request.
    pub fn serve(&mut self, host: usize, exchange: &Exchange) -> Reply {
        match &exchange.what {
            What::Probe if !self.hosts[host].is_writable => Reply::problem(503, Some("5")),
            What::Probe => {
                let identity = self.hosts[host].identity;
                Reply::Healthy { store: identity.id, tier: self.shown_tier(identity.tier) }
            }
            What::Backup(snapshot) => {
                let backups = &mut self.hosts[host].backups;
                backups.push((**snapshot).clone());
                let of_device = |it: &&crate::device::Snapshot| it.installation == snapshot.installation;
                if backups.iter().filter(of_device).count() > MAX_BACKUPS
                    && let Some(oldest) =
                        backups.iter().position(|it| it.installation == snapshot.installation)
                {
                    backups.remove(oldest);
                }
                Reply::BackedUp
            }
            What::Sync(body) => self.sync(host, body),
        }
    }

    fn sync(&mut self, host: usize, body: &str) -> Reply {
        let Ok(request) = serde_json::from_str::<SyncRequest<'_>>(body) else {
            return Reply::problem(400, None);
        };
        if !self.hosts[host].is_writable {
            return Reply::problem(503, Some("5"));
        }
        let before = self.hosts[host].head();
        let answered = if self.mutant == Some(Mutant::AckBeforeCommit) {
            self.queue.plan(self.now_ms + LATE_COMMIT_MS, Event::LateCommit { host, body: body.into() });
            let ahead = self.hosts[host].log.snapshot();
            self.take_in(host, &ahead, &request)
        } else {
            let log = self.hosts[host].log.clone();
            self.take_in(host, &log, &request)
        };
        let Some(mut response) = answered else { return Reply::problem(503, None) };
        self.mutate(host, before, &request, &mut response);
        let checked = i03_verdicts::when_answered(&self.hosts[host].log, &request, &response)
            .and_then(|()| i05_lineage::when_answered(&self.hosts[host].log, &request, &response));
        if let Err(wrong) = checked {
            self.violated(wrong);
        }
        self.trace.say(self.now_ms, || {
            let words: Vec<String> = response.results.iter().map(word).collect();
            let name = &self.hosts[host].name;
            format!(
                "{name} at {} answers {} with [{}]",
                response.store.head,
                sender(&request),
                words.join(", ")
            )
        });
        if self.hosts[host].head() > before {
            self.poke_relay(host);
            // Pages of every size, as a runner that wakes now and then would read them.
            if host == CLOUD && self.rng.bool() {
                self.live.follow(&self.hosts[CLOUD].log);
            }
        }
        match serde_json::to_string(&response) {
            Ok(body) => Reply::json(body),
            Err(_) => Reply::Nothing(Failure::Network),
        }
    }

    fn take_in(
        &self,
        host: usize,
        log: &event_store::MemoryLog,
        request: &SyncRequest<'_>,
    ) -> Option<SyncResponse> {
        let it = &self.hosts[host];
        let progress = it.relay.as_ref().map_or_else(RelayProgress::default, |relay| RelayProgress {
            relayed_through: Some(relay.state().relayed_through()),
            cloud_receipt: relay.state().receipt,
        });
        let moment = self.moment();
        log.set_now(moment);
        intake::answer(
            log,
            &Direct(log.clone()),
            &it.campaigns,
            it.identity,
            &progress,
            Arrival { at: Timestamp::new(moment), is_quarantined: self.is_shut_out(request) },
            request,
        )
        .now_or_never()?
        .ok()
    }

    /// Whether the sender is an iPad that was shut out. In the end everybody is let in again.
    fn is_shut_out(&self, request: &SyncRequest<'_>) -> bool {
        let Some(sender) = &request.sender else { return false };
        let mut devices = self.devices.iter().filter(|it| self.now_ms < it.revoked_until_ms);
        !self.is_calm && devices.any(|it| it.disk.installation == *sender)
    }

    /// The commit that a broken store owes.
    pub fn late_commit(&mut self, host: usize, body: &str) {
        if let (true, Ok(request)) = (self.hosts[host].is_up, serde_json::from_str::<SyncRequest<'_>>(body)) {
            let log = self.hosts[host].log.clone();
            self.take_in(host, &log, &request);
        }
    }

    fn shown_tier(&self, tier: Tier) -> Tier {
        if self.mutant == Some(Mutant::HubReceiptIsFinal) { Tier::Cloud } else { tier }
    }

    /// What a broken store would have answered.
    fn mutate(&mut self, host: usize, before: u64, request: &SyncRequest<'_>, response: &mut SyncResponse) {
        let now_ms = self.now_ms;
        let it = &mut self.hosts[host];
        match self.mutant {
            Some(Mutant::HubReceiptIsFinal) => response.store.tier = Tier::Cloud,
            Some(Mutant::NoLineageCheck) => response.lineage = Lineage::Intact,
            Some(Mutant::LineageByPositionAlone) => {
                let shown = request.last_receipt.filter(|receipt| receipt.store_id == it.identity.id);
                let is_there = shown.is_none_or(|receipt| receipt.position <= before);
                response.lineage = if is_there { Lineage::Intact } else { Lineage::Lost };
            }
            Some(Mutant::CustodyByServerId) => {
                let events = it.log.events();
                for result in &mut response.results {
                    let at = result.server_id.and_then(|id| usize::try_from(id).ok()?.checked_sub(1));
                    if let Some(event) = at.and_then(|at| events.get(at)) {
                        result.position = Some(event.position);
                        result.append_id = Some(event.append_id);
                    }
                }
            }
            Some(Mutant::WatermarkHidesRefusals) => {
                response.cloud_verdicts.iter_mut().for_each(|page| page.verdicts.clear());
                response.store.relayed_through = it.relay.as_ref().map(|relay| relay.state().cursor);
            }
            Some(Mutant::PositionOutsideLock) if self.rng.bool() => {
                it.hidden.extend((before + 1..=it.head()).map(|position| (position, now_ms + UNSEEN_MS)));
            }
            _ => {}
        }
    }

    /// Whether every future of a memory log is ready at once is part of its contract.
    pub fn read_log(&self, host: usize, after: u64, limit: u32) -> Vec<event_store::RecordedEvent> {
        self.hosts[host].log.read_after(after, limit).now_or_never().and_then(Result::ok).unwrap_or_default()
    }
}

fn word(result: &EntryResult) -> String {
    let (id, version) = (result.client_id.as_deref().unwrap_or("?"), result.version.unwrap_or(0));
    format!("{id}/{version} {:?}", result.status)
}

fn sender(request: &SyncRequest<'_>) -> String {
    request.sender.as_ref().map_or_else(|| "a relay".to_owned(), ToString::to_string)
}
