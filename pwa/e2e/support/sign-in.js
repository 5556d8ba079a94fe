// What people see and do when they sign in.

/** Where the provider sends them back to. */
export const RETURN_PATH = '/signed-in';

/** At the provider: says who it is. */
export async function sayWho(page, name) {
  await page.getByLabel('Kto?').fill(name);
  await page.getByRole('button', { name: 'Dalej' }).click();
}

/** Opens the sheet in which a person is chosen, from the form. */
export async function openHandOver(page) {
  await page.getByRole('button', { name: /^(Kto zbiera\?|Zmień osobę)/ }).click();
  await page.getByRole('dialog').waitFor();
}

/** Begins to sign in from that sheet, and is at the provider. */
export async function beginSignIn(page) {
  await openHandOver(page);
  await page.getByRole('button', { name: 'Zaloguj się' }).click();
  await page.getByLabel('Kto?').waitFor();
}

/** Signs a hostess in, and waits until the form shows her name. */
export async function signIn(page, name) {
  await beginSignIn(page);
  await sayWho(page, name);
  await seeOperator(page, name);
}

export async function seeOperator(page, name) {
  await page.getByRole('button', { name: `Zmień osobę: ${name}`, exact: true }).waitFor();
}
