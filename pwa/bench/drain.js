// A day without a network is over: how fast the queue reaches a server on the same machine.
import { Ipad } from '../e2e/support/browser.js';
import { call, openBench } from './page/site.js';

/** Leads per second. Every one must have a receipt of the cloud in the end. */
export async function measureDrain({ server, leads, tell }) {
  const ipad = new Ipad();
  try {
    const page = await ipad.page();
    await openBench(page, server.url);
    await call(page, 'openLibrary');
    await call(page, 'connect', await server.connectCode());
    await page.context().setOffline(true);
    tell(`saving ${leads} leads`);
    await call(page, 'saveMany', leads);
    tell(`sending ${leads} leads`);
    await page.context().setOffline(false);
    const taken = await call(page, 'drain', leads);
    return (leads / taken) * 1000;
  } finally {
    await ipad.remove();
  }
}
