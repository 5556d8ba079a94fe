//! The campaign documents that this device holds (CAP-5).
//!
//! One ships with the app; the newest that a store has published is kept on the disk and used from then on.
//! A form is judged by the version that the person saw, so what was held when the page was opened stays until
//! the page goes. Nothing waits for a document: without a network the one at hand goes on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::{Campaign, CampaignId};
use js_sys::Function;
use wasm_bindgen::JsValue;

use super::clock;
use super::device::{Device, OWN};
use super::task::spawn;
use super::web;
use crate::capture::campaign_rules;
use crate::json::Object;

/// Setting that holds the newest document.
pub(super) const CAMPAIGN: &str = "campaign";

/// Least time between two questions for a newer version, in milliseconds.
const ASK_EVERY_MS: u64 = 300_000;

const TIMEOUT_MS: u32 = 10_000;

/// The documents, oldest first.
pub(super) struct Campaigns {
    held: RefCell<Vec<(Campaign, String)>>,
    subscribers: RefCell<Vec<Function>>,
    asked_ms: Cell<Option<u64>>,
}

impl Campaigns {
    /// With the one that ships with the app, and the one that was kept. `None` when neither can be read.
    pub(super) fn new(shipped: &str, kept: Option<String>) -> Option<Self> {
        let campaigns =
            Self { held: RefCell::default(), subscribers: RefCell::default(), asked_ms: Cell::new(None) };
        campaigns.add(shipped.to_owned(), false);
        if let Some(kept) = kept {
            campaigns.add(kept, true);
        }
        let is_empty = campaigns.held.borrow().is_empty();
        (!is_empty).then_some(campaigns)
    }

    /// Adds a document, if it is newer than the newest, or of another campaign that was asked for.
    fn add(&self, document: String, may_change_campaign: bool) -> bool {
        let Some(rules) = campaign_rules(&document) else { return false };
        let mut held = self.held.borrow_mut();
        let is_newer = held.last().is_none_or(|(newest, _)| match newest.id == rules.id {
            true => newest.version < rules.version,
            false => may_change_campaign,
        });
        if is_newer {
            held.push((rules, document));
        }
        is_newer
    }

    /// The newest document.
    pub(super) fn newest(&self) -> String {
        self.held.borrow().last().map(|(_, document)| document.clone()).unwrap_or_default()
    }

    /// Id and version of the newest.
    pub(super) fn newest_id(&self) -> Option<CampaignId> {
        self.held.borrow().last().map(|(rules, _)| rules.id.clone())
    }

    /// Where stores may answer: at the app's own address, and at those of the hubs that the newest names.
    pub(super) fn targets(&self, own: &str) -> Vec<String> {
        let held = self.held.borrow();
        let hubs = held.last().map(|(rules, _)| rules.hubs.as_slice()).unwrap_or_default();
        let hubs = hubs.iter().filter(|hub| *hub != own).take(Campaign::MAX_HUBS).cloned();
        std::iter::once(own.to_owned()).chain(hubs).collect()
    }

    /// How long nobody is bothered about a session that has ended.
    pub(super) fn session_grace_hours(&self) -> u32 {
        let said = self.held.borrow().last().and_then(|(rules, _)| rules.session_grace_hours);
        said.unwrap_or(Campaign::DEFAULT_SESSION_GRACE_HOURS)
    }

    /// The rules that a form is judged by: those of the version that it names, otherwise the newest.
    pub(super) fn judging<T>(&self, form_json: &str, judge: impl FnOnce(&Campaign) -> T) -> Option<T> {
        let version = Object::read(form_json).and_then(|form| form.small("campaignVersion"));
        let held = self.held.borrow();
        let newest = held.last().map(|(rules, _)| rules)?;
        let seen = held.iter().rev().map(|(rules, _)| rules);
        let mut seen = seen.filter(|rules| rules.id == newest.id && Some(rules.version) == version);
        Some(judge(seen.next().unwrap_or(newest)))
    }
}

impl Device {
    /// The newest document.
    pub fn campaign(&self) -> String {
        self.campaigns.newest()
    }

    /// Calls back with each document that is newer than the one before.
    pub fn on_campaign(&self, subscriber: Function) {
        self.campaigns.subscribers.borrow_mut().push(subscriber);
    }

    /// Asks for a newer version, unless that was done a moment ago.
    pub(super) fn look_for_campaign(self: &Rc<Self>) {
        let now_ms = clock::monotonic_ms();
        let is_due = self.campaigns.asked_ms.get().is_none_or(|at_ms| now_ms >= at_ms + ASK_EVERY_MS);
        let Some(id) = self.campaigns.newest_id().filter(|_| is_due) else { return };
        self.campaigns.asked_ms.set(Some(now_ms));
        let device = Rc::clone(self);
        spawn(async move {
            device.fetch_campaign(&id).await;
        });
    }

    /// Uses this campaign from here on. Says whether that is so now.
    pub async fn use_campaign(self: &Rc<Self>, id: &str) -> bool {
        let Ok(id) = id.parse::<CampaignId>() else { return false };
        self.fetch_campaign(&id).await;
        self.campaigns.newest_id() == Some(id)
    }

    async fn fetch_campaign(self: &Rc<Self>, id: &CampaignId) {
        // From the app's own store alone: what it says decides to whom leads are given.
        let mut url = self.url(OWN, "/api/campaigns/");
        url.push_str(id.as_str());
        let Some(document) = web::ask("GET", &url, None, TIMEOUT_MS).await else { return };
        // A store that answers with something else than was asked for changes nothing.
        let is_asked_for = campaign_rules(&document).is_some_and(|rules| rules.id == *id);
        if !is_asked_for || !self.campaigns.add(document.clone(), true) {
            return;
        }
        // Without the disk it is held until the page goes.
        let _ = self.db.put_setting(CAMPAIGN, &document).await;
        spawn(Rc::clone(self).use_targets());
        let subscribers = self.campaigns.subscribers.borrow().clone();
        for subscriber in subscribers {
            let _ = subscriber.call1(&JsValue::UNDEFINED, &document.as_str().into());
        }
    }
}
