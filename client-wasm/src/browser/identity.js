// The key by which a store knows this device. WebCrypto makes it and keeps it: no script can read it, this one neither. It
// has a database of its own, so that neither it nor the outbox can harm the other.

/** What the browser does not answer must not keep the device from asking again. */
const TIMEOUT_MS = 8_000;

const STORE = 'enrolments';

/** The enrolment that counts, and the key of one that is on its way. */
const CURRENT = 'current';
const NEXT = 'next';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };

export class DeviceKey {
  constructor(database) {
    this.name = `${database}-identity`;
  }

  /** What the store said when it let this device in, as text; nothing when none did, or the key is gone. */
  async read() {
    const current = await this.#within('readonly', (store) => store.get(CURRENT));
    this.key = current?.privateKey;
    return this.key && current.facts;
  }

  /**
   * The public key for the next enrolment, as JSON. It is on the disk before anybody sees it: an answer may be lost, and
   * then the same key is shown again.
   */
  async next() {
    if (!globalThis.crypto?.subtle) throw 'insecure';
    const known = await this.#within('readonly', (store) => store.get(NEXT));
    return (known ?? (await this.#made())).publicKey;
  }

  /** Makes a key, unless another tab is first. */
  async #made() {
    const { privateKey, publicKey } = await inTime(crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']));
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
    const made = { privateKey, publicKey: JSON.stringify({ kty, crv, x, y }) };
    const known = await this.#within('readwrite', (store) => {
      const asked = store.get(NEXT);
      asked.onsuccess = () => asked.result || store.put(made, NEXT);
      return asked;
    });
    return known ?? made;
  }

  /** From here on this key counts, with what the store said of it; also when another tab has kept it already. */
  async keep(publicKey, facts) {
    await this.#within('readwrite', (store) => {
      const next = store.get(NEXT);
      next.onsuccess = () => {
        if (next.result?.publicKey !== publicKey) return;
        store.put({ ...next.result, facts }, CURRENT);
        store.delete(NEXT);
      };
      return next;
    });
    const current = await this.#within('readonly', (store) => store.get(CURRENT));
    if (current?.publicKey !== publicKey) throw new Error('the key is gone');
  }

  /** A JWT that shows, for a minute and once, that this device has its key (RFC 7523). `offsetMs`: how far the store's clock is ahead. */
  async assertion(enrolment, audience, offsetMs) {
    const now = Math.floor((Date.now() + offsetMs) / 1000);
    const jti = base64url(crypto.getRandomValues(new Uint8Array(16)));
    const claims = { iss: enrolment, sub: enrolment, aud: audience, iat: now, exp: now + 60, jti };
    const said = [{ alg: 'ES256', typ: 'JWT' }, claims].map((part) => base64url(bytes(JSON.stringify(part)))).join('.');
    const signed = await inTime(crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, this.key, bytes(said)));
    return `${said}.${base64url(new Uint8Array(signed))}`;
  }

  /** Resolves with what was asked for when the transaction is over. */
  #within(mode, ask) {
    return inTime(this.#transact(mode, ask));
  }

  async #transact(mode, ask) {
    const database = await this.#open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(STORE, mode, { durability: 'strict' });
        const asked = ask(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }

  #open() {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open(this.name, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
  }
}

function inTime(work) {
  return Promise.race([work, new Promise((_, reject) => setTimeout(reject, TIMEOUT_MS, new Error('no answer')))]);
}

const bytes = (text) => new TextEncoder().encode(text);

const base64url = (raw) => btoa(String.fromCharCode(...raw)).replace(/[+/=]/g, (char) => ({ '+': '-', '/': '_' })[char] ?? '');

/** How far the clock of whoever wrote this header `Date` is ahead, in milliseconds; no number when nobody can say. */
export function aheadMs(date) {
  return Date.parse(date) - Date.now();
}
