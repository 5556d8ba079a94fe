import WebSocket from 'ws';
import { temporaryFolder } from '../support/server.js';
import { until } from '../support/until.js';
import { Page } from './locator.js';
import { childrenOf, findMiniBrowser, freePort, Program } from './programs.js';

/**
 * An iPad: one profile of WebKit, whose storage outlives the browser. WebDriver's sessions keep nothing, so the
 * browser runs as people run it, and the page is reached as Web Inspector reaches it.
 */
export class Ipad {
  #screen;
  #profile = temporaryFolder('webkit-ipad');
  #browser;
  #page;

  constructor(screen) {
    this.#screen = screen;
  }

  /** Opens the app, in a browser that is started when none runs. */
  async open(url) {
    const port = await freePort();
    this.#browser = new Program(findMiniBrowser(), [url], {
      env: {
        ...this.#screen.env,
        XDG_DATA_HOME: `${this.#profile.path}/data`,
        XDG_CACHE_HOME: `${this.#profile.path}/cache`,
        WEBKIT_INSPECTOR_HTTP_SERVER: `127.0.0.1:${port}`,
      },
    });
    const path = await until(() => pageSocket(port), () => 'the page in the list of Web Inspector');
    this.#page = await InspectedPage.connect(`ws://127.0.0.1:${port}${path}`);
    return this.#page;
  }

  get path() {
    return this.#profile.path;
  }

  /** The process that keeps the storage and does the network. */
  storageProcess() {
    return until(() => childrenOf(this.#browser.pid, 'WebKitNetworkProcess')[0], () => 'WebKitNetworkProcess');
  }

  /** Takes the power away: no handler runs, nothing is written out. */
  async cutPower() {
    this.#page?.close();
    await this.#browser?.end('SIGKILL');
    this.#browser = undefined;
  }

  async remove() {
    await this.cutPower();
    this.#profile.remove();
  }
}

async function pageSocket(port) {
  const list = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  return /\/socket\/\d+\/\d+\/WebPage/.exec(list)?.[0];
}

/** A page over the protocol of Web Inspector. Its taps are made by script. */
class InspectedPage extends Page {
  /** What the console said, as `level: text`. */
  console = [];
  #socket;
  #target;
  #lastId = 0;
  #waiting = new Map();

  static async connect(url) {
    const page = new InspectedPage();
    page.#socket = new WebSocket(url);
    page.#socket.on('message', (data) => page.#hear(JSON.parse(data)));
    page.#socket.on('error', (error) => page.#fail(error));
    page.#socket.on('close', () => page.#fail(new Error('the browser is gone')));
    await until(() => page.#target, () => 'the page in Web Inspector');
    return page;
  }

  /** The value of an expression, awaited when it is a promise. */
  async evaluate(script) {
    // Text, because values that cross are previews otherwise.
    const expression = `((value, text) => (value instanceof Promise ? value.then(text) : text(value)))(${script}, (value) => JSON.stringify({ value }))`;
    const given = await this.#ask('Runtime.evaluate', { expression });
    const promiseObjectId = given.wasThrown ? undefined : given.result.objectId;
    const { result, wasThrown } = promiseObjectId
      ? await this.#ask('Runtime.awaitPromise', { promiseObjectId, returnByValue: true })
      : given;
    if (wasThrown) throw new Error(result.description ?? String(result.value));
    return JSON.parse(result.value).value;
  }

  goto = (url) => this.#leave(`location.assign(${JSON.stringify(url)})`);
  reload = () => this.#leave('location.reload()');

  async tap(find, what) {
    await this.evaluate(`void (${find})(${JSON.stringify(what)})[0].click()`);
  }

  /** Types over what is there, at one go: half-typed text that the app brings back comes before or not at all. */
  async type(find, what, text) {
    const command = text === '' ? ['delete'] : ['insertText', false, text];
    const type = (element, command) => {
      element.focus();
      element.select();
      document.execCommand(...command);
    };
    await this.evaluate(`(${type})((${find})(${JSON.stringify(what)})[0], ${JSON.stringify(command)})`);
  }

  close() {
    this.#socket.terminate();
  }

  async #leave(how) {
    await this.evaluate(`void (window.isLeft = true, setTimeout(() => ${how}))`);
    await until(() => this.evaluate('!window.isLeft && document.readyState === "complete"'), () => 'the page after a reload');
  }

  #ask(method, params) {
    const id = (this.#lastId += 1);
    const message = JSON.stringify({ id, method, params });
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // The outer one has an id too; what it answers says nothing.
    this.#socket.send(JSON.stringify({ id: 0, method: 'Target.sendMessageToTarget', params: { targetId: this.#target, message } }));
    return answer;
  }

  #hear({ method, params, error }) {
    if (error) this.#fail(new Error(error.message));
    if (method === 'Target.targetCreated' && !params.targetInfo.isProvisional) this.#enter(params.targetInfo.targetId);
    if (method === 'Target.didCommitProvisionalTarget') this.#enter(params.newTargetId);
    if (method === 'Target.dispatchMessageFromTarget') this.#hearPage(JSON.parse(params.message));
  }

  #hearPage({ id, method, params, result, error }) {
    if (method === 'Console.messageAdded') this.console.push(`${params.message.level}: ${params.message.text}`);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  #enter(target) {
    this.#fail(new Error('the page has changed'));
    this.#target = target;
    for (const domain of ['Console', 'Runtime']) void this.#ask(`${domain}.enable`).catch(() => undefined);
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
