/// <reference lib="webworker" />
/**
 * Starts the app without a network.
 *
 * What it promises:
 * - The shell (page, script, style, WASM, icons) is cached as a whole or not at all, each file checked
 *   against the digest that the build wrote: neither a lost connection nor the sign-in page of a
 *   venue's WiFi can leave half an app or a foreign one behind.
 * - It answers from that cache first, because a network that hangs is worse than none. At each start, and
 *   when the iPad is picked up again, the browser looks whether there is another version.
 * - Another version takes over quietly. It never reloads a page, so it never interrupts a form: the open
 *   page goes on as it is, and the next start is that version. An older one that is released again is a
 *   version like any other.
 * - It answers GET alone, and nothing that belongs to the server. Leads never pass through it.
 *
 * A hard reload (Shift and the button) passes it by, as browsers define it: that page comes from the network or,
 * without one, not at all. An app on the home screen has no such button.
 */
import type { Precache, PrecachedFile } from './precache';

declare const self: ServiceWorkerGlobalScope;
/** Written by the build (`build/offline-shell.ts`). */
declare const __PRECACHE__: Precache;

const SHELL: Precache = __PRECACHE__;
const CACHE_PREFIX = 'leadlog-shell-';
const CACHE_NAME = CACHE_PREFIX + SHELL.version;
const SHELL_PATHS = new Set(SHELL.files.map((file) => file.path));

/** Compression makes servers send `Vary`; the decoded bytes are the same for everyone. */
const MATCH: CacheQueryOptions = { ignoreVary: true, ignoreSearch: true };

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin || isServers(url.pathname)) return;

  if (request.mode === 'navigate') event.respondWith(shellFile('/', request));
  else if (SHELL_PATHS.has(url.pathname) || isFingerprinted(url.pathname)) {
    event.respondWith(shellFile(url.pathname, request));
  }
});

async function install(): Promise<void> {
  // Everything is fetched before anything is stored.
  const responses = await Promise.all(SHELL.files.map(async (file) => [file.path, await fetchFile(file)] as const));
  // One of this version is here when it was left for another and is released again: its place is behind that one.
  await caches.delete(CACHE_NAME);
  try {
    const cache = await caches.open(CACHE_NAME);
    await Promise.all(responses.map(([path, response]) => cache.put(path, response)));
  } catch (reason) {
    await caches.delete(CACHE_NAME);
    throw reason;
  }
  await self.skipWaiting();
}

/** A fingerprinted file that an earlier version already holds is not downloaded again. */
async function fetchFile({ path, integrity }: PrecachedFile): Promise<Response> {
  const known = isFingerprinted(path) ? await caches.match(path, MATCH) : undefined;
  // Apart from that cache, which may be gone before this is stored.
  if (known) return new Response(await known.arrayBuffer(), known);

  const ask = (cache: RequestCache) => fetch(path, { integrity, redirect: 'error', cache });
  // What arrived damaged once may stand in the browser's own cache for a year; it is asked past that.
  const response = await ask(isFingerprinted(path) ? 'default' : 'no-cache').catch(() => ask('reload'));
  if (!response.ok) throw new Error(`${path} answered ${response.status}; the app stays as it was`);
  return response;
}

/** Keeps the version before this one: a page that is still open may ask for one of its files. */
async function activate(): Promise<void> {
  // In the order in which they were made.
  const older = (await caches.keys()).filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE_NAME);
  await Promise.all(older.slice(0, -1).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function shellFile(path: string, request: Request): Promise<Response> {
  const current = await caches.open(CACHE_NAME);
  // The browser may have evicted the cache; then the network is all that is left.
  return (await current.match(path, MATCH)) ?? (await caches.match(path, MATCH)) ?? fetch(request);
}

function isFingerprinted(path: string): boolean {
  return path.startsWith('/assets/');
}

/** Routes that the server answers itself. */
function isServers(path: string): boolean {
  return ['/api', '/dashboard', '/docs', '/openapi.json', '/oauth', '/metrics'].some((root) => path === root || path.startsWith(`${root}/`));
}
