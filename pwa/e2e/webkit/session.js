import { findMiniBrowser, findOnPath, freePort, Program } from './programs.js';
import { until } from '../support/until.js';
import { Page } from './locator.js';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** A page whose taps and keys are those of a person: WebDriver sends them. Its storage ends with it. */
export class Session extends Page {
  #driver;
  #url;

  static async start(screen) {
    const session = new Session();
    const port = await freePort();
    session.#driver = new Program(findOnPath('WebKitWebDriver'), [`--port=${port}`], { env: screen.env });
    session.#url = `http://127.0.0.1:${port}`;
    await until(() => session.#ask('GET', '/status'), () => 'WebKitWebDriver');
    const options = { binary: findMiniBrowser(), args: ['--automation'] };
    const { sessionId } = await session.#ask('POST', '/session', {
      capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': options } },
    });
    session.#url += `/session/${sessionId}`;
    return session;
  }

  goto = (url) => this.#ask('POST', '/url', { url });
  reload = () => this.#ask('POST', '/refresh', {});

  /** The value of an expression, awaited. */
  async evaluate(script) {
    const { value, error } = await this.#ask('POST', '/execute/async', {
      script: `const done = arguments[0];
        Promise.resolve().then(() => (${script})).then((value) => done({ value }), (reason) => done({ error: String(reason) }));`,
      args: [],
    });
    if (error) throw new Error(error);
    return value;
  }

  async tap(find, what) {
    await this.#ask('POST', `/element/${await this.#element(find, what)}/click`, {});
  }

  /** Types over what is there. */
  async type(find, what, text) {
    await this.evaluate(`void (${find})(${JSON.stringify(what)})[0].select()`);
    const element = await this.#element(find, what);
    if (text === '') await this.#ask('POST', `/element/${element}/clear`, {});
    else await this.#ask('POST', `/element/${element}/value`, { text });
  }

  async remove() {
    await this.#ask('DELETE', '').catch(() => undefined);
    await this.#driver.end('SIGTERM');
  }

  async #element(find, what) {
    const script = `return (${find})(arguments[0])[0]`;
    return (await this.#ask('POST', '/execute/sync', { script, args: [what] }))[ELEMENT];
  }

  async #ask(method, path, body) {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(this.#url + path, { method, headers, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error} ${value?.message}`);
    return value;
  }
}
