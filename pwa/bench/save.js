// Tap to durable: how long Save takes, with nothing and with a long queue on the device.
import { Ipad } from '../e2e/support/browser.js';
import { call, openBench } from './page/site.js';
import { percentile } from './statistics.js';

/** The queues take turns, so that what the machine does meanwhile meets all of them. */
const TURNS = 5;
const WARM_UP_ROUNDS = 20;

/** Returns for each length of the queue the p50 and p99 of each way, in milliseconds. */
export async function measureSave({ queues, rounds, tell }) {
  const ipad = new Ipad();
  try {
    const context = (await ipad.page()).context();
    const pages = new Map();
    for (const stored of queues) {
      const page = await context.newPage();
      // An origin each, so each has storage of its own; no server answers there, and none is asked.
      await openBench(page, `http://stored-${stored}.localhost`);
      await call(page, 'openLibrary');
      await context.setOffline(true);
      tell(`saving ${stored} leads`);
      await page.bringToFront();
      await call(page, 'saveMany', Math.max(0, stored - 1));
      await call(page, 'openRivals', stored);
      await context.setOffline(false);
      pages.set(stored, page);
    }
    await context.setOffline(true);
    const taken = new Map(queues.map((stored) => [stored, { leadlog: [], bare: [], dexie: [] }]));
    for (let turn = 0; turn < TURNS; turn += 1) {
      tell(`measuring Save, ${turn + 1} of ${TURNS}`);
      for (const [stored, page] of pages) {
        await page.bringToFront();
        if (turn === 0) await call(page, 'measure', WARM_UP_ROUNDS);
        const more = await call(page, 'measure', Math.ceil(rounds / TURNS));
        for (const [way, values] of Object.entries(more)) taken.get(stored)[way].push(...values);
      }
    }
    return queues.map((stored) => {
      const ways = Object.entries(taken.get(stored)).map(([way, values]) => [
        way,
        { p50: percentile(values, 50), p99: percentile(values, 99) },
      ]);
      return { stored, ...Object.fromEntries(ways) };
    });
  } finally {
    await ipad.remove();
  }
}
