//! What the browser says by itself: network, visibility, other tabs, and the timer.

use std::cell::Cell;
use std::rc::Weak;

use wasm_bindgen::prelude::*;
use web_sys::{BroadcastChannel, EventTarget, MessageEvent};

use super::clock::{monotonic_ms, window};
use super::device::Device;
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
        let Ok(window) = window() else { return };
        if let Some(id) = self.id.take() {
            window.clear_timeout_with_handle(id);
        }
        let wait_ms = i32::try_from(at_ms.saturating_sub(monotonic_ms())).unwrap_or(i32::MAX);
        let ring = self.ring.as_ref().unchecked_ref();
        self.id.set(window.set_timeout_with_callback_and_timeout_and_arguments_0(ring, wait_ms).ok());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let (Some(id), Ok(window)) = (self.id.take(), window()) {
            window.clear_timeout_with_handle(id);
        }
    }
}

/// An event listener that is removed when it is dropped.
struct Listener {
    target: EventTarget,
    event: &'static str,
    callback: Closure<dyn FnMut()>,
}

impl Listener {
    fn new(target: EventTarget, event: &'static str, heard: impl FnMut() + 'static) -> Result<Self, JsValue> {
        let callback = Closure::new(heard);
        target.add_event_listener_with_callback(event, callback.as_ref().unchecked_ref())?;
        Ok(Self { target, event, callback })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        let _ = self.target.remove_event_listener_with_callback(self.event, callback);
    }
}

/// Everything that is listened to.
pub(crate) struct Signals {
    _listeners: [Listener; 3],
    tabs: Option<Tabs>,
}

impl Signals {
    pub(crate) fn listen(device: &Weak<Device>, channel: &str) -> Result<Self, JsValue> {
        let window = window()?;
        let document = window.document().ok_or_else(|| JsValue::from_str("Leadlog needs a document"))?;
        let hear = |told: fn(&std::rc::Rc<Device>)| {
            let device = device.clone();
            move || {
                if let Some(device) = device.upgrade() {
                    told(&device);
                }
            }
        };
        let network = hear(|device| device.look_around());
        let _listeners = [
            Listener::new(window.clone().into(), "online", network.clone())?,
            Listener::new(window.into(), "offline", network)?,
            Listener::new(document.into(), "visibilitychange", hear(|device| device.visibility_changed()))?,
        ];
        Ok(Self { _listeners, tabs: Tabs::join(device, channel).ok() })
    }

    /// Tells the other tabs what was written here.
    pub(crate) fn tell_tabs(&self, news: &News) {
        if let Some(tabs) = &self.tabs {
            // Another tab that does not hear of it sends what is there already, which is harmless.
            let _ = tabs.channel.post_message(&news.write().into());
        }
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
struct Tabs {
    channel: BroadcastChannel,
    _hear: Closure<dyn FnMut(MessageEvent)>,
}

impl Tabs {
    fn join(device: &Weak<Device>, channel: &str) -> Result<Self, JsValue> {
        let channel = BroadcastChannel::new(channel)?;
        let device = device.clone();
        let hear = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            let news = message.data().as_string().and_then(|text| News::read(&text));
            if let (Some(device), Some(news)) = (device.upgrade(), news) {
                device.learn(news);
            }
        });
        channel.set_onmessage(Some(hear.as_ref().unchecked_ref()));
        Ok(Self { channel, _hear: hear })
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}
