// Faults between the library and its disk. Each function breaks something and returns what lifts it again.

const requests = { read: ['get', 'getAll'], write: ['put', 'add', 'delete'] };

function patch(prototype, methods, change) {
  const kept = methods.map((method) => [method, prototype[method]]);
  for (const [method, original] of kept) {
    prototype[method] = function (...args) {
      return change.call(this, original, args);
    };
  }
  return () => {
    for (const [method, original] of kept) prototype[method] = original;
  };
}

/** A write to one store finds no space at once. */
export function fullDisk(store) {
  return patch(IDBObjectStore.prototype, requests.write, function (original, args) {
    if (this.name === store) throw new DOMException('the disk is full', 'QuotaExceededError');
    return original.apply(this, args);
  });
}

/** `get` on one store finds the browser's storage process dead. */
export function unreadable(store) {
  return patch(IDBObjectStore.prototype, ['get'], function (original, args) {
    if (this.name === store) throw new DOMException('the storage process died', 'UnknownError');
    return original.apply(this, args);
  });
}

/** The browser gives up every transaction in which something is asked, without a word. */
export function abort() {
  return patch(IDBObjectStore.prototype, [...requests.read, ...requests.write], function (original, args) {
    const request = original.apply(this, args);
    this.transaction.abort();
    return request;
  });
}

/** Whatever is written turns out not to fit, after the request was taken. */
export function quota() {
  return patch(IDBObjectStore.prototype, requests.write, function (original, args) {
    const request = original.apply(this, args);
    const error = new DOMException('the disk is full', 'QuotaExceededError');
    Object.defineProperty(this.transaction, 'error', { value: error });
    this.transaction.abort();
    return request;
  });
}

/** The browser closes the connection in the middle of the next transaction. */
export function closed() {
  let isDone = false;
  return patch(IDBObjectStore.prototype, [...requests.read, ...requests.write], function (original, args) {
    const request = original.apply(this, args);
    if (!isDone) {
      isDone = true;
      const { db } = this.transaction;
      this.transaction.abort();
      db.close();
      db.dispatchEvent(new Event('close'));
    }
    return request;
  });
}

/** Another tab keeps this version open and is frozen, while a third wants the next version. */
export async function blocked(name) {
  const frozen = await opened(indexedDB.open(name));
  const newer = indexedDB.open(name, frozen.version + 1);
  newer.onupgradeneeded = () => newer.result.createObjectStore('of a later version');
  await new Promise((resolve) => {
    newer.onblocked = resolve;
  });
  return async () => {
    frozen.close();
    (await opened(newer)).close();
  };
}

/** A transaction of another tab that never ends. */
export async function hung(name) {
  const other = await opened(indexedDB.open(name));
  other.onversionchange = () => other.close();
  let isOver = false;
  const transaction = other.transaction(['entries', 'marks', 'meta'], 'readwrite');
  const again = () => {
    if (!isOver) transaction.objectStore('meta').get('epoch').onsuccess = again;
  };
  again();
  return async () => {
    isOver = true;
    await new Promise((resolve) => {
      transaction.oncomplete = resolve;
    });
    other.close();
  };
}

/** An entry that was written is not what is read. */
export function mismatch() {
  return patch(IDBObjectStore.prototype, ['get'], function (original, args) {
    return original.apply(this, this.name === 'entries' ? [args[0] + 1_000_000] : args);
  });
}

/** Writes reach the disk, but nobody is told. */
export function unheard() {
  return patch(IDBDatabase.prototype, ['transaction'], function (original, args) {
    const transaction = original.apply(this, args);
    if (args[1] === 'readwrite') Object.defineProperty(transaction, 'oncomplete', { set() {} });
    return transaction;
  });
}

/** The page dies in the middle of an upgrade. */
export function brokenUpgrade() {
  return patch(IDBDatabase.prototype, ['createObjectStore'], function (original, args) {
    if (args[0] === 'meta') throw new Error('the page died');
    return original.apply(this, args);
  });
}

/** A database that a later version of the app has upgraded, while this one is open. */
export async function upgraded(name, version) {
  const newer = indexedDB.open(name, version);
  newer.onupgradeneeded = () => newer.result.createObjectStore('of a later version');
  (await opened(newer)).close();
}

function opened(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Writes a record as it is: JSON, or `bigint` for one that is none. */
export async function writeRaw(name, store, json, key) {
  const database = await opened(indexedDB.open(name));
  const value = JSON.parse(json, (_, it) => (it === 'a BigInt' ? 1n : it));
  const into = database.transaction(store, 'readwrite').objectStore(store);
  await opened(key === undefined ? into.put(value) : into.put(value, key));
  database.close();
}

/** Long timers ring when the test says so, and not by the clock. */
export class Alarms {
  constructor() {
    const { setTimeout, clearTimeout } = window;
    const set = new Map();
    let last = 1e9;
    this.set = set;
    window.setTimeout = (callback, delay, ...args) => {
      if (delay < 5_000) return setTimeout.call(window, callback, delay, ...args);
      set.set(++last, callback);
      return last;
    };
    window.clearTimeout = (id) => (set.delete(id) ? undefined : clearTimeout.call(window, id));
    this.lift = () => Object.assign(window, { setTimeout, clearTimeout });
  }
  ring() {
    const callbacks = [...this.set.values()];
    this.set.clear();
    for (const callback of callbacks) callback();
  }
  restore() {
    this.lift();
  }
}

/** Lets everything happen that is due. */
export function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(0);
  });
}

/** A record to the last digit, those too that are no JSON. */
export async function exact(name, store, key) {
  const database = await opened(indexedDB.open(name));
  const found = await opened(database.transaction(store).objectStore(store).get(key));
  database.close();
  return JSON.stringify(found, (_, it) => (typeof it === 'bigint' ? `${it}n` : it));
}
