// What the form tells by itself, calmly: an e-mail that is known (CAP-4), where leads go (TIER-2), what endangers
// them (SYN-8), and a newer campaign (CAP-5).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, fill, HUB, openConnected, openReady, PEOPLE, save, see, seeSaved, SOLO, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

const KNOWN = 'Ten e-mail już jest na liście. Możesz zapisać mimo to.';
/** A server has to be missed twice. */
const HEARTBEATS_MS = 90_000;

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

const noted = () => page.getByText(KNOWN, { exact: true }).count();
const fieldPlaces = () =>
  page.evaluate(() => [...document.querySelectorAll('input')].map((it) => it.getBoundingClientRect().toJSON()));

test('a known e-mail is a note at the field, gone when it changes, and never in the way of a save', async () => {
  await openConnected(page, server);
  await save(page, PEOPLE.anna);
  await until(async () => (await server.exportedLeads()).length === 1, 'the lead at the server');
  const before = await fieldPlaces();

  await field(page, 'email').fill(PEOPLE.anna.email.toUpperCase());
  // The question gives up early, so that it is never in the way: a busy machine is asked again.
  const asksUntilNoted = async () => {
    await field(page, 'email').focus();
    await field(page, 'phone').focus();
    return noted();
  };
  await until(asksUntilNoted, 'the note that the e-mail is known');
  assert.deepEqual(await fieldPlaces(), before, 'nothing moves');
  assert.equal(await field(page, 'email').getAttribute('aria-invalid'), null, 'it is no mistake');
  assert.match(await field(page, 'email').evaluate((it) => document.getElementById(it.getAttribute('aria-describedby')).textContent), /na liście/);
  await field(page, 'email').press('End');
  await page.keyboard.type('x');
  assert.equal(await noted(), 0);

  await save(page, PEOPLE.anna);
  assert.equal(await noted(), 0, 'the next person has another e-mail');
});

test('an answer that comes when the e-mail is another one already is ignored', async () => {
  await openReady(page, server.url);
  let answerFirst;
  const held = new Promise((release) => (answerFirst = release));
  const asked = page.waitForRequest(/check-email/);
  await page.route(/check-email/, async (route) => {
    await held;
    await route.fulfill({ json: { known: true } });
  });
  await field(page, 'email').fill('known.elsewhere@example.com');
  await field(page, 'phone').focus();
  await asked;
  await field(page, 'email').fill('someone.else@example.com');
  const answered = page.waitForResponse(/check-email/).catch(() => undefined);
  answerFirst();
  await Promise.race([answered, page.waitForEvent('requestfailed')]);
  // What the answer would change is drawn by the frame after the next.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  assert.equal(await noted(), 0);
  await page.unroute(/check-email/);
});

test('without a network nothing is asked of anybody, the line says where leads go, and no field moves', async () => {
  await openReady(page, server.url);
  await see(page, SYNCED);
  const before = await fieldPlaces();
  await field(page, 'firstName').fill('Zof');
  await page.context().setOffline(true);
  await page.getByText(SOLO, { exact: true }).waitFor({ timeout: HEARTBEATS_MS });
  assert.deepEqual(await fieldPlaces(), before);
  assert.equal(await field(page, 'firstName').inputValue(), 'Zof');

  await fill(page, { ...PEOPLE.zofia, email: PEOPLE.anna.email });
  await tapSave(page);
  await seeSaved(page, PEOPLE.zofia);
  assert.equal(await noted(), 0);
  await page.context().setOffline(false);
  await page.getByText(SOLO, { exact: true }).waitFor({ state: 'detached', timeout: HEARTBEATS_MS });
  await see(page, SYNCED);
});

test('a store that says it is a hub is told as one', async () => {
  await page.route(/\/api\/health/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), 'leadlog-tier': 'hub' } });
  });
  await openReady(page, server.url);
  await page.getByText(HUB, { exact: true }).waitFor({ timeout: HEARTBEATS_MS });
  await page.unroute(/\/api\/health/);
});

test('in Safari on an iPad the line leads to the home screen; when storage is gone, to the restore', async () => {
  await page.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: false, configurable: true }));
  await openReady(page, server.url);
  const install = page.getByRole('link', { name: 'Dodaj Leadlog do ekranu początkowego, zanim zaczniesz.' });
  await install.waitFor({ timeout: HEARTBEATS_MS });
  assert.ok((await install.boundingBox()).height >= 48);
  assert.equal(await install.getAttribute('href'), '#install');

  await page.evaluate(() => localStorage.setItem('leadlog-outbox.installations', JSON.stringify([{ deviceId: 'ipad-gone', savedThrough: 41 }])));
  await page.reload();
  const lost = page.getByRole('link', { name: 'Pamięć tej aplikacji została wyczyszczona. Zobacz, co da się przywrócić.' });
  await lost.waitFor();
  assert.equal(await lost.getAttribute('href'), '#restore');
  await page.evaluate(() => localStorage.clear());
});

/** The campaign that ships with the app, under another name, as its next version; served from here on. */
async function publishNewer() {
  const shipped = JSON.parse(readFileSync(new URL('../../domain/campaigns/shootout-2026.json', import.meta.url), 'utf8'));
  const newer = { ...shipped, version: shipped.version + 1, name: { pl: 'Shootout 3x3: finał', en: 'Shootout 3x3: final' } };
  await server.run(['campaigns', 'publish', '-'], JSON.stringify(newer));
  // A running server looks for what was published once a second.
  const isServed = async () => (await (await fetch(`${server.url}/api/campaigns/${newer.id}`)).json()).version === newer.version;
  await until(isServed, 'the published campaign at the server');
  return newer;
}

test('a newer campaign takes over between two people (CAP-5)', async () => {
  await openReady(page, server.url);
  const title = page.getByRole('heading', { level: 1 });
  const before = await title.textContent();
  await field(page, 'firstName').fill('Kuba');
  const { name } = await publishNewer();

  const answered = page.waitForResponse((response) => response.url().includes('/api/campaigns/'));
  await page.reload();
  await page.waitForFunction(() => document.getElementById('firstName')?.value === 'Kuba');
  await (await answered).finished();
  assert.equal(await title.textContent(), before, 'not while someone types');

  await save(page, { firstName: 'Kuba', lastName: 'Wójcik', email: 'kuba@example.com', phone: '' });
  await page.getByRole('heading', { name: name.pl, level: 1 }).waitFor();
  await save(page, { firstName: 'Ewa', lastName: 'Mazur', email: 'ewa@example.com', phone: '' });
  await see(page, SYNCED);
});
