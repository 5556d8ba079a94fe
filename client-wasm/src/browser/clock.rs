//! Time and randomness of the browser.

use domain::{ClientId, DeviceId};
use uuid::{Builder, Uuid};
use wasm_bindgen::JsValue;

use super::web;
use crate::capture::Moment;

/// A clock that nobody can set back, in whole milliseconds: what waits are measured with.
pub(crate) fn monotonic_ms() -> u64 {
    // A float to integer cast saturates, so no reading can overflow.
    web::monotonic_ms() as u64
}

/// The date and time that people see.
pub(crate) fn moment() -> Moment {
    let now = web::unix_ms();
    Moment { unix_ms: now as i64, offset_minutes: web::offset_minutes(now) }
}

/// The date, in milliseconds since 1970; 0 before.
pub(crate) fn unix_ms() -> u64 {
    web::unix_ms() as u64
}

/// The last local midnight, in milliseconds since 1970.
pub(crate) fn day_start_ms() -> i64 {
    web::day_start_ms() as i64
}

/// Random bytes of the browser's cryptographic source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], JsValue> {
    let mut bytes = [0_u8; N];
    web::random(&mut bytes)?;
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
