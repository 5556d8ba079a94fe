// The part of the app that comes after its form (src/second-script.svelte.ts), in Chromium and in WebKit.
import assert from 'node:assert/strict';
import { field, PEOPLE, save } from './capture.js';
import { backToForm } from './device-page.js';
import { DIST } from './release-server.js';
import { until } from './until.js';

export const SECOND_SCRIPT = /\/assets\/screens-.*\.js$/;

export const typed = (page) => field(page, 'firstName').inputValue();

/** Opens the device page as a person does. */
export async function tapSyncState(page) {
  await page.getByRole('link', { name: 'czeka' }).click();
}

/** On a page of `app` that was opened while the second script was missing. */
export async function doWithout(page, app) {
  await save(page, PEOPLE.anna);
  await field(page, 'firstName').fill(PEOPLE.zofia.firstName);

  await tapSyncState(page);
  // The tap has changed it, and the answer that it has not come changes it back.
  await until(() => page.evaluate('location.hash === ""'), 'the form in the place of the device page');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('button', { name: 'Kto zbiera?' }).click();
  assert.equal(await typed(page), PEOPLE.zofia.firstName);
  assert.equal(await page.evaluate('document.querySelector("dialog, [role=alert] p")'), null);

  app.release(DIST);
  await tapSyncState(page);
  await page.getByRole('heading', { name: 'Ten iPad' }).waitFor();
  await backToForm(page);
  assert.equal(await typed(page), PEOPLE.zofia.firstName);
}
