// Invariant 1 and SYN-8 in the engine of iPads: what "Zapisano" has said outlives a browser and a storage process that
// are killed, and what could not be saved stays with the person.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { field, fill, openReady, PEOPLE, save, see, seeConnected, SYNCED, tapSave } from '../support/capture.js';
import { Server } from '../support/server.js';
import { until } from '../support/until.js';
import { Ipad } from './ipad.js';
import { Screen } from './programs.js';

const OLA = { firstName: 'Ola', lastName: 'Żuk', email: 'ola.zuk@example.com', phone: '' };
const EXPECTED_COMPLAINTS = /Failed to load resource|Could not connect|access control|directive 'manifest-src'/;
const NOT_SAVED = 'Nie udało się zapisać na tym urządzeniu.';

let screen;
let server;
let ipad;

before(async () => {
  screen = await Screen.start();
  server = await Server.start();
});

after(async () => {
  await screen?.remove();
  await server?.remove();
});

beforeEach(() => {
  ipad = new Ipad(screen);
});

afterEach(() => ipad.remove());

async function openConnected() {
  const page = await ipad.open(await server.connectUrl());
  await seeConnected(page);
  await openReady(page, server.url);
  return page;
}

/** The iPad is picked up again: a trigger of the engine, instead of waiting for its next minute. */
const pickUp = (page) => page.evaluate(`void window.dispatchEvent(new Event('online'))`);

/**
 * What the console complained about, but for requests to a server that is away on purpose, and for a directive of the
 * app's policy that WebKitGTK, which installs no apps, is built without.
 */
const complaints = (page) => page.console.filter((line) => line.startsWith('error') && !EXPECTED_COMPLAINTS.test(line));

async function assertStoredOnce(people) {
  const rows = await server.exportedLeads();
  for (const { email } of people) assert.equal(rows.filter((row) => row.includes(email)).length, 1, rows.join('\n'));
}

test('a lead survives WebKit being killed the moment it says "Zapisano", and starts again without a network', async () => {
  const page = await openConnected();
  await server.stop();
  await save(page, PEOPLE.anna);
  assert.deepEqual(complaints(page), []);
  await ipad.cutPower();

  // The server is still away: the page itself comes from the iPad.
  const restarted = await ipad.open(server.url);
  await see(restarted, '1 zgłoszenie czeka na wysłanie');
  await server.start();
  await pickUp(restarted);
  await see(restarted, SYNCED);
  assert.deepEqual(complaints(restarted), []);
  await assertStoredOnce([PEOPLE.anna]);
});

test('when WebKit loses its storage process, Save works or says that it did not and keeps the text; a reload recovers', async (t) => {
  const page = await openConnected();
  await server.stop();
  await save(page, OLA);
  await fill(page, PEOPLE.zofia);
  process.kill(await ipad.storageProcess(), 'SIGKILL');

  await tapSave(page);
  const isThere = (text) => page.getByText(text).count();
  const saved = `Zapisano: ${PEOPLE.zofia.firstName} ${PEOPLE.zofia.lastName[0]}.`;
  const outcome = await until(
    async () => ((await isThere(saved)) && 'saved') || ((await isThere(NOT_SAVED)) && 'told'),
    async () => `an answer of Save on a page that says ${await page.text()}`,
  );
  t.diagnostic(`after the storage process was killed, Save ${outcome}`);
  if (outcome === 'told') {
    assert.equal(await field(page, 'email').inputValue(), PEOPLE.zofia.email, 'the text stays');
  }

  await page.reload();
  await field(page, 'firstName').waitFor();
  if (outcome === 'told') await save(page, PEOPLE.zofia);
  await see(page, '2 zgłoszenia czekają na wysłanie');
  await server.start();
  await pickUp(page);
  await see(page, SYNCED);
  await assertStoredOnce([OLA, PEOPLE.zofia]);
});
