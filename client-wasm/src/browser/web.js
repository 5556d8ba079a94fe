// What the browser offers and is said in a line of its own language: each of these calls through
// web-sys costs the download ten times as much. No decision is made here.

/**
 * One exchange of JSON with a store: resolves with the answer's text. Rejects when there is no answer
 * in time, or not one of a store (a captive portal's page).
 */
export async function exchange(method, url, body, timeoutMs) {
  const init = { method, redirect: 'error', cache: method === 'GET' ? 'no-cache' : 'no-store' };
  init.signal = AbortSignal.timeout(timeoutMs);
  if (body !== undefined) {
    init.headers = { 'content-type': 'application/json' };
    init.body = body;
    if ('CompressionStream' in globalThis) {
      init.headers['content-encoding'] = 'gzip';
      const packed = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
      init.body = await new Response(packed).blob();
    }
  }
  const response = await fetch(url, init);
  if (!response.ok || !/\bjson\b/.test(response.headers.get('content-type'))) throw new Error(`${response.status}`);
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
    if (text === undefined) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // A courtesy: the outbox does not depend on it.
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
