//! By which key a store knows this device, and the tokens that it gets for it (AUT-3).
//!
//! A person lets the device in once, with a one-time code ([`Device::enrol`]). From then on it gets access tokens by itself,
//! for assertions that it signs. Saving knows nothing of all this (invariant 10): without a token nothing is sent, and the
//! outbox waits.
//!
//! - **At its own address, an assertion is for the store of the enrolment**, and where that one does not answer, for whichever does: a
//!   network may lead the cloud's name to a hub, and a hub's name to the one that has taken its place. Whoever answers there gives the
//!   app itself, so nothing is kept from him. One that does not know this key wants a new enrolment; the outbox stays as it is.
//! - **A hub knows the device from its cloud.** At its address an assertion is for whichever store says that it is a hub, and never
//!   for the own one: what it was shown opens nothing at the cloud. A hub that does not know the device yet is asked again.
//! - **The time is the store's.** The clock of the device may be wrong: where a store refuses an assertion and its header
//!   `Date` shows another time, that one is used from then on.
//! - **A key belongs to one installation.** Storage that was wiped under the page begins another, which is let in anew.
//! - **Several tabs** have one key and a token each. What one has enrolled another finds when it looks, which it does until
//!   it is connected itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::{DeviceId, Tier};
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::clock;
use super::device::{Device, HEALTH_ROUTE, OWN};
use super::request::probe;
use super::task::{promise, spawn};
use super::web::{self, DeviceKey};
use crate::engine::tier::PROBE_TIMEOUT_MS;
use crate::engine::{Input, Target};
use crate::json::{Fields, Object};

const ENROL_ROUTE: &str = "/api/devices/enrol";
const TOKEN_ROUTE: &str = "/oauth/token";

const ENROL_TIMEOUT_MS: u32 = 15_000;

/// As slow as a crowded hall may be. What waits for it has a lease, and gets the token the next time if it comes too late.
const TOKEN_TIMEOUT_MS: u32 = 20_000;

/// Of the time that a token has, the part in which it is used no more: a request takes a while.
const RESERVE_DIVISOR: u64 = 10;

/// What `/oauth/token` says of who is not known to it (RFC 6749, section 5.2); a portal says something else.
const UNKNOWN: &str = "invalid_client";

/// What the store says of a code that lets nobody in.
const NO_CODE: &str = "urn:leadlog:problem:invalid-code";

/// A clock that is further off than this is not what a network's delay makes of it, in milliseconds.
const CLOCK_TOLERANCE_MS: f64 = 20_000.0;

/// How many assertions are made in a row at most: the clock may be wrong, the store another, and its clock different again.
const MAX_ASSERTIONS: usize = 4;

/// A store, as whom an assertion is for.
const AUDIENCE: &str = "urn:leadlog:store:";

/// What the token route wants (RFC 7523, section 2.2).
const ASSERTION_FORM: &str = "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                              client-assertion-type%3Ajwt-bearer&client_assertion=";

/// How this device stands with the store at its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody has looked yet.
    Unknown,
    /// It was never let in.
    None,
    /// It was let in.
    Connected,
    /// The store does not know it any more.
    Refused,
    /// It was shut out, and may hand in what it holds.
    Revoked,
}

/// What the store said when it let this device in.
#[derive(Clone)]
struct Enrolment {
    id: String,
    store_id: String,
    device_id: String,
    device_name: String,
    campaign_id: String,
}

/// A token, and when to use it no longer, by the monotonic clock.
#[derive(Clone)]
struct Token {
    text: String,
    /// From then on the next one is asked for, beside everything else.
    renew_ms: u64,
    until_ms: u64,
}

/// What a device has at one of the addresses where stores answer.
#[derive(Default)]
struct Access {
    token: Option<Token>,
    /// Of all who want a token, one asks.
    asking: Option<Promise>,
    /// How far that store's clock is ahead of this one, in milliseconds.
    ahead_ms: f64,
    /// The store that has given a token there last.
    store: Option<String>,
}

/// Why a device was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolError {
    /// No store answered.
    Unreachable,
    /// The code is mistyped, used or expired.
    Code,
    /// Too many attempts.
    Busy,
    /// The browser makes no keys here: the page did not come over HTTPS.
    Insecure,
    /// The disk did not keep the key.
    Storage,
}

/// The key, what is known of the enrolment, and the tokens at hand.
pub(super) struct Identity {
    key: DeviceKey,
    enrolment: RefCell<Option<Enrolment>>,
    standing: Cell<Standing>,
    /// By target.
    access: RefCell<Vec<Access>>,
    /// Raised when another enrolment counts: what was asked for the one before says nothing any more.
    era: Cell<u32>,
    /// The campaign of an enrolment that could not be fetched yet.
    wanted_campaign: RefCell<Option<String>>,
    subscribers: RefCell<Vec<Function>>,
}

impl Enrolment {
    fn read(json: &str) -> Option<Self> {
        let it = Object::read(json)?;
        Some(Self {
            id: it.text("enrolmentId")?,
            store_id: it.text("storeId")?,
            device_id: it.text("deviceId")?,
            device_name: it.text("deviceName")?,
            campaign_id: it.text("campaignId")?,
        })
    }
}

impl EnrolError {
    /// As the app reads it.
    pub fn to_json(self) -> String {
        let mut it = Fields::new();
        it.text(
            "code",
            match self {
                Self::Unreachable => "unreachable",
                Self::Code => "code",
                Self::Busy => "busy",
                Self::Insecure => "insecure",
                Self::Storage => "storage",
            },
        );
        it.end()
    }
}

impl Identity {
    /// Of the device whose outbox has this name. Nothing is read yet.
    pub(super) fn beside(database: &str) -> Self {
        Self {
            key: DeviceKey::new(database),
            enrolment: RefCell::default(),
            standing: Cell::new(Standing::Unknown),
            access: RefCell::default(),
            era: Cell::new(0),
            wanted_campaign: RefCell::default(),
            subscribers: RefCell::default(),
        }
    }

    /// The token at hand, if it can still be used.
    fn token(&self, target: Target) -> Option<String> {
        let now_ms = clock::monotonic_ms();
        let access = self.access.borrow();
        let token = access.get(usize::from(target))?.token.as_ref();
        token.filter(|token| now_ms < token.until_ms).map(|token| token.text.clone())
    }

    /// What is known of a target, to be changed.
    fn with<T>(&self, target: Target, change: impl FnOnce(&mut Access) -> T) -> T {
        let (mut access, at) = (self.access.borrow_mut(), usize::from(target));
        if access.len() <= at {
            access.resize_with(at + 1, Access::default);
        }
        change(&mut access[at])
    }

    fn to_json(&self) -> String {
        let mut it = Fields::new();
        it.text(
            "state",
            match self.standing.get() {
                Standing::Unknown => "unknown",
                Standing::None => "none",
                Standing::Connected => "connected",
                Standing::Refused => "refused",
                Standing::Revoked => "revoked",
            },
        );
        match self.enrolment.borrow().as_ref() {
            Some(enrolment) => {
                it.text("deviceName", &enrolment.device_name);
                it.text("campaignId", &enrolment.campaign_id);
            }
            None => {
                it.raw("deviceName", "null");
                it.raw("campaignId", "null");
            }
        }
        it.end()
    }

    fn stands(&self, standing: Standing) {
        if self.standing.replace(standing) != standing {
            self.show();
        }
    }

    fn show(&self) {
        let told = JsValue::from_str(&self.to_json());
        let subscribers = self.subscribers.borrow().clone();
        for subscriber in subscribers {
            // What a screen throws is its own affair.
            let _ = subscriber.call1(&JsValue::UNDEFINED, &told);
        }
    }

    /// Looks on the disk whether this installation was let in.
    async fn look(&self, device_id: &DeviceId) {
        let Ok(facts) = JsFuture::from(self.key.read()).await else {
            // A disk that cannot be read has no key for us; the next look may.
            if self.standing.get() == Standing::Unknown {
                self.stands(Standing::None);
            }
            return;
        };
        let enrolment = facts.as_string().and_then(|facts| Enrolment::read(&facts));
        let enrolment = enrolment.filter(|enrolment| enrolment.device_id == device_id.as_str());
        let id = |enrolment: &Option<Enrolment>| enrolment.as_ref().map(|it| it.id.clone());
        if self.standing.get() != Standing::Unknown && id(&self.enrolment.borrow()) == id(&enrolment) {
            // What the store has said of it since stands.
            return;
        }
        self.begin_anew();
        let standing = if enrolment.is_some() { Standing::Connected } else { Standing::None };
        *self.enrolment.borrow_mut() = enrolment;
        self.stands(standing);
    }

    /// Another enrolment counts from here on, or none, or other addresses.
    pub(super) fn begin_anew(&self) {
        self.era.set(self.era.get() + 1);
        self.access.take();
    }

    /// Asks the store at this target for a token.
    async fn ask(&self, target: Target, base_url: &str) {
        let Some(enrolment) = self.enrolment.borrow().clone() else { return };
        let (era, is_own) = (self.era.get(), target == OWN);
        let route = |route: &str| [base_url, route].concat();
        // At the own address, who answers is asked only when a token is refused: nothing is to come before the first lead.
        let mut known = is_own.then(|| {
            self.with(target, |access| access.store.clone()).unwrap_or_else(|| enrolment.store_id.clone())
        });
        let mut refused = None;
        for _ in 0..MAX_ASSERTIONS {
            let store = match known.take() {
                Some(store) => store,
                None => {
                    // Where nobody says who he is, it is not known who has refused.
                    let answering = probe(&route(HEALTH_ROUTE), PROBE_TIMEOUT_MS).await;
                    let Some((store, tier)) = answering.filter(|_| self.era.get() == era) else { return };
                    let store = store.to_string();
                    if refused.as_ref() == Some(&store) {
                        return self.stands(Standing::Refused);
                    }
                    if !is_own && (tier != Tier::Hub || store == enrolment.store_id) {
                        return;
                    }
                    store
                }
            };
            let ahead_ms = self.with(target, |access| access.ahead_ms);
            let assertion = self.key.assertion(&enrolment.id, &[AUDIENCE, &store].concat(), ahead_ms);
            let Ok(assertion) = JsFuture::from(assertion).await else { return };
            let mut form = ASSERTION_FORM.to_owned();
            form.push_str(&assertion.as_string().unwrap_or_default());
            let answer = JsFuture::from(web::send_form(&route(TOKEN_ROUTE), &form, TOKEN_TIMEOUT_MS)).await;
            let Some(answer) = answer.ok().and_then(|answer| answer.as_string()) else { return };
            let Some(answer) = Object::read(&answer).filter(|_| self.era.get() == era) else { return };
            let body = answer.text("body").unwrap_or_default();
            match answer.number("code") {
                Some(200) => {
                    self.with(target, |access| access.store = Some(store));
                    return self.take(target, &body);
                }
                Some(401) if says(&body, "error", UNKNOWN) => {
                    let date = answer.object("headers").and_then(|it| it.text("date")).unwrap_or_default();
                    let by_store_ms = web::ahead_ms(&date);
                    // Not so where there is no date: then nobody can say.
                    if (by_store_ms - ahead_ms).abs() > CLOCK_TOLERANCE_MS {
                        self.with(target, |access| access.ahead_ms = by_store_ms);
                        known = Some(store);
                    } else if is_own {
                        refused = Some(store);
                    } else {
                        return;
                    }
                }
                // A portal, a proxy, a store in trouble: nothing is known.
                _ => return,
            }
        }
    }

    fn take(&self, target: Target, answer: &str) {
        let Some(it) = Object::read(answer) else { return };
        let (Some(text), Some(seconds)) = (it.text("access_token"), it.number("expires_in")) else { return };
        let lives_ms = seconds.saturating_mul(1000);
        let lives_ms = lives_ms - lives_ms / RESERVE_DIVISOR;
        let now_ms = clock::monotonic_ms();
        let token = Token { text, renew_ms: now_ms + lives_ms / 2, until_ms: now_ms + lives_ms };
        self.with(target, |access| access.token = Some(token));
        // What a hub elsewhere knows of it is of before, or of that hub alone.
        if target == OWN {
            let is_revoked = it.text("scope").is_some_and(|scope| scope == "quarantine");
            self.stands(if is_revoked { Standing::Revoked } else { Standing::Connected });
        }
    }
}

/// Whether a JSON answer has this text in this field.
fn says(json: &str, field: &str, text: &str) -> bool {
    Object::read(json).and_then(|it| it.text(field)).is_some_and(|found| found == text)
}

impl Device {
    /// How this device stands with its store, as JSON.
    pub fn enrolment(&self) -> String {
        self.identity.to_json()
    }

    /// Calls back with that, at once and on each change.
    pub fn on_enrolment(&self, subscriber: Function) {
        self.identity.subscribers.borrow_mut().push(subscriber.clone());
        let _ = subscriber.call1(&JsValue::UNDEFINED, &self.identity.to_json().into());
    }

    /// Looks whether this device was let in, perhaps by another tab.
    pub(super) fn look_for_enrolment(self: &Rc<Self>) {
        if self.identity.standing.get() == Standing::Connected {
            return;
        }
        let device = Rc::clone(self);
        spawn(async move {
            let device_id = device.device_id.borrow().clone();
            let era = device.identity.era.get();
            device.identity.look(&device_id).await;
            if device.identity.era.get() != era && device.identity.standing.get() == Standing::Connected {
                device.tell(Input::LetIn);
            }
        });
    }

    /// What is to be done now and then: the next token before it is needed, and what an enrolment has left to do.
    pub(super) fn keep_connected(self: &Rc<Self>) {
        self.look_for_enrolment();
        let now_ms = clock::monotonic_ms();
        // One that has ended is asked for when something is to be sent.
        let is_old = |access: &Access| {
            let token = access.token.as_ref();
            token.is_some_and(|token| (token.renew_ms..token.until_ms).contains(&now_ms))
        };
        let old: Vec<bool> = self.identity.access.borrow().iter().map(is_old).collect();
        for (target, _) in (OWN..).zip(old).filter(|(_, is_old)| *is_old) {
            let device = Rc::clone(self);
            spawn(async move { device.ask_once(target).await });
        }
        if let Some(campaign) = self.identity.wanted_campaign.take() {
            let device = Rc::clone(self);
            spawn(async move { device.want_campaign(campaign).await });
        }
    }

    async fn want_campaign(self: Rc<Self>, campaign: String) {
        if !self.use_campaign(&campaign).await {
            *self.identity.wanted_campaign.borrow_mut() = Some(campaign);
        }
    }

    /// The storage was wiped under the page: the key was another installation's.
    pub(super) fn forget_enrolment(self: &Rc<Self>) {
        self.identity.begin_anew();
        self.identity.enrolment.take();
        self.identity.standing.set(Standing::Unknown);
        self.look_for_enrolment();
    }

    /// A token for the store at this target; `None` when there is none to be had now.
    pub(super) async fn token(self: &Rc<Self>, target: Target) -> Option<String> {
        if self.identity.token(target).is_none() {
            self.ask_once(target).await;
        }
        self.identity.token(target)
    }

    /// Whether leads can be given to what answers at this target. A hub that gives this device no token is as good as none,
    /// until it does.
    pub(super) async fn may_give_to(self: &Rc<Self>, target: Target, tier: Tier) -> bool {
        target == OWN || (tier == Tier::Hub && self.token(target).await.is_some())
    }

    /// Asks for a token, with all who want one.
    async fn ask_once(self: &Rc<Self>, target: Target) {
        let under_way = self.identity.with(target, |access| access.asking.clone());
        let asking = under_way.unwrap_or_else(|| {
            let (device, era) = (Rc::clone(self), self.identity.era.get());
            let asking = promise(async move {
                device.ask_for_token(target).await;
                if device.identity.era.get() == era {
                    device.identity.with(target, |access| access.asking = None);
                }
                Ok(JsValue::UNDEFINED)
            });
            self.identity.with(target, |access| access.asking = Some(asking.clone()));
            asking
        });
        let _ = JsFuture::from(asking).await;
    }

    /// The token at hand, for what cannot wait. Asks for the next one when there is none.
    pub(super) fn token_at_hand(self: &Rc<Self>, target: Target) -> Option<String> {
        let token = self.identity.token(target);
        if token.is_none() {
            let device = Rc::clone(self);
            spawn(async move {
                device.token(target).await;
            });
        }
        token
    }

    /// A store did not take this token.
    pub(super) fn token_refused(&self, target: Target, refused: &str) {
        self.identity.with(target, |access| drop(access.token.take_if(|token| token.text == refused)));
    }

    /// A store treats the bearer of this token as one that was shut out.
    pub(super) fn shut_out(self: &Rc<Self>, target: Target, token: &str) {
        if target == OWN && self.identity.standing.get() != Standing::Revoked {
            self.token_refused(target, token);
            self.token_at_hand(target);
        }
    }

    async fn ask_for_token(&self, target: Target) {
        let device_id = self.device_id.borrow().clone();
        if self.identity.standing.get() != Standing::Connected || self.identity.enrolment.borrow().is_none() {
            // Another tab may have been let in, since this one was shut out too.
            self.identity.look(&device_id).await;
        }
        self.identity.ask(target, &self.url(target, "")).await;
    }

    /// One exchange of JSON with a store, with a token; `None` when there is no answer in time. A token that is not taken any
    /// more is replaced once.
    pub(super) async fn ask(
        self: &Rc<Self>,
        method: &str,
        target: Target,
        route: &str,
        body: Option<&str>,
        timeout_ms: u32,
    ) -> Option<String> {
        let url = self.url(target, route);
        for _ in 0..2 {
            let token = self.token(target).await?;
            match web::ask_with(method, &url, body, timeout_ms, &token).await {
                Ok(answer) => return answer,
                Err(web::Refused::Token) => self.token_refused(target, &token),
                Err(web::Refused::Scope) => {
                    self.shut_out(target, &token);
                    return None;
                }
            }
        }
        None
    }

    /// Lets this device in by a one-time code. Answers how it stands then, as JSON.
    ///
    /// # Errors
    /// [`EnrolError`]; how it stood before, it still does.
    pub async fn enrol(self: &Rc<Self>, code: &str) -> Result<String, EnrolError> {
        let public_key = JsFuture::from(self.identity.key.next()).await.map_err(|error| {
            if error.as_string().is_some() { EnrolError::Insecure } else { EnrolError::Storage }
        })?;
        let device_id = self.device_id.borrow().clone();
        let mut it = Fields::new();
        it.text("code", code);
        it.text("deviceId", device_id.as_str());
        let public_key = public_key.as_string().unwrap_or_default();
        it.raw("publicKey", &public_key);
        let url = self.url(OWN, ENROL_ROUTE);
        let answer =
            JsFuture::from(web::request("POST", &url, Some(&it.end()), ENROL_TIMEOUT_MS, None)).await;
        let answer = answer.ok().and_then(|answer| answer.as_string()).ok_or(EnrolError::Unreachable)?;
        let answer = Object::read(&answer).ok_or(EnrolError::Unreachable)?;
        let said = answer.text("body").unwrap_or_default();
        let said = match answer.number("code") {
            Some(200) => said,
            Some(403) if says(&said, "type", NO_CODE) => return Err(EnrolError::Code),
            Some(429) => return Err(EnrolError::Busy),
            _ => return Err(EnrolError::Unreachable),
        };
        let said = Object::read(&said).ok_or(EnrolError::Unreachable)?;
        let mut facts = Fields::new();
        for name in ["enrolmentId", "storeId", "deviceName", "campaignId"] {
            facts.text(name, &said.text(name).ok_or(EnrolError::Unreachable)?);
        }
        facts.text("deviceId", device_id.as_str());
        let kept = self.identity.key.keep(&public_key, &facts.end());
        JsFuture::from(kept).await.map_err(|_| EnrolError::Storage)?;
        self.identity.standing.set(Standing::Unknown);
        self.identity.look(&device_id).await;
        self.tell(Input::LetIn);
        let campaign = self.identity.enrolment.borrow().as_ref().map(|it| it.campaign_id.clone());
        if let Some(campaign) = campaign {
            Rc::clone(self).want_campaign(campaign).await;
        }
        Ok(self.identity.to_json())
    }
}
