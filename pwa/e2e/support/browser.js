import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { CHROMIUM_FLAGS, findChromium } from './chromium.js';
import { temporaryFolder } from './server.js';

const START_TIMEOUT_MS = 30_000;

/** An iPad: one browser profile, whose storage outlives the browser, as the device outlives an app that was killed. */
export class Ipad {
  #profile = temporaryFolder('ipad');
  #process;
  #browser;
  #page;
  #scale;
  #flags;
  #home;
  #host;
  #bridge;

  /**
   * `scale`: pixels of a screenshot per point of the screen. `flags`: more of the browser's own. `home`: where it finds what it
   * trusts. `host`: the computer that it runs on (hosts.js).
   */
  constructor({ scale = 1, flags = [], home = process.env.HOME, host } = {}) {
    this.#scale = scale;
    this.#flags = flags;
    this.#home = home;
    this.#host = host;
  }

  /** The page, in a browser that is started when none runs. */
  async page() {
    if (this.#page) return this.#page;
    // The browser writes its port there; an old file would lead to the old one.
    const portFile = join(this.#profile.path, 'DevToolsActivePort');
    rmSync(portFile, { force: true });

    // Its own process group, so that a kill takes its helpers along, as a dying battery does.
    const [program, args] = this.#onHost(findChromium(), [...CHROMIUM_FLAGS, ...this.#flags, '--headless=new', '--hide-scrollbars', '--lang=pl', '--accept-lang=pl', `--force-device-scale-factor=${this.#scale}`, '--remote-debugging-port=0', `--user-data-dir=${this.#profile.path}`, 'about:blank']);
    this.#process = spawn(program, args, { stdio: 'ignore', detached: true, env: { ...process.env, HOME: this.#home } });
    const own = await this.#portFrom(portFile);
    this.#bridge = await this.#host?.bridge(own);
    const port = this.#bridge?.port ?? own;
    this.#browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    const [context] = this.#browser.contexts();
    this.#page = context.pages()[0] ?? (await context.newPage());
    this.#page.setDefaultTimeout(40_000);
    await this.#page.setViewportSize({ width: 1133, height: 744 });
    return this.#page;
  }

  #onHost(program, args) {
    return this.#host?.wrap(program, args) ?? [program, args];
  }

  /** Takes the power away: no handler runs, nothing is flushed. */
  async cutPower() {
    const gone = once(this.#process, 'exit');
    process.kill(-this.#process.pid, 'SIGKILL');
    await gone;
    await this.#browser.close().catch(() => undefined);
    this.#bridge?.remove();
    this.#page = undefined;
    this.#process = undefined;
  }

  /** The browser's processes, but for those whose command line matches. */
  pids(except) {
    const commandLine = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const isOurs = (pid) => {
      try {
        // The name in brackets may hold spaces; behind it: state, parent, process group.
        const [, , group] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ');
        return Number(group) === this.#process.pid && !except.test(commandLine(pid));
      } catch {
        // It has ended meanwhile.
        return false;
      }
    };
    return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && isOurs(entry)).map(Number);
  }

  async remove() {
    if (this.#process) await this.cutPower();
    this.#profile.remove();
  }

  async #portFrom(file) {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      if (this.#process.exitCode !== null) throw new Error(`the browser ended with ${this.#process.exitCode} while starting`);
      const port = existsSync(file) && readFileSync(file, 'utf8').split('\n')[0];
      if (port) return port;
      await wait(20);
    }
    throw new Error(`the browser did not open its port within ${START_TIMEOUT_MS} ms`);
  }
}
