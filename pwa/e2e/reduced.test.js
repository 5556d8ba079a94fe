// Where the device library cannot start, a Save is one all the same (invariants 1, 2 and 10).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, fill, openConnected, openReady, PEOPLE, save, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { DIST, ReleaseServer } from './support/release-server.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

const REDUCED = 'Tryb awaryjny: zapisuję na tym iPadzie. Zgłoszenia wyślą się, gdy otworzysz formularz ponownie z siecią.';
const WASM = /\.wasm$/;
const ONE_WAITS = '1 zgłoszenie czeka na wysłanie';
const TWO_WAIT = '2 zgłoszenia czekają na wysłanie';

let server;
let app;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  app = await ReleaseServer.start({ api: server.url });
  ipad = new Ipad();
  page = await ipad.page();
});

after(async () => {
  await ipad?.remove();
  await app?.stop().catch(() => undefined);
  await server?.remove();
});

async function openReduced(tab) {
  await tab.goto(app.url);
  await see(tab, REDUCED);
}

/** Opens the app until it is whole: a damaged file may be in the browser's own cache, until the offline copy takes its place. */
async function openWhole(tab) {
  await openReady(tab, app.url);
  await tab.reload();
  await field(tab, 'firstName').waitFor();
  await openConnected(tab, server, { url: app.url });
}

async function rowsWith(email) {
  const rows = await server.exportedLeads();
  return rows.filter((row) => row.includes(email));
}

/** Every form that waits in the database of the reduced mode. */
const pendingForms = () =>
  page.evaluate(
    () =>
      new Promise((done, fail) => {
        const opening = indexedDB.open('leadlog-pending', 1);
        opening.onerror = fail;
        opening.onsuccess = () => {
          const forms = opening.result.transaction('forms').objectStore('forms').getAll();
          forms.onsuccess = () => {
            opening.result.close();
            done(forms.result);
          };
        };
      }),
  );

test('the required consents are asked for, and nothing else', async () => {
  app.answerInstead(WASM, 'damaged');
  await openReduced(page);
  await field(page, 'firstName').fill('Anna');
  await tapSave(page);
  await see(page, 'Bez akceptacji regulaminu nie możemy zapisać zgłoszenia');
  assert.deepEqual(await pendingForms(), []);
});

test('a form that the disk refused, or may have refused, is one lead when it is saved again', async () => {
  await fill(page, PEOPLE.anna);
  // It is written, but the answer does not come through.
  await page.evaluate(() => {
    const disk = IDBObjectStore.prototype;
    const { get } = disk;
    disk.get = () => {
      throw new DOMException('The disk is away.', 'UnknownError');
    };
    window.repairDisk = () => (disk.get = get);
  });
  await tapSave(page);
  await page.getByText('Nie udało się zapisać na tym urządzeniu.').waitFor();
  assert.equal(await field(page, 'email').inputValue(), PEOPLE.anna.email);
  assert.equal((await pendingForms()).length, 1, 'the disk had it');

  await page.evaluate(() => window.repairDisk());
  await tapSave(page);
  await seeSaved(page, PEOPLE.anna);
  await see(page, ONE_WAITS);
  const [form, ...others] = await pendingForms();
  assert.deepEqual(others, []);
  assert.match(form.clientId, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('what is saved survives the power cut, and reaches the server once when the library is whole', async () => {
  await save(page, PEOPLE.zofia);
  await ipad.cutPower();
  page = await ipad.page();
  await openReduced(page);
  await see(page, TWO_WAIT);

  app.release(DIST);
  await openWhole(page);
  for (const { email } of [PEOPLE.anna, PEOPLE.zofia]) await until(async () => (await rowsWith(email)).length === 1, `the lead of ${email}`);
  await until(async () => (await pendingForms()).length === 0, 'the end of the forms that wait for the library');
  await see(page, SYNCED);

  await page.reload();
  await see(page, SYNCED);
  assert.equal((await server.exportedLeads()).length, 2);
});

test('what waits can be fixed and taken back', async () => {
  await page.addInitScript(() => delete globalThis.WebAssembly);
  await openReduced(page);
  await save(page, { ...PEOPLE.anna, email: 'anna.nowk@example.com' });
  await page.getByRole('button', { name: 'Popraw' }).click();
  await field(page, 'email').fill('anna.fixed@example.com');
  await tapSave(page);
  await see(page, ONE_WAITS);
  const [{ form }] = await pendingForms();
  assert.equal(JSON.parse(form).email, 'anna.fixed@example.com');

  await save(page, PEOPLE.zofia);
  await see(page, TWO_WAIT);
  await page.getByRole('button', { name: 'Cofnij' }).click();
  await see(page, ONE_WAITS);
});

test('the file of an iPad whose browser forbids WASM brings its leads to the server by another iPad, once', async () => {
  await page.goto(`${app.url}/#device`);
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Eksportuj plik' }).click();
  const file = await (await downloading).path();
  const { records, pendingForms: forms } = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(records.entries, []);
  assert.equal(forms.length, 1);

  const other = new Ipad();
  try {
    const elsewhere = await other.page();
    await openConnected(elsewhere, server, { name: 'iPad 2', url: app.url });
    for (const _ of ['once', 'and again']) {
      await elsewhere.goto(`${app.url}/#device`);
      const choosing = elsewhere.waitForEvent('filechooser');
      await elsewhere.getByText('Wczytaj plik').click();
      await (await choosing).setFiles(file);
      await elsewhere.getByText(/Przywrócono/).waitFor();
    }
    await elsewhere.goto(app.url);
    await see(elsewhere, SYNCED);
  } finally {
    await other.remove();
  }
  assert.equal((await rowsWith('anna.fixed@example.com')).length, 1);
});

test('where the browser gives no storage at all, the screen says so and what to do', async () => {
  await page.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('The user denied permission.', 'SecurityError');
    };
  });
  await page.goto(app.url);
  await see(page, 'Nie można uruchomić formularza');
  await page.getByText('Wyłącz tryb prywatny').waitFor();
});
