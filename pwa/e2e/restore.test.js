// Leads come back from a backup after the iPad's storage is gone (SYN-9), and travel as a file without
// any server (SYN-10). Invariants 2 and 6: over whichever way, once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { openConnected, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { backToForm, openDevicePage, openRestorePage, syncNow } from './support/device-page.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

const ONE_WAITS = '1 zgłoszenie czeka na wysłanie';

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
});

after(async () => {
  await server?.remove();
});

beforeEach(async () => {
  ipad = new Ipad();
  page = await ipad.page();
});

afterEach(async () => {
  await ipad?.remove();
});

const countOf = async (text) => (await server.exportedLeads()).filter((row) => row.includes(text)).length;

async function takeNetwork() {
  await server.stop();
  await page.context().setOffline(true);
}

async function giveNetwork() {
  await server.start();
  await page.context().setOffline(false);
}

/** What the browser does when it evicts a site, with the app away. */
async function wipe(kinds) {
  const { origin } = new URL(page.url());
  await page.goto('about:blank');
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: kinds });
  await session.detach();
}

test('when the outbox is gone, the iPad says so, offers its own backup, and is whole again (SYN-9)', async () => {
  await openConnected(page, server);
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);
  await openDevicePage(page);
  await syncNow(page);
  await page.getByText('przed chwilą', { exact: true }).waitFor();

  await wipe('indexeddb');
  await openConnected(page, server);
  await takeNetwork();
  await openRestorePage(page);
  await see(page, 'Pamięć tej aplikacji została wyczyszczona.');
  await page.getByText('Był w niej 1 zapis (zgłoszenie lub poprawka).').waitFor();
  await page.getByText('Nie ma połączenia z serwerem. Spróbuj ponownie, gdy będzie sieć.').waitFor();
  assert.deepEqual(await violations(page), [], 'CAP-7, with storage gone and no network');
  await giveNetwork();
  await page.getByRole('button', { name: 'Sprawdź ponownie' }).click();
  await page.getByRole('heading', { name: /^Kopia tego iPada/ }).waitFor();
  await page.getByRole('button', { name: /^Przywróć/ }).first().click();
  await page.getByText('Przywrócono 1 zgłoszenie.').waitFor();
  assert.equal(await page.getByText('Pamięć tej aplikacji została wyczyszczona.').count(), 0);

  await page.getByRole('button', { name: /^Przywróć/ }).first().click();
  await page.getByText('Przywrócono 0 zgłoszeń. 1 już tu było.').waitFor();
  await openDevicePage(page);
  await page.getByRole('heading', { name: 'Anna N.' }).waitFor();
  await syncNow(page);
  assert.equal(await countOf(PEOPLE.anna.email), 1);
});

test('an iPad that was wiped altogether finds its leads among all backups (SYN-9)', async () => {
  await openConnected(page, server);
  const person = { firstName: 'Ola', lastName: 'Rak', email: 'ola.rak@example.com', phone: '' };
  await save(page, person);
  await see(page, SYNCED);
  await openDevicePage(page);
  await syncNow(page);
  await page.getByText('przed chwilą', { exact: true }).waitFor();
  const number = await page.locator('dd', { has: page.getByRole('button', { name: 'Kopiuj numer' }) }).locator('p').innerText();

  await wipe('all');
  await openConnected(page, server);
  await openRestorePage(page);
  const own = page.getByRole('region', { name: `iPad ${number}` });
  await own.getByRole('button', { name: /^Przywróć/ }).click();
  await page.getByText('Przywrócono 1 zgłoszenie.').waitFor();
  await openDevicePage(page);
  await page.getByRole('heading', { name: 'Ola R.' }).waitFor();
  await syncNow(page);
  assert.equal(await countOf(person.email), 1);
});

test('leads that were wiped unsent and are in no backup are told, here and to the organizer (invariant 9)', async () => {
  await openConnected(page, server);
  await save(page, { ...PEOPLE.anna, email: 'anna.kopia@example.com' });
  await see(page, SYNCED);
  await openDevicePage(page);
  await syncNow(page);
  await page.getByText('przed chwilą', { exact: true }).waitFor();
  const device = (await page.evaluate(() => JSON.parse(localStorage['leadlog-outbox.installations']))).at(-1).deviceId;
  await backToForm(page);
  await takeNetwork();
  await save(page, { ...PEOPLE.zofia, email: 'zofia.przepadla@example.com' });
  await see(page, ONE_WAITS);

  await wipe('indexeddb');
  await giveNetwork();
  await openConnected(page, server);
  await see(page, 'Brakuje zgłoszeń z tego iPada');
  assert.equal(await page.getByText(SYNCED).count(), 0, 'nothing waits, and not everything is there');
  const standing = async () => (await server.run(['devices'])).split('\n').find((line) => line.includes(device));
  await until(async () => /missing/.test(await standing()), 'the gap at the organizer');

  await openRestorePage(page);
  await page.getByRole('button', { name: /^Przywróć/ }).first().click();
  await page.getByText('W kopiach tego iPada brakuje: 1.').waitFor();
  assert.deepEqual(await violations(page), [], 'CAP-7, with leads that no backup has');
  await page.getByRole('button', { name: 'Rozumiem' }).click();
  await see(page, SYNCED);
  assert.match(await standing(), /missing/, 'the organizer still sees it');
});

test('who does not want the leads back is asked once, and not reminded again', async () => {
  await openConnected(page, server);
  await save(page, { ...PEOPLE.zofia, email: 'zofia.druga@example.com' });
  await see(page, SYNCED);
  await openDevicePage(page);
  await syncNow(page);
  await page.getByText('przed chwilą', { exact: true }).waitFor();
  await wipe('indexeddb');
  await openConnected(page, server);
  await openRestorePage(page);
  await page.locator('.lost').getByRole('button', { name: 'Nie przywracaj' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Wróć' }).click();
  await see(page, 'Pamięć tej aplikacji została wyczyszczona.');
  await page.locator('.lost').getByRole('button', { name: 'Nie przywracaj' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Nie przywracaj' }).click();
  await page.getByLabel('Imię', { exact: true }).waitFor();
  await openRestorePage(page);
  await page.getByText('Kopia dołącza zgłoszenia').waitFor();
});

test('where no backup can help, nothing is promised: the person is told to tell the organizer', async () => {
  await openConnected(page, server);
  await save(page, { ...PEOPLE.zofia, email: 'zofia.trzecia@example.com' });
  await see(page, SYNCED);
  await wipe('indexeddb');
  await openConnected(page, server);
  await openRestorePage(page);
  await page.getByText(/W kopiach tego iPada brakuje: 1.*Powiedz o tym organizatorowi/).waitFor();
  await page.getByRole('button', { name: 'Rozumiem' }).click();
  await see(page, SYNCED);
});

test('a file that leaves one iPad without any server enters another one, and both together store one lead (SYN-10)', async () => {
  const person = { firstName: 'Jan', lastName: 'Plik', email: 'jan.plik@example.com', phone: '' };
  await openConnected(page, server);
  await takeNetwork();
  await save(page, person);
  await openDevicePage(page);
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Eksportuj plik' }).click();
  const download = await downloading;
  assert.match(download.suggestedFilename(), /^leadlog-[0-9a-f]{8}-\d{4}-\d\d-\d\d\.json$/);
  const buffer = readFileSync(await download.path());
  const file = { name: download.suggestedFilename(), mimeType: 'application/json', buffer };

  await giveNetwork();
  const other = new Ipad();
  try {
    const second = await other.page();
    await openConnected(second, server, { name: 'iPad 2' });
    await openDevicePage(second);
    await second.locator('input[type=file]').setInputFiles({ ...file, buffer: Buffer.from('<html>') });
    await second.getByText('Tego nie da się odczytać. Sprawdź, czy to właściwy plik.').waitFor();
    await second.locator('input[type=file]').setInputFiles(file);
    await second.getByText('Przywrócono 1 zgłoszenie.').waitFor();
    await syncNow(second);
    await syncNow(page);
    assert.equal(await countOf(person.email), 1);
  } finally {
    await other.remove();
  }
});
