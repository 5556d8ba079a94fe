// CAP-7: WCAG 2.2 AA, and the 7:1 contrast of the capture screen, in both themes and orientations.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { smallTargets, violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { field, openConnected, openReady, PEOPLE, save, see, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

const ORIENTATIONS = { landscape: { width: 1133, height: 744 }, portrait: { width: 744, height: 1133 } };

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
  await openConnected(page, server);
  // An iPad's Safari, so that the line above the form holds a link.
  await page.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: false }));
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

for (const colorScheme of ['dark', 'light']) {
  for (const [orientation, size] of Object.entries(ORIENTATIONS)) {
    test(`${colorScheme}, ${orientation}: empty, with mistakes, with a consent open, saved, fixing, with a known e-mail`, async () => {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await openReady(page, server.url);
      await page.getByRole('link', { name: 'Dodaj Leadlog do ekranu początkowego, zanim zaczniesz.' }).waitFor();
      assert.deepEqual(await violations(page), [], 'empty');
      assert.deepEqual(await smallTargets(page), []);

      await field(page, 'email').fill('anna@');
      await tapSave(page);
      await see(page, 'Sprawdź adres e-mail');
      await page.getByRole('button', { name: /^Pełna treść/ }).first().click();
      assert.deepEqual(await violations(page), [], 'with mistakes and a consent open');

      await save(page, PEOPLE.anna);
      assert.deepEqual(await violations(page), [], 'just saved');
      assert.deepEqual(await smallTargets(page), []);
      await page.getByRole('button', { name: 'Popraw', exact: true }).click();
      assert.deepEqual(await violations(page), [], 'fixing');
      assert.deepEqual(await smallTargets(page), []);
      await page.getByRole('button', { name: 'Wróć bez zmian' }).click();

      await see(page, SYNCED);
      await field(page, 'email').fill(PEOPLE.anna.email);
      await field(page, 'phone').focus();
      await see(page, 'Ten e-mail już jest na liście. Możesz zapisać mimo to.');
      assert.deepEqual(await violations(page), [], 'with a known e-mail');
      await field(page, 'email').fill('');
    });
  }
}

test('with the keyboard open, "Zapisz" and the field being typed in are in the part that it leaves free', async () => {
  await page.setViewportSize(ORIENTATIONS.landscape);
  await openReady(page, server.url);
  await field(page, 'phone').focus();
  // An iPad's keyboard changes nothing but the visual viewport.
  const freeHeight = 340;
  await page.evaluate((height) => {
    Object.defineProperty(window.visualViewport, 'height', { get: () => height });
    window.visualViewport.dispatchEvent(new Event('resize'));
  }, freeHeight);
  const save = await page.getByRole('button', { name: 'Zapisz', exact: true }).boundingBox();
  const phone = await field(page, 'phone').boundingBox();
  assert.ok(save.y + save.height <= freeHeight, `the button ends at ${save.y + save.height}`);
  assert.ok(phone.y >= 0 && phone.y + phone.height <= save.y, `the field stands at ${phone.y}, the button at ${save.y}`);
});

test('everything is reached and done with a keyboard alone, in the order of asking', async () => {
  await openReady(page, server.url);
  for (const id of ['firstName', 'lastName', 'email', 'phone']) {
    assert.equal(await page.evaluate(() => document.activeElement?.id), id);
    await page.keyboard.type(PEOPLE.anna[id]);
    await page.keyboard.press('Enter');
  }
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'consents.all');
  await page.keyboard.press('Space');
  for (let stop = 0; stop < 9; stop += 1) await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Zapisz');
  await page.keyboard.press('Enter');
  await page.getByText('Zapisano: Anna N.').waitFor();
});
