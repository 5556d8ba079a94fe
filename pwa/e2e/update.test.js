// A new version of the app arrives as a whole, and never at the cost of the person who is typing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openReady } from './support/capture.js';
import { ReleaseServer } from './support/release-server.js';

let server;
let ipad;
let page;

before(async () => {
  server = await ReleaseServer.start();
  ipad = new Ipad();
  page = await ipad.page();
});

after(async () => {
  await ipad?.remove();
  await server?.stop().catch(() => undefined);
});

const release = () => page.locator('meta[name=release]').getAttribute('content');

test('a new version takes over without touching the form, and shows at the next start', async () => {
  await openReady(page, server.url);
  await field(page, 'firstName').fill('Anna');
  server.release('second');
  await page.evaluate(async () => {
    const taken = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
    // The iPad is picked up again.
    document.dispatchEvent(new Event('visibilitychange'));
    await taken;
  });
  assert.equal(await field(page, 'firstName').inputValue(), 'Anna');
  assert.equal(await page.locator('meta[name=release]').count(), 0, 'the open page is still the old one');

  await page.reload();
  assert.equal(await release(), 'second');
});

test('a version that arrives broken is not taken, and the one before works on without a network', async () => {
  server.release('third');
  server.showPortalInsteadOfPage();
  const outcome = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration.update();
    const worker = registration.installing;
    await new Promise((done) => worker.addEventListener('statechange', done, { once: true }));
    return worker.state;
  });
  assert.equal(outcome, 'redundant');

  await server.stop();
  await page.reload();
  await field(page, 'firstName').waitFor();
  assert.equal(await release(), 'second');
});
