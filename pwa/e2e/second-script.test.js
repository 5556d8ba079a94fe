// The form stands before the rest of the app is here, and does not need it (invariant 10).
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openReady, PEOPLE, save } from './support/capture.js';
import { backToForm } from './support/device-page.js';
import { DIST, ReleaseServer } from './support/release-server.js';
import { doWithout, SECOND_SCRIPT, tapSyncState, typed } from './support/second-script.js';

let app;
let ipad;
let page;

before(async () => (app = await ReleaseServer.start()));
after(() => app?.stop());

// Each begins on an iPad that has never seen the app.
beforeEach(async () => {
  ipad = new Ipad();
  page = await ipad.page();
});
afterEach(() => ipad.remove());

test('a screen that is asked for before it is here comes when it is, and what was typed stays', async () => {
  const request = new Promise((asked) => void page.route(SECOND_SCRIPT, asked, { times: 1 }));
  await page.goto(app.url);
  // Nobody has tapped at anything.
  const held = await request;
  await save(page, PEOPLE.anna);
  await field(page, 'firstName').fill(PEOPLE.zofia.firstName);
  await tapSyncState(page);
  await field(page, 'lastName').fill(PEOPLE.zofia.lastName);

  await held.continue();
  await page.getByRole('heading', { name: 'Ten iPad' }).waitFor();
  await backToForm(page);
  assert.equal(await typed(page), PEOPLE.zofia.firstName);
  assert.equal(await field(page, 'lastName').inputValue(), PEOPLE.zofia.lastName);
});

test('where it does not come, the form works on, and a later tap asks again', async () => {
  app.answerInstead(SECOND_SCRIPT, null);
  await page.goto(app.url);
  await doWithout(page, app);
});

test('a WiFi\'s sign-in page in its place is not taken for it', async () => {
  app.answerInstead(SECOND_SCRIPT, '<!doctype html><title>WiFi</title>');
  await page.goto(app.url);
  await doWithout(page, app);
});

test('a start at another screen shows that one, and the form where it does not come', async () => {
  await page.goto(`${app.url}/#device`);
  await page.getByRole('heading', { name: 'Ten iPad' }).waitFor();

  await ipad.remove();
  ipad = new Ipad();
  page = await ipad.page();
  app.answerInstead(SECOND_SCRIPT, null);
  await page.goto(`${app.url}/#device`);
  await field(page, 'firstName').waitFor();
  app.release(DIST);
});

test('a page that has shown the form alone shows every screen after a newer version took its place', async () => {
  await openReady(page, app.url);
  app.answerInstead(/^\/assets\//, null);
  for (const [hash, title] of Object.entries({ '#connect': 'Połącz tego iPada', '#device': 'Ten iPad', '#restore': 'Przywróć zgłoszenia', '#install': 'Leadlog na ekranie początkowym' })) {
    await page.evaluate((target) => (location.hash = target), hash);
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
  }
  app.release(DIST);
});
