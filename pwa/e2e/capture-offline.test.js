// The hostess' day at a booth without a network: invariants 1, 2 and 10.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, fill, openConnected, openReady, PEOPLE, save, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

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

async function loseNetwork() {
  await server.stop();
  await page.context().setOffline(true);
}

async function findNetwork() {
  await server.start();
  await page.context().setOffline(false);
}

const countOf = (rows, text) => rows.filter((row) => row.includes(text)).length;

test('leads saved without a network, over a reload without a network, are in the export once each', async () => {
  await openConnected(page, server);
  await loseNetwork();

  // Mistakes are told at the fields: on leaving one, and on save.
  await field(page, 'email').fill('anna.nowak@');
  await field(page, 'phone').focus();
  await see(page, 'Sprawdź adres e-mail');
  await tapSave(page);
  await see(page, 'Wpisz imię');
  await see(page, 'Bez akceptacji regulaminu nie możemy zapisać zgłoszenia');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'firstName', 'the first mistake has the focus');

  await save(page, PEOPLE.anna);
  assert.equal(await field(page, 'firstName').inputValue(), '', 'the form is empty for the next person');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'firstName', 'and ready to be typed in');
  assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), false, 'and carries no consent over');
  await see(page, '1 zgłoszenie czeka na wysłanie');

  await page.reload();
  await see(page, '1 zgłoszenie czeka na wysłanie');
  await save(page, PEOPLE.zofia);
  await see(page, '2 zgłoszenia czekają na wysłanie');

  await findNetwork();
  await see(page, SYNCED);
  const rows = await server.exportedLeads();
  assert.equal(countOf(rows, PEOPLE.anna.email), 1, rows.join('\n'));
  assert.equal(countOf(rows, PEOPLE.zofia.email), 1, rows.join('\n'));
});

test('ten people in a row, double taps included, are ten leads', async (t) => {
  await openReady(page, server.url);
  await see(page, SYNCED);
  const before = (await server.exportedLeads()).length;
  await loseNetwork();

  const saveTimes = [];
  for (let number = 0; number < 10; number += 1) {
    const person = { firstName: `Osoba${number}`, lastName: 'Kolejka', email: `osoba${number}@example.com`, phone: '' };
    await fill(page, person);
    saveTimes.push(await doubleTapSave());
    await seeSaved(page, person);
  }
  await see(page, '10 zgłoszeń czeka na wysłanie');
  t.diagnostic(`from the tap to an empty form, ms: ${saveTimes.map((ms) => ms.toFixed(1)).join(' ')}`);

  await findNetwork();
  await see(page, SYNCED);
  const rows = await server.exportedLeads();
  assert.equal(rows.length - before, 10, rows.join('\n'));
  for (let number = 0; number < 10; number += 1) assert.equal(countOf(rows, `osoba${number}@example.com`), 1);
});

/** Two taps as fast as a browser can send them; answers the milliseconds until the form is empty. */
async function doubleTapSave() {
  return page.evaluate(async () => {
    const button = document.querySelector('button:not([type])');
    const firstName = document.getElementById('firstName');
    const start = performance.now();
    button.click();
    button.click();
    while (firstName.value !== '') await new Promise((done) => requestAnimationFrame(done));
    return performance.now() - start;
  });
}

test('when the disk refuses, the text stays and the person is told', async () => {
  await openReady(page, server.url);
  await fill(page, PEOPLE.anna);
  await page.evaluate(() => {
    const original = IDBObjectStore.prototype;
    window.restoreDisk = () => Object.assign(original, window.workingDisk);
    window.workingDisk = { put: original.put, add: original.add };
    original.put = original.add = () => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    };
  });
  await tapSave(page);
  await page.getByText('Nie udało się zapisać na tym urządzeniu.').waitFor();
  assert.equal(await field(page, 'email').inputValue(), PEOPLE.anna.email);

  await page.evaluate(() => window.restoreDisk());
  await tapSave(page);
  await seeSaved(page, PEOPLE.anna);
});
