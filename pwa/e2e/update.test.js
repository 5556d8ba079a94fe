// A version of the app arrives as a whole, and never at the cost of the person who is typing or of the queue.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openConnected, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { DIST, ReleaseServer } from './support/release-server.js';
import { buildAgain } from './support/second-build.js';
import { Server } from './support/server.js';

const WAITS = '1 zgłoszenie czeka na wysłanie';

let server;
let app;
let second;
let third;
let ipad;
let page;

before(async () => {
  [second, third] = [await buildAgain('second'), await buildAgain('third')];
  server = await Server.start();
  app = await ReleaseServer.start({ api: server.url });
  ipad = new Ipad();
  page = await ipad.page();
});

after(async () => {
  await ipad?.remove();
  await app?.stop().catch(() => undefined);
  await server?.remove();
  second?.remove();
  third?.remove();
});

/** Which build the page runs; `undefined` for the one that the tests begin with. */
const build = () => page.evaluate(() => document.documentElement.dataset.build);

/** The iPad is picked up again, and the version that is released by now takes over. */
async function takeOver() {
  await page.evaluate(async () => {
    const taken = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
    document.dispatchEvent(new Event('visibilitychange'));
    await taken;
  });
}

/** What becomes of the version that is released by now: `activated`, or `redundant` when it is not taken. */
function fateOfUpdate() {
  return page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration.update();
    const worker = registration.installing;
    while (!['activated', 'redundant'].includes(worker.state)) {
      await new Promise((done) => worker.addEventListener('statechange', done, { once: true }));
    }
    return worker.state;
  });
}

async function sendAgain() {
  await server.start();
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await see(page, SYNCED);
}

test('a new version leaves the form alone, and at the next start shows and sends what the old one saved', async () => {
  await openConnected(page, server, { url: app.url });
  await server.stop();
  await save(page, PEOPLE.anna);
  await see(page, WAITS);

  await field(page, 'firstName').fill('Zofia');
  app.release(second.path);
  await takeOver();
  assert.equal(await field(page, 'firstName').inputValue(), 'Zofia');
  assert.equal(await build(), undefined, 'the open page is still the old one');

  await page.reload();
  await see(page, WAITS);
  assert.equal(await build(), 'second');
  await sendAgain();
  const rows = await server.exportedLeads();
  assert.equal(rows.length, 1, rows.join('\n'));
  assert.ok(rows[0].includes(PEOPLE.anna.email));
});

test('the version before is released again, and sends what the newer one saved', async () => {
  await server.stop();
  await save(page, PEOPLE.zofia);
  await see(page, WAITS);
  app.release(DIST);
  await takeOver();
  // Without the network too: the whole of it is on the iPad.
  await app.stop();
  await page.reload();
  await see(page, WAITS);
  assert.equal(await build(), undefined);
  await app.start();
  await sendAgain();
  const rows = await server.exportedLeads();
  assert.equal(rows.length, 2, rows.join('\n'));
  assert.equal(rows.filter((row) => row.includes(PEOPLE.zofia.email)).length, 1);
});

const BROKEN = {
  'the sign-in page of a WiFi in place of the page': [/^\/$/, '<!doctype html><title>WiFi</title>', () => second],
  'a file that is missing': [/^\/assets\/.*\.js$/, null, () => third],
  'a file that is damaged': [/^\/assets\/.*\.js$/, 'export{}', () => third],
};

for (const [what, [path, text, version]] of Object.entries(BROKEN)) {
  test(`a version that arrives broken is not taken, and the one at hand works on: ${what}`, async () => {
    app.release(version().path);
    app.answerInstead(path, text);
    assert.equal(await fateOfUpdate(), 'redundant');

    await app.stop();
    await page.reload();
    await field(page, 'firstName').waitFor();
    assert.equal(await build(), undefined);
    await app.start();
  });
}

// Also the file that arrived damaged, which the browser's own cache may keep for a year.
test('a version that has arrived broken is taken once it is whole', async () => {
  app.release(third.path);
  assert.equal(await fateOfUpdate(), 'activated');
  await page.reload();
  await field(page, 'firstName').waitFor();
  assert.equal(await build(), 'third');
});
