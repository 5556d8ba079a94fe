// The app keeps the policy that the server sends with it, on every screen; whatever breaks it is heard.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openConnected, PEOPLE, save, see, SYNCED, tapSave } from './support/capture.js';
import { backToForm, openDevicePage, openRestorePage, openScreen, syncNow } from './support/device-page.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

let server;
let ipad;
let page;
/** What the console says of broken policies: also what no event tells. */
const told = [];

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
  page.context().on('console', (message) => /policy/i.test(message.text()) && told.push(message.text()));
  await page.addInitScript(() => {
    window.violations_ = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
      window.violations_.push(`${effectiveDirective} ${blockedURI}`);
    });
  });
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

const violations = () => page.evaluate(() => window.violations_);

test('no screen breaks the policy', async () => {
  await openConnected(page, server);
  // From here on the page comes from the service worker, with the policy that it was stored with.
  await page.reload();
  await tapSave(page);
  await see(page, 'Wpisz imię');
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('button', { name: 'Polski' }).click();
  await field(page, 'firstName').waitFor();

  await openDevicePage(page);
  await syncNow(page);
  await page.getByRole('button', { name: 'Zmień osobę' }).click();
  await page.getByRole('button', { name: 'Anuluj' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Eksportuj plik' }).click();
  await (await download).cancel();
  await openRestorePage(page);
  await page.getByRole('button', { name: /^Przywróć/ }).first().click();
  await page.getByText(/już tu był/).waitFor();
  await openScreen(page, '#connect', 'Połącz tego iPada');
  await openScreen(page, '#install', 'Leadlog na ekranie początkowym');
  await backToForm(page);

  assert.deepEqual(await violations(), []);
  assert.deepEqual(told, []);
});

test('a script and a style that came with text do nothing', async () => {
  await page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.wasRun = true" style="color: red">');
    const script = document.createElement('script');
    script.text = 'window.wasRun = true';
    document.body.append(script);
  });
  await until(async () => (await violations()).length >= 4, 'the violations');
  assert.deepEqual((await violations()).sort(), ['img-src data', 'script-src-attr inline', 'script-src-elem inline', 'style-src-attr inline']);
  assert.equal(await page.evaluate(() => window.wasRun), undefined);
});
