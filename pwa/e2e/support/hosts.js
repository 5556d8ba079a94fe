// Computers of their own on one machine: each with an address, and a cable that is cut, or slow and lossy. A cut cable says
// nothing, where a process that was killed closes its connections.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';
import { passOn } from './pass-on.js';
import { temporaryFolder } from './server.js';

const VENUE = process.env.VENUE_BIN ?? fileURLToPath(new URL('../../../target/release/venue', import.meta.url));
const PORT = 8443;
const BRIDGE = fileURLToPath(new URL('./bridge.js', import.meta.url));

/**
 * These hosts, on one network: network namespaces, made by the program `venue` (venue/src/main.rs). Where nobody may make them
 * they are ports of this computer, each behind a relay that falls silent when its cable is cut. `kind` says which.
 */
export async function makeHosts(...names) {
  try {
    return await Namespaces.make(names);
  } catch (error) {
    return Ports.make(names, `ports of this computer, because it makes no namespaces: ${error.message}`);
  }
}

class Namespaces {
  #venue;
  #gone;
  #told;

  static async make(names) {
    const made = new Namespaces();
    // In a group of its own: Ctrl-C ends this program, and that one then hears that it has, and removes the hosts.
    made.#venue = spawn(VENUE, names, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    made.#gone = once(made.#venue, 'close');
    made.#gone.catch(() => undefined);
    made.#venue.stdin.on('error', () => undefined);
    let wrong = '';
    made.#venue.stderr.on('data', (chunk) => (wrong += chunk));
    await once(made.#venue, 'spawn');
    made.#told = createInterface({ input: made.#venue.stdout })[Symbol.asyncIterator]();
    const { value, done } = await made.#told.next();
    if (done) await made.#gone.then(() => Promise.reject(new Error(wrong.trim())));
    const hosts = Object.entries(JSON.parse(value)).map(([name, where]) => [name, made.#host(name, where)]);
    return { ...Object.fromEntries(hosts), kind: 'network namespaces', canCutBrowsers: true, remove: () => made.#remove() };
  }

  #host(name, { namespace, address }) {
    return {
      namespace,
      listen: `${address}:${PORT}`,
      url: `https://${address}:${PORT}`,
      setUp: `${address}:8090`,
      /** How a program is started there. */
      wrap: (program, args) => ['ip', ['netns', 'exec', namespace, program, ...args]],
      /** A port of this computer that leads to one of that host's own. */
      bridge: (port) => bridge(namespace, port),
      /** Whatever a program there answers by its own address. */
      ask: (url) => execFileSync('ip', ['netns', 'exec', namespace, process.execPath, '-e', `fetch(${JSON.stringify(url)}).then((it) => it.text()).then((it) => process.stdout.write(it))`], { encoding: 'utf8' }),
      cut: () => this.#do('cut', name),
      mend: () => this.#do('mend', name),
      /** Takes its time, and loses some of it. */
      makePoor: ({ delayMs, lossPercent }) => this.#do('poor', name, delayMs, lossPercent),
    };
  }

  async #do(...words) {
    this.#venue.stdin.write(`${words.join(' ')}\n`);
    const { value } = await this.#told.next();
    if (value !== 'done') throw new Error(`the venue says: ${value}`);
  }

  async #remove() {
    this.#venue.stdin.end();
    await this.#gone;
  }
}

/** Waits until a program says something. */
async function ready(child) {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a program in a namespace ended with ${code}`);
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => undefined);
}

/** Leads from here into the namespace: by a socket in the file system, which namespaces share. */
async function bridge(namespace, port) {
  const folder = temporaryFolder('bridge');
  const path = join(folder.path, 'socket');
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, BRIDGE, path, port], { stdio: ['ignore', 'pipe', 'inherit'] });
  await ready(child);
  const server = createServer((near) => passOn(near, connect(path)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    remove() {
      server.close();
      child.kill();
      folder.remove();
    },
  };
}

class Ports {
  static async make(names, kind) {
    const hosts = {};
    const relays = [];
    for (const name of names) {
      const [own, seen, setUp] = [await freePort(), await freePort(), await freePort()];
      const relay = new Relay(seen, own);
      relays.push(relay);
      hosts[name] = {
        listen: `127.0.0.1:${own}`,
        url: `https://127.0.0.1:${seen}`,
        setUp: `127.0.0.1:${setUp}`,
        wrap: (program, args) => [program, args],
        bridge: async (port) => ({ port, remove() {} }),
        ask: async (url) => (await fetch(url)).text(),
        cut: async () => relay.cut(),
        mend: async () => relay.mend(),
        // A connection loses nothing: what is lost on its way is sent again beneath it.
        makePoor: async ({ delayMs }) => relay.mend(delayMs),
      };
    }
    // What a browser sends goes by its own way.
    return { ...hosts, kind, canCutBrowsers: false, remove: async () => relays.forEach((relay) => relay.remove()) };
  }
}

/** A cable between two ports. */
class Relay {
  #sockets = new Set();
  #isCut = false;
  #delayMs = 0;
  #server;

  constructor(from, to) {
    this.#server = createServer((near) => {
      this.#sockets.add(near.on('close', () => this.#sockets.delete(near)).on('error', () => undefined));
      if (this.#isCut) return;
      const far = connect(to, '127.0.0.1');
      this.#sockets.add(far.on('close', () => this.#sockets.delete(far)));
      passOn(near, far, this.#delayMs);
    }).listen(from, '127.0.0.1');
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** What was under way is lost. */
  mend(delayMs = 0) {
    this.#isCut = false;
    this.#delayMs = delayMs;
    for (const socket of this.#sockets) socket.destroy();
  }

  remove() {
    this.#server.close();
    this.mend();
  }
}
