// SYN-6: of several tabs of one profile one sends, all show the same, and none is needed.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { openConnected, openReady, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { Server } from './support/server.js';

const WAITS = '1 zgłoszenie czeka na wysłanie';

let server;
let ipad;
let first;
let second;
let saved;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  await openConnected(await ipad.page(), server);
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

beforeEach(async () => {
  const { context } = await tabs();
  first = await context.newPage();
  await openReady(first, server.url);
  await see(first, SYNCED);
  second = await context.newPage();
  await openReady(second, server.url);
  await see(second, SYNCED);
  saved = (await server.exportedLeads()).length;
});

afterEach(async () => {
  for (const tab of [first, second]) await tab.close().catch(() => undefined);
});

async function tabs() {
  const page = await ipad.page();
  // The page that the browser began with takes no part.
  await page.goto('about:blank');
  return { context: page.context() };
}

async function seeArrived(email) {
  const rows = await server.exportedLeads();
  assert.equal(rows.length, saved + 1, rows.join('\n'));
  assert.ok(rows.some((row) => row.includes(email)), rows.join('\n'));
}

test('what either tab saves, both show, and it reaches the server once', async () => {
  await server.stop();
  await save(second, PEOPLE.anna);
  await see(second, WAITS);
  await see(first, WAITS);
  await server.start();
  await second.evaluate(() => window.dispatchEvent(new Event('online')));
  await see(first, SYNCED);
  await see(second, SYNCED);
  await seeArrived(PEOPLE.anna.email);
});

test('what the tab that does not send saves reaches the server', async () => {
  await save(second, PEOPLE.zofia);
  await see(second, SYNCED);
  await see(first, SYNCED);
  await seeArrived(PEOPLE.zofia.email);
});

/** Ways in which a tab goes without a word. */
const ENDS = {
  'is closed': (tab) => tab.close({ runBeforeUnload: false }),
  async crashes(tab) {
    const crashed = new Promise((done) => tab.once('crash', done));
    const devtools = await tab.context().newCDPSession(tab);
    devtools.send('Page.crash').catch(() => undefined);
    await crashed;
  },
};

for (const [how, end] of Object.entries(ENDS)) {
  test(`when the tab that sends ${how}, the other sends what it had saved`, async () => {
    const [sender, other] = await senderAndOther();
    await server.stop();
    const person = { ...PEOPLE.anna, email: `${how.replaceAll(' ', '-')}@example.com` };
    await save(sender, person);
    await see(other, WAITS);
    await end(sender);
    await server.start();
    await see(other, SYNCED);
    await seeArrived(person.email);
  });
}

async function senderAndOther() {
  const sends = (tab) => tab.waitForRequest((request) => request.method() === 'POST').then(() => tab);
  const sender = Promise.any([sends(first), sends(second)]);
  await first.evaluate(() => window.dispatchEvent(new Event('online')));
  await second.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  return [await sender, (await sender) === first ? second : first];
}
