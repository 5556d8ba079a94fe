import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { found, searchFor } from './personal-data.js';

const PROGRAM = process.env.LEADLOG_BIN ?? fileURLToPath(new URL('../../../target/release/leadlog', import.meta.url));
/** The first start makes a database cluster. */
const START_TIMEOUT_MS = 90_000;
/** All that our own crates have to say: a log that is silent says nothing about what stands in it. */
const LOG_FILTER = ['leadlog', 'identity', 'intake', 'event_store', 'projections', 'domain', 'managed_postgres', 'hub', 'relay', 'tls']
  .map((crate) => `${crate}=trace`)
  .join(',');

/** A folder for one test, which the database's own user may enter (PostgreSQL never runs as root). */
export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `leadlog-${name}-`));
  chmodSync(folder, 0o755);
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The real `leadlog serve` with its own database, on one port that it keeps over restarts. Its log holds no personal data. */
export class Server {
  #folder = temporaryFolder('server');
  #data = join(this.#folder.path, 'data');
  #log = join(this.#folder.path, 'log');
  #codes = [];
  #process;
  #token;
  #args = [];
  #command = 'serve';
  #address = '127.0.0.1:0';
  #host;
  #env = process.env;
  url;

  /** `args`: more of the command line's. `host`: the computer that it runs on (hosts.js). */
  static async start(args = [], { host } = {}) {
    const server = new Server();
    server.#args = args;
    server.#runOn(host);
    await server.start();
    return server;
  }

  /** A hub of this cloud, `leadlog hub`. `trusts`: a file with the CA of its cloud. */
  static async startHub(cloud, args = [], { name = 'hub-1', host, cloudUrl = cloud.url, trusts } = {}) {
    const hub = new Server();
    hub.#command = 'hub';
    hub.#args = ['--cloud', cloudUrl, '--code', await cloud.hubCode(name), ...args];
    if (trusts) hub.#env = { ...process.env, SSL_CERT_FILE: trusts };
    hub.#runOn(host);
    await hub.start();
    return hub;
  }

  #runOn(host) {
    this.#host = host;
    if (host) this.#address = host.listen;
  }

  /** A one-time code that lets a hub in. */
  async hubCode(name) {
    const { code } = JSON.parse(await this.run(['hubs', 'enrol', name, '--json']));
    this.#codes.push(code);
    return code;
  }

  /** Puts an empty hub in its place, which comes in by this code. */
  async replace(code) {
    await this.stop();
    rmSync(this.#data, { recursive: true, force: true });
    this.#args[this.#args.indexOf('--code') + 1] = code;
    await this.start();
  }

  /** A copy of all that it keeps, made while it does not run. */
  async copy() {
    const copy = join(this.#folder.path, 'copy');
    await this.stop();
    rmSync(copy, { recursive: true, force: true });
    // With owners and rights, as an administrator copies it.
    execFileSync('cp', ['-a', this.#data, copy]);
    await this.start();
    return copy;
  }

  /** Puts that copy in the place of what it keeps, and starts it. */
  async restore(copy) {
    await this.stop();
    rmSync(this.#data, { recursive: true, force: true });
    execFileSync('cp', ['-a', copy, this.#data]);
    await this.start();
  }

  async start() {
    const args = [this.#command, '--listen', this.#address, '--data-dir', this.#data, '--log', `debug,${LOG_FILTER}`, ...this.#args];
    const log = openSync(this.#log, 'a');
    const [program, all] = this.#host?.wrap(PROGRAM, args) ?? [PROGRAM, args];
    const child = spawn(program, all, { stdio: ['ignore', 'pipe', log], env: this.#env });
    closeSync(log);
    this.#process = child;
    let printed = '';
    const told = () => `${printed}${this.#logged()}`;

    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${PROGRAM} ended with ${code} before it listened:\n${told()}`);
    });
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`${PROGRAM} does not start: ${error.message}. Build it with: cargo build --release`);
    });
    this.url = await Promise.race([listeningUrl(child.stdout, (line) => (printed += `${line}\n`)), ended, failed, late(told)]);
    // The losers of the race end when the server does; that is no news any more.
    ended.catch(() => undefined);
    failed.catch(() => undefined);
    this.#address = new URL(this.url).host;
  }

  /** Stops it as an operator would; what it took in is safe. */
  async stop() {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }

  /** Stops it for good. Fails when its log or its database's holds what somebody has typed in, or what lets somebody in. */
  async remove() {
    try {
      const searched = existsSync(this.#data) ? await this.#searched() : [];
      await this.stop();
      const lines = found(`${this.#logged()}\n${this.#databaseLogged()}`, searched);
      if (lines.length > 0) throw new Error(`the log of the server holds personal data:\n${lines.slice(0, 20).join('\n')}`);
      if (searched.length > 0 && !/DEBUG .*request/.test(this.#logged())) throw new Error('the log of the server names no request');
    } finally {
      await this.stop();
      this.#folder.remove();
    }
  }

  async #searched() {
    const leads = await this.run(['export', 'leads', '--format', 'ndjson']);
    const refused = await this.run(['quarantine', 'export', '--format', 'ndjson']);
    return searchFor({ leads, refused, codes: this.#codes });
  }

  #logged() {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : '';
  }

  #databaseLogged() {
    const folder = join(this.#data, 'log');
    if (!existsSync(folder)) return '';
    return readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  }

  /** A command of the program about this store, with `input` to read; answers what it prints. */
  async run(command, input = '') {
    const child = spawn(PROGRAM, [...command, '--data-dir', this.#data], { stdio: 'pipe' });
    let [printed, told] = ['', ''];
    child.stdout.on('data', (chunk) => (printed += chunk));
    child.stderr.on('data', (chunk) => (told += chunk));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${printed}${told}`);
    return printed;
  }

  /** A one-time code that connects an iPad under this name. */
  async connectCode(name = 'iPad 1') {
    const { code } = JSON.parse(await this.run(['devices', 'enrol', name, '--json']));
    this.#codes.push(code);
    return code;
  }

  /** The link with such a code. */
  async connectUrl(name = 'iPad 1', path = '/') {
    return `${this.url}${path}#connect=${await this.connectCode(name)}`;
  }

  /** A one-time link that signs this person in at the office. */
  async invitation(name, ...scopes) {
    const asked = ['invite', name, ...scopes.flatMap((scope) => ['--scope', scope]), '--url', this.url, '--json'];
    const invited = JSON.parse(await this.run(asked));
    this.#codes.push(invited.code);
    return invited;
  }

  /** How many leads it has, asked at the computer that it runs on. */
  async leadCount() {
    return (await this.run(['export', 'leads', '--format', 'ndjson'])).trim().split('\n').filter(Boolean).length;
  }

  /** A token for the exports. */
  async #exportToken() {
    const told = await this.run(['tokens', 'issue', '--scope', 'crm']);
    return told.split(/\s+/).find((word) => word.split('.').length === 3 && word.startsWith('eyJ'));
  }

  /** The export of leads, as lines without the header. */
  async exportedLeads() {
    this.#token ??= await this.#exportToken();
    const response = await fetch(`${this.url}/api/exports/leads.csv`, { headers: { authorization: `Bearer ${this.#token}` } });
    if (!response.ok) throw new Error(`leads.csv answered ${response.status}: ${await response.text()}`);
    return (await response.text()).trim().split(/\r?\n/).slice(1);
  }
}

async function listeningUrl(stdout, passOn) {
  const lines = createInterface({ input: stdout });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      passOn(line);
      const match = /listening on (https?:\/\/\S+)/.exec(line);
      if (match) resolve(match[1].replace(/\/$/, ''));
    });
  });
}

function late(told) {
  return new Promise((_, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${PROGRAM} did not listen within ${START_TIMEOUT_MS} ms:\n${told()}`)),
      START_TIMEOUT_MS,
    );
    timer.unref();
  });
}
