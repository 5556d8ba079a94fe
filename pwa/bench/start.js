// How long until a person can type: from the cache, without a network; and what of that is WASM.
import { Ipad } from '../e2e/support/browser.js';
import { field, openReady } from '../e2e/support/capture.js';
import { call, openBench } from './page/site.js';
import { median } from './statistics.js';

/** The server is gone while this is measured: all there is comes from the iPad. */
export async function measureStart({ server, samples, tell }) {
  const ipad = new Ipad();
  try {
    await openReady(await ipad.page(), server.url);
    await server.stop();
    tell('starting from the cache');
    const [again, cold] = [[], []];
    for (let sample = 0; sample < samples; sample += 1) {
      // The app was closed, or the iPad was off.
      await ipad.cutPower();
      cold.push(await timeToType(await ipad.page(), server.url));
      again.push(await timeToType(await ipad.page(), server.url));
    }
    return { again: median(again), cold: median(cold) };
  } finally {
    await ipad.remove();
    await server.start();
  }
}

/** From the start of the navigation to the frame after which the first field takes what is typed. */
async function timeToType(page, url) {
  await page.addInitScript(() => {
    const look = () => {
      const first = document.querySelector('#app input:not([type="checkbox"]):enabled');
      if (!first) return requestAnimationFrame(look);
      globalThis.typableAt ??= performance.now();
    };
    requestAnimationFrame(look);
  });
  await page.goto(url);
  await field(page, 'firstName').waitFor();
  const at = await page.waitForFunction(() => globalThis.typableAt);
  return at.jsonValue();
}

/** From the bytes in memory to the library that answers; a browser each, because a second time is compiled already. */
export async function measureWasm({ samples, tell }) {
  tell('starting WASM');
  const taken = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const ipad = new Ipad();
    try {
      const page = await ipad.page();
      await openBench(page, 'http://wasm.localhost');
      taken.push(await call(page, 'startWasm'));
    } finally {
      await ipad.remove();
    }
  }
  return median(taken);
}
