import { existsSync, readFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The build that the tests begin with. */
export const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { html: 'text/html', js: 'text/javascript', css: 'text/css', wasm: 'application/wasm', svg: 'image/svg+xml', json: 'application/json' };

/**
 * Serves a build of the app as the real server does, and releases another one, which the real server does only with
 * another program. Its API is that of a real server, or none: then it is one that cannot be reached.
 */
export class ReleaseServer {
  #api;
  #folder = DIST;
  #instead = [];
  #address = { port: 0, host: '127.0.0.1' };
  #http;
  url;

  /** `api`: where a real server answers. */
  static async start({ api } = {}) {
    const server = new ReleaseServer();
    server.#api = api;
    await server.start();
    return server;
  }

  /** Also after a stop, under the same address. */
  async start() {
    this.#http = createServer((request, response) => this.#answer(request, response));
    await new Promise((listening) => this.#http.listen(this.#address, listening));
    this.#address.port = this.#http.address().port;
    this.url = `http://127.0.0.1:${this.#address.port}`;
  }

  stop() {
    this.#http.closeAllConnections();
    return new Promise((stopped) => this.#http.close(stopped));
  }

  /** From here on, the build in this folder is the app. */
  release(folder) {
    this.#folder = folder;
    this.#instead = [];
  }

  /** Answers paths that match with this text and status 200, or with 404 for `null`; until the next release. */
  answerInstead(path, text) {
    this.#instead.push({ path, text });
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, this.url);
    if (this.#api && /^\/(api|oauth)\//.test(pathname)) {
      this.#forward(request, response);
      return;
    }
    const file = join(this.#folder, pathname === '/' ? 'index.html' : pathname);
    const instead = this.#instead.find(({ path }) => path.test(pathname));
    const body = instead ? instead.text : existsSync(file) ? readFileSync(file) : null;
    if (request.method !== 'GET' || body === null) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[file.split('.').pop()] ?? 'application/octet-stream',
      'Cache-Control': pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    response.end(body);
  }

  #forward(request, response) {
    const { method, headers } = request;
    const forwarded = ask(new URL(request.url, this.#api), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  }
}
