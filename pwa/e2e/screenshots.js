// Pictures of the screens on the sizes of iPads: `npm run screenshots -- FOLDER`.
// Behind the folder, a pattern of the moments that are wanted. LEADLOG_BIN names the server program, SCALE=2 draws as sharp as an iPad does.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ipad } from './support/browser.js';
import { field, fill, HUB, openConnected, openReady, PEOPLE, save, see, seeConnected, SOLO, SYNCED, tapSave } from './support/capture.js';
import { openDevicePage, openRestorePage, openScreen, syncNow } from './support/device-page.js';
import { Provider } from './support/provider.js';
import { Server } from './support/server.js';
import { beginSignIn, openHandOver, sayWho, signIn } from './support/sign-in.js';
import { until } from './support/until.js';

const SIZES = [
  [744, 1133],
  [820, 1180],
  [1024, 1366],
];

/**
 * What the hostess sees at these moments; each starts from an empty form, all synced. Those of another iPad answer its
 * page.
 */
const MOMENTS = {
  async empty() {},
  async errors(page) {
    await field(page, 'firstName').fill(PEOPLE.anna.firstName);
    await field(page, 'email').fill('anna.nowak@');
    await tapSave(page);
    await see(page, 'Wpisz nazwisko');
  },
  async saved(page) {
    await save(page, PEOPLE.anna);
    await see(page, SYNCED);
    await page.getByRole('button', { name: 'Zapisz', exact: true }).waitFor();
  },
  async takenBack(page) {
    await save(page, PEOPLE.anna);
    await page.getByRole('button', { name: 'Cofnij zapis', exact: true }).click();
    await see(page, 'Cofnięto: Anna N.');
    await see(page, SYNCED);
  },
  async fixing(page) {
    await save(page, PEOPLE.anna);
    await see(page, SYNCED);
    await page.getByRole('button', { name: 'Popraw', exact: true }).click();
    await field(page, 'email').fill('anna.nowak-lis@example.com');
  },
  async known(page) {
    await fill(page, { ...PEOPLE.anna, phone: '' });
    await field(page, 'phone').focus();
    await see(page, 'Ten e-mail już jest na liście. Możesz zapisać mimo to.');
  },
  async keyboard(page) {
    await field(page, 'firstName').fill(PEOPLE.zofia.firstName);
    await field(page, 'phone').focus();
  },
  async hub(page) {
    await page.route(/\/api\/health/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'leadlog-tier': 'hub' } });
    });
    await page.reload();
    await page.getByText(HUB).waitFor({ timeout: HEARTBEATS_MS });
    await page.unroute(/\/api\/health/);
  },
  async device(page) {
    await openDevicePage(page);
    await syncNow(page);
    await page.context().setOffline(true);
    await page.goBack();
    await save(page, PEOPLE.zofia);
    await save(page, PEOPLE.anna);
    await openDevicePage(page);
    await page.getByText('Nie ma sieci.').waitFor();
  },
  async handOver(page) {
    await page.evaluate(() => localStorage.setItem('leadlog.operators', '["Ola","Kasia","Magda"]'));
    await openDevicePage(page);
    await page.getByRole('button', { name: 'Zmień osobę' }).click();
  },
  async signIn(page) {
    await page.evaluate(() => localStorage.setItem('leadlog.operators', '["Ola","Kasia","Magda"]'));
    await openHandOver(page);
    await page.getByRole('button', { name: 'Zaloguj się' }).waitFor();
  },
  async signInUnsaved(page) {
    await field(page, 'firstName').fill(PEOPLE.zofia.firstName);
    await openHandOver(page);
    await page.getByRole('button', { name: 'To nadal ja: zaloguj się' }).waitFor();
  },
  async signInDenied(page, server) {
    const other = await otherIpad(page, server);
    await beginSignIn(other);
    await other.getByRole('link', { name: 'Przerwij' }).click();
    await see(other, 'Logowanie przerwane');
    return other;
  },
  async grace(page, server) {
    const other = await signedInFor(page, server, 13);
    await other.getByText('Sesja wygasła. Zapisywanie działa dalej.').waitFor();
    return other;
  },
  async reconnect(page, server) {
    const other = await signedInFor(page, server, 25);
    await see(other, 'Zalogujesz się ponownie?');
    return other;
  },
  async reconnectLater(page, server) {
    const other = await signedInFor(page, server, 25);
    await other.getByRole('button', { name: 'Później' }).click();
    await see(other, 'Zaloguj się ponownie. Zapisywanie działa dalej.');
    return other;
  },
  async signOut(page, server) {
    const other = await signedInFor(page, server, 0);
    await other.route('**/api/leads/sync', (route) => route.abort());
    for (const person of [PEOPLE.zofia, PEOPLE.anna]) await save(other, person);
    await openDevicePage(other);
    await other.getByRole('button', { name: 'Wyloguj' }).click();
    return other;
  },
  async signedInDevice(page, server) {
    const other = await signedInFor(page, server, 0);
    await openDevicePage(other);
    await see(other, 'Kasia Wiśniewska-Kowalczyk');
    await other.getByRole('link', { name: 'Dla organizatora' }).scrollIntoViewIfNeeded();
    return other;
  },
  async office(page, server) {
    const other = await otherIpad(page, server);
    await openOffice(other);
    await other.getByRole('button', { name: 'Zaloguj się' }).waitFor();
    return other;
  },
  async officeError(page, server) {
    const other = await otherIpad(page, server);
    await other.goto(`${server.url}/?error#invite=7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-8`);
    await other.getByText('To zaproszenie nie działa.').waitFor();
    return other;
  },
  async officeSignedIn(page, server) {
    const other = await otherIpad(page, server);
    await other.goto(`${server.url}/?in#invite=${(await server.invitation('Ewa Szef', 'organize', 'crm')).code}`);
    await see(other, 'Zalogowano: Ewa Szef');
    return other;
  },
  async officeNoRight(page, server) {
    const other = await otherIpad(page, server);
    await openOffice(other);
    await other.getByRole('button', { name: 'Zaloguj się' }).click();
    await sayWho(other, 'Ola Wilk');
    await see(other, 'Zalogowano: Ola Wilk');
    return other;
  },
  async restore(page) {
    await openRestorePage(page);
    await page.getByRole('button', { name: /^Przywróć/ }).first().waitFor();
  },
  async lost(page) {
    await loseStorage(page);
    await see(page, 'Brakuje zgłoszeń z tego iPada');
  },
  async lostDevice(page) {
    await loseStorage(page);
    await openDevicePage(page);
  },
  async lostRestore(page) {
    await loseStorage(page);
    await openRestorePage(page);
    await page.getByRole('button', { name: /^Przywróć/ }).first().waitFor();
  },
  async install(page) {
    await openScreen(page, '#install', 'Leadlog na ekranie początkowym');
  },
  async unconnected(page, server) {
    const other = await otherIpad(page, server);
    await save(other, PEOPLE.zofia);
    await see(other, 'Ten iPad nie jest połączony: zgłoszenia zostają na nim.');
    return other;
  },
  async connect(page, server) {
    const other = await otherIpad(page, server);
    await openConnectPage(other);
    return other;
  },
  async connectError(page, server) {
    const other = await otherIpad(page, server);
    await openConnectPage(other);
    await other.getByLabel('Kod albo cały link').fill('7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-8');
    await other.getByRole('button', { name: 'Połącz', exact: true }).click();
    await other.getByText('Ten kod nie działa.').waitFor();
    return other;
  },
  async connected(page, server) {
    const other = await otherIpad(page, server);
    await other.goto(await server.connectUrl('iPad 7'));
    await seeConnected(other, 'iPad 7');
    return other;
  },
  async connectAgain(page) {
    await openConnectPage(page);
    await page.getByText('Inny kod zastąpi to połączenie.').waitFor();
  },
  async connectTab(page, server) {
    const other = await otherIpad(page, server);
    await other.addInitScript(() => Object.defineProperty(navigator, 'standalone', { value: false }));
    await other.goto(`${server.url}/?tab#connect=7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-8`);
    await other.getByRole('heading', { name: 'Najpierw ekran początkowy' }).waitFor();
    return other;
  },
  async revoked(page, server) {
    const other = await otherIpad(page, server);
    await openConnected(other, server, { name: 'iPad 13' });
    await server.run(['devices', 'revoke', 'iPad 13']);
    await until(async () => {
      await save(other, PEOPLE.zofia);
      return other.getByText('Organizator odłączył tego iPada.').count();
    }, 'the line that says so');
    await openConnectPage(other);
    return other;
  },
  async waiting(page, server) {
    await server.stop();
    await page.context().setOffline(true);
    await page.getByText(SOLO).waitFor({ timeout: HEARTBEATS_MS });
    await save(page, PEOPLE.zofia);
    await save(page, PEOPLE.anna);
    await page.getByRole('button', { name: 'Zapisz', exact: true }).waitFor();
    await fill(page, { firstName: 'Katarzyna', lastName: 'Wiśniewska-Kowalczyk', email: 'katarzyna.wisniewska@example.com', phone: '+48 501 502 503' });
  },
};

const openConnectPage = (page) => openScreen(page, '#connect', 'Połącz tego iPada');

const openOffice = (page) => openScreen(page, '#office', 'Dla organizatora');

/** Another iPad, so many hours after a hostess has signed in on it. */
async function signedInFor(page, server, hours) {
  const other = await otherIpad(page, server);
  await other.clock.install();
  await openConnected(other, server, { name: 'iPad 8' });
  await signIn(other, 'Kasia Wiśniewska-Kowalczyk');
  if (hours > 0) await other.clock.fastForward(hours * 3_600_000);
  return other;
}

/** With storage of its own, and as it is before anybody has connected it. */
async function otherIpad(page, server) {
  const context = await page.context().browser().newContext();
  const other = await context.newPage();
  await openReady(other, server.url);
  return other;
}

/** What stands beside the storage of an installation that is gone. */
async function loseStorage(page) {
  const gone = JSON.stringify([{ deviceId: '3f6b1c52-7f2d-4e43-9b60-5a1c0d9e7f24', savedThrough: 41 }]);
  await page.evaluate((note) => localStorage.setItem('leadlog-outbox.installations', note), gone);
  await page.reload();
}

/** A server has to be missed twice. */
const HEARTBEATS_MS = 90_000;
/** What an iPad's keyboard covers, of the height of the screen. */
const KEYBOARD_SHARE = { landscape: 0.53, portrait: 0.33 };

/** An iPad's keyboard changes nothing but the visual viewport. */
async function openKeyboard(page, { width, height }) {
  const share = KEYBOARD_SHARE[width > height ? 'landscape' : 'portrait'];
  await page.evaluate((free) => {
    Object.defineProperty(window.visualViewport, 'height', { get: () => free, configurable: true });
    window.visualViewport.dispatchEvent(new Event('resize'));
  }, Math.round(height * (1 - share)));
}

const [folder, only] = process.argv.slice(2);
if (!folder) throw new Error('name the folder for the pictures: npm run screenshots -- FOLDER [MOMENTS]');
mkdirSync(folder, { recursive: true });

const provider = await Provider.start();
const server = await Server.start(provider.serverArguments);
provider.trust(server.url);
const ipad = new Ipad({ scale: Number(process.env.SCALE ?? 1) });
try {
  const page = await ipad.page();
  // As an iPad does for an app on its home screen; otherwise the line above the form would warn.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Browser.grantPermissions', { permissions: ['durableStorage'], origin: server.url });
  await openConnected(page, server);
  for (const [moment, act] of Object.entries(MOMENTS)) {
    if (only && !new RegExp(only).test(moment)) continue;
    await page.context().setOffline(false);
    await openReady(page, server.url);
    await page.evaluate(() => localStorage.clear());
    await page.reload();
    await see(page, SYNCED);
    const shown = (await act(page, server)) ?? page;
    for (const colorScheme of ['dark', 'light']) {
      await shown.emulateMedia({ colorScheme });
      for (const [short, long] of SIZES) {
        for (const [width, height] of [[short, long], [long, short]]) {
          await shown.setViewportSize({ width, height });
          if (moment === 'keyboard') await openKeyboard(shown, { width, height });
          await shown.screenshot({ path: join(folder, `${moment}-${width}x${height}-${colorScheme}.png`) });
        }
      }
    }
    if (shown !== page) await shown.context().close();
  }
} finally {
  await ipad.remove();
  await server.remove();
  await provider.stop();
}
