// What the network has to carry: bytes of the answers as they travel, heads included.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Ipad } from '../e2e/support/browser.js';
import { field, openReady } from '../e2e/support/capture.js';
import { DIST } from '../e2e/support/release-server.js';
import { buildAgain } from '../e2e/support/second-build.js';

/**
 * The page's first load from the real server, as the browser counts it; API answers apart. `formBytes` is what the
 * form needs: the page and the files that it names.
 */
export async function measureFirstLoad({ server, tell }) {
  tell('loading for the first time');
  const ipad = new Ipad();
  try {
    const page = await ipad.page();
    const session = await page.context().newCDPSession(page);
    const paths = new Map();
    const files = new Map();
    session.on('Network.responseReceived', ({ requestId, response }) => paths.set(requestId, new URL(response.url).pathname));
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const path = paths.get(requestId);
      // A file may be asked for twice; the second time it comes from the browser.
      if (path && !path.startsWith('/api/')) files.set(path, (files.get(path) ?? 0) + encodedDataLength);
    });
    await session.send('Network.enable');
    await page.goto(server.url);
    await field(page, 'firstName').waitFor();
    await page.waitForLoadState('networkidle');
    const html = await (await fetch(server.url)).text();
    const forForm = [...files].filter(([path]) => path === '/' || html.includes(`"${path}"`)).map(([, bytes]) => bytes);
    return { formBytes: sum(forForm), bytes: sum(files.values()), files: Object.fromEntries(files) };
  } finally {
    await ipad.remove();
  }
}

/**
 * Everything up to the app that also opens offline, and then an update whose WASM is the same: all that the
 * browser and the service worker fetch. The real server holds one build, so its files come from here as it sends
 * them, brotli as the build made it.
 */
export async function measureUpdate({ tell }) {
  tell('building the app again');
  const second = await buildAgain('second');
  const app = await FileServer.start();
  const ipad = new Ipad();
  try {
    tell('updating');
    const page = await ipad.page();
    await openReady(page, app.url);
    await page.waitForLoadState('networkidle');
    const install = app.takeBytes();
    app.folder = second.path;
    await page.evaluate(async () => {
      const taken = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.update();
      await taken;
    });
    return { install, update: app.takeBytes() };
  } finally {
    await ipad.remove();
    app.stop();
    second.remove();
  }
}

const TYPES = {
  css: 'text/css',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
  webmanifest: 'application/manifest+json',
};

class FileServer {
  folder = DIST;
  url;
  #http = createServer((request, response) => this.#answer(request, response));
  #bytes = 0;

  static async start() {
    const server = new FileServer();
    await new Promise((listening) => server.#http.listen(0, '127.0.0.1', listening));
    server.url = `http://127.0.0.1:${server.#http.address().port}`;
    return server;
  }

  stop() {
    this.#http.closeAllConnections();
    this.#http.close();
  }

  /** Sent since the last time. */
  takeBytes() {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const file = join(this.folder, pathname === '/' ? 'index.html' : pathname);
    if (pathname.startsWith('/api/') || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const { socket } = response;
    const before = socket.bytesWritten;
    response.on('finish', () => (this.#bytes += socket.bytesWritten - before));
    const sent = existsSync(`${file}.br`) ? `${file}.br` : file;
    const content = readFileSync(sent);
    const tag = `"${createHash('sha256').update(content).digest('hex').slice(0, 32)}"`;
    const isKnown = request.headers['if-none-match'] === tag;
    response.statusCode = isKnown ? 304 : 200;
    response.setHeader('etag', tag);
    response.setHeader('cache-control', pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    response.setHeader('vary', 'accept-encoding');
    if (sent !== file) response.setHeader('content-encoding', 'br');
    response.setHeader('content-type', TYPES[file.split('.').pop()] ?? 'application/octet-stream');
    response.end(isKnown ? undefined : content);
  }
}

function sum(numbers) {
  return [...numbers].reduce((total, number) => total + number, 0);
}
