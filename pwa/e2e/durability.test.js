// Invariant 1: before the screen says "Zapisano", the lead's bytes are not only written but flushed to the disk. A browser
// that is killed cannot show that, because what was written stays in the system's page cache; its system calls do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ipad } from './support/browser.js';
import { openReady } from './support/capture.js';
import { ReleaseServer } from './support/release-server.js';
import { cannotTrace } from './support/system-calls.js';
import { relaxDurability, traceSave } from './support/traced-save.js';

const CANNOT_TRACE = await cannotTrace();
/** LevelDB's log, in which what is new stands. */
const LOG = /\/IndexedDB\/.*\.log$/;

test('the lead is flushed to the disk before the screen says "Zapisano"', { skip: CANNOT_TRACE }, async (t) => {
  const { written, flushed, answered } = await save();
  t.diagnostic(`lines of the trace: written ${written}, flushed ${flushed}, answered ${answered}`);
  assert.ok(flushed, `written in line ${written}, answered in line ${answered}, and no flush between them`);
});

test('the trace tells: with relaxed durability there is no flush', { skip: CANNOT_TRACE }, async () => {
  const { written, flushed } = await save(relaxDurability);
  assert.ok(written, 'it is written all the same');
  assert.equal(flushed, undefined);
});

async function save(change) {
  // Without an API: no receipt of a server is written, and flushed, in between.
  const server = await ReleaseServer.start();
  const ipad = new Ipad();
  try {
    const page = await ipad.page();
    if (change) await page.addInitScript(change);
    await openReady(page, server.url);
    // Pages do not write to the disk themselves, and stand still less when they are not traced.
    const find = await traceSave(page, ipad.pids(/--type=(?!utility)/));
    return find(LOG);
  } finally {
    await ipad.remove();
    await server.stop();
  }
}
