//! By which key a store knows this device, and the tokens that it gets for it (AUT-3).
//!
//! A person lets the device in once, with a one-time code ([`Device::enrol`]). From then on it gets access tokens by itself,
//! for assertions that it signs. Saving knows nothing of all this (invariant 10): without a token nothing is sent, and the
//! outbox waits.
//!
//! [`tokens`] has what an assertion says to whom.
//!
//! - **A key belongs to one installation.** Storage that was wiped under the page begins another, which is let in anew.
//! - **Several tabs** have one key and a token each. What one has enrolled another finds when it looks, which it does until
//!   it is connected itself.

mod tokens;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::DeviceId;
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use self::tokens::Access;
use super::device::{Device, OWN};
use super::task::spawn;
use super::web::{self, DeviceKey};
use crate::engine::Input;
use crate::json::{Fields, Object};

const ENROL_ROUTE: &str = "/api/devices/enrol";

const ENROL_TIMEOUT_MS: u32 = 15_000;

/// What the store says of a code that lets nobody in.
const NO_CODE: &str = "urn:leadlog:problem:invalid-code";

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
        self.renew_tokens();
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
