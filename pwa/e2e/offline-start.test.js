// The app opens at a booth without a network (invariant 10), and its first picture is its own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openReady, PEOPLE, save, see } from './support/capture.js';
import { ReleaseServer } from './support/release-server.js';

let app;
let ipad;

before(async () => {
  app = await ReleaseServer.start();
  ipad = new Ipad();
});

after(async () => {
  await ipad?.remove();
  await app?.stop().catch(() => undefined);
});

test('after a hard reload, which passes the stored app by, the next start has it again', async () => {
  const page = await ipad.page();
  await openReady(page, app.url);
  const devtools = await page.context().newCDPSession(page);
  const isStored = () => page.evaluate(() => navigator.serviceWorker.controller !== null);
  const loaded = page.waitForEvent('load');
  await devtools.send('Page.reload', { ignoreCache: true });
  await loaded;
  await field(page, 'firstName').waitFor();
  assert.equal(await isStored(), false);
  await page.reload();
  await field(page, 'firstName').waitFor();
  assert.equal(await isStored(), true);
});

test('it starts after the power was cut, with the server down and the network off, in its own colours', async () => {
  await app.stop();
  await ipad.cutPower();
  const page = await ipad.page();
  await page.context().setOffline(true);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.addInitScript(() => {
    window.frames_ = [];
    const look = () => {
      window.frames_.push({
        ground: document.body && getComputedStyle(document.body).backgroundColor,
        tellsTrouble: document.querySelector('.not-started')?.checkVisibility({ visibilityProperty: true }) ?? false,
      });
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await page.goto(app.url);
  await field(page, 'firstName').waitFor();
  const frames = (await page.evaluate(() => window.frames_)).filter(({ ground }) => ground);
  assert.ok(frames.length > 0);
  assert.equal(frames.some(({ tellsTrouble }) => tellsTrouble), false, 'no frame says that the form cannot start');
  assert.deepEqual(new Set(frames.map(({ ground }) => ground)).size, 1, JSON.stringify(frames.slice(0, 5)));

  await save(page, PEOPLE.anna);
  await see(page, '1 zgłoszenie czeka na wysłanie');
});
