import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css', wasm: 'application/wasm', svg: 'image/svg+xml' };

/**
 * Serves the built app and can release another version of it, which the real server does only with
 * another program. No API: for the page it is a server that cannot be reached.
 */
export class ReleaseServer {
  #changed = new Map();
  #http = createServer((request, response) => this.#answer(request, response));
  url;

  static async start() {
    const server = new ReleaseServer();
    await new Promise((listening) => server.#http.listen(0, '127.0.0.1', listening));
    server.url = `http://127.0.0.1:${server.#http.address().port}`;
    return server;
  }

  /** A build that differs in its page, as the real one would be: page, digest and version. */
  release(version) {
    const page = readFileSync(join(DIST, 'index.html'), 'utf8');
    const released = page.replace('<head>', `<head><meta name="release" content="${version}">`);
    const worker = readFileSync(join(DIST, 'sw.js'), 'utf8');
    const changed = worker
      .replace(`sha256-${digest(page)}`, `sha256-${digest(released)}`)
      .replace(/("version":")\w+/, `$1${version}`);
    this.#changed.set('/', released).set('/sw.js', changed);
  }

  /** What a venue's WiFi does before someone signs in: every page is its own, with status 200. */
  showPortalInsteadOfPage() {
    this.#changed.set('/', '<!doctype html><title>WiFi</title>');
  }

  stop() {
    this.#http.closeAllConnections();
    return new Promise((stopped) => this.#http.close(stopped));
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    const file = join(DIST, pathname === '/' ? 'index.html' : pathname);
    const body = this.#changed.get(pathname) ?? (existsSync(file) ? readFileSync(file) : undefined);
    if (request.method !== 'GET' || body === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[file.split('.').pop()] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' }).end(body);
  }
}

function digest(text) {
  return createHash('sha256').update(text).digest('base64');
}
