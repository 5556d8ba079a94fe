// People sign in, and nothing ever waits for it: no Save, no sync, no hand-over (AUT-1, AUT-2, CAP-2, CAP-9, invariant 10).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { smallTargets, violations } from './support/axe.js';
import { Ipad } from './support/browser.js';
import { field, openConnected, openReady, PEOPLE, save, see, SOLO, SYNCED } from './support/capture.js';
import { backToForm, openDevicePage, openScreen, syncNow } from './support/device-page.js';
import { Provider } from './support/provider.js';
import { Server } from './support/server.js';
import { beginSignIn, openHandOver, RETURN_PATH, sayWho, seeOperator, signIn } from './support/sign-in.js';
import { until } from './support/until.js';

const GRACE = 'Sesja wygasła. Zapisywanie działa dalej. Zaloguj się, gdy będzie chwila.';
const RECONNECT = 'Zaloguj się ponownie. Zapisywanie działa dalej.';
const ASK = 'Zalogujesz się ponownie?';
const HOUR_MS = 3_600_000;
const SIZES = { landscape: { width: 1133, height: 744 }, portrait: { width: 744, height: 1133 }, phone: { width: 390, height: 844 } };

let provider;
let server;
let ipad;
let page;

before(async () => {
  provider = await Provider.start();
  server = await Server.start(provider.serverArguments);
  provider.trust(server.url);
});

after(async () => {
  await server?.remove();
  await provider?.stop();
});

beforeEach(async () => {
  ipad = new Ipad();
  page = await ipad.page();
});

afterEach(async () => {
  provider.isAway = false;
  provider.loginAgeSeconds = 0;
  await ipad?.remove();
});

/** Of one test alone: the exports hold those of all. */
const person = (email) => ({ ...PEOPLE.anna, email: `${email}@example.com` });
const rowsOf = async ({ email }) => (await server.exportedLeads()).filter((row) => row.includes(email));
const dialog = (name) => page.getByRole('dialog', { name });
const openOffice = () => openScreen(page, '#office', 'Dla organizatora');

async function assertCapturedBy(name, ...people) {
  for (const it of people) {
    const rows = await rowsOf(it);
    assert.equal(rows.length, 1, it.email);
    assert.ok(rows[0].includes(name), `${it.email} by ${name}: ${rows[0]}`);
  }
}

/** What was told to the address bar, and every page that "back" leads to. */
async function addresses() {
  const devtools = await page.context().newCDPSession(page);
  const { entries } = await devtools.send('Page.getNavigationHistory');
  return entries.map(({ url }) => url);
}

async function assertNoCode(code) {
  const seen = await addresses();
  assert.ok(seen.every((url) => !url.includes('code=') && !url.includes(RETURN_PATH) && !(code && url.includes(code))), seen.join(' '));
}

/** A page takes over what the one before it has left. */
const seeTyped = (text) => until(async () => (await field(page, 'firstName').inputValue()) === text, `the text ${text}`);

/** Leads stay on the iPad until it is called. */
async function holdQueue() {
  await page.route('**/api/leads/sync', (route) => route.abort());
  return () => page.unroute('**/api/leads/sync');
}

async function download(name) {
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name, exact: true }).click();
  const file = await downloading;
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

test('a hostess signs in, finds what she had typed, and is named on her lead', async () => {
  await openConnected(page, server, { name: 'iPad 1' });
  await field(page, 'firstName').fill('Zof');
  await openHandOver(page);
  await page.getByRole('button', { name: 'To nadal ja: zaloguj się' }).click();
  await sayWho(page, 'Kasia Lis');
  await seeOperator(page, 'Kasia Lis');
  assert.equal(page.url(), `${server.url}/`);
  await assertNoCode();
  await seeTyped('Zof');
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('leadlog.sign-in.'))), []);

  await save(page, person('signed-in'));
  await see(page, SYNCED);
  await assertCapturedBy('Kasia Lis', person('signed-in'));
  await page.reload();
  await seeOperator(page, 'Kasia Lis');

  const { prompt, code_challenge_method: method } = provider.requests.at(-1);
  assert.deepEqual([prompt, method], ['login', 'S256'], 'whoever was signed in before is asked again');
});

test('another person begins with an empty form, and a typed name ends the session', async () => {
  await openReady(page, server.url);
  await signIn(page, 'Kasia Lis');
  await field(page, 'firstName').fill('Zof');
  await openHandOver(page);
  await page.getByRole('button', { name: 'Wyczyść i zmień osobę' }).click();
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await sayWho(page, 'Ola Wilk');
  await seeOperator(page, 'Ola Wilk');
  assert.equal(await field(page, 'firstName').inputValue(), '');

  await openDevicePage(page);
  await page.getByRole('button', { name: 'Wyloguj' }).waitFor();
  await page.getByRole('button', { name: 'Zmień osobę' }).click();
  await page.getByRole('button', { name: 'Kasia Lis', exact: true }).click();
  await see(page, 'Kasia Lis');
  await page.getByRole('button', { name: 'Wyloguj' }).waitFor({ state: 'detached' });
});

test('a session that ends is told, then asked about once, and every lead on the way carries her name', async () => {
  await page.clock.install();
  await openConnected(page, server, { name: 'iPad 2' });
  await signIn(page, 'Magda Sowa');
  await save(page, person('valid'));
  await see(page, SYNCED);

  await page.clock.fastForward(12 * HOUR_MS + 60_000);
  await page.getByRole('link', { name: GRACE }).waitFor();
  await save(page, person('grace'));
  assert.equal(await dialog(ASK).count(), 0);
  await seeOperator(page, 'Magda Sowa');

  // The iPad has no network when the grace ends: what cannot be done is not asked for.
  await page.context().setOffline(true);
  await page.clock.fastForward(12 * HOUR_MS);
  await save(page, person('reconnect-offline'));
  await page.clock.fastForward(60_000);
  await see(page, SOLO);
  assert.equal(await dialog(ASK).count(), 0);

  // Nor while somebody types.
  await field(page, 'firstName').fill('Zof');
  await page.context().setOffline(false);
  await page.getByRole('link', { name: RECONNECT }).waitFor();
  await page.clock.fastForward(60_000);
  assert.equal(await dialog(ASK).count(), 0);
  await field(page, 'firstName').fill('');
  await dialog(ASK).waitFor();
  await page.getByRole('button', { name: 'Później' }).click();
  await dialog(ASK).waitFor({ state: 'detached' });

  // Once: from here on the line is left, after a reload too.
  await save(page, person('reconnect'));
  await page.clock.fastForward(120_000);
  await page.reload();
  await page.getByRole('link', { name: RECONNECT }).waitFor();
  await page.clock.fastForward(120_000);
  assert.equal(await dialog(ASK).count(), 0);

  await see(page, SYNCED);

  // A queue waits while she signs in again, with a form half filled.
  const release = await holdQueue();
  await save(page, person('queued'));
  await field(page, 'firstName').fill('Zof');
  await page.getByRole('link', { name: RECONNECT }).click();
  await sayWho(page, 'Magda Sowa');
  await seeOperator(page, 'Magda Sowa');
  await page.getByRole('link', { name: RECONNECT }).waitFor({ state: 'detached' });
  await seeTyped('Zof');
  await assertNoCode();
  await see(page, '1 zgłoszenie czeka na wysłanie');
  await release();
  await openDevicePage(page);
  await syncNow(page);
  await assertCapturedBy('Magda Sowa', ...['valid', 'grace', 'reconnect-offline', 'reconnect', 'queued'].map(person));
});

test('an iPad whose date is set back or far ahead bothers her early or late, and nothing more', async () => {
  await page.clock.install();
  await openReady(page, server.url);
  await signIn(page, 'Magda Sowa');
  await page.clock.setSystemTime(Date.now() - 3_000 * HOUR_MS);
  await page.reload();
  await seeOperator(page, 'Magda Sowa');
  await save(page, person('date-back'));
  await openDevicePage(page);
  await page.getByRole('button', { name: 'Wyloguj' }).waitFor();
  await page.clock.setSystemTime(Date.now() + 9_000 * HOUR_MS);
  await page.reload();
  await backToForm(page);
  await seeOperator(page, 'Magda Sowa');
  await save(page, person('date-ahead'));
});

test('signing out says what waits, and takes nothing away', async () => {
  await openConnected(page, server, { name: 'iPad 3' });
  await signIn(page, 'Ola Wilk');
  const release = await holdQueue();
  const people = ['first', 'second', 'third'].map(person);
  for (const it of people) await save(page, it);
  await field(page, 'firstName').fill('Zof');
  await openDevicePage(page);
  await page.getByRole('button', { name: 'Wyloguj' }).click();
  await see(page, '3 zgłoszenia czekają na wysłanie. Zostają na tym iPadzie i wyślą się same.');
  await dialog('Wylogować: Ola Wilk?').getByRole('button', { name: 'Wyloguj' }).click();
  await see(page, 'nie wybrano');
  await page.getByRole('button', { name: 'Wyloguj' }).waitFor({ state: 'detached' });
  await backToForm(page);
  await page.getByRole('button', { name: 'Kto zbiera?' }).waitFor();
  assert.equal(await field(page, 'firstName').inputValue(), 'Zof');
  await see(page, '3 zgłoszenia czekają na wysłanie');
  await release();
  await openDevicePage(page);
  await syncNow(page);
  await assertCapturedBy('Ola Wilk', ...people);
});

test('on an iPad that was shut out she is signed in all the same, and her leads are kept', async () => {
  await openConnected(page, server, { name: 'iPad 13' });
  await signIn(page, 'Ola Wilk');
  await server.run(['devices', 'revoke', 'iPad 13']);
  let saved = 0;
  await until(async () => {
    await save(page, person(`shut-out-${saved}`));
    saved += 1;
    return page.getByText('Organizator odłączył tego iPada.').count();
  }, 'the line that says so');
  await signIn(page, 'Kasia Lis');
  await save(page, person('shut-out-last'));
  const quarantined = async () => JSON.parse(await server.run(['quarantine', 'list', '--json'])).length;
  await until(async () => (await quarantined()) > 0, 'the quarantine');
});

test('whoever stops at the provider is back at the form, and can try again', async () => {
  await openReady(page, server.url);
  await beginSignIn(page);
  await page.getByRole('link', { name: 'Przerwij' }).click();
  await dialog('Logowanie przerwane').waitFor();
  assert.equal(page.url(), `${server.url}/`);
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await save(page, person('denied'));

  await beginSignIn(page);
  await page.getByRole('link', { name: 'Przerwij' }).click();
  await page.getByRole('button', { name: 'Spróbuj ponownie' }).click();
  await sayWho(page, 'Ola Wilk');
  await seeOperator(page, 'Ola Wilk');
});

test('an iPad with a wrong date is asked for no password by its browser', async () => {
  // The server says 401 to an assertion of another day, and names Basic; the library then takes over the server's time.
  await page.clock.install({ time: Date.now() - 48 * HOUR_MS });
  await openConnected(page, server, { name: 'iPad 6' });
  await save(page, person('wrong-date'));
  await see(page, SYNCED);
  await save(page, person('wrong-date-again'));
});

test('an answer to no question of this iPad, or to one of long ago, signs nobody in', async () => {
  await page.clock.install();
  await openReady(page, server.url);
  for (const answer of ['code=stolen&state=none', 'error=access_denied', '']) {
    await page.goto(`${server.url}${RETURN_PATH}?${answer}`);
    await page.getByText('Zacznij je jeszcze raz.').waitFor();
    assert.equal(page.url(), `${server.url}/`);
    await assertNoCode('stolen');
    assert.equal(await page.getByRole('button', { name: 'Spróbuj ponownie' }).count(), 0);
  }
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await beginSignIn(page);
  await page.clock.fastForward(11 * 60_000);
  await sayWho(page, 'Ola Wilk');
  await page.getByText('Zacznij je jeszcze raz.').waitFor();
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await page.getByRole('button', { name: 'Kto zbiera?' }).waitFor();
  await save(page, person('stale'));
});

test('without a server to ask, a sign-in that has begun fails in words, and saving goes on', async () => {
  await openReady(page, server.url);
  await beginSignIn(page);
  await page.route('**/api/sign-in', (route) => route.abort());
  await sayWho(page, 'Ola Wilk');
  await page.getByText('Nie ma połączenia z serwerem.').waitFor();
  await page.getByRole('button', { name: 'Spróbuj ponownie' }).click();
  await page.getByText('Nie ma połączenia z serwerem.').waitFor();
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await save(page, person('unreachable'));
});

test('a provider that has changed its keys is believed at once; one that is away lets nobody in and stops no Save', async () => {
  await openReady(page, server.url);
  await signIn(page, 'Kasia Lis');
  provider.changeKey();
  await signIn(page, 'Ola Wilk');

  await beginSignIn(page);
  provider.isAway = true;
  await sayWho(page, 'Kasia Lis');
  await page.getByText('Serwer nie może teraz tego zrobić. Spróbuj za chwilę.').waitFor();
  await page.getByText('The provider of identities does not answer as it should.').waitFor();
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await seeOperator(page, 'Ola Wilk');
  await save(page, person('provider-away'));
  provider.isAway = false;
  await signIn(page, 'Kasia Lis');
});

test('who signed in at the provider an hour ago is not the person who holds the iPad now', async () => {
  await openReady(page, server.url);
  provider.loginAgeSeconds = 3_600;
  await beginSignIn(page);
  const { prompt, max_age } = provider.requests.at(-1);
  assert.deepEqual({ prompt, max_age }, { prompt: 'login', max_age: '0' });
  await sayWho(page, 'Kasia Lis');
  await page.getByText('It is of somebody who signed in at the provider some time ago').waitFor();
  await page.getByRole('button', { name: 'Zamknij' }).click();
  await page.getByRole('button', { name: 'Kto zbiera?' }).waitFor();
  provider.loginAgeSeconds = 60;
  await signIn(page, 'Ola Wilk');
});

test('where no provider is configured, or nobody answers, the sheet offers names alone', async () => {
  await openReady(page, server.url);
  const answers = [(route) => route.fulfill({ json: { provider: null } }), (route) => route.fulfill({ status: 503, body: '{}' }), (route) => route.abort()];
  for (const answer of answers) {
    let hasAsked = false;
    await page.route('**/api/sign-in', async (route) => {
      await answer(route);
      hasAsked = true;
    });
    await openHandOver(page);
    await until(() => hasAsked, 'the question');
    await page.getByLabel('Imię').last().waitFor();
    assert.equal(await page.getByRole('button', { name: 'Zaloguj się' }).count(), 0);
    await page.getByRole('button', { name: 'Anuluj' }).click();
    await page.unroute('**/api/sign-in');
  }
});

test('the address of a return opens the app without a network too, and no cache keeps what stood in it', async () => {
  await openReady(page, server.url);
  await page.context().setOffline(true);
  await page.goto(`${server.url}${RETURN_PATH}?code=secret-code&state=x`);
  await page.getByText('Zacznij je jeszcze raz.').waitFor();
  await page.context().setOffline(false);
  const cached = await page.evaluate(async () => {
    const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map(({ url }) => url);
  });
  assert.ok(cached.length > 0 && cached.every((url) => !url.includes('secret-code') && !url.includes(RETURN_PATH)), cached.join(' '));
});

test('an organizer opens her invitation, and downloads leads and contacts; the iPad knows nothing of it', async () => {
  await openConnected(page, server, { name: 'iPad 4' });
  await openHandOver(page);
  await page.getByLabel('Imię').last().fill('Kasia');
  await page.getByRole('button', { name: 'Zaczynam' }).click();
  await page.locator('dialog').waitFor({ state: 'detached' });
  await save(page, person('exported'));
  await see(page, SYNCED);

  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  let redeemed = 0;
  page.on('request', (request) => (redeemed += request.url().endsWith('/api/sign-in/invitation') ? 1 : 0));
  const { code, link } = await server.invitation('Ewa Szef', 'organize', 'crm');
  assert.equal(link, `${server.url}/#invite=${code}`);
  await page.goto(link);
  await see(page, 'Zalogowano: Ewa Szef');
  await page.getByText('Może: prowadzić wydarzenie, pobierać dane do CRM').waitFor();
  assert.equal(page.url(), `${server.url}/#office`);
  await assertNoCode(code);

  const excel = await download('Zgłoszenia: Excel');
  assert.match(excel.name, /\.xlsx$/);
  assert.equal(excel.bytes.subarray(0, 2).toString(), 'PK');
  const csv = await download('Zgłoszenia: CSV');
  assert.match(csv.name, /\.csv$/);
  assert.ok(csv.bytes.toString().includes('exported@example.com'));
  const lines = await download('Kontakty: NDJSON');
  assert.ok(lines.bytes.toString().trim().split('\n').some((line) => JSON.parse(line) && line.includes('exported@example.com')));
  await page.getByText(`Plik jest gotowy: ${lines.name}`).waitFor();

  await page.reload();
  await see(page, 'Zalogowano: Ewa Szef');
  assert.equal(redeemed, 1, 'a reload does not use the code again');
  assert.deepEqual(errors, []);
  await openScreen(page, '#', 'Shootout 3x3 2026');
  await seeOperator(page, 'Kasia');

  // A link works once, also on this iPad.
  await openOffice();
  await page.getByRole('button', { name: 'Wyloguj' }).click();
  await page.getByText('Zaloguj się, żeby pobrać').waitFor();
  await page.reload();
  await page.getByLabel('Kod z zaproszenia albo cały link').fill(link);
  await page.getByRole('button', { name: 'Wejdź' }).click();
  await page.getByText('To zaproszenie nie działa.').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'invitation');
  assert.deepEqual(await page.evaluate(() => [sessionStorage.getItem('leadlog.office'), JSON.stringify({ ...localStorage }).includes('eyJ')]), [null, false]);

  // Another one may be typed.
  const another = await server.invitation('Jan Drugi', 'crm');
  await page.getByLabel('Kod z zaproszenia albo cały link').fill(another.code.toLowerCase().replaceAll('-', ' '));
  await page.getByRole('button', { name: 'Wejdź' }).click();
  await see(page, 'Zalogowano: Jan Drugi');
});

test('an organizer signs in with the provider; when the token counts no more, she is told so', async () => {
  await page.clock.install();
  await openConnected(page, server, { name: 'iPad 5' });
  await signIn(page, 'Kasia Lis');
  await openOffice();
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await sayWho(page, 'Ewa Szef');
  await see(page, 'Zalogowano: Ewa Szef');
  await page.getByText('Może: prowadzić wydarzenie').waitFor();
  assert.equal(page.url(), `${server.url}/#office`);
  await assertNoCode();
  await download('Kontakty: CSV');

  await page.evaluate(() => {
    const session = JSON.parse(sessionStorage.getItem('leadlog.office'));
    sessionStorage.setItem('leadlog.office', JSON.stringify({ ...session, token: 'not-a-token' }));
  });
  await page.reload();
  await page.getByRole('button', { name: 'Zgłoszenia: CSV', exact: true }).click();
  await see(page, 'Sesja organizatora wygasła. Zaloguj się ponownie.');
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await sayWho(page, 'Ewa Szef');
  await see(page, 'Zalogowano: Ewa Szef');
  // Who goes on with something goes on for hours; who leaves the iPad lying does not.
  for (let used = 0; used < 3; used += 1) {
    await page.clock.fastForward(HOUR_MS / 6);
    await page.getByRole('heading', { name: 'Dla organizatora' }).click();
  }
  await see(page, 'Zalogowano: Ewa Szef');
  await page.clock.fastForward(HOUR_MS / 4);
  await see(page, 'Sesja organizatora wygasła. Zaloguj się ponownie.');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('leadlog.office')), null);

  // Nor does the token go from hand to hand, nor the file that she has asked for.
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await sayWho(page, 'Ewa Szef');
  await see(page, 'Zalogowano: Ewa Szef');
  let isAsked = false;
  let answerExport;
  const held = new Promise((resolve) => (answerExport = resolve));
  await page.route('**/api/exports/**', async (route) => {
    isAsked = true;
    await held;
    await route.continue().catch(() => undefined);
  });
  const files = [];
  page.on('download', (file) => files.push(file.suggestedFilename()));
  await page.getByRole('button', { name: 'Zgłoszenia: CSV', exact: true }).click();
  await until(() => isAsked, 'the question for the file');
  await openScreen(page, '#', 'Shootout 3x3 2026');
  await openHandOver(page);
  await page.getByLabel('Ktoś inny').fill('Ola Wilk');
  await page.getByRole('button', { name: 'Zaczynam' }).click();
  await seeOperator(page, 'Ola Wilk');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('leadlog.office')), null);
  answerExport();
  await page.unroute('**/api/exports/**');
  await save(page, person('after-hand-over'));
  assert.deepEqual(files, []);
  await signIn(page, 'Kasia Lis');

  await openScreen(page, '#', 'Shootout 3x3 2026');
  await seeOperator(page, 'Kasia Lis');
});

test('an invitation whose answer is lost on the way is not lost with it', async () => {
  await openReady(page, server.url);
  const { link } = await server.invitation('Ewa Szef', 'crm');
  // The server answers, and the network goes.
  await page.route('**/api/sign-in/invitation', async (route) => {
    await route.fetch();
    await route.abort();
  });
  await page.goto(link);
  await page.getByText('Nie ma połączenia z serwerem.').waitFor();
  await page.unroute('**/api/sign-in/invitation');
  await page.reload();
  await page.getByLabel('Kod z zaproszenia albo cały link').fill(link);
  await page.getByRole('button', { name: 'Wejdź' }).click();
  await see(page, 'Zalogowano: Ewa Szef');
});

test('a provider that wants a secret, and says what people may do at its userinfo endpoint', async () => {
  const secret = 'a secret: with + and %';
  const other = await Provider.start({ secret });
  const directory = mkdtempSync(join(tmpdir(), 'leadlog-secret-'));
  const file = join(directory, 'secret');
  writeFileSync(file, `${secret}\n`);
  const beside = await Server.start([...other.serverArguments, '--oidc-client-secret-file', file]);
  try {
    other.trust(beside.url);
    await openReady(page, beside.url);
    const signInAtOffice = async () => {
      await openOffice();
      await page.getByRole('button', { name: 'Zaloguj się' }).click();
      await sayWho(page, 'Ewa Szef');
    };
    await signInAtOffice();
    await see(page, 'Zalogowano: Ewa Szef');
    await page.getByText('Może: prowadzić wydarzenie').waitFor();
    await page.getByRole('button', { name: 'Wyloguj' }).click();
    // Nobody is let in under a number, in the place of the name.
    other.hasNoUserinfo = true;
    await signInAtOffice();
    await page.getByText('The provider of identities does not answer as it should.').waitFor();
  } finally {
    await beside.remove();
    await other.stop();
    rmSync(directory, { recursive: true });
  }
});

test('a person whose account may do nothing at the office is told so', async () => {
  await openReady(page, server.url);
  await openOffice();
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await sayWho(page, 'Ola Wilk');
  await see(page, 'Zalogowano: Ola Wilk');
  await page.getByText('Ta osoba nie ma prawa pobierać zgłoszeń.').waitFor();
  assert.equal(await page.getByRole('button', { name: /Excel/ }).count(), 0);
  await openScreen(page, '#', 'Shootout 3x3 2026');
  await page.getByRole('button', { name: 'Kto zbiera?' }).waitFor();
});

for (const colorScheme of ['dark', 'light']) {
  test(`${colorScheme}: every sheet, line and screen of it; upright, across and on a phone (CAP-7)`, async () => {
    await page.emulateMedia({ colorScheme });
    const assertAccessible = async (state) => {
      for (const [name, size] of Object.entries(SIZES)) {
        await page.setViewportSize(size);
        assert.deepEqual(await violations(page), [], `${state}, ${name}`);
        assert.deepEqual(await smallTargets(page), [], `${state}, ${name}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${state}, ${name}: scrolls sideways`);
      }
    };
    await page.clock.install();
    await openConnected(page, server, { name: 'iPad 5' });
    await page.getByLabel('Imię', { exact: true }).fill('Zof');
    await openHandOver(page);
    await page.getByRole('button', { name: 'To nadal ja: zaloguj się' }).waitFor();
    await assertAccessible('the question about what is typed');
    await page.getByRole('button', { name: 'Wyczyść i zmień osobę' }).click();
    await page.getByRole('button', { name: 'Zaloguj się' }).waitFor();
    await assertAccessible('hand-over');
    await page.getByRole('button', { name: 'Zaloguj się' }).click();
    await page.getByRole('link', { name: 'Przerwij' }).click();
    await dialog('Logowanie przerwane').waitFor();
    await assertAccessible('what went wrong');
    await page.getByRole('button', { name: 'Spróbuj ponownie' }).click();
    await sayWho(page, 'Kasia Lis');
    await seeOperator(page, 'Kasia Lis');
    await openDevicePage(page);
    await page.getByRole('button', { name: 'Wyloguj' }).click();
    await assertAccessible('the question before she signs out');
    await page.keyboard.press('Escape');
    await backToForm(page);
    await page.clock.fastForward(13 * HOUR_MS);
    await page.getByRole('link', { name: GRACE }).waitFor();
    await assertAccessible('grace');
    await page.clock.fastForward(13 * HOUR_MS);
    await dialog(ASK).waitFor();
    await assertAccessible('the question whether she signs in again');
    await page.getByRole('button', { name: 'Później' }).click();

    await dialog(ASK).waitFor({ state: 'detached' });
    await openOffice();
    await page.getByRole('button', { name: 'Zaloguj się' }).waitFor();
    await assertAccessible('the office before');
    await page.getByRole('button', { name: 'Wejdź' }).click();
    await see(page, 'Wpisz kod albo wklej link');
    await assertAccessible('the office with a mistake');
    const { code } = await server.invitation('Ewa Szef', 'organize', 'crm');
    await page.getByLabel('Kod z zaproszenia albo cały link').fill(code);
    await page.getByRole('button', { name: 'Wejdź' }).click();
    await see(page, 'Zalogowano: Ewa Szef');
    await assertAccessible('the office');
  });
}
