// Invariant 1: once the screen says "Zapisano", the lead survives a crash at any later step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ipad } from './support/browser.js';
import { fill, openReady, PEOPLE, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

test('a lead survives the browser being killed the moment it says "Zapisano"', async () => {
  const server = await Server.start();
  const ipad = new Ipad();
  try {
    const page = await ipad.page();
    await openReady(page, server.url);
    await server.stop();
    await fill(page, PEOPLE.anna);
    await tapSave(page);
    await seeSaved(page, PEOPLE.anna);
    await ipad.cutPower();

    const restarted = await ipad.page();
    // The server is still away: the page itself comes from the iPad.
    await restarted.goto(server.url);
    await see(restarted, '1 zgłoszenie czeka na wysłanie');

    await server.start();
    // The iPad is picked up again: a trigger of the engine, instead of waiting for its next minute.
    await restarted.evaluate(() => window.dispatchEvent(new Event('online')));
    await see(restarted, SYNCED);
    const rows = await server.exportedLeads();
    assert.equal(rows.length, 1, rows.join('\n'));
    assert.ok(rows[0].includes(PEOPLE.anna.email));
  } finally {
    await ipad.remove();
    await server.remove();
  }
});
