// Invariant 1 in the engine of iPads: before the screen says "Zapisano", the lead's bytes are flushed to the disk. The
// order of system calls shows it; see e2e/durability.test.js.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openReady } from '../support/capture.js';
import { ReleaseServer } from '../support/release-server.js';
import { cannotTrace } from '../support/system-calls.js';
import { relaxDurability, traceSave } from '../support/traced-save.js';
import { Ipad } from './ipad.js';
import { Screen } from './programs.js';

const CANNOT_TRACE = await cannotTrace();
/** SQLite's, as WebKit keeps IndexedDB: what is new stands in the log first, and a checkpoint brings it into the database. */
const LOG = /\/indexeddb\/.*-wal$/i;
const DATABASE = /\/indexeddb\/.*\.sqlite3$/i;

let screen;

before(async () => {
  screen = await Screen.start();
});

after(() => screen?.remove());

test('the lead is flushed to the disk before the screen says "Zapisano"', { skip: CANNOT_TRACE }, async (t) => {
  const find = await save();
  const { written, flushed, answered } = find(LOG);
  t.diagnostic(`lines of the trace: written ${written}, flushed ${flushed}, answered ${answered}`);
  assert.ok(flushed, `written in line ${written}, answered in line ${answered}, and no flush between them`);
  assert.ok(find(DATABASE).flushed, 'strict: WebKit also brings it into the database itself, before it answers');
});

test('the trace tells: with relaxed durability it is in the log alone', { skip: CANNOT_TRACE }, async () => {
  const find = await save(relaxDurability);
  assert.ok(find(LOG).written);
  assert.equal(find(DATABASE).written, undefined);
});

async function save(change) {
  // Without an API: no receipt of a server is written, and flushed, in between.
  const server = await ReleaseServer.start();
  const ipad = new Ipad(screen);
  try {
    const page = await ipad.open(server.url);
    await openReady(page, server.url);
    if (change) await page.evaluate(`void (${change})()`);
    // It keeps the storage, and does the network.
    return await traceSave(page, [await ipad.storageProcess()]);
  } finally {
    await ipad.remove();
    await server.stop();
  }
}
