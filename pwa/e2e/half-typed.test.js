// Half-typed text survives a reload and a page that was killed, and is seen by nobody else (CAP-6, CAP-9).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openReady, PEOPLE, save, see, seeSaved, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

const STORED = 'leadlog.half-typed.';
const terms = (tab) => tab.getByRole('checkbox', { name: 'Akceptuję regulamin' });

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
});

beforeEach(async () => {
  await openReady(page, server.url);
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await field(page, 'firstName').waitFor();
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

const stored = (tab = page) =>
  tab.evaluate((prefix) => Object.keys(localStorage).filter((name) => name.startsWith(prefix)).map((name) => localStorage[name]), STORED);

/** Nothing is left that could come up: whoever looked for text has found it or given up. */
const nobodyLooks = (tab) =>
  tab.waitForFunction(async (prefix) => {
    const { pending } = await navigator.locks.query();
    return pending.every(({ name }) => !name.startsWith(prefix));
  }, STORED);

async function halfType() {
  await field(page, 'firstName').fill('Zofia');
  await field(page, 'email').fill('zofia@');
  await terms(page).check();
}

async function seeHalfTyped(tab) {
  await tab.waitForFunction(() => document.getElementById('email')?.value === 'zofia@');
  assert.equal(await field(tab, 'firstName').inputValue(), 'Zofia');
  assert.equal(await terms(tab).isChecked(), true);
}

test('it survives a reload, without a network too', async () => {
  await halfType();
  await page.context().setOffline(true);
  await page.reload();
  await seeHalfTyped(page);
  await page.context().setOffline(false);
});

test('a fix that was begun goes on after a reload, with what stood in the form before', async () => {
  await save(page, PEOPLE.anna);
  await halfType();
  await page.getByRole('button', { name: 'Popraw', exact: true }).click();
  await field(page, 'lastName').fill('Nowak-Lis');
  await page.reload();
  await see(page, 'Poprawiasz: Anna N.');
  await tapSave(page);
  await seeSaved(page, PEOPLE.anna);
  await seeHalfTyped(page);
});

test('it comes up after the page was killed, in one of the tabs, and never beside the one that types it', async () => {
  await halfType();
  const second = await page.context().newPage();
  await openReady(second, server.url);
  await nobodyLooks(second);
  assert.equal(await field(second, 'email').inputValue(), '', 'the other person goes on in the first tab');

  const devtools = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  devtools.send('Page.crash').catch(() => undefined);
  await crashed;
  await second.reload();
  await seeHalfTyped(second);

  const third = await page.context().newPage();
  await openReady(third, server.url);
  await nobodyLooks(third);
  assert.equal(await field(third, 'email').inputValue(), '');
  await third.close();
  await page.close();
  page = second;
});

test('after half an hour the person has left, and so has the text', async () => {
  await halfType();
  await page.evaluate((prefix) => {
    const name = Object.keys(localStorage).find((key) => key.startsWith(prefix));
    const text = JSON.parse(localStorage[name]);
    localStorage[name] = JSON.stringify({ ...text, at: text.at - 31 * 60_000 });
  }, STORED);
  await page.reload();
  await field(page, 'firstName').waitFor();
  await nobodyLooks(page);
  assert.equal(await field(page, 'email').inputValue(), '');
  assert.deepEqual(await stored(), []);
});

test('a save leaves nothing behind, also when the page was killed before it could tidy up (SYN-4)', async () => {
  await field(page, 'firstName').fill(PEOPLE.anna.firstName);
  await field(page, 'lastName').fill(PEOPLE.anna.lastName);
  await field(page, 'email').fill(PEOPLE.anna.email);
  await page.getByLabel('Zaznacz wszystkie zgody').check();
  const [text] = await stored();
  await tapSave(page);
  await seeSaved(page, PEOPLE.anna);
  assert.deepEqual(await stored(), []);

  // What the disk holds when the power went between the lead and the text.
  await page.evaluate(([name, text]) => localStorage.setItem(name, text), [`${STORED}1`, text]);
  await page.reload();
  await field(page, 'firstName').waitFor();
  await nobodyLooks(page);
  assert.equal(await field(page, 'email').inputValue(), '');
});

test('a storage that refuses costs nothing but the text', async () => {
  await page.addInitScript(() => {
    if (sessionStorage.getItem('refuse')) {
      Storage.prototype.setItem = () => {
        throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
      };
    }
  });
  await page.evaluate(() => sessionStorage.setItem('refuse', 'yes'));
  await page.reload();
  await halfType();
  await save(page, PEOPLE.zofia);
  await page.evaluate(() => sessionStorage.clear());
});

/** The consents of the newest entry, as they stand on the disk. */
const provenConsents = () =>
  page.evaluate(async () => {
    const opening = indexedDB.open('leadlog-outbox');
    await new Promise((done) => (opening.onsuccess = done));
    const reading = opening.result.transaction('entries').objectStore('entries').getAll();
    await new Promise((done) => (reading.onsuccess = done));
    opening.result.close();
    return JSON.parse(reading.result.at(-1).entry).consents;
  });

test('the proof of a consent names when it was ticked and in which language, not when and how the lead was saved (CAP-1)', async () => {
  await field(page, 'firstName').fill('Nina');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('checkbox', { name: 'I accept the event terms' }).check();
  const ticked = Date.now();
  // The page comes back in Polish.
  await page.reload();
  await page.waitForFunction(() => document.getElementById('firstName')?.value === 'Nina');
  assert.equal(await terms(page).isChecked(), true);
  await page.getByRole('checkbox', { name: /e-mailem/ }).check();
  await field(page, 'lastName').fill('Ross');
  await field(page, 'email').fill('nina.ross@example.com');
  await tapSave(page);
  await seeSaved(page, { firstName: 'Nina', lastName: 'Ross' });
  const consents = await provenConsents();
  assert.deepEqual(consents.map(({ id, language }) => [id, language]), [['terms', 'en'], ['marketing-email', 'pl']]);
  const [first, second] = consents.map(({ grantedAt }) => Date.parse(grantedAt));
  assert.ok(first <= ticked && ticked < second, `${first} ${ticked} ${second}`);
});
