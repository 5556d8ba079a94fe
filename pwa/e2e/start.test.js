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
 * What the first visit transfers until the form works: the page and what it names, which are scripts, style and WASM.
 * The target is 110 kB and is missed by a sixth (docs/performance.md); this keeps it from getting worse.
 */
const FORM_LIMIT_BYTES = 128_500;
/** With the second script and what reads QR codes, which come after the form, and the reduced mode, which comes where it must. */
const WHOLE_APP_LIMIT_BYTES = 164_700;
/** Of what is the app's own and changes with most versions: what an update transfers when libraries, style and WASM are the same. */
const OWN_LIMIT_BYTES = 39_200;

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
  const sizeOf = (file) => brotliCompressSync(readFileSync(dist + file)).length;
  const assets = readdirSync(`${dist}assets`).filter((file) => !/\.(br|gz)$/.test(file)).map((file) => `assets/${file}`);
  const html = readFileSync(`${dist}index.html`, 'utf8');
  const named = assets.filter((file) => html.includes(`"/${file}"`));
  for (const type of ['js', 'css', 'wasm']) assert.ok(named.some((file) => file.endsWith(`.${type}`)), `the page names its ${type}`);

  const sum = (files) => files.reduce((bytes, file) => bytes + sizeOf(file), 0);
  const [form, whole] = [sum(['index.html', ...named]), sum(['index.html', ...assets])];
  const own = sum(['index.html', 'sw.js', ...assets.filter((file) => file.endsWith('.js') && !/libraries|decoder/.test(file))]);
  t.diagnostic(`brotli, bytes: ${form} until the form works, ${own} of the app's own, ${whole} in all (${['index.html', ...assets].map((file) => `${file} ${sizeOf(file)}`).join(', ')})`);
  assert.ok(form <= FORM_LIMIT_BYTES, `${form} bytes until the form works`);
  assert.ok(whole <= WHOLE_APP_LIMIT_BYTES, `${whole} bytes in all`);
  assert.ok(own <= OWN_LIMIT_BYTES, `${own} bytes of the app's own`);
});

test('each startup image is as large as the page says, and stored on no iPad beforehand', () => {
  const dist = fileURLToPath(new URL('../dist/', import.meta.url));
  const links = [...readFileSync(`${dist}index.html`, 'utf8').matchAll(/<link rel="apple-touch-startup-image" href="\/([^"]+)" media="([^"]+)">/g)];
  assert.deepEqual(links.map(([, file]) => file).sort(), readdirSync(`${dist}startup`).map((file) => `startup/${file}`).sort());
  for (const [, file, media] of links) {
    const [short, long] = /width:(\d+)px.*height:(\d+)px/.exec(media).slice(1).map(Number);
    const [width, height] = media.includes('portrait') ? [short, long] : [long, short];
    const image = readFileSync(dist + file);
    assert.deepEqual([image.readUInt32BE(16), image.readUInt32BE(20)], [2 * width, 2 * height], file);
  }
  assert.ok(!readFileSync(`${dist}sw.js`, 'utf8').includes('startup/'));
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
  // Not by the browser's own switch, which was seen to take effect after these requests.
  await server.stop();
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
    await server.start();
  }
});
