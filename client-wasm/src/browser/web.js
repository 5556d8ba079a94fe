// What the browser offers and is said in a line of its own language: each of these calls through
// web-sys costs the download ten times as much. No decision is made here.

/** A clock that nobody can set back, in milliseconds. */
export function monotonicMs() {
  return performance.now();
}

/** Milliseconds since 1970. */
export function unixMs() {
  return Date.now();
}

/** Minutes east of Greenwich, where the device is, at this time. */
export function offsetMinutes(unixMs) {
  return -new Date(unixMs).getTimezoneOffset();
}

/** The last local midnight, in milliseconds since 1970. */
export function dayStartMs() {
  return new Date().setHours(0, 0, 0, 0);
}

/** Fills them from the browser's cryptographic source. */
export function random(bytes) {
  crypto.getRandomValues(bytes);
}

export function isOnline() {
  return navigator.onLine;
}

export function isVisible() {
  return document.visibilityState === 'visible';
}

/** Calls back when the network or the visibility has changed. Returns a function that ends it. */
export function listen(networkChanged, visibilityChanged) {
  const over = new AbortController();
  const { signal } = over;
  addEventListener('online', networkChanged, { signal });
  addEventListener('offline', networkChanged, { signal });
  document.addEventListener('visibilitychange', visibilityChanged, { signal });
  return () => over.abort();
}

/** The other tabs of this app. */
export class Tabs {
  constructor(name, heard) {
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => heard(data);
  }
  tell(text) {
    this.channel.postMessage(text);
  }
  leave() {
    this.channel.onmessage = null;
    this.channel.close();
  }
}

/**
 * One request with a hard time-out over everything, the body of the response included. Resolves with JSON: the status
 * as `code`, `headers`, and `body`, empty where it is no JSON or not of interest. Rejects with whether it was the time-out.
 */
export async function request(method, url, body, timeoutMs, token, type = 'application/json') {
  const over = new AbortController();
  let isTimeout = false;
  const timer = setTimeout(() => {
    isTimeout = true;
    over.abort();
  }, timeoutMs);
  const init = { method, body, cache: 'no-store', signal: over.signal };
  // A captive portal redirects to its page.
  init.redirect = 'error';
  // Otherwise a 401 that names Basic, a store's or a proxy's, opens the browser's own question for a password over the form.
  init.credentials = 'omit';
  init.headers = authorized(token);
  if (body !== undefined) init.headers['content-type'] = type;
  try {
    const response = await fetch(new Request(url, init));
    const { status, ok, headers } = response;
    let text = '';
    // What is not JSON says nothing, and may be large.
    // Why something is refused is said in JSON, too.
    if ((ok || status === 401 || status === 403) && /json/i.test(headers.get('content-type'))) text = await response.text();
    else over.abort();
    return JSON.stringify({ code: status, headers: Object.fromEntries(headers), body: text });
  } catch {
    throw isTimeout;
  } finally {
    clearTimeout(timer);
  }
}

function authorized(token) {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** The same with a form (RFC 6749). */
export function sendForm(url, form, timeoutMs) {
  return request('POST', url, form, timeoutMs, undefined, 'application/x-www-form-urlencoded');
}

/**
 * One exchange of JSON with a store: resolves with the answer's text. Rejects when there is no answer
 * in time, or not one of a store (a captive portal's page); with the status code, if there is one.
 */
export async function exchange(method, url, body, timeoutMs, token) {
  const init = { method, redirect: 'error', credentials: 'omit', cache: method === 'GET' ? 'no-cache' : 'no-store' };
  init.signal = AbortSignal.timeout(timeoutMs);
  init.headers = authorized(token);
  if (body !== undefined) {
    init.headers['content-type'] = 'application/json';
    init.body = body;
    if ('CompressionStream' in globalThis) {
      init.headers['content-encoding'] = 'gzip';
      const packed = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
      init.body = await new Response(packed).blob();
    }
  }
  const response = await fetch(url, init);
  if (!response.ok || !/\bjson\b/.test(response.headers.get('content-type'))) throw response.status;
  return response.text();
}

/** What the browser says of its storage; nothing where it does not say. */
export async function storageState() {
  const storage = navigator.storage;
  const [persisted, { usage, quota }] = await Promise.all([
    storage?.persisted?.() ?? null,
    storage?.estimate?.() ?? {},
  ]);
  return JSON.stringify({ persisted, usage: usage ?? null, quota: quota ?? null });
}

/** Asks the browser not to evict the outbox. */
export function askToPersist() {
  navigator.storage?.persist?.().catch(() => undefined);
}

/** A text that outlives the database, if the browser lets it; read back as it was written. */
export function recall(name) {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name, text) {
  try {
    localStorage.setItem(name, text);
  } catch {
    // What it held before stays; the outbox does not depend on it.
  }
}

/**
 * Asks for a lock. Resolves with a function that gives it back, with `null` while another tab has it, and with nothing
 * where locks do not work.
 */
export async function hold(name, steal) {
  try {
    return await new Promise((answer) => {
      const granted = (lock) => (lock ? new Promise((release) => answer(() => release())) : answer(null));
      const asked = navigator.locks.request(name, steal ? { steal } : { ifAvailable: true }, granted);
      // Also when the browser rejects, for example because another tab has stolen the lock later.
      asked.catch(() => answer(null));
    });
  } catch {
    return undefined;
  }
}

/**
 * Watches which tab has the sending role, by a lock that dies with its tab. Returns a function that says whether
 * it is this one from here on; where it is not, `gone` is called when the one that had it is no more.
 */
export function watchSender(name, gone) {
  let wish = 0;
  const watch = (isOwn) => {
    const mine = ++wish;
    let isHeld = false;
    const granted = () => {
      if (mine !== wish) return undefined;
      isHeld = true;
      if (!isOwn) gone();
      return new Promise(() => undefined);
    };
    // Rejects when another tab has taken the role, and where the browser's locks do not work.
    navigator.locks?.request(name, { steal: isOwn }, granted).catch(() => {
      if (isHeld && mine === wish) watch(false);
    });
  };
  return watch;
}
