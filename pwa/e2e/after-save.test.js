// Right after a save, fixing it and taking it back are one tap away (CAP-6), without a network too, and in nobody's way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, fill, openConnected, PEOPLE, save, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
  await page.addInitScript(holdTenSeconds);
  await openConnected(page, server);
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

/** In the page: `passTenSeconds()` lets the waits of ten seconds end that still wait. */
function holdTenSeconds() {
  const { setTimeout, clearTimeout } = window;
  const waiting = new Map();
  window.setTimeout = (act, ms, ...values) => {
    const id = setTimeout(act, ms, ...values);
    if (ms === 10_000) waiting.set(id, act);
    return id;
  };
  window.clearTimeout = (id) => {
    waiting.delete(id);
    clearTimeout(id);
  };
  window.passTenSeconds = () => {
    for (const [id, act] of waiting) {
      window.clearTimeout(id);
      act();
    }
  };
}

const passTenSeconds = () => page.evaluate(() => window.passTenSeconds());
const button = (name) => page.getByRole('button', { name, exact: true });
const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
const rowsWith = async (text) => (await server.exportedLeads()).filter((row) => row.includes(text));
const places = () =>
  page.evaluate(() => [...document.querySelectorAll('input, footer > button')].map((it) => it.getBoundingClientRect().toJSON()));

async function withoutNetwork(act) {
  await server.stop();
  await page.context().setOffline(true);
  await act();
  await server.start();
  await page.context().setOffline(false);
  await see(page, SYNCED);
}

test('offline: a fix keeps what was half-typed aside, and what reaches the export is the fixed lead', async () => {
  await withoutNetwork(async () => {
    await save(page, PEOPLE.anna);
    await field(page, 'firstName').fill('Zof');
    await button('Popraw').click();
    await see(page, 'Poprawiasz: Anna N.');
    assert.equal(await focused(), 'firstName');
    assert.equal(await field(page, 'email').inputValue(), PEOPLE.anna.email);
    assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), true);

    await field(page, 'email').fill('anna@');
    await button('Zapisz poprawkę').click();
    await see(page, 'Sprawdź adres e-mail');
    await field(page, 'email').fill('anna.fixed@example.com');
    await button('Zapisz poprawkę').click();
    await seeSaved(page, PEOPLE.anna);
    assert.equal(await field(page, 'firstName').inputValue(), 'Zof', 'the next person goes on where they were');
    assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), false);
  });
  assert.equal((await rowsWith('anna.fixed@example.com')).length, 1);
  assert.equal((await rowsWith(PEOPLE.anna.email)).length, 0);

  await button('Popraw').click();
  await field(page, 'lastName').fill('Pomyłka');
  await button('Wróć bez zmian').click();
  assert.equal(await field(page, 'firstName').inputValue(), 'Zof');
  assert.equal((await rowsWith('Pomyłka')).length, 0);
  await field(page, 'firstName').fill('');
});

test('offline: taking back and bringing back, while the next person types undisturbed', async () => {
  await withoutNetwork(async () => {
    const before = await places();
    await save(page, PEOPLE.zofia);
    await field(page, 'email').click();
    await page.keyboard.type('kuba');
    await button('Cofnij zapis').dblclick();
    await see(page, 'Cofnięto: Zofia Ł.');
    await page.keyboard.type('@example.com');
    assert.equal(await field(page, 'email').inputValue(), 'kuba@example.com', 'the tap took no focus');
    assert.deepEqual(await places(), before, 'and moved nothing');
  });
  assert.equal((await rowsWith(PEOPLE.zofia.email)).length, 0, 'a lead that was taken back is in no export');

  await button('Przywróć zgłoszenie').click();
  await seeSaved(page, PEOPLE.zofia);
  await see(page, SYNCED);
  assert.equal((await rowsWith(PEOPLE.zofia.email)).length, 1);
  assert.equal(await field(page, 'email').inputValue(), 'kuba@example.com');
  await field(page, 'email').fill('');
});

test('with the keyboard alone: from a button to the opposite one, and to the form', async () => {
  await save(page, PEOPLE.anna);
  await button('Cofnij zapis').focus();
  await page.keyboard.press('Enter');
  await see(page, 'Cofnięto: Anna N.');
  assert.equal(await focused(), 'Przywróć zgłoszenie');
  await page.keyboard.press('Enter');
  await seeSaved(page, PEOPLE.anna);
  assert.equal(await focused(), 'Popraw');
  await page.keyboard.press('Enter');
  await see(page, 'Poprawiasz: Anna N.');
  assert.equal(await focused(), 'firstName');
  await button('Wróć bez zmian').click();
});

test('the line stays for ten seconds, whatever the next person types, and longer while someone is at its buttons', async () => {
  await save(page, PEOPLE.anna);
  await button('Cofnij zapis').focus();
  await passTenSeconds();
  assert.equal(await button('Cofnij zapis').isVisible(), true);

  await field(page, 'firstName').fill('Kuba');
  assert.equal(await button('Cofnij zapis').isVisible(), true);
  await passTenSeconds();
  await button('Cofnij zapis').waitFor({ state: 'detached' });
  assert.equal(await page.getByText('Zapisano: Anna N.').count(), 0);
  assert.equal(await field(page, 'firstName').inputValue(), 'Kuba');
  await field(page, 'firstName').fill('');
});

test('a form that is cleared comes back with one tap, until the next person types', async () => {
  await passTenSeconds();
  await fill(page, PEOPLE.zofia);
  await button('Wyczyść').click();
  await see(page, 'Formularz wyczyszczony');
  assert.deepEqual([await field(page, 'email').inputValue(), await focused()], ['', 'firstName']);
  assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), false);

  await button('Przywróć tekst').click();
  assert.equal(await field(page, 'email').inputValue(), PEOPLE.zofia.email);
  assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), true);

  await button('Wyczyść').click();
  await field(page, 'firstName').fill('Kuba');
  await button('Przywróć tekst').waitFor({ state: 'detached' });
  await page.reload();
  await field(page, 'firstName').waitFor();
  assert.equal(await field(page, 'firstName').inputValue(), 'Kuba');
  assert.equal(await field(page, 'email').inputValue(), '');
  await field(page, 'firstName').fill('');
});

test('when the disk refuses to take a lead back, the line says so and offers it again (invariant 10)', async () => {
  await save(page, PEOPLE.anna);
  await page.evaluate(() => {
    const original = IDBObjectStore.prototype;
    window.restoreDisk = () => Object.assign(original, window.workingDisk);
    window.workingDisk = { put: original.put, add: original.add };
    original.put = original.add = () => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    };
  });
  await button('Cofnij zapis').click();
  await see(page, 'Nie udało się. Dotknij jeszcze raz.');
  await page.evaluate(() => window.restoreDisk());
  await button('Cofnij zapis').click();
  await see(page, 'Cofnięto: Anna N.');
});

test('the next person at the iPad sees neither the line nor the text of the one before (CAP-9)', async () => {
  await save(page, PEOPLE.anna);
  await button('Popraw').click();
  await button('Kto zbiera?').click();
  await button('Wyczyść i zmień osobę').click();
  await page.getByRole('dialog').getByLabel('Imię').fill('Ola');
  await button('Zaczynam').click();
  await button('Zmień osobę: Ola').waitFor();
  assert.equal(await field(page, 'email').inputValue(), '');
  assert.equal(await page.getByText('Anna N.').count(), 0);
  // The sheet gives the focus back to its button first, and tells later that it is closed.
  await until(async () => (await focused()) === 'firstName', 'the focus in the first field');

  await fill(page, PEOPLE.zofia);
  await tapSave(page);
  await seeSaved(page, PEOPLE.zofia);
  await see(page, SYNCED);
  assert.match((await rowsWith(PEOPLE.zofia.email)).at(-1), /Ola/);
});
