import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const FILES = {
  '/bench/page.js': [path('page.js'), 'text/javascript'],
  '/bench/dexie.mjs': [path('../../node_modules/dexie/dist/modern/dexie.mjs'), 'text/javascript'],
  '/bench/campaign.json': [path('../../../domain/campaigns/shootout-2026.json'), 'application/json'],
};
const PACKAGE = path('../../../client-wasm/pkg/');
/** With these the browser's clock has steps of 5 µs instead of 100. */
const PRECISE_CLOCK = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** Opens the benchmark's own page at this origin, whoever else answers there. */
export async function openBench(page, origin) {
  await page.route(`${origin}/bench/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === '/bench/') {
      const body = '<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">';
      return route.fulfill({ body, contentType: 'text/html', headers: PRECISE_CLOCK });
    }
    const [file, contentType] = FILES[pathname] ?? ofPackage(pathname);
    if (!existsSync(file)) return route.fulfill({ status: 404 });
    return route.fulfill({ body: readFileSync(file), contentType, headers: PRECISE_CLOCK });
  });
  await page.goto(`${origin}/bench/`);
  // A queue of 50,000 takes its time.
  page.setDefaultTimeout(0);
}

/** Calls a function of page.js there. */
export function call(page, name, ...args) {
  return page.evaluate(async ([name, args]) => (await import('/bench/page.js'))[name](...args), [name, args]);
}

/** The library, with what its JavaScript imports. */
function ofPackage(pathname) {
  const file = PACKAGE + pathname.replace('/bench/pkg/', '');
  return [file, file.endsWith('.wasm') ? 'application/wasm' : 'text/javascript'];
}
