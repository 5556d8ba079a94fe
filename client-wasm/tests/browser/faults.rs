//! A disk in trouble.

use js_sys::Function;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
    export function fillDisk(storeName) {
        const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...args) {
            if (this.name === storeName) throw new DOMException('the disk is full', 'QuotaExceededError');
            return put.apply(this, args);
        };
        return () => { IDBObjectStore.prototype.put = put; };
    }

    export function breakReading(storeName) {
        const get = IDBObjectStore.prototype.get;
        IDBObjectStore.prototype.get = function (...args) {
            if (this.name === storeName) throw new DOMException('the storage process died', 'UnknownError');
            return get.apply(this, args);
        };
        return () => { IDBObjectStore.prototype.get = get; };
    }
"#)]
extern "C" {
    #[wasm_bindgen(js_name = fillDisk)]
    fn fill_disk(store: &str) -> Function;
    #[wasm_bindgen(js_name = breakReading)]
    fn break_reading(store: &str) -> Function;
}

/// A disk in trouble, until it is dropped.
pub(crate) struct Fault(Function);

impl Fault {
    /// A quota that is used up, as `put` of one store feels it: the second write of a Save's transaction.
    pub(crate) fn full_disk(store: &str) -> Self {
        Self(fill_disk(store))
    }

    /// A store that can be written but not read, as when the browser's storage process dies after a commit.
    pub(crate) fn unreadable(store: &str) -> Self {
        Self(break_reading(store))
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.0.call0(&JsValue::UNDEFINED).unwrap();
    }
}
