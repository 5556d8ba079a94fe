//! What the browser says by itself: network, visibility, other tabs, and the timer.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::clock::monotonic_ms;
use super::device::Device;
use super::web;
use crate::engine::record::Records;
use crate::engine::stored;
use crate::json::{Fields, Object};

/// The one timer: rings when the engine wants to be woken.
pub(crate) struct Timer {
    id: Cell<Option<i32>>,
    ring: Closure<dyn FnMut()>,
}

impl Timer {
    pub(crate) fn new(device: Weak<Device>) -> Self {
        let ring = Closure::new(move || {
            if let Some(device) = device.upgrade() {
                device.look_around();
                device.tick();
            }
        });
        Self { id: Cell::new(None), ring }
    }

    /// Rings at this time of the monotonic clock, and not at the time set before.
    pub(crate) fn set(&self, at_ms: u64) {
        self.stop();
        let wait_ms = i32::try_from(at_ms.saturating_sub(monotonic_ms())).unwrap_or(i32::MAX);
        self.id.set(Some(web::set_timeout(self.ring.as_ref(), wait_ms)));
    }

    fn stop(&self) {
        if let Some(id) = self.id.take() {
            web::clear_timeout(id);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Everything that is listened to, until it is dropped.
pub(crate) struct Signals {
    _hear: [Closure<dyn FnMut()>; 2],
    end: Function,
    tabs: Option<Tabs>,
}

impl Signals {
    pub(crate) fn listen(device: &Weak<Device>, tabs: Option<Tabs>) -> Result<Self, JsValue> {
        let hear = |told: fn(&Rc<Device>)| {
            let device = device.clone();
            Closure::<dyn FnMut()>::new(move || {
                if let Some(device) = device.upgrade() {
                    told(&device);
                }
            })
        };
        let network = hear(|device| device.look_around());
        let visibility = hear(|device| device.visibility_changed());
        let end = web::listen(network.as_ref(), visibility.as_ref())?;
        Ok(Self { _hear: [network, visibility], end, tabs })
    }

    /// From here on this device learns what other tabs have written, and first what they wrote while it was being opened.
    pub(crate) fn hear_tabs(&self, device: &Rc<Device>) {
        if let Some(tabs) = &self.tabs {
            tabs.listener.replace(Some(Rc::downgrade(device)));
            tabs.waiting.take().into_iter().for_each(|message| hear(device, &message));
        }
    }

    /// Tells the other tabs what was written here.
    pub(crate) fn tell_tabs(&self, news: &News) {
        if let Some(tabs) = &self.tabs {
            // Another tab that does not hear of it sends what is there already, which is harmless.
            let _ = tabs.inner.tell(&news.write());
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.end.call0(&JsValue::UNDEFINED);
    }
}

/// What one tab wrote and the others hear.
pub(crate) struct News {
    /// Of what an engine wrote: the epoch. A Save has none.
    pub(crate) epoch: Option<u64>,
    pub(crate) records: Records,
}

impl News {
    fn write(&self) -> String {
        let mut it = Fields::new();
        it.number_if("epoch", self.epoch);
        it.raw("records", &stored::write_records(&self.records));
        it.end()
    }

    fn read(json: &str) -> Option<Self> {
        let it = Object::read(json)?;
        Some(Self { epoch: it.number("epoch"), records: stored::records(&it.object("records")?)? })
    }
}

/// The other tabs of this app.
pub(crate) struct Tabs {
    inner: web::Tabs,
    listener: Rc<RefCell<Option<Weak<Device>>>>,
    /// What was said before there was a listener.
    waiting: Rc<RefCell<Vec<JsValue>>>,
    _hear: Closure<dyn FnMut(JsValue)>,
}

impl Tabs {
    /// Joins before the disk is read: what is written after that is heard.
    pub(crate) fn join(channel: &str) -> Result<Self, JsValue> {
        let (listener, waiting) =
            (Rc::<RefCell<Option<Weak<Device>>>>::default(), Rc::<RefCell<Vec<_>>>::default());
        let (listening, kept) = (Rc::clone(&listener), Rc::clone(&waiting));
        let hear = Closure::<dyn FnMut(JsValue)>::new(move |message: JsValue| {
            let listener = listening.borrow().clone();
            match listener {
                Some(device) => {
                    if let Some(device) = device.upgrade() {
                        hear(&device, &message);
                    }
                }
                None => kept.borrow_mut().push(message),
            }
        });
        Ok(Self { inner: web::Tabs::join(channel, hear.as_ref())?, listener, waiting, _hear: hear })
    }
}

fn hear(device: &Rc<Device>, message: &JsValue) {
    match message.as_string().and_then(|text| News::read(&text)) {
        Some(news) => device.learn(news),
        // Of another version of the app. What it saved is on the disk.
        None => device.disk_is_ahead(),
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.inner.leave();
    }
}
