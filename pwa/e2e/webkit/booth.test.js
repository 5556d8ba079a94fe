// The hostess' day in the engine of iPads, with taps and keys of WebDriver: invariants 1, 2, CAP-1, CAP-2 and CAP-7.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { field, openConnected, openReady, PEOPLE, save, see, SYNCED, tapSave } from '../support/capture.js';
import { Server } from '../support/server.js';
import { Screen } from './programs.js';
import { Session } from './session.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const OLA = { firstName: 'Ola', lastName: 'Żuk', email: 'ola.zuk@example.com', phone: '' };

let server;
let screen;
let page;

before(async () => {
  server = await Server.start();
  screen = await Screen.start();
  page = await Session.start(screen);
});

after(async () => {
  await page?.remove();
  await screen?.remove();
  await server?.remove();
});

/** The iPad is picked up again: a trigger of the engine, instead of waiting for its next minute. */
const pickUp = () => page.evaluate(`void window.dispatchEvent(new Event('online'))`);
const countOf = (rows, { email }) => rows.filter((row) => row.includes(email)).length;

test('leads saved with and without a network, over a reload without one, are in the export once each', async () => {
  await openConnected(page, server);
  assert.ok(await page.evaluate('isSecureContext'), 'as on an iPad, where the service worker needs it');
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);
  assert.equal(countOf(await server.exportedLeads(), PEOPLE.anna), 1);

  await server.stop();
  await save(page, PEOPLE.zofia);
  assert.equal(await field(page, 'firstName').inputValue(), '', 'the form is empty for the next person');
  assert.equal(await page.getByLabel('Zaznacz wszystkie zgody').isChecked(), false, 'and carries no consent over');
  await see(page, '1 zgłoszenie czeka na wysłanie');

  await page.reload();
  await see(page, '1 zgłoszenie czeka na wysłanie');
  await save(page, OLA);
  await see(page, '2 zgłoszenia czekają na wysłanie');

  await server.start();
  await pickUp();
  await see(page, SYNCED);
  const rows = await server.exportedLeads();
  for (const person of [PEOPLE.anna, PEOPLE.zofia, OLA]) assert.equal(countOf(rows, person), 1, rows.join('\n'));
});

test('mistakes are told at the fields, the languages switch, and axe finds nothing', async () => {
  await openReady(page, server.url);
  assert.deepEqual(await violations(), [], 'empty');

  await field(page, 'email').fill('anna@');
  await tapSave(page);
  await see(page, 'Sprawdź adres e-mail');
  await see(page, 'Wpisz imię');
  assert.equal(await page.evaluate('document.activeElement.id'), 'firstName', 'the first mistake has the focus');
  assert.deepEqual(await violations(), [], 'with mistakes');

  await page.getByRole('button', { name: 'English' }).click();
  await page.getByLabel('First name', { exact: true }).waitFor();
  assert.equal(await page.evaluate('document.documentElement.lang'), 'en');
  assert.equal(await page.getByLabel('E-mail', { exact: true }).inputValue(), 'anna@', 'what was typed stays');
  await page.getByRole('button', { name: 'Polski' }).click();
  await field(page, 'firstName').waitFor();

  await save(page, PEOPLE.anna);
  assert.deepEqual(await violations(), [], 'just saved');
});

async function violations() {
  // As code: the app's policy lets no page evaluate text.
  await page.evaluate(`(() => { if (!window.axe) { ${axe}\n } })()`);
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  return page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | ')))`);
}
