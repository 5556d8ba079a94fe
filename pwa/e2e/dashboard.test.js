// Somebody watches a hub: leads as they come, what waits for the cloud and why, and how the next iPad comes in (TIER-5, CRM-4).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import decodeQR from 'qr/decode.js';
import { smallTargets, violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { openConnected, PEOPLE, save, see } from './support/capture.js';
import { freePort } from './support/free-port.js';
import { Server } from './support/server.js';
import { homeThatTrusts } from './support/trust.js';

const NAME = 'hub-3.local';
const ELSEWHERE = process.platform !== 'linux' && 'elsewhere Chromium trusts what the system does';

let cloud;
let hub;
let setup;
let home;
let ipad;
let laptop;
let url;

before(async () => {
  if (ELSEWHERE) return;
  cloud = await Server.start();
  setup = `127.0.0.1:${await freePort()}`;
  hub = await Server.startHub(cloud, ['--tls-own-ca', '--mdns-name', 'hub-3', '--setup-listen', setup]);
  url = `https://${NAME}:${new URL(hub.url).port}`;
  home = homeThatTrusts(await (await fetch(`http://${setup}/leadlog-ca.pem`)).text());
  const flags = [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`];
  ipad = new Ipad({ flags, home: home.path });
  laptop = new Ipad({ flags, home: home.path });
});

after(async () => {
  await laptop?.remove();
  await ipad?.remove();
  await hub?.remove();
  await cloud?.remove();
  home?.remove();
});

test('nobody sees the dashboard who is not signed in', { skip: ELSEWHERE }, async () => {
  const page = await laptop.page();
  await page.goto(`${url}/dashboard`);
  await see(page, 'Czy wszystkie zgłoszenia dotarły?');
  const answer = await page.evaluate(async () => (await fetch('/api/live')).status);
  assert.equal(answer, 401);
});

test('who watches a hub sees leads come, what waits for the cloud and why, and that the hub itself is gone', { skip: ELSEWHERE }, async () => {
  const { code } = await hub.invitation('Ewa', 'organize');
  const watching = await laptop.page();
  const complaints = [];
  watching.on('console', (message) => /Content Security Policy/.test(message.text()) && complaints.push(message.text()));
  await watching.goto(`${url}/#invite=${code}`);
  await watching.getByRole('link', { name: 'Pulpit na żywo' }).click();
  await see(watching, 'Nie ma jeszcze zgłoszeń');

  const capturing = await ipad.page();
  await openConnected(capturing, hub, { url });
  const row = watching.getByRole('row', { name: 'iPad 1' });
  await row.getByText('wszystko przekazał').waitFor();
  await save(capturing, PEOPLE.anna);
  await see(watching, 'Wszystko jest w chmurze');
  await row.getByRole('cell', { name: '1', exact: true }).waitFor();

  await cloud.stop();
  await save(capturing, PEOPLE.zofia);
  await see(watching, /^1 zgłoszenie czeka na chmurę/);
  await see(watching, 'Hub nie dociera do chmury');
  for (const size of [{ width: 1133, height: 744 }, { width: 390, height: 844 }]) {
    await watching.setViewportSize(size);
    assert.deepEqual(await violations(watching), []);
    assert.deepEqual(await smallTargets(watching), []);
    assert.equal(await watching.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  }
  assert.deepEqual(complaints, [], 'its policy lets everything through that it has');

  await hub.stop();
  await see(watching, /^Brak połączenia z serwerem od /);
  await hub.start();
  await see(watching, 'Hub nie dociera do chmury');
  await cloud.start();
  await see(watching, 'Wszystko jest w chmurze');
});

test('it leads the next iPad to the set-up page', { skip: ELSEWHERE }, async () => {
  const page = await laptop.page();
  const code = page.getByRole('img', { name: /^Kod QR/ });
  assert.equal(await read(page, await code.screenshot()), `http://${setup}`);
  // What people compare is the same on both.
  const told = (await (await fetch(`http://${setup}/en`)).text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  const [fingerprint] = /([0-9A-F]{2} ){32}/.exec(told);
  const shown = (await page.locator('main').innerText()).replaceAll(/\s+/g, ' ');
  assert.ok(shown.includes(fingerprint.trim()), shown);
  await see(page, hub.url);
});

/** What a camera reads in a picture. */
async function read(page, png) {
  const other = await page.context().newPage();
  const image = await other.evaluate(async (source) => {
    const picture = await createImageBitmap(await (await fetch(source)).blob());
    const { width, height } = picture;
    const canvas = new OffscreenCanvas(width, height).getContext('2d');
    canvas.drawImage(picture, 0, 0);
    return { width, height, data: [...canvas.getImageData(0, 0, width, height).data] };
  }, `data:image/png;base64,${png.toString('base64')}`);
  await other.close();
  return decodeQR({ ...image, data: Uint8Array.from(image.data) });
}
