import { isSpoken, type Language } from '../i18n/words.svelte';
import { words } from './words';

const KEY = 'leadlog.dashboard.language';

/** The language that was chosen here, or else the first one of the browser's that is spoken here, or else Polish. */
export function recallLanguage(): void {
  const ofBrowser = navigator.languages.map((language) => language.split('-')[0] ?? '');
  words.language = [attempt((storage) => storage.getItem(KEY)) ?? '', ...ofBrowser].find(isSpoken) ?? 'pl';
}

export function speak(language: Language): void {
  words.language = language;
  attempt((storage) => storage.setItem(KEY, language));
}

/** Without the storage the choice lasts as long as the page. */
function attempt<T>(act: (storage: Storage) => T): T | undefined {
  try {
    return act(localStorage);
  } catch {
    return undefined;
  }
}
