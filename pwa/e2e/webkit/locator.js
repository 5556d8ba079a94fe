import { until } from '../support/until.js';

/**
 * The elements that a person would call so, found as Playwright finds them: what is said to a Playwright page in
 * `support/capture.js` can be said to a page in WebKit, which Playwright does not drive here. Runs in the page.
 */
export function query({ by, role, name, exact }) {
  const NATIVE = { button: 'button', link: 'a[href]', heading: 'h1, h2, h3', checkbox: 'input[type=checkbox]', alert: '', status: 'output', dialog: 'dialog' };
  const plain = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
  const fits = (text) => {
    if (name === undefined) return true;
    if (name.pattern !== undefined) return new RegExp(name.pattern, name.flags).test(plain(text));
    return exact ? plain(text) === name : plain(text).toLowerCase().includes(name.toLowerCase());
  };
  const isVisible = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === 'visible';
  const all = (selector) => [...document.body.querySelectorAll(selector)];
  if (by === 'label') {
    const labels = (element) => [element.getAttribute('aria-label'), ...[...(element.labels ?? [])].map((label) => label.textContent)];
    return all('input, textarea, select, [aria-label]').filter((element) => labels(element).some((text) => text !== null && fits(text)));
  }
  if (by === 'role') {
    const named = (element) => element.getAttribute('aria-label') ?? element.textContent;
    return all([NATIVE[role], `[role=${role}]`].filter(Boolean).join(', ')).filter((element) => isVisible(element) && fits(named(element)));
  }
  // The innermost element that holds the text.
  const holds = (element) => fits(element.textContent) && isVisible(element);
  return all(':not(script, style, template)').filter((element) => holds(element) && ![...element.children].some(holds));
}

/** One element of a page in WebKit, with the part of Playwright's calls that the tests use. */
export class Locator {
  #page;
  #what;

  constructor(page, what) {
    this.#page = page;
    const { name } = what;
    this.#what = name instanceof RegExp ? { ...what, name: { pattern: name.source, flags: name.flags } } : what;
  }

  /** Every call takes the first. */
  first() {
    return this;
  }

  async waitFor() {
    const words = async () => `${JSON.stringify(this.#what)} on a page that says: ${await this.#page.text().catch(String)}`;
    await until(() => this.#ask((element) => element !== undefined), words);
  }

  async click() {
    await this.waitFor();
    await this.#page.tap(query, this.#what);
  }

  async fill(text) {
    await this.waitFor();
    await this.#page.type(query, this.#what, text);
    await until(async () => (await this.inputValue()) === text, async () => `"${text}" in ${JSON.stringify(this.#what)}, which holds "${await this.inputValue()}",`);
  }

  async check() {
    if (await this.isChecked()) return;
    await this.click();
    await until(() => this.isChecked(), () => `a tick in ${JSON.stringify(this.#what)}`);
  }

  inputValue = () => this.#ask((element) => element.value);
  isChecked = () => this.#ask((element) => element.checked);
  textContent = () => this.#ask((element) => element.textContent);
  count = () => this.#page.evaluate(`(${query})(${JSON.stringify(this.#what)}).length`);

  /** `ask` runs in the page; it gets the element, or `undefined`. */
  #ask(ask) {
    return this.#page.evaluate(`(${ask})((${query})(${JSON.stringify(this.#what)})[0])`);
  }
}

/** What both kinds of page have in common. They add `evaluate` of a JavaScript text, `goto`, `reload`, `tap` and `type`. */
export class Page {
  getByLabel = (name, { exact } = {}) => new Locator(this, { by: 'label', name, exact });
  getByText = (name, { exact } = {}) => new Locator(this, { by: 'text', name, exact });
  getByRole = (role, { name, exact } = {}) => new Locator(this, { by: 'role', role, name, exact });
  text = () => this.evaluate('document.body.innerText');
  waitForFunction = (ask) => until(() => this.evaluate(`(${ask})()`), () => String(ask));
}
