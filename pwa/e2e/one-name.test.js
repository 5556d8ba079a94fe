// Way (c) of docs/tls.md: at the venue, the cloud's name leads to the hub. One origin, one queue, nothing to do for a person. What
// an access point does besides (WiFi, DHCP) is not tried: the iPad has its address from here.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ipad } from './support/browser.js';
import { HUB, openConnected, PEOPLE, save, see, SYNCED } from './support/capture.js';
import { makeHosts } from './support/hosts.js';
import { removeAll } from './support/remove.js';
import { Server, temporaryFolder } from './support/server.js';
import { homeThatTrusts } from './support/trust.js';
import { until } from './support/until.js';

const GUIDE = readFileSync(new URL('../../docs/tls.md', import.meta.url), 'utf8');
const NAME = 'leads.example.com';
/** What the guide has the laptop do as access point. */
const [, ROUTER] = /sudo ip addr add (\S+)\/24 dev wlan0/.exec(GUIDE);
const DNSMASQ = /`\/etc\/dnsmasq\.d\/leadlog\.conf`\s+```ini\n(.*?)```/s.exec(GUIDE)[1];
const NOTICED_MS = 120_000;

let hosts;
let folder;
let home;
let cloud;
let hub;
let ipad;
const resolvers = [];

before(async () => {
  if (missing()) return;
  hosts = await makeHosts('cloud', 'hub', 'ipad');
  if (!hosts.canCutBrowsers) return;
  folder = temporaryFolder('one-name');
  const tls = ['--tls-own-ca', '--tls-name', NAME, '--no-mdns', '--setup-listen', '0.0.0.0:8090'];
  const at = (host, address) => ({ ...host, listen: `${address}:443` });
  const ofCloud = new URL(hosts.cloud.url).hostname;
  const authorities = ['cloud', 'hub'].map((name) => join(folder.path, `${name}.pem`));
  const keepAuthority = (host, file) => writeFileSync(file, host.ask(`http://${host.setUp}/leadlog-ca.pem`));
  cloud = await Server.start(tls, { host: at(hosts.cloud, ofCloud) });
  keepAuthority(hosts.cloud, authorities[0]);
  hub = await Server.startHub(cloud, tls, { host: at(hosts.hub, '0.0.0.0'), cloudUrl: `https://${ofCloud}`, trusts: authorities[0] });
  keepAuthority(hosts.hub, authorities[1]);
  home = homeThatTrusts(...authorities.map((file) => readFileSync(file, 'utf8')));

  // Both networks have the address that most have. At the office the name leads to the cloud, at the venue it is the hub.
  for (const host of [hosts.cloud, hosts.hub]) callItWlan0(host);
  resolvers.push(await answerNames(hosts.cloud, DNSMASQ.replace(`/${NAME}/${ROUTER}`, `/${NAME}/${ofCloud}`)));
  resolvers.push(await answerNames(hosts.hub, DNSMASQ));
  ip(hosts.ipad, 'addr', 'add', `${ROUTER.replace(/\.1$/, '.60')}/24`, 'dev', deviceOf(hosts.ipad));
  mkdirSync(namesOf(hosts.ipad), { recursive: true });
  writeFileSync(join(namesOf(hosts.ipad), 'resolv.conf'), `nameserver ${ROUTER}\n`);
  ipad = new Ipad({ host: hosts.ipad, home: home.path });
});

after(async () => {
  const names = hosts?.ipad.namespace && { remove: () => rmSync(namesOf(hosts.ipad), { recursive: true, force: true }) };
  await removeAll(ipad, ...resolvers, hub, cloud, home, folder, names, hosts);
});

test('an iPad whose network leads the name of the cloud to the hub goes on there, and at the cloud again', { skip: missing() }, async (t) => {
  if (!hosts.canCutBrowsers) return t.skip(hosts.kind);
  const page = await ipad.page();
  page.setDefaultTimeout(NOTICED_MS);
  enter(hosts.cloud);
  await openConnected(page, cloud, { url: `https://${NAME}` });
  await save(page, PEOPLE.anna);
  await see(page, SYNCED);
  await until(async () => JSON.parse(await hub.run(['devices', 'enrolled', '--json'])).length === 1, 'the iPad at the hub');

  await hosts.cloud.cut();
  leave(hosts.cloud);
  enter(hosts.hub);
  await save(page, PEOPLE.zofia);
  await see(page, HUB);
  await page.getByText('na hubie: 1').first().waitFor();
  assert.equal(await hub.leadCount(), 1);

  // The hub finds its way out, and brings it to the cloud.
  await hosts.cloud.mend();
  await see(page, SYNCED);
  assert.equal(await cloud.leadCount(), 2);

  leave(hosts.hub);
  enter(hosts.cloud);
  await page.getByText(HUB, { exact: true }).waitFor({ state: 'detached' });
  await save(page, { ...PEOPLE.anna, email: 'back@example.com' });
  await see(page, SYNCED);
  assert.equal(await cloud.leadCount(), 3);
});

function missing() {
  if (process.platform !== 'linux') return 'elsewhere Chromium trusts what the system does';
  try {
    execFileSync('dnsmasq', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'no dnsmasq found: install it (Debian: apt-get install dnsmasq-base)';
  }
}

function ip({ namespace }, ...args) {
  return execFileSync('ip', ['-n', namespace, ...args], { encoding: 'utf8' });
}

function deviceOf(host) {
  const [, device] = /^\d+: (?!lo:)(\S+?)[:@]/m.exec(ip(host, '-o', 'link', 'show'));
  return device;
}

/** As the guide calls it. */
function callItWlan0(host) {
  const device = deviceOf(host);
  ip(host, 'link', 'set', device, 'down');
  ip(host, 'link', 'set', device, 'name', 'wlan0');
  ip(host, 'link', 'set', 'wlan0', 'up');
}

/** A resolver with this configuration, at work. */
async function answerNames(host, configuration) {
  const file = join(folder.path, `${host.namespace}.conf`);
  writeFileSync(file, configuration);
  execFileSync('dnsmasq', ['--test', `--conf-file=${file}`], { stdio: 'pipe' });
  const args = ['--keep-in-foreground', `--conf-file=${file}`, '--log-facility=-', '--user=root', '--pid-file', `--dhcp-leasefile=${file}.leases`];
  const resolver = spawn(...host.wrap('dnsmasq', args), { stdio: ['ignore', 'ignore', 'pipe'] });
  const gone = once(resolver, 'close');
  let said = '';
  resolver.stderr.on('data', (chunk) => (said += chunk));
  await until(() => said.includes('started') || resolver.exitCode !== null, 'dnsmasq');
  assert.equal(resolver.exitCode, null, said);
  return {
    async remove() {
      resolver.kill();
      await gone;
    },
  };
}

/** The iPad joins the network whose router this host is: whoever had its address before, is forgotten. */
function enter(host) {
  ip(host, 'addr', 'add', `${ROUTER}/24`, 'dev', 'wlan0');
  ip(hosts.ipad, 'neigh', 'flush', 'all');
}

function leave(host) {
  ip(host, 'addr', 'del', `${ROUTER}/24`, 'dev', 'wlan0');
}

/** Where a namespace has its own `/etc/resolv.conf`. */
function namesOf({ namespace }) {
  return join('/etc/netns', namespace);
}
