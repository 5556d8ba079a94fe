import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { temporaryFolder } from '../support/server.js';

/** Where distributions put WebKitGTK's own small browser, below `/usr/lib` or `/usr/lib/<architecture>`. */
const MINI_BROWSER = ['webkit2gtk-4.1/MiniBrowser', 'webkit2gtk-4.0/MiniBrowser', 'webkitgtk-6.0/MiniBrowser'];

export function findMiniBrowser() {
  const below = ['/usr/libexec', '/usr/lib', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name))];
  const places = below.flatMap((folder) => MINI_BROWSER.map((name) => join(folder, name)));
  return process.env.MINI_BROWSER ?? places.find((place) => existsSync(place)) ?? missing('MiniBrowser');
}

export function findOnPath(name) {
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  return places.find((place) => existsSync(place)) ?? missing(name);
}

function missing(name) {
  throw new Error(`${name} is missing: apt-get install webkit2gtk-driver xvfb, or \`cargo xtask test --only setup\``);
}

/** A program with helpers of its own, in a process group that ends as a whole. What it prints is not kept. */
export class Program {
  #child;
  #gone;

  constructor(path, args, { env = {}, stdio = 'ignore' } = {}) {
    this.#child = spawn(path, args, { env: { ...process.env, ...env }, stdio, detached: true });
    this.#gone = once(this.#child, 'exit');
    this.#gone.catch(() => undefined);
  }

  get pid() {
    return this.#child.pid;
  }

  get child() {
    return this.#child;
  }

  async end(signal) {
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(-this.pid, signal);
    await this.#gone;
    // Helpers that outlive it, in the same group.
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // There are none.
    }
  }
}

/** A screen that nobody sees, and a home of their own for the programs that are shown on it. */
export class Screen {
  #home = temporaryFolder('webkit');
  #xvfb;
  /** For the programs. */
  env;

  static async start() {
    const screen = new Screen();
    // It takes a free number by itself, and tells it on descriptor 3.
    screen.#xvfb = new Program(findOnPath('Xvfb'), ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const told = once(screen.#xvfb.child.stdio[3], 'data').then(([number]) => String(number).trim());
    const ended = once(screen.#xvfb.child, 'exit').then(([code]) => {
      throw new Error(`Xvfb ended with ${code} before it had a screen`);
    });
    ended.catch(() => undefined);
    screen.env = {
      DISPLAY: `:${await Promise.race([told, ended])}`,
      HOME: screen.#home.path,
      XDG_DATA_HOME: join(screen.#home.path, 'data'),
      XDG_CACHE_HOME: join(screen.#home.path, 'cache'),
      XDG_CONFIG_HOME: join(screen.#home.path, 'config'),
      // No accessibility bus is asked for, which there is none of.
      NO_AT_BRIDGE: '1',
    };
    return screen;
  }

  async remove() {
    await this.#xvfb.end('SIGTERM');
    this.#home.remove();
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Pids of the processes of this name that this one started. */
export function childrenOf(pid, name) {
  const isChild = (child) => {
    try {
      const stat = readFileSync(`/proc/${child}/stat`, 'utf8');
      // The name stands in brackets and is cut to 15 characters.
      const [, comm, rest] = /\((.*)\) (.*)/s.exec(stat);
      return comm === name.slice(0, 15) && Number(rest.split(' ')[1]) === pid;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).filter(isChild).map(Number);
}
