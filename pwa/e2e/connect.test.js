// A server takes leads only from an iPad that the organizer has connected. No Save waits for that (invariants 1, 2 and 10).
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { smallTargets, violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { openConnected, openReady, PEOPLE, save, see, seeConnected, SYNCED } from './support/capture.js';
import { backToForm, openDevicePage, openScreen } from './support/device-page.js';
import { FakeCamera } from './support/fake-camera.js';
import { ReleaseServer } from './support/release-server.js';
import { Server } from './support/server.js';
import { until } from './support/until.js';

const UNCONNECTED = 'Ten iPad nie jest połączony: zgłoszenia zostają na nim.';
const REVOKED = 'Organizator odłączył tego iPada. Zapisane zgłoszenia najpierw sprawdzi.';
const ONE_WAITS = '1 zgłoszenie czeka na wysłanie';
const NO_CODE = 'Ten kod nie działa.';
const SIZES = { landscape: { width: 1133, height: 744 }, portrait: { width: 744, height: 1133 }, phone: { width: 390, height: 844 } };

let server;
let ipad;
let page;

before(async () => {
  server = await Server.start();
});

after(async () => {
  await server?.remove();
});

beforeEach(async () => {
  ipad = new Ipad();
  page = await ipad.page();
});

afterEach(async () => {
  await ipad?.remove();
});

const countOf = async ({ email }) => (await server.exportedLeads()).filter((row) => row.includes(email)).length;
const openConnectPage = (on) => openScreen(on, '#connect', 'Połącz tego iPada');
/** Of one test alone: the exports hold those of all. */
const person = (email) => ({ ...PEOPLE.anna, email: `${email}@example.com` });

async function type(code) {
  await page.getByLabel('Kod albo cały link').fill(code);
  await page.getByRole('button', { name: 'Połącz', exact: true }).click();
}

/** As Safari says it, where the app is not on the home screen. */
const beTabOfSafari = () => page.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: false }));

test('the organizer\'s link connects, and the code stays in no address', async () => {
  await page.goto(await server.connectUrl('iPad 7'));
  await seeConnected(page, 'iPad 7');
  assert.equal(await page.evaluate(() => location.href), `${server.url}/#connect`);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Formularz');
  await backToForm(page);
  await save(page, person('link'));
  await see(page, SYNCED);
  assert.equal(await countOf(person('link')), 1);
  assert.equal(await page.getByText(UNCONNECTED).count(), 0);

  await openDevicePage(page);
  await see(page, 'iPad 7');
  await page.getByRole('link', { name: 'Zmień' }).click();
  await page.getByText('Inny kod zastąpi to połączenie.').waitFor();
});

test('a link that is opened while the app is open keeps what is typed', async () => {
  await openReady(page, server.url);
  await page.getByLabel('Imię', { exact: true }).fill('Zof');
  const link = await server.connectUrl();
  await page.evaluate((to) => location.assign(to), link);
  await seeConnected(page);
  await backToForm(page);
  assert.equal(await page.getByLabel('Imię', { exact: true }).inputValue(), 'Zof');
});

test('an iPad that is not connected saves, says so, and sends it all when the code is typed', async () => {
  await openReady(page, server.url);
  const banner = page.getByRole('link', { name: UNCONNECTED });
  await banner.waitFor();
  assert.equal(await page.getByText('Brak sieci').count(), 0, 'no network would help');
  await save(page, person('typed'));
  await see(page, ONE_WAITS);
  assert.equal(await countOf(person('typed')), 0);
  await openDevicePage(page);
  await page.getByText('wyślą się same, gdy go połączysz').waitFor();
  await backToForm(page);

  await banner.click();
  const code = await server.connectCode();
  await type(` ${code.toLowerCase().replaceAll('-', ' ')} `);
  await seeConnected(page);
  await backToForm(page);
  await see(page, SYNCED);
  assert.equal(await countOf(person('typed')), 1);
  assert.equal(await page.getByText(UNCONNECTED).count(), 0);
});

test('a code that does not work is told calmly, and costs nothing', async () => {
  const used = await server.connectCode();
  const other = new Ipad();
  try {
    const first = await other.page();
    await first.goto(`${server.url}/#connect=${used}`);
    await seeConnected(first);
  } finally {
    await other.remove();
  }
  const expired = JSON.parse(await server.run(['devices', 'enrol', 'iPad 1', '--for', '1s', '--json']));
  await until(() => Date.now() > Date.parse(expired.expiresAt), 'the end of the code');

  await openReady(page, server.url);
  await save(page, person('no-code'));
  await openConnectPage(page);
  await type('');
  await see(page, 'Wpisz kod albo wklej link');
  for (const code of ['7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-8', 'https://example.com/', used, expired.code]) {
    await page.getByLabel('Kod albo cały link').fill(code);
    await page.getByRole('button', { name: 'Połącz', exact: true }).click();
    await page.getByText(NO_CODE).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'code', 'what is to be mended has the focus');
    await type('');
    await see(page, 'Wpisz kod albo wklej link');
  }

  await page.context().setOffline(true);
  await type('7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-8');
  await see(page, 'Nie ma połączenia z serwerem. Spróbuj ponownie, gdy będzie sieć.');
  await page.context().setOffline(false);

  await backToForm(page);
  await see(page, ONE_WAITS);
  await page.goto(await server.connectUrl());
  await seeConnected(page);
  await backToForm(page);
  await see(page, SYNCED);
  assert.equal(await countOf(person('no-code')), 1);
});

test('an iPad that the organizer shut out saves on; its leads wait in the quarantine, and arrive after a new code', async () => {
  await openConnected(page, server, { name: 'iPad 13' });
  await save(page, person('before'));
  await see(page, SYNCED);
  await server.run(['devices', 'revoke', 'iPad 13']);

  // A server hears of it within a second; what is saved before that is taken.
  const saved = [];
  const saveAnother = async () => {
    saved.push(person(`revoked-${saved.length}`));
    await save(page, saved.at(-1));
  };
  const isTold = async () => {
    await saveAnother();
    return page.getByRole('link', { name: REVOKED }).count();
  };
  await until(isTold, 'the line that says so');
  await saveAnother();
  const quarantined = async () => JSON.parse(await server.run(['quarantine', 'list', '--json'])).length;
  const taken = async () => (await Promise.all(saved.map(countOf))).reduce((sum, count) => sum + count, 0);
  await until(async () => (await quarantined()) + (await taken()) === saved.length, 'every lead, taken or in the quarantine');
  assert.equal(await countOf(saved.at(-1)), 0);
  await page.getByText(/(czeka|czekają) na wysłanie$/).first().waitFor();

  await page.getByRole('link', { name: REVOKED }).click();
  await see(page, 'Organizator odłączył tego iPada');
  await type(await server.connectCode('iPad 13'));
  await seeConnected(page, 'iPad 13');
  await backToForm(page);
  await see(page, SYNCED);
  assert.equal(await taken(), saved.length);
});

test('a tab of Safari leaves the code to the app on the home screen, unless the person insists', async () => {
  await beTabOfSafari();
  const code = await server.connectCode('iPad 21');
  await page.goto(`${server.url}/#connect=${code}`);
  await page.getByRole('heading', { name: 'Najpierw ekran początkowy' }).waitFor();
  assert.equal(await page.evaluate(() => location.hash), '#connect');
  assert.deepEqual(await violations(page), []);

  const app = new Ipad();
  try {
    const fromHomeScreen = await app.page();
    await fromHomeScreen.goto(`${server.url}/#connect=${code}`);
    await seeConnected(fromHomeScreen, 'iPad 21');
  } finally {
    await app.remove();
  }

  await page.goto(`${server.url}/?again#connect=${await server.connectCode('iPad 22')}`);
  await page.getByRole('button', { name: 'Połącz w tej karcie mimo to' }).click();
  await seeConnected(page, 'iPad 22');
});

test('the app reads the QR code itself, turns the camera off, and connects', async () => {
  await ipad.remove();
  const camera = new FakeCamera(await server.connectUrl('iPad 9'));
  ipad = new Ipad({ flags: camera.flags });
  try {
    page = await ipad.page();
    await openReady(page, server.url);
    await page.evaluate(() => {
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (what) => {
        window.camera = await ask(what);
        return window.camera;
      };
    });
    await openConnectPage(page);
    await page.getByRole('button', { name: 'Zeskanuj kod' }).click();
    await seeConnected(page, 'iPad 9');
    assert.deepEqual(await page.evaluate(() => window.camera.getTracks().map(({ readyState }) => readyState)), ['ended']);
  } finally {
    camera.remove();
  }
});

test('another QR code is told from it, and closing turns the camera off', async () => {
  await ipad.remove();
  const camera = new FakeCamera('https://example.com/menu');
  ipad = new Ipad({ flags: camera.flags });
  try {
    page = await ipad.page();
    await openReady(page, server.url);
    await openConnectPage(page);
    await page.getByRole('button', { name: 'Zeskanuj kod' }).click();
    await see(page, 'To inny kod QR. Zeskanuj ten od organizatora.');
    assert.deepEqual(await violations(page), [], 'CAP-7, while the camera is on');
    await page.evaluate(() => ([window.track] = document.querySelector('video').srcObject.getTracks()));
    await page.getByRole('button', { name: 'Zamknij aparat' }).click();
    await page.waitForFunction(() => window.track.readyState === 'ended');
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), 'Zeskanuj kod');
  } finally {
    camera.remove();
  }
});

test('without a camera, or without what reads its pictures, the field is left', async () => {
  const app = await ReleaseServer.start({ api: server.url });
  try {
    await page.goto(`${app.url}/#connect`);
    await page.getByRole('button', { name: 'Zeskanuj kod' }).click();
    await see(page, 'Nie ma tu aparatu, którego można użyć. Wpisz kod.');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'code');
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await page.getByRole('button', { name: 'Zeskanuj kod' }).click();
    await see(page, 'Leadlog nie może użyć aparatu. Pozwól na to w Ustawieniach albo wpisz kod.');
  } finally {
    await app.stop();
  }

  await ipad.remove();
  const camera = new FakeCamera('nothing');
  ipad = new Ipad({ flags: camera.flags });
  try {
    page = await ipad.page();
    await app.start();
    app.answerInstead(/\/assets\/decoder-/, null);
    await page.goto(`${app.url}/#connect`);
    await page.getByRole('button', { name: 'Zeskanuj kod' }).click();
    await see(page, 'Aparat się nie uruchomił. Spróbuj ponownie albo wpisz kod.');
  } finally {
    camera.remove();
    await app.stop();
  }
});

for (const colorScheme of ['dark', 'light']) {
  test(`${colorScheme}: not connected, with a mistake, connected; upright, across and on a phone (CAP-7)`, async () => {
    await page.emulateMedia({ colorScheme });
    const assertAccessible = async (state) => {
      for (const [name, size] of Object.entries(SIZES)) {
        await page.setViewportSize(size);
        assert.deepEqual(await violations(page), [], `${state}, ${name}`);
        assert.deepEqual(await smallTargets(page), [], `${state}, ${name}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${state}, ${name}: scrolls sideways`);
      }
    };
    await openReady(page, server.url);
    await page.getByRole('link', { name: UNCONNECTED }).waitFor();
    await assertAccessible('the line above the form');
    await openConnectPage(page);
    await assertAccessible('not connected');
    await type('7K3QF');
    await page.getByText(NO_CODE).waitFor();
    await assertAccessible('with a mistake');
    await type(await server.connectCode());
    await seeConnected(page);
    await assertAccessible('just connected');
    await openDevicePage(page);
    await openConnectPage(page);
    await page.getByText('Inny kod zastąpi to połączenie.').waitFor();
    await assertAccessible('connected before');
  });
}
