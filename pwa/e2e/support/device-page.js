// What a person does on the screens beside the form.

export const LEAD_BUTTONS = { fix: 'Popraw', takeBack: 'Cofnij', bringBack: 'Przywróć zgłoszenie' };

/** Opens another screen by its hash, and waits until its heading has the focus. */
export async function openScreen(page, hash, title) {
  await page.evaluate((target) => (location.hash = target), hash);
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
}

export const openDevicePage = (page) => openScreen(page, '#device', 'Ten iPad');
export const openRestorePage = (page) => openScreen(page, '#restore', 'Przywróć zgłoszenia');

export async function backToForm(page) {
  await page.getByRole('link', { name: 'Formularz' }).first().click();
  await page.getByLabel('Imię', { exact: true }).waitFor();
}

/** The button of one lead in the list, by its masked name. */
export function leadButton(page, button, name) {
  return page.getByRole('button', { name: `${button}: ${name}`, exact: true });
}

/** Sends what waits, and ships a backup where something has changed. */
export async function syncNow(page) {
  await page.getByRole('button', { name: 'Synchronizuj teraz' }).click();
  await page.getByText('Gotowe. Nic już nie czeka.').waitFor();
}
