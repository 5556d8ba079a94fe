// How the app comes up: in its languages, in its budget, and honestly where it cannot.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { Ipad } from './support/browser.js';
import { fill, openReady, PEOPLE, see } from './support/capture.js';
import { Server } from './support/server.js';

/**
 * Everything that the first visit transfers: page, script, style, WASM, every screen among them. The target is
 * 110 kB and is missed (docs/performance.md); this keeps it from getting worse.
 */
const FIRST_LOAD_LIMIT_BYTES = 140_000;

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
  ipad = new Ipad();
  page = await ipad.page();
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
});

test('the first load stays in its budget', (t) => {
  const dist = fileURLToPath(new URL('../dist/', import.meta.url));
  const files = ['index.html', ...readdirSync(`${dist}assets`).map((file) => `assets/${file}`)].filter((file) => !/\.(br|gz)$/.test(file));
  const sizes = files.map((file) => [file, brotliCompressSync(readFileSync(dist + file)).length]);
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  t.diagnostic(`first load, brotli: ${total} bytes (${sizes.map(([file, bytes]) => `${file} ${bytes}`).join(', ')})`);
  assert.ok(files.some((file) => file.endsWith('.wasm')), 'the build holds the device library');
  assert.ok(total <= FIRST_LOAD_LIMIT_BYTES, `${total} bytes`);
});

test('switching the language keeps what was typed', async () => {
  await openReady(page, server.url);
  await fill(page, PEOPLE.anna);
  await page.getByRole('button', { name: 'English' }).click();
  await see(page, 'I accept the event terms and the privacy policy.');
  assert.equal(await page.getByLabel('First name').inputValue(), PEOPLE.anna.firstName);
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
});

test('the service worker leaves the server\'s routes and every upload alone', async () => {
  await openReady(page, server.url);
  for (const path of ['/docs/', '/api/health', '/openapi.json']) {
    await page.goto(server.url + path);
    assert.equal(await page.locator('#app').count(), 0, `${path} shows the form`);
  }
  await openReady(page, server.url);
  await page.context().setOffline(true);
  try {
    const reached = await page.evaluate(() =>
      Promise.all(
        [fetch('/api/health'), fetch('/docs/'), fetch('/', { method: 'POST' })].map((answer) =>
          answer.then(
            ({ status }) => status,
            () => 'no network',
          ),
        ),
      ),
    );
    assert.deepEqual(reached, ['no network', 'no network', 'no network']);
  } finally {
    await page.context().setOffline(false);
  }
});
