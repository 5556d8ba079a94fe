// What a hostess does and sees, in her words.
import { until } from './until.js';

export const PEOPLE = {
  anna: { firstName: 'Anna', lastName: 'Nowak', email: 'anna.nowak@example.com', phone: '501 502 503' },
  zofia: { firstName: 'Zofia', lastName: 'Łęcka', email: 'zofia.lecka@example.com', phone: '' },
};

export const FIELDS = { firstName: 'Imię', lastName: 'Nazwisko', email: 'E-mail', phone: 'Telefon' };

export const SYNCED = 'Wszystko zsynchronizowane';
export const HUB = 'Tryb lokalny: zgłoszenia trafiają do huba.';
export const SOLO = 'Brak sieci: zapisuję na tym iPadzie.';

/** Opens the form and waits until it would also open without a network. */
export async function openReady(page, url) {
  await page.goto(url);
  await field(page, 'firstName').waitFor();
  await storedOffline(page);
}

async function storedOffline(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
}

/**
 * Connects the iPad by the organizer's link, so that `server` takes its leads, and opens the form as `openReady` does.
 * `url`: where the app is, when not there.
 */
export async function openConnected(page, server, { name = 'iPad 1', url = server.url } = {}) {
  await page.goto(`${url}/#connect=${await server.connectCode(name)}`);
  await seeConnected(page, name);
  // A page that is left while it is being stored leaves the next one without.
  await storedOffline(page);
  await openReady(page, url);
}

export async function seeConnected(page, name = 'iPad 1') {
  await see(page, 'Zgłoszenia z tego iPada trafiają teraz do organizatora.');
  await see(page, `Połączono: ${name}`);
}

export function field(page, id) {
  return page.getByLabel(FIELDS[id], { exact: true });
}

export async function fill(page, person) {
  for (const id of Object.keys(FIELDS)) await field(page, id).fill(person[id]);
  await page.getByLabel('Zaznacz wszystkie zgody').check();
}

export async function tapSave(page) {
  await page.getByRole('button', { name: /^Zapis/ }).click();
}

/** Waits until the screen says that this person is saved. */
export async function seeSaved(page, { firstName, lastName }) {
  await page.getByText(`Zapisano: ${firstName} ${lastName[0]}.`).waitFor();
}

export async function save(page, person) {
  await fill(page, person);
  await tapSave(page);
  // The line may still tell of an earlier save of the same person; the form is emptied by this one.
  await until(async () => (await field(page, 'firstName').inputValue()) === '', 'the empty form');
  await seeSaved(page, person);
}

export async function see(page, text) {
  await page.getByText(text, { exact: true }).first().waitFor();
}
