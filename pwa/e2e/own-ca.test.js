// A hub with a CA of its own: whoever installed it has a secure context at the hub's name, and so the whole app (TIER-6).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { field, openConnected, openReady, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { freePort } from './support/free-port.js';
import { Server } from './support/server.js';
import { homeThatTrusts } from './support/trust.js';
import { until } from './support/until.js';

/** In place of mDNS, which a machine that runs tests may not have. A name and not localhost, which browsers trust without TLS. */
const NAME = 'hub-2.local';
const FINDS_HUB = [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`];
const ELSEWHERE = process.platform !== 'linux' && 'elsewhere Chromium trusts what the system does';

let server;
let setup;
let home;
let ipad;
let url;

before(async () => {
  if (ELSEWHERE) return;
  setup = `127.0.0.1:${await freePort()}`;
  server = await Server.start(['--tls-own-ca', '--mdns-name', 'hub-2', '--setup-listen', setup]);
  url = `https://${NAME}:${new URL(server.url).port}`;
  home = homeThatTrusts(await (await fetch(`http://${setup}/leadlog-ca.pem`)).text());
  ipad = new Ipad({ flags: FINDS_HUB, home: home.path });
});

after(async () => {
  await ipad?.remove();
  await server?.remove();
  home?.remove();
});

test('an iPad that does not trust the hub does not open it, and its set-up page says how it comes to', { skip: ELSEWHERE }, async () => {
  const stranger = new Ipad({ flags: FINDS_HUB });
  try {
    const page = await stranger.page();
    const complaints = [];
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(`http://${setup}/pl`);
    await page.getByRole('heading', { name: 'Przygotuj iPada' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Pobierz profil' }).getAttribute('href'), '/pl/leadlog-hub-2.mobileconfig');
    assert.notEqual(await page.locator('.button').first().evaluate((it) => getComputedStyle(it).backgroundColor), 'rgba(0, 0, 0, 0)');
    await page.getByRole('link', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Set up this iPad' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    assert.deepEqual(complaints, [], 'its policy lets everything through that it has');
    await assert.rejects(page.goto(url), /ERR_CERT_AUTHORITY_INVALID/);
  } finally {
    await stranger.remove();
  }
});

test('an iPad that trusts it captures there, opens the app without it, and finds it again after a restart', { skip: ELSEWHERE }, async () => {
  let page = await ipad.page();
  await openConnected(page, server, { url });
  assert.equal(await page.evaluate(() => isSecureContext), true);
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);

  await server.stop();
  await ipad.cutPower();
  page = await ipad.page();
  await page.goto(url);
  await field(page, 'firstName').waitFor();
  await save(page, PEOPLE.zofia);

  await server.start();
  await openReady(page, url);
  await until(() => page.getByText(SYNCED, { exact: true }).first().isVisible(), SYNCED);
  const leads = (await server.run(['export', 'leads', '--format', 'ndjson'])).trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(leads.length, 2);
});
