// Invariant 1, for a browser that dies: once the screen says "Zapisano", the lead is not in the browser's memory alone.
// That it is not in the system's memory alone either, durability.test.js shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ipad } from './support/browser.js';
import { fill, openConnected, see, seeSaved, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

const WAITING = [
  '1 zgłoszenie czeka na wysłanie',
  '2 zgłoszenia czekają na wysłanie',
  '3 zgłoszenia czekają na wysłanie',
  '4 zgłoszenia czekają na wysłanie',
  '5 zgłoszeń czeka na wysłanie',
];

test('leads survive the browser being killed the moment it says "Zapisano", five times in a row', async () => {
  const server = await Server.start();
  const ipad = new Ipad();
  try {
    await openConnected(await ipad.page(), server);
    await server.stop();
    const people = WAITING.map((_, index) => ({ firstName: 'Kill', lastName: `Nr${index}`, email: `kill${index}@example.com`, phone: '' }));
    for (const [index, person] of people.entries()) {
      const page = await ipad.page();
      // The server is away: the page itself comes from the iPad.
      await page.goto(server.url);
      await fill(page, person);
      await tapSave(page);
      await seeSaved(page, person);
      await ipad.cutPower();

      const restarted = await ipad.page();
      await restarted.goto(server.url);
      await see(restarted, WAITING[index]);
    }

    await server.start();
    const page = await ipad.page();
    // The iPad is picked up again: a trigger of the engine, instead of waiting for its next minute.
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await see(page, SYNCED);
    const rows = await server.exportedLeads();
    assert.equal(rows.length, people.length, rows.join('\n'));
    for (const { email } of people) assert.ok(rows.some((row) => row.includes(email)), email);
  } finally {
    await ipad.remove();
    await server.remove();
  }
});
