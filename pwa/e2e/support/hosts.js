// Computers of their own on one machine: each with an address, and a cable that can be cut. A cut cable says nothing, where a
// process that was killed closes its connections.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';
import { passOn } from './pass-on.js';
import { temporaryFolder } from './server.js';

const PORT = 8443;
const BRIDGE = fileURLToPath(new URL('./bridge.js', import.meta.url));

/**
 * These hosts, on one network: network namespaces, made by `ip` of iproute2. Where nobody may make them they are ports of this
 * computer, each behind a relay that falls silent when its cable is cut. `kind` says which.
 */
export async function makeHosts(...names) {
  try {
    return await Namespaces.make(names);
  } catch (error) {
    return Ports.make(names, `ports of this computer, because it makes no namespaces: ${error.message}`);
  }
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

class Namespaces {
  kind = 'network namespaces';
  // Names and addresses that no other run has at the same time.
  #number = (process.pid % 200) + 1;
  #hosts = [];

  static async make(names) {
    const made = new Namespaces();
    try {
      const hosts = made.#make(names);
      // A firewall of the machine's may let nothing through.
      const [one, other] = Object.values(hosts);
      await check(one, other);
      return { ...hosts, kind: made.kind, canCutBrowsers: true, remove: () => made.#remove() };
    } catch (error) {
      made.#remove();
      throw error;
    }
  }

  get #switch() {
    return `leadlog-e${this.#number}`;
  }

  #make(names) {
    ip('link', 'add', this.#switch, 'type', 'bridge');
    ip('link', 'set', this.#switch, 'up');
    return Object.fromEntries(names.map((name, index) => [name, this.#host(index + 10)]));
  }

  #host(host) {
    const [name, cable, address] = [`leadlog-e${this.#number}-${host}`, `le${this.#number}-${host}`, `10.78.${this.#number}.${host}`];
    ip('netns', 'add', name);
    this.#hosts.push(name);
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', cable, 'master', this.#switch, 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    return {
      listen: `${address}:${PORT}`,
      url: `https://${address}:${PORT}`,
      setUp: `${address}:8090`,
      /** How a program is started there. */
      wrap: (program, args) => ['ip', ['netns', 'exec', name, program, ...args]],
      /** A port of this computer that leads to one of that host's own. */
      bridge: (port) => bridge(name, port),
      /** Whatever a program there answers by its own address. */
      ask: (url) => execFileSync('ip', ['netns', 'exec', name, process.execPath, '-e', `fetch(${JSON.stringify(url)}).then((it) => it.text()).then((it) => process.stdout.write(it))`], { encoding: 'utf8' }),
      cut: () => ip('link', 'set', cable, 'down'),
      mend: () => ip('link', 'set', cable, 'up'),
    };
  }

  #remove() {
    const attempt = (...args) => {
      try {
        ip(...args);
      } catch {
        // It was not made.
      }
    };
    for (const name of this.#hosts) attempt('netns', 'del', name);
    attempt('link', 'del', this.#switch);
  }
}

/** Whether one host reaches another. */
async function check(one, other) {
  const serve = `require('node:net').createServer().listen(${PORT}, () => console.log('ready'))`;
  const server = spawn(...other.wrap(process.execPath, ['-e', serve]), { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await ready(server);
    const [host] = other.listen.split(':');
    const reach = `require('node:net').connect(${PORT}, '${host}', () => process.exit(0)).on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 5000)`;
    const [code] = await once(spawn(...one.wrap(process.execPath, ['-e', reach]), { stdio: 'ignore' }), 'exit');
    if (code !== 0) throw new Error('one namespace does not reach another');
  } finally {
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
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
        cut: () => relay.cut(),
        mend: () => relay.mend(),
      };
    }
    // What a browser sends goes by its own way.
    return { ...hosts, kind, canCutBrowsers: false, remove: () => relays.forEach((relay) => relay.remove()) };
  }
}

/** A cable between two ports. */
class Relay {
  #sockets = new Set();
  #isCut = false;
  #server;

  constructor(from, to) {
    this.#server = createServer((near) => {
      this.#sockets.add(near.on('close', () => this.#sockets.delete(near)).on('error', () => undefined));
      if (this.#isCut) return;
      const far = connect(to, '127.0.0.1');
      this.#sockets.add(far.on('close', () => this.#sockets.delete(far)));
      passOn(near, far);
    }).listen(from, '127.0.0.1');
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** What was under way is lost. */
  mend() {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  remove() {
    this.#server.close();
    this.mend();
  }
}
