// IndexedDB in the browser's own language. What is promised stands in `idb.rs`; which transactions there are, and
// what they ask, is said in Rust, but for the one of a Save (`Addition`), whose steps must not wait for each other.

/** A read of many records on a slow device is no fault. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Opening takes for ever where another tab keeps an older version open and is frozen. */
const OPEN_TIMEOUT_MS = 8_000;

/** What kind of error it is, by its name. */
const KINDS = {
  QuotaExceededError: 'quota',
  // `UnknownError` is WebKit's after its storage process has died, `AbortError` what happens to requests when the
  // browser gives a transaction up. Another try on a fresh connection does no harm.
  InvalidStateError: 'closed',
  UnknownError: 'closed',
  AbortError: 'closed',
  TimedOut: 'timeout',
};

/** An error as text: kind, name, message. */
export function worded(error) {
  const { name = '', message = '' } = error ?? {};
  return typeof error === 'string' ? error : `${KINDS[name] ?? 'other'} ${name}: ${message}`;
}

/** A record as JSON; nothing when there is none, or no JSON can say it. */
export function text(record) {
  try {
    return JSON.stringify(record);
  } catch {
    return undefined;
  }
}

/** What comes of this work, unless it takes longer. */
function within(timeoutMs, work) {
  let timer;
  const alarm = new Promise((_, reject) => {
    timer = setTimeout(() => reject({ name: 'TimedOut' }), timeoutMs);
  });
  return Promise.race([work, alarm]).finally(() => clearTimeout(timer));
}

/** Resolves once, unless it is stopped before. */
export class Alarm {
  constructor(timeoutMs) {
    this.rings = new Promise((resolve) => {
      this.ring = resolve;
    });
    this.timer = setTimeout(this.ring, timeoutMs);
  }
  stop() {
    clearTimeout(this.timer);
    // Who waits for a promise that is never settled stays in memory.
    this.ring();
  }
}

/** Of no version: as it is. */
function opened(name, schema, version) {
  return new Promise((resolve, reject) => {
    if (!globalThis.indexedDB) throw new Error('this browser has no IndexedDB');
    const request = indexedDB.open(name, version);
    // An error thrown in here aborts the upgrade, and the database stays as it was. So does a crash; the next
    // opening begins the upgrade again.
    request.onupgradeneeded = ({ oldVersion }) => {
      for (const stores of schema.slice(oldVersion)) create(request.result, stores);
    };
    // `blocked` needs no handler: every page of this app closes on `versionchange`, then it goes on.
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function create(database, stores) {
  for (const [name, { keyPath, indexes }] of Object.entries(stores)) {
    const store = database.createObjectStore(name, { keyPath });
    for (const [index, path] of Object.entries(indexes ?? {})) store.createIndex(index, path, { unique: true });
  }
}

/** A connection that opens itself again after the browser has closed it. */
export class Connection {
  /** How often it was opened. */
  generation = 0;

  constructor(name, schema) {
    this.name = name;
    this.schema = JSON.parse(schema);
  }

  /** Resolves when the connection is open. */
  async open() {
    if (this.database) return;
    // Whoever waits may give up, but an upgrade that has begun is carried out, and a connection that opens late
    // is used or closed, never left to stand in another tab's way.
    const opening = opened(this.name, this.schema, this.schema.length)
      .catch((error) => {
        if (error?.name !== 'VersionError') throw error;
        // A later version of the app has changed it. It only ever adds.
        return opened(this.name, this.schema);
      })
      .then((database) => {
        if (this.database || this.isOver) database.close();
        else this.use(database);
      });
    await within(OPEN_TIMEOUT_MS, opening).catch((error) => {
      throw worded(error);
    });
  }

  use(database) {
    this.database = database;
    this.generation += 1;
    // When another page wants a newer version: stand aside, or it waits for ever.
    database.onversionchange = () => this.lose(database);
    // When the browser closes the connection by itself.
    database.onclose = () => this.lose(database);
  }

  /** The next transaction is begun on a fresh one. */
  lose(database) {
    if (database !== undefined && this.database === database) this.database = undefined;
    database?.close();
  }

  begin(stores, isWrite) {
    const { database } = this;
    try {
      return this.transaction(stores, isWrite);
    } catch (error) {
      throw this.blame(database, error);
    }
  }

  /** The same, with the browser's error. */
  transaction(stores, isWrite) {
    if (!this.database) throw { name: 'InvalidStateError' };
    return new Transaction(this, this.database, stores.split(' '), isWrite);
  }

  add(store, generation, json) {
    return new Addition(this, store, generation, JSON.parse(json));
  }

  /** An error as text. What fails because the connection is gone, or hangs, is tried on a fresh one the next time. */
  blame(database, error) {
    const text = worded(error);
    if (/^(closed|timeout) /.test(text)) this.lose(database);
    return text;
  }

  forget() {
    this.lose(this.database);
  }

  close() {
    this.isOver = true;
    this.forget();
  }
}

class Transaction {
  constructor(connection, database, stores, isWrite) {
    const mode = isWrite ? 'readwrite' : 'readonly';
    const inner = database.transaction(stores, mode, isWrite ? { durability: 'strict' } : {});
    this.inner = inner;
    this.rethrow = (error) => {
      throw connection.blame(database, error);
    };
    // Listen before anything can happen. It never rejects: nobody may be waiting when a guard is dropped.
    this.finished = new Promise((resolve) => {
      inner.oncomplete = resolve;
      inner.onabort = resolve;
    });
  }

  /** A store, or an index of it: `store.index`. */
  place(path) {
    const [store, index] = path.split('.');
    const place = this.inner.objectStore(store);
    return index ? place.index(index) : place;
  }

  /** What a request comes to. */
  ask(...what) {
    return within(ANSWER_TIMEOUT_MS, this.answer(...what)).catch(this.rethrow);
  }

  /** The same, however long it takes, and with the browser's error. */
  answer(path, method, ...args) {
    return new Promise((resolve, reject) => {
      const request = this.orAbort(() => this.place(path)[method](...args));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(this.reason(request.error));
    });
  }

  /** A request that cannot even begin ends the transaction, as one that fails does: nothing is half-written. */
  orAbort(begin) {
    try {
      return begin();
    } catch (error) {
      this.fault ??= error;
      this.abort();
      throw error;
    }
  }

  /** Where the whole transaction has failed, it says why; its requests only say that it has. */
  reason(error) {
    return this.fault ?? this.inner.error ?? error;
  }

  /** Records behind a key, as a JSON array; how many; the key of the last. */
  async page(store, after, limit) {
    const records = await this.ask(store, 'getAll', IDBKeyRange.lowerBound(after, true), limit);
    const json = text(records) ?? `[${records.map((record) => text(record) ?? 'null')}]`;
    return [json, records.length, records.at(-1)?.key];
  }

  /** The highest key; of an index over pairs, the highest number beside this first part. */
  async lastNumber(path, first) {
    const range = first === undefined ? null : IDBKeyRange.bound([first, 0], [first, Infinity]);
    const cursor = await this.ask(path, 'openKeyCursor', range, 'prev');
    return [cursor?.key].flat().at(-1);
  }

  /** Puts every record of a JSON array. Nobody waits: if one fails, the transaction aborts, and the commit says so. */
  putAll(store, records) {
    this.orAbort(() => {
      const place = this.place(store);
      for (const record of JSON.parse(records)) place.put(record);
    });
  }

  /** Resolves when everything is written. What was asked for is, and nothing more can be. */
  commit() {
    return within(ANSWER_TIMEOUT_MS, this.written()).catch(this.rethrow);
  }

  /** The same, however long it takes, and with the browser's error. */
  async written() {
    try {
      // At once: by itself the browser would wait for the last answer first.
      this.inner.commit?.();
    } catch {
      // It has been aborted, and says why.
    }
    const { type } = await this.finished;
    // Without an error object the browser itself gave up: the connection is lost.
    if (type !== 'complete') throw this.reason({ name: 'AbortError' });
  }

  abort() {
    // What is aborted on purpose says nothing about the connection.
    this.fault ??= { name: 'GivenUp' };
    try {
      this.inner.abort();
    } catch {
      // It has been aborted already, which is what is wanted.
    }
  }
}

/** A record under way to the disk. It waits for as long as it is not given up: one alarm for all of it is enough. */
class Addition {
  constructor(connection, ...what) {
    const { database } = connection;
    this.done = this.write(connection, ...what).catch((error) => {
      throw connection.blame(database, error);
    });
  }

  async write(connection, store, generation, record) {
    if (connection.generation !== generation) return undefined;
    this.writing = connection.transaction(store, true);
    await this.writing.answer(store, 'add', record);
    // The browser begins the look back when what is written before it is on the disk.
    const lookBack = async () => connection.transaction(store, false).answer(store, 'get', record.key);
    const [, found] = await Promise.all([this.writing.written(), lookBack()]);
    // Both were made from the same JSON, so their fields stand in the same order.
    return text(found) === text(record);
  }

  abort() {
    this.writing?.abort();
  }
}
