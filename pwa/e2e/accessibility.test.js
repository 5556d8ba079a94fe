// CAP-7: WCAG 2.2 AA, and the 7:1 contrast of the capture screen, in both themes and orientations.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openReady, PEOPLE, save, see, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ORIENTATIONS = { landscape: { width: 1133, height: 744 }, portrait: { width: 744, height: 1133 } };

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

async function violations() {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      // 7:1 belongs to AAA; the capture screen keeps it all the same.
      rules: { 'color-contrast-enhanced': { enabled: true }, 'target-size': { enabled: true } },
    });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`);
  });
}

/** Touch targets under 48 px that a finger would have to hit. A box inside a label is hit by its label. */
function smallTargets() {
  return page.evaluate(() =>
    [...document.querySelectorAll('button, label:has(input), input:not([type=checkbox])')]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.height < 48 || box.width < 48)
      .map(({ element, box }) => `${element.outerHTML.slice(0, 80)}: ${box.width} x ${box.height}`),
  );
}

for (const colorScheme of ['dark', 'light']) {
  for (const [orientation, size] of Object.entries(ORIENTATIONS)) {
    test(`${colorScheme}, ${orientation}: empty, with mistakes, with a consent open, and saved`, async () => {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      await openReady(page, server.url);
      assert.deepEqual(await violations(), [], 'empty');
      assert.deepEqual(await smallTargets(), []);

      await field(page, 'email').fill('anna@');
      await tapSave(page);
      await see(page, 'Sprawdź adres e-mail');
      await page.getByRole('button', { name: /^Pełna treść/ }).first().click();
      assert.deepEqual(await violations(), [], 'with mistakes and a consent open');

      await save(page, PEOPLE.anna);
      assert.deepEqual(await violations(), [], 'just saved');
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
  for (let stop = 0; stop < 7; stop += 1) await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Zapisz');
  await page.keyboard.press('Enter');
  await page.getByText('Zapisano: Anna N.').waitFor();
});
