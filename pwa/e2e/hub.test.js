// An iPad between its cloud and a hub, with one app and one queue (TIER-1, TIER-2, TIER-6; invariants 2 and 6).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { openConnected, openReady, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { freePort } from './support/free-port.js';
import { Server } from './support/server.js';
import { homeThatTrusts } from './support/trust.js';
import { until } from './support/until.js';

/** In place of mDNS, which a machine that runs tests may not have. */
const NAME = 'hub-1.local';
const ELSEWHERE = process.platform !== 'linux' && 'elsewhere Chromium trusts what the system does';
const CAMPAIGN = new URL('../../domain/campaigns/shootout-2026.json', import.meta.url);

let cloud;
let hub;
let home;
let ipad;

before(async () => {
  if (ELSEWHERE) return;
  cloud = await Server.start();
  const setup = `127.0.0.1:${await freePort()}`;
  hub = await Server.startHub(cloud, ['--tls-own-ca', '--mdns-name', 'hub-1', '--setup-listen', setup]);
  home = homeThatTrusts(await (await fetch(`http://${setup}/leadlog-ca.pem`)).text());
  ipad = new Ipad({ flags: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`], home: home.path });

  const campaign = JSON.parse(readFileSync(CAMPAIGN, 'utf8'));
  const hubs = [`https://${NAME}:${new URL(hub.url).port}`];
  await cloud.run(['campaigns', 'publish', '-'], JSON.stringify({ ...campaign, version: campaign.version + 1, hubs }));
  const served = async () => (await (await fetch(`${cloud.url}/api/campaigns/${campaign.id}`)).json()).hubs;
  await until(served, 'the campaign that names the hub');
});

after(async () => {
  await ipad?.remove();
  await hub?.remove();
  await cloud?.remove();
  home?.remove();
});

test('what the cloud cannot take goes to the hub, and is in the cloud once, with nothing to do for anybody', { skip: ELSEWHERE }, async () => {
  let page = await ipad.page();
  await openConnected(page, cloud);
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);
  const atHub = async () => JSON.parse(await hub.run(['devices', 'enrolled', '--json'])).length === 1;
  await until(atHub, 'the iPad at the hub');

  await cloud.stop();
  await save(page, PEOPLE.zofia);
  await see(page, 'Tryb lokalny: zgłoszenia trafiają do huba.');
  await page.getByText('na hubie: 1').first().waitFor();
  const held = await hub.run(['export', 'leads', '--format', 'ndjson']);
  assert.equal(held.trim().split('\n').length, 1, 'what the cloud has the hub need not have');

  // Neither answers, and the iPad is switched off and on.
  await hub.stop();
  await ipad.cutPower();
  page = await ipad.page();
  await openReady(page, cloud.url);
  await save(page, { ...PEOPLE.anna, email: 'anna@example.net' });
  await see(page, 'Brak sieci: zapisuję na tym iPadzie.');

  // The hub is back first.
  await hub.start();
  await page.getByText('na hubie: 2').first().waitFor({ timeout: 60_000 });
  await cloud.start();
  await see(page, SYNCED);
  const leads = async () => (await cloud.run(['export', 'leads', '--format', 'ndjson'])).trim().split('\n');
  await until(async () => (await leads()).length === 3, 'three leads in the cloud');
});
