// CAP-7 on the screens beside the form: WCAG 2.2 AA and 7:1, both themes, upright and across, at 200 %
// zoom, and with a keyboard alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { smallTargets, violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { field, openConnected, openReady, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { backToForm, LEAD_BUTTONS, leadButton, openDevicePage, openRestorePage, openScreen, syncNow } from './support/device-page.js';
import { Server } from './support/server.js';

/** In CSS pixels; zoomed to 200 %, a page has half of its iPad's. */
const SIZES = {
  landscape: { width: 1133, height: 744 },
  portrait: { width: 744, height: 1133 },
  'landscape at 200 %': { width: 566, height: 372 },
  'portrait at 200 %': { width: 372, height: 566 },
};

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
  await openConnected(page, server);
  await save(page, PEOPLE.anna);
  await save(page, PEOPLE.zofia);
  await see(page, SYNCED);
  await openDevicePage(page);
  await syncNow(page);
  await page.getByText('przed chwilą', { exact: true }).waitFor();
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

async function assertAccessible(state) {
  assert.deepEqual(await violations(page), [], state);
  assert.deepEqual(await smallTargets(page), [], state);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${state}: scrolls sideways`);
}

for (const colorScheme of ['dark', 'light']) {
  for (const [name, size] of Object.entries(SIZES)) {
    test(`${colorScheme}, ${name}: this iPad, its questions, restore, home screen`, async () => {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await openReady(page, server.url);

      await openDevicePage(page);
      await see(page, 'O tym iPadzie');
      await assertAccessible('this iPad');
      await leadButton(page, LEAD_BUTTONS.takeBack, 'Anna N.').click();
      await assertAccessible('the question before a lead is taken back');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Zmień osobę' }).click();
      await assertAccessible('hand-over');
      await page.keyboard.press('Escape');

      await openRestorePage(page);
      await page.getByRole('button', { name: /^Przywróć/ }).first().waitFor();
      await assertAccessible('restore');
      await openScreen(page, '#install', 'Leadlog na ekranie początkowym');
      await assertAccessible('home screen');
    });
  }
}

test('a lead is taken back and another person takes over with a keyboard alone', async () => {
  await page.setViewportSize(SIZES.landscape);
  await openReady(page, server.url);
  await openDevicePage(page);
  const press = async (key, until) => {
    for (let stop = 0; stop < 40; stop += 1) {
      if ((await page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent.trim())) === until) return;
      await page.keyboard.press(key);
    }
    assert.fail(`${until} was not reached`);
  };
  await press('Tab', 'Cofnij: Zofia Ł.');
  await page.keyboard.press('Enter');
  await press('Tab', 'Cofnij');
  await page.keyboard.press('Enter');
  await page.getByText(/cofnięte/).waitFor();
  await press('Tab', 'Zmień osobę');
  await page.keyboard.press('Enter');
  await page.keyboard.type('Kasia');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await see(page, 'Kasia');
  await backToForm(page);
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'firstName');
  await field(page, 'firstName').waitFor();
});
