//! The network: latency, and everything that can happen between a request and its answer.

use std::rc::Rc;

use domain::{StoreId, Tier};
use leadlog_client::engine::flight::REQUEST_TIMEOUT_MS;
use leadlog_client::engine::{Failure, Input};

use crate::device::Snapshot;
use crate::device::tab::Fact;
use crate::fault::Fault;
use crate::plan::HOUR_MS;
use crate::world::{Event, World};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Sender {
    /// A page.
    Tab {
        /// The iPad.
        device: usize,
        /// Its tab.
        tab: usize,
        /// That start of it.
        generation: u64,
        /// The engine's number of the request.
        request_id: u64,
        /// The engine's target.
        target: u8,
    },
    /// A hub's relay.
    Relay {
        /// The hub.
        host: usize,
        /// That start of it.
        generation: u64,
        /// The relay's number of the request.
        request_id: u64,
    },
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum What {
    /// `POST /api/leads/sync`.
    Sync(Rc<str>),
    /// `HEAD /api/health`.
    Probe,
    /// `PUT` of a backup.
    Backup(Rc<Snapshot>),
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Who asks.
    pub from: Sender,
    /// The address.
    pub address: usize,
    /// What.
    pub what: What,
}

/// What will become of the answer; decided when the request departs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// Nobody waits for it.
    Unheard,
    /// It breaks off.
    Truncated,
    /// Something on the way says 500 in its place.
    TurnsInto500,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An HTTP answer to a sync.
    Http {
        /// Status.
        code: u16,
        /// `Content-Type`.
        content_type: &'static str,
        /// Body.
        body: String,
        /// `Retry-After`.
        retry_after: Option<&'static str>,
    },
    /// A healthy store.
    Healthy {
        /// Which.
        store: StoreId,
        /// What it is.
        tier: Tier,
    },
    /// The backup is kept.
    BackedUp,
    /// No answer came.
    Nothing(Failure),
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

impl Reply {
    /// A store's answer.
    pub const fn json(body: String) -> Self {
        Self::Http { code: 200, content_type: JSON, body, retry_after: None }
    }

    /// A problem.
    pub const fn problem(code: u16, retry_after: Option<&'static str>) -> Self {
        Self::Http { code, content_type: PROBLEM, body: String::new(), retry_after }
    }
}

impl World {
    /// A request sets out.
    pub fn depart(&mut self, exchange: Exchange) {
        self.exchanges += 1;
        let latency_ms = self.rng.u64(10..400);
        if let Some(fault) = self.is_cut_off(&exchange) {
            self.tally.count(fault);
            return self.reply(&exchange, Reply::Nothing(Failure::Network), latency_ms);
        }
        if let Some((reply, wait_ms)) = self.is_intercepted() {
            return self.reply(&exchange, reply, wait_ms);
        }
        let timeout_ms = u64::from(REQUEST_TIMEOUT_MS);
        if self.happens(Fault::DelayedForHours) {
            let hours_ms = self.rng.u64(1..8) * HOUR_MS;
            self.reply(&exchange, Reply::Nothing(Failure::Timeout), timeout_ms);
            self.queue.plan(self.now_ms + hours_ms, Event::Arrive { exchange, fate: Fate::Unheard });
            return;
        }
        if self.happens(Fault::Duplicated) {
            let later_ms = self.rng.u64(0..120_000);
            let twin = Event::Arrive { exchange: exchange.clone(), fate: Fate::Unheard };
            self.queue.plan(self.now_ms + latency_ms + later_ms, twin);
        }
        let latency_ms =
            if self.happens(Fault::Reordered) { self.rng.u64(5_000..25_000) } else { latency_ms };
        let fate = if self.happens(Fault::AnswerLost) {
            let failure = if self.rng.bool() { Failure::Network } else { Failure::Timeout };
            self.reply(&exchange, Reply::Nothing(failure), timeout_ms);
            Fate::Unheard
        } else if self.happens(Fault::Truncated) {
            Fate::Truncated
        } else if self.happens(Fault::ServerError) {
            Fate::TurnsInto500
        } else {
            Fate::Arrives
        };
        self.queue.plan(self.now_ms + latency_ms, Event::Arrive { exchange, fate });
    }

    /// Whether there is no way at all from here to there.
    fn is_cut_off(&self, exchange: &Exchange) -> Option<Fault> {
        match exchange.from {
            Sender::Tab { device, .. } => {
                let until_ms = self.devices[device].links_down_until_ms.get(&exchange.address)?;
                (self.now_ms < *until_ms).then_some(Fault::LinkDown)
            }
            Sender::Relay { host, .. } => {
                (self.now_ms < self.hosts[host].uplink_down_until_ms).then_some(Fault::UplinkDown)
            }
        }
    }

    /// What answers in the store's place, and after how long.
    fn is_intercepted(&mut self) -> Option<(Reply, u64)> {
        let wait_ms = self.rng.u64(10..2_000);
        let retry_after = *self.rng.choice(&[None, Some("7"), Some("999999"), Some("soon")])?;
        if self.happens(Fault::RequestLost) {
            return Some((Reply::Nothing(Failure::Timeout), u64::from(REQUEST_TIMEOUT_MS)));
        }
        if self.happens(Fault::CaptivePortal) {
            let body = "<html>Arena WiFi</html>".to_owned();
            let portal = Reply::Http { code: 200, content_type: "text/html", body, retry_after: None };
            return Some((portal, wait_ms));
        }
        let problems = [
            (Fault::TokenExpired, 401, None),
            (Fault::TooLarge, 413, None),
            (Fault::TooMany, 429, retry_after),
            (Fault::ServerError, 500, None),
            (Fault::Unavailable, 503, retry_after),
        ];
        problems
            .into_iter()
            .find(|(fault, ..)| self.happens(*fault))
            .map(|(_, code, retry_after)| (Reply::problem(code, retry_after), wait_ms))
    }

    /// A request arrives.
    pub fn arrive(&mut self, exchange: &Exchange, fate: Fate) {
        let reply = match self.addresses[exchange.address] {
            Some(host) if self.hosts[host].is_up => self.serve(host, exchange),
            _ => Reply::Nothing(Failure::Network),
        };
        let latency_ms = self.rng.u64(10..400);
        match (fate, reply) {
            (Fate::Unheard, _) => {}
            (Fate::Truncated, Reply::Http { code, content_type, mut body, retry_after }) => {
                let mut end = self.rng.usize(0..=body.len());
                while !body.is_char_boundary(end) {
                    end -= 1;
                }
                body.truncate(end);
                let cut = Reply::Http { code, content_type, body, retry_after };
                self.reply(exchange, cut, latency_ms);
            }
            (Fate::TurnsInto500, _) => self.reply(exchange, Reply::problem(500, None), latency_ms),
            (_, reply) => self.reply(exchange, reply, latency_ms),
        }
    }

    fn reply(&mut self, exchange: &Exchange, reply: Reply, wait_ms: u64) {
        let event = match exchange.from {
            Sender::Tab { device, tab, generation, request_id, target } => {
                let fact = Box::new(Fact::Input(tab_input(&exchange.what, reply, request_id, target)));
                Event::Fact { device, tab, generation, fact }
            }
            Sender::Relay { host, generation, request_id } => {
                let input = Box::new(relay_input(reply, request_id));
                Event::RelayFact { host, generation, input }
            }
        };
        self.queue.plan(self.now_ms + wait_ms, event);
    }
}

fn tab_input(what: &What, reply: Reply, request_id: u64, target: u8) -> Input {
    match (what, reply) {
        (What::Probe, Reply::Healthy { store, tier }) => Input::HealthAnswered { target, store, tier },
        (What::Probe, _) => Input::HealthMissed { target },
        (What::Backup(_), Reply::BackedUp) => Input::BackupDone { request_id },
        (What::Backup(_), _) => Input::BackupFailed { request_id },
        (What::Sync(_), Reply::Http { code, content_type, body, retry_after }) => Input::Response {
            request_id,
            code,
            content_type: content_type.to_owned(),
            body,
            retry_after: retry_after.map(str::to_owned),
        },
        (What::Sync(_), Reply::Nothing(failure)) => Input::RequestFailed { request_id, failure },
        (What::Sync(_), _) => Input::RequestFailed { request_id, failure: Failure::Network },
    }
}

fn relay_input(reply: Reply, request_id: u64) -> relay::Input {
    match reply {
        Reply::Http { code, content_type, body, retry_after } => relay::Input::Response {
            request_id,
            code,
            content_type: content_type.to_owned(),
            body,
            retry_after: retry_after.map(str::to_owned),
        },
        _ => relay::Input::RequestFailed { request_id },
    }
}
