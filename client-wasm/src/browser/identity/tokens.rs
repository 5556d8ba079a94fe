//! The tokens of this device at each address where stores answer.
//!
//! - **At its own address, an assertion is for the store of the enrolment**, and where that one does not answer, for whichever does: a
//!   network may lead the cloud's name to a hub, and a hub's name to the one that has taken its place. Whoever answers there gives the
//!   app itself, so nothing is kept from him. One that does not know this key wants a new enrolment; the outbox stays as it is.
//! - **A hub knows the device from its cloud.** At its address an assertion is for whichever store says that it is a hub, and never
//!   for the own one: what it was shown opens nothing at the cloud. A hub that does not know the device yet is asked again.
//! - **The time is the store's.** The clock of the device may be wrong: where a store refuses an assertion and its header
//!   `Date` shows another time, that one is used from then on.

use std::rc::Rc;

use domain::Tier;
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{Identity, Standing, says};
use crate::browser::clock;
use crate::browser::device::{Device, HEALTH_ROUTE, OWN};
use crate::browser::request::probe;
use crate::browser::task::{promise, spawn};
use crate::browser::web;
use crate::engine::Target;
use crate::engine::tier::PROBE_TIMEOUT_MS;
use crate::json::Object;

const TOKEN_ROUTE: &str = "/oauth/token";

/// As slow as a crowded hall may be. What waits for it has a lease, and gets the token the next time if it comes too late.
const TOKEN_TIMEOUT_MS: u32 = 20_000;

/// Of the time that a token has, the part in which it is used no more: a request takes a while.
const RESERVE_DIVISOR: u64 = 10;

/// What `/oauth/token` says of who is not known to it (RFC 6749, section 5.2); a portal says something else.
const UNKNOWN: &str = "invalid_client";

/// A clock that is further off than this is not what a network's delay makes of it, in milliseconds.
const CLOCK_TOLERANCE_MS: f64 = 20_000.0;

/// How many assertions are made in a row at most: the clock may be wrong, the store another, and its clock different again.
const MAX_ASSERTIONS: usize = 4;

/// A store, as whom an assertion is for.
const AUDIENCE: &str = "urn:leadlog:store:";

/// What the token route wants (RFC 7523, section 2.2).
const ASSERTION_FORM: &str = "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                              client-assertion-type%3Ajwt-bearer&client_assertion=";

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
pub(super) struct Access {
    token: Option<Token>,
    /// Of all who want a token, one asks.
    asking: Option<Promise>,
    /// How far that store's clock is ahead of this one, in milliseconds.
    ahead_ms: f64,
    /// The store that has given a token there last.
    store: Option<String>,
}

impl Identity {
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

impl Device {
    /// Asks for the next token where the one at hand is old.
    pub(super) fn renew_tokens(self: &Rc<Self>) {
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
    }

    /// A token for the store at this target; `None` when there is none to be had now.
    pub(in crate::browser) async fn token(self: &Rc<Self>, target: Target) -> Option<String> {
        if self.identity.token(target).is_none() {
            self.ask_once(target).await;
        }
        self.identity.token(target)
    }

    /// Whether leads can be given to what answers at this target. A hub that gives this device no token is as good as none,
    /// until it does.
    pub(in crate::browser) async fn may_give_to(self: &Rc<Self>, target: Target, tier: Tier) -> bool {
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
    pub(in crate::browser) fn token_at_hand(self: &Rc<Self>, target: Target) -> Option<String> {
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
    pub(in crate::browser) fn token_refused(&self, target: Target, refused: &str) {
        self.identity.with(target, |access| drop(access.token.take_if(|token| token.text == refused)));
    }

    /// A store treats the bearer of this token as one that was shut out.
    pub(in crate::browser) fn shut_out(self: &Rc<Self>, target: Target, token: &str) {
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
    pub(in crate::browser) async fn ask(
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
}
