// STA-2: what waits and where it stands, what wants a person, and who holds the iPad. CAP-6, CAP-9, SYN-3.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { field, fill, openConnected, openReady, PEOPLE, save, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { backToForm, LEAD_BUTTONS, leadButton, openDevicePage, openScreen, syncNow } from './support/device-page.js';
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

const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent);
const rowsWith = async (text) => (await server.exportedLeads()).filter((row) => row.includes(text));

test('what waits is counted and told where it stands; the list names nobody in full and keeps its place when news comes', async () => {
  await openConnected(page, server);
  await server.stop();
  await page.context().setOffline(true);
  await save(page, PEOPLE.anna);
  await save(page, PEOPLE.zofia);

  await openDevicePage(page);
  assert.equal(await focused(), 'Ten iPad', 'a screen reader begins at the heading');
  assert.match(await page.title(), /^Ten iPad/);
  await page.getByRole('heading', { name: '2 zgłoszenia czekają na wysłanie' }).waitFor();
  await see(page, 'Nie ma sieci. Zgłoszenia są bezpieczne na tym iPadzie i wyślą się same, gdy sieć wróci.');
  const told = await page.locator('body').innerText();
  for (const secret of [PEOPLE.anna.lastName, PEOPLE.anna.email, PEOPLE.anna.phone]) assert.ok(!told.includes(secret), secret);

  await leadButton(page, LEAD_BUTTONS.fix, 'Anna N.').focus();
  const place = await leadButton(page, LEAD_BUTTONS.fix, 'Anna N.').boundingBox();
  await server.start();
  await page.context().setOffline(false);
  await page.getByRole('heading', { name: SYNCED }).waitFor();
  assert.equal(await focused(), 'Popraw: Anna N.');
  assert.deepEqual(await leadButton(page, LEAD_BUTTONS.fix, 'Anna N.').boundingBox(), place);
  await syncNow(page);

  await page.goBack();
  await field(page, 'firstName').waitFor();
});

test('a lead that the store refused says why, is fixed here, and goes again (SYN-3, CAP-6)', async () => {
  await openReady(page, server.url);
  // The app as it is when the rules cannot run: the form is kept unchecked and judged by the store.
  await page.evaluate(
    (person) =>
      new Promise((done, failed) => {
        const opening = indexedDB.open('leadlog-pending', 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore('forms', { keyPath: 'clientId' });
        opening.onerror = () => failed(opening.error);
        opening.onsuccess = () => {
          const now = Date.now();
          const time = now.toString(16).padStart(12, '0');
          const clientId = `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
          const form = JSON.stringify({ ...person, consents: ['terms'], language: 'pl', campaignVersion: 1 });
          const writing = opening.result.transaction('forms', 'readwrite');
          writing.objectStore('forms').put({ v: 1, clientId, savedAt: now, offsetMinutes: 60, form });
          writing.oncomplete = () => done(opening.result.close());
          writing.onerror = () => failed(writing.error);
        };
      }),
    { firstName: 'Maria', lastName: 'Kowal', email: 'maria.kowal@', phone: '' },
  );
  await page.reload();
  await see(page, '1 zgłoszenie wymaga uwagi');

  await openDevicePage(page);
  await see(page, 'E-mail: Sprawdź adres e-mail');
  assert.deepEqual(await violations(page), [], 'CAP-7, with a lead that wants a person');
  await leadButton(page, LEAD_BUTTONS.fix, 'Maria K.').click();
  assert.equal(await field(page, 'email').inputValue(), 'maria.kowal@');
  await field(page, 'email').fill('maria.kowal@example.com');
  await tapSave(page);
  await page.getByRole('heading', { name: 'Ten iPad' }).waitFor();
  await see(page, SYNCED);
  assert.equal((await rowsWith('maria.kowal@example.com')).length, 1);
});

test('a lead is taken back after one question, and one tap brings it back (CAP-6)', async () => {
  await openReady(page, server.url);
  const person = { firstName: 'Ewa', lastName: 'Zysk', email: 'ewa.zysk@example.com', phone: '' };
  await save(page, person);
  await openDevicePage(page);
  await leadButton(page, LEAD_BUTTONS.takeBack, 'Ewa Z.').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Zostaw' }).click();
  assert.equal(await focused(), 'Cofnij: Ewa Z.', 'the focus is where it was');
  await leadButton(page, LEAD_BUTTONS.takeBack, 'Ewa Z.').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cofnij' }).click();
  await page.getByText('cofnięte').waitFor();
  await page.getByRole('heading', { name: SYNCED }).waitFor();
  assert.equal(await focused(), 'Przywróć zgłoszenie: Ewa Z.');
  assert.equal((await rowsWith(person.email)).length, 0);

  await page.keyboard.press('Enter');
  await leadButton(page, LEAD_BUTTONS.takeBack, 'Ewa Z.').waitFor();
  await page.getByRole('heading', { name: SYNCED }).waitFor();
  assert.equal((await rowsWith(person.email)).length, 1);
});

test('hand-over in two taps: the name stands on her leads, and nothing of the previous person is left (CAP-9)', async () => {
  await openReady(page, server.url);
  await openDevicePage(page);
  await page.getByRole('button', { name: 'Zmień osobę' }).click();
  await page.getByLabel(/^(Imię|Ktoś inny)$/).fill('Magda');
  await page.getByRole('button', { name: 'Zaczynam' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await backToForm(page);
  const person = { firstName: 'Iga', lastName: 'Lis', email: 'iga.lis@example.com', phone: '' };
  await save(page, person);
  await see(page, SYNCED);
  const [row] = await rowsWith(person.email);
  assert.ok(row.includes('Magda'), row);

  // Without a network, and with half a lead in the form.
  await page.context().setOffline(true);
  try {
    await fill(page, { ...PEOPLE.zofia, email: 'half@' });
    await openDevicePage(page);
    await page.getByRole('button', { name: 'Zmień osobę' }).click();
    await page.getByRole('button', { name: 'Wyczyść i zmień osobę' }).click();
    await page.getByRole('button', { name: 'Magda', exact: true }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await backToForm(page);
    for (const id of ['firstName', 'lastName', 'email']) assert.equal(await field(page, id).inputValue(), '');
    assert.equal(await page.getByText('Zapisano: Iga L.').count(), 0);
    await page.reload();
    await field(page, 'firstName').waitFor();
    assert.equal(await field(page, 'firstName').inputValue(), '', 'nor does it come back with a reload');
  } finally {
    await page.context().setOffline(false);
  }
});

test('the page about the home screen knows whether it was opened from there', async () => {
  await openReady(page, server.url);
  await openScreen(page, '#install', 'Leadlog na ekranie początkowym');
  await see(page, 'Dotknij „Udostępnij”, obok adresu strony.');
  // What an iPad tells a page that was opened from its home screen.
  await page.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: true }));
  await page.reload();
  await see(page, 'Gotowe: Leadlog jest otwarty z ekranu początkowego.');
});
