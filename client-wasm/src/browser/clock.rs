//! Time and randomness of the browser.

use domain::{ClientId, DeviceId};
use uuid::{Builder, Uuid};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Window;

use crate::capture::Moment;

/// The window. The library runs in pages only.
pub(crate) fn window() -> Result<Window, JsValue> {
    js_sys::global().dyn_into::<Window>().map_err(|_| JsValue::from_str("Leadlog needs a window"))
}

/// A clock that nobody can set back, in whole milliseconds: what waits are measured with.
pub(crate) fn monotonic_ms() -> u64 {
    // A float to integer cast saturates, so no reading can overflow.
    window().ok().and_then(|window| window.performance()).map_or(0, |clock| clock.now() as u64)
}

/// The date and time that people see.
pub(crate) fn moment() -> Moment {
    let now = js_sys::Date::new_0();
    Moment { unix_ms: now.get_time() as i64, offset_minutes: -(now.get_timezone_offset() as i32) }
}

/// The last local midnight, in milliseconds since 1970.
pub(crate) fn day_start_ms() -> i64 {
    let midnight = js_sys::Date::new_0();
    midnight.set_hours(0);
    midnight.set_minutes(0);
    midnight.set_seconds(0);
    midnight.set_milliseconds(0);
    midnight.get_time() as i64
}

/// Random bytes of the browser's cryptographic source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], JsValue> {
    let mut bytes = [0_u8; N];
    window()?.crypto()?.get_random_values_with_u8_array(&mut bytes)?;
    Ok(bytes)
}

/// A new lead: UUIDv7, so that stores' keys grow at their end.
pub(crate) fn new_client_id(unix_ms: i64) -> Result<ClientId, JsValue> {
    let unix_ms = u64::try_from(unix_ms).unwrap_or(0);
    Ok(ClientId::new(Builder::from_unix_timestamp_millis(unix_ms, &random()?).into_uuid()))
}

/// A new installation.
pub(crate) fn new_device_id() -> Result<DeviceId, JsValue> {
    let id: Uuid = Builder::from_random_bytes(random()?).into_uuid();
    id.to_string().parse().map_err(|_| JsValue::from_str("a UUID must be a device id"))
}
